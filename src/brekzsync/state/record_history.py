"""What lies behind one line of the logs: its failed attempts, the versions handed out, the runs they belong to."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table, and_, select

from brekzsync.domain.ledger import LedgerEntry
from brekzsync.domain.log_records import HandedOut, LogAttempt, LogRow
from brekzsync.domain.marketplace import StatusTask
from brekzsync.state.connection import Database
from brekzsync.state.scopes import Scope
from brekzsync.state.status_tasks import StatusTasks
from brekzsync.state.tables import attempt, run, served


class RecordHistory:
    """Reads; nothing is written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def attempts(self, row: LogRow, limit: int) -> list[LogAttempt]:
        """The attempts that failed and the operations that ended before, newest first, while remembered."""
        columns = (attempt.c.at, run.c.name, attempt.c.outcome, attempt.c.reason, attempt.c.message)
        statement = (
            select(*columns)
            .outerjoin_from(attempt, run, run.c.id == attempt.c.run_id)
            .where(self._is(attempt, row))
            .order_by(attempt.c.id.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return [LogAttempt._make(one) for one in connection.execute(statement)]

    def handed_out(self, row: LogRow) -> list[HandedOut]:
        """The versions that were handed out and not acknowledged, newest first."""
        columns = [run.c.name if name == "run" else served.c[name] for name in HandedOut._fields]
        statement = (
            select(*columns)
            .outerjoin_from(served, run, run.c.id == served.c.run_id)
            .where(self._is(served, row))
            .order_by(served.c.id.desc())
        )
        with self._database.read() as connection:
            return [HandedOut._make(one) for one in connection.execute(statement)]

    def task(self, row: LogRow) -> StatusTask | None:
        """The operation that is on its way to the marketplace, of an order."""
        tasks = StatusTasks(self._database, Scope(self._database, row.flow, row.target))
        return tasks.some([row.entry.key_major]).get(row.entry.key_major)

    def delivered_by(self, entry: LedgerEntry) -> str | None:
        """The name of the run that delivered the acknowledged version, or ended it."""
        with self._database.read() as connection:
            name: str | None = connection.scalar(select(run.c.name).where(run.c.id == entry.run_id))
        return name

    def _is(self, table: Table, row: LogRow) -> ColumnElement[bool]:
        return and_(
            table.c.scope_id == Scope(self._database, row.flow, row.target).find(),
            table.c.key_major == row.entry.key_major,
            table.c.key_minor == row.entry.key_minor,
        )
