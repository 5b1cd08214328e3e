"""A small shop in a SQLite file, with the tables its webservice writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

_TABLES = """
CREATE TABLE ps_configuration (id_configuration INTEGER PRIMARY KEY, id_shop_group INTEGER, id_shop INTEGER,
  name TEXT, value TEXT);
CREATE TABLE ps_shop (id_shop INTEGER PRIMARY KEY, id_shop_group INTEGER, name TEXT, active INTEGER, deleted INTEGER);
CREATE TABLE ps_stock_available (id_stock_available INTEGER PRIMARY KEY, id_product INTEGER NOT NULL,
  id_product_attribute INTEGER NOT NULL, id_shop INTEGER NOT NULL, id_shop_group INTEGER NOT NULL,
  quantity INTEGER NOT NULL, depends_on_stock INTEGER NOT NULL DEFAULT 0, out_of_stock INTEGER NOT NULL DEFAULT 2,
  location TEXT NOT NULL DEFAULT '');
CREATE UNIQUE INDEX product_sqlstock ON ps_stock_available
  (id_product, id_product_attribute, id_shop, id_shop_group);
CREATE TABLE ps_orders (id_order INTEGER PRIMARY KEY, reference TEXT, id_shop INTEGER, current_state INTEGER,
  date_add TEXT, date_upd TEXT);
CREATE TABLE ps_order_state (id_order_state INTEGER PRIMARY KEY);
CREATE TABLE ps_order_history (id_order_history INTEGER PRIMARY KEY, id_employee INTEGER, id_order INTEGER,
  id_order_state INTEGER, date_add TEXT);
CREATE TABLE ps_order_carrier (id_order_carrier INTEGER PRIMARY KEY, id_order INTEGER, id_carrier INTEGER,
  id_order_invoice INTEGER, weight TEXT, tracking_number TEXT, date_add TEXT);
INSERT INTO ps_configuration VALUES (1, NULL, NULL, 'PS_TIMEZONE', 'Europe/Amsterdam');
INSERT INTO ps_shop VALUES (1, 1, 'NL', 1, 0), (2, 1, 'BE', 1, 0), (3, 2, 'DE', 1, 0);
INSERT INTO ps_order_state VALUES (2), (3), (4), (5);
INSERT INTO ps_orders VALUES (1, 'ABCDEF', 1, 3, '2026-01-02 10:00:00', '2026-01-02 10:00:00');
INSERT INTO ps_order_carrier VALUES (12, 1, 7, 0, '0.5', '', '2026-01-02 10:00:01'),
  (11, 1, 7, 0, '0.4', '3SOLD', '2026-01-02 10:00:00');
"""


@dataclass(frozen=True, slots=True)
class SmallShop:
    """Three shops, an order that is being prepared, no stock yet."""

    path: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """What a statement gives, committed."""
        with closing(sqlite3.connect(self.path, timeout=30)) as connection, connection:
            return connection.execute(sql, parameters).fetchall()

    def stock(
        self, id_product: int, combination: int, quantity: int, *, shop: int = 1, group: int = 0
    ) -> int:
        """A new stock row, and its id."""
        self.execute(
            "INSERT INTO ps_stock_available (id_product, id_product_attribute, id_shop, id_shop_group, quantity,"
            " out_of_stock, location) VALUES (?, ?, ?, ?, ?, 1, 'shelf 3')",
            [id_product, combination, shop, group, quantity],
        )
        return int(str(self.execute("SELECT max(id_stock_available) FROM ps_stock_available")[0][0]))

    def quantities(self) -> dict[int, int]:
        """What every row holds, by its id."""
        rows = self.execute("SELECT id_stock_available, quantity FROM ps_stock_available")
        return {int(str(row)): int(str(quantity)) for row, quantity in rows}


def small_shop(folder: Path) -> SmallShop:
    """A new one in this folder."""
    shop = SmallShop(folder / "webservice-shop.db")
    with closing(sqlite3.connect(shop.path)) as connection:
        connection.executescript(_TABLES)
    return shop
