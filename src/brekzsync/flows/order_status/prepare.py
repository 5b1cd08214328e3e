"""The last look before an operation is sent: the order, its parcels and its account, read afresh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from brekzsync.domain.ledger import LedgerEntry
from brekzsync.domain.marketplace import MarketplaceOrder, Notice, Parcel, Refused, StatusTask, Tracking
from brekzsync.domain.order_status import Operation, StatusReason, accepted_of, next_operation
from brekzsync.errors import BrekzsyncError, Interrupted, RecordError
from brekzsync.flows.order_status.accounts import Accounts, Way
from brekzsync.flows.order_status.book import Book
from brekzsync.flows.order_status.detect import left
from brekzsync.flows.order_status.lookup import Lookup
from brekzsync.flows.order_status.ports import MarketplaceShop

_DAY: Final = 86_400_000


class Ready(NamedTuple):
    """A task that may go now, where to, and what it says."""

    task: StatusTask
    way: Way
    notice: Notice
    created_at: int

    @property
    def group(self) -> tuple[Way, Operation]:
        """What goes into one request goes the same way and says the same."""
        return self.way, self.task.operation


@dataclass(slots=True)
class Preparing:
    """Sorts due tasks into those that may go and those that wait, ended or failed.

    ``_asked`` holds since when the marketplace was asked, per store, which orders it sends itself.
    """

    shop: MarketplaceShop
    accounts: Accounts
    lookup: Lookup
    book: Book
    _asked: dict[int, int] = field(default_factory=dict)
    _by_channel: dict[int, set[int]] = field(default_factory=dict)

    def ready(self, tasks: Sequence[StatusTask]) -> list[Ready]:
        """Those that may go; of the others it is written down what became of them."""
        rows = self.book.rows(tasks)
        with self.shop.open() as shop:
            orders = shop.some([task.id_order for task in tasks])
            parcels = shop.parcels([task.id_order for task in tasks if task.operation is Operation.SHIP])
        ready: list[Ready] = []
        failed: list[tuple[StatusTask, str, str]] = []
        for task in tasks:
            order, row = orders.get(task.id_order), rows.get(task.id_order)
            if order is None:
                self._left_out(
                    task, StatusReason.ORDER_GONE, "It is no marketplace order that counts any more."
                )
            elif self._asks(order, row) is not task.operation:
                self._left_out(task, StatusReason.LEFT_BEFORE_SENT, left(task, order))
            else:
                try:
                    one = self._one(task, order, parcels, row)
                except RecordError as error:
                    failed.append((task, error.reason, error.message))
                    continue
                ready += [one] if one is not None else []
        self.book.fail(failed, rows)
        going = self._not_by_channel(self._not_done(ready))
        self.book.flush()
        return going

    def _asks(self, order: MarketplaceOrder, row: LedgerEntry | None) -> Operation | None:
        accepted = accepted_of(None if row is None else row.fingerprint)
        return next_operation(self.book.rules.states.wanted(order.state), accepted)

    def _one(
        self,
        task: StatusTask,
        order: MarketplaceOrder,
        parcels: Mapping[int, Sequence[Parcel]],
        row: LedgerEntry | None,
    ) -> Ready | None:
        """None while it waits. Raises RecordError for one that cannot go as it is."""
        identity, operation, rules = order.identity, task.operation, self.book.rules
        if not identity.is_usable:
            raise RecordError(
                StatusReason.NO_IDENTITY,
                f"Order {order.id_order} has neither an id of Shopping Feed nor reference and marketplace"
                " (shoppingfeed_order): nobody could tell which order is meant. Fill in its row.",
            )
        if not rules.takes(identity.channel, operation):
            raise RecordError(
                StatusReason.NOT_OF_CHANNEL,
                f"{identity.channel} does not take {operation}: tell it in the marketplace's own back office; if it"
                " does by now, say so in [marketplace] channel_operations.",
            )
        way = self.accounts.way_of(order)
        tracking = Tracking()
        if operation is Operation.SHIP:
            tracking = rules.tracking(parcels.get(order.id_order, ()))
            if not tracking.number and self._waits_for_tracking(task, row):
                return None
        task = task._replace(identity=identity, tracking=tracking.number, shop_reference=order.shop_reference)
        return Ready(task, way, Notice(order.id_order, identity, tracking), order.created_at)

    def _waits_for_tracking(self, task: StatusTask, row: LedgerEntry | None) -> bool:
        """Whether it waits for a tracking number. Raises RecordError when that was to no purpose."""
        rules, now = self.book.rules, self.book.now()
        if now < rules.tracking_deadline(task):
            hours = (rules.tracking_deadline(task) - now) / 3_600_000
            then = "is then sent without" if rules.sends_without_tracking else "fails then"
            sentence = f"ship waits for a tracking number, for {hours:.1f} h at most, and {then}."
            self.book.hold(task, StatusReason.NO_TRACKING_YET, sentence, row)
            return True
        if rules.sends_without_tracking:
            self.book.tally.warnings["sent_without_tracking"] += 1
            return False
        raise RecordError(
            StatusReason.NO_TRACKING,
            f"Order {task.id_order} is shipped and has no tracking number. Fill it in in the shop's back office;"
            ' [marketplace] without_tracking = "send" sends it without.',
        )

    def _left_out(self, task: StatusTask, reason: str, sentence: str) -> None:
        """It was pending when it was counted, and is not any more."""
        tally = self.book.tally
        tally.pending -= 1
        tally.eligible -= 1
        tally.skipped += 1
        tally.reasons[reason] += 1
        self.book.end(task, reason, sentence)

    # --- what the marketplace knows already -----------------------------------------------------------------------

    def _not_done(self, ready: Sequence[Ready]) -> list[Ready]:
        """Without those the marketplace refused before and shows as done by now: somebody told it there."""
        if self.book.is_dry:
            return list(ready)
        kept = []
        for one in ready:
            remote = None
            if one.task.attempts:
                remote = self.lookup.order(self.accounts.client(one.way), one.way.store_id, one.task)
            if remote is not None and remote.is_fulfilled_by_channel:
                self._by_channel_it_is(one)
            elif remote is not None and remote.shows(one.task.operation):
                self.book.tally.delivered += 1
                self.book.finish([one.task])
            else:
                kept.append(one)
        return kept

    def _not_by_channel(self, ready: Sequence[Ready]) -> list[Ready]:
        """Without those the channel sends itself: they must not be told."""
        if self.book.is_dry:
            return list(ready)
        self._ask(ready)
        kept = []
        for one in ready:
            feed_id = one.notice.identity.feed_id
            if feed_id is not None and feed_id in self._by_channel.get(one.way.store_id, ()):
                self._by_channel_it_is(one)
            else:
                kept.append(one)
        return kept

    def _by_channel_it_is(self, one: Ready) -> None:
        sentence = "The channel sends it itself; nothing is told."
        self._left_out(one.task, StatusReason.FULFILLED_BY_CHANNEL, sentence)

    def _ask(self, ready: Sequence[Ready]) -> None:
        """One question for each store; a later page of older orders has it asked again."""
        since: dict[Way, int] = {}
        for one in ready:
            if not one.task.attempts and one.created_at:
                since[one.way] = min(since.get(one.way, one.created_at), one.created_at)
        for way, oldest in since.items():
            asked = self._asked.get(way.store_id)
            if asked is None or asked > oldest:
                self._asked[way.store_id] = oldest
                self._ask_store(way, oldest - _DAY)

    def _ask_store(self, way: Way, since: int) -> None:
        """Not to know it stops nothing: the marketplace refuses such an order by itself."""
        try:
            found = self.accounts.client(way).fulfilled_by_channel(way.store_id, since)
            self._by_channel.setdefault(way.store_id, set()).update(found)
        except Interrupted:
            raise
        except (BrekzsyncError, Refused) as error:
            self.book.warnings.append(f"Which orders the channels send themselves is not known: {error}")
