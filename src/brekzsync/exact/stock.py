"""How much the ERP has of our items: what lies in its warehouses and what of that is already sold.

On hand is what the books moved on an item's stock account up to a day; open sales is what sales orders still
have to deliver (facts/exact-globe.md sections 4.3 and 4.4). Text lines, purchases and completed orders do
not count. Quantities are added up in the unit of their line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Date,
    Engine,
    Select,
    Subquery,
    and_,
    bindparam,
    func,
    select,
    union_all,
)

from brekzsync.domain.erp_stock import StockLevel, StockQuantity
from brekzsync.domain.texts import normalise_code
from brekzsync.exact.codes import among, compared, paddings
from brekzsync.exact.connection import erp_errors
from brekzsync.exact.statements import fixed, in_pages, is_goods
from brekzsync.exact.tables import WAREHOUSE_LENGTH, GlobeTables, globe_tables
from brekzsync.exact.values import quantity, text

NEEDED = "tables Items, gbkmut, orkrg and orsrg as they are read"
_MOVING: Final = (
    "N",
    "C",
    "P",
    "X",
)  # normal, two corrections, outside the general ledger; no plans, no budgets


class StockRepository:
    """Reads ``gbkmut`` and open orders; raises the errors of ``erp_errors``, also in mid-stream.

    Every answer is a stream in no order, complete or an error; memory stays flat. Rows naming the same item
    and warehouse are to be added up: the ERP may have padded a warehouse in two ways. ``warehouses`` narrows
    the stream, empty means all; ``today`` is the ERP's day, and movements dated later are not there yet.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tables = globe_tables(engine.dialect.name)

    def on_hand(self, today: date, warehouses: Collection[str] = ()) -> Iterator[StockQuantity]:
        """What lies in the warehouses."""
        for code, warehouse, moved in self._rows(on_hand(self._tables, bool(warehouses)), warehouses, today):
            yield StockQuantity(code, warehouse, quantity(moved))

    def open_sales(self, warehouses: Collection[str] = ()) -> Iterator[StockQuantity]:
        """What open sales orders still have to deliver."""
        for code, warehouse, sold in self._rows(open_sales(self._tables, bool(warehouses)), warehouses):
            yield StockQuantity(code, warehouse, quantity(sold))

    def sellable(self, today: date, warehouses: Collection[str] = ()) -> Iterator[StockLevel]:
        """Both, for items that are for sale and were ever moved or sold; others have nothing."""
        statement = sellable(self._tables, bool(warehouses))
        for code, warehouse, moved, sold in self._rows(statement, warehouses, today):
            yield StockLevel(code, warehouse, quantity(moved), quantity(sold))

    def _rows(
        self, statement: Select[Any], warehouses: Collection[str], today: date | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """The statement's rows, code and warehouse as they are compared."""
        parameters: dict[str, Any] = {}
        if today is not None:
            parameters["tomorrow"] = today + timedelta(days=1)
        if warehouses:
            spellings = (*warehouses, *(code.strip().upper() for code in warehouses))
            parameters["warehouses"] = paddings(spellings, WAREHOUSE_LENGTH)
        with erp_errors(self._engine.url, NEEDED), self._engine.connect() as connection:
            for page in connection.execute(in_pages(statement), parameters).partitions():
                for code, warehouse, *quantities in page:
                    yield normalise_code(text(code)), text(warehouse), *quantities


def on_hand(tables: GlobeTables, narrowed: bool) -> Select[Any]:
    """Code, warehouse, quantity; parameters ``tomorrow`` and, when narrowed, ``warehouses``."""
    entry, items = tables.gbkmut.c, _by_code(tables)
    own = and_(
        items.c.code == compared(entry.artcode, tables.dialect),
        items.c.account == compared(entry.reknr, tables.dialect),
    )
    return (
        select(
            items.c.code.label("code"),
            entry.warehouse.label("warehouse"),
            func.sum(entry.aantal).label("quantity"),
        )
        .join_from(tables.gbkmut, items, own)
        .where(
            entry.transtype.in_([fixed(kind) for kind in _MOVING]),
            # Before tomorrow, not up to today: a day may carry a time, and SQLite compares text.
            entry.datum < bindparam("tomorrow", type_=Date),
            *_within(entry.warehouse, tables.dialect, narrowed),
        )
        .group_by(items.c.code, entry.warehouse)
    )


def open_sales(tables: GlobeTables, narrowed: bool) -> Select[Any]:
    """Code, warehouse, quantity; parameter ``warehouses`` when narrowed."""
    header, line = tables.orkrg.c, tables.orsrg.c
    code = compared(line.artcode, tables.dialect)
    return (
        select(
            code.label("code"),
            line.magcode.label("warehouse"),
            func.sum(line.esr_aantal - line.aant_gelev).label("quantity"),
        )
        .join_from(tables.orsrg, tables.orkrg, header.ordernr == line.ordernr)
        .where(
            header.ord_soort == fixed("V"),
            header.afgehandld == fixed(0),
            line.artcode.is_not(None),
            is_goods(line.ar_soort),
            line.esr_aantal > line.aant_gelev,
            *_within(line.magcode, tables.dialect, narrowed),
        )
        .group_by(code, line.magcode)
    )


def sellable(tables: GlobeTables, narrowed: bool) -> Select[Any]:
    """Code, warehouse, on hand, open sales of items for sale; parameters as ``on_hand``.

    Two aggregates laid one under the other and added up: a full outer join would do as well, but SQLite
    knows it only since 3.39.
    """
    moved = on_hand(tables, narrowed).subquery("moved")
    sold = open_sales(tables, narrowed).subquery("sold")
    stock = union_all(
        select(moved.c.code, moved.c.warehouse, moved.c.quantity.label("moved"), fixed(0).label("sold")),
        select(sold.c.code, sold.c.warehouse, fixed(0), sold.c.quantity),
    ).subquery("stock")
    items = _by_code(tables)
    return (
        select(
            items.c.code,
            stock.c.warehouse,
            func.sum(stock.c.moved).label("on_hand"),
            func.sum(stock.c.sold).label("open_sales"),
        )
        .join_from(stock, items, items.c.code == stock.c.code)
        .where(items.c.IsSalesItem == fixed(1), items.c.Type.in_([fixed("S"), fixed("B")]))
        .group_by(items.c.code, stock.c.warehouse)
    )


def _by_code(tables: GlobeTables) -> Subquery:
    """The items by a code to join on: the bare column on SQL Server, which so can use its indexes.

    On SQLite code and account are computed; DISTINCT makes it compute them once and index them by itself,
    where it would otherwise compare every movement with every item.
    """
    item = tables.items.c
    items = select(
        compared(item.ItemCode, tables.dialect).label("code"),
        compared(item.GLAccountDistribution, tables.dialect).label("account"),
        item.IsSalesItem,
        item.Type,
    )
    return (items if tables.dialect == "mssql" else items.distinct()).subquery("items")


def _within(warehouse: Column[str], dialect: str, narrowed: bool) -> list[ColumnElement[bool]]:
    return [among(warehouse, dialect, "warehouses")] if narrowed else []
