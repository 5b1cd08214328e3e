"""The marketplace's side of the demo shop's orders, before anybody told it a thing about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Row, Table, create_engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from brekzsync.demo.marketplace.records import MarketplaceRecords
from brekzsync.demo.marketplace.rules import DemoOrder
from brekzsync.domain.order_status import plain
from brekzsync.prestashop.shoppingfeed.tables import MarketplaceTables

FILE: Final = "marketplace.db"
DEMO_TOKEN: Final = "demo-token"
DEMO_STORE: Final = 1276
_FIRST_ID_OF_OLD_ONES: Final = 900_000  # the shop does not know the ids of orders that an old module imported
_SENT_BY_CHANNEL: Final = ("amazonfba", "afn", "epmm", "clogistique")
_TABLES: Final = MarketplaceTables("ps_")


def seed_marketplace(path: Path, shop: Path) -> None:
    """Create the marketplace of a demo's ``shop.db`` as a new SQLite file."""
    records = MarketplaceRecords(path)
    records.add(shop_orders(shop))
    records.close()


def shop_orders(shop: Path) -> list[DemoOrder]:
    """The marketplace orders of a demo's ``shop.db``; none where the module's tables are not there."""
    stores = {row.id_shoppingfeed_token: _store(row) for row in _rows(shop, _TABLES.token)}
    return [
        DemoOrder(
            id=int(row.id_internal_shoppingfeed or 0) or _FIRST_ID_OF_OLD_ONES + row.id_order,
            reference=row.id_order_marketplace or "",
            channel=row.name_marketplace,
            store_id=stores.get(row.id_shoppingfeed_token, DEMO_STORE),
            fulfilled_by="channel" if _is_sent_by_channel(row) else "store",
            placed_at=_moment(row.date_marketplace_creation),
        )
        for row in _rows(shop, _TABLES.marketplace_order)
    ]


def shop_tokens(shop: Path) -> Mapping[str, Collection[int]] | None:
    """The stores of each token in a demo's ``shop.db``; None where there is no token."""
    stores: defaultdict[str, list[int]] = defaultdict(list)
    for row in _rows(shop, _TABLES.token):
        if _store(row) not in stores[row.content]:
            stores[row.content].append(_store(row))
    return stores or None


def _rows(shop: Path, of: Table) -> list[Row[Any]]:
    engine = create_engine(URL.create("sqlite", database=str(shop)), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return list(connection.execute(select(of)))
    except OperationalError:  # a shop without the module
        return []


def _store(row: Row[Any]) -> int:
    return int(row.shoppingfeed_store_id or DEMO_STORE)


def _is_sent_by_channel(row: Row[Any]) -> bool:
    words = (plain(row.name_marketplace or ""), plain(row.payment_method or ""))
    return any(word in one for one in words for word in _SENT_BY_CHANNEL)


def _moment(text: str | None) -> int:
    """Milliseconds; the shop's clock is taken for UTC, which is near enough to play with."""
    try:
        return int(datetime.fromisoformat(text or "").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        return 0
