"""One order's shipment brought into the shop: tracking number first, then the state, each looked at right before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from brekzsync.domain.shipments import (
    Remarked,
    Shipment,
    ShipmentReason,
    ShipmentRules,
    ShippedOrder,
    plan_state,
    plan_tracking,
)
from brekzsync.errors import RecordError, Unavailable
from brekzsync.flows.shipments.ports import UNCLEAR, OrderWriter


class Came(NamedTuple):
    """What came of an order: why it failed (None when it did not), and what else there is to know."""

    failed: Remarked | None
    remarks: tuple[Remarked, ...]


UNCLEAR_AT_MOST = 3
"""Orders in a row of which nobody knows whether the shop took them: then it is the shop, and no order."""


@dataclass(slots=True, kw_only=True)
class OrderShipping:
    """Writes through ``writer``; without one, a dry run, it only says what would come of it."""

    rules: ShipmentRules
    writer: OrderWriter | None
    send_email: bool
    before_writing: Callable[[], None]
    _unclear: int = 0

    def bring(self, order: ShippedOrder, shipment: Shipment, known: Shipment | None) -> Came:
        """Safe to repeat: what is there already is not written again.

        The number goes first, because the shop's mail and whatever else follows a change of state read it then. One
        the shop refuses does not hold the state back, for only a person can mend it; any other trouble does. Raises
        Unavailable, AccessDenied, ConfigurationError when nothing more can be written at all.
        """
        refused: Remarked | None = None
        remarks: list[Remarked] = []
        try:
            try:
                remarks += self._bring_tracking(order, shipment, known)
            except RecordError as error:
                if error.reason != ShipmentReason.TRACKING_REFUSED:
                    raise
                refused = Remarked(error.reason, error.message)
            remarks += self._bring_state(order, shipment, known)
        except RecordError as error:
            return Came(refused or Remarked(error.reason, error.message), tuple(remarks))
        return Came(refused, tuple(remarks))

    def _bring_tracking(
        self, order: ShippedOrder, shipment: Shipment, known: Shipment | None
    ) -> list[Remarked]:
        """Raises RecordError for a number that the shop refuses, or of which nobody knows whether it took it."""
        plan = plan_tracking(shipment, order, known)
        if plan.parcel and self.writer is not None:
            parcels = tuple((parcel, number) for parcel, number in self.writer.tracking(order.id_order))
            plan = plan_tracking(shipment, order._replace(parcels=parcels), known)
            if plan.parcel:
                parcel, number, writer = plan.parcel, plan.number, self.writer
                self._write(lambda: writer.set_tracking(parcel, number))
        if plan.refused:
            raise RecordError(*plan.refused)
        return [plan.remark] if plan.remark else []

    def _bring_state(self, order: ShippedOrder, shipment: Shipment, known: Shipment | None) -> list[Remarked]:
        """Raises RecordError when the shop refuses the state, or nobody knows whether it took it."""
        plan = plan_state(shipment, order, self.rules, known)
        if plan.state and self.writer is not None:
            now = self.writer.state_of(order.id_order)
            if now in self.rules.dead_states:
                said = f"It was about to be moved when the shop brought it to state {now}; it is left there."
                return [Remarked(ShipmentReason.ORDER_IS_DEAD, said)]
            plan = plan_state(shipment, order._replace(state=now), self.rules, known)
            if plan.state:
                state, writer = plan.state, self.writer
                self._write(lambda: writer.set_state(order.id_order, state, self.send_email))
        return [plan.remark] if plan.remark else []

    def _write(self, do: Callable[[], None]) -> None:
        """Raises RecordError where it is not clear whether it was done: the next run looks, the other orders go on."""
        self.before_writing()
        try:
            do()
        except Unavailable as error:
            self._unclear += 1
            if error.code != UNCLEAR or self._unclear >= UNCLEAR_AT_MOST:
                raise
            raise RecordError(
                UNCLEAR, f"{error.message} The next run looks before it does anything."
            ) from error
        self._unclear = 0
