"""The bots of a process: finds lobbies and carries out what the planner decides."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic
from typing import Final

import gevent
from gevent.event import Event

from nakama_bots.backoff import Backoff
from nakama_bots.errors import CallError, ConfigError, MatchNotFound
from nakama_bots.fill.bot import Bot
from nakama_bots.fill.lobby import FoundLobby, Hours, Lobby, Policy
from nakama_bots.fill.options import FillOptions
from nakama_bots.fill.planner import Filler, Join
from nakama_bots.fill.problems import HOPELESS, NEW_SESSION, Problems
from nakama_bots.fill.promise import Promise
from nakama_bots.fill.roster import Roster
from nakama_bots.fill.strategies import POOLS, LobbyRpc, MatchmakerStrategy, Strategy
from nakama_bots.players.behaviours.behaviour import Make
from nakama_bots.players.behaviours.driver import Watchdog
from nakama_bots.players.identity import Identity
from nakama_bots.players.player import Player, World

SCOUT: Final = 999_999
"""The number of the account that only searches for lobbies. It never takes a seat, so no roster has it."""
MOST_FILLERS: Final = 10
"""Fillers that can share a roster, if each has the same maximum of bots."""
LINGER: Final = 5.0
"""Seconds that matched bots stay in a match without a human."""
GHOST: Final = 2.0
"""Seconds for which others may still see a bot that has left."""
CUT_OFF: Final = 1.0
"""Seconds that bots have to close after they are cut off."""
LOOK_EVERY: Final = 5.0
"""Seconds until another bot checks a lobby in which the last bot was not needed."""
_BACKOFF: Final = Backoff(first=0.5, most=30.0, least=0.1)


@dataclass(slots=True)
class _Retry:
    """When a retry is allowed: later after each failure, with full jitter."""

    at: float = 0.0
    failures: int = 0

    @property
    def given_up(self) -> bool:
        return self.at == math.inf

    def failed(self, now: float, most: float = _BACKOFF.most) -> None:
        if now < self.at:
            # All bots that one event disconnects count as one failure.
            return
        self.failures += 1
        self.at = now + replace(_BACKOFF, most=most).wait(self.failures)


class Fleet:
    """``run`` until ``stop`` is called, then ``drain``. ``lobbies`` is the latest view, for display.

    The bots have the identity of the ``scout``, with numbers of their own.
    """

    def __init__(
        self,
        world: World,
        scout: Identity,
        strategy: Strategy,
        policy: Policy,
        make: Make,
        roster: Roster,
        options: FillOptions,
        problems: Problems,
    ) -> None:
        self.problems = problems
        self.bots: dict[int, Bot] = {}
        self.lobbies: list[Lobby] = []
        self.gave_up = False
        self.refused: ConfigError | None = None
        """The query, if the server cannot parse it."""
        self.visits = 0
        """Bots that were sent to a lobby."""
        self._seated = 0
        self._world = replace(world, watchdog=Watchdog(options.stall, problems.say))
        self._scout = scout
        self._strategy = strategy
        self._policy = policy
        self._make = make
        self._roster = roster
        self._options = options
        self._filler = Filler(policy, monotonic())
        self._changed = Event()
        self._stopping = Event()
        self._lobby_retries: dict[str, _Retry] = {}
        self._bot_retries: dict[int, _Retry] = {}
        self._greenlets: dict[int, gevent.Greenlet[..., None]] = {}
        self._own_ids: set[str] = set()
        self._gone: dict[str, float] = {}
        self._lonely: dict[int, float] = {}
        self._looked: dict[str, float] = {}

    def stop(self) -> None:
        """Start no more visits."""
        self._stopping.set()
        self._changed.set()

    @property
    def promise(self) -> Promise | None:
        """The promise to humans in the matchmaker, if any."""
        return self._strategy.promise if isinstance(self._strategy, MatchmakerStrategy) else None

    @property
    def seated(self) -> int:
        """Visits that got a seat; in a pool, those that waited there."""
        return self._seated + sum(map(_served, self.bots.values()))

    @property
    def useless(self) -> bool:
        """True if no bot ever had a seat, unless the policy wanted none."""
        limited = self._policy.only_with_humans or self._policy.hours != Hours()
        return not self.seated and not (limited and not self.visits and not self.problems.counts)

    def states(self) -> Counter[str]:
        """The number of bots in each state."""
        return Counter(bot.state for bot in self.bots.values())

    def run(self) -> None:
        """Keep the lobbies filled until ``stop``, or until the strategy cannot continue."""
        scout = Player(self._world, self._scout)
        self._roster.note(scout.identity.device_id)
        retry = _Retry()
        found: list[FoundLobby] = []
        looked = -1e9
        while not self._stopping.is_set():
            now = monotonic()
            self._changed.clear()
            if now - looked >= self._options.every and now >= retry.at:
                try:
                    scout.log_in()
                    found = self._strategy.find(scout)
                    retry, looked = _Retry(), now
                except CallError as error:
                    hopeless = isinstance(error, HOPELESS)
                    self.problems.note("find lobbies", error, given_up=hopeless)
                    if hopeless:
                        self._give_up()
                    retry.failed(now)
                except ConfigError as error:
                    self._give_up(error)
            if not retry.failures and not self.gave_up:
                self._act(found, monotonic())
            # Several users who join at once are one change.
            gevent.sleep(0.05)
            self._changed.wait(min(self._options.every, 0.5))
        scout.close()

    def _give_up(self, refused: ConfigError | None = None) -> None:
        self.gave_up = True
        self.refused = refused
        self.stop()

    def drain(self, seconds: float) -> bool:
        """Make every bot leave and close. False if some had not after ``seconds`` and were cut off."""
        for number, bot in self.bots.items():
            bot.ask_to_leave()
            if bot.state not in ("seated", "leaving"):
                self._greenlets[number].kill(block=False)
        gevent.joinall(list(self._greenlets.values()), timeout=seconds)
        left = list(self._greenlets.values())
        # Without killall's own timeout: it raises when the timeout expires.
        gevent.killall(left, block=False)
        gevent.joinall(left, timeout=CUT_OFF)
        return not left

    def _act(self, found: Sequence[FoundLobby], now: float) -> None:
        self._gone = {user_id: until for user_id, until in self._gone.items() if now < until}
        self._own_ids = {bot.user_id for bot in self.bots.values()} | self._gone.keys()
        inside: defaultdict[str, list[tuple[int, Bot]]] = defaultdict(list)
        for number, bot in self.bots.items():
            if self._counts(bot):
                inside[bot.lobby_id].append((number, bot))
        for gone in self._lobby_retries.keys() - {one.lobby_id for one in found}:
            del self._lobby_retries[gone]
        left = [one for one in found if not self._given_up(one.lobby_id)]
        if found and not left:
            self._give_up()
        self.lobbies = [self._view(one, inside[one.lobby_id]) for one in left]
        paused = {lobby_id for lobby_id, retry in self._lobby_retries.items() if now < retry.at}
        self._looked = {lobby_id: at for lobby_id, at in self._looked.items() if now < at + LOOK_EVERY}
        paused |= {one.lobby_id for one in self.lobbies if one.guessed and one.lobby_id in self._looked}
        for action in self._filler.plan(self.lobbies, now, datetime.now().astimezone().time(), paused):
            if isinstance(action, Join):
                self._start(action.lobby_id, now)
            else:
                self._end(action.bot)
                self._looked[action.lobby_id] = now
        known = {one.lobby_id for one in left}
        for number, bot in list(self.bots.items()):
            self._check_lonely(number, bot, now)
            if bot.lobby_id not in known and bot.state != "seated":
                self._end(number)

    def _given_up(self, lobby_id: str) -> bool:
        retry = self._lobby_retries.get(lobby_id)
        return retry is not None and retry.given_up

    def _view(self, found: FoundLobby, bots: Sequence[tuple[int, Bot]]) -> Lobby:
        """The seats of a lobby: as a bot inside sees them, otherwise by the listing."""
        mine = tuple(number for number, _ in bots)
        places = [bot.place for _, bot in bots if bot.place is not None]
        if not places or found.lobby_id in POOLS:
            lobby = Lobby(found.lobby_id, found.size, mine, 0, found.capacity, found.wanted)
            if found.size >= 0:
                return lobby
            # The number of users inside is unknown: send one bot to find out.
            return replace(lobby, humans=max(0, self._policy.target(lobby) - 1), guessed=True)
        names = {u: name for u, name in places[0].presences.items() if u not in self._own_ids}
        others = sum(name.startswith(self._marks) for name in names.values())
        return Lobby(found.lobby_id, len(names) - others, mine, others, found.capacity, found.wanted)

    def _counts(self, bot: Bot) -> bool:
        # A matched bot has left the pool; a leaving bot has given up its seat, whatever the server still shows.
        return not bot.leaving and not (bot.lobby_id in POOLS and bot.state == "seated")

    @property
    def _marks(self) -> tuple[str, ...]:
        return tuple(f"{prefix}-" for prefix in (self._scout.prefix, *self._options.bot_prefix))

    def _start(self, lobby_id: str, now: float) -> None:
        skipped: list[int] = []
        while True:
            number = self._roster.take(self._policy.total * MOST_FILLERS)
            if number is None or now >= self._bot_retries.get(number, _Retry()).at:
                break
            skipped.append(number)
        for one in skipped:
            self._roster.release(one)
        if number is None:
            return
        player = Player(self._world, replace(self._scout, number=number))
        self._roster.note(player.identity.device_id)
        bot = Bot(player, lobby_id, self._strategy, self._make(), self.problems, self._changed.set)
        self.bots[number] = bot
        self.visits += 1
        self._greenlets[number] = gevent.spawn(self._visit, number, bot)

    def _visit(self, number: int, bot: Bot) -> None:
        try:
            bot.run()
        finally:
            self._seated += _served(bot)
            del self.bots[number]
            del self._greenlets[number]
            self._lonely.pop(number, None)
            self._gone[bot.user_id] = monotonic() + GHOST
            self._roster.release(number)
            self._judge(number, bot)

    def _judge(self, number: int, bot: Bot) -> None:
        """Set when the lobby and the bot may be tried again."""
        now, outcome = monotonic(), bot.outcome
        error = outcome.error
        if outcome.refused is not None:
            self._give_up(outcome.refused)
        elif outcome.given_up and outcome.connecting:
            self._take_out(number, bot)
        elif outcome.behaviour or isinstance(error, NEW_SESSION):
            self._bot_retries.setdefault(number, _Retry()).failed(now, 600.0)
        elif error is None:
            self._bot_retries.pop(number, None)
            self._lobby_retries.pop(bot.lobby_id, None)
        elif not bot.asked:
            self._lobby_failed(bot, error, now)

    def _lobby_failed(self, bot: Bot, error: CallError, now: float) -> None:
        retry = self._lobby_retries.setdefault(bot.lobby_id, _Retry())
        if bot.outcome.seated and now >= retry.at:
            # It worked in between, so earlier failures do not belong to this outage.
            retry.failures = 0
        retry.failed(now)
        if bot.outcome.given_up:
            retry.at = math.inf
        elif isinstance(error, MatchNotFound):
            if isinstance(self._strategy, LobbyRpc):
                self._strategy.known.pop(bot.lobby_id, None)
            retry.at = now + _BACKOFF.most

    def _take_out(self, number: int, bot: Bot) -> None:
        self._bot_retries.setdefault(number, _Retry()).at = math.inf
        self.problems.report(f"bot {bot.name} may not log in, like a banned user; it is no longer used")
        if sum(retry.given_up for retry in self._bot_retries.values()) >= self._policy.total * 2:
            self.problems.say("twice as many bots as --total may not log in: this is not a ban of single bots")
            self._give_up()

    def _end(self, number: int) -> None:
        bot = self.bots[number]
        if bot.leaving:
            return
        bot.ask_to_leave()
        if bot.state in ("connecting", "joining"):
            self._greenlets[number].kill(block=False)

    def _check_lonely(self, number: int, bot: Bot, now: float) -> None:
        """Return a matched bot to the pool if its match has no human."""
        if bot.lobby_id not in POOLS or bot.place is None:
            return
        names = bot.place.presences.items()
        if any(u not in self._own_ids and not name.startswith(self._marks) for u, name in names):
            self._lonely.pop(number, None)
        elif now - self._lonely.setdefault(number, now) >= LINGER:
            self._end(number)


def _served(bot: Bot) -> bool:
    return bot.outcome.seated or (bot.lobby_id in POOLS and bool(bot.user_id))
