"""Users as others see them."""

from __future__ import annotations

from typing import Generic, TypedDict

from nakama_bots.types.common import D, Timestamp


class User(TypedDict, Generic[D], total=False):
    """A user as others see it. ``online`` is true only while the user has a status presence."""

    id: str
    username: str
    display_name: str
    avatar_url: str
    lang_tag: str
    location: str
    timezone: str
    metadata: D
    facebook_id: str
    google_id: str
    gamecenter_id: str
    steam_id: str
    facebook_instant_game_id: str
    apple_id: str
    online: bool
    edge_count: int
    create_time: Timestamp
    update_time: Timestamp


class Users(TypedDict, Generic[D], total=False):
    """Users that were asked for, in any order; unknown ones are left out."""

    users: list[User[D]]
