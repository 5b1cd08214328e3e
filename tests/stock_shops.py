"""A shop with stock, on the genuine schema in MariaDB or on the demo's in SQLite: the same rows in both.

Three shops: NL (1) and BE (2) in the group "Benelux" (1), DE (3) in the group "Elders" (2). It begins without
products, orders and stock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text

from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.orders.tables import order_tables
from brekzsync.prestashop.stock.repository import ShopStockRepository, StockOptions
from tests.services.prestashop import PrestaShopDatabase
from tests.shops import make_shop

Key = tuple[int, int]
DEAD = (6, 8)
_EMPTIED = (
    *("product", "product_shop", "product_attribute", "product_attribute_shop", "stock_available", "pack"),
    *("orders", "order_detail", "shop", "shop_group", "stock_mvt"),
)
_LENIENT = "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'"  # columns that are not read need no values


class StockShop:
    """``engine`` writes to it as the shop does."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine: Engine = create_engine(url)
        is_sqlite = self.engine.dialect.name == "sqlite"
        event.listen(self.engine, "connect", _be_quick if is_sqlite else _be_lenient)
        for table in _EMPTIED:
            self.run(f"DELETE FROM ps_{table}")
        for id_shop_group, name in ((1, "Benelux"), (2, "Elders")):
            self.add("shop_group", id_shop_group=id_shop_group, name=name, share_stock=0)
        for id_shop, id_shop_group, name in ((1, 1, "NL"), (2, 1, "BE"), (3, 2, "DE")):
            group = {"id_shop_group": id_shop_group, "name": name}
            self.add("shop", id_shop=id_shop, active=1, deleted=0, **group)

    @classmethod
    def embedded(cls, path: Path) -> StockShop:
        """In a SQLite file that does not exist yet."""
        path.write_bytes(_template())
        return cls(f"sqlite:///{path}")

    @classmethod
    def genuine(cls, database: PrestaShopDatabase) -> StockShop:
        """In the genuine database, which is the test's own."""
        return cls(database.url())

    def run(self, statement: str, **values: object) -> Sequence[Any]:
        """One statement of the shop's, committed; its rows."""
        with self.engine.begin() as connection:
            return _run(connection, statement, values)

    def add(self, table: str, **values: object) -> None:
        names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
        self.run(f"INSERT INTO ps_{table} ({names}) VALUES ({places})", **values)

    def product(self, id_product: int, *combinations: int, **columns: object) -> None:
        """A product of all shops, simple unless it has combinations; without stock rows."""
        self.add("product", id_product=id_product, id_manufacturer=0, state=1, **columns)
        for combination in combinations:
            ids = {"id_product": id_product, "id_product_attribute": combination}
            self.add("product_attribute", reference="", ean13="", **ids)

    def stock(
        self, key: Key, quantity: int, *, shop: int = 1, group: int = 0, depends_on_stock: int = 0
    ) -> int:
        """A stock row; gives its id."""
        self.add(
            "stock_available",
            id_product=key[0],
            id_product_attribute=key[1],
            id_shop=shop,
            id_shop_group=group,
            quantity=quantity,
            depends_on_stock=depends_on_stock,
        )
        found = self.run("SELECT MAX(id_stock_available) FROM ps_stock_available")
        return int(found[0][0])

    def order(
        self,
        id_order: int,
        lines: Mapping[Key, int],
        *,
        state: int = 2,
        shop: int = 1,
        date_add: str = "2026-11-20 12:00:00",
    ) -> None:
        """An order with the reference REF and its id."""
        dates = {"date_add": date_add, "date_upd": date_add}
        header = {"reference": f"REF{id_order}", "id_shop": shop, "current_state": state}
        self.add("orders", id_order=id_order, **header, **dates)
        for place, (key, quantity) in enumerate(lines.items()):
            self.add(
                "order_detail",
                id_order_detail=id_order * 100 + place,
                id_order=id_order,
                product_id=key[0],
                product_attribute_id=key[1],
                product_quantity=quantity,
            )

    def share_stock(self, id_shop_group: int) -> None:
        """As PrestaShop does when a person switches it on: old rows stay, with 0, and the group gets its own."""
        self.run("UPDATE ps_shop_group SET share_stock = 1 WHERE id_shop_group = :one", one=id_shop_group)
        shops = "SELECT id_shop FROM ps_shop WHERE id_shop_group = :one"
        self.run(f"UPDATE ps_stock_available SET quantity = 0 WHERE id_shop IN ({shops})", one=id_shop_group)

    def sell(self, id_stock_available: int, pieces: int) -> None:
        """A customer orders so many."""
        self.run(
            "UPDATE ps_stock_available SET quantity = quantity - :pieces WHERE id_stock_available = :one",
            pieces=pieces,
            one=id_stock_available,
        )

    def quantities(self) -> dict[int, int]:
        """What each row holds, by its id."""
        rows = self.run("SELECT id_stock_available, quantity FROM ps_stock_available")
        return {int(row[0]): int(row[1]) for row in rows}

    def repository(self, *shops: str, order_shops: Sequence[str] = ()) -> ShopStockRepository:
        options = StockOptions(
            table_prefix="ps_",
            data_shop="NL",
            language="",
            dead_states=DEAD,
            shops=shops,
            order_shops=order_shops,
        )
        return ShopStockRepository(ShopDatabase(self.url), options)

    def close(self) -> None:
        self.engine.dispose()


def _run(connection: Connection, statement: str, values: Mapping[str, object]) -> Sequence[Any]:
    result = connection.execute(text(statement), values)
    return result.all() if result.returns_rows else ()


@cache
def _template() -> bytes:
    """A shop of the demo's without products."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "shop.db"
        make_shop(path, products=0)
        engine = create_engine(f"sqlite:///{path}")
        order_tables("ps_").metadata.create_all(engine)
        engine.dispose()
        return path.read_bytes()


def _be_quick(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


def _be_lenient(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_LENIENT)
