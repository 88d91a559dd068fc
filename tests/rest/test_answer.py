"""An answer is parsed alike however the network splits it."""

from __future__ import annotations

import gzip

import pytest

from nakama_bots.errors import AnswerTooLarge
from nakama_bots.rest.transports.answer import HTTPParseError, IncomingAnswer
from nakama_bots.settings.network import Limits

from .scripted import answer_bytes

PACKED = gzip.compress(b'{"a":1}')
WHOLE = {
    "plain": answer_bytes(b'{"a":1}', headers=b"X-Two:  a b \t\r\nX-Empty:\r\nX-Latin: \xe9\xa0\r\n"),
    "no body": answer_bytes(b"", "404 Not Found"),
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}",
    "packed": answer_bytes(PACKED, headers=b"Content-Encoding: gzip\r\n"),
    "close": answer_bytes(headers=b"Connection: close\r\n"),
    "old": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Last: 1\r\n\r\n",
    "interim": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 2 + answer_bytes(b"{}"),
    "nothing": b"HTTP/1.1 204 No Content\r\n\r\n",
    "nothing of a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    "zeros": b"HTTP/1.1 200 OK\r\nContent-Length: 002\r\n\r\n{}",
    "line ends first": b"\r\n\n" + answer_bytes(),
    "twice": answer_bytes(headers=b"X: 1\r\nX: 2\r\n"),
}
BROKEN = {
    "two lengths": answer_bytes(headers=b"Content-Length: 2\r\n"),
    "length and chunks": answer_bytes(headers=b"Transfer-Encoding: chunked\r\n"),
    "line feed": b"HTTP/1.1 200 OK\r\nX: 1\nContent-Length: 2\r\n\r\n{}",
    "control character": answer_bytes(headers=b"X: a\0b\r\n"),
    "name": answer_bytes(headers=b"X y: 1\r\n"),
    "status": answer_bytes(status="020 OK"),
    "banner": b"SSH-2.0-OpenSSH_9.2\r\n",
}


def read(data: bytes, size: int, method: str = "GET") -> tuple[object, ...]:
    answer = IncomingAnswer(method, Limits())
    for begin in range(0, len(data), size):
        assert not answer.complete
        answer.take(data[begin : begin + size])
    assert answer.complete
    return answer.status, answer.headers, answer.body, answer.reusable


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
def test_split_answer_is_parsed_alike(data: bytes) -> None:
    whole = read(data, len(data))
    assert [read(data, size) for size in (1, 7, len(data) - 1)] == [whole] * 3


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("size", [1, 100_000])
def test_bytes_that_are_not_http(data: bytes, size: int) -> None:
    with pytest.raises(HTTPParseError):
        read(data, size)


def test_connection_with_extra_bytes_is_not_reused() -> None:
    for extra in (b"x", answer_bytes(b"{}")):
        answer = IncomingAnswer("GET", Limits())
        answer.take(answer_bytes(b'{"a":1}') + extra)
        assert (answer.complete, answer.status, answer.body, answer.reusable) == (True, 200, b'{"a":1}', False)


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_body_where_none_is_allowed_is_ignored(method: str, status: int) -> None:
    data = answer_bytes(b"{}", f"{status} Odd")
    answers = []
    for size in (len(data), 20):
        answer = IncomingAnswer(method, Limits())
        for begin in range(0, len(data), size):
            answer.take(data[begin : begin + size])
        answers.append((answer.complete, answer.status, answer.body, answer.reusable))
    assert answers == [(True, status, b"", False)] * 2


def test_answer_to_head_has_no_body() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
    assert read(head, len(head), "HEAD") == (200, {"content-length": "10"}, b"", True)


def test_headers_in_one_read_are_limited() -> None:
    answer = IncomingAnswer("GET", Limits(headers=100))
    with pytest.raises(AnswerTooLarge, match="max_headers"):
        answer.take(answer_bytes(b"", headers=b"X: " + b"y" * 100 + b"\r\n"))
