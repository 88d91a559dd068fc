"""Bytes that a server must not send: frames, handshakes, HTTP answers, TLS. The relay makes them."""

from __future__ import annotations

from .cell import FAILED, NOT_STARTED, PASSED, Cell
from .peer import FRAMES
from .server_cells import IMPATIENT, RECONNECTS, SLOW, TIMES_OUT


def frame(name: str, text: str, does: str = RECONNECTS, *, ok: bool = False, **more: object) -> Cell:
    """A frame of the server that is replaced, or an end in its place, on every connection from the sixth on."""
    settings: dict[str, object] = {
        "codes": (0,) if ok else (1,), "verdict": PASSED if ok else FAILED, "server": SLOW,
        "ledger": () if ok else ("closed",), "arguments": () if ok else IMPATIENT, "scenario": "Talker",
        "peer": ("--frame", name, "--after", "5"), "until": ("ping>=20",) if ok else (),
    }  # fmt: skip
    return Cell(f"frame: {name}", text, does, **(settings | more))  # type: ignore[arg-type]


def handshake(name: str, text: str, does: str, **more: object) -> Cell:
    """An answer to a websocket handshake, from the third on."""
    return Cell(
        f"handshake: {name}", text, does, codes=(1,), verdict=FAILED, arguments=IMPATIENT,
        peer=("--on", "ws", "--reply", name, "--after", "2"), until=("failed:connect",), **more,  # type: ignore[arg-type]
    )  # fmt: skip


def answer(name: str, text: str, does: str, **more: object) -> Cell:
    """An answer to ``GET /v2/account``."""
    settings: dict[str, object] = {
        "codes": (1,), "verdict": FAILED, "arguments": IMPATIENT, "peer": ("--on", "account", "--reply", name),
        "until": ("failed:/v2/account",) if name != "no token" else (),
    }  # fmt: skip
    return Cell(f"answer: {name}", text, does, **(settings | more))  # type: ignore[arg-type]


NOT_CONNECTED = "a failed connect with a typed error, within its timeout"
FAILS = "a failed request with a typed error, within its timeout"
LIMIT = "a failed request with an error that names the limit; memory stays bounded"

FRAME_CELLS = (
    frame("masked", "a masked frame of the server"),
    frame("reserved bits", "a frame with RSV1"),
    frame("reserved opcode", "a frame with opcode 3"),
    frame("binary", "a binary frame on a JSON socket"),
    frame("not utf-8", "a text frame that is no UTF-8"),
    frame("long ping", "a ping of 126 bytes"),
    frame("no start", "a continuation of nothing"),
    frame("claims 2**62", "a frame that claims 2**62 bytes"),
    frame("fragments", "fragments with a ping between them, as the protocol allows", "goes on", ok=True),
    frame("unknown cid", "an answer with the cid 999999999", TIMES_OUT, ledger=("timeout",)),
    frame("number cid", "an answer whose cid is a number", TIMES_OUT, ledger=("timeout",)),
    frame("no cid", "an answer whose cid is null", TIMES_OUT, ledger=("timeout",)),
    frame("huge cid", "an answer with a cid of a megabyte", TIMES_OUT, ledger=("timeout",)),
    frame("deep", "JSON 100,000 levels deep", RECONNECTS),
    frame("close codes", "a close frame with each of 18 codes, valid and not, and a reason that is no UTF-8",
          says=("ConnectionClosed|ProtocolError",)),
    frame("short close", "a close frame of one byte"),
    frame("bad pushes", "pushes whose bodies are not what they should be", "counts them and goes on", ok=True),
    frame("flood of pings", "20,000 pings before each answer, and the client answers them", "goes on",
          codes=(0, 1), verdict=f"{PASSED} {FAILED}", ledger=()),
    frame("forged", "an error text with 18 forged verdict lines, ESC, bidi and Markdown",
          "the text is shown escaped", ledger=("error",)),
    frame("reset", "RST in place of an answer"),
    frame("end", "the end of TCP without a close frame"),
    frame("half", "half a frame, then the end of TCP"),
    frame("black hole", "nothing more comes or goes, TCP stays open",
          "calls time out, the heartbeat ends the connection", ledger=("timeout",), seconds=5),
)  # fmt: skip

HANDSHAKE_CELLS = (
    handshake("endless headers", "headers without end and without pause", NOT_CONNECTED),
    handshake("endless header", "one header without end", NOT_CONNECTED),
    handshake("endless status line", "a status line without end", NOT_CONNECTED),
    handshake("endless 1xx", "100 Continue without end", NOT_CONNECTED),
    handshake("slow", "a byte each 0.2 s", NOT_CONNECTED),
    handshake("nothing", "no answer", NOT_CONNECTED),
    handshake("reset", "RST in place of an answer", NOT_CONNECTED),
    handshake("half", "half an answer", NOT_CONNECTED),
    handshake("garbage", "bytes that are no HTTP", NOT_CONNECTED),
    handshake("not upgraded", "200 in place of 101", NOT_CONNECTED, says=("HandshakeRefused",)),
    handshake("wrong accept", "101 with a wrong Sec-WebSocket-Accept", NOT_CONNECTED),
    handshake("redirect", "302 to another place of the same server", "the redirect is not followed",
              follows_nothing=True),
    handshake("503", "503", NOT_CONNECTED, says=("HandshakeRefused",)),
    handshake("refused", "401", "the player logs in again before the next try", says=("HandshakeRefused",)),
)  # fmt: skip

ANSWER_CELLS = (
    answer("endless headers", "headers without end and without pause", LIMIT, says=("limit",)),
    answer("endless header", "one header without end", LIMIT),
    answer("endless status line", "a status line without end", LIMIT),
    answer("endless 1xx", "100 Continue without end", FAILS),
    answer("endless body", "chunks without end", LIMIT),
    answer("huge body", "a body of 200 MB", LIMIT, says=("limit",)),
    answer("bomb", "300 KB of gzip that are 300 MB", LIMIT, says=("limit",)),
    answer("slow", "a byte each 0.2 s", FAILS),
    answer("nothing", "no answer", FAILS, says=("RequestTimeout",)),
    answer("reset", "RST in place of an answer", FAILS),
    answer("half", "half an answer", FAILS),
    answer("garbage", "bytes that are no HTTP", FAILS),
    answer("not json", "200 with HTML", FAILS, says=("ProtocolError",)),
    answer("429", "a storm of 429 with Retry-After", "a failed request with a typed error"),
    answer("503", "a storm of 503", "a failed request with a typed error"),
    answer("refused", "a storm of 401", "a failed request; the player logs in again"),
    answer("redirect", "302 to another place of the same server", "the redirect is not followed",
           follows_nothing=True),
    answer("forged", "an error text with 18 forged verdict lines, ESC, bidi and Markdown",
           "the text is shown escaped"),
    answer("no token", "a login answered with a token that is null", "a failed login with a typed error",
           peer=("--on", "login", "--reply", "no token"), says=("ProtocolError",)),
    Cell("login: 503", "logins answered with 503, each of them", "failed logins with growing pauses",
         codes=(1,), verdict=FAILED, peer=("--on", "login", "--reply", "503"), arguments=IMPATIENT),
    Cell("health: endless headers", "the first request is answered by headers without end",
         "something answers: the run goes on", codes=(0,), verdict=PASSED,
         peer=("--on", "health", "--reply", "endless headers"), arguments=IMPATIENT),
    Cell("health: endless 1xx", "the first request is answered by 100 Continue without end",
         "something answers: the run goes on", codes=(0,), verdict=PASSED,
         peer=("--on", "health", "--reply", "endless 1xx"), arguments=IMPATIENT),
    Cell("health: nothing", "the first request is not answered", "ends before any load", codes=(5,),
         verdict=NOT_STARTED, peer=("--on", "health", "--reply", "nothing"), arguments=IMPATIENT,
         says=("nothing answers at .* no answer",)),
)  # fmt: skip


def tls(kind: str, text: str, **more: object) -> Cell:
    settings: dict[str, object] = {"codes": (1,), "verdict": FAILED, "says": ("TlsError",), "tls": kind}
    return Cell(f"TLS: {kind}", text, "no request is sent; each try is a TlsError", **(settings | more))  # type: ignore[arg-type]


TLS_CELLS = (
    tls("self-signed", "a certificate of an unknown authority"),
    tls("expired", "a certificate that has ended"),
    tls("other host", "a certificate for another name"),
    tls("plain", "plain HTTP on the port of https"),
    tls("garbage", "bytes that are no TLS", peer=("--garbage",)),
)

CELLS = (*FRAME_CELLS, *HANDSHAKE_CELLS, *ANSWER_CELLS, *TLS_CELLS)
assert {cell.name.removeprefix("frame: ") for cell in FRAME_CELLS} >= set(FRAMES)
