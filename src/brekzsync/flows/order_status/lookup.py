"""What became of an operation whose answer was lost: the marketplace is asked before anything is repeated."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from brekzsync.domain.marketplace import Refused, RemoteOrder, StatusTask, TaskAccepted, TaskStatus, Ticket
from brekzsync.domain.order_status import Operation
from brekzsync.flows.order_status.ports import Marketplace
from brekzsync.flows.order_status.rules import MINUTE

_SKEW: Final = 2 * MINUTE
"""By how much the marketplace's clock may be behind ours."""


class Found(StrEnum):
    """What the marketplace has of an operation."""

    ACCEPTED = "accepted"  # a ticket of it, and the batch to watch
    OPEN = "open"  # a ticket of it without a batch, which is not decided yet
    DONE = "done"
    ABSENT = "absent"


class Answer(NamedTuple):
    """``accepted`` goes with ACCEPTED."""

    found: Found
    accepted: TaskAccepted | None = None


_KINDS: Final = {
    Operation.SHIP: "shipment",
    Operation.CANCEL: "cancellation",
    Operation.REFUND: "refund",
    Operation.DELIVER: "deliver",
}

SUCCEEDED: Final = ("succeed", "succeeded")
OPEN_STATES: Final = ("scheduled", "running")


class Lookup:
    """Asks by the order's id; for an old order without one, by reference and channel."""

    def find(self, client: Marketplace, store_id: int, task: StatusTask) -> Answer:
        """Its ticket first: it is there before the order changes, and says whether it will."""
        remote, feed_id = None, task.identity.feed_id
        if feed_id is None:
            remote = self.order(client, store_id, task)
            feed_id = None if remote is None else remote.feed_id
        ticket = None if feed_id is None else self.ticket(client, store_id, feed_id, task)
        if ticket is not None and ticket.batch_id is not None:
            return Answer(Found.ACCEPTED, TaskAccepted(task.id_order, ticket.batch_id, ticket.number))
        if ticket is not None and ticket.state in OPEN_STATES:
            return Answer(Found.OPEN)
        if ticket is not None and ticket.state in SUCCEEDED:
            return Answer(Found.DONE)
        remote = remote or self.order(client, store_id, task)
        return Answer(Found.DONE if remote is not None and remote.shows(task.operation) else Found.ABSENT)

    def numbered(self, client: Marketplace, store_id: int, task: StatusTask) -> Ticket | None:
        """The ticket whose number is known."""
        try:
            return client.ticket(store_id, task.ticket) if task.ticket else None
        except Refused:
            return None

    def ticket(self, client: Marketplace, store_id: int, feed_id: int, task: StatusTask) -> Ticket | None:
        """The newest ticket of this very sending: one of an earlier attempt is older than it, or known by its number
        (``logs retry`` may make them follow each other at once)."""
        try:
            tickets = list(client.tickets_of_order(store_id, feed_id, task.operation))
        except Refused:
            return None
        since = (task.sent_at or 0) - _SKEW
        earlier = task.ticket if task.status is TaskStatus.SENDING else None
        mine = [
            ticket
            for ticket in tickets
            if _KINDS[task.operation] in ticket.kind
            and ticket.number != earlier
            and (ticket.scheduled_at or since) >= since
        ]
        return _newest(mine)

    def order(self, client: Marketplace, store_id: int, task: StatusTask) -> RemoteOrder | None:
        """The order as the marketplace has it; None when it is not there."""
        try:
            return client.order(store_id, task.identity)
        except Refused:
            return None


def _newest(tickets: Iterable[Ticket]) -> Ticket | None:
    return max(tickets, key=lambda ticket: ticket.scheduled_at or 0, default=None)
