"""What passes between the flow of order statuses, the shop, the marketplace's API and the state."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from brekzsync.domain.order_status import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A token of the marketplace, the store it is used for, and the shop whose orders those are.

    ``id`` is ``id_shoppingfeed_token``, 0 where only the configuration names a token; ``store_id`` None means the first
    store of the token.
    """

    id: int
    id_shop: int
    token: str = field(repr=False)
    store_id: int | None
    is_active: bool = True


class Identity(NamedTuple):
    """How the marketplace knows an order: by its own id, an old order only by reference and channel
    (facts/shoppingfeed.md section 1.5)."""

    feed_id: int | None
    reference: str
    channel: str

    @property
    def is_usable(self) -> bool:
        """Whether anything here would be found."""
        return self.feed_id is not None or bool(self.reference and self.channel)


class MarketplaceOrder(NamedTuple):
    """A marketplace's order in the shop. ``id_token`` 0 fits any account of the shop; ``created_at`` (milliseconds,
    UTC) is when it was placed on the marketplace, else in the shop."""

    id_order: int
    id_shop: int
    shop_reference: str
    state: int
    identity: Identity
    id_token: int
    payment_method: str
    created_at: int

    @property
    def key(self) -> tuple[int, int]:
        """Its key in the ledger."""
        return self.id_order, 0


class Parcel(NamedTuple):
    """A row of ``order_carrier``, oldest first; ``url`` is the carrier's, with ``@`` where the number belongs."""

    carrier: str
    url: str
    number: str


class Tracking(NamedTuple):
    """What the marketplace is told of a shipment; all empty when nothing is known."""

    carrier: str = ""
    number: str = ""
    link: str = ""


class Notice(NamedTuple):
    """What the marketplace is told of one order; ``tracking`` matters to shipments only."""

    id_order: int
    identity: Identity
    tracking: Tracking = Tracking()


class Ignored(NamedTuple):
    """An order the marketplace did not take, with its words; of the identity what it echoed."""

    feed_id: int | None
    reference: str | None
    channel: str | None
    message: str


class Submission(NamedTuple):
    """The answer to accepted notices. Without a batch nothing was accepted but what ``ignored`` names was seen."""

    batch_id: str | None
    ignored: tuple[Ignored, ...]


class Ticket(NamedTuple):
    """What became, or is to become, of one order of a batch. ``state`` is the API's word, an unknown one is still
    open; ``scheduled_at`` is in milliseconds, UTC."""

    number: str
    batch_id: str | None
    kind: str
    state: str
    feed_id: int | None
    reference: str | None
    channel: str | None
    message: str
    scheduled_at: int | None


class RemoteOrder(NamedTuple):
    """An order as the marketplace's API has it."""

    feed_id: int
    reference: str
    channel: str
    status: str
    is_fulfilled_by_channel: bool

    def shows(self, operation: Operation) -> bool:
        """Whether its status tells that the operation was done; of a delivery none does."""
        return self.status in _SHOWN.get(operation, ())


_SHOWN = {
    Operation.SHIP: ("shipped",),
    Operation.CANCEL: ("cancelled",),
    Operation.REFUND: ("refunded",),
}


class TaskStatus(StrEnum):
    """Where an operation is on its way to the marketplace."""

    WAITING = "waiting"  # to be sent at ``not_before``, again or for the first time
    SENDING = "sending"  # claimed; if nobody is at it, it is not known whether the marketplace has it
    SENT = "sent"  # accepted, with a batch; its ticket tells the rest
    DEAD = "dead"  # given up, until a person or the order's state changes something


class StatusTask(NamedTuple):
    """One operation on its way. Times are milliseconds since the epoch, UTC.

    ``seen_at``: when the order was first seen to ask for it; ``reason`` and ``message``: its last failure; ``is_told``:
    people were told of that. ``id_account`` and ``store_id`` are those it was sent through, None before.
    """

    id_order: int
    operation: Operation
    status: TaskStatus
    seen_at: int
    not_before: int
    attempts: int
    shop_reference: str
    identity: Identity
    id_account: int | None = None
    store_id: int | None = None
    batch_id: str | None = None
    ticket: str | None = None
    sent_at: int | None = None
    tracking: str = ""
    reason: str | None = None
    message: str | None = None
    is_told: bool = True

    @property
    def key(self) -> tuple[int, int]:
        """Its key in the ledger."""
        return self.id_order, 0

    @property
    def is_on_its_way(self) -> bool:
        """Whether the marketplace may have it: nothing else is told of its order until that is decided."""
        return self.status in (TaskStatus.SENDING, TaskStatus.SENT)


class TaskHold(NamedTuple):
    """A task that waits for something else than its time; looked at again at ``until``."""

    id_order: int
    reason: str
    message: str
    until: int


class TaskClaim(NamedTuple):
    """A task about to be sent, by whom and with what."""

    id_order: int
    operation: Operation
    id_account: int
    store_id: int
    tracking: str


class TaskAccepted(NamedTuple):
    """A task the marketplace took, with the batch and the ticket it gave; None for what it did not tell."""

    id_order: int
    batch_id: str | None
    ticket: str | None


class TaskFailure(NamedTuple):
    """A task that failed; ``retry_at`` None means that it is given up. Only what was sent counts as an attempt."""

    id_order: int
    reason: str
    message: str
    retry_at: int | None
    was_sent: bool = True


class TaskEnd(NamedTuple):
    """A task that is over without the marketplace: the order left the state, or is gone."""

    id_order: int
    reason: str
    message: str


class Batch(NamedTuple):
    """A batch some of whose tickets are awaited."""

    id_account: int
    store_id: int
    batch_id: str


class Doubt(StrEnum):
    """Why it is not known whether a request was carried out."""

    FAILED = "failed"  # the marketplace ended it with an error, and is not at it any more
    LOST = "lost"  # the answer did not come, and it may still be at it


class Refused(Exception):
    """The marketplace's no to a request (400, 404, 409, 413, 422): parts of it may fare better."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


class Unclear(Exception):
    """A request that writes may have been carried out or not."""

    def __init__(self, doubt: Doubt, words: str) -> None:
        super().__init__(words)
        self.doubt = doubt
        self.words = words
