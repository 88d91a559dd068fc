"""Made by ``python tests/bound_client.py`` from the client: do not edit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Unpack, overload

from nakama_bots.players.player import Player
from nakama_bots.rest.families.rpc import R
from nakama_bots.rest.route import Query
from nakama_bots.session import Session
from nakama_bots.types import authentication as identities
from nakama_bots.types import purchases as wire
from nakama_bots.types.account import Account as AccountObject
from nakama_bots.types.account import UpdateAccountRequest
from nakama_bots.types.authentication import AccountFacebook, AccountSteam
from nakama_bots.types.channels import ChannelMessageList
from nakama_bots.types.common import Empty, Json
from nakama_bots.types.events import ApiEvent
from nakama_bots.types.friends import FriendList, FriendsOfFriendsList
from nakama_bots.types.groups import (
    CreateGroupRequest,
    Group,
    GroupList,
    GroupUserList,
    UpdateGroupRequest,
    UserGroupList,
)
from nakama_bots.types.leaderboards import (
    LeaderboardRecord,
    LeaderboardRecordList,
    WriteLeaderboardRecordRequestLeaderboardRecordWrite,
)
from nakama_bots.types.matches import MatchList, MatchmakerStats, PartyList
from nakama_bots.types.notifications import NotificationList
from nakama_bots.types.rpc import Rpc as RpcAnswer
from nakama_bots.types.storage import (
    DeleteStorageObjectsRequest,
    ReadStorageObjectsRequest,
    StorageObjectAcks,
    StorageObjectList,
    StorageObjects,
    WriteStorageObject,
)
from nakama_bots.types.tournaments import (
    TournamentList,
    TournamentRecordList,
    WriteTournamentRecordRequestTournamentRecordWrite,
)
from nakama_bots.types.users import Users as UsersObject

class BoundClient:
    def __init__(self, player: Player) -> None: ...
    def add_friends(
        self,
        ids: Sequence[str] | None = None,
        usernames: Sequence[str] | None = None,
        metadata: Any | None = None,
    ) -> Empty:
        """Invite users, or accept their invites; ``metadata`` goes with the invite. Unknown ids are ignored."""
    def add_group_users(self, group_id: str, ids: Sequence[str] | None = None) -> Empty:
        """Add users, or accept their requests to join."""
    def authenticate_apple(
        self,
        token: str,
        create: bool = True,
        username: str | None = None,
        vars: Mapping[str, str] | None = None,
    ) -> Session:
        """Authenticate with an identity token of Sign in with Apple."""
    def authenticate_custom(
        self, id: str, create: bool = True, username: str | None = None, vars: Mapping[str, str] | None = None
    ) -> Session:
        """Authenticate with an id of 6 to 128 bytes."""
    def authenticate_device(
        self, id: str, create: bool = True, username: str | None = None, vars: Mapping[str, str] | None = None
    ) -> Session:
        """Authenticate with a device id of 10 to 128 bytes."""
    def authenticate_email(
        self,
        email: str,
        password: str,
        create: bool = True,
        username: str | None = None,
        vars: Mapping[str, str] | None = None,
    ) -> Session:
        """Authenticate with an email address and a password of at least 8 bytes.

        With an empty ``email`` the account is found by ``username``. The server's bcrypt takes some 0.5 s.
        """
    def authenticate_facebook(
        self,
        token: str,
        create: bool = True,
        username: str | None = None,
        sync: bool | None = None,
        vars: Mapping[str, str] | None = None,
    ) -> Session:
        """Authenticate with an access token of Facebook."""
    def authenticate_facebook_instant_game(
        self,
        signed_player_info: str,
        create: bool = True,
        username: str | None = None,
        vars: Mapping[str, str] | None = None,
    ) -> Session:
        """Authenticate with what the Instant Games SDK signed."""
    def authenticate_game_center(
        self,
        bundle_id: str,
        player_id: str,
        public_key_url: str,
        salt: str,
        signature: str,
        timestamp: int | str,
        username: str | None = None,
        create: bool = True,
        vars: Mapping[str, str] | None = None,
    ) -> Session:
        """Authenticate with what Game Center signed; ``timestamp`` in Unix seconds."""
    def authenticate_google(
        self,
        token: str,
        create: bool = True,
        username: str | None = None,
        vars: Mapping[str, str] | None = None,
    ) -> Session:
        """Authenticate with an id token of Google."""
    def authenticate_steam(
        self,
        token: str,
        create: bool = True,
        username: str | None = None,
        sync: bool | None = None,
        vars: Mapping[str, str] | None = None,
    ) -> Session:
        """Authenticate with a session ticket of Steam."""
    def ban_group_users(self, group_id: str, ids: Sequence[str] | None = None) -> Empty:
        """Remove users and ban them."""
    def block_friends(self, ids: Sequence[str] | None = None, usernames: Sequence[str] | None = None) -> Empty:
        """Block users, friends or not."""
    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Query | None = None,
        *,
        name: str = "",
        http_key: str | None = None,
    ) -> Any:
        """Call ``method`` ``path``, such as ``call(session, "POST", "/v2/rpc/x?unwrap", {"a": 1})``.

        ``path`` begins with a slash and is percent-encoded; it may have a query, to which ``query`` is added.
        ``body`` is any JSON value, or bytes that are sent as they are. ``session`` None calls without
        authorization, or with ``http_key``. The result is the answer's JSON value, its text if that is not
        JSON, None if it is empty.

        ``name`` is its name in statistics, a route template without ids; by default the path without its query,
        with ``{id}`` for what looks like an id. Errors are those of every call, and ``ValueError`` for a method
        or a path that cannot be sent.
        """
    def call_rpc(self, id: str, input: object, read: Callable[[Any], R]) -> R | None:
        """What ``read`` makes of the function's JSON answer, or None when it answered nothing.

        A payload that is not JSON, or that ``read`` refuses with a ``ProtocolError``, is that one failed call.
        """
    def create_group(
        self, request: CreateGroupRequest | None = None, **fields: Unpack[CreateGroupRequest]
    ) -> Group[Any]:
        """Create a group, given as an object or by field; ``AlreadyExists`` is a taken name."""
    def delete_account(self) -> Empty:
        """Delete the account; its tokens are refused from now on and its identities are free again."""
    def delete_friends(self, ids: Sequence[str] | None = None, usernames: Sequence[str] | None = None) -> Empty:
        """Remove friends, withdraw or refuse invites, unblock users."""
    def delete_group(self, group_id: str) -> Empty:
        """Delete the group; for superadmins."""
    def delete_leaderboard_record(self, leaderboard_id: str) -> Empty:
        """Delete the user's own record; no error without one."""
    def delete_notifications(self, ids: Sequence[str] | None = None) -> Empty:
        """Delete notifications by id; unknown ones are ignored."""
    def delete_storage_objects(self, request: DeleteStorageObjectsRequest) -> Empty:
        """Delete the user's own objects."""
    def delete_tournament_record(self, tournament_id: str) -> Empty:
        """Delete the user's own record; no error without one.

        ``InternalError``: the tournament is unknown, or only the server's runtime may delete.
        """
    def demote_group_users(self, group_id: str, ids: Sequence[str] | None = None) -> Empty:
        """Demote members by one role."""
    def emit_event(self, request: ApiEvent) -> Empty:
        """Submit an event; the answer does not say how the runtime handled it."""
    def get_account(self) -> AccountObject[Any]:
        """Get the user with wallet, email and devices."""
    def get_matchmaker_stats(self) -> MatchmakerStats:
        """How many tickets wait, since when, and the latest that were matched."""
    def get_subscription(self, product_id: str) -> wire.ValidatedSubscription:
        """The user's subscription of a product; ``NotFound`` without one."""
    def get_users(
        self,
        ids: Sequence[str] | None = None,
        usernames: Sequence[str] | None = None,
        facebook_ids: Sequence[str] | None = None,
    ) -> UsersObject[Any]:
        """Users by any of their ids and names, in any order; unknown ones are left out."""
    def healthcheck(self) -> Empty:
        """``{}`` when the server is up; needs no authorization."""
    def import_facebook_friends(self, request: AccountFacebook, reset: bool | None = None) -> Empty:
        """Add the friends of a Facebook profile; ``reset`` removes those of an earlier import first."""
    def import_steam_friends(self, request: AccountSteam, reset: bool | None = None) -> Empty:
        """Add the friends of a Steam profile; ``reset`` removes those of an earlier import first."""
    def join_group(self, group_id: str) -> Empty:
        """Join an open group, or ask to join a closed one."""
    def join_tournament(self, tournament_id: str) -> Empty:
        """Join; needed before writing to a tournament that requires it."""
    def kick_group_users(self, group_id: str, ids: Sequence[str] | None = None) -> Empty:
        """Remove users, or refuse their requests to join."""
    def leave_group(self, group_id: str) -> Empty:
        """Leave; the last superadmin cannot while others stay."""
    def link_apple(self, request: identities.AccountApple) -> Empty:
        """Add an Apple ID to the account."""
    def link_custom(self, request: identities.AccountCustom) -> Empty:
        """Add a custom id to the account."""
    def link_device(self, request: identities.AccountDevice) -> Empty:
        """Add a device id to the account."""
    def link_email(self, request: identities.AccountEmail) -> Empty:
        """Add an email address and a password to the account."""
    def link_facebook(self, request: identities.AccountFacebook, sync: bool | None = None) -> Empty:
        """Add a Facebook profile to the account; ``sync`` (true by default) imports its friends."""
    def link_facebook_instant_game(self, request: identities.AccountFacebookInstantGame) -> Empty:
        """Add a Facebook Instant Game profile to the account."""
    def link_game_center(self, request: identities.AccountGameCenter) -> Empty:
        """Add a Game Center profile to the account."""
    def link_google(self, request: identities.AccountGoogle) -> Empty:
        """Add a Google profile to the account."""
    def link_steam(self, request: identities.LinkSteamRequest) -> Empty:
        """Add a Steam profile to the account."""
    def list_channel_messages(
        self, channel_id: str, limit: int | None = None, forward: bool | None = None, cursor: str | None = None
    ) -> ChannelMessageList[Any]:
        """A page of persistent messages, 1 to 100 (1 by default), oldest first unless ``forward`` is False.

        ``cursor`` is one of an earlier page of the same direction.
        """
    def list_friends(
        self, state: int | None = None, limit: int | None = None, cursor: str | None = None
    ) -> FriendList[Any]:
        """A page of 1 to 1000 (1000 by default), of one ``FriendState`` or of all."""
    def list_friends_of_friends(
        self, limit: int | None = None, cursor: str | None = None
    ) -> FriendsOfFriendsList[Any]:
        """A page of 1 to 100 (10 by default) of users that friends have and the user has not."""
    def list_group_users(
        self, group_id: str, state: int | None = None, limit: int | None = None, cursor: str | None = None
    ) -> GroupUserList[Any]:
        """A page of 1 to 100 (100 by default) members and requests, of one ``GroupState`` or of all."""
    def list_groups(
        self,
        name: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        lang_tag: str | None = None,
        members: int | None = None,
        open: bool | None = None,
    ) -> GroupList[Any]:
        """A page of 1 to 100 (1 by default). ``%`` at the end of ``name`` stands for any text.

        ``members`` finds groups of at most as many members. ``name`` goes with no other filter.
        """
    def list_leaderboard_records(
        self,
        leaderboard_id: str,
        owner_ids: Sequence[str] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        expiry: int | str | None = None,
    ) -> LeaderboardRecordList[Any, int]:
        """A page of 1 to 1000 (1 by default), best first, and the records of ``owner_ids``.

        With ``owner_ids`` and no ``limit`` only theirs.
        """
    def list_leaderboard_records_around_owner(
        self,
        leaderboard_id: str,
        owner_id: str,
        limit: int | None = None,
        expiry: int | str | None = None,
        cursor: str | None = None,
    ) -> LeaderboardRecordList[Any, int]:
        """1 to 100 records (1 by default) with the owner's in the middle; none if it has no record."""
    def list_matches(
        self,
        limit: int | None = None,
        authoritative: bool | None = None,
        label: str | None = None,
        min_size: int | None = None,
        max_size: int | None = None,
        query: str | None = None,
    ) -> MatchList:
        """Running matches, 1 to 100 (10 by default); what is None does not filter.

        ``label`` and ``query`` (such as ``+label.mode:duel``) find authoritative matches only.
        """
    def list_notifications(
        self, limit: int | None = None, cacheable_cursor: str | None = None
    ) -> NotificationList[Any]:
        """A page of 1 to 100 (1 by default), oldest first, after an earlier page's cursor."""
    def list_parties(
        self,
        limit: int | None = None,
        open: bool | None = None,
        query: str | None = None,
        cursor: str | None = None,
    ) -> PartyList:
        """A page of 1 to 100 (10 by default) of parties that are not hidden; ``query`` is over their labels."""
    def list_storage_objects(
        self, collection: str, user_id: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> StorageObjectList[Any]:
        """A page of 1 to 100 (1 by default) of a user's objects; without a user, all public ones."""
    def list_storage_objects2(
        self, collection: str, user_id: str, limit: int | None = None, cursor: str | None = None
    ) -> StorageObjectList[Any]:
        """``list_storage_objects`` with the user in the path."""
    def list_subscriptions(self, cursor: str | None = None, limit: int | None = None) -> wire.SubscriptionList:
        """A page of 1 to 100 (100 by default) of the user's subscriptions."""
    def list_tournament_records(
        self,
        tournament_id: str,
        owner_ids: Sequence[str] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        expiry: int | str | None = None,
    ) -> TournamentRecordList[Any, int]:
        """A page of 1 to 100 (10 by default), best first, and the records of ``owner_ids``."""
    def list_tournament_records_around_owner(
        self,
        tournament_id: str,
        owner_id: str,
        limit: int | None = None,
        expiry: int | str | None = None,
        cursor: str | None = None,
    ) -> TournamentRecordList[Any, int]:
        """1 to 100 records (100 by default) with the owner's in the middle; none if it has no record."""
    def list_tournaments(
        self,
        category_start: int | None = None,
        category_end: int | None = None,
        start_time: int | None = None,
        end_time: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> TournamentList[Any]:
        """A page of 1 to 100 (100 by default) running and coming tournaments; times in Unix seconds."""
    def list_user_groups(
        self, user_id: str, state: int | None = None, limit: int | None = None, cursor: str | None = None
    ) -> UserGroupList[Any]:
        """A page of 1 to 100 (100 by default) groups of a user, as one ``GroupState`` or as any."""
    def promote_group_users(self, group_id: str, ids: Sequence[str] | None = None) -> Empty:
        """Promote members by one role."""
    def read_storage_objects(self, request: ReadStorageObjectsRequest) -> StorageObjects[Any]:
        """Objects by collection, key and owner."""
    @overload
    def rpc(self, id: str, input: object = None, *, unwrap: Literal[False] = False) -> RpcAnswer[Any]:
        """Call function ``id`` as the session's user.

        ``input`` is any JSON value, None for no payload. The function gets it as JSON text, and the text that
        it returns is ``payload`` of the answer. With ``unwrap`` both are sent without an envelope
        (``?unwrap``), and the result is the function's JSON value, its text if that is not JSON, None if empty.
        """
    @overload
    def rpc(self, id: str, input: object = None, *, unwrap: bool) -> Any:
        """Call function ``id`` as the session's user.

        ``input`` is any JSON value, None for no payload. The function gets it as JSON text, and the text that
        it returns is ``payload`` of the answer. With ``unwrap`` both are sent without an envelope
        (``?unwrap``), and the result is the function's JSON value, its text if that is not JSON, None if empty.
        """
    def rpc_func(self, id: str, body: str | None = None, http_key: str | None = None) -> RpcAnswer[Any]:
        """Call function ``id`` with the text ``body``, as it is; with ``http_key`` the session is not used."""
    def rpc_func2(self, id: str, payload: str | None = None, http_key: str | None = None) -> RpcAnswer[Any]:
        """Call function ``id`` with GET: it finds ``payload`` in its context's query, never as its payload."""
    @overload
    def rpc_http_key(
        self, http_key: str, id: str, input: object = None, *, unwrap: Literal[False] = False
    ) -> RpcAnswer[Any]:
        """Call function ``id`` as a server would, without a user; otherwise like ``rpc``."""
    @overload
    def rpc_http_key(self, http_key: str, id: str, input: object = None, *, unwrap: bool) -> Any:
        """Call function ``id`` as a server would, without a user; otherwise like ``rpc``."""
    def session_logout(self, token: str | None = None, refresh_token: str | None = None) -> Empty:
        """Log out ``session``, or the tokens that are given.

        Two empty texts log out every token that the user got in an earlier second. Sockets stay open.
        """
    def unlink_apple(self, request: identities.AccountApple) -> Empty:
        """Remove an Apple ID from the account."""
    def unlink_custom(self, request: identities.AccountCustom) -> Empty:
        """Remove a custom id from the account."""
    def unlink_device(self, request: identities.AccountDevice) -> Empty:
        """Remove a device id from the account."""
    def unlink_email(self, request: identities.AccountEmail) -> Empty:
        """Remove an email address and a password from the account."""
    def unlink_facebook(self, request: identities.AccountFacebook) -> Empty:
        """Remove a Facebook profile from the account."""
    def unlink_facebook_instant_game(self, request: identities.AccountFacebookInstantGame) -> Empty:
        """Remove a Facebook Instant Game profile from the account."""
    def unlink_game_center(self, request: identities.AccountGameCenter) -> Empty:
        """Remove a Game Center profile from the account."""
    def unlink_google(self, request: identities.AccountGoogle) -> Empty:
        """Remove a Google profile from the account."""
    def unlink_steam(self, request: identities.AccountSteam) -> Empty:
        """Remove a Steam profile from the account."""
    def update_account(
        self, request: UpdateAccountRequest | None = None, **fields: Unpack[UpdateAccountRequest]
    ) -> Empty:
        """Change what is given, in an object or by name; an empty text clears a field.

        A taken name is ``InvalidArgument``.
        """
    def update_group(
        self, group_id: str, request: UpdateGroupRequest | None = None, **fields: Unpack[UpdateGroupRequest]
    ) -> Empty:
        """Change what is given, in an object or by field; for admins."""
    def validate_purchase_apple(
        self, receipt: str | None = None, persist: bool | None = None
    ) -> wire.ValidatePurchaseResponse:
        """Validate an Apple receipt."""
    def validate_purchase_facebook_instant(
        self, signed_request: str | None = None, persist: bool | None = None
    ) -> wire.ValidatePurchaseResponse:
        """Validate a purchase that Facebook signed for an Instant Game."""
    def validate_purchase_google(
        self, purchase: str | None = None, persist: bool | None = None
    ) -> wire.ValidatePurchaseResponse:
        """Validate a purchase of Google Play."""
    def validate_purchase_huawei(
        self, purchase: str | None = None, signature: str | None = None, persist: bool | None = None
    ) -> wire.ValidatePurchaseResponse:
        """Validate a purchase of Huawei AppGallery."""
    def validate_purchase_samsung(
        self, purchase_id: str | None = None, persist: bool | None = None
    ) -> wire.ValidatePurchaseResponse:
        """Validate a purchase of the Samsung Galaxy Store."""
    def validate_subscription_apple(
        self, receipt: str, persist: bool | None = None
    ) -> wire.ValidateSubscriptionResponse:
        """Validate an Apple receipt."""
    def validate_subscription_google(
        self, receipt: str, persist: bool | None = None
    ) -> wire.ValidateSubscriptionResponse:
        """Validate a subscription of Google Play."""
    def write_leaderboard_record(
        self,
        leaderboard_id: str,
        request: WriteLeaderboardRecordRequestLeaderboardRecordWrite[Any] | None = None,
        **fields: Unpack[WriteLeaderboardRecordRequestLeaderboardRecordWrite[Any]],
    ) -> LeaderboardRecord[Any, int]:
        """Write a score, in an object or by field (``score=5``), and return the current record.

        ``PermissionDenied``: only the server's runtime may write.
        """
    def write_storage_objects(self, objects: Sequence[WriteStorageObject[Json]]) -> StorageObjectAcks:
        """Write ``objects``, all or none; the acks hold the new versions."""
    def write_tournament_record(
        self,
        tournament_id: str,
        request: WriteTournamentRecordRequestTournamentRecordWrite[Any] | None = None,
        **fields: Unpack[WriteTournamentRecordRequestTournamentRecordWrite[Any]],
    ) -> LeaderboardRecord[Any, int]:
        """Write a score, in an object or by field; returns the record, the old one if no attempt was left."""
    def write_tournament_record2(
        self,
        tournament_id: str,
        request: WriteTournamentRecordRequestTournamentRecordWrite[Any] | None = None,
        **fields: Unpack[WriteTournamentRecordRequestTournamentRecordWrite[Any]],
    ) -> LeaderboardRecord[Any, int]:
        """``write_tournament_record`` with POST."""

def takes_session(name: str) -> bool: ...
