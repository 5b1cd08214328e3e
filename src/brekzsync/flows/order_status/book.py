"""The books of one run: what became of each order goes into the state and is counted, in one place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from brekzsync.domain.keys import ProductKey
from brekzsync.domain.ledger import Acknowledgement, LedgerEntry
from brekzsync.domain.marketplace import (
    MarketplaceOrder,
    StatusTask,
    TaskAccepted,
    TaskEnd,
    TaskFailure,
    TaskHold,
    TaskStatus,
)
from brekzsync.domain.order_status import (
    AcceptedStatus,
    Operation,
    accepted_fingerprint,
    accepted_of,
    told_tracking,
)
from brekzsync.domain.outcomes import FailedRecord, Tally
from brekzsync.flows.frame import OpenRun, milliseconds
from brekzsync.flows.order_status.ports import StatusLedger, StatusTasks
from brekzsync.flows.order_status.rules import UNSENT, PushRules
from brekzsync.flows.ports import Clock

FLOW: Final = "order_status"
SAID: Final = 50
"""Sentences on orders that were not told, at most."""


@dataclass(slots=True, kw_only=True)
class Book:
    """Writes nothing in a dry run, and counts the same.

    ``tally`` holds what was counted; ``waiting`` why some orders wait, ``sent`` how many of each operation the
    marketplace took, ``passed_over`` what to say of orders that were asked for.
    """

    tasks: StatusTasks
    ledger: StatusLedger
    rules: PushRules
    opened: OpenRun
    clock: Clock
    is_dry: bool
    tally: Tally = field(default_factory=Tally)
    waiting: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    passed_over: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _holds: list[TaskHold] = field(default_factory=list)
    _ends: list[TaskEnd] = field(default_factory=list)

    def now(self) -> int:
        """In milliseconds, UTC."""
        return milliseconds(self.clock())

    def rows(self, tasks: Iterable[StatusTask]) -> dict[int, LedgerEntry]:
        """Their rows of the ledger, by ``id_order``."""
        return {row.key_major: row for row in self.ledger.rows_for([task.key for task in tasks])}

    def add(self, tasks: Sequence[StatusTask]) -> None:
        """Operations to tell."""
        if tasks and not self.is_dry:
            self.tasks.add(tasks, at=self.now())

    def wait(self, reason: str, id_order: int, sentence: str, count: int = 1) -> None:
        """Of an order that waits; nothing is written."""
        self.waiting[reason] += count
        self.say(f"Order {id_order}: {sentence}")

    def hold(self, task: StatusTask, reason: str, sentence: str, row: LedgerEntry | None) -> None:
        """It waits for something in the shop; said in the logs once, by ``flush``."""
        self.wait(reason, task.id_order, sentence)
        if not (row is not None and row.status == "pending" and row.reason == reason):
            self._holds.append(TaskHold(task.id_order, reason, sentence, self.now()))

    def accept(self, accepted: Sequence[TaskAccepted], operation: Operation) -> None:
        """The marketplace took them; tickets tell the rest."""
        if not self.is_dry:
            self.tasks.accept(accepted, at=self.now())
        self.sent[operation] += len(accepted)
        self.tally.delivered += len(accepted)

    def finish(self, tasks: Sequence[StatusTask]) -> None:
        """The marketplace has these operations."""
        self.acknowledge([(task, (task.operation,)) for task in tasks])

    def acknowledge(self, done: Sequence[tuple[StatusTask, Iterable[Operation]]]) -> None:
        """The marketplace has these operations of the tasks' orders, besides those it had."""
        if self.is_dry or not done:
            return
        rows = self.rows(task for task, _ in done)
        documents = self.ledger.documents([task.key for task, _ in done])
        self.tasks.finish(
            [
                _acknowledgement(
                    # a delivery says nothing of the parcel that the shipment before it did not say
                    task._replace(tracking=task.tracking or told_tracking(documents.get(task.key))),
                    operations,
                    rows.get(task.id_order),
                )
                for task, operations in done
            ],
            run_id=self.opened.id,
            at=self.now(),
        )

    def end(self, task: StatusTask, reason: str, sentence: str) -> None:
        """It is over before it was told: nobody is to be told any more. Written by ``flush``."""
        self.say(f"Order {task.id_order}: {sentence}")
        self._ends.append(TaskEnd(task.id_order, reason, sentence))

    def flush(self) -> None:
        """Write what was held and ended: a page at a time, since each writing waits for the disk."""
        holds, self._holds = self._holds, []
        ends, self._ends = self._ends, []
        if self.is_dry:
            return
        if holds:
            self.tasks.hold(holds, at=self.now())
        if ends:
            self.tasks.end(ends, run_id=self.opened.id, at=self.now())

    def fail(self, failed: Sequence[tuple[StatusTask, str, str]], rows: Mapping[int, LedgerEntry]) -> None:
        """They failed, for a reason and with a sentence; tried again later, or given up."""
        now = self.now()
        failures = []
        for task, reason, message in failed:
            retry_at = self.rules.retry_at(task, reason, now)
            if retry_at is None and task.attempts:
                message = f"{message} Given up after {task.attempts + 1} attempts."
            was_sent = reason not in UNSENT
            failures.append(TaskFailure(task.id_order, reason, message, retry_at, was_sent))
            row = rows.get(task.id_order)
            repeated = row is not None and row.status == "failed" and row.reason == reason
            self.tally.fail(FailedRecord(task.key, reason, message, repeated, FLOW))
        if failures and not self.is_dry:
            self.tasks.fail(failures, run_id=self.opened.id, at=now)

    def say(self, sentence: str) -> None:
        """Of an order that was not told."""
        if len(self.passed_over) < SAID and sentence not in self.passed_over:
            self.passed_over.append(sentence)

    def close(self) -> None:
        """Put into the run what was counted; as often as wanted."""
        self.tally.left = max(0, self.tally.pending - self.tally.delivered - self.tally.failed)
        for reason, count in (+self.waiting).items():
            self.tally.reasons[reason] = count
        self.opened.counts, self.opened.reasons = self.tally.counts(), self.tally.all_reasons()
        self.opened.failures = self.tally.signature


def new_task(order: MarketplaceOrder, operation: Operation, rules: PushRules, now: int) -> StatusTask:
    """An operation that an order is seen to ask for now."""
    return StatusTask(
        order.id_order,
        operation,
        TaskStatus.WAITING,
        seen_at=now,
        not_before=rules.not_before(operation, now),
        attempts=0,
        shop_reference=order.shop_reference,
        identity=order.identity,
    )


def _acknowledgement(
    task: StatusTask, operations: Iterable[Operation], row: LedgerEntry | None
) -> Acknowledgement:
    known = None if row is None else row.fingerprint
    accepted = accepted_of(known) | set(operations)
    identity = task.identity
    told = tuple(operation.value for operation in Operation if operation in accepted)
    document = AcceptedStatus(
        task.shop_reference, identity.channel, identity.reference, told, task.tracking
    ).stored()
    return Acknowledgement(
        task.id_order,
        0,
        fingerprint=accepted_fingerprint(accepted),
        force=0 if row is None else row.force_requested,
        source_digest=None,
        code=None,
        document=document,
        prior_fingerprint=known,
        prior_force=0 if row is None else row.force_acknowledged,
        known=row is not None,
    )


def keys(ids: Collection[int]) -> list[ProductKey]:
    """The ledger's keys of orders."""
    return [(id_order, 0) for id_order in ids]
