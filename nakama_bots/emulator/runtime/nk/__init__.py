"""What a runtime module gets: ``nk``, the functions of the server, by the names of its Lua runtime.

Arguments come in Lua's order and have Lua's shapes: a table is a dict or a list, and None is as left out.
What the server refuses is a ``RuntimeFunctionError`` with its words.
(https://heroiclabs.com/docs/nakama/server-framework/lua-runtime/function-reference/)
"""

from __future__ import annotations

from nakama_bots.emulator.runtime.nk.accounts import AccountFunctions, IdentityFunctions
from nakama_bots.emulator.runtime.nk.arguments import Family
from nakama_bots.emulator.runtime.nk.boards import LeaderboardFunctions, TournamentFunctions
from nakama_bots.emulator.runtime.nk.chat import ChatFunctions
from nakama_bots.emulator.runtime.nk.encoding import EncodingFunctions
from nakama_bots.emulator.runtime.nk.friends import FriendFunctions
from nakama_bots.emulator.runtime.nk.general import GeneralFunctions
from nakama_bots.emulator.runtime.nk.groups import GroupFunctions
from nakama_bots.emulator.runtime.nk.notifications import NotificationFunctions
from nakama_bots.emulator.runtime.nk.realtime import MatchFunctions, SessionFunctions, StreamFunctions
from nakama_bots.emulator.runtime.nk.storage import StorageFunctions
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
    """The functions of the server. ``core`` is the store itself, for what has no function here (not stable)."""


FUNCTIONS: tuple[str, ...] = tuple(
    sorted(
        name
        for family in Nk.__mro__
        if issubclass(family, Family) and family is not Family
        for name, value in vars(family).items()
        if callable(value) and not name.startswith("_")
    )
)
"""The names of all functions."""
