"""Which operations an order's state asks of the marketplace, and what is remembered of those it accepted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from itertools import combinations
from typing import Final, NamedTuple


class Operation(StrEnum):
    """What the marketplace can be told of an order; the value is the word in its API's address."""

    SHIP = "ship"
    CANCEL = "cancel"
    REFUND = "refund"
    DELIVER = "deliver"


class StatusReason(StrEnum):
    """Why an operation waits, was left out, or failed; stable codes."""

    QUEUED = "queued"
    SHIPPED_DELAY = "shipped_delay"
    NO_TRACKING_YET = "no_tracking_yet"
    IN_FLIGHT = "in_flight"
    UNCLEAR = "unclear"
    LEFT_BEFORE_SENT = "left_before_sent"
    ORDER_GONE = "order_gone"
    FULFILLED_BY_CHANNEL = "fulfilled_by_channel"
    NO_TRACKING = "no_tracking"
    NOT_OF_CHANNEL = "operation_not_of_channel"
    NO_IDENTITY = "no_marketplace_identity"
    NO_ACCOUNT = "no_marketplace_account"
    REFUSED = "refused"
    IGNORED = "ignored"
    TICKET_FAILED = "ticket_failed"
    TICKET_CANCELED = "ticket_canceled"
    TICKET_LOST = "ticket_lost"


class StatusRules(NamedTuple):
    """What the configuration says, as ids of order states."""

    shipped: frozenset[int]
    canceled: frozenset[int]
    refunded: frozenset[int]
    delivered: frozenset[int]
    implies_shipped: frozenset[int]

    @property
    def is_empty(self) -> bool:
        """Whether no state means anything to the marketplace."""
        return not any(self)

    def wanted(self, state: int) -> tuple[Operation, ...]:
        """What an order in this state asks for, in the order in which it is told.

        A state of several lists means the first of shipped, canceled, refunded, delivered. One that implies shipped
        asks for that first: an order may leave its shipped state before anybody was told.
        """
        return _wanted(self, state)


@lru_cache(maxsize=1024)  # a run asks for every order, of which few states there are
def _wanted(rules: StatusRules, state: int) -> tuple[Operation, ...]:
    lists = zip(rules[:4], Operation, strict=True)
    own = next((operation for states, operation in lists if state in states), None)
    told = (Operation.SHIP,) if state in rules.implies_shipped else ()
    return told if own is None or own in told else (*told, own)


def next_operation(wanted: Iterable[Operation], accepted: frozenset[Operation]) -> Operation | None:
    """The first that the marketplace has not accepted yet; None when it knows all."""
    return next((operation for operation in wanted if operation not in accepted), None)


def accepted_fingerprint(operations: Iterable[Operation]) -> bytes:
    """What the ledger compares: the set of operations the marketplace accepted of an order."""
    return blake2b(",".join(sorted(operations)).encode(), digest_size=16).digest()


_ACCEPTED: Final = {
    accepted_fingerprint(some): frozenset(some)
    for size in range(len(Operation) + 1)
    for some in combinations(Operation, size)
}


def accepted_of(fingerprint: bytes | None) -> frozenset[Operation]:
    """The operations behind a fingerprint; none for None and for one this release does not know."""
    return _ACCEPTED.get(fingerprint or b"", frozenset())


class AcceptedStatus(NamedTuple):
    """What the ledger keeps of an order: ``order`` is the shop's reference, ``marketplace`` the channel's name,
    ``reference`` the marketplace's, ``tracking`` what it was last told."""

    order: str
    marketplace: str
    reference: str
    operations: tuple[str, ...]
    tracking: str = ""

    def stored(self) -> str:
        """As the ledger keeps it."""
        return json.dumps(self._asdict(), ensure_ascii=False, separators=(",", ":"))


def told_tracking(document: str | None) -> str:
    """The tracking number of a document the ledger keeps; empty for one that cannot be read."""
    try:
        return str(json.loads(document or "")["tracking"])
    except (ValueError, KeyError, TypeError):
        return ""


class ShopSync(NamedTuple):
    """What a shop's own modules do about order statuses. ``old_module`` is shoppingfluxexport: None, it is not
    installed, else whether it is active; ``old_sync`` that it is set to synchronise orders; ``module_sync`` that the
    shoppingfeed module is."""

    id_shop: int
    name: str
    old_module: bool | None
    old_sync: bool
    module_sync: bool


class Conflict(NamedTuple):
    """Who else would tell the marketplace of orders, or would have to be asked; a sentence and its remedy."""

    code: str
    message: str
    hint: str


def conflict(shop: ShopSync, *, allow_when_absent: bool, allow_module_sync: bool) -> Conflict | None:
    """Whether another module stands in the way in this shop: two that tell the marketplace tell it twice.

    That an absent shoppingfluxexport counts as well is the module's own rule (source 003; facts/shoppingfeed.md
    section 2.3), which ``allow_when_absent`` lifts.
    """
    if shop.old_module and shop.old_sync:
        return Conflict(
            "other_module_syncs",
            f"The module shoppingfluxexport is set to synchronise orders in shop {shop.name}.",
            "Clear its options for order shipment and cancellation in the back office, or disable the module.",
        )
    if shop.old_module is None and not allow_when_absent:
        return Conflict(
            "old_module_absent",
            f"The module shoppingfluxexport is not installed in shop {shop.name}.",
            'If that shop never had it, set [marketplace] conflict = "allow_when_absent".',
        )
    if shop.module_sync and not allow_module_sync:
        return Conflict(
            "module_syncs",
            f"The module shoppingfeed synchronises order statuses itself in shop {shop.name}"
            " (SHOPPINGFEED_ORDER_SYNC_ENABLED).",
            "Switch its order synchronisation off in the back office, or set [marketplace] allow_module_sync = true.",
        )
    return None


# Names are compared without regard to case and to anything but letters and digits. The API's documentation lists what
# each channel can do (facts/shoppingfeed.md section 1.5); a channel it does not name may do everything: behind Mirakl
# stand shops with names of their own.
_CANCEL: Final = (
    "mirakl amazon bol cdiscount ebay joom metromarket miinto rakuten real refurbed"
    " tiktokshop walmart zalando"
)
_REFUND: Final = "mirakl cdiscount ebay miravia real refurbed tiktokshop veepee veepeegroup zalando"
_OTHERS: Final = "manomano fnac colizey backmarket wayfair"
_KNOWN: Final = frozenset(f"{_CANCEL} {_REFUND} {_OTHERS}".split())
_ABLE: Final = {Operation.CANCEL: frozenset(_CANCEL.split()), Operation.REFUND: frozenset(_REFUND.split())}


def can(channel: str, operation: Operation, own: Mapping[str, Iterable[str]]) -> bool:
    """Whether a channel takes an operation; ``own`` is what the configuration says of channels by name."""
    name = plain(channel)
    for configured, operations in own.items():
        if plain(configured) == name:
            return operation in operations
    return name not in _KNOWN or name in _ABLE.get(operation, _KNOWN)


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """A channel's name as names are compared."""
    return "".join(filter(str.isalnum, name.casefold()))
