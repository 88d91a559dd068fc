"""The checks of ``doctor``, from the host name to a match."""

from __future__ import annotations

import datetime as dt
import platform
import socket as stdlib_socket
import ssl
import time
from collections.abc import Callable
from contextlib import closing, suppress
from importlib.metadata import version
from statistics import median
from time import perf_counter
from typing import Any, Final

import gevent
import gevent.socket
import gevent.ssl

from nakama_bots.emulator.identity import SERVER_NAME
from nakama_bots.errors import (
    AlreadyExists,
    CallError,
    ConnectionClosed,
    ConnectionFailed,
    HandshakeRefused,
    NotFound,
    PermissionDenied,
    ProtocolError,
    RealtimeError,
    RequestTimeout,
    RestError,
    TlsError,
    Unauthenticated,
    Unimplemented,
)
from nakama_bots.net.tls import ssl_context
from nakama_bots.ops.doctor import Ailment, Check, CheckResult, Patient
from nakama_bots.players.acts.matchmaking import Ticket, find_opponents
from nakama_bots.players.player import Player
from nakama_bots.rest.families.health import CHECK as HEALTH
from nakama_bots.settings import guard
from nakama_bots.settings.target import DEFAULT_SERVER_KEY

PINGS: Final = 20
ECHOES: Final = 10
DAYS_LEFT: Final = 21
SLOW_PING: Final = 0.15
SKEW_NOTED: Final = 2.0
SHORT_TOKEN: Final = 30
OP_CODE: Final = 1

_RPC: Final = "nakama_bots_doctor"
# OpenSSL's X509_V_ERR_*: what Python's ssl has as verify_code.
_VERIFY_ADVICE: Final = {
    9: "the certificate is not valid yet: correct this machine's clock, or wait",
    10: "the certificate has expired: renew it on the server or its load balancer",
    18: "the certificate is self-signed: pass its file with --nakama-tls-ca, or use a public CA",
    19: "the CA is unknown on this machine: pass the CA's file with --nakama-tls-ca",
    20: "the CA is unknown on this machine or the chain is incomplete: pass the CA's file with --nakama-tls-ca",
    62: "the certificate is for another name: use that name, or add this one to the certificate",
    64: "the certificate is not valid for this address: use the host name",
}
_NO_HTTP: Final = "the port is open but does not answer: is it Nakama's API port (7350)? http or https?"


def _dns(patient: Patient) -> CheckResult:
    target = patient.world.target
    try:
        found = gevent.socket.getaddrinfo(target.host, target.port, type=stdlib_socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Ailment(
            f"{target.host} has no address", "check the spelling, the DNS record and this machine's resolver",
            unreachable=True,
        ) from None  # fmt: skip
    patient.addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if patient.addresses == [target.host]:
        return CheckResult("the host is an IP address")
    return CheckResult(", ".join(patient.addresses))


def _connect(patient: Patient) -> CheckResult:
    target = patient.world.target
    took: list[float] = []
    failures: list[str] = []
    refused = False
    share = patient.world.timeouts.connect / len(patient.addresses)
    for address in patient.addresses:
        started = perf_counter()
        try:
            gevent.socket.create_connection((address, target.port), timeout=share).close()
        except OSError as error:
            refused = refused or isinstance(error, ConnectionRefusedError)
            failures.append(f"{address}: {error.strerror or 'no answer'}")
        else:
            took.append(perf_counter() - started)
    if not took:
        advice = (
            f"start the server, or use the port that it listens on (Nakama: 7350; given: {target.port})"
            if refused
            else "check firewalls, security groups and VPNs on the way to the server"
        )
        raise Ailment("; ".join(failures), advice, unreachable=True)
    text = f"port {target.port} accepts in {_ms(min(took))}"
    if failures:
        return CheckResult(
            f"{text}, but {'; '.join(failures)}", "remove the addresses that do not answer from DNS"
        )
    return CheckResult(text)


def _tls(patient: Patient) -> CheckResult:
    target, tls = patient.world.target, patient.world.network.tls
    if not target.ssl:
        if guard.is_loopback(target.host):
            return CheckResult("not used")
        return CheckResult(
            "not used", "tokens and keys are sent unencrypted: use https:// outside a trusted network"
        )
    context = ssl_context(gevent.ssl.SSLContext, tls)
    try:
        with gevent.socket.create_connection((target.host, target.port)) as plain:
            wrapped = context.wrap_socket(plain, server_hostname=target.host)
            certificate: dict[str, Any] = wrapped.getpeercert() or {}
            spoken = wrapped.version() or "TLS"
            wrapped.close()
    except ssl.SSLCertVerificationError as error:
        advice = _VERIFY_ADVICE.get(error.verify_code, "use a certificate that can be verified")
        raise Ailment(f"certificate not accepted: {error.verify_message}", advice) from None
    except ssl.SSLError as error:
        if error.reason == "WRONG_VERSION_NUMBER":
            advice = f"use http://{target.authority}, or the port that has TLS"
            raise Ailment("the port does not speak TLS", advice) from None
        text = f"handshake failed: {error.reason or 'no reason'}"
        raise Ailment(text, "check the server's TLS settings") from None
    except OSError:
        raise Ailment(
            "the connection was closed during the handshake", "see the log of the server or load balancer"
        ) from None
    if not certificate:
        return CheckResult(f"{spoken}, not verified", "drop --nakama-tls-insecure to verify the certificate")
    ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    days = int((ends - time.time()) // 86400)
    until = dt.datetime.fromtimestamp(ends, dt.UTC).date().isoformat()
    text = f"{spoken}, verified for {target.host} until {until} ({days} days)"
    return CheckResult(text, "renew the certificate" if days < DAYS_LEFT else "")


def _health(patient: Patient) -> CheckResult:
    started = perf_counter()
    try:
        patient.players[0].client.healthcheck()
    except (ConnectionClosed, RequestTimeout) as error:
        raise Ailment(str(error), _NO_HTTP, unreachable=True) from None
    except RestError as error:
        if "HTTPS" in error.message:  # Go's answer to a plain request on a TLS port
            raise Ailment(str(error), "the port speaks TLS: use https://") from None
        if error.status in (502, 503, 504):
            raise Ailment(str(error), "a proxy answers but cannot reach Nakama: see the proxy's log") from None
        raise
    return CheckResult(f"healthy, in {_ms(perf_counter() - started)}")


def _server_key(patient: Patient) -> CheckResult:
    # No account has this id: with a valid key the answer is "not found", and nothing is created.
    client = patient.players[0].client
    with suppress(NotFound):
        client.authenticate_device(f"{patient.players[0].identity.device_id}-none", create=False)
    default = patient.world.credentials.server_key == DEFAULT_SERVER_KEY
    if default and not guard.is_loopback(patient.world.target.host):
        return CheckResult(
            f"accepted, but it is {DEFAULT_SERVER_KEY}", "set socket.server_key: the default is public"
        )
    return CheckResult("accepted")


def _http_key(patient: Patient) -> CheckResult:
    client = patient.players[0].client
    try:
        client.rpc_http_key(patient.world.credentials.http_key, _RPC)
    except NotFound:
        return CheckResult("accepted")
    except Unauthenticated:
        advice = "needed only for RPCs by key: pass the server's runtime.http_key with --nakama-http-key"
        return CheckResult("not accepted", advice)
    return CheckResult(f"accepted (the server has an RPC {_RPC})")


def _auth(patient: Patient) -> CheckResult:
    patient.tried_accounts = True
    started = perf_counter()
    for player in patient.players:
        player.authenticate()
    patient.logged_in = True
    elapsed = (perf_counter() - started) / len(patient.players)
    session = patient.players[0].session
    lifetime = session.expires_at - session.created_at
    text = f"created two accounts in {_ms(elapsed)} each; a token lasts {lifetime} s"
    if lifetime < SHORT_TOKEN:
        return CheckResult(text, f"raise session.token_expiry_sec ({lifetime}): bots will refresh constantly")
    return CheckResult(text)


def _clock(patient: Patient) -> CheckResult:
    client = patient.players[0].client
    before = time.time()
    session = client.authenticate_device(patient.players[0].identity.device_id, create=False)
    after = time.time()
    # Tokens have whole seconds: the server's clock was between this second and the next.
    ahead, behind = session.created_at - after, before - (session.created_at + 1)
    skew = max(ahead, behind, 0.0)
    if not skew:
        return CheckResult("the server's clock is within a second of this one")
    text = f"the server's clock is {skew:.1f} s {'ahead of' if ahead > behind else 'behind'} this one"
    lifetime = session.expires_at - session.created_at
    advice = "synchronise both clocks (NTP)"
    if skew >= lifetime / 2:
        raise Ailment(text, f"{advice}: tokens last {lifetime} s and look expired on arrival")
    return CheckResult(text, advice if skew > SKEW_NOTED else "")


def _socket(patient: Patient) -> CheckResult:
    started = perf_counter()
    for player in patient.players:
        player.connect()
    return CheckResult(f"opened two sockets in {_ms((perf_counter() - started) / len(patient.players))} each")


def _ping(patient: Patient) -> CheckResult:
    socket = patient.players[0].socket
    taken: list[float] = []
    for _ in range(PINGS):
        started = perf_counter()
        socket.ping_pong()
        taken.append(perf_counter() - started)
    middle = median(taken)
    text = f"{PINGS} round trips: p50 {_ms(middle)}, max {_ms(max(taken))}"
    return CheckResult(
        text, "the server is far away or busy: measure from a closer machine" if middle > SLOW_PING else ""
    )


def _match(patient: Patient) -> CheckResult:
    host, guest = patient.players
    match_id = host.socket.create_match()["match_id"]
    guest.socket.join_match(match_id)
    taken = [_echo(host, guest, match_id, number) for number in range(ECHOES)]
    for player in patient.players:
        player.socket.leave_match(match_id)
    return CheckResult(
        f"{ECHOES} echoes through a relayed match: p50 {_ms(median(taken))}, max {_ms(max(taken))}"
    )


def _echo(host: Player, guest: Player, match_id: str, number: int) -> float:
    """Seconds from the host's send to the echo of the guest."""
    text = f"doctor {number}"
    started = perf_counter()
    for sender, receiver in ((host, guest), (guest, host)):
        with receiver.socket.expect("match_data", lambda body: body["match_id"] == match_id) as arrival:
            sender.socket.send_match_state(match_id, OP_CODE, text)
            arrival.wait()
    return perf_counter() - started


def _matchmaker(patient: Patient) -> CheckResult:
    # The two only match each other, never a human.
    ticket = Ticket.among("doctor", str(patient.seed), 2, 2)
    started = perf_counter()
    searches = [gevent.spawn(_search, player, ticket, patient.matchmaker_timeout) for player in patient.players]
    try:
        gevent.joinall(searches)
    finally:
        gevent.killall(searches)
    for search in searches:
        if isinstance(search.value, CallError):
            raise search.value
    return CheckResult(f"two bots matched in {perf_counter() - started:.1f} s")


def _search(player: Player, ticket: Ticket, timeout: float) -> CallError | None:
    # Returned, not raised: gevent prints what a greenlet raises.
    try:
        find_opponents(player, ticket, timeout)
    except CallError as error:
        return error
    return None


def _versions(patient: Patient) -> CheckResult:
    packages = ("nakama_bots", "gevent", "geventhttpclient", "websocket-client")
    here = ", ".join(f"{name} {version(name)}" for name in packages)
    return CheckResult(f"server: {_server_age(patient)}; here: {here}, Python {platform.python_version()}")


def _server_age(patient: Patient) -> str:
    """The server never sends its version, but an operation that it lacks is "not found"."""
    if not patient.logged_in:
        return "not known"
    player, world = patient.players[0], patient.world
    with closing(world.transport(world.network)) as transport:
        headers = transport.send(world.target, "GET", HEALTH.path(), {}, None, world.timeouts).headers
    if headers.get("server") == SERVER_NAME:
        return "this package's emulator, not a real Nakama"
    for since, call in _SINCE:
        try:
            call(player)
        except (NotFound, Unimplemented):
            continue
        return f"Nakama {since} or newer"
    return f"Nakama older than {since}"


# From Nakama's CHANGELOG: the version that added an operation, newest first.
_SINCE: Final[tuple[tuple[str, Callable[[Player], object]], ...]] = (
    ("3.28", lambda player: player.client.list_parties(player.session, 1)),
    ("3.22", lambda player: player.client.list_friends_of_friends(player.session, 1)),
)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms"


_NOT_NAKAMA: Final = (
    ((NotFound, ProtocolError), "this is not a Nakama server: check host, port (7350) and path"),
    (TlsError, "see tls"),
    (RestError, "the server answers but is unhealthy: see its log and its database"),
)
_SOCKET_ADVICE: Final = (
    (HandshakeRefused, "proxies must forward /ws with its Upgrade and Authorization headers"),
    ((ConnectionFailed, RequestTimeout), "proxies must forward websockets"),
)
_LOST: Final = (
    (ConnectionClosed, "the server or a proxy closes connections: see their logs and idle timeouts"),
    (RequestTimeout, "the server accepts messages but does not answer in time: check its load"),
    (RealtimeError, "the server rejects the message: see its log and its before hooks"),
)

_WAIT: Final = (
    "the matchmaker runs every matchmaker.interval_sec (15 s by default): raise "
    "--nakama-matchmaker-timeout and --timeout, or check the server's hooks"
)

CHECKS: Final = (
    Check("dns", _dns, reaches=True),
    Check("connect", _connect, ("dns",), 15.0, reaches=True),
    Check("tls", _tls, ("connect",)),
    Check("health", _health, ("tls",), advice=_NOT_NAKAMA, reaches=True),
    Check("server key", _server_key, ("health",), advice=(
        (Unauthenticated, "set NAKAMA_SERVER_KEY to the server's socket.server_key"),
        (PermissionDenied, "a before hook of the server rejects the login: see its log"),
    )),
    Check("http key", _http_key, ("health",)),
    Check("auth", _auth, ("server key",), advice=(
        (AlreadyExists, "a hook of the server assigns user names that are taken: see its log"),
        (PermissionDenied, "a before hook of the server rejects the login: see its log"),
        (RestError, "the server cannot create accounts: see its log, its hooks and its database"),
    )),
    Check("clock", _clock, ("auth",)),
    Check("socket", _socket, ("auth",), 20.0, advice=_SOCKET_ADVICE),
    Check("ping", _ping, ("socket",), advice=_LOST),
    Check("match", _match, ("socket",), 15.0, advice=_LOST),
    Check("versions", _versions),
    # Last: it may use all the remaining time.
    Check("matchmaker", _matchmaker, ("socket",), 600.0, advice=((RequestTimeout, _WAIT), *_LOST)),
)  # fmt: skip
