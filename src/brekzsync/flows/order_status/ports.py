"""What order statuses need of the outside, as Protocols; ``bootstrap/order_status.py`` chooses who fulfils them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from brekzsync.domain.keys import BEFORE_ALL, ProductKey
from brekzsync.domain.ledger import Acknowledgement, LedgerEntry, LedgerRow
from brekzsync.domain.marketplace import (
    Account,
    Batch,
    Identity,
    MarketplaceOrder,
    Notice,
    Parcel,
    RemoteOrder,
    StatusTask,
    Submission,
    TaskAccepted,
    TaskClaim,
    TaskEnd,
    TaskFailure,
    TaskHold,
    Ticket,
)
from brekzsync.domain.notices import FailedNotice
from brekzsync.domain.order_status import Operation, ShopSync


class OpenMarketplaceShop(Protocol):
    """The shop within one snapshot; only the shops that ``[marketplace] shops`` chooses."""

    def syncs(self) -> Sequence[ShopSync]:
        """What the modules of each of these shops do themselves."""

    def accounts(self) -> Sequence[Account]:
        """Every account, inactive ones too: orders may name them."""

    def orders(self, after: int = 0) -> Iterator[MarketplaceOrder]:
        """Every marketplace order with a greater ``id_order``, ascending, flat in memory."""

    def some(self, ids: Collection[int]) -> Mapping[int, MarketplaceOrder]:
        """Those of these orders that are marketplace orders; up to a few thousand."""

    def exist(self, ids: Collection[int]) -> set[int]:
        """Those of these orders that exist, of whatever shop and origin."""

    def parcels(self, ids: Collection[int]) -> Mapping[int, Sequence[Parcel]]:
        """The parcels of these orders, oldest first; up to a few thousand."""


class MarketplaceShop(Protocol):
    """The shop, read in snapshots."""

    def open(self) -> AbstractContextManager[OpenMarketplaceShop]: ...


class Marketplace(Protocol):
    """The marketplace's API with one token.

    Every method raises Unavailable (after its own patience with 429 and with connections that do not come about),
    AccessDenied, ConfigurationError for an address that is not the API's, and Refused; ``submit`` also Unclear.
    """

    def stores(self) -> Mapping[int, str]:
        """The stores the token is for, with their names, in the marketplace's order."""

    def submit(self, store_id: int, operation: Operation, notices: Sequence[Notice]) -> Submission:
        """One request, at most 100 notices; never repeated here once it may have been received."""

    def tickets(self, store_id: int, batch_id: str) -> Iterator[Ticket]:
        """Every ticket of a batch, over all pages; none for a batch that is not known (yet)."""

    def ticket(self, store_id: int, number: str) -> Ticket | None:
        """One ticket; None when the API does not know it (any more)."""

    def tickets_of_order(self, store_id: int, feed_id: int, operation: Operation) -> Iterator[Ticket]:
        """The tickets of one order for one operation, whatever their batch."""

    def order(self, store_id: int, identity: Identity) -> RemoteOrder | None:
        """The order itself, by its id or looked up by reference and channel; None when it is not there."""

    def fulfilled_by_channel(self, store_id: int, since: int) -> Iterator[int]:
        """The ids of orders placed since (milliseconds, UTC) that the channel sends itself."""

    def close(self) -> None: ...


class StatusTasks(Protocol):
    """The operations on their way. Every method that writes is one durable transaction that changes the ledger's rows
    with the tasks, and returns how many tasks took effect. ``at`` is in milliseconds, UTC."""

    def rows(self, after: int = 0) -> Iterator[StatusTask]:
        """Every task with a greater ``id_order``, ascending, flat in memory; writing meanwhile is fine."""

    def some(self, ids: Collection[int]) -> Mapping[int, StatusTask]: ...

    def due(self, at: int, *, after: int, limit: int) -> Sequence[StatusTask]:
        """WAITING ones whose ``not_before`` has come, by ``id_order`` above ``after``."""

    def unclear(self, *, sent_before: int, after: int, limit: int) -> Sequence[StatusTask]:
        """SENDING ones claimed before that moment, by ``id_order`` above ``after``."""

    def batches(self) -> Iterator[Batch]:
        """The batches of the SENT ones, each once, flat in memory."""

    def of_batch(self, batch: Batch) -> Sequence[StatusTask]:
        """The SENT ones of a batch."""

    def add(self, tasks: Sequence[StatusTask], *, at: int) -> int:
        """New tasks, or others in the place of WAITING or DEAD ones; never of one that is SENDING or SENT. The
        ledger says ``queued``, or ``shipped_delay`` until when."""

    def hold(self, holds: Sequence[TaskHold], *, at: int) -> int:
        """Put off WAITING ones; the ledger says why."""

    def claim(self, claims: Sequence[TaskClaim], *, at: int) -> int:
        """WAITING ones become SENDING; those of another operation by now are not touched. The ledger says
        ``in_flight``."""

    def release(self, ids: Sequence[int], *, at: int) -> int:
        """SENDING ones that the marketplace certainly did not get become WAITING; no attempt is counted."""

    def accept(self, accepted: Sequence[TaskAccepted], *, at: int) -> int:
        """SENDING ones become SENT."""

    def note_tickets(self, numbers: Sequence[tuple[int, str]]) -> int:
        """Keep the tickets' numbers of SENT ones."""

    def finish(self, done: Sequence[Acknowledgement], *, run_id: int, at: int) -> int:
        """The marketplace accepted them: the tasks are deleted and the ledger acknowledges; keys are (id_order, 0)."""

    def fail(self, failures: Sequence[TaskFailure], *, run_id: int, at: int) -> int:
        """They become WAITING until ``retry_at``, or DEAD; attempts grow by one where something was sent. What
        differs from the failure before is to be told."""

    def end(self, ends: Sequence[TaskEnd], *, run_id: int, at: int) -> int:
        """WAITING and DEAD ones are deleted, with a line in the record's history; the ledger's row is synced again, or
        cleared where nothing was ever accepted."""

    def untold(self, limit: int) -> Sequence[StatusTask]:
        """Those whose last failure nobody was told of yet, by ``id_order``."""

    def tell(self, tasks: Sequence[StatusTask]) -> int:
        """People were told of exactly these failures."""


class StatusLedger(Protocol):
    """What the marketplace accepted of each order; keys are (``id_order``, 0), fingerprints those of
    ``domain.order_status.accepted_fingerprint``."""

    def is_empty(self) -> bool: ...

    def rows(self, after: ProductKey = BEFORE_ALL) -> Iterator[LedgerRow]: ...

    def rows_for(self, keys: Collection[ProductKey]) -> Sequence[LedgerEntry]: ...

    def documents(self, keys: Collection[ProductKey]) -> Mapping[ProductKey, str]:
        """What it keeps of those of which something was accepted."""


class Notifier(Protocol):
    """How people are told of what the marketplace did not accept."""

    def tell(self, failures: Sequence[FailedNotice]) -> None:
        """Tell of all of these in one message; nothing is sent for none. Raises BrekzsyncError when nobody was told;
        they are then to be told again by the next run."""
