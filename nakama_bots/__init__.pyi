"""The names of the front door: what ``nakama_bots/__init__.py`` loads, from where, and under which name."""

from nakama_bots.clock import Tick
from nakama_bots.errors import (
    CallError,
    ConfigError,
    ConnectionClosed,
    NakamaError,
    RealtimeError,
    RequestTimeout,
    RestError,
)
from nakama_bots.load import NakamaUser, between, constant, constant_pacing, constant_throughput, tag, task
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
from nakama_bots.rest.transports.transport import GeventTransport, RequestsTransport
from nakama_bots.session import Session
from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Credentials, Target, Timeouts
from nakama_bots.types.realtime import ChannelType

__all__ = [
    "Behaviour",
    "BehaviourError",
    "CallError",
    "ChannelType",
    "ChatMessage",
    "ChatRoom",
    "Client",
    "ConfigError",
    "ConnectionClosed",
    "Credentials",
    "Crew",
    "DefaultSocket",
    "Event",
    "GeventTransport",
    "Identity",
    "Inbox",
    "Match",
    "NakamaApi",
    "NakamaError",
    "NakamaRpc",
    "NakamaUser",
    "Network",
    "Newcomers",
    "Party",
    "Persona",
    "Player",
    "RealtimeError",
    "Replay",
    "RequestTimeout",
    "RequestsTransport",
    "RestError",
    "Seat",
    "Session",
    "Socket",
    "State",
    "Target",
    "Tick",
    "Ticket",
    "Timeouts",
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
