"""``nk``: the server's functions for runtime modules, by the names of its Lua runtime.

Arguments have Lua's order and shapes: a table is a dict or a list, and None counts as absent. A refusal of the
server is a ``RuntimeFunctionError`` with its words.
(https://heroiclabs.com/docs/nakama/server-framework/lua-runtime/function-reference/)
"""

from __future__ import annotations

from nakama_bots.emulator.runtime.nk.accounts import AccountFunctions, IdentityFunctions
from nakama_bots.emulator.runtime.nk.arguments import FunctionFamily
from nakama_bots.emulator.runtime.nk.boards import LeaderboardFunctions
from nakama_bots.emulator.runtime.nk.chat import ChatFunctions
from nakama_bots.emulator.runtime.nk.encoding import EncodingFunctions
from nakama_bots.emulator.runtime.nk.friends import FriendFunctions
from nakama_bots.emulator.runtime.nk.general import GeneralFunctions
from nakama_bots.emulator.runtime.nk.groups import GroupFunctions
from nakama_bots.emulator.runtime.nk.notifications import NotificationFunctions
from nakama_bots.emulator.runtime.nk.realtime import MatchFunctions, SessionFunctions, StreamFunctions
from nakama_bots.emulator.runtime.nk.storage import StorageFunctions
from nakama_bots.emulator.runtime.nk.tournaments import TournamentFunctions
from nakama_bots.emulator.runtime.nk.wallets import WalletFunctions
from nakama_bots.emulator.runtime.nk.web import WebFunctions


class Nk(
    GeneralFunctions,
    EncodingFunctions,
    AccountFunctions,
    IdentityFunctions,
    WalletFunctions,
    StorageFunctions,
    FriendFunctions,
    GroupFunctions,
    ChatFunctions,
    NotificationFunctions,
    LeaderboardFunctions,
    TournamentFunctions,
    MatchFunctions,
    StreamFunctions,
    SessionFunctions,
    WebFunctions,
):
    """The server's functions. ``core`` is the store, for access beyond these functions (not stable)."""


FUNCTIONS: tuple[str, ...] = tuple(
    sorted(
        name
        for family in Nk.__mro__
        if issubclass(family, FunctionFamily) and family is not FunctionFamily
        for name, value in vars(family).items()
        if callable(value) and not name.startswith("_")
    )
)
"""The names of all functions."""
