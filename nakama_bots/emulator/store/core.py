"""The single store of an emulator's state, with its clock and random source.

Does no I/O. Handlers get it as their first argument.
"""

from __future__ import annotations

import random
import string
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from nakama_bots.emulator.formats.protojson import JsonObject, timestamp
from nakama_bots.emulator.formats.tokens import SessionClaims
from nakama_bots.emulator.options import Options
from nakama_bots.emulator.runtime.functions import FUNCTIONS, RpcContext, RpcFunction
from nakama_bots.emulator.runtime.hooks import EventHook, Hooks, run
from nakama_bots.emulator.runtime.match_registry import MatchRegistry
from nakama_bots.emulator.store.accounts import Accounts, SessionCache, StoredAccount
from nakama_bots.emulator.store.chat import Messages
from nakama_bots.emulator.store.friends import Friends
from nakama_bots.emulator.store.groups import Groups
from nakama_bots.emulator.store.leaderboards import Leaderboards
from nakama_bots.emulator.store.matchmaker import MatchmakerQueue
from nakama_bots.emulator.store.notifications import (
    SINGLE_SOCKET,
    USER_BANNED,
    NotificationStore,
    StoredNotification,
)
from nakama_bots.emulator.store.parties import PartyRegistry
from nakama_bots.emulator.store.purchases import Purchases
from nakama_bots.emulator.store.storage import Storage
from nakama_bots.emulator.store.tracker import Mode, OnlineSession, PresenceStream, Tracker

# The reason of a close by the server.
DISCONNECTED: Final = "server-side session disconnect"


@dataclass(slots=True)
class Core:
    """The state of one server. ``now``: Unix nanoseconds; ``rng``: the source of every id and choice."""

    options: Options
    now: Callable[[], int]
    rng: random.Random
    tracker: Tracker = field(init=False)
    purchases: Purchases = field(default_factory=Purchases)
    functions: dict[str, RpcFunction] = field(default_factory=lambda: dict(FUNCTIONS))
    hooks: Hooks = field(default_factory=Hooks)
    # Values that modules cache in the server's memory, and their expiry (Unix seconds, 0: never).
    cache: dict[str, tuple[object, int]] = field(default_factory=dict)
    sessions: dict[str, OnlineSession] = field(default_factory=dict)
    # Of sessions that a module disconnects: the reason that matches see.
    end_reasons: dict[str, int] = field(default_factory=dict)
    # User id -> the sessions that follow its status; every session follows its own user.
    followers: dict[str, dict[str, OnlineSession]] = field(default_factory=dict)
    _followed: dict[str, set[str]] = field(default_factory=dict)
    # Further cleanup when a session ends, beyond its presences.
    on_session_end: list[Callable[[Core, OnlineSession], None]] = field(default_factory=list)
    accounts: Accounts = field(init=False)
    messages: Messages = field(init=False)
    notifications: NotificationStore = field(init=False)
    session_cache: SessionCache = field(init=False)
    friends: Friends = field(init=False)
    groups: Groups = field(init=False)
    storage: Storage = field(init=False)
    leaderboards: Leaderboards = field(init=False)
    matchmaker: MatchmakerQueue = field(init=False)
    matches: MatchRegistry = field(init=False)
    parties: PartyRegistry = field(init=False)

    def __post_init__(self) -> None:
        options, limits = self.options, self.options.limits
        self.tracker = Tracker(options.tracker_event_queue_size)
        self.accounts = Accounts(self.now(), limits.accounts)
        self.messages = Messages(limits.messages)
        self.notifications = NotificationStore(limits.notifications)
        longest = max(options.token_expiry, options.refresh_token_expiry)
        self.session_cache = SessionCache(self.seconds, longest)
        self.friends = Friends(self.accounts, self.now)
        self.groups = Groups(self.accounts, self.now, self.new_id, limits.groups)
        self.storage = Storage(self.now, limits.objects)
        self.leaderboards = Leaderboards(self.now, limits.records)
        self.matchmaker = MatchmakerQueue(
            max_intervals=options.matchmaker_max_intervals,
            max_tickets=options.matchmaker_max_tickets,
            now=self.now,
            precise=options.matchmaker_rev_precision,
            patience=options.matchmaker_interval * options.matchmaker_rev_threshold,
            most=limits.tickets,
        )
        self.matches = MatchRegistry(self.tracker, self.now, options)
        self.parties = PartyRegistry(self.now, options.label_update_interval, options.node, limits.parties)

    def seconds(self) -> int:
        """The Unix time in whole seconds, as tokens count."""
        return self.now() // 10**9

    def new_id(self, version: int = 4) -> str:
        """A random UUID; session ids have version 1, all others 4."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=version))

    def new_username(self) -> str:
        """A random username of ten letters, as Nakama generates it."""
        return "".join(self.rng.choices(string.ascii_letters, k=10))

    def salt(self) -> bytes:
        """A password salt of sixteen bytes."""
        return self.rng.randbytes(16)

    def session_claims(self, token: str) -> SessionClaims | None:
        """Return the claims of a signed, unexpired session token; logouts are not checked."""
        return SessionClaims.verify(token, self.options.encryption_key, self.now() / 1e9)

    def refresh_claims(self, token: str) -> SessionClaims | None:
        """Return the claims of a refresh token, likewise."""
        return SessionClaims.verify(token, self.options.refresh_encryption_key, self.now() / 1e9)

    def online(self, account: StoredAccount) -> bool:
        """True if the user shows a status; an open socket alone does not count."""
        return self.tracker.count(PresenceStream(Mode.STATUS, account.id)) > 0

    def sessions_of(self, user_id: str) -> list[OnlineSession]:
        """Return the open sessions of a user."""
        return [session for session in self.sessions.values() if session.user_id == user_id]

    def notify(
        self,
        user_id: str,
        subject: str,
        content: str,
        code: int,
        sender_id: str = "",
        *,
        persistent: bool = True,
    ) -> None:
        """Send a notification to every socket of a user, and keep it if it is persistent.

        ``content``: JSON text; ``sender_id`` "": none. Nothing is kept or sent for a user that does not exist.
        """
        if self.accounts.get(user_id) is None:
            return
        notification = StoredNotification(
            self.new_id(), subject, content, code, sender_id, self.now(), persistent=persistent
        )
        if persistent:
            self.notifications.keep(user_id, notification)
        sessions = self.sessions_of(user_id)
        if sessions:
            self.tracker.send_to(sessions, {"notifications": {"notifications": [notification.wire()]}})

    def delete_account(self, account: StoredAccount) -> None:
        """Delete a user with all its data, invalidate its tokens and close its sockets."""
        self.accounts.remove(account)
        for family in (
            self.friends,
            self.groups,
            self.storage,
            self.leaderboards,
            self.notifications,
            self.purchases,
        ):
            family.forget_user(account.id)
        self.session_cache.revoke_user(account.id)
        for session in self.sessions_of(account.id):
            session.disconnect(1000, DISCONNECTED)

    def ban(self, account: StoredAccount) -> None:
        """Ban a user: invalidate tokens of earlier seconds, notify and close its sockets."""
        account.disabled = True
        self.session_cache.revoke_before(account.id, self.seconds())
        self.notify(account.id, "banned", "{}", USER_BANNED, persistent=False)
        for session in self.sessions_of(account.id):
            session.disconnect(1000, DISCONNECTED)

    def open_session(self, session: OnlineSession) -> None:
        """Register a connected session."""
        self.tracker.begin()
        if self.options.single_socket:
            others = self.sessions_of(session.user_id)
            self.notify(session.user_id, "single_socket", "{}", SINGLE_SOCKET, persistent=False)
            for other in others:
                other.disconnect(1000, DISCONNECTED)
        self.sessions[session.id] = session
        self.follow(session, session.user_id)
        self._tell(self.hooks.session_start, session, {"name": "session_start"})

    def close_session(self, session: OnlineSession) -> None:
        """Remove an ended session. Idempotent."""
        if self.sessions.pop(session.id, None) is None:
            return
        self.tracker.begin()
        self.matchmaker.remove_all(session)
        for undo in self.on_session_end:
            undo(self, session)
        # Before its presences: an ended session cannot receive anything.
        for user_id in list(self._followed.get(session.id, ())):
            self.unfollow(session, user_id)
        self.tracker.untrack_all(session)
        self.end_reasons.pop(session.id, None)
        self._tell(self.hooks.session_end, session, {"name": "session_end", "properties": {"reason": ""}})

    def leave_reason(self, session: OnlineSession) -> int:
        """Return why a session leaves a match: 3 by a message or a kick, else the reason of its end (4)."""
        return 3 if session.id in self.sessions else self.end_reasons.get(session.id, 4)

    def _tell(self, listeners: list[EventHook], session: OnlineSession, event: JsonObject) -> None:
        context = RpcContext(
            session.user_id, session.username, session.id, session.lang, session.vars, mode="event"
        )
        for listener in listeners:
            run("event", listener, context, {**event, "timestamp": timestamp(self.now())})

    def follow(self, session: OnlineSession, user_id: str) -> None:
        """Let a session follow a user's status."""
        self.followers.setdefault(user_id, {})[session.id] = session
        self._followed.setdefault(session.id, set()).add(user_id)

    def unfollow(self, session: OnlineSession, user_id: str) -> None:
        """Stop following a user's status."""
        followed = self._followed.get(session.id, set())
        if user_id not in followed:
            return
        followed.discard(user_id)
        if not followed:
            del self._followed[session.id]
        del self.followers[user_id][session.id]
        if not self.followers[user_id]:
            del self.followers[user_id]
