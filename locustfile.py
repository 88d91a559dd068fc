"""All scenarios. ``locust -f locustfile.py`` tests the embedded emulator; ``--host`` names a server.

Without names it runs the calm mix, Duel and TownSquare, which works on any Nakama. Run the others by name
(``locust -f locustfile.py Chat Rpc``) or by tag (``--tags party``); docs/scenarios.md lists them all.
"""

from scenarios.account_storage import AccountStorage
from scenarios.authentication_storm import AuthenticationStorm
from scenarios.authoritative_match import AuthoritativeMatch
from scenarios.big_match import BigMatch, BigRelay
from scenarios.chat import Chat
from scenarios.code_wizards import CodeWizards
from scenarios.day_in_the_life import DayInTheLife
from scenarios.duel import Duel
from scenarios.fish_game import FishGame
from scenarios.fish_night import FishNight
from scenarios.friends_and_groups import FriendsAndGroups
from scenarios.heroic_benchmarks import (
    HeroicAuthenticate,
    HeroicGoRpc,
    HeroicLuaRpc,
    HeroicMatch,
    HeroicRegister,
    HeroicSockets,
)
from scenarios.idle_sockets import IdleSocket
from scenarios.join_race import JoinRace
from scenarios.leaderboard_race import LeaderboardRace
from scenarios.matchmaker_only import MatchmakerOnly
from scenarios.notifications import Notifications
from scenarios.party_to_match import PartyToMatch
from scenarios.presence import PresenceFanOut
from scenarios.reconnect_churn import ReconnectChurn
from scenarios.reconnect_in_match import ReconnectInMatch
from scenarios.relayed_match import RelayedMatch
from scenarios.rpc import Rpc
from scenarios.slow_reader import SlowReader
from scenarios.town_square import TownSquare

__all__ = [
    "AccountStorage",
    "AuthenticationStorm",
    "AuthoritativeMatch",
    "BigMatch",
    "BigRelay",
    "Chat",
    "CodeWizards",
    "DayInTheLife",
    "Duel",
    "FishGame",
    "FishNight",
    "FriendsAndGroups",
    "HeroicAuthenticate",
    "HeroicGoRpc",
    "HeroicLuaRpc",
    "HeroicMatch",
    "HeroicRegister",
    "HeroicSockets",
    "IdleSocket",
    "JoinRace",
    "LeaderboardRace",
    "MatchmakerOnly",
    "Notifications",
    "PartyToMatch",
    "PresenceFanOut",
    "ReconnectChurn",
    "ReconnectInMatch",
    "RelayedMatch",
    "Rpc",
    "SlowReader",
    "TownSquare",
]
