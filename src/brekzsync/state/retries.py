"""Records that wait for their next attempt, and how a person ends the waiting."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, Dialect, and_, bindparam, literal_column, not_, null, or_, select, update
from sqlalchemy.sql.dml import UpdateBase

from brekzsync.domain.log_records import LogKey, LogQuery
from brekzsync.domain.sync_flows import FLOWS
from brekzsync.state.bulk import Batch, Statement, Values, constant
from brekzsync.state.connection import Database
from brekzsync.state.ledger_writes import KEY
from brekzsync.state.scopes import Scope, lock
from brekzsync.state.tables import ledger, scope, served, status_task


class Retries:
    """Of all flows and targets; ``at`` is in milliseconds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting(self, query: LogQuery, at: int, *, held: bool = False) -> list[LogKey]:
        """The records whose next attempt is later than ``at``, and those given up; of ``query`` its type, target and
        status count. With ``held`` also those that never failed and wait for something in the shop."""
        waits = ledger.c.next_attempt_at > at
        if not held:
            waits = and_(waits, or_(ledger.c.status == "failed", not_(_has_task.exists())))
        statement = (
            select(scope.c.flow, scope.c.target, ledger.c.key_major, ledger.c.key_minor)
            .join_from(ledger, scope, scope.c.id == ledger.c.scope_id)
            .where(or_(waits, _is_rejected.exists(), _has_task.where(_is_dead).exists()))
            .order_by(scope.c.flow, scope.c.target, ledger.c.key_major, ledger.c.key_minor)
        )
        if query.target is not None:
            statement = statement.where(scope.c.target == query.target)
        if query.status is not None:
            statement = statement.where(ledger.c.status == query.status)
        flows = [name for name, flow in FLOWS.items() if query.log_type in (None, flow.log_type)]
        with self._database.read() as connection:
            rows = connection.execute(statement.where(scope.c.flow.in_(flows)), {"at": at})
            return [LogKey._make(row) for row in rows]

    def release(self, keys: Sequence[LogKey], at: int) -> None:
        """Let the next run try these again, all of them or none; safe to repeat.

        What was handed out and has no result yet stays with whoever has it. Attempts go on being counted: a
        record that is rejected again waits longer than before, and one that was given up has one attempt more.
        """
        by_scope = [
            (Scope(self._database, *names).id(), [(one.key_major, one.key_minor) for one in some])
            for names, some in groupby(sorted(keys), key=lambda one: (one.flow, one.target))
        ]

        def work(connection: Connection) -> None:
            for scope_id, some in by_scope:
                lock(connection, scope_id)
                rows = Batch(connection, KEY, some)
                # What was given up waits for nothing: its ledger's row is told by the task, while that is dead.
                for statement in (_end_lease, _revive, _end_waiting, _start_task):
                    rows.run(statement, scope=scope_id, at=at)

        self._database.write(work, durable=True)


_has_task: Final = (
    select(status_task.c.key_major)
    .where(
        status_task.c.scope_id == ledger.c.scope_id,
        status_task.c.key_major == ledger.c.key_major,
        status_task.c.key_minor == ledger.c.key_minor,
    )
    .correlate(ledger)
)
_is_dead: Final = status_task.c.status == "dead"
_is_rejected: Final = (
    select(served.c.id)
    .where(
        served.c.scope_id == ledger.c.scope_id,
        served.c.key_major == ledger.c.key_major,
        served.c.key_minor == ledger.c.key_minor,
        served.c.rejected_at.is_not(None),
        served.c.lease_until > bindparam("at"),
    )
    .correlate(ledger)
)


def _lease_ends(dialect: Dialect, row: Values) -> UpdateBase:
    return (
        update(served)
        .where(
            _same_record(served, row),
            served.c.rejected_at.is_not(None),
            served.c.lease_until > constant("at"),
        )
        .values(lease_until=constant("at"))
    )


def _waiting_ends(dialect: Dialect, row: Values) -> UpdateBase:
    waits = and_(_same_record(ledger, row), ledger.c.next_attempt_at > constant("at"))
    return update(ledger).where(waits).values(_queued())


def _given_up_no_more(dialect: Dialect, row: Values) -> UpdateBase:
    is_given_up = _has_task.where(_is_dead).exists()
    return update(ledger).where(_same_record(ledger, row), is_given_up).values(_queued())


def _queued() -> dict[str, Any]:
    return {
        "status": literal_column("'pending'"),
        "reason": literal_column("'queued'"),
        "next_attempt_at": null(),
        "updated_at": constant("at"),
    }


def _task_starts(dialect: Dialect, row: Values) -> UpdateBase:
    waits = and_(status_task.c.status == "waiting", status_task.c.not_before > constant("at"))
    return (
        update(status_task)
        .where(_same_record(status_task, row), or_(_is_dead, waits))
        .values(status=literal_column("'waiting'"), not_before=constant("at"))
    )


def _same_record(table: Any, row: Values) -> Any:
    return and_(
        table.c.scope_id == constant("scope"),
        table.c.key_major == row("key_major"),
        table.c.key_minor == row("key_minor"),
    )


_end_lease: Final = Statement(_lease_ends)
_end_waiting: Final = Statement(_waiting_ends)
_revive: Final = Statement(_given_up_no_more)
_start_task: Final = Statement(_task_starts)
