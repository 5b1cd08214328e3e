"""Records that wait for their next attempt, and how a person ends the waiting."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, Dialect, and_, bindparam, literal_column, null, or_, select, update
from sqlalchemy.sql.dml import UpdateBase

from brekzsync.domain.log_records import LogKey, LogQuery
from brekzsync.domain.sync_flows import FLOWS
from brekzsync.state.bulk import Batch, Statement, Values, constant
from brekzsync.state.connection import Database
from brekzsync.state.ledger_writes import KEY
from brekzsync.state.scopes import Scope
from brekzsync.state.tables import ledger, scope, served


class Retries:
    """Of all flows and targets; ``at`` is in milliseconds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting(self, query: LogQuery, at: int) -> list[LogKey]:
        """The records whose next attempt is later than ``at``; of ``query`` its type, target and status count."""
        statement = (
            select(scope.c.flow, scope.c.target, ledger.c.key_major, ledger.c.key_minor)
            .join_from(ledger, scope, scope.c.id == ledger.c.scope_id)
            .where(or_(ledger.c.next_attempt_at > at, _is_rejected.exists()))
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
        record that is rejected again waits longer than before.
        """
        by_scope = [
            (Scope(self._database, *names).id(), [(one.key_major, one.key_minor) for one in some])
            for names, some in groupby(sorted(keys), key=lambda one: (one.flow, one.target))
        ]

        def work(connection: Connection) -> None:
            for scope_id, some in by_scope:
                rows = Batch(connection, KEY, some)
                rows.run(_end_lease, scope=scope_id, at=at)
                rows.run(_end_waiting, scope=scope_id, at=at)

        self._database.write(work, durable=True)


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
    return (
        update(ledger)
        .where(_same_record(ledger, row), ledger.c.next_attempt_at > constant("at"))
        .values(
            status=literal_column("'pending'"),
            reason=literal_column("'queued'"),
            next_attempt_at=null(),
            updated_at=constant("at"),
        )
    )


def _same_record(table: Any, row: Values) -> Any:
    return and_(
        table.c.scope_id == constant("scope"),
        table.c.key_major == row("key_major"),
        table.c.key_minor == row("key_minor"),
    )


_end_lease: Final = Statement(_lease_ends)
_end_waiting: Final = Statement(_waiting_ends)
