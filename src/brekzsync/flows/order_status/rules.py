"""How order statuses are told, as the configuration has it; times are milliseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from brekzsync.domain.marketplace import MarketplaceOrder, Parcel, StatusTask, Tracking
from brekzsync.domain.order_status import Operation, StatusReason, StatusRules, can, plain

MINUTE: Final = 60_000
_FIRST_RETRY: Final = 5 * MINUTE
_LONGEST_RETRY: Final = 6 * 60 * MINUTE
_LONGEST_LOOK: Final = 60 * MINUTE
_HEALS: Final = (StatusReason.NO_TRACKING, StatusReason.NO_IDENTITY, StatusReason.NO_ACCOUNT)
"""What the shop mends by itself, or a person in it: looked at again and again, and nothing is sent meanwhile."""
UNSENT: Final = (*_HEALS, StatusReason.NOT_OF_CHANNEL)
"""What fails without the marketplace being asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushRules:
    """``fulfilled_by_channel`` are names as ``domain.order_status.plain`` gives them."""

    states: StatusRules
    shipped_delay: int
    tracking_wait: int
    sends_without_tracking: bool
    joins_parcels: bool
    fulfilled_by_channel: frozenset[str]
    channel_operations: Mapping[str, Sequence[str]]
    canceled_is_done: bool
    ticket_wait: int
    attempts: int
    allow_when_absent: bool
    allow_module_sync: bool
    first_run_limit: int

    def not_before(self, operation: Operation, now: int) -> int:
        """When an operation that is seen now may go: merchants type the tracking number after the state."""
        return now + self.shipped_delay if operation is Operation.SHIP else now

    def tracking_deadline(self, task: StatusTask) -> int:
        """Until when a shipment waits for its tracking number."""
        return task.seen_at + self.shipped_delay + self.tracking_wait

    def is_sent_by_channel(self, order: MarketplaceOrder) -> bool:
        """Whether the shop already knows that the channel sends it itself."""
        return bool(
            {plain(order.identity.channel), plain(order.payment_method)} & self.fulfilled_by_channel - {""}
        )

    def takes(self, channel: str, operation: Operation) -> bool:
        """Whether the channel takes the operation at all."""
        return can(channel, operation, self.channel_operations)

    def tracking(self, parcels: Sequence[Parcel]) -> Tracking:
        """What is told of an order's parcels: carrier and link always belong to the number they stand beside.

        Without any number the carrier alone is told, and no link: one without a number leads nowhere.
        """
        numbered = [parcel for parcel in parcels if parcel.number]
        if not numbered:
            return Tracking(carrier=parcels[-1].carrier) if parcels else Tracking()
        first = numbered[0]
        numbers = list(dict.fromkeys(parcel.number for parcel in numbered))
        return Tracking(
            first.carrier,
            ",".join(numbers) if self.joins_parcels else first.number,
            first.url.replace("@", quote(first.number, safe="")),
        )

    def retry_at(self, task: StatusTask, reason: str, now: int) -> int | None:
        """When a task that failed is tried again; None when it is given up.

        What heals is looked at the more rarely the longer it has been so, and tells at most an hour late that it has.
        """
        if reason == StatusReason.NOT_OF_CHANNEL:
            return None
        if reason in _HEALS:
            return now + max(_FIRST_RETRY, min((now - task.seen_at) // 8, _LONGEST_LOOK))
        if task.attempts + 1 >= self.attempts:
            return None
        return now + min(_FIRST_RETRY << min(task.attempts, 16), _LONGEST_RETRY)
