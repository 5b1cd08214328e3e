"""What the shoppingfeed module keeps in the demo shop: rows for each record of ``data/marketplace.toml``."""

from __future__ import annotations

from datetime import datetime, timedelta

from brekzsync.demo.organisation import add_settings
from brekzsync.demo.rows import Record, ShopRows
from brekzsync.prestashop.shoppingfeed.tables import MarketplaceTables

_BEFORE = timedelta(minutes=7)  # the module imports orders now and then


def add_marketplace(rows: ShopRows, given: Record) -> None:
    """The modules, their accounts and which orders came from where; needs the orders' rows."""
    tables = MarketplaceTables("ps_", rows.tables.metadata)
    for module in given["module"]:
        rows.add(tables.module, id_module=module["id"], name=module["name"], active=1)
        for id_shop in rows.shop_ids.values():
            rows.add(tables.module_shop, id_module=module["id"], id_shop=id_shop)
        add_settings(rows, module["settings"], id_shop_group=None, id_shop=None)
    for account in given["account"]:
        rows.add(
            tables.token,
            id_shoppingfeed_token=account["id"],
            id_shop=rows.shop_ids[account["shop"]],
            content=account["token"],
            active=1,
            shoppingfeed_store_id=account["store_id"],
        )
    added = {row["id_order"]: str(row["date_add"]) for row in rows.by_table[tables.orders]}
    for order in given["order"]:
        _add_order(rows, tables, order, datetime.fromisoformat(added[order["id"]]) - _BEFORE)


def _add_order(rows: ShopRows, tables: MarketplaceTables, order: Record, placed: datetime) -> None:
    is_old = order.get("is_old", False)
    rows.add(
        tables.marketplace_order,
        id_shoppingfeed_order=rows.next_id(tables.marketplace_order),
        id_order=order["id"],
        id_shoppingfeed_token=order.get("account", 1),
        id_internal_shoppingfeed=None if is_old else str(order["feed_id"]),
        id_order_marketplace=order["reference"],
        name_marketplace=order["channel"],
        payment_method=order.get("payment", "-"),
        date_marketplace_creation=None if is_old else f"{placed:%Y-%m-%d %H:%M:%S}",
    )
