"""Webhooks that were received: stored before the sender is answered, processed later, record by record.

Deliveries of one record (source and item, or whatever else the sender calls it) are one job, however many they
are: what is compared is the present, so that the newest of them is as good as all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update

from brekzsync.state import inbox_schema
from brekzsync.state.connection import parse_url
from brekzsync.state.inbox_database import InboxDatabase, is_missing_file, make_directory
from brekzsync.state.inbox_rows import (
    DEAD,
    DONE,
    NEW,
    SHOWN,
    SQLITE_INSERT,
    Delivery,
    NewDelivery,
    SomeKnown,
    WaitingRecord,
    due_groups,
    insert_all,
    insert_each,
    shown,
    stored_form,
    waiting_record,
)
from brekzsync.state.inbox_schema import delivery
from brekzsync.state.inbox_sheds import Shed, Sheds
from brekzsync.state.times import to_milliseconds

__all__ = ["DEAD", "DONE", "NEW", "Delivery", "Inbox", "NewDelivery", "Shed", "WaitingRecord", "open_inbox"]

_AT_ONCE: Final = 2_000  # rows of a transaction: a receiver never waits long for one of ours
_NAMES: Final = 400  # in a list


class Inbox:
    """An open inbox. Safe to share between threads, except ``store``; close it when done, or use it in ``with``."""

    def __init__(self, database: InboxDatabase) -> None:
        self.database = database
        self.marks = Sheds(database)

    # --- receiving ----------------------------------------------------------------------------------------

    def store(self, deliveries: Sequence[NewDelivery]) -> list[bool]:
        """Store them in one transaction; when this returns they survive a power cut. For one thread at a time.

        Says of each whether it is new; one whose id its source sent before is left as it is. When this raises,
        nothing was stored, or the server was lost while it answered: sent again, they are stored once.
        """
        rows = [stored_form(one) for one in deliveries]
        if not rows:
            return []
        if self.database.keeps_a_connection:
            return self.database.insert_durably(SQLITE_INSERT, rows)
        try:
            return self.database.write(lambda connection: insert_all(connection, rows), durable=True)
        except SomeKnown:
            return self.database.write(lambda connection: insert_each(connection, rows), durable=True)

    # --- processing ---------------------------------------------------------------------------------------

    def sources(self) -> list[str]:
        """Those of which something waits, due or not."""
        with self.database.read() as connection:
            statement = select(delivery.c.source).where(delivery.c.status == NEW).distinct()
            return sorted(connection.scalars(statement))

    def waiting(
        self, now: datetime, limit_records: int, *, source: str | None = None, after: str | None = None
    ) -> list[WaitingRecord]:
        """Records that are due: of all sources those that wait longest, of one source by record, behind ``after``
        (None: from the first, which may be the empty one).

        A record that failed waits as a whole for its next attempt: what came of it meanwhile waits along.
        """
        groups = due_groups(to_milliseconds(now), source, after).limit(limit_records).subquery()
        first, last = delivery.alias("first"), delivery.alias("last")
        statement = (
            select(*groups.c, first.c.received_at, last.c.topic)
            .select_from(groups)
            .join(first, first.c.id == groups.c.first_id)
            .join(last, last.c.id == groups.c.last_id)
            .order_by(groups.c.first_id if source is None else groups.c.record)
        )
        with self.database.read() as connection:
            return [waiting_record(row) for row in connection.execute(statement)]

    def done(self, source: str, record: str, up_to_id: int, at: datetime) -> int:
        """A comparison that began after delivery ``up_to_id`` was seen has come to its end; returns how many
        deliveries are done by it. Dead ones among them are: whatever they had to say, it is heard now.

        An id below that may become visible later; it was given before, so what it announces was compared too.
        """
        values = {"status": DONE, "processed_at": to_milliseconds(at), "error": None}
        return sum(self._mark(status, source, record, up_to_id, values) for status in (NEW, DEAD))

    def failed(
        self, source: str, record: str, up_to_id: int, at: datetime, next_attempt_at: datetime, error: str
    ) -> int:
        """An attempt was in vain; the record waits until ``next_attempt_at``. Returns how many deliveries do."""
        values = {
            "attempts": delivery.c.attempts + 1,
            "next_attempt_at": to_milliseconds(next_attempt_at),
            "processed_at": to_milliseconds(at),
            "error": error,
        }
        return self._mark(NEW, source, record, up_to_id, values)

    def dead(self, source: str, record: str, up_to_id: int, at: datetime, error: str) -> int:
        """The last attempt was in vain: a person must look. Returns how many deliveries are dead by it."""
        values = {
            "status": DEAD,
            "attempts": delivery.c.attempts + 1,
            "processed_at": to_milliseconds(at),
            "error": error,
        }
        return self._mark(NEW, source, record, up_to_id, values)

    # --- looking ------------------------------------------------------------------------------------------

    def list(
        self,
        status: str | None = None,
        source: str | None = None,
        limit: int = 50,
        after: int | None = None,
    ) -> list[Delivery]:
        """The newest first, without their bodies; ``after`` goes on behind that id."""
        conditions = [
            *([delivery.c.status == status] if status else []),
            *([delivery.c.source == source] if source else []),
            *([delivery.c.id < after] if after is not None else []),
        ]
        statement = select(*SHOWN).where(*conditions).order_by(delivery.c.id.desc()).limit(limit)
        with self.database.read() as connection:
            return [shown(row) for row in connection.execute(statement)]

    def show(self, delivery_id: int) -> Delivery | None:
        """One with its body, by ``id``."""
        statement = select(*SHOWN, delivery.c.body).where(delivery.c.id == delivery_id)
        with self.database.read() as connection:
            row = connection.execute(statement).first()
        return shown(row) if row is not None else None

    def replay(
        self, ids: Collection[int] | None = None, *, dead: bool = False, source: str | None = None
    ) -> int:
        """Let them wait again, as if they had just come: these, or with ``dead`` every dead one (of ``source``)."""
        values = {"status": NEW, "attempts": 0, "next_attempt_at": 0, "processed_at": None, "error": None}
        if dead:
            condition = and_(delivery.c.status == DEAD, *([delivery.c.source == source] if source else []))
            return self._change_some(condition, values)
        wanted = sorted(set(ids or ()))
        return sum(
            self._change_some(delivery.c.id.in_(wanted[start : start + _NAMES]), values)
            for start in range(0, len(wanted), _NAMES)
        )

    def backlog(self) -> dict[str, int]:
        """How many deliveries wait, by source; a source without any is missing."""
        return self.count(NEW)

    def count(self, status: str) -> dict[str, int]:
        """How many have this status, by source."""
        statement = (
            select(delivery.c.source, func.count().label("count_"))
            .where(delivery.c.status == status)
            .group_by(delivery.c.source)
        )
        with self.database.read() as connection:
            return {row.source: row.count_ for row in connection.execute(statement)}

    # --- floods -------------------------------------------------------------------------------------------

    def sheds(self) -> Sequence[Shed]:
        """Times in which a source was told to wait, the oldest first: those that are open, and those that have
        ended and after which not everything was compared yet."""
        return self.marks.unsettled()

    def compared(self, shed_id: int, at: datetime) -> bool:
        """Everything was compared, beginning at ``at``; False where that is not after the shed closed, or it was
        settled before."""
        return self.marks.compared(shed_id, at)

    # --- keeping small ------------------------------------------------------------------------------------

    def prune(self, before: datetime) -> int:
        """Forget what was done or died before then, and sheds that were settled; returns how many deliveries.

        A webhook that is sent again after that is taken for a new one, which costs one more comparison.
        """
        limit = to_milliseconds(before)
        self.marks.prune(limit)
        condition = and_(delivery.c.status.in_((DONE, DEAD)), delivery.c.processed_at < limit)
        forgotten = 0
        while ids := self._ids(condition):
            gone = delete(delivery).where(delivery.c.id.in_(ids), condition)
            forgotten += self._write(gone)
            if len(ids) < _AT_ONCE:
                break
        return forgotten

    def planned_prune(self, before: datetime) -> int:
        """What ``prune`` would forget."""
        condition = and_(
            delivery.c.status.in_((DONE, DEAD)), delivery.c.processed_at < to_milliseconds(before)
        )
        with self.database.read() as connection:
            return connection.scalar(select(func.count()).select_from(delivery).where(condition)) or 0

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> Inbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _mark(self, status: str, source: str, record: str, up_to_id: int, values: dict[str, Any]) -> int:
        """Change a record's deliveries, some thousand at a time: one that is flooded with has a million."""
        of_record = and_(
            delivery.c.status == status, delivery.c.source == source, delivery.c.record == record
        )
        after, changed = 0, 0
        while after < up_to_id:
            until = self._boundary(of_record, after, up_to_id)
            between = and_(of_record, delivery.c.id > after, delivery.c.id <= until)
            changed += self._write(update(delivery).where(between).values(values))
            after = until
        return changed

    def _boundary(self, condition: ColumnElement[bool], after: int, up_to_id: int) -> int:
        statement = (
            select(delivery.c.id)
            .where(condition, delivery.c.id > after, delivery.c.id <= up_to_id)
            .order_by(delivery.c.id)
            .offset(_AT_ONCE - 1)
            .limit(1)
        )
        with self.database.read() as connection:
            found: int | None = connection.scalar(statement)
        return up_to_id if found is None else found

    def _change_some(self, condition: ColumnElement[bool], values: dict[str, Any]) -> int:
        changed, after = 0, 0
        while ids := self._ids(and_(condition, delivery.c.id > after)):
            changed += self._write(update(delivery).where(delivery.c.id.in_(ids)).values(values))
            after = ids[-1]
        return changed

    def _ids(self, condition: ColumnElement[bool]) -> Sequence[int]:
        statement = select(delivery.c.id).where(condition).order_by(delivery.c.id).limit(_AT_ONCE)
        with self.database.read() as connection:
            return connection.scalars(statement).all()

    def _write(self, statement: Any) -> int:
        def work(connection: Connection) -> int:
            return connection.execute(statement).rowcount

        return self.database.write(work, durable=False)


def open_inbox(url: str, *, create: bool = True, read_only: bool = False) -> Inbox | None:
    """The inbox at ``url``; one that does not exist is made, or without ``create`` None.

    Raises ConfigurationError, Unavailable or AccessDenied.
    """
    parsed = parse_url(url)
    if is_missing_file(parsed):
        if not create:
            return None
        make_directory(parsed)
    database = InboxDatabase(parsed, read_only=read_only)
    try:
        if not create and not inbox_schema.exists(database):
            database.close()
            return None
        if not read_only:
            if database.backend == "sqlite":
                database.prepare_file()
            inbox_schema.bring_up(database)
        return Inbox(database)
    except BaseException:
        database.close()
        raise
