"""HTTP messages from a byte stream in chunks of any size."""

from __future__ import annotations

import gzip

import pytest

from nakama_bots.record.capture.http import HttpMessage, HttpReader, UnreadableHttp


def read(data: bytes, size: int, *, answers: bool) -> list[HttpMessage]:
    reader = HttpReader(answers=answers)
    found = []
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size], float(start))
        while (message := reader.next(float(start))) is not None:
            found.append(message)
    end = reader.end(1.0)
    return [*found, *([end] if end is not None else [])]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_messages_are_read_in_chunks_of_any_size(size: int) -> None:
    data = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nz\r\n0\r\nTrailer: 1\r\n\r\n"
        b"HTTP/1.1 204 No Content\r\n\r\n"
        b"HTTP/1.0 200 OK\r\n\r\nup to the end"
    )
    found = read(data, size, answers=True)
    assert [one.body for one in found] == [b"hello", b"", b"abcde", b"z", b"", b"up to the end"]
    assert [one.status for one in found] == [200, 100, 200, 200, 204, 200]


@pytest.mark.parametrize("size", [1, 1000])
def test_requests(size: int) -> None:
    data = b"GET /v2/account HTTP/1.1\r\nHost: x\r\n\r\nPOST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
    found = read(data, size, answers=False)
    assert [(one.words[0], one.words[1], one.body) for one in found] == [
        ("GET", "/v2/account", b""),
        ("POST", "/a", b"{}"),
    ]


def test_a_compressed_body() -> None:
    body = gzip.compress(b"{}")
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    (message,) = read(head + body, 7, answers=True)
    assert message.content == b"{}"


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"a" * 300_000,
    ],
)
def test_bytes_that_are_not_http(data: bytes) -> None:
    with pytest.raises(UnreadableHttp):
        read(data, len(data), answers=True)
