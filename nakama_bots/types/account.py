"""The current user's account."""

from __future__ import annotations

from typing import Generic, TypedDict

from nakama_bots.types.authentication import AccountDevice
from nakama_bots.types.common import D, Timestamp
from nakama_bots.types.users import User


class Account(TypedDict, Generic[D], total=False):
    """The current user, private fields included; ``disable_time`` is set for a banned user."""

    user: User[D]
    wallet: D
    email: str
    devices: list[AccountDevice]
    custom_id: str
    verify_time: Timestamp
    disable_time: Timestamp


class UpdateAccountRequest(TypedDict, total=False):
    """Only the fields that are present change; an empty text clears a field (but not ``username``)."""

    username: str
    display_name: str
    avatar_url: str
    lang_tag: str
    location: str
    timezone: str
