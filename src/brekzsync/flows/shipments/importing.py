"""``shipments import`` converging: what the ERP delivered and the shop was not told of goes into the shop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from brekzsync.domain.keys import ProductKey
from brekzsync.domain.ledger import (
    Acknowledgement,
    Clearing,
    Failure,
    LedgerEntry,
    LedgerRow,
    Remark,
    Unchanged,
)
from brekzsync.domain.outcomes import FailedRecord, Tally
from brekzsync.domain.shipments import Remarked, Shipment, ShipmentReason, ShipmentRules, ShippedOrder
from brekzsync.errors import ConfigurationError
from brekzsync.flows.frame import OpenRun
from brekzsync.flows.ports import Clock
from brekzsync.flows.shipments.differing import Waiting, keys
from brekzsync.flows.shipments.ports import OpenOrders, ShipmentLedger, ShopOrders
from brekzsync.flows.shipments.writing import Came, OrderShipping

FLOW = "shipment"
LOOKED_UP = 200
"""Orders looked up in the shop together: what is written was read a moment ago."""
QUEUED = "queued"


class Due(NamedTuple):
    """A shipment that differs from what is acknowledged, its order, its row in the ledger, and what the shop was told
    of it last; None also when a person asks to have it done again."""

    shipment: Shipment
    order: ShippedOrder
    row: LedgerEntry | None
    known: Shipment | None


@dataclass(slots=True, kw_only=True)
class ShipmentImport:
    """Brings what differs into the shop; ``tally`` tells what came of it, ``passed_over`` why some orders did not go.

    ``shipping`` is None for a baseline, which only acknowledges; ``is_dry`` writes nothing down.
    """

    ledger: ShipmentLedger
    shop: ShopOrders
    rules: ShipmentRules
    shipping: OrderShipping | None
    opened: OpenRun
    clock: Clock
    is_dry: bool
    tally: Tally
    limit: int | None = None
    passed_over: list[str] = field(default_factory=list)
    baselined: int = 0
    _troubled: set[int] = field(default_factory=set)
    _taken: int = 0
    _are_states_known: bool = False

    def run(self, waiting: Iterable[Sequence[Waiting]], advance: Callable[[int], None]) -> None:
        """Everything, page by page. What was done when it fails stays done, and is acknowledged."""
        for page in waiting:
            self._take(page)
            advance(len(page))

    def count_due(self, waiting: Iterable[Sequence[Waiting]], most: int) -> int:
        """How many of them are shipments of the shop's orders that are not dead; counted no further than ``most``."""
        count = 0
        for page in waiting:
            with self.shop.open() as shop:
                orders = shop.orders({one.id_order for one in page})
            count += sum(1 for one in page if self._is_due(one, orders))
            if count > most:
                break
        return count

    def end_trouble(self) -> None:
        """After a look at everything: what failed or waited and is not delivered any more has ended, for its note was
        taken back in the ERP."""
        if self.is_dry:
            return
        gone = [
            row
            for row in self.ledger.rows()
            if row.status != "synced" and row.key_major not in self._troubled and row.reason not in _ENDED
        ]
        kept = [
            Unchanged(*row.key, row.fingerprint, row.force_acknowledged, row.source_digest)
            for row in gone
            if row.fingerprint is not None
        ]
        self.ledger.record_unchanged(kept, at=self.clock())
        self._clear(
            [row for row in gone if row.fingerprint is None],
            ShipmentReason.NO_LONGER_DELIVERED,
        )

    # --- a page -----------------------------------------------------------------------------------------------

    def _take(self, page: Sequence[Waiting]) -> None:
        with self.shop.open() as shop:
            orders = shop.orders({one.id_order for one in page})
            if not self._are_states_known:
                self._check_states(shop)
        wanted = keys(one.id_order for one in page)
        rows = {row.key_major: row for row in self.ledger.rows_for(wanted)}
        documents = self.ledger.documents(wanted)
        dead, due = [], []
        for one in page:
            order = orders.get(one.id_order)
            row = rows.get(one.id_order)
            if order is None or order.your_ref != one.shipment.your_ref:
                self._skip(ShipmentReason.NOT_OUR_ORDER)
            elif order.state in self.rules.dead_states:
                self._skip(ShipmentReason.ORDER_IS_DEAD)
                self._say(
                    f"Order {one.id_order} is in state {order.state}, one of [orders] dead_states: it is left alone."
                )
                dead += [row] if row is not None else []
            else:
                due.append(Due(one.shipment, order, row, _known(row, documents)))
        self._clear(
            [row for row in dead if row.fingerprint is None and row.reason != ShipmentReason.ORDER_IS_DEAD],
            ShipmentReason.ORDER_IS_DEAD,
        )
        self.tally.eligible += len(due)
        if self.shipping is None:
            self._baseline(due)
        else:
            self._bring(due, self.shipping)

    def _is_due(self, one: Waiting, orders: Mapping[int, ShippedOrder]) -> bool:
        """Reference and id must fit: a person may type anything into Exact."""
        order = orders.get(one.id_order)
        is_ours = order is not None and order.your_ref == one.shipment.your_ref
        return order is not None and is_ours and order.state not in self.rules.dead_states

    def _check_states(self, shop: OpenOrders) -> None:
        """A state the shop does not have would leave half of its change behind (facts/prestashop.md section 3)."""
        known = set(shop.states())
        for name in ("shipped_state", "partial_state"):
            state: int = getattr(self.rules, name)
            if state and state not in known:
                raise ConfigurationError(
                    f"[shipments] {name} is {state}, which is no order state of this shop.",
                    hint=f"The shop has {', '.join(map(str, sorted(known))) or 'none'} (id_order_state).",
                    code="unknown_order_state",
                )
        self._are_states_known = True

    def _skip(self, reason: ShipmentReason) -> None:
        self.tally.skipped += 1
        self.tally.reasons[reason] += 1

    def _say(self, sentence: str) -> None:
        if len(self.passed_over) < _SAID:
            self.passed_over.append(sentence)

    # --- what is due ------------------------------------------------------------------------------------------

    def _baseline(self, due: Sequence[Due]) -> None:
        self.tally.unchanged += len(due)
        self.baselined += len(due)
        self._acknowledge([(one, ()) for one in due])

    def _bring(self, due: Sequence[Due], shipping: OrderShipping) -> None:
        self.tally.pending += len(due)
        room = len(due) if self.limit is None else max(0, self.limit - self._taken)
        self._taken += len(due[:room])
        brought: list[tuple[Due, Came]] = []
        try:
            for one in due[:room]:
                brought.append((one, shipping.bring(one.order, one.shipment, one.known)))
        finally:  # whatever ended this: what is in the shop is acknowledged
            self._note(brought)
        self._leave(due[room:])

    def _note(self, brought: Sequence[tuple[Due, Came]]) -> None:
        failures = []
        for one, came in brought:
            self.tally.warnings.update(Counter(remark.reason for remark in came.remarks))
            if came.failed is None:
                self.tally.delivered += 1
                continue
            row, key = one.row, (one.order.id_order, 0)
            repeated = row is not None and row.status == "failed" and row.reason == came.failed.reason
            self.tally.fail(FailedRecord(key, *came.failed, repeated, FLOW))
            self._troubled.add(one.order.id_order)
            failures.append(Failure(*key, *came.failed))
        self._acknowledge([(one, came.remarks) for one, came in brought if came.failed is None])
        if not self.is_dry:
            self.ledger.record_failures(failures, run_id=self.opened.id, at=self.clock())

    def _acknowledge(self, told: Sequence[tuple[Due, Sequence[Remarked]]]) -> None:
        if self.is_dry:
            return
        at = self.clock()
        self.ledger.acknowledge(
            [self._acknowledgement(one, some) for one, some in told], run_id=self.opened.id, at=at
        )
        remarks = [
            Remark(one.order.id_order, 0, some[0].reason, " ".join(remark.message for remark in some))
            for one, some in told
            if some
        ]
        self.ledger.remark(remarks, at=at)

    def _acknowledgement(self, due: Due, remarks: Sequence[Remarked]) -> Acknowledgement:
        row, shipment = due.row, due.shipment
        was_left = self.shipping is None or any(one.reason in _NOT_MOVED for one in remarks)
        return Acknowledgement(
            due.order.id_order,
            0,
            fingerprint=shipment.fingerprint(),
            force=0 if row is None else row.force_requested,
            source_digest=None,
            code=shipment.your_ref,
            document=shipment.stored(0 if was_left else self.rules.state_for(shipment.extent)),
            prior_fingerprint=None if row is None else row.fingerprint,
            prior_force=0 if row is None else row.force_acknowledged,
            known=row is not None,
        )

    def _leave(self, due: Sequence[Due]) -> None:
        if not due:
            return
        self.tally.left += len(due)
        self.tally.reasons[QUEUED] += len(due)
        self._troubled.update(one.order.id_order for one in due)
        if not self.is_dry:
            left = keys(one.order.id_order for one in due)
            self.ledger.record_pending(left, at=self.clock(), reason=QUEUED)

    def _clear(self, rows: Sequence[LedgerEntry | LedgerRow], reason: ShipmentReason) -> None:
        """What was never acknowledged waits for nothing any more."""
        if rows and not self.is_dry:
            cleared = [Clearing(row[0], row[1], reason, None, row.force_acknowledged) for row in rows]
            self.ledger.clear(cleared, run_id=self.opened.id, at=self.clock())


_ENDED = (ShipmentReason.ORDER_IS_DEAD, ShipmentReason.NO_LONGER_DELIVERED)
_NOT_MOVED = (ShipmentReason.STATE_IS_BEYOND, ShipmentReason.STATE_WAS_LEFT, ShipmentReason.ORDER_IS_DEAD)
_SAID = 20
"""Sentences on orders that were passed over."""


def _known(row: LedgerEntry | None, documents: Mapping[ProductKey, str]) -> Shipment | None:
    if row is None or row.force_requested > row.force_acknowledged:
        return None
    document = documents.get(row.key)
    return None if document is None else Shipment.from_stored(document)
