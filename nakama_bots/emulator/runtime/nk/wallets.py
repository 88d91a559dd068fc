"""Wallets and their ledger: numbers by name, which never fall below 0."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson

from nakama_bots.emulator.formats import cursors
from nakama_bots.emulator.formats.documents import go_json
from nakama_bots.emulator.formats.protojson import JsonObject, jsonb
from nakama_bots.emulator.runtime.nk.arguments import (
    ArgumentError,
    Field,
    FunctionFamily,
    Table,
    changeset_field,
    document,
    document_field,
    fail,
    fields,
    flag,
    id_field,
    identifier,
    loaded,
    optional_integer,
    optional_text,
    rows,
    seconds,
    table,
)
from nakama_bots.emulator.store.accounts import LedgerItem
from nakama_bots.emulator.store.core import Core

_UPDATE: Final[dict[str, Field]] = {
    "user_id": id_field,
    "changeset": changeset_field,
    "metadata": document_field,
}


class _LedgerPlace(NamedTuple):
    item_id: str


def change_wallets(core: Core, updates: list[dict[str, Any]], doing: str, *, ledger: bool) -> list[JsonObject]:
    """Change wallets, all or none. Returns the previous and new wallet of each existing user.

    An update has ``user_id``, ``changeset`` and ``metadata`` (JSON text). ``doing``: the start of an error.
    """
    wallets: dict[str, dict[str, int]] = {}
    results: list[JsonObject] = []
    items: list[LedgerItem] = []
    for update in updates:
        user_id = update.get("user_id", "")
        account = core.accounts.get(user_id)
        if account is None:
            continue
        wallet = wallets.setdefault(user_id, orjson.loads(account.wallet))
        previous = dict(wallet)
        for name, change in update["changeset"].items():
            wallet[name] = wallet.get(name, 0) + change
            if wallet[name] < 0:
                raise fail(f"{doing}: wallet update rejected negative value at path '{name}'")
        results.append({"user_id": user_id, "previous": previous, "updated": wallet})
        metadata = jsonb(update.get("metadata", "{}"))
        now = core.now()
        items.append(LedgerItem(core.new_id(), user_id, dict(update["changeset"]), metadata, now, now))
    for user_id, wallet in wallets.items():
        account = core.accounts.get(user_id)
        assert account is not None
        account.wallet = jsonb(go_json(wallet))
        account.update_time = core.now()
    if ledger:
        for item in items:
            core.accounts.ledger.setdefault(item.user_id, []).append(item)
    return results


def _shown(item: LedgerItem) -> JsonObject:
    return {
        "id": item.id,
        "user_id": item.user_id,
        "create_time": seconds(item.create_time),
        "update_time": seconds(item.update_time),
        "changeset": item.changeset,
        "metadata": loaded(item.metadata),
    }


class WalletFunctions(FunctionFamily):
    """Wallets: a changeset is a table of whole numbers to add, by name."""

    def wallet_update(
        self,
        user_id: str,
        changeset: Table,
        metadata: Table | None = None,
        update_ledger: bool | None = None,
    ) -> tuple[dict[str, int], dict[str, int]]:
        """Change a wallet; returns the new and the previous one."""
        user = identifier(1, user_id, "expects a valid user id", "expects a valid user id")
        changes = fields(2, changeset)
        if not all(type(one) is int for one in changes.values()):
            raise ArgumentError(2, "expects changeset values to be whole numbers")
        update = {"user_id": user, "changeset": changes, "metadata": document(3, metadata)}
        doing = "failed to update user wallet"
        results = change_wallets(self.core, [update], doing, ledger=flag(4, update_ledger))
        if not results:
            raise fail("user not found")
        one: dict[str, Any] = results[0]
        return one["updated"], one["previous"]

    def wallets_update(
        self,
        updates: Table,
        update_ledger: bool | None = None,
    ) -> list[JsonObject]:
        """Change wallets, all or none; returns ``user_id``, ``previous`` and ``updated`` of each."""
        given = rows(1, updates, "expects a valid set of updates", _UPDATE, ("changeset",))
        return change_wallets(self.core, given, "failed to update user wallet", ledger=flag(2, update_ledger))

    def wallet_ledger_update(self, item_id: str, metadata: Table) -> JsonObject:
        """Change the metadata of a ledger entry, and return the entry."""
        wanted = identifier(1, item_id, "expects a valid id", "expects a valid id")
        table(2, metadata)
        text = jsonb(document(2, metadata))
        for items in self.core.accounts.ledger.values():
            for item in items:
                if item.id == wanted:
                    item.metadata, item.update_time = text, self.core.now()
                    return {**_shown(item), "metadata": fields(2, metadata)}
        raise fail("failed to update user wallet ledger: sql: no rows in result set")

    def wallet_ledger_list(
        self, user_id: str, limit: int | None = None, cursor: str | None = None
    ) -> tuple[list[JsonObject], str]:
        """Return the changes of a wallet, newest first, and the cursor of the next page, "" at the end."""
        user = identifier(1, user_id, "expects a valid user id", "expects a valid user id")
        number = optional_integer(2, limit, 100)
        if not 0 <= number <= 100:
            raise ArgumentError(1, "expects limit to be 0-100")
        given = optional_text(3, cursor)
        items = self.core.accounts.ledger.get(user, [])[::-1]
        try:
            start = cursors.decode(given, _LedgerPlace).item_id if given else ""
        except cursors.InvalidCursor:
            message = "failed to retrieve user wallet ledger: wallet ledger cursor invalid"
            raise fail(message) from None
        first = next((at for at, item in enumerate(items) if item.id == start), 0)
        page, rest = items[first : first + number], items[first + number :]
        following = cursors.encode(_LedgerPlace(rest[0].id)) if rest else ""
        return [_shown(item) for item in page], following
