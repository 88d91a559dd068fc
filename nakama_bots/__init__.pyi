"""The names of the front door: what ``nakama_bots/__init__.py`` loads, from where, and under which name."""

from nakama_bots.clock import Tick
from nakama_bots.errors import (
    Abandoned,
    Aborted,
    AlreadyExists,
    AnswerTooLarge,
    BadInput,
    CallError,
    Cancelled,
    ConfigError,
    ConnectionClosed,
    ConnectionFailed,
    ConnectionRefused,
    DataLoss,
    DeadlineExceeded,
    FailedPrecondition,
    HandshakeRefused,
    HeartbeatTimeout,
    HostNotFound,
    InternalError,
    InvalidArgument,
    MatchJoinRejected,
    MatchNotFound,
    MessageTooBig,
    MissingPayload,
    NakamaError,
    NotFound,
    NotInside,
    OutOfRange,
    PermissionDenied,
    ProtocolError,
    RealtimeError,
    RequestTimeout,
    ResourceExhausted,
    RestError,
    RuntimeException,
    RuntimeFunctionException,
    RuntimeFunctionNotFound,
    ServerError,
    SessionExpired,
    TlsError,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    UnknownError,
    UnrecognizedPayload,
)
from nakama_bots.load import NakamaUser, between, constant, constant_pacing, constant_throughput, tag, task
from nakama_bots.observer import FinishedCall
from nakama_bots.players.acts.chat import ChatRoom
from nakama_bots.players.acts.match import Match
from nakama_bots.players.acts.matchmaking import Ticket
from nakama_bots.players.acts.party import Party
from nakama_bots.players.behaviours.behaviour import Behaviour, BehaviourError, ChatMessage, Event, State
from nakama_bots.players.behaviours.seat import Seat
from nakama_bots.players.delivery.codecs import exact, json_field, keyed, stamped
from nakama_bots.players.identity import Identity, Newcomers
from nakama_bots.players.inbox import Inbox
from nakama_bots.players.pacing import thinking
from nakama_bots.players.persona import Persona
from nakama_bots.players.player import Player, World
from nakama_bots.players.rendezvous import Crew
from nakama_bots.players.replay import Replay
from nakama_bots.realtime.adapters import Adapter as WebSocketAdapter
from nakama_bots.realtime.adapters import TextAdapter as WebSocketAdapterText
from nakama_bots.realtime.socket import Socket
from nakama_bots.realtime.socket import Socket as DefaultSocket
from nakama_bots.rest.client import Client, NakamaApi
from nakama_bots.rest.nakama_rpc import NakamaRpc
from nakama_bots.rest.transports.gevent_transport import GeventTransport
from nakama_bots.rest.transports.requests_transport import RequestsTransport
from nakama_bots.session import Session
from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Credentials, Target, Timeouts
from nakama_bots.types.realtime import ChannelType

__all__ = [
    "Abandoned",
    "Aborted",
    "AlreadyExists",
    "AnswerTooLarge",
    "BadInput",
    "Behaviour",
    "BehaviourError",
    "CallError",
    "Cancelled",
    "ChannelType",
    "ChatMessage",
    "ChatRoom",
    "Client",
    "ConfigError",
    "ConnectionClosed",
    "ConnectionFailed",
    "ConnectionRefused",
    "Credentials",
    "Crew",
    "DataLoss",
    "DeadlineExceeded",
    "DefaultSocket",
    "Event",
    "FailedPrecondition",
    "FinishedCall",
    "GeventTransport",
    "HandshakeRefused",
    "HeartbeatTimeout",
    "HostNotFound",
    "Identity",
    "Inbox",
    "InternalError",
    "InvalidArgument",
    "Match",
    "MatchJoinRejected",
    "MatchNotFound",
    "MessageTooBig",
    "MissingPayload",
    "NakamaApi",
    "NakamaError",
    "NakamaRpc",
    "NakamaUser",
    "Network",
    "Newcomers",
    "NotFound",
    "NotInside",
    "OutOfRange",
    "Party",
    "PermissionDenied",
    "Persona",
    "Player",
    "ProtocolError",
    "RealtimeError",
    "Replay",
    "RequestTimeout",
    "RequestsTransport",
    "ResourceExhausted",
    "RestError",
    "RuntimeException",
    "RuntimeFunctionException",
    "RuntimeFunctionNotFound",
    "Seat",
    "ServerError",
    "Session",
    "SessionExpired",
    "Socket",
    "State",
    "Target",
    "Tick",
    "Ticket",
    "Timeouts",
    "TlsError",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "UnknownError",
    "UnrecognizedPayload",
    "WebSocketAdapter",
    "WebSocketAdapterText",
    "World",
    "between",
    "constant",
    "constant_pacing",
    "constant_throughput",
    "exact",
    "json_field",
    "keyed",
    "stamped",
    "tag",
    "task",
    "thinking",
]

__version__: str
