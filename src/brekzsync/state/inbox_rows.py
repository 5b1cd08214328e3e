"""What the inbox holds, as values, and the statements that put it there and find it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Insert, Select, func, insert, select

from brekzsync.state.inbox_schema import delivery
from brekzsync.state.times import from_milliseconds, to_milliseconds

NEW, DONE, DEAD = "new", "done", "dead"
_ROWS: Final = 200  # of a statement
_CHARACTERS: Final = 500_000


class NewDelivery(NamedTuple):
    """A webhook as it came. ``delivery_id`` is unique within its source; ``record`` may be empty."""

    source: str
    delivery_id: str
    received_at: datetime
    topic: str
    record: str
    body: str


@dataclass(frozen=True, slots=True)
class WaitingRecord:
    """The deliveries of one record that wait. ``topic`` is that of the last, ``oldest`` when the first came,
    ``attempts`` how often the one that was tried most was tried in vain."""

    source: str
    record: str
    count: int
    first_id: int
    last_id: int
    oldest: datetime
    attempts: int
    topic: str


class Delivery(NamedTuple):
    """A delivery. ``body`` is empty in lists; ``next_attempt_at`` is None for what may be tried at once."""

    id: int
    source: str
    delivery_id: str
    received_at: datetime
    topic: str
    record: str
    status: str
    attempts: int
    next_attempt_at: datetime | None
    processed_at: datetime | None
    error: str | None
    body: str = ""


class SomeKnown(Exception):
    """Some of the deliveries of a group were stored before: which ones takes another look."""


def stored_form(one: NewDelivery) -> tuple[Any, ...]:
    """A row, in the order of ``INSERTED``."""
    source, delivery_id, received_at, topic, record, body = one
    return (source, delivery_id, to_milliseconds(received_at), topic, record, NEW, 0, 0, body)


INSERTED: Final = (
    delivery.c.source,
    delivery.c.delivery_id,
    delivery.c.received_at,
    delivery.c.topic,
    delivery.c.record,
    delivery.c.status,
    delivery.c.attempts,
    delivery.c.next_attempt_at,
    delivery.c.body,
)
SQLITE_INSERT: Final = (
    f"INSERT INTO {delivery.name} ({', '.join(column.name for column in INSERTED)})"
    f" VALUES ({', '.join('?' * len(INSERTED))}) ON CONFLICT (source, delivery_id) DO NOTHING"
)


def insert_all(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> list[bool]:
    """In few statements. Raises SomeKnown when not every one of them is new."""
    statement = _ignoring(connection)
    for chunk in _chunks(rows):
        inserted = connection.execute(statement.values([_named(row) for row in chunk])).rowcount
        if inserted != len(chunk):
            raise SomeKnown
    return [True] * len(rows)


def _chunks(rows: Sequence[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """A server takes a statement of some megabytes at most (``max_allowed_packet``)."""
    chunk: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        size += len(row[-1])
        if chunk and (size > _CHARACTERS or len(chunk) == _ROWS):
            yield chunk
            chunk, size = [], len(row[-1])
        chunk.append(row)
    if chunk:
        yield chunk


def insert_each(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> list[bool]:
    """One by one, which tells which are new."""
    statement = _ignoring(connection)
    return [connection.execute(statement.values(_named(row))).rowcount == 1 for row in rows]


def _ignoring(connection: Connection) -> Insert:
    """IGNORE hides no other error: what comes here was measured before."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # half as slow to import as all of SQLAlchemy

        return postgresql.insert(delivery).on_conflict_do_nothing()
    statement = insert(delivery).prefix_with("OR IGNORE", dialect="sqlite")
    return statement.prefix_with("IGNORE", dialect="mysql").prefix_with("IGNORE", dialect="mariadb")


def _named(row: tuple[Any, ...]) -> dict[str, Any]:
    return {column.name: value for column, value in zip(INSERTED, row, strict=True)}


def due_groups(now: int, source: str | None, after: str | None) -> Select[Any]:
    """Records that wait and are due, grouped; ``first_id`` orders those of all sources, ``record`` those of one."""
    grouped = (
        select(
            delivery.c.source,
            delivery.c.record,
            func.count().label("count_"),
            func.min(delivery.c.id).label("first_id"),
            func.max(delivery.c.id).label("last_id"),
            func.max(delivery.c.attempts).label("attempts"),
        )
        .where(delivery.c.status == NEW)
        .group_by(delivery.c.source, delivery.c.record)
        .having(func.max(delivery.c.next_attempt_at) <= now)
    )
    if after is not None:
        grouped = grouped.where(delivery.c.record > after)
    if source is not None:
        return grouped.where(delivery.c.source == source).order_by(delivery.c.record)
    return grouped.order_by(func.min(delivery.c.id))


def waiting_record(row: Any) -> WaitingRecord:
    return WaitingRecord(
        row.source,
        row.record,
        row.count_,
        row.first_id,
        row.last_id,
        from_milliseconds(row.received_at),
        row.attempts,
        row.topic,
    )


SHOWN: Final = tuple(column for column in delivery.c if column is not delivery.c.body)


def shown(row: Any) -> Delivery:
    """A row of ``SHOWN``, with or without the body behind it."""
    return Delivery(
        id=row.id,
        source=row.source,
        delivery_id=row.delivery_id,
        received_at=from_milliseconds(row.received_at),
        topic=row.topic,
        record=row.record,
        status=row.status,
        attempts=row.attempts,
        next_attempt_at=from_milliseconds(row.next_attempt_at) if row.next_attempt_at else None,
        processed_at=from_milliseconds(row.processed_at) if row.processed_at is not None else None,
        error=row.error,
        body=getattr(row, "body", ""),
    )
