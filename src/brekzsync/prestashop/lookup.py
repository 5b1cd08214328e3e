"""From what a person names (an id, a reference, an EAN) to combinations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import select

from brekzsync.domain.keys import ProductKey
from brekzsync.domain.texts import normalise_code
from brekzsync.prestashop.connection import Snapshot, number, text
from brekzsync.prestashop.tables import ShopTables

By = Literal["reference", "ean13"]


def find_by(
    snapshot: Snapshot, tables: ShopTables, by: By, values: Sequence[str]
) -> dict[str, set[ProductKey]]:
    """The combinations of each value, compared normalised; a product's value means all its combinations.

    A value nothing has is missing from the result. Keys of a whole product have -1 as second part.
    """
    wanted = {normalise_code(value): value for value in values}
    candidates = sorted({*values, *wanted, *(value.strip() for value in values)})
    found: dict[str, set[ProductKey]] = {}
    combination, product = tables.product_attribute, tables.product
    # The database's collation decides the first cut (case and trailing space); the exact one is ours.
    for row in snapshot.rows(
        select(combination.c.id_product, combination.c.id_product_attribute, combination.c[by]).where(
            combination.c[by].in_(candidates)
        )
    ):
        value = wanted.get(normalise_code(text(row[2])))
        if value is not None:
            found.setdefault(value, set()).add((number(row[0]), number(row[1])))
    for row in snapshot.rows(
        select(product.c.id_product, product.c[by]).where(product.c[by].in_(candidates))
    ):
        value = wanted.get(normalise_code(text(row[1])))
        if value is not None:
            found.setdefault(value, set()).add((number(row[0]), -1))
    return found


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
