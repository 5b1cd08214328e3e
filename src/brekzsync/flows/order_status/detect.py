"""What the marketplace does not know yet: every order's state now, beside what was accepted and what is on its way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple

from brekzsync.domain.ledger import LedgerEntry, LedgerRow
from brekzsync.domain.marketplace import MarketplaceOrder, StatusTask, TaskStatus
from brekzsync.domain.order_status import Operation, StatusReason, accepted_of, next_operation
from brekzsync.domain.outcomes import FailedRecord
from brekzsync.errors import InvalidInput
from brekzsync.flows.converge import merge_join
from brekzsync.flows.order_status.book import FLOW, Book, keys, new_task
from brekzsync.flows.order_status.ports import OpenMarketplaceShop

_BATCH: Final = 500
RETRY: Final = "waiting_to_retry"


class Known(NamedTuple):
    """What the state holds of an order."""

    key: tuple[int, int]
    task: StatusTask | None
    row: LedgerRow | LedgerEntry | None


class Seen(NamedTuple):
    """An order beside what is known of it; None for one that does not count (any more)."""

    order: MarketplaceOrder | None
    task: StatusTask | None
    row: LedgerRow | LedgerEntry | None

    @property
    def accepted(self) -> frozenset[Operation]:
        """What the marketplace accepted of it."""
        return accepted_of(None if self.row is None else self.row.fingerprint)


@dataclass(slots=True)
class Detection:
    """One look at the orders of the shop; what it finds becomes tasks.

    ``take_due`` gets, in a dry run, what a real one would find due in the state afterwards.
    """

    shop: OpenMarketplaceShop
    book: Book
    take_due: Callable[[Sequence[StatusTask]], None]
    _new: list[StatusTask] = field(default_factory=list)
    _due: list[StatusTask] = field(default_factory=list)

    def run(self, ids: Sequence[int], advance: Callable[[int], None]) -> None:
        """All orders, or some."""
        seen = self.some(ids) if ids else self.all()
        while page := list(islice(seen, _BATCH)):
            for one in page:
                self._judge(one)
            self._flush()
            advance(len(page))

    def all(self) -> Iterator[Seen]:
        """Every order of the shop and everything known, side by side in key order."""
        for order, known in merge_join(self.shop.orders(), self._known()):
            yield Seen(order, *((known.task, known.row) if known else (None, None)))

    def some(self, ids: Sequence[int]) -> Iterator[Seen]:
        """These orders. Raises InvalidInput (``unknown_id``) for those the shop lacks."""
        wanted = sorted(set(ids))
        existing = self.shop.exist(wanted)
        unknown = [str(one) for one in wanted if one not in existing]
        if unknown:
            raise InvalidInput(
                f"The shop has no order {', '.join(unknown)}; nothing was sent.",
                hint="Give ids of orders as the shop's back office shows them.",
                code="unknown_id",
            )
        orders, tasks = self.shop.some(wanted), self.book.tasks.some(wanted)
        rows = {row.key_major: row for row in self.book.ledger.rows_for(keys(wanted))}
        for one in wanted:
            if one not in orders:
                self.book.say(f"Order {one} is no order of a marketplace that counts here.")
            yield Seen(orders.get(one), tasks.get(one), rows.get(one))

    def count_unseen(self, ids: Sequence[int], most: int) -> int:
        """How many orders ask for an operation that nobody has dealt with; counted no further than ``most``."""
        count = 0
        for one in self.some(ids) if ids else self.all():
            count += one.task is None and self._wants(one) is not None
            if count > most:
                break
        return count

    def baseline(self, ids: Sequence[int], advance: Callable[[int], None]) -> int:
        """Take what every order asks for now as accepted, unless it is on its way; how many were taken."""
        taken, seen = 0, self.some(ids) if ids else self.all()
        while page := list(islice(seen, _BATCH)):
            known = [one for one in page if self._is_taken_as_known(one)]
            now = self.book.now()
            self.book.acknowledge(
                [
                    (
                        one.task or new_task(one.order, Operation.SHIP, self.book.rules, now),
                        self._all(one.order),
                    )
                    for one in known
                    if one.order is not None
                ]
            )
            taken += len(known)
            advance(len(page))
        return taken

    # --- one order --------------------------------------------------------------------------------------------

    def _wants(self, seen: Seen) -> Operation | None:
        """What is to be told of it next, if anything."""
        if seen.order is None or self._is_sent_by_channel(seen):
            return None
        return next_operation(self._all(seen.order), seen.accepted)

    def _all(self, order: MarketplaceOrder) -> tuple[Operation, ...]:
        return self.book.rules.states.wanted(order.state)

    def _is_sent_by_channel(self, seen: Seen) -> bool:
        """Found out before, or told by the order itself."""
        was_found = seen.row is not None and seen.row.reason == StatusReason.FULFILLED_BY_CHANNEL
        return was_found or (seen.order is not None and self.book.rules.is_sent_by_channel(seen.order))

    def _is_taken_as_known(self, seen: Seen) -> bool:
        tally = self.book.tally
        if seen.order is None:
            return False
        tally.read += 1
        if not self._all(seen.order) or self._is_sent_by_channel(seen):
            tally.skipped += 1
            return False
        tally.eligible += 1
        is_open = self._wants(seen) is not None
        on_its_way = seen.task is not None and seen.task.is_on_its_way
        tally.pending += is_open and on_its_way
        tally.unchanged += not (is_open and on_its_way)
        return is_open and not on_its_way

    def _judge(self, seen: Seen) -> None:
        order, task, tally = seen.order, seen.task, self.book.tally
        operation = self._wants(seen)
        if order is not None:
            tally.read += 1
        if operation is None or order is None:
            self._judge_settled(seen)
            return
        tally.eligible += 1
        tally.pending += 1
        now = self.book.now()
        if task is not None and task.is_on_its_way:
            self.book.wait(StatusReason.IN_FLIGHT, order.id_order, _on_its_way(task))
        elif task is None or self._is_another(task, order, operation):
            task = new_task(order, operation, self.book.rules, now)
            self._new.append(task)
            self._queue(task, now)
        elif task.status is TaskStatus.DEAD:
            reason, message = task.reason or StatusReason.REFUSED, task.message or "It failed."
            tally.fail(FailedRecord(task.key, reason, message, True, FLOW))
        else:
            self._queue(self._as_of_now(task, order, now), now)

    def _as_of_now(self, task: StatusTask, order: MarketplaceOrder, now: int) -> StatusTask:
        """A delay that was shortened in the configuration, and an identity that was mended in the shop, hold for what
        waits already: by its identity an operation is found again whose answer is lost."""
        not_before = self.book.rules.not_before(task.operation, task.seen_at)
        is_sooner = not task.attempts and now < task.not_before and not_before < task.not_before
        if not is_sooner and task.identity == order.identity:
            return task
        task = task._replace(not_before=not_before if is_sooner else task.not_before, identity=order.identity)
        self._new.append(task)
        return task

    def _judge_settled(self, seen: Seen) -> None:
        """Of an order nothing is to be told of."""
        order, task, tally = seen.order, seen.task, self.book.tally
        is_by_channel = self._is_sent_by_channel(seen)
        if order is not None:
            if self._all(order) and not is_by_channel:
                tally.eligible += 1
                tally.unchanged += 1
                self.book.say(f"Order {order.id_order}: the marketplace knows of state {order.state}.")
            else:
                tally.skipped += 1
                reason = StatusReason.FULFILLED_BY_CHANNEL if is_by_channel else "state_not_mapped"
                tally.reasons[reason] += 1
                self.book.say(f"Order {order.id_order}: {_skipped(order, is_by_channel)}")
        if task is None or task.is_on_its_way:
            return
        if order is None:
            self.book.end(task, StatusReason.ORDER_GONE, "It is no marketplace order that counts any more.")
        elif is_by_channel:
            self.book.end(task, StatusReason.FULFILLED_BY_CHANNEL, _skipped(order, is_by_channel))
        else:
            self.book.end(task, StatusReason.LEFT_BEFORE_SENT, left(task, order))

    def _is_another(self, task: StatusTask, order: MarketplaceOrder, operation: Operation) -> bool:
        """Whether a task is to be begun anew: for another operation, or where what stood in its way has gone."""
        if task.operation is not operation:
            return True
        if task.status is not TaskStatus.DEAD:
            return False
        is_able = self.book.rules.takes(order.identity.channel, operation)
        return task.identity != order.identity or (task.reason == StatusReason.NOT_OF_CHANNEL and is_able)

    def _queue(self, task: StatusTask, now: int) -> None:
        """Of one that waits: it is due, or it is said what it waits for."""
        if task.not_before <= now:
            self._due.append(task)
            return
        seconds = (task.not_before - now + 999) // 1000
        if task.reason is not None:
            sentence = f"{task.message or 'It failed.'} It is tried again in {_duration(seconds)}."
            self.book.wait(RETRY, task.id_order, sentence)
        else:
            sentence = (
                f"{task.operation} goes in {_duration(seconds)}, once its tracking number may be there."
            )
            self.book.wait(StatusReason.SHIPPED_DELAY, task.id_order, sentence)

    def _flush(self) -> None:
        new, self._new = self._new, []
        due, self._due = self._due, []
        self.book.add(new)
        self.book.flush()
        self.take_due(due)

    def _known(self) -> Iterator[Known]:
        """Tasks and the ledger's rows side by side."""
        tasks: Iterable[StatusTask] = self.book.tasks.rows()
        for task, row in merge_join(tasks, self.book.ledger.rows()):
            if task is not None:
                yield Known(task.key, task, row)
            elif row is not None:
                yield Known(row.key, None, row)


def left(task: StatusTask, order: MarketplaceOrder) -> str:
    """That an order left the state that asked for an operation before that was sent."""
    return f"{task.operation} was not sent: the order went on to state {order.state} before."


def _on_its_way(task: StatusTask) -> str:
    if task.status is TaskStatus.SENT:
        return f"{task.operation} was handed over; the marketplace's answer is awaited."
    return f"{task.operation} was sent and the answer was lost; it is looked up before anything is repeated."


def _skipped(order: MarketplaceOrder, is_by_channel: bool) -> str:
    if is_by_channel:
        return "The channel sends it itself; nothing is told."
    return f"State {order.state} means nothing to the marketplace ([marketplace] lists of states)."


def _duration(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
