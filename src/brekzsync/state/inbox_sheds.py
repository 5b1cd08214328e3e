"""Marks of floods: when a source was told to wait, why, and whether everything was compared afterwards.

They stand in the database, so that all processes of the service agree, a restarted one goes on, and whoever
processes the inbox knows what it was not told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from brekzsync.state.connection import Database
from brekzsync.state.inbox_schema import pace, shed
from brekzsync.state.times import from_milliseconds, to_milliseconds


class Shed(NamedTuple):
    """A time in which a source was told to wait; ``refused`` of its webhooks were not stored."""

    id: int
    source: str
    opened_at: datetime
    closed_at: datetime | None  # None: it is open, or some process may not have heard yet that it is not
    reason: str  # rate, backlog
    refused: int
    compared_at: datetime | None
    closing_at: datetime | None  # None: it is open


class Sheds:
    """Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unsettled(self) -> Sequence[Shed]:
        """The open ones and those after which not everything was compared, the oldest first."""
        return self._shown(shed.c.compared_at.is_(None))

    def under_way(self) -> Sequence[Shed]:
        """Those that are not closed."""
        return self._shown(shed.c.closed_at.is_(None))

    def newest(self, limit: int) -> Sequence[Shed]:
        """Of all, the newest first."""
        statement = select(*_SHOWN).order_by(shed.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [_shed(row) for row in connection.execute(statement)]

    def open(self, source: str, reason: str, at: datetime) -> bool:
        """Begin to refuse a source, durably; False where it is refused already. A flood whose mark was lost
        would be one nobody compares after."""
        values = {
            "source": source,
            "open_source": source,
            "opened_at": to_milliseconds(at),
            "reason": reason,
            "refused": 0,
        }
        return self._database.write(lambda connection: _insert_missing(connection, values), durable=True)

    def begin_to_close(self, shed_id: int, at: datetime) -> bool:
        """Take its webhooks again; False where another process did so already.

        Other processes may refuse some for a little while yet, so that it is not closed.
        """
        statement = (
            update(shed)
            .where(shed.c.id == shed_id, shed.c.open_source.is_not(None))
            .values(open_source=None, closing_at=to_milliseconds(at))
        )
        return self._count(statement, durable=True) == 1

    def close(self, begun_before: datetime, at: datetime) -> int:
        """Close those that began to before then: by now every process has heard of it."""
        statement = (
            update(shed)
            .where(shed.c.closed_at.is_(None), shed.c.closing_at <= to_milliseconds(begun_before))
            .values(closed_at=to_milliseconds(at))
        )
        return self._count(statement, durable=True)

    def refused(self, shed_id: int, count: int) -> None:
        """So many more were not stored."""
        self._count(
            update(shed).where(shed.c.id == shed_id).values(refused=shed.c.refused + count), durable=False
        )

    def compared(self, shed_id: int, at: datetime) -> bool:
        """Everything was compared, beginning at ``at``; False where it is open, closed later than that, or was
        settled before."""
        statement = (
            update(shed)
            .where(shed.c.id == shed_id, shed.c.compared_at.is_(None))
            .where(shed.c.closed_at <= to_milliseconds(at))
            .values(compared_at=to_milliseconds(at))
        )
        return self._count(statement, durable=False) == 1

    def prune(self, before: int) -> int:
        """Forget those that were settled before then (milliseconds)."""
        return self._count(delete(shed).where(shed.c.compared_at < before), durable=False)

    # --- how much comes -----------------------------------------------------------------------------------

    def note_pace(self, worker: str, at: datetime, knocks: Mapping[str, int]) -> None:
        """What came to a process in the last minute, by source."""
        milliseconds = to_milliseconds(at)

        def work(connection: Connection) -> None:
            for source, count in knocks.items():
                values = {"at": milliseconds, "knocks": count}
                mine = and_(pace.c.source == source, pace.c.worker == worker)
                if not connection.execute(update(pace).where(mine).values(values)).rowcount:
                    connection.execute(insert(pace).values(source=source, worker=worker, **values))

        self._database.write(work, durable=False)

    def pace_of_others(self, worker: str, since: datetime) -> dict[str, int]:
        """What came to the other processes, by source, as they said ``since`` or later."""
        statement = (
            select(pace.c.source, func.sum(pace.c.knocks))
            .where(pace.c.worker != worker, pace.c.at >= to_milliseconds(since))
            .group_by(pace.c.source)
        )
        with self._database.read() as connection:
            return {source: int(count) for source, count in connection.execute(statement)}

    def forget_pace(self, worker: str, before: datetime) -> None:
        """Forget what a process that ends, and those that ended without a word before then, have noted."""
        gone = or_(pace.c.worker == worker, pace.c.at < to_milliseconds(before))
        self._count(delete(pace).where(gone), durable=False)

    def _shown(self, condition: Any) -> Sequence[Shed]:
        with self._database.read() as connection:
            rows = connection.execute(select(*_SHOWN).where(condition).order_by(shed.c.id))
            return [_shed(row) for row in rows]

    def _count(self, statement: Any, *, durable: bool) -> int:
        def work(connection: Connection) -> int:
            return connection.execute(statement).rowcount

        return self._database.write(work, durable=durable)


def _insert_missing(connection: Connection, values: Mapping[str, Any]) -> bool:
    statement = insert(shed).prefix_with("OR IGNORE", dialect="sqlite")
    statement = statement.prefix_with("IGNORE", dialect="mysql").prefix_with("IGNORE", dialect="mariadb")
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return (
            connection.execute(postgresql.insert(shed).values(values).on_conflict_do_nothing()).rowcount == 1
        )
    return connection.execute(statement.values(values)).rowcount == 1


_SHOWN = tuple(column for column in shed.c if column is not shed.c.open_source)


def _shed(row: Any) -> Shed:
    return Shed(
        id=row.id,
        source=row.source,
        opened_at=from_milliseconds(row.opened_at),
        closed_at=_moment(row.closed_at),
        reason=row.reason,
        refused=row.refused,
        compared_at=_moment(row.compared_at),
        closing_at=_moment(row.closing_at),
    )


def _moment(milliseconds: int | None) -> datetime | None:
    return from_milliseconds(milliseconds) if milliseconds is not None else None
