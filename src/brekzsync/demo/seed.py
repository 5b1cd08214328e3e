"""Fills the demo shop: ``data/*.toml`` become the rows a PrestaShop would hold.

``data/README.md`` lists which key shows which rule. The data is what the tutorial and the tests use too.
"""

from __future__ import annotations

import tomllib
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine
from sqlalchemy.pool import NullPool

from brekzsync.demo.catalogue import add_catalogue
from brekzsync.demo.orders import add_orders
from brekzsync.demo.organisation import add_organisation
from brekzsync.demo.rows import Record, ShopRows
from brekzsync.demo.shoppingfeed import add_marketplace
from brekzsync.demo.stock import add_stock


def data_file(name: str) -> str:
    """The text of one of the data files."""
    return files("brekzsync.demo").joinpath("data", name).read_text(encoding="utf-8")


def read(name: str) -> dict[str, Any]:
    """One of the TOML data files, parsed."""
    return tomllib.loads(data_file(name))


def exclusions() -> list[Record]:
    """What people excluded: ``key`` ("3" or "2-202"), ``reason``, ``by``; ``reference`` of a combination."""
    return list(read("catalogue.toml")["exclusion"])


def seed_shop(path: Path, now: datetime) -> None:
    """Create the demo shop as a new SQLite file; days count from ``now`` (aware)."""
    rows = ShopRows(read("shop.toml"), now)
    add_organisation(rows)
    catalogue = read("catalogue.toml")
    add_catalogue(rows, catalogue)
    add_stock(rows, catalogue)
    add_orders(rows, catalogue, read("orders.toml"))
    add_marketplace(rows, read("marketplace.toml"))
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool)
    rows.tables.metadata.create_all(engine)
    with engine.begin() as connection:
        for table, values in rows.by_table.items():
            connection.execute(table.insert(), values)
