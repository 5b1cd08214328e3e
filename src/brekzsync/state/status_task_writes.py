"""What one transaction does to tasks and to the ledger's rows beside them.

Whoever changes tasks first locks their scope's row, so that one does so at a time: what is read then still holds
when it is written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Dialect, and_, delete, update
from sqlalchemy.sql.dml import UpdateBase

from brekzsync.domain.ledger import Acknowledgement, Clearing, Remark, Unchanged
from brekzsync.domain.marketplace import StatusTask, TaskEnd, TaskFailure, TaskHold
from brekzsync.domain.order_status import AcceptedStatus, StatusReason
from brekzsync.state import ledger_writes as writes
from brekzsync.state.bulk import Batch, KeyedSelect, Shape, Statement, Values, constant, insert_missing
from brekzsync.state.status_task_rows import COLUMNS, row_of, some_tasks
from brekzsync.state.tables import ledger, status_task

TASK: Final = Shape("status_task", {name: status_task.c[name].type for name in COLUMNS})
_KEYS: Final = ("key_major", "key_minor")
_known: Final = KeyedSelect(ledger, [ledger.c.fingerprint, ledger.c.force_acknowledged])


def _this_task(row: Values) -> ColumnElement[bool]:
    same_key = (status_task.c[name] == row(name) for name in _KEYS)
    return and_(status_task.c.scope_id == constant("scope"), *same_key)


def _insert(dialect: Dialect, row: Values) -> UpdateBase:
    columns = {name: row(name) for name in COLUMNS}
    return insert_missing(dialect, status_task, {"scope_id": constant("scope"), **columns})


def _overwrite(dialect: Dialect, row: Values) -> UpdateBase:
    values = {name: row(name) for name in COLUMNS if name not in _KEYS}
    return update(status_task).where(_this_task(row)).values(values)


def _delete(dialect: Dialect, row: Values) -> UpdateBase:
    return delete(status_task).where(_this_task(row))


insert_task: Final = Statement(_insert)
overwrite_task: Final = Statement(_overwrite)
delete_task: Final = Statement(_delete)


class Known(NamedTuple):
    """What the ledger acknowledges of a record."""

    fingerprint: bytes | None
    force: int


class Desk:
    """Tasks and their ledger's rows within one transaction; each order stands once in what a method is given."""

    def __init__(self, connection: Connection, scope_id: int) -> None:
        self._connection = connection
        self._scope_id = scope_id

    def some(self, ids: Collection[int]) -> dict[int, StatusTask]:
        """The tasks of these orders, of those that have one."""
        return some_tasks(self._connection, self._scope_id, ids)

    def make(self, tasks: Sequence[StatusTask]) -> None:
        """Tasks of orders that have none."""
        self._tasks(tasks).run(insert_task, scope=self._scope_id)

    def change(self, tasks: Sequence[StatusTask]) -> int:
        """Tasks of orders that have one."""
        return self._tasks(tasks).run(overwrite_task, scope=self._scope_id)

    def remove(self, ids: Iterable[int]) -> int:
        """The tasks of these orders."""
        rows = Batch(self._connection, writes.KEY, [(one, 0) for one in ids])
        return rows.run(delete_task, scope=self._scope_id)

    def begin(self, tasks: Sequence[StatusTask], *, at: int) -> None:
        """The ledger says that these wait, and whose they are where nothing was accepted yet that says so."""
        rows = self._holds([(_first_wait(task, at), _document(task)) for task in tasks], at)
        for statement in (writes.ensure_row, writes.wait_until, writes.hold, writes.describe):
            rows.run(statement, scope=self._scope_id, at=at)

    def wait(self, holds: Sequence[TaskHold], *, at: int) -> None:
        """The ledger says that these are pending, and why; until when, where that is still to come."""
        rows = self._holds([(one, None) for one in holds], at)
        for statement in (writes.ensure_row, writes.wait_until, writes.hold):
            rows.run(statement, scope=self._scope_id, at=at)

    def fail(self, failures: Sequence[TaskFailure], *, run_id: int, at: int) -> None:
        """The ledger says that these failed."""
        failed = [(one[0], 0, str(one.reason), one.message, one.retry_at) for one in failures]
        rows = Batch(self._connection, writes.FAILURE, failed)
        for statement in (writes.record_attempt, writes.ensure_row, writes.fail):
            rows.run(statement, scope=self._scope_id, run=run_id, at=at)

    def acknowledge(self, done: Sequence[Acknowledgement], *, run_id: int, at: int) -> list[int]:
        """Acknowledge what the ledger still holds the prior version of; gives their orders."""
        known = self._known(one.key_major for one in done)
        taken = [one for one in done if _prior(one) == known.get(one.key_major, Known(None, 0))]
        with_row = [one for one in taken if one.key_major in known]
        without = [one for one in taken if one.key_major not in known]
        writes.acknowledge(self._connection, without, with_row, scope=self._scope_id, run=run_id, at=at)
        return [one.key_major for one in taken]

    def end(self, ends: Sequence[TaskEnd], over: Sequence[StatusTask], *, run_id: int, at: int) -> None:
        """The ledger says that nobody is to be told of these any more: it goes back to what was accepted. ``over`` are
        their tasks."""
        known = self._known(one.id_order for one in ends)
        remarks = [Remark(one.id_order, 0, str(one.reason), one.message) for one in ends]
        accepted = [
            Unchanged(id_order, 0, one.fingerprint, one.force, None)
            for id_order, one in known.items()
            if one.fingerprint is not None
        ]
        cleared = [
            Clearing(one.id_order, 0, str(one.reason), None, known[one.id_order].force)
            for one in ends
            if one.id_order in known and known[one.id_order].fingerprint is None
        ]
        given = {"scope": self._scope_id, "run": run_id, "at": at}
        Batch(self._connection, writes.UNCHANGED, accepted).run(writes.end_trouble, **given)
        Batch(self._connection, writes.CLEARING, cleared).run(writes.clear, **given)
        rows = Batch(self._connection, writes.REMARK, remarks)
        rows.run(writes.record_end, **given)
        rows.run(writes.remark, **given)
        described = self._holds([(_first_wait(task, at), _document(task)) for task in over], at)
        described.run(writes.describe, **given)

    def _holds(self, holds: Iterable[tuple[TaskHold, str | None]], at: int) -> Batch:
        rows = [
            (one.id_order, 0, str(one.reason), one.message or None, _future(one.until, at), document)
            for one, document in holds
        ]
        return Batch(self._connection, writes.HOLD, rows)

    def _tasks(self, tasks: Sequence[StatusTask]) -> Batch:
        return Batch(self._connection, TASK, [row_of(task) for task in tasks])

    def _known(self, ids: Iterable[int]) -> dict[int, Known]:
        rows = _known.rows(self._connection, self._scope_id, [(one, 0) for one in ids])
        return {row[0]: Known(*row[2:]) for row in rows}


def _first_wait(task: StatusTask, at: int) -> TaskHold:
    reason = StatusReason.SHIPPED_DELAY if task.not_before > at else StatusReason.QUEUED
    return TaskHold(task.id_order, reason, "", task.not_before)


def _future(moment: int, at: int) -> int | None:
    return moment if moment > at else None


def _prior(done: Acknowledgement) -> Known:
    return Known(done.prior_fingerprint, done.prior_force)


def _document(task: StatusTask) -> str:
    identity = task.identity
    return AcceptedStatus(task.shop_reference, identity.channel, identity.reference, ()).stored()
