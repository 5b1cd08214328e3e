"""What was compared is answered: a page of records at a time, or whatever a source had to say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Select, Update, bindparam, select, update

from brekzsync.state.connection import Database
from brekzsync.state.inbox_rows import DEAD, DONE, NEW
from brekzsync.state.inbox_schema import delivery
from brekzsync.state.times import to_milliseconds

_AT_ONCE: Final = 2_000  # rows of a transaction: a receiver never waits long for one of ours


class Job(Protocol):
    """The deliveries of one record, up to ``last_id``."""

    @property
    def source(self) -> str: ...
    @property
    def record(self) -> str: ...
    @property
    def count(self) -> int: ...
    @property
    def last_id(self) -> int: ...


class InboxAnswers:
    """Marks deliveries as done, dead ones among them too: whatever they had to say is heard by now.

    Many in one transaction, for one by one a flood would take an hour. Not durable by itself: what a power cut
    takes back is compared once more.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def done(self, jobs: Sequence[Job], at: datetime) -> int:
        """Each was compared, beginning after its last delivery was seen; returns how many deliveries are done."""
        marked, values = 0, _done(at)
        for some in _pages(jobs):
            if len(some) == 1 and some[0].count > _AT_ONCE:
                of_record = (delivery.c.source == some[0].source, delivery.c.record == some[0].record)
                marked += self._piecewise(values, *of_record, delivery.c.id <= some[0].last_id)
            else:
                marked += self._at_once(values, some)
        return marked

    def everything(self, source: str, up_to_id: int, at: datetime) -> int:
        """Everything was compared, beginning after delivery ``up_to_id`` was seen; returns how many are done."""
        return self._piecewise(_done(at), delivery.c.source == source, delivery.c.id <= up_to_id)

    def _at_once(self, values: dict[str, Any], jobs: Sequence[Job]) -> int:
        statement = (
            update(delivery)
            .where(delivery.c.source == bindparam("of_source"), delivery.c.record == bindparam("of_record"))
            .where(delivery.c.status == bindparam("of_status"), delivery.c.id <= bindparam("up_to"))
            .values(values)
        )
        parameters = [
            {"of_source": job.source, "of_record": job.record, "of_status": status, "up_to": job.last_id}
            for job in jobs
            for status in (NEW, DEAD)
        ]
        return self._changed(statement, parameters)

    def _piecewise(self, values: dict[str, Any], *conditions: Any) -> int:
        marked = 0
        for status in (NEW, DEAD):
            these = (delivery.c.status == status, *conditions)
            some = select(delivery.c.id).where(*these).order_by(delivery.c.id).limit(_AT_ONCE)
            while ids := self._ids(some):
                marked += self._changed(update(delivery).where(delivery.c.id.in_(ids), *these).values(values))
        return marked

    def _ids(self, some: Select[Any]) -> Sequence[int]:
        with self._database.read() as connection:
            return connection.scalars(some).all()

    def _changed(self, statement: Update, parameters: Sequence[dict[str, Any]] | None = None) -> int:
        def work(connection: Connection) -> int:
            return connection.execute(statement, parameters).rowcount

        return self._database.write(work, durable=False)


def _done(at: datetime) -> dict[str, Any]:
    return {"status": DONE, "processed_at": to_milliseconds(at), "error": None}


def _pages(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Those of many deliveries one by one, the others so many that their deliveries fit a transaction."""
    yield from ([job] for job in jobs if job.count > _AT_ONCE)
    page: list[Job] = []
    rows = 0
    for job in jobs:
        if job.count > _AT_ONCE:
            continue
        if rows + job.count > _AT_ONCE:
            yield page
            page, rows = [], 0
        page.append(job)
        rows += job.count
    if page:
        yield page
