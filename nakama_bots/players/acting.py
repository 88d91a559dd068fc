"""The actions of a player: each act of ``players.acts`` as a method."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from time import perf_counter
from typing import TYPE_CHECKING, Final, Unpack, cast

import gevent
import orjson
from gevent.event import Event
from gevent.pool import Pool

from nakama_bots import observer as names
from nakama_bots.errors import CallError, ConfigError, ConnectionClosed, RealtimeError, RequestTimeout
from nakama_bots.net.arrival import time_since
from nakama_bots.observer import FinishedCall
from nakama_bots.players.acts import matchmaking, party, social
from nakama_bots.players.acts.chat import ChatRoom
from nakama_bots.players.acts.match import Match
from nakama_bots.players.acts.party import Party
from nakama_bots.players.acts.status import Followed
from nakama_bots.players.acts.storage import SaveGame
from nakama_bots.players.inbox import PUSH, REFUSED, Inbox, NotRefused, missed
from nakama_bots.players.rendezvous import PATIENCE, Crew
from nakama_bots.realtime.handlers import DISCONNECT
from nakama_bots.types.realtime import ChannelType

if TYPE_CHECKING:
    from nakama_bots.players.acts.matchmaking import Criteria, Ticket
    from nakama_bots.players.acts.social import JoinedGroup
    from nakama_bots.players.delivery.codecs import Codec
    from nakama_bots.players.player import Player
    from nakama_bots.session import Session
    from nakama_bots.types.common import Json, JsonText
    from nakama_bots.types.notifications import Notification
    from nakama_bots.types.realtime import MatchmakerTicket, Notifications, PartyMatchmakerTicket
    from nakama_bots.types.storage import (
        ReadStorageObjectId,
        StorageObject,
        StorageObjectAck,
        WriteStorageObject,
    )


_UNREAD: Final = 600
"""Requests without a read answer: more than the server's session queue and both kernels' buffers hold."""


class Acts:
    """The acts of a ``Player``. Everything that can be joined is a context manager, which leaves on exit."""

    __slots__ = ()

    def find_match(
        self,
        mode: str = "",
        *,
        timeout: float | None = None,
        delivery: Codec | None = None,
        **criteria: Unpack[Criteria],
    ) -> Match:
        """Find a match through the matchmaker, join it, and wait for the others.

        Only tickets with the same ``mode`` and id prefix match: no human is matched with a bot. Pass
        ``players``, or ``min_count`` and ``max_count``; ``query`` and ``properties`` (texts and numbers) are
        added to the ticket. The time from the ticket to the match is reported as ``PUSH matchmaker_matched``; a
        ticket that is not matched within ``timeout`` seconds is removed, and ``RequestTimeout`` raised.
        """
        player = _player(self)
        ticket = matchmaking.ticket_of(player, mode, **criteria)
        limit = player.world.defaults.matchmaker_timeout if timeout is None else timeout
        join = matchmaking.joining(player, lambda: matchmaking.find_opponents(player, ticket, limit))
        return Match(player, join, delivery=delivery)

    def add_ticket(
        self,
        mode: str = "",
        *,
        party_id: str = "",
        **criteria: Unpack[Criteria],
    ) -> MatchmakerTicket | PartyMatchmakerTicket:
        """Add a ticket as ``find_match`` does, or one for a party, without waiting for a match."""
        player = _player(self)
        ticket = matchmaking.ticket_of(player, mode, **criteria)
        return matchmaking.add_ticket(player, ticket, party_id)

    def join_match(
        self,
        match_id: str = "",
        *,
        name: str = "",
        token: str = "",
        metadata: Mapping[str, str] | None = None,
        players: int = 0,
        delivery: Codec | None = None,
    ) -> Match:
        """Join a match by its id, by a matchmaker's ``token``, or by ``name`` (relayed, created if needed).

        Waits until ``players`` users have been present at once. Pass exactly one of the three.
        """
        given = [one for one in (match_id, name, token) if one]
        if len(given) != 1:
            raise ConfigError("join_match", given, "one of match_id, name and token")
        player = _player(self)
        if name:
            return Match(
                player, lambda: (player.socket.create_match(name), players), name=name, delivery=delivery
            )
        return Match(
            player, lambda: (player.socket.join_match(match_id, token, metadata), players), delivery=delivery
        )

    def create_match(self, *, players: int = 0, delivery: Codec | None = None) -> Match:
        """Create an unnamed relayed match; other players join it by its ``id``."""
        player = _player(self)
        return Match(player, lambda: (player.socket.create_match(), players), delivery=delivery)

    def join_listed_match(
        self, function: str, payload: object = None, *, delivery: Codec | None = None
    ) -> Match:
        """Join the match that the game's function returns as ``match_id``; if it is full, the next one.

        A refused join is counted as ``provoked.match_full``. ``MatchJoinRejected`` when every match refuses.
        """
        player = _player(self)
        return Match(player, lambda: (matchmaking.join_listed(player, function, payload), 0), delivery=delivery)

    def chat(self, room: str = "", *, user: str = "", group: str = "", persistence: bool = True) -> ChatRoom:
        """A chat: a room by name, a direct chat by user id, or a group chat by group id. Pass exactly one."""
        given = {ChannelType.ROOM: room, ChannelType.DIRECT_MESSAGE: user, ChannelType.GROUP: group}
        chosen = [(kind, target) for kind, target in given.items() if target]
        if len(chosen) != 1:
            accepted = "one of room, user and group, not empty (a group has its id inside its with block)"
            raise ConfigError("chat", [target for _, target in chosen], accepted)
        ((kind, target),) = chosen
        return ChatRoom(_player(self), target, kind, persistence=persistence)

    def party(self, size: int, *, timeout: float = PATIENCE) -> Party:
        """A party of ``size`` players of this process that meet here; one of them ``leads``.

        ``RequestTimeout`` when too few players arrive within ``timeout`` seconds.
        """
        return Party(_player(self), lambda made: party.gather(made, size, timeout), members=size)

    def lead_party(self, size: int, *, label: str = "") -> Party:
        """Create and lead an open party of at most ``size`` members; other players join it by its ``id``."""
        return Party(_player(self), lambda made: party.create(made, size, label))

    def join_party(self, party_id: str, *, members: int = 0) -> Party:
        """Join an open party and wait for ``members`` members."""
        return Party(_player(self), lambda made: party.enter(made.player, party_id), members=members)

    def follow(self, user_ids: Sequence[str] = ()) -> Followed:
        """Follow the status of these users; its ``show`` sets the player's own status."""
        return Followed(_player(self), user_ids)

    def meet(self, size: int, timeout: float = PATIENCE) -> Crew:
        """Meet players of this process and scenario; waits until there are ``size``."""
        player = _player(self)
        return player.world.rendezvous.meet(player.scenario, size, timeout, player)

    @contextmanager
    def passing_through(self) -> Iterator[None]:
        """Inside, the player has its account; at the end it is deleted, and the next login creates it again.

        For what can be done once with an account.
        """
        player = _player(self)
        try:
            yield
        finally:
            # First: the server ends the connections of a deleted account, with what is under way on them.
            player.disconnect()
            # A failed deletion has been reported; it must not hide what ended the visit.
            with suppress(CallError):
                player.client.delete_account(player.session)
            player.session.stale = True

    def listen(self, *pushes: str) -> Inbox:
        """Keep the pushes of these keys until they are taken: ``with player.listen("party") as inbox``."""
        return Inbox(_player(self), pushes)

    @contextmanager
    def refused(self, *kinds: type[CallError]) -> Iterator[None]:
        """Inside, a call must fail with one of ``kinds``: it is counted as ``provoked.refused``, no failure.

        The block ends with that call. A call that goes well is a ``NotRefused``.
        """
        calls, started = _player(self).calls, perf_counter()
        with calls.provoking(REFUSED, *kinds):
            try:
                yield
            except kinds:
                return
        elapsed = perf_counter() - started
        text = f"the call went well; expected: {' or '.join(kind.__name__ for kind in kinds)}"
        error = NotRefused(text, operation=REFUSED, elapsed=elapsed)
        calls.call(FinishedCall("BOT", REFUSED, started, elapsed, 0, error))
        raise error

    def neighbours(self, *distances: int) -> list[str]:
        """User ids of the players of this process whose number has the bits of ``distance`` flipped.

        The relation is mutual. Players that do not exist yet are left out.
        """
        player = _player(self)
        usernames = [player.identity.neighbour(one).username for one in distances]
        found = player.api.get_users(usernames=usernames) if usernames else {}
        return [user["id"] for user in found.get("users", ()) if user["id"] != player.user_id]

    @contextmanager
    def bystanders(self, number: int = 1) -> Iterator[list[Session]]:
        """Create accounts that no player uses; they are deleted at the end.

        For calls that need other users: ``with player.bystanders() as others``, then ``others[0].user_id``.
        """
        player = _player(self)
        sessions: list[Session] = []
        try:
            for _ in range(number):
                one = player.identity.stranger()
                sessions.append(
                    player.client.authenticate_device(one.device_id, username=one.username, vars=one.variables)
                )
            yield sessions
        finally:
            for session in sessions:
                # A failed deletion has been reported; it must not hide what ended the block.
                with suppress(CallError):
                    player.client.delete_account(session)

    def befriend(self, user_id: str) -> int | None:
        """Invite a user or accept its invitation. Returns the resulting ``FriendState``, or None."""
        api = _player(self).api
        api.add_friends(ids=[user_id])
        friends = api.list_friends(limit=social.MEMBERS).get("friends", ())
        return next((friend["state"] for friend in friends if friend["user"]["id"] == user_id), None)

    def group(self, name: str = "", *, max_count: int = social.MEMBERS) -> JoinedGroup:
        """The group ``name``: joined, or created by the first player, and not left at the end.

        Without a name, a new group that is deleted at the end.
        """
        return social.JoinedGroup(_player(self), name, max_count)

    def save_game(self, key: str) -> SaveGame:
        """The player's storage object ``key``, saved only if it has not changed."""
        return SaveGame(_player(self), key)

    def save_object(
        self, collection: str, key: str, value: Json, version: str = "", **permissions: int
    ) -> StorageObjectAck:
        """Write one storage object, with ``permission_read`` and ``permission_write`` if given."""
        written: WriteStorageObject[Json] = {"collection": collection, "key": key, "value": value}
        if version:
            written["version"] = version
        if "permission_read" in permissions:
            written["permission_read"] = permissions["permission_read"]
        if "permission_write" in permissions:
            written["permission_write"] = permissions["permission_write"]
        return _player(self).api.write_storage_objects([written])["acks"][0]

    def load_object(self, collection: str, key: str, user_id: str | None = None) -> StorageObject[Json]:
        """Read one storage object, of the player or of ``user_id``; empty if it is not there."""
        player = _player(self)
        owner = player.user_id if user_id is None else user_id
        wanted: ReadStorageObjectId = {"collection": collection, "key": key, "user_id": owner}
        found = player.api.read_storage_objects({"object_ids": [wanted]}).get("objects", ())
        return found[0] if found else {}

    def notify_myself(self, *, persistent: bool) -> Notification[JsonText]:
        """Make the server's function ``notify_user`` notify the player, and wait for the push.

        Reported to the observer as ``PUSH notifications``, from the send of the RPC to the read of the push.
        """
        player, key, subject = _player(self), "notifications", secrets.token_hex(8)
        asked = {
            "user_id": player.user_id, "subject": subject, "content": {"gold": 5}, "code": 1,
            "persistent": persistent,
        }  # fmt: skip

        def mine(body: Notifications) -> list[Notification[JsonText]]:
            return [one for one in body.get("notifications", ()) if one.get("subject") == subject]

        started = perf_counter()
        failure: CallError | None = None
        with player.socket.expect(key, lambda body: bool(mine(body))) as push:
            player.socket.rpc("notify_user", orjson.dumps(asked).decode())
            try:
                return mine(push.wait())[0]
            except CallError as error:
                failure = error
                raise
            finally:
                elapsed, waited = time_since(started, push.arrived_at or perf_counter(), push.waited)
                player.calls.call(FinishedCall(PUSH, key, started, elapsed, push.size, failure, waited))

    def cancel_ticket(self, ticket: Ticket, after: float) -> bool:
        """Add a matchmaker ticket and remove it after ``after`` seconds. True unless it was matched before."""
        player = _player(self)
        with player.socket.expect(matchmaking.MATCHED) as matched:
            own = matchmaking.add_ticket(player, ticket)["ticket"]
            player.calls.count(names.TICKETS_ADDED)
            gevent.sleep(after)
            # A ticket matched just now is unknown: the same as matched before.
            with player.calls.provoking("matched_meanwhile", RealtimeError):
                try:
                    player.socket.remove_matchmaker(own)
                except RealtimeError:
                    player.calls.count(names.TICKETS_MATCHED)
                    player.calls.count(f"{names.MATCH_SIZE_PREFIX}{len(matched.wait().get('users', ()))}")
                    return False
        player.calls.count(names.TICKETS_CANCELLED)
        return True

    def find_opponents(self, ticket: Ticket, timeout: float | None = None) -> Sequence[str]:
        """Add a matchmaker ticket and wait for its match without joining it. Returns the matched user ids."""
        player = _player(self)
        limit = player.world.defaults.matchmaker_timeout if timeout is None else timeout
        matched = matchmaking.find_opponents(player, ticket, limit)
        return [user["presence"]["user_id"] for user in matched.get("users", ())]

    def hold(self, seconds: float) -> None:
        """Keep the socket open for ``seconds``, heartbeats only; counted as ``sockets_held``.

        If the connection ends early, a failed ``WS hold`` is reported to the observer, and raised.
        """
        player, lost, started = _player(self), Event(), perf_counter()
        remove = player.socket.on(DISCONNECT, lambda _: lost.set())
        try:
            if player.connected:
                lost.wait(seconds)
        finally:
            remove()
        if not player.connected:
            raise missed(player, "hold", started, kind="WS")
        player.calls.count("sockets_held")

    def read_nothing(self, size: int, patience: float) -> None:
        """Request answers of ``size`` bytes and read none, until the server closes or for ``patience`` seconds.

        Counted as ``slow_reader_closed`` or ``slow_reader_survived``; the sample ``slow_reader`` has the
        seconds until the server closed the connection. How the requests end is counted as
        ``provoked.slow_reader``.
        """
        player = _player(self)
        socket, calls = player.socket, player.calls
        pool, lost = Pool(), Event()

        def ask() -> None:
            if lost.is_set():
                return
            try:
                socket.rpc("blob", str(size))
            except CallError:
                lost.set()

        socket.rpc("blob", "0")  # raises if the function does not exist
        remove = socket.on(DISCONNECT, lambda _: lost.set())
        with calls.provoking("slow_reader", ConnectionClosed, RequestTimeout):
            started = perf_counter()
            socket.pause_reading()
            try:
                while not lost.is_set() and perf_counter() - started < patience:
                    # Only a write detects a closed connection: continue a little after the last request.
                    for _ in range(10 if len(pool) < _UNREAD else 1):
                        pool.spawn(ask)
                    gevent.sleep(0.05)
                closed = not player.connected
                calls.count(names.SLOW_READERS_CLOSED if closed else "slow_reader_survived")
                if closed:
                    calls.sample("slow_reader", perf_counter() - started)
                socket.resume_reading()
                pool.join()
            finally:
                remove()
                pool.kill()


def _player(acts: Acts) -> Player:
    return cast("Player", acts)
