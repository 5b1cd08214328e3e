"""What a delivery of the ERP means for an order of the shop: which state it comes to, and its tracking number."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple, Protocol

from brekzsync.domain.texts import clean, normalise_code


class DeliveryNote(Protocol):
    """One delivery note of an order; ``quantity`` is what it delivered in all, negative when goods came back."""

    @property
    def number(self) -> str: ...
    @property
    def day(self) -> date | None: ...
    @property
    def tracking(self) -> str: ...
    @property
    def quantity(self) -> Decimal: ...


class ErpShipment(Protocol):
    """What the ERP delivered of the sales orders with one reference (``docnumber``)."""

    @property
    def reference(self) -> str: ...
    @property
    def ordered(self) -> Decimal: ...
    @property
    def delivered(self) -> Decimal: ...
    @property
    def completed(self) -> bool: ...
    @property
    def notes(self) -> Sequence[DeliveryNote]: ...


class Extent(StrEnum):
    """How much of an order was delivered."""

    PARTIAL = "partial"
    WHOLE = "whole"


class ShipmentReason(StrEnum):
    """Why a shipment was passed over, failed, or is remarked on; stable codes."""

    NOT_OUR_ORDER = "not_our_order"
    NOT_DELIVERED = "not_delivered"
    ORDER_IS_DEAD = "order_is_dead"
    TRACKING_REFUSED = "tracking_number_refused"
    TRACKING_DIFFERS = "tracking_differs"
    NO_CARRIER = "no_carrier"
    STATE_WAS_LEFT = "state_was_left"
    STATE_IS_BEYOND = "state_is_beyond"
    NO_LONGER_DELIVERED = "no_longer_delivered"


class Shipment(NamedTuple):
    """What the shop is to know of an order's deliveries.

    ``your_ref`` is normalised; ``tracking`` the number of the newest delivery note that has one, ``numbers`` those of
    all notes, oldest first, ``notes`` the notes' own numbers.
    """

    your_ref: str
    extent: Extent
    tracking: str
    numbers: tuple[str, ...]
    notes: tuple[str, ...]

    def fingerprint(self) -> bytes:
        """Equal for the same deliveries, whatever the configuration makes of them."""
        return blake2b(json.dumps(self, ensure_ascii=False).encode(), digest_size=16).digest()

    def stored(self, state: int) -> str:
        """As the ledger keeps it; ``state`` is the one it brought its order to, 0 for none."""
        return json.dumps(self._asdict() | {"state": state}, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_stored(cls, document: str) -> Shipment | None:
        """The shipment of a stored document; None for one this release cannot read."""
        try:
            found = json.loads(document)
            return cls(
                str(found["your_ref"]),
                Extent(found["extent"]),
                str(found["tracking"]),
                tuple(map(str, found["numbers"])),
                tuple(map(str, found["notes"])),
            )
        except (ValueError, TypeError, KeyError):
            return None


class ShippedOrder(NamedTuple):
    """An order of the shop now: its ``YourRef``, its state, the states its history ever held, and of each of its
    parcels (``order_carrier``), oldest first, the id and the tracking number."""

    id_order: int
    your_ref: str
    state: int
    ever_in: frozenset[int]
    parcels: tuple[tuple[int, str], ...]


class ShipmentRules(NamedTuple):
    """What the configuration says, as ids of order states; 0 stands for none."""

    shipped_state: int
    partial_state: int
    beyond_states: frozenset[int]
    dead_states: frozenset[int]

    def state_for(self, extent: Extent) -> int:
        """The state such a delivery brings an order to."""
        return self.shipped_state if extent is Extent.WHOLE else self.partial_state


class Remarked(NamedTuple):
    """Something to know of a shipment: a stable code and a sentence."""

    reason: str
    message: str


class StatePlan(NamedTuple):
    """The state to bring the order to, 0 for none; ``remark`` says why not where that may surprise."""

    state: int
    remark: Remarked | None = None


class TrackingPlan(NamedTuple):
    """The number to write and the parcel (``id_order_carrier``) it belongs to, 0 for none; ``refused`` says why the
    shop would not take it."""

    parcel: int
    number: str = ""
    remark: Remarked | None = None
    refused: Remarked | None = None


TRACKING_LENGTH = 64
_TRACKING = re.compile(r"[~:#,%&_=()\[\].? +\-@/a-zA-Z0-9]+")
"""What PrestaShop takes as a tracking number (facts/prestashop.md section 3)."""


def id_order_of(reference: str) -> int | None:
    """The ``id_order`` in a ``YourRef`` of ours; None when it cannot be one."""
    tail = reference.strip().rpartition("-")[2]
    is_id = tail.isascii() and tail.isdecimal() and len(tail) <= 10
    return int(tail) or None if is_id else None


def shipment_of(erp: ErpShipment) -> Shipment | None:
    """What was delivered; None when nothing was, or all of it came back as it seems.

    An order the ERP completed counts as whole, whatever was left of it: nothing more will come.
    """
    notes = sorted(
        (note for note in erp.notes if note.quantity > 0),
        key=lambda note: (note.day or date.min, len(note.number), note.number),
    )
    if not notes:
        return None
    numbers = list(dict.fromkeys(number for note in notes if (number := clean(note.tracking)[0])))
    newest = next((number for note in reversed(notes) if (number := clean(note.tracking)[0])), "")
    is_whole = erp.completed or erp.delivered >= erp.ordered
    return Shipment(
        normalise_code(erp.reference),
        Extent.WHOLE if is_whole else Extent.PARTIAL,
        newest,
        tuple(numbers),
        tuple(note.number for note in notes),
    )


def plan_state(
    shipment: Shipment, order: ShippedOrder, rules: ShipmentRules, known: Shipment | None
) -> StatePlan:
    """The state an order has to come to; never back to one it has left, and never out of one beyond.

    ``known`` is what the shop was told last: a second delivery of the same extent moves nothing.
    """
    wanted = rules.state_for(shipment.extent)
    if not wanted or order.state == wanted:
        return StatePlan(0)
    if order.state in rules.beyond_states:
        said = f"The shop has it in state {order.state} already, one of [shipments] beyond_states; it stays there."
        return StatePlan(0, Remarked(ShipmentReason.STATE_IS_BEYOND, said))
    if known is not None and shipment.extent in (known.extent, Extent.PARTIAL):
        return StatePlan(0)
    held = wanted in order.ever_in
    if held or (shipment.extent is Extent.PARTIAL and rules.shipped_state in order.ever_in):
        been = wanted if held else rules.shipped_state
        said = f"The shop had it in state {been} before and moved it on to {order.state}; it stays there."
        return StatePlan(0, Remarked(ShipmentReason.STATE_WAS_LEFT, said))
    return StatePlan(wanted)


def plan_tracking(shipment: Shipment, order: ShippedOrder, known: Shipment | None) -> TrackingPlan:
    """The tracking number an order's newest parcel has to get. What a person typed is left alone."""
    wanted = shipment.tracking
    if not wanted:
        return TrackingPlan(0)
    if not order.parcels:
        said = f"The order has no carrier in the shop, so {wanted} has no place there."
        return TrackingPlan(0, remark=Remarked(ShipmentReason.NO_CARRIER, said))
    parcel, number = order.parcels[-1]
    if number.strip() == wanted:
        return TrackingPlan(0)
    if number.strip() and number.strip() not in _ours(shipment, known):
        said = f"The shop has tracking number {number.strip()}, typed by a person; the ERP has {wanted}."
        return TrackingPlan(0, remark=Remarked(ShipmentReason.TRACKING_DIFFERS, said))
    if why := _why_refused(wanted):
        return TrackingPlan(0, refused=Remarked(ShipmentReason.TRACKING_REFUSED, why))
    return TrackingPlan(parcel, wanted)


def _ours(shipment: Shipment, known: Shipment | None) -> Collection[str]:
    return {*shipment.numbers, *(known.numbers if known else ())}


def _why_refused(number: str) -> str:
    """Why the shop would not take a tracking number, as a sentence; empty when it would."""
    remedy = "Correct it in Exact, or type another into the shop."
    if len(number) > TRACKING_LENGTH:
        return f"The tracking number {number} has {len(number)} characters; the shop takes {TRACKING_LENGTH}. {remedy}"
    if not _TRACKING.fullmatch(number):
        return f"The tracking number {number} has characters that the shop does not take. {remedy}"
    return ""
