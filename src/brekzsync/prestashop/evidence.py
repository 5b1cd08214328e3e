"""What a diagnosis tells of the shop beside the combination itself: where it is sold, what holds it, what is near."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import select

from brekzsync.domain.diagnosis import Presence
from brekzsync.domain.keys import ProductKey
from brekzsync.prestashop.connection import Snapshot, number, text
from brekzsync.prestashop.tables import ShopTables


def presence(
    snapshot: Snapshot, tables: ShopTables, shops: Mapping[int, str], keys: Collection[ProductKey]
) -> dict[ProductKey, Presence]:
    """In which shops (by name) these combinations are, and in which of them their product is active."""
    product, combination = tables.product_shop, tables.product_attribute_shop
    ids = sorted({key[0] for key in keys})
    active: dict[int, dict[int, bool]] = {}
    for id_product, id_shop, is_active in snapshot.rows(
        select(product.c.id_product, product.c.id_shop, product.c.active).where(product.c.id_product.in_(ids))
    ):
        active.setdefault(number(id_product), {})[number(id_shop)] = number(is_active) == 1
    associated: dict[int, set[int]] = {}
    own = sorted({key[1] for key in keys if key[1]})
    for id_product_attribute, id_shop in snapshot.rows(
        select(combination.c.id_product_attribute, combination.c.id_shop).where(
            combination.c.id_product_attribute.in_(own)
        )
    ):
        associated.setdefault(number(id_product_attribute), set()).add(number(id_shop))
    found = {}
    for key in keys:
        its = active.get(key[0], {})
        shops_of_it = [id_shop for id_shop in its if not key[1] or id_shop in associated.get(key[1], set())]
        present = [id_shop for id_shop in shops if id_shop in shops_of_it]
        found[key] = Presence(
            tuple(shops[id_shop] for id_shop in present),
            tuple(shops[id_shop] for id_shop in present if its[id_shop]),
        )
    return found


def product_names(
    snapshot: Snapshot, tables: ShopTables, id_shop: int, id_lang: int, ids: Collection[int]
) -> dict[int, str]:
    """The names of these products in the data shop's language, else in any."""
    lang = tables.product_lang
    names: dict[int, str] = {}
    for id_product, of_shop, of_lang, name in snapshot.rows(
        select(lang.c.id_product, lang.c.id_shop, lang.c.id_lang, lang.c.name)
        .where(lang.c.id_product.in_(sorted(ids)))
        .order_by(lang.c.id_product, lang.c.id_shop, lang.c.id_lang)
    ):
        preferred = number(of_shop) == id_shop and number(of_lang) == id_lang
        if text(name).strip() and (preferred or number(id_product) not in names):
            names[number(id_product)] = text(name).strip()
    return names


def products_of_combinations(snapshot: Snapshot, tables: ShopTables, ids: Collection[int]) -> dict[int, int]:
    """Which product each of these combinations (by id_product_attribute) belongs to."""
    table = tables.product_attribute
    rows = snapshot.rows(
        select(table.c.id_product_attribute, table.c.id_product).where(
            table.c.id_product_attribute.in_(sorted(ids))
        )
    )
    return {number(row[0]): number(row[1]) for row in rows}
