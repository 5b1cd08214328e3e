"""What would go of some orders: mapped, not in the ERP yet, with items the ERP has; and why the others cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from brekzsync.domain.items import Item
from brekzsync.domain.ledger import LedgerRow
from brekzsync.domain.orders.mapping import MappedOrder
from brekzsync.domain.orders.stored import StoredOrder, fingerprint_of
from brekzsync.domain.outcomes import Tally
from brekzsync.domain.texts import normalise_code
from brekzsync.flows.orders.parts import ExportParts
from brekzsync.flows.orders.ports import Key, KnownItems, OrderVersion

Fail = Callable[[Key, LedgerRow | None, str, str], object]
"""Told of a record that cannot go: its key, its row in the ledger, reason and message."""
Rows = Mapping[Key, LedgerRow | None]


class _Made(NamedTuple):
    key: Key
    stored: StoredOrder
    digest: bytes

    @property
    def your_ref(self) -> str:
        return self.stored.order.your_ref

    @property
    def item_codes(self) -> set[str]:
        return {line.item_code for line in self.stored.order.lines}


class Preparing:
    """Prepares batch after batch. ``wait_for_order`` is told of refunds whose order is not in the ERP yet."""

    def __init__(
        self, parts: ExportParts, tally: Tally, fail: Fail, wait_for_order: Callable[[Key], object]
    ) -> None:
        self._parts = parts
        self._tally = tally
        self._fail = fail
        self._wait_for_order = wait_for_order

    def versions(self, rows: Rows) -> list[OrderVersion]:
        """What may go of these records, in key order; ``rows`` is what the ledger has of each."""
        made = self._with_items_there(self._not_there_yet(self._mapped(rows), rows), rows)
        # Asked last: what was just found in the ERP has told of debtors.
        known = self._parts.known_debtors([one.stored for one in made])
        return [self._version(one, rows, knows_debtor=one.stored.id_customer in known) for one in made]

    def _mapped(self, rows: Rows) -> list[_Made]:
        parts, kind = self._parts, self._parts.kind
        records = list(kind.read(parts.shop, [key[0] for key in rows]))
        for gone in rows.keys() - {(kind.id_of(record), 0) for record in records}:
            message = f"The shop no longer has the order of {kind.noun} {gone[0]}."
            self._fail(gone, rows[gone], "unknown_order", message)
        if kind.is_refund:
            records = self._of_settled_orders(records)
        codes = acknowledged_codes(parts.items, map(kind.order_of, records))
        made = []
        for record in records:
            key, mapped = (kind.id_of(record), 0), kind.map(record, parts.rules, codes.get)
            if isinstance(mapped, MappedOrder):
                self._tally.warnings.update(mapped.warnings)
                customer = kind.order_of(record).customer
                stored = StoredOrder(mapped.order, customer.id_customer if customer else 0)
                made.append(_Made(key, stored, kind.digest(record)))
            else:
                said = " ".join(dict.fromkeys(refusal.message for refusal in mapped))
                self._fail(key, rows[key], mapped[0].reason, said)
        return made

    def _of_settled_orders(self, slips: Sequence[Any]) -> list[Any]:
        """A refund goes once its order is in the ERP; the ERP would have nothing to give back on before."""
        settled = set(self._parts.is_settled({(slip.order.id_order, 0) for slip in slips}))
        due = []
        for slip in slips:
            if (slip.order.id_order, 0) in settled:
                due.append(slip)
            else:
                self._wait_for_order((slip.id_order_slip, 0))
        return due

    def _not_there_yet(self, made: Sequence[_Made], rows: Rows) -> Sequence[_Made]:
        """Without those the ERP has already, as after a lost ledger: they are settled instead of sent."""
        found = self._parts.erp.orders([one.your_ref for one in made]) if made else None
        if found is None:
            if made and self._parts.erp.is_configured:
                self._tally.warnings["erp_not_asked"] = 1  # orders go all the same; people should know
            return made
        there = [one for one in made if one.your_ref in found]
        if there:
            versions = [self._version(one, rows, knows_debtor=False) for one in there]
            self._parts.found(versions, [rows[one.key] for one in there])
            self._tally.pending -= len(there)
            self._tally.unchanged += len(there)
            self._tally.reasons["found_in_erp"] += len(there)
        return [one for one in made if one.your_ref not in found]

    def _with_items_there(self, made: Sequence[_Made], rows: Rows) -> Sequence[_Made]:
        wanted = sorted(set().union(*(one.item_codes for one in made)))
        lacking = self._parts.erp.lacking(wanted) if wanted else None
        if not lacking:
            return made
        there = []
        for one in made:
            if missing := sorted(one.item_codes & lacking):
                self._fail(one.key, rows[one.key], "item_not_in_erp", _not_in_erp(missing))
            else:
                there.append(one)
        return there

    def _version(self, one: _Made, rows: Rows, *, knows_debtor: bool) -> OrderVersion:
        stored, row = one.stored, rows[one.key]
        if knows_debtor:
            stored = stored._replace(order=stored.order._replace(account=None))
        document = stored.stored()
        return OrderVersion(
            *one.key,
            fingerprint=fingerprint_of(document),
            force=0 if row is None else row.force_requested,
            source_digest=one.digest,
            code=normalise_code(stored.order.your_ref),
            document=document,
            different_at=self._parts.now if row is None or row.different_at is None else row.different_at,
            order=stored.order,
        )


def acknowledged_codes(items: KnownItems, orders: Iterable[Any]) -> dict[Key, str]:
    """The item codes under which the ERP acknowledged what the orders name, by combination."""
    keys = {(line.id_product, line.id_product_attribute) for order in orders for line in order.lines}
    documents = items.documents(sorted(keys))
    return {key: Item.from_stored(document).code for key, document in documents.items()}


def _not_in_erp(codes: Sequence[str]) -> str:
    named = f"item {codes[0]}" if len(codes) == 1 else f"items {', '.join(codes)}"
    return (
        f"The ERP has no {named}: export the product first (`brekzsync products diagnose`),"
        " or enter it in Exact."
    )
