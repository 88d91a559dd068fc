"""A match for a player: join, send and receive state, play a behaviour or step by step, leave."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from nakama_bots import observer as names
from nakama_bots.players.behaviours.behaviour import State
from nakama_bots.players.behaviours.seat import payload
from nakama_bots.players.delivery.codecs import Codec, Exact, Stamped
from nakama_bots.players.delivery.exchange import To
from nakama_bots.players.delivery.stamps import Stamp
from nakama_bots.players.joined import number_of
from nakama_bots.players.place import Place

if TYPE_CHECKING:
    from nakama_bots.players.player import Player
    from nakama_bots.types.realtime import MatchData
    from nakama_bots.types.realtime import RealtimeMatch as MatchBody

_MEET: Final = 10.0

Join = Callable[[], "tuple[MatchBody, int]"]
"""Joins a match. Returns the server's answer, and how many players to wait for (0: none)."""


class Match(Place):
    """A player in a match; created by ``player.find_match``, ``join_match`` or ``create_match``.

    A context manager: it joins, and at the end waits for messages in flight and leaves. Every send and receive
    is counted, and the delivery of every message to the other players of this process is measured.
    """

    kind = "match"
    id_field = "match_id"
    presence_event = "match_presence_event"

    def __init__(
        self,
        player: Player,
        join: Join,
        *,
        name: str = "",
        timeout: float = _MEET,
        delivery: Codec | None = None,
    ) -> None:
        """Waits up to ``timeout`` seconds for the other players; ``name`` is the name of a named match."""
        super().__init__(player)
        if delivery is not None:
            self._codec = delivery
        self._join_by = join
        self._name = name
        self._timeout = timeout
        self._to = self._codec.to or To.OTHERS
        self._relayed = True
        self._last_op_code = 0
        self._newest: MatchData | None = None
        self._count_sent = player.calls.tally(names.MATCH_SENT)
        self._count_received = player.calls.tally(names.MATCH_RECEIVED)
        self.label = ""

    def send(self, op_code: int, data: Any = b"", to: Iterable[str] = ()) -> None:
        """Send ``data`` (bytes, text or a JSON value) to everyone, or in a relayed match to user ids."""
        if self._member is None:
            self._check_inside("match_data_send")
        sent = data if type(data) is bytes else payload(data)
        now = perf_counter()
        late = 0.0 if self._planned is None else now - self._planned
        key: Any
        if isinstance(self._codec, Exact):
            # Keyed by the bytes on the wire, so that receivers need not decode them.
            text = _base64(sent)
            key = (str(op_code), text)
        else:
            sent, key = self._codec.outgoing(op_code, sent, self._stamp(now, late))
            text = _base64(sent)
        self._write(op_code, text, to)
        if key is not None:
            if self._relayed and not isinstance(self._codec, Stamped):
                key = (self._member.user_id, key)  # type: ignore[union-attr]  # it is inside
            self._sent(key, now, late, self._to, op_code, to)
        self._last_op_code = op_code
        self._count_sent(1)
        if self.player.op_codes:
            self._count_named(names.MATCH_SENT, op_code)

    @property
    def state(self) -> State | None:
        """The newest state received."""
        if self._newest is not None:
            # Read when it is asked for: most states never are.
            newest, self._newest = self._newest, None
            self._state = self._read(newest)
        return self._state

    def _listen(self) -> None:
        super()._listen()
        self._hear("match_data", self._on_data)

    def _join(self) -> None:
        match, players = self._join_by()
        self._take(match)
        self.player.calls.count(names.MATCHES_JOINED)
        if not self._relayed:
            self.player.calls.count(names.AUTHORITATIVE_JOINED)
        if players:
            self.meet(players, self._timeout, since_join=True)

    def _take(self, match: MatchBody) -> None:
        self._relayed = not match.get("authoritative", False)
        self.label = match.get("label", "")
        if self._codec.to is None:
            self._to = To.OTHERS if self._relayed else To.LEARNED
        self._enter(match["match_id"], [*match.get("presences", ()), match["self"]])
        if self._member is not None:
            self._member.session_id, self._member.removed = match["self"]["session_id"], False

    def _on_presence(self, event: Any, arrived: float) -> None:
        super()._on_presence(event, arrived)
        if self._member is not None and not self._relayed:
            # The server removes a player from its own match without a notice to that player.
            left, joined = ({one["session_id"] for one in event.get(key, ())} for key in ("leaves", "joins"))
            for member in self._member.channel.members:
                if member is self._member:
                    continue
                if member.session_id in left and member.away_since is None:
                    self._exchange.away(member, arrived)
                    member.removed = True
                if member.session_id in joined and member.removed:
                    # That was an earlier visit over the same connection.
                    self._exchange.back(member, arrived)
                    member.removed = False

    def _rejoin(self) -> None:
        socket = self.player.socket
        # A relayed match ends when it is empty; a named one is created again.
        self._take(socket.create_match(self._name) if self._name else socket.join_match(self.id))

    def _leave(self) -> None:
        self.player.socket.leave_match(self.id)

    def _done(self) -> None:
        if self.played:
            self.player.calls.count(names.MATCHES_PLAYED)

    def _deserted(self) -> None:
        self.player.calls.count(names.MATCHES_DESERTED)

    def settle(self, timeout: float | None = None) -> None:
        """Wait until no message is in flight."""
        if isinstance(self._codec, Stamped) and self._sequence:
            # Tells players in other processes how many messages were sent.
            self._write(self._last_op_code, _base64(self._end_stamp().pack()), ())
        super().settle() if timeout is None else super().settle(timeout)

    def _streams_ended(self) -> bool:
        present = set(map(number_of, self.presences))
        return all(stream.ended for number, stream in self._streams.items() if number in present)

    def _write(self, op_code: int, text: str, to: Iterable[str]) -> None:
        body: dict[str, object] = {"match_id": self.id, "op_code": str(op_code), "data": text}
        if to:
            users = frozenset(to)
            body["presences"] = [one for one in self.presences.sessions.values() if one["user_id"] in users]
        self.player.socket.send("match_data_send", body)

    def _on_data(self, body: MatchData, arrived: float) -> None:
        presence = body.get("presence")
        sender = presence["user_id"] if presence else ""
        codec = self._codec
        if not self._relayed and self._member is not None:
            self._member.channel.heard = arrived
        state: State | None = None
        key: Any
        if isinstance(codec, Exact):
            key = (body.get("op_code", "0"), body.get("data", ""))
            if self._relayed:
                self._arrived((sender, key), arrived, sender)
            else:  # the server's own match may report no sender
                self._arrived(key, arrived, sender, by_sender=True)
        elif isinstance(codec, Stamped):
            stamp = Stamp.unpack(a2b_base64(body.get("data", "")))
            if stamp is not None:
                self._stamped(stamp, sender, arrived)
                if stamp.kind:  # the message count: not for the author's code
                    return
        else:
            # The author's functions see every message once.
            state = State(body)
            state.data, keys = codec.incoming(state.op_code, state.data)
            for key in keys:
                self._arrived((sender, key) if self._relayed else key, arrived, sender, repeats=codec.repeats)
        self._count_received(1)
        if self.player.op_codes:
            self._count_named(names.MATCH_RECEIVED, int(body.get("op_code", 0)))
        if state is not None or self._listeners:
            self._newest = None
            self._heard(state or self._read(body))
        else:
            self._newest = body

    def _read(self, body: MatchData) -> State:
        """The state in ``body``, with the author's data."""
        state = State(body)
        if isinstance(self._codec, Stamped):
            state.data, _ = self._codec.incoming(state.op_code, state.data)
        return state

    def _count_named(self, name: str, op_code: int) -> None:
        named = self.player.op_codes.get(op_code)
        if named is not None:
            self.player.calls.count(f"{name}.{named}")


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()
