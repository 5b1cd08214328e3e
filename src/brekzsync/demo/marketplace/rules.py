"""How the demo's marketplace behaves: what it takes, what becomes of it, and in which words it says no."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from brekzsync.domain.order_status import Operation, can

Payload = Mapping[str, Any]
"""An element of a request, as it came."""

SUCCEED: Final = "succeed"
FAILED: Final = "failed"
CANCELED: Final = "canceled"
# The types of tickets (facts/shoppingfeed.md section 1.7); that of deliveries is documented nowhere.
KINDS: Final = {
    Operation.SHIP: "order.notify.shipment",
    Operation.CANCEL: "order.notify.cancellation",
    Operation.REFUND: "order.notify.refund",
    Operation.DELIVER: "order.notify.delivery",
}
_STATUS_AFTER: Final = {
    Operation.SHIP: "shipped",
    Operation.CANCEL: "cancelled",
    Operation.REFUND: "refunded",
    Operation.DELIVER: "shipped",  # an order stays shipped afterwards (section 1.5)
}


class DemoOrder(NamedTuple):
    """An order as the marketplace has it; ``placed_at`` in milliseconds, UTC."""

    id: int
    reference: str
    channel: str
    store_id: int = 1276
    status: str = "waiting_shipment"
    fulfilled_by: str = "store"  # or "channel"
    placed_at: int = 0


class Taken(NamedTuple):
    """An operation the marketplace took with a 202, and what became of it: ``state`` is its ticket's. ``payload`` is
    the element of the request as it came, ``at`` when that was (milliseconds, UTC)."""

    order: int
    reference: str
    channel: str
    operation: Operation
    payload: Payload
    batch: str
    ticket: str
    state: str
    message: str | None
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What it does beyond the plain path. Orders are named by their id (int) or their reference (str).

    A ticket comes to its end once it is older than ``ticket_delay`` seconds and was looked at ``ticket_looks`` times;
    for the first ``hidden_looks`` of them nothing was listed at all. Looks at tickets count, one by one.
    """

    ticket_delay: float = 0.0
    ticket_looks: int = 0
    hidden_looks: int = 0
    # What becomes of an operation, by order: in the marketplace's own words.
    failing: Mapping[int | str, str] = field(default_factory=dict)
    failures: int | None = None  # of each operation in `failing`, then it succeeds; None: it always fails
    ignoring: Mapping[int | str, str] = field(default_factory=dict)  # seen, but not taken: in the `report`
    refusing: Mapping[int | str, str] = field(default_factory=dict)  # HTTP 400 to the whole request
    canceling: Collection[int | str] = ()  # their tickets are canceled
    stuck: Mapping[int | str, str] = field(default_factory=dict)  # their tickets stay in this state
    without_ticket: Collection[int | str] = ()  # carried out, but no ticket is ever to be found
    needs_tracking: bool = True  # a shipment without a tracking number fails
    names_ids: bool = True  # a ticket's payload holds the order's id beside its reference
    largest_request: int = 100
    largest_page: int = 200
    requests_per_second: float | None = None  # more are answered with HTTP 429


def named(words: Iterable[str]) -> frozenset[int | str]:
    """Orders as a person names them: by id or reference, which may be a number as well."""
    return frozenset(name for word in words for name in ((word, int(word)) if word.isdecimal() else (word,)))


def names(order: DemoOrder, among: Collection[int | str]) -> bool:
    """Whether it is one of them, by its id or its reference."""
    return bool(among) and (order.id in among or order.reference in among)


def words_for(order: DemoOrder, words: Mapping[int | str, str]) -> str | None:
    """What is to be said of this order, if anything."""
    return (words.get(order.id) or words.get(order.reference)) if words else None


class Verdict(NamedTuple):
    """How a ticket ends, and in which status that leaves the order."""

    state: str
    message: str | None
    status: str


def verdict(
    order: DemoOrder, operation: Operation, payload: Payload, behaviour: Behaviour, failed_before: int
) -> Verdict:
    """What becomes of an operation; ``failed_before``: how often it failed for this order already.

    Repeating what was done is irrelevant and no error (facts/shoppingfeed.md section 1.5).
    """
    if names(order, behaviour.canceling):
        return Verdict(CANCELED, "Task refused", order.status)
    words = words_for(order, behaviour.failing)
    if words and (behaviour.failures is None or failed_before < behaviour.failures):
        return Verdict(FAILED, words, order.status)
    problem = _problem(order, operation, payload, behaviour)
    if problem:
        return Verdict(FAILED, problem, order.status)
    return Verdict(SUCCEED, None, _STATUS_AFTER[operation])


def _problem(order: DemoOrder, operation: Operation, payload: Payload, behaviour: Behaviour) -> str | None:
    if order.status == _STATUS_AFTER[operation]:
        return None
    if not can(order.channel, operation, {}):
        return f"{order.channel} does not support this operation ({operation})."
    if order.status in ("cancelled", "refunded"):
        return f"The order is {order.status}, its status can no longer be changed."
    match operation:
        case Operation.SHIP if behaviour.needs_tracking and not payload.get("trackingNumber"):
            return "A tracking number is mandatory to ship this order."
        case Operation.CANCEL if order.status == "shipped":
            return "The order was shipped already, it can no longer be canceled."
        case Operation.DELIVER:
            return "The order is not shipped."
    return None
