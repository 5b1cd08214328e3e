"""What the ERP is asked about stock; see ``stock.py`` for what the answers mean."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Date,
    Label,
    LargeBinary,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    cast,
    func,
    not_,
    null,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.types import NullType

from brekzsync.exact.codes import among, compared
from brekzsync.exact.statements import fixed, is_goods
from brekzsync.exact.tables import GlobeTables

# Normal, two corrections, outside the general ledger; no plans, no budgets.
_MOVING: Final = ("N", "C", "P", "X")
# What Python takes for blank, within ASCII.
_BLANKS: Final = "".join(one for one in map(chr, range(128)) if one.isspace())


class Narrowing(NamedTuple):
    """Which lists a statement is given: ``warehouses`` and ``codes``, parameters of those names."""

    warehouses: bool = False
    codes: bool = False


ALL: Final = Narrowing()


def stock_items(tables: GlobeTables, missing: Collection[str], narrowed: Narrowing = ALL) -> Select[Any]:
    """The fields of ``ErpStockItem`` in their order; NULL for a column this administration lacks."""
    item = tables.items.c
    statement = select(item.ItemCode, *_flags(tables, missing))
    if narrowed.codes:
        statement = statement.where(among(item.ItemCode, tables.dialect))
    return statement


def _flags(tables: GlobeTables, missing: Collection[str]) -> list[Label[Any]]:
    item = tables.items.c
    return [
        # Read as the driver gives them: what is no 0 or 1 is no error here.
        type_coerce(item.IsSalesItem, NullType()).label("IsSalesItem"),
        *(
            null().label(name) if name in missing else type_coerce(item[name], NullType()).label(name)
            for name in ("IsStockItem", "IsExplodeItem")
        ),
        item.Type.label("Type"),
    ]


def on_hand(tables: GlobeTables, narrowed: Narrowing = ALL) -> Select[Any]:
    """Code, warehouse, quantity; parameter ``tomorrow``."""
    items, own = _own_items(tables, narrowed)
    entry = tables.gbkmut.c
    return (
        select(
            items.c.code.label("code"),
            entry.warehouse.label("warehouse"),
            func.sum(entry.aantal).label("quantity"),
        )
        .join_from(tables.gbkmut, items, own)
        .where(*_moved(tables, narrowed), *_within(entry.warehouse, tables.dialect, narrowed))
        .group_by(items.c.code, entry.warehouse)
    )


def last_moved(tables: GlobeTables) -> Select[Any]:
    """Code and the time of the newest movement; parameters ``tomorrow`` and ``codes``."""
    narrowed = Narrowing(codes=True)
    items, own = _own_items(tables, narrowed)
    newest = type_coerce(func.max(tables.gbkmut.c.datum), NullType()).label("newest")
    return (
        select(items.c.code.label("code"), newest)
        .join_from(tables.gbkmut, items, own)
        .where(*_moved(tables, narrowed))
        .group_by(items.c.code)
    )


def open_sales(
    tables: GlobeTables, missing: Collection[str], narrowed: Narrowing = ALL, *, by_order: bool = False
) -> Select[Any]:
    """Code, warehouse, quantity; before them the order's ``docnumber`` when ``by_order``.

    ``missing`` are columns that ``orsrg`` of this administration lacks.
    """
    header, line = tables.orkrg.c, tables.orsrg.c
    code = compared(line.artcode, tables.dialect)
    still = line.esr_aantal - line.aant_gelev
    if "unitfactor" not in missing:
        still = still * case((line.unitfactor > fixed(0), line.unitfactor), else_=fixed(1))
    order = [header.docnumber] if by_order else []
    wanted = [among(line.artcode, tables.dialect)] if narrowed.codes else []
    return (
        select(
            *order,
            code.label("code"),
            line.magcode.label("warehouse"),
            func.sum(still).label("quantity"),
        )
        .join_from(tables.orsrg, tables.orkrg, header.ordernr == line.ordernr)
        .where(
            header.ord_soort == fixed("V"),
            header.afgehandld == fixed(0),
            line.artcode.is_not(None),
            is_goods(line.ar_soort),
            line.esr_aantal > line.aant_gelev,
            *_within(line.magcode, tables.dialect, narrowed),
            *wanted,
        )
        .group_by(*order, code, line.magcode)
    )


def sellable(tables: GlobeTables, missing: Collection[str], narrowed: Narrowing = ALL) -> Select[Any]:
    """Code, warehouse, on hand, open sales of items for sale; parameters as ``on_hand``."""
    stock, item = _both(tables, missing, narrowed), tables.items.c
    for_sale = item.IsSalesItem == fixed(1), item.Type.in_([fixed("S"), fixed("B")])
    code = compared(item.ItemCode, tables.dialect).label("code")
    items = select(code).where(*for_sale).distinct().subquery("for_sale")
    return (
        select(
            items.c.code,
            stock.c.warehouse,
            func.sum(stock.c.moved).label("on_hand"),
            func.sum(stock.c.sold).label("open_sales"),
        )
        .join_from(stock, items, items.c.code == stock.c.code)
        .group_by(items.c.code, stock.c.warehouse)
    )


def levels(
    tables: GlobeTables, missing_of_items: Collection[str], missing: Collection[str], narrowed: Narrowing
) -> Select[Any]:
    """The fields of ``stock_items``, then warehouse, on hand, open sales; NULL for those of an item without any."""
    stock, item = _both(tables, missing, narrowed), tables.items.c
    code = compared(item.ItemCode, tables.dialect)
    flags = _flags(tables, missing_of_items)
    statement = select(code.label("code"), *flags)
    if tables.dialect != "mssql":  # elsewhere two spellings of one code are two rows, and would count twice
        first = (type_coerce(func.min(flag), NullType()).label(flag.name) for flag in flags)
        statement = select(code.label("code"), *first).group_by(code)
    held = statement.subquery("held")
    return select(*held.c, stock.c.warehouse, stock.c.moved, stock.c.sold).select_from(
        held.outerjoin(stock, stock.c.code == held.c.code)
    )


def levels_by_code(
    tables: GlobeTables, missing_of_items: Collection[str], narrowed: Narrowing
) -> Select[Any]:
    """The fields of ``stock_items``, then warehouse and on hand, by item code: for codes that are all written as they
    are compared."""
    item, entry = tables.items.c, tables.gbkmut.c
    account, its_own = entry.reknr, item.GLAccountDistribution
    own = and_(
        entry.artcode == item.ItemCode,
        # As they stand they are mostly the same: that costs less to see than what they are compared by.
        or_(account == its_own, compared(account, tables.dialect) == compared(its_own, tables.dialect)),
        *_moved(tables, ALL),
        *_within(entry.warehouse, tables.dialect, narrowed),
    )
    return (
        select(
            item.ItemCode,
            *_flags(tables, missing_of_items),
            entry.warehouse,
            func.sum(entry.aantal).label("quantity"),
        )
        .select_from(tables.items.outerjoin(tables.gbkmut, own))
        .group_by(item.ItemCode, entry.warehouse)
        .order_by(item.ItemCode, entry.warehouse)  # as it is grouped: a second sort is saved
    )


def oddly_written(column: Column[str]) -> Select[Any]:
    """A row if any code is written otherwise than it is compared, or could be sorted otherwise: beyond ASCII a
    character has several bytes. SQLite only."""
    is_bare = column == func.upper(func.trim(column, fixed(_BLANKS)))
    is_ascii = func.length(column) == func.length(cast(column, LargeBinary))
    return select(fixed(1)).where(not_(and_(is_bare, is_ascii))).limit(1)


def _both(tables: GlobeTables, missing: Collection[str], narrowed: Narrowing) -> Subquery:
    """Two aggregates, one laid under the other: a full outer join would do as well, but SQLite knows it only
    since 3.39."""
    moved = on_hand(tables, narrowed).subquery("moved")
    sold = open_sales(tables, missing, narrowed).subquery("sold")
    return union_all(
        select(moved.c.code, moved.c.warehouse, moved.c.quantity.label("moved"), fixed(0).label("sold")),
        select(sold.c.code, sold.c.warehouse, fixed(0), sold.c.quantity),
    ).subquery("stock")


def _own_items(tables: GlobeTables, narrowed: Narrowing) -> tuple[Subquery, ColumnElement[bool]]:
    """The items, and which of them a movement is one of: that on whose stock account it was booked."""
    entry, items = tables.gbkmut.c, _by_code(tables, narrowed)
    own = and_(
        items.c.code == compared(entry.artcode, tables.dialect),
        items.c.account == compared(entry.reknr, tables.dialect),
    )
    return items, own


def _moved(tables: GlobeTables, narrowed: Narrowing) -> list[ColumnElement[bool]]:
    entry = tables.gbkmut.c
    moved = [
        entry.transtype.in_([fixed(kind) for kind in _MOVING]),
        # Before tomorrow, not up to today: a day may carry a time, and SQLite compares text.
        entry.datum < bindparam("tomorrow", type_=Date),
    ]
    return [*moved, among(entry.artcode, tables.dialect)] if narrowed.codes else moved


def _by_code(tables: GlobeTables, narrowed: Narrowing = ALL) -> Subquery:
    """The items by a code to join on: the bare column on SQL Server, which so can use its indexes.

    On SQLite code and account are computed; DISTINCT makes it compute them once and index them by itself,
    where it would otherwise compare every movement with every item.
    """
    item = tables.items.c
    items = select(
        compared(item.ItemCode, tables.dialect).label("code"),
        compared(item.GLAccountDistribution, tables.dialect).label("account"),
    )
    if tables.dialect == "mssql":
        return items.subquery("items")
    if narrowed.codes:
        items = items.where(among(item.ItemCode, tables.dialect))
    return items.distinct().subquery("items")


def _within(warehouse: Column[str], dialect: str, narrowed: Narrowing) -> list[ColumnElement[bool]]:
    return [among(warehouse, dialect, "warehouses")] if narrowed.warehouses else []
