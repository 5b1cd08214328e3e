"""What the demo's marketplace remembers: orders, batches and tickets, in a SQLite file or in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import StaticPool

from brekzsync.demo.marketplace.rules import SUCCEED, Behaviour, DemoOrder, Payload, Taken, names
from brekzsync.demo.marketplace.settling import settle
from brekzsync.demo.marketplace.tables import (
    METADATA,
    OPEN,
    ORDER,
    TICKET,
    DemoTicket,
    number_of,
    taken_of,
    ticket_of,
)
from brekzsync.domain.order_status import Operation, plain

_FIND = select(ORDER).where(ORDER.c.store_id == bindparam("store"))
_BY_IDS = _FIND.where(ORDER.c.id.in_(bindparam("ids", expanding=True)))
_BY_REFERENCE = _FIND.where(ORDER.c.reference == bindparam("reference")).order_by(ORDER.c.id)
_TICKETS = select(TICKET, ORDER.c.reference, ORDER.c.channel).join(ORDER, ORDER.c.id == TICKET.c.id_order)
# Text and tuples: a request brings a hundred of them, and a test a hundred requests.
_TAKE = str(
    insert(TICKET).compile(
        dialect=sqlite.dialect(),
        column_keys=[
            "batch",
            "id_order",
            "store_id",
            "operation",
            "payload",
            "is_listed",
            "looks",
            "state",
            "scheduled_at",
        ],
    )
)
_compact = json.JSONEncoder(separators=(",", ":")).encode


class MarketplaceRecords:
    """Not for several threads at once. ``seed`` gives the orders of a file that is opened; those it knows stay as they
    are. A file that was made anew meanwhile (``demo up``) is opened again."""

    def __init__(self, file: Path | None, seed: Callable[[], Iterable[DemoOrder]] = tuple) -> None:
        self._file = file
        self._seed = seed
        self._connection: Connection | None = None
        self._inode: int | None = None

    def close(self) -> None:
        """It may be used again all the same; what is only in memory stays there."""
        if self._connection is not None and self._file is not None:
            engine = self._connection.engine
            self._connection.close()
            engine.dispose()
            self._connection = None

    # --- orders -------------------------------------------------------------------------------------------

    def add(self, orders: Iterable[DemoOrder]) -> None:
        """Orders that customers placed; one that is there already stays as it is."""
        rows = [order._asdict() for order in orders]
        with self._opened() as connection:
            if rows:
                connection.execute(sqlite.insert(ORDER).on_conflict_do_nothing(), rows)

    def by_ids(self, store: int, ids: Collection[int]) -> dict[int, DemoOrder]:
        with self._opened() as connection:
            found = connection.execute(_BY_IDS, {"store": store, "ids": list(ids)}).all()
            return {row[0]: DemoOrder._make(row) for row in found}

    def by_reference(self, store: int, reference: str, channel: str) -> DemoOrder | None:
        """The first of a channel, whose name is compared as people do."""
        with self._opened() as connection:
            found = connection.execute(_BY_REFERENCE, {"store": store, "reference": reference})
            orders = map(DemoOrder._make, found)
            return next((order for order in orders if plain(order.channel) == plain(channel)), None)

    def listed(
        self, store: int, wanted: dict[str, Any], since: int | None, until: int | None, page: int, limit: int
    ) -> tuple[int, list[DemoOrder]]:
        """How many orders there are with these columns, placed within these moments; and a page of them."""
        conditions = [ORDER.c.store_id == store]
        conditions += [ORDER.c[name].in_(values) for name, values in wanted.items()]
        conditions += [ORDER.c.placed_at >= since] if since is not None else []
        conditions += [ORDER.c.placed_at <= until] if until is not None else []
        statement = select(ORDER).where(*conditions).order_by(ORDER.c.id)
        with self._opened() as connection:
            total = connection.scalar(select(func.count()).select_from(ORDER).where(*conditions)) or 0
            rows = connection.execute(statement.limit(limit).offset((page - 1) * limit))
            return total, [DemoOrder._make(row) for row in rows]

    # --- operations ---------------------------------------------------------------------------------------

    def take(
        self,
        store: int,
        operation: Operation,
        taken: Sequence[tuple[DemoOrder, Payload]],
        behaviour: Behaviour,
        at: int,
    ) -> str:
        """A batch with a ticket for each; its id."""
        with self._opened() as connection:
            batch = (connection.scalar(select(func.max(TICKET.c.batch))) or 0) + 1
            rows = [
                (
                    batch,
                    order.id,
                    store,
                    operation.value,
                    _compact(payload),
                    not names(order, behaviour.without_ticket),
                    0,
                    OPEN,
                    at,
                )
                for order, payload in taken
            ]
            connection.exec_driver_sql(_TAKE, rows)
        return f"batch{batch}"

    def settle(self, behaviour: Behaviour, at: int) -> None:
        """Let the tickets whose time has come end, in the order in which they were taken."""
        with self._opened() as connection:
            settle(connection, behaviour, at)

    def tickets(
        self,
        store: int,
        behaviour: Behaviour,
        at: int,
        *,
        batch: str | None = None,
        order: int | None = None,
        ticket: str | None = None,
    ) -> list[DemoTicket]:
        """Those that are to be found; looking counts (``seen``)."""
        conditions = [TICKET.c.store_id == store, TICKET.c.is_listed == true()]
        for column, value, prefix in (
            (TICKET.c.batch, batch, "batch"),
            (TICKET.c.number, ticket, "ticket"),
        ):
            if value is not None:
                conditions.append(column == number_of(value, prefix))
        if order is not None:
            conditions.append(TICKET.c.id_order == order)
        visible = or_(TICKET.c.state != OPEN, TICKET.c.looks >= behaviour.hidden_looks)
        statement = _TICKETS.where(*conditions, visible).order_by(TICKET.c.number)
        with self._opened() as connection:
            found = [ticket_of(row, behaviour, at) for row in connection.execute(statement)]
            if behaviour.hidden_looks:  # what is not shown was looked for
                hidden = (TICKET.c.state == OPEN, TICKET.c.looks < behaviour.hidden_looks)
                _count_look(connection, *conditions, *hidden)
            return found

    def seen(self, tickets: Sequence[DemoTicket]) -> None:
        """Somebody looked at these."""
        numbers = [number_of(ticket.number, "ticket") for ticket in tickets if ticket.finished_at is None]
        with self._opened() as connection:
            if numbers:
                _count_look(connection, TICKET.c.number.in_(numbers), TICKET.c.state == OPEN)

    def taken(self, order: int | None = None) -> list[Taken]:
        """Every operation there is a ticket for, or those of one order, as they came."""
        statement = _TICKETS if order is None else _TICKETS.where(TICKET.c.id_order == order)
        with self._opened() as connection:
            return [taken_of(row) for row in connection.execute(statement.order_by(TICKET.c.number))]

    def accepted(self) -> list[tuple[int, Operation]]:
        """Order and operation of the tickets that succeeded, as they came."""
        statement = select(TICKET.c.id_order, TICKET.c.operation).where(TICKET.c.state == SUCCEED)
        with self._opened() as connection:
            found = connection.execute(statement.order_by(TICKET.c.number)).all()
            return [(order, Operation(word)) for order, word in found]

    # --- the file -----------------------------------------------------------------------------------------

    @contextmanager
    def _opened(self) -> Iterator[Connection]:
        if self._connection is not None and self._file is not None and _inode(self._file) != self._inode:
            self.close()
        connection = self._connection or self._open()
        with connection.begin():
            yield connection

    def _open(self) -> Connection:
        engine = create_engine(
            f"sqlite:///{self._file or ''}", poolclass=StaticPool, connect_args={"check_same_thread": False}
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _: object) -> None:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")

        METADATA.create_all(engine)
        self._connection = engine.connect()
        self._inode = _inode(self._file) if self._file else None
        self.add(self._seed())
        return self._connection


def _count_look(connection: Connection, *conditions: ColumnElement[bool]) -> None:
    connection.execute(update(TICKET).where(*conditions).values(looks=TICKET.c.looks + 1))


def _inode(file: Path) -> int | None:
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return None
