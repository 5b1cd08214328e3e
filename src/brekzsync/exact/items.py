"""What the ERP holds of our items."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, func, null, select, type_coerce
from sqlalchemy.types import NullType

from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.texts import normalise_code
from brekzsync.exact.codes import among, batches
from brekzsync.exact.columns import missing_columns
from brekzsync.exact.connection import erp_errors
from brekzsync.exact.statements import fixed, in_pages
from brekzsync.exact.tables import GlobeTables, globe_tables
from brekzsync.exact.values import flag, price, text

_TEXTS = ("Description", "SalesVatCode", "GTIN", "Condition")


class ItemRepository:
    """Reads ``Items``; raises the errors of ``erp_errors``, also in mid-stream."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tables = globe_tables(engine.dialect.name)

    def held_codes(self) -> Iterator[str]:
        """Every item code, trimmed and upper-cased, in no order; memory stays flat.

        Complete or an error: a read that breaks off never looks like an ERP that holds less.
        """
        with erp_errors(self._engine.url), self._engine.connect() as connection:
            for page in connection.execute(in_pages(item_codes(self._tables))).scalars().partitions():
                for code in page:
                    if code and (normalised := normalise_code(code if type(code) is str else text(code))):
                        yield normalised

    def stream(self) -> Iterator[ErpItem]:
        """Every item, in no order; complete or an error, and memory stays flat, as ``held_codes``."""
        with erp_errors(self._engine.url), self._engine.connect() as connection:
            statement = all_items(self._tables, missing_columns(connection, self._tables.items))
            for page in connection.execute(in_pages(statement)).partitions():
                yield from _items(page)

    def some(self, codes: Collection[str]) -> dict[str, ErpItem]:
        """The items with these codes, by normalised code; those the ERP lacks are missing.

        Compared as everywhere, trimmed and upper-cased. An item whose code begins with a blank, which Globe
        never makes, is found by ``stream`` only.
        """
        found: dict[str, ErpItem] = {}
        with erp_errors(self._engine.url), self._engine.connect() as connection:
            statement = some_items(self._tables, missing_columns(connection, self._tables.items))
            for batch in batches(codes):
                for item in _items(connection.execute(statement, {"codes": batch.spellings}).all()):
                    if (code := normalise_code(item.code)) in batch.wanted:
                        found.setdefault(code, item)
        return found


def item_codes(tables: GlobeTables) -> Select[Any]:
    """Only the codes: the narrowest read there is."""
    return select(tables.items.c.ItemCode)


def all_items(tables: GlobeTables, missing: Collection[str]) -> Select[Any]:
    """The fields of ``ErpItem`` in their order; NULL for a column this administration lacks."""
    column = tables.items.c
    fields = (
        column.Description,
        column.SalesPackagePrice,
        column.SalesVatCode,
        column.GTIN,
        column.Condition,
        column.IsSalesItem,
    )
    return select(column.ItemCode, *(_field(one, missing) for one in fields))


def _field(column: ColumnElement[Any], missing: Collection[str]) -> ColumnElement[Any]:
    name = str(column.key)
    if name in missing:
        return null().label(name)
    if name in _TEXTS:  # an empty text and no such column are told apart
        return func.coalesce(column, fixed("")).label(name)
    return type_coerce(column, NullType()).label(name)  # as the driver gives it; ``_items`` reads it


def some_items(tables: GlobeTables, missing: Collection[str]) -> Select[Any]:
    """``all_items`` of a batch of codes, the parameter ``codes``."""
    code = tables.items.c.ItemCode
    return all_items(tables, missing).where(among(code, tables.dialect)).order_by(code)


def _items(rows: Iterable[Sequence[Any]]) -> Iterator[ErpItem]:
    for code, description, sales_price, vat_code, gtin, condition, is_sales_item in rows:
        if not (trimmed := text(code)):
            continue
        yield ErpItem(
            trimmed,
            None if description is None else text(description),
            price(sales_price),
            None if vat_code is None else text(vat_code),
            None if gtin is None else text(gtin),
            None if condition is None else text(condition),
            flag(is_sales_item),
        )
