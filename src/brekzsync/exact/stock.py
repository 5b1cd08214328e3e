"""How much the ERP has of our items: what lies in its warehouses and what of that is already sold.

On hand is what the books moved on an item's stock account up to a day; open sales is what sales orders still
have to deliver (facts/exact-globe.md sections 4.3 and 4.4), in pieces where the line's unit holds several. Text
lines, purchases and completed orders do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from itertools import chain
from operator import itemgetter
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Select
from sqlalchemy.exc import DBAPIError

from brekzsync.domain.erp_stock import LevelRow, StockLevel, StockQuantity
from brekzsync.domain.stock import ErpStockItem
from brekzsync.domain.texts import normalise_code
from brekzsync.exact import stock_statements as statements
from brekzsync.exact.codes import Batch, batches, paddings
from brekzsync.exact.columns import missing_columns
from brekzsync.exact.connection import erp_errors
from brekzsync.exact.orders import OrderRepository
from brekzsync.exact.statements import in_pages
from brekzsync.exact.stock_statements import Narrowing
from brekzsync.exact.tables import WAREHOUSE_LENGTH, globe_tables
from brekzsync.exact.values import day, flag, quantity, text

_KINDS = frozenset({"S", "B"})
_PAGE = 2000
NEEDED = "tables Items, gbkmut, orkrg and orsrg as they are read"


class LevelsAside(Protocol):
    """``levels`` that are read in a process of its own, from now on."""

    def rows(self) -> tuple[Iterator[LevelRow], bool]:
        """All of them when they have been read, and whether in the order of codes. Raises what the reading failed
        with. Quantities that are no whole numbers are their digits."""

    def close(self) -> None:
        """End the process, if it is still at work, and forget what it read."""


Aside = Callable[[date, Collection[str]], LevelsAside]


class StockRepository:
    """Reads ``Items``, ``gbkmut`` and orders; raises the errors of ``erp_errors``, also in mid-stream.

    Every answer is a stream in no order, complete or an error; memory stays flat. Codes are normalised. Rows naming
    the same item and warehouse are to be added up: the ERP may have padded a warehouse in two ways. ``warehouses``
    narrows the stream, empty means all; ``codes`` narrows it to these items, None means all; ``today`` is the ERP's
    day, and movements dated later are not there yet. ``aside`` begins to read levels in a process of its own.
    """

    def __init__(self, engine: Engine, aside: Aside | None = None) -> None:
        self._engine = engine
        self._aside = aside
        self._tables = globe_tables(engine.dialect.name)
        self._orders = OrderRepository(engine)

    def stock_items(self, codes: Collection[str] | None = None) -> Iterator[ErpStockItem]:
        """The items, whether they are stocked and sold or not; a code that is empty is no item."""
        with self._asked() as connection:
            missing = missing_columns(connection, self._tables.items)
            statement = statements.stock_items(self._tables, missing, Narrowing(codes=codes is not None))
            for code, is_sales, is_stock, is_exploded, kind in _rows(connection, statement, {}, codes):
                yield ErpStockItem(code, flag(is_sales), flag(is_stock), flag(is_exploded), text(kind))

    def on_hand(
        self, today: date, warehouses: Collection[str] = (), codes: Collection[str] | None = None
    ) -> Iterator[StockQuantity]:
        """What lies in the warehouses."""
        statement = statements.on_hand(self._tables, _narrowing(warehouses, codes))
        with self._asked() as connection:
            rows = _rows(connection, statement, _given(warehouses, today), codes)
            for code, warehouse, moved in rows:
                yield StockQuantity(code, text(warehouse), quantity(moved))

    def open_sales(
        self, warehouses: Collection[str] = (), codes: Collection[str] | None = None
    ) -> Iterator[StockQuantity]:
        """What open sales orders still have to deliver."""
        narrowed = _narrowing(warehouses, codes)
        with self._asked() as connection:
            statement = statements.open_sales(self._tables, self._of_lines(connection), narrowed)
            for code, warehouse, sold in _rows(connection, statement, _given(warehouses), codes):
                yield StockQuantity(code, text(warehouse), quantity(sold))

    def open_sales_by_order(
        self, warehouses: Collection[str] = (), codes: Collection[str] | None = None
    ) -> Iterator[tuple[str, StockQuantity]]:
        """The same with the order's reference, normalised; empty for an order without."""
        narrowed = _narrowing(warehouses, codes)
        with self._asked() as connection:
            missing = self._of_lines(connection)
            statement = statements.open_sales(self._tables, missing, narrowed, by_order=True)
            rows = _rows(connection, statement, _given(warehouses), codes, position=1)
            for reference, code, warehouse, sold in rows:
                yield normalise_code(text(reference)), StockQuantity(code, text(warehouse), quantity(sold))

    def sellable(self, today: date, warehouses: Collection[str] = ()) -> Iterator[StockLevel]:
        """Both, for items that are for sale and were ever moved or sold; others have nothing."""
        with self._asked() as connection:
            missing = self._of_lines(connection)
            statement = statements.sellable(self._tables, missing, _narrowing(warehouses))
            for code, warehouse, moved, sold in _rows(connection, statement, _given(warehouses, today)):
                yield StockLevel(code, text(warehouse), quantity(moved), quantity(sold))

    def levels(self, today: date, warehouses: Collection[str] = ()) -> Iterator[LevelRow]:
        """Every item with both, at least one row for each: see ``LevelRow``."""
        with self._asked() as connection:
            missing = missing_columns(connection, self._tables.items)
            statement = statements.levels(
                self._tables, missing, self._of_lines(connection), _narrowing(warehouses)
            )
            for page in _pages(connection, statement, _given(warehouses, today)):
                yield from filter(itemgetter(0), map(_level, page))

    def levels_by_code(self, today: date, warehouses: Collection[str] = ()) -> Iterator[LevelRow] | None:
        """``levels`` in the order of codes; None where this ERP cannot sort them as they are compared.

        What open orders have to deliver comes in rows of its own, without the item's flags, after the item.
        """
        tables = self._tables
        if tables.dialect == "mssql":
            return None
        with self._asked() as connection:
            for column in (tables.items.c.ItemCode, tables.gbkmut.c.artcode, tables.orsrg.c.artcode):
                if connection.execute(statements.oddly_written(column)).first():
                    return None
        return chain.from_iterable(self._by_code(today, warehouses))

    def levels_aside(self, today: date, warehouses: Collection[str] = ()) -> LevelsAside | None:
        """Begin to read ``levels`` in a process of its own; None where that was not arranged."""
        return None if self._aside is None else self._aside(today, warehouses)

    def _by_code(self, today: date, warehouses: Collection[str]) -> Iterator[list[LevelRow]]:
        """Pages of what lies in the warehouses; what open orders have to deliver is laid between, never before the
        item it is of."""
        code_of = itemgetter(0)
        sold = self._sold_by_code(warehouses)
        upcoming = next(sold, None)
        for page in self._held_by_code(today, warehouses):
            laid_between = []
            while upcoming is not None and upcoming[0] <= page[-1][0]:
                laid_between.append(upcoming)
                upcoming = next(sold, None)
            yield sorted(page + laid_between, key=code_of) if laid_between else page
        if upcoming is not None:
            yield [upcoming, *sold]

    def _held_by_code(self, today: date, warehouses: Collection[str]) -> Iterator[list[LevelRow]]:
        with self._asked() as connection:
            missing = missing_columns(connection, self._tables.items)
            statement = statements.levels_by_code(self._tables, missing, _narrowing(warehouses))
            known: dict[tuple[Any, ...], tuple[Any, ...]] = {}  # what stands beside a code: few are different
            for page in _pages(connection, statement, _given(warehouses, today)):
                levels = []
                for row in filter(itemgetter(0), page):
                    beside, moved = known.get(row[1:6]), row[6]
                    if beside is None:
                        if len(known) > _PAGE:
                            known.clear()
                        beside = known[row[1:6]] = _level((*row, 0))[1:6]
                    is_whole = moved.__class__ is float and moved.is_integer()
                    levels.append((row[0], *beside, int(moved) if is_whole else _pieces(moved), 0))
                if levels:
                    yield levels

    def _sold_by_code(self, warehouses: Collection[str]) -> Iterator[LevelRow]:
        with self._asked() as connection:
            missing = self._of_lines(connection)
            statement = statements.open_sales(self._tables, missing, _narrowing(warehouses)).order_by("code")
            for code, warehouse, sold in _rows(connection, statement, _given(warehouses)):
                yield code, None, None, None, None, text(warehouse), 0, _pieces(sold)

    def last_moved(self, codes: Collection[str], today: date) -> Mapping[str, date]:
        """The day of the newest movement, on its stock account and not after ``today``, of each item that has one."""
        newest: dict[str, date] = {}
        with self._asked() as connection:
            statement = statements.last_moved(self._tables)
            for code, moment in _rows(connection, statement, _given((), today), codes):
                if found := day(moment):
                    newest[code] = max(found, newest.get(code, found))
        return newest

    def references(self) -> Iterator[str]:
        """See ``OrderRepository``."""
        return self._orders.references()

    def present(self, references: Collection[str]) -> set[str]:
        """See ``OrderRepository``."""
        return self._orders.present(references)

    @contextmanager
    def _asked(self) -> Iterator[Connection]:
        with erp_errors(self._engine.url, NEEDED), self._engine.connect() as connection:
            yield connection

    def _of_lines(self, connection: Connection) -> Collection[str]:
        return missing_columns(connection, self._tables.orsrg)


def _narrowing(warehouses: Collection[str], codes: Collection[str] | None = None) -> Narrowing:
    return Narrowing(warehouses=bool(warehouses), codes=codes is not None)


def _given(warehouses: Collection[str], today: date | None = None) -> dict[str, Any]:
    """The parameters of a statement, but for ``codes``."""
    given: dict[str, Any] = {}
    if today is not None:
        given["tomorrow"] = today + timedelta(days=1)
    if warehouses:
        spellings = (*warehouses, *(code.strip().upper() for code in warehouses))
        given["warehouses"] = paddings(spellings, WAREHOUSE_LENGTH)
    return given


def _rows(
    connection: Connection,
    statement: Select[Any],
    given: dict[str, Any],
    codes: Collection[str] | None = None,
    position: int = 0,
) -> Iterator[list[Any]]:
    """The statement's rows, the item code at ``position`` as it is compared; those of no code are left out."""
    everything: Iterable[Batch | None] = [None] if codes is None else batches(codes)
    for batch in everything:
        parameters = given if batch is None else {**given, "codes": batch.spellings}
        for page in connection.execute(in_pages(statement), parameters).partitions():
            for row in page:
                values = list(row)
                values[position] = code = normalise_code(text(values[position]))
                if code and (batch is None or code in batch.wanted):
                    yield values


def _pages(
    connection: Connection, statement: Select[Any], given: dict[str, Any]
) -> Iterator[Sequence[tuple[Any, ...]]]:
    """The statement's rows as the driver gives them: SQLAlchemy's cost more than the rows themselves."""
    # Not in_pages: for that SQLAlchemy takes the first row out of the cursor already, which would be missing here.
    cursor = connection.execute(statement, given).cursor
    assert cursor is not None
    try:
        while page := cursor.fetchmany(_PAGE):
            yield page
    except connection.dialect.loaded_dbapi.Error as error:
        connection.invalidate()
        raise DBAPIError(None, None, error) from error


def _level(row: Sequence[Any]) -> LevelRow:
    """A row of ``levels``, read a million times: what a server gives is nearly always of these types."""
    code, is_sales, is_stock, is_exploded, kind, warehouse, moved, sold = row
    return (
        normalise_code(code if type(code) is str else text(code)),
        flag(is_sales),
        flag(is_stock),
        flag(is_exploded),
        kind if kind in _KINDS else text(kind),
        "" if warehouse is None else text(warehouse),
        int(moved) if type(moved) is float and moved.is_integer() else _pieces(moved),
        int(sold) if type(sold) is float and sold.is_integer() else _pieces(sold),
    )


def _pieces(value: Any) -> int | Decimal:
    """A quantity, a whole one as an int."""
    if not value:
        return 0
    rounded = quantity(value)
    return int(rounded) if rounded == rounded.to_integral_value() else rounded
