"""Embedded shops of any size: the demo's shops, languages, taxes, brands and categories, and N products."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from brekzsync.demo.organisation import add_organisation
from brekzsync.demo.rows import ShopRows
from brekzsync.demo.seed import read
from tests.exports import NOW

NO_LIMIT = "0000-00-00 00:00:00"
SAVED = "2026-11-01 09:00:00"


def make_shop(path: Path, *, products: int, combinations: int = 0, same_code: bool = False) -> None:
    """A new SQLite shop. Every product has so many combinations; none makes it a simple product.

    With ``same_code`` every reference is the same.
    """
    rows = ShopRows(read("shop.toml"), NOW)
    add_organisation(rows)
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    rows.tables.metadata.create_all(engine)
    with engine.begin() as connection:
        for table, values in rows.by_table.items():
            connection.execute(table.insert(), values)
    code = "ALL-THE-SAME" if same_code else ""
    ids = range(1, products + 1)
    pairs = [(number, number * 10 + place) for number in ids for place in range(1, combinations + 1)]
    with closing(sqlite3.connect(path, isolation_level=None)) as shop:
        shop.execute("PRAGMA synchronous = OFF")
        shop.execute("BEGIN")
        shop.executemany(
            "INSERT INTO ps_product (id_product, id_manufacturer, reference, ean13, weight, state, date_upd)"
            f" VALUES (?, ?, ?, ?, '0.500000', 1, '{SAVED}')",
            ((n, n % 4, code or f"P-{n}", f"{2_900_000_000_000 + n}") for n in ids),
        )
        shop.executemany(
            "INSERT INTO ps_product_shop (id_product, id_shop, id_category_default, id_tax_rules_group, price,"
            f" active, date_upd) VALUES (?, 1, 10, 1, ?, 1, '{SAVED}')",
            ((n, f"{5 + n % 90}.990000") for n in ids),
        )
        shop.executemany(
            "INSERT INTO ps_product_lang (id_product, id_shop, id_lang, name) VALUES (?, 1, 1, ?)",
            ((n, f"Kattenmand nummer {n}") for n in ids),
        )
        shop.executemany(
            "INSERT INTO ps_image (id_image, id_product, position) VALUES (?, ?, 1)", ((n, n) for n in ids)
        )
        shop.executemany(
            "INSERT INTO ps_image_shop (id_product, id_image, id_shop, cover) VALUES (?, ?, 1, 1)",
            ((n, n) for n in ids),
        )
        shop.executemany(
            "INSERT INTO ps_product_attribute (id_product_attribute, id_product, reference, ean13)"
            " VALUES (?, ?, ?, '')",
            ((combination, n, code or f"P-{n}-{combination}") for n, combination in pairs),
        )
        shop.executemany(
            "INSERT INTO ps_product_attribute_shop (id_product, id_product_attribute, id_shop, price, weight)"
            " VALUES (?, ?, 1, '0.250000', '0.000000')",
            pairs,
        )
        shop.execute("COMMIT")


def special_price(number: int, id_product: int, **columns: object) -> tuple[str, list[object]]:
    """A statement and its values: a specific price of 20% off without limits, but for ``columns``."""
    concerns = ("id_specific_price_rule", "id_cart", "id_shop", "id_currency", "id_country", "id_group")
    row: dict[str, object] = dict.fromkeys((*concerns, "id_customer", "id_product_attribute"), 0)
    row |= {"id_specific_price": number, "id_product": id_product, "price": "-1.000000", "from_quantity": 1}
    row |= {"reduction": "0.200000", "reduction_tax": 1, "reduction_type": "percentage"}
    row |= {"from": NO_LIMIT, "to": NO_LIMIT} | columns
    names = ", ".join(f'"{name}"' for name in row)
    places = ", ".join("?" * len(row))
    return f"INSERT INTO ps_specific_price ({names}) VALUES ({places})", list(row.values())


def keys_of(path: Path) -> Iterator[tuple[int, int]]:
    """Every combination of the shop."""
    with closing(sqlite3.connect(path)) as shop:
        yield from shop.execute(
            "SELECT p.id_product, COALESCE(a.id_product_attribute, 0) FROM ps_product p"
            " LEFT JOIN ps_product_attribute a ON a.id_product = p.id_product ORDER BY 1, 2"
        )
