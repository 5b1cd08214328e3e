"""From what a person names (an id, a reference, an EAN) to combinations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from sqlalchemy import Column, ColumnElement, func, select

from brekzsync.domain.keys import WantedId
from brekzsync.domain.texts import normalise_code
from brekzsync.prestashop.connection import Snapshot, number, text
from brekzsync.prestashop.tables import ShopTables

By = Literal["reference", "ean13"]


def find_by(
    snapshot: Snapshot, tables: ShopTables, by: By, values: Sequence[str]
) -> dict[str, set[WantedId]]:
    """What has each value, by the value normalised: combinations, and products that have it themselves.

    A value nothing has is missing from the result, and so is a blank one: nobody is looked for by it.
    """
    wanted = {normalise_code(value): value for value in values}
    wanted.pop("", None)
    found: dict[str, set[WantedId]] = {}
    combination, product = tables.product_attribute, tables.product
    queries = (
        select(combination.c.id_product, combination.c[by], combination.c.id_product_attribute).where(
            _may_be(snapshot, combination.c[by], wanted)
        ),
        select(product.c.id_product, product.c[by]).where(_may_be(snapshot, product.c[by], wanted)),
    )
    for query in queries if wanted else ():
        for id_product, value, *own in snapshot.rows(query):
            code = normalise_code(text(value))
            if code in wanted:
                named = WantedId(number(id_product), number(own[0]) if own else None)
                found.setdefault(code, set()).add(named)
    return found


def _may_be(snapshot: Snapshot, column: Column[str], wanted: Mapping[str, str]) -> ColumnElement[bool]:
    """The first cut, by an index where there is a server; the exact comparison is ours."""
    if not snapshot.compares_exactly:
        return column.in_(sorted({*wanted, *wanted.values(), *(value.strip() for value in wanted.values())}))
    if all(code.isascii() for code in wanted):
        return func.upper(func.trim(column)).in_(sorted(wanted))
    return column != ""  # SQLite's upper() leaves all other letters as they are


def existing_keys(snapshot: Snapshot, tables: ShopTables, ids: Sequence[int]) -> dict[int, set[int]]:
    """The combinations of these products by id_product; ``{0}`` for one without; missing when deleted."""
    combination, product = tables.product_attribute, tables.product
    keys: dict[int, set[int]] = {
        number(row[0]): set()
        for row in snapshot.rows(select(product.c.id_product).where(product.c.id_product.in_(list(ids))))
    }
    for row in snapshot.rows(
        select(combination.c.id_product, combination.c.id_product_attribute).where(
            combination.c.id_product.in_(list(ids))
        )
    ):
        if number(row[0]) in keys:
            keys[number(row[0])].add(number(row[1]))
    return {id_product: own or {0} for id_product, own in keys.items()}
