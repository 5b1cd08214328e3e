"""The operations on their way to the marketplace, one an order, kept with what the ledger says of it.

A task and its ledger's row change in one transaction that is on disk before anybody goes by it. What may become of a
task depends on where it stands, and that is looked at in the same transaction: of two processes that both try, one
has its way, and the other is told so by the count.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Select

from brekzsync.domain.ledger import Acknowledgement
from brekzsync.domain.marketplace import (
    Batch,
    StatusTask,
    TaskAccepted,
    TaskClaim,
    TaskEnd,
    TaskFailure,
    TaskHold,
    TaskStatus,
)
from brekzsync.domain.order_status import StatusReason
from brekzsync.state.bulk import BATCH_ROWS, fetched
from brekzsync.state.connection import Database
from brekzsync.state.scopes import Scope, lock
from brekzsync.state.status_task_rows import (
    ALL,
    BATCH_IDS,
    BATCHES_AT_ONCE,
    BATCHES_OF,
    DUE,
    OF_BATCH,
    UNCLEAR,
    UNTOLD,
    some_tasks,
    task_of,
)
from brekzsync.state.status_task_writes import Desk

Given = TypeVar("Given", bound=tuple[Any, ...])

PAGE_ROWS: Final = 2_000
_REPLACEABLE: Final = (TaskStatus.WAITING, TaskStatus.DEAD)


class StatusTasks:
    """The tasks of one flow and target. Every method that writes is one durable transaction and returns how many
    tasks took effect; of an order that is given twice the last counts. ``at`` is in milliseconds, UTC."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database = database
        self._scope = scope

    # --- reading ------------------------------------------------------------------------------------------

    def rows(self, after: int = 0) -> Iterator[StatusTask]:
        """Every task with a greater ``id_order``, ascending, flat in memory; writing meanwhile is fine."""
        while page := self._page(ALL, after=after, limit=PAGE_ROWS):
            yield from page
            after = page[-1].id_order

    def some(self, ids: Collection[int]) -> Mapping[int, StatusTask]:
        """The tasks of these orders, of those that have one; up to a few thousand."""
        scope_id = self._scope.find()
        if scope_id is None:
            return {}
        with self._database.read() as connection:
            return some_tasks(connection, scope_id, ids)

    def due(self, at: int, *, after: int, limit: int) -> Sequence[StatusTask]:
        """WAITING ones whose ``not_before`` has come, by ``id_order`` above ``after``."""
        return self._page(DUE, moment=at, after=after, limit=limit)

    def unclear(self, *, sent_before: int, after: int, limit: int) -> Sequence[StatusTask]:
        """SENDING ones claimed before that moment, by ``id_order`` above ``after``."""
        return self._page(UNCLEAR, moment=sent_before, after=after, limit=limit)

    def batches(self) -> Iterator[Batch]:
        """The batches of the SENT ones, each once, in the order of their ids, flat in memory."""
        scope_id, after = self._scope.find(), ""
        while scope_id is not None:
            with self._database.read() as connection:
                given = {"scope": scope_id, "after": after}
                ids = connection.scalars(BATCH_IDS, given).all()
                rows = connection.execute(BATCHES_OF, {"scope": scope_id, "ids": ids}).all()
            yield from (Batch(*row) for row in rows)
            if len(ids) < BATCHES_AT_ONCE:
                return
            after = ids[-1]

    def of_batch(self, batch: Batch) -> Sequence[StatusTask]:
        """The SENT ones of a batch."""
        return self._page(OF_BATCH, **batch._asdict())

    def untold(self, limit: int) -> Sequence[StatusTask]:
        """Those whose last failure nobody was told of yet, by ``id_order``."""
        return self._page(UNTOLD, limit=limit)

    # --- writing ------------------------------------------------------------------------------------------

    def add(self, tasks: Sequence[StatusTask], *, at: int) -> int:
        """New tasks, or others in the place of WAITING or DEAD ones; never of one that is SENDING or SENT.

        The ledger says ``queued``, of one whose time is still to come ``shipped_delay``.
        """

        def work(desk: Desk, given: dict[int, StatusTask]) -> int:
            standing = desk.some(given)
            new = [task for task in given.values() if task.id_order not in standing]
            known = [given[one] for one, task in standing.items() if task.status in _REPLACEABLE]
            desk.make(new)
            desk.change(known)
            added = [*new, *known]
            desk.begin(added, at=at)
            return len(added)

        return self._write(tasks, work)

    def hold(self, holds: Sequence[TaskHold], *, at: int) -> int:
        """Put off WAITING ones; the ledger says why."""

        def work(desk: Desk, given: dict[int, TaskHold]) -> int:
            waiting = _with(desk.some(given), TaskStatus.WAITING)
            desk.wait([given[task.id_order] for task in waiting], at=at)
            return desk.change([task._replace(not_before=given[task.id_order].until) for task in waiting])

        return self._write(holds, work)

    def claim(self, claims: Sequence[TaskClaim], *, at: int) -> int:
        """WAITING ones become SENDING; those of another operation by now are not touched. The ledger says
        ``in_flight``."""

        def work(desk: Desk, given: dict[int, TaskClaim]) -> int:
            claimed = [
                _claimed(task, given[task.id_order], at)
                for task in _with(desk.some(given), TaskStatus.WAITING)
                if task.operation == given[task.id_order].operation
            ]
            return _pass_on(desk, claimed, StatusReason.IN_FLIGHT, at)

        return self._write(claims, work)

    def release(self, ids: Sequence[int], *, at: int) -> int:
        """SENDING ones that the marketplace certainly did not get become WAITING; no attempt is counted."""

        def work(desk: Desk, given: dict[int, tuple[int]]) -> int:
            sending = _with(desk.some(given), TaskStatus.SENDING)
            released = [task._replace(status=TaskStatus.WAITING) for task in sending]
            return _pass_on(desk, released, StatusReason.QUEUED, at)

        return self._write([(one,) for one in ids], work)

    def accept(self, accepted: Sequence[TaskAccepted], *, at: int) -> int:
        """SENDING ones become SENT."""

        def work(desk: Desk, given: dict[int, TaskAccepted]) -> int:
            sent = [
                task._replace(
                    status=TaskStatus.SENT,
                    batch_id=given[task.id_order].batch_id,
                    ticket=given[task.id_order].ticket,
                )
                for task in _with(desk.some(given), TaskStatus.SENDING)
            ]
            return _pass_on(desk, sent, StatusReason.IN_FLIGHT, at)

        return self._write(accepted, work)

    def note_tickets(self, numbers: Sequence[tuple[int, str]]) -> int:
        """Keep the tickets' numbers of SENT ones."""

        def work(desk: Desk, given: dict[int, tuple[int, str]]) -> int:
            sent = _with(desk.some(given), TaskStatus.SENT)
            noted = [task._replace(ticket=given[task.id_order][1]) for task in sent]
            return desk.change([task for task in noted if task not in sent])

        return self._write(numbers, work)

    def finish(self, done: Sequence[Acknowledgement], *, run_id: int, at: int) -> int:
        """The marketplace accepted them: the tasks are deleted and the ledger acknowledges, where it still holds the
        version that was compared with; nothing becomes of the others."""

        def work(desk: Desk, given: dict[int, Acknowledgement]) -> int:
            return desk.remove(desk.acknowledge([*given.values()], run_id=run_id, at=at))

        return self._write(done, work)

    def fail(self, failures: Sequence[TaskFailure], *, run_id: int, at: int) -> int:
        """They become WAITING until ``retry_at``, or DEAD; attempts grow by one where something was sent. What
        differs from the failure before is to be told. Nothing becomes of DEAD ones."""

        def work(desk: Desk, given: dict[int, TaskFailure]) -> int:
            alive = [task for task in desk.some(given).values() if task.status is not TaskStatus.DEAD]
            desk.fail([given[task.id_order] for task in alive], run_id=run_id, at=at)
            return desk.change([_failed(task, given[task.id_order]) for task in alive])

        return self._write(failures, work)

    def end(self, ends: Sequence[TaskEnd], *, run_id: int, at: int) -> int:
        """WAITING and DEAD ones are deleted, with a line in the record's history; the ledger's row is synced again, or
        cleared where nothing was ever accepted."""

        def work(desk: Desk, given: dict[int, TaskEnd]) -> int:
            over = _with(desk.some(given), *_REPLACEABLE)
            desk.end([given[task.id_order] for task in over], over, run_id=run_id, at=at)
            return desk.remove(task.id_order for task in over)

        return self._write(ends, work)

    def tell(self, tasks: Sequence[StatusTask]) -> int:
        """People were told of exactly these failures."""

        def work(desk: Desk, given: dict[int, StatusTask]) -> int:
            standing = [task for task in desk.some(given).values() if not task.is_told]
            same = [task for task in standing if _failure(task) == _failure(given[task.id_order])]
            return desk.change([task._replace(is_told=True) for task in same])

        return self._write(tasks, work)

    # --- how ----------------------------------------------------------------------------------------------

    def _page(self, statement: Select[Any], **given: Any) -> list[StatusTask]:
        scope_id = self._scope.find()
        if scope_id is None:
            return []
        with self._database.read() as connection:
            rows = fetched(connection.execute(statement, {"scope": scope_id, **given}).cursor)
            return [task_of(row) for row in rows]

    def _write(self, given: Sequence[Given], work: Callable[[Desk, dict[int, Given]], int]) -> int:
        """Run ``work`` over pieces of what is given, by order, all in one transaction."""
        if not given:
            return 0
        by_order = {one[0]: one for one in given}
        scope_id = self._scope.id()

        def whole(connection: Connection) -> int:
            lock(connection, scope_id)
            items = iter(sorted(by_order.items()))
            desk, written = Desk(connection, scope_id), 0
            while piece := dict(islice(items, BATCH_ROWS)):
                written += work(desk, piece)
            return written

        return self._database.write(whole, durable=True)


def _with(tasks: Mapping[int, StatusTask], *statuses: TaskStatus) -> list[StatusTask]:
    return [task for task in tasks.values() if task.status in statuses]


def _pass_on(desk: Desk, tasks: Sequence[StatusTask], reason: StatusReason, at: int) -> int:
    """Change tasks whose result is not known yet."""
    desk.wait([TaskHold(task.id_order, reason, "", at) for task in tasks], at=at)
    return desk.change(tasks)


def _claimed(task: StatusTask, claim: TaskClaim, at: int) -> StatusTask:
    return task._replace(
        status=TaskStatus.SENDING,
        id_account=claim.id_account,
        store_id=claim.store_id,
        tracking=claim.tracking,
        sent_at=at,
    )


def _failed(task: StatusTask, failure: TaskFailure) -> StatusTask:
    """The ticket of a task that failed stays known: it is not taken for that of the next attempt."""
    is_over = failure.retry_at is None
    is_news = is_over or (failure.reason, failure.message) != (task.reason, task.message)
    return task._replace(
        status=TaskStatus.DEAD if is_over else TaskStatus.WAITING,
        not_before=task.not_before if failure.retry_at is None else failure.retry_at,
        attempts=task.attempts + failure.was_sent,
        batch_id=None,
        reason=str(failure.reason),
        message=failure.message,
        is_told=task.is_told and not is_news,
    )


def _failure(task: StatusTask) -> tuple[object, ...]:
    return task.reason, task.message, task.attempts
