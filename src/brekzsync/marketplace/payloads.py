"""What is sent to Shopping Feed: pure functions from an operation to JSON (facts/shoppingfeed.md section 1.5).

An operation on parts of an order is spelled here as well, though the flow only tells of whole orders: to repeat one
of a part is not known to be safe, to repeat one of a whole order is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from brekzsync.domain.marketplace import Identity, Notice, Tracking
from brekzsync.domain.order_status import Operation

Element = Mapping[str, Any]


class Returning(NamedTuple):
    """How the customer sends goods back."""

    carrier: str | None = None
    number: str | None = None


def body(elements: Sequence[Element]) -> dict[str, Any]:
    """A request: elements of one operation, at most 100."""
    return {"order": list(elements)}


def element(operation: Operation, notice: Notice) -> Element:
    """One order as a whole."""
    match operation:
        case Operation.SHIP:
            return ship(notice.identity, notice.tracking)
        case Operation.CANCEL:
            return cancel(notice.identity)
        case Operation.REFUND:
            return refund(notice.identity)
        case Operation.DELIVER:
            return deliver(notice.identity)


def ship(
    identity: Identity,
    tracking: Tracking,
    *,
    items: Sequence[tuple[int, int]] = (),
    warehouse: str | None = None,
    returning: Returning | None = None,
) -> Element:
    """``items`` are the marketplace's item ids with quantities, none: the whole order; without ``warehouse`` it is the
    store's own."""
    told = {
        **_identified(identity),
        "carrier": tracking.carrier,
        "trackingNumber": tracking.number,
        "trackingLink": tracking.link,
        "items": [{"id": item, "quantity": quantity} for item, quantity in items],
        "warehouseId": warehouse,
    }
    if returning is not None:
        told["returnInfo"] = {"carrier": returning.carrier, "trackingNumber": returning.number}
    return told


def cancel(identity: Identity, reason: str = "") -> Element:
    """Only before the shipment: a shipped order cannot be canceled any more."""
    return {**_identified(identity), "reason": reason}


def refund(identity: Identity, *, shipping: bool = True, products: Sequence[tuple[str, int]] = ()) -> Element:
    """``products`` are references of the order's items with quantities, none: all of them."""
    returned = [{"reference": reference, "quantity": quantity} for reference, quantity in products]
    return {**_identified(identity), "refund": {"shipping": shipping, "products": returned}}


def deliver(identity: Identity) -> Element:
    """It says nothing but which order."""
    return _identified(identity)


def _identified(identity: Identity) -> dict[str, Any]:
    """By Shopping Feed's id; by reference and channel only where the shop never learned the id: that is deprecated."""
    if identity.feed_id is not None:
        return {"id": identity.feed_id}
    return {"reference": identity.reference, "channelName": identity.channel}
