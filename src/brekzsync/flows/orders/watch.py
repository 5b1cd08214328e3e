"""Changes made in the shop to what the ERP has already: never sent, always told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from brekzsync.domain.ledger import LedgerEntry, LedgerRow, Remark, Unchanged
from brekzsync.domain.orders.mapping import MappedOrder
from brekzsync.domain.orders.rules import OrderRules
from brekzsync.domain.orders.stored import StoredOrder, changed_parts
from brekzsync.flows.orders.kinds import Kind, OrderSource
from brekzsync.flows.orders.ports import Key, KnownItems, OrderLedger
from brekzsync.flows.orders.preparing import acknowledged_codes

CHANGED, CANCELED = "changed_after_export", "canceled_after_export"
_BATCH = 200


class Noticed(NamedTuple):
    """What was noticed of a record; ``is_new`` when the run before had not said so."""

    key: Key
    reason: str
    message: str
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Looks at what was exported."""

    kind: Kind[Any]
    shop: OrderSource
    ledger: OrderLedger
    rules: OrderRules
    items: KnownItems
    dead_states: frozenset[int]

    def canceled(self, ended: Iterable[LedgerRow]) -> list[Noticed]:
        """Of exported orders that are no longer due: which the shop canceled, or has lost."""
        if self.kind.is_refund:
            return []
        rows = list(ended)
        states = self.shop.states([row.key_major for row in rows]) if rows else {}
        return [
            Noticed((row.key_major, 0), CANCELED, _canceled(states.get(row.key_major)), True)
            for row in rows
            if states.get(row.key_major) is None or states[row.key_major] in self.dead_states
        ]

    def changed(self, since: datetime) -> tuple[list[Noticed], list[Unchanged]]:
        """Of what was exported since then: what says something else now, and what says again what it did."""
        noticed, mended = [], []
        rows = self.ledger.acknowledged_since(since)
        while some := list(islice(rows, _BATCH)):
            entries = {row.key_major: row for row in some if row.source_digest is not None}
            for record in self.kind.read(self.shop, list(entries)):
                row = entries[self.kind.id_of(record)]
                if row.reason == CANCELED:
                    continue  # whatever else was done to it
                if self.kind.digest(record) != row.source_digest:
                    noticed.append(self._changed(row, record))
                elif row.reason == CHANGED:
                    mended.append(as_before(row))
        return noticed, mended

    def note(self, noticed: Sequence[Noticed], mended: Sequence[Unchanged], at: datetime) -> None:
        """Have the logs tell it."""
        if noticed:
            self.ledger.remark([Remark(*one.key, one.reason, one.message) for one in noticed], at=at)
        if mended:
            self.ledger.record_unchanged(mended, at=at)

    def _changed(self, row: LedgerEntry, record: Any) -> Noticed:
        key = (row.key_major, 0)
        parts: list[str] = []
        document = self.ledger.documents([key]).get(key)
        codes = acknowledged_codes(self.items, [self.kind.order_of(record)])
        mapped = self.kind.map(record, self.rules, codes.get)
        if document and isinstance(mapped, MappedOrder):
            with suppress(ValueError):  # what another release wrote
                parts = changed_parts(StoredOrder.from_stored(document).order, mapped.order)
        what = f": {', '.join(parts)}" if parts else ""
        message = (
            f"The shop changed it after it was exported{what}. Change it in Exact by hand, where it matters."
        )
        return Noticed(key, CHANGED, message, row.reason != CHANGED)


def _canceled(state: int | None) -> str:
    how = "The shop no longer has it" if state is None else f"The shop canceled it (state {state})"
    return f"{how}, after it was exported: cancel it in Exact by hand."


def as_before(row: LedgerEntry | LedgerRow) -> Unchanged:
    """That a record is again what was acknowledged."""
    assert row.fingerprint is not None  # of acknowledged rows only
    return Unchanged(row.key_major, row.key_minor, row.fingerprint, row.force_acknowledged, row.source_digest)
