"""The tables marketplace orders are read from: those of the shoppingfeed module, and what hangs on an order.

Only the columns that are read are declared. The module's own differ by its release (facts/shoppingfeed.md section 2.1):
see ``LATER``.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, Index, Integer, MetaData, String, Table

LATER = frozenset(
    {
        "id_internal_shoppingfeed",
        "id_shoppingfeed_token",
        "payment_method",
        "date_marketplace_creation",
        "shoppingfeed_store_id",
    }
)
"""Columns of the module's tables that its first releases lack; NULL is read in their place."""


class MarketplaceTables:
    """One attribute each. Tables that ``metadata`` has already stay as they are there."""

    def __init__(self, prefix: str, metadata: MetaData | None = None) -> None:
        known = MetaData() if metadata is None else metadata

        def table(
            name: str,
            key: str,
            ids: Sequence[str] = (),
            texts: Sequence[str] = (),
            *more: Column[int] | Index,
        ) -> Table:
            if prefix + name in known.tables:
                return known.tables[prefix + name]
            return Table(
                prefix + name,
                known,
                Column(key, Integer, primary_key=True, autoincrement=False),
                *(Column(one, Integer) for one in ids),
                *(Column(one, String(255)) for one in texts),
                *more,
            )

        self.orders = table("orders", "id_order", ["id_shop", "current_state"], ["reference", "date_add"])
        self.order_carrier = table(
            "order_carrier", "id_order_carrier", ["id_order", "id_carrier"], ["tracking_number"]
        )
        self.carrier = table("carrier", "id_carrier", [], ["name", "url"])
        self.module = table("module", "id_module", ["active"], ["name"])
        second_key = Column("id_shop", Integer, primary_key=True, autoincrement=False)
        self.module_shop = table("module_shop", "id_module", [], [], second_key)
        self.marketplace_order = table(
            "shoppingfeed_order",
            "id_shoppingfeed_order",
            ["id_order", "id_shoppingfeed_token"],
            [
                "id_internal_shoppingfeed",
                "id_order_marketplace",
                "name_marketplace",
                "payment_method",
                "date_marketplace_creation",
            ],
            Index(None, "id_order", unique=True),
        )
        self.token = table(
            "shoppingfeed_token",
            "id_shoppingfeed_token",
            ["id_shop", "active", "shoppingfeed_store_id"],
            ["content"],
        )

    def all(self) -> list[Table]:
        """Those that every shop has, with the module or without."""
        return [self.orders, self.order_carrier, self.carrier, self.module, self.module_shop]
