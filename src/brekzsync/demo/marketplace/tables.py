"""The tables of the demo's marketplace, and what their rows stand for."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, Row, String, Table

from brekzsync.demo.marketplace.rules import Behaviour, Taken
from brekzsync.domain.order_status import Operation

OPEN: Final = "open"
MILLISECONDS: Final = 1000
_HALF = 0.5

METADATA = MetaData()
ORDER = Table(
    "feed_order",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("reference", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("store_id", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("fulfilled_by", String, nullable=False),
    Column("placed_at", Integer, nullable=False),
    Index("feed_order_reference", "reference"),
)
TICKET = Table(
    "ticket",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("batch", Integer, nullable=False),
    Column("id_order", Integer, nullable=False),
    Column("store_id", Integer, nullable=False),
    Column("operation", String, nullable=False),
    Column("payload", String, nullable=False),
    Column("is_listed", Boolean, nullable=False),
    Column("looks", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("message", String),
    Column("scheduled_at", Integer, nullable=False),
    Column("finished_at", Integer),
    Index("ticket_batch", "batch"),
    Index("ticket_order", "id_order"),
)
# The open ones are looked through at every look, in their order.
Index("ticket_open", TICKET.c.number, sqlite_where=TICKET.c.finished_at.is_(None))


class DemoTicket(NamedTuple):
    """A ticket as it is shown; times are milliseconds, UTC."""

    number: str
    batch: str
    operation: Operation
    order: int
    reference: str
    channel: str
    state: str
    message: str | None
    scheduled_at: int
    started_at: int | None
    finished_at: int | None


def ticket_of(row: Row[Any], behaviour: Behaviour, at: int) -> DemoTicket:
    state = row.state
    if state == OPEN:
        stuck = behaviour.stuck.get(row.id_order) or behaviour.stuck.get(row.reference)
        state = stuck or _state(row, behaviour, at)
    return DemoTicket(
        number=f"ticket{row.number}",
        batch=f"batch{row.batch}",
        operation=Operation(row.operation),
        order=row.id_order,
        reference=row.reference,
        channel=row.channel,
        state=state,
        message=row.message,
        scheduled_at=row.scheduled_at,
        started_at=None if state == "scheduled" else row.scheduled_at,
        finished_at=row.finished_at,
    )


def _state(row: Row[Any], behaviour: Behaviour, at: int) -> str:
    """Of an open ticket: it runs from the middle of its way on."""
    ways = []
    if behaviour.ticket_delay:
        ways.append((at - row.scheduled_at) / (behaviour.ticket_delay * MILLISECONDS))
    if behaviour.ticket_looks:
        ways.append((row.looks - behaviour.hidden_looks) / behaviour.ticket_looks)
    return "running" if min(ways, default=1.0) >= _HALF else "scheduled"


def taken_of(row: Row[Any]) -> Taken:
    return Taken(
        order=row.id_order,
        reference=row.reference,
        channel=row.channel,
        operation=Operation(row.operation),
        payload=json.loads(row.payload),
        batch=f"batch{row.batch}",
        ticket=f"ticket{row.number}",
        state=row.state,
        message=row.message,
        at=row.scheduled_at,
    )


def number_of(name: str, prefix: str) -> int:
    """Of a batch or a ticket; that of none when it is not one of ours."""
    digits = name.removeprefix(prefix)
    return int(digits) if name.startswith(prefix) and digits.isascii() and digits.isdecimal() else 0
