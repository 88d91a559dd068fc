"""The emulator's options; the defaults are Nakama's (``server/config.go``)."""

from __future__ import annotations

from dataclasses import dataclass, field

from nakama_bots.emulator.server.faults import Fault
from nakama_bots.emulator.store.limits import StoreLimits


@dataclass(frozen=True, slots=True)
class Options:
    """All settings of an emulator. Times are seconds, sizes bytes.

    ``seed`` None: ids and choices differ between runs. ``lifeline_fd``: a pipe whose end stops the
    emulator. ``ready_fd`` None: the ready line goes to stdout.
    """

    host: str = "127.0.0.1"
    port: int = 7350
    server_key: str = field(default="defaultkey", repr=False)
    http_key: str = field(default="defaulthttpkey", repr=False)
    encryption_key: str = field(default="defaultencryptionkey", repr=False)
    refresh_encryption_key: str = field(default="defaultrefreshencryptionkey", repr=False)
    token_expiry: int = 60
    refresh_token_expiry: int = 3600
    matchmaker_interval: float = 15.0
    matchmaker_max_intervals: int = 2
    matchmaker_max_tickets: int = 3
    matchmaker_rev_precision: bool = False
    # Intervals that a run may take until it stops heeding the precision, 0: no limit.
    matchmaker_rev_threshold: int = 1
    # Seconds that an authoritative match may be empty before it is stopped; 0: no limit.
    match_max_empty: int = 0
    # Queue sizes: messages to a match until its next tick, calls of its functions, deferred broadcasts, and
    # joins and signals that wait while one of its functions runs.
    match_input_queue_size: int = 128
    match_call_queue_size: int = 128
    match_deferred_queue_size: int = 128
    match_join_attempt_queue_size: int = 128
    match_signal_queue_size: int = 10
    # Seconds after which an admitted player who has not shown up leaves a match.
    match_join_marker_deadline: float = 15.0
    # Presence events that one message or request may cause.
    tracker_event_queue_size: int = 1024
    # Seconds between two searches for empty parties, 0: none.
    party_idle_check_interval: float = 30.0
    max_message_size: int = 4096
    max_request_size: int = 262144
    outgoing_queue_size: int = 64
    ping_period: float = 15.0
    pong_wait: float = 25.0
    write_wait: float = 5.0
    # Timeouts for a connection's first request or a request's body, and between two requests.
    read_timeout: float = 10.0
    idle_timeout: float = 60.0
    close_ack_wait: float = 2.0
    ping_backoff_threshold: int = 20
    # Seconds until lists of matches and parties reflect a change.
    label_update_interval: float = 1.0
    # Server seconds per real second: its clock, its intervals, the ticks of its matches.
    speed: float = 1.0
    limits: StoreLimits = field(default_factory=StoreLimits)
    single_socket: bool = False
    single_match: bool = False
    single_party: bool = False
    # Paths of runtime modules; limits of one call into Lua (instructions, seconds) and of all Lua (bytes);
    # hosts for HTTP requests of modules ("loopback", host names); the modules' ``context.env``.
    modules: tuple[str, ...] = ()
    module_instructions: int = 50_000_000
    module_seconds: int = 10
    module_memory: int = 64 * 2**20
    allow_http: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    # Reload modules when their files change.
    reload: bool = False
    # Files to read the state from and write it to, "": none; whether requests are logged.
    load: str = ""
    save: str = ""
    log_requests: bool = False
    iap_facebook_instant_secret: str = field(default="", repr=False)
    faults: tuple[Fault, ...] = ()
    # Ports on the loopback address; None: not served, 0: a free one.
    control_port: int | None = None
    metrics_port: int | None = None
    node: str = "emulator"
    seed: int | None = None
    ready_fd: int | None = None
    lifeline_fd: int | None = None
    tls_cert: str = ""
    tls_key: str = ""
