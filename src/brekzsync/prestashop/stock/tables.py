"""The PrestaShop tables stock is read from and written to, with the columns that are used.

Apart from those of ``tables.py``: the columns are the same from 1.7.6 to 9.1. ``stock_mvt`` and ``employee`` are
used only where movements are recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Index, Integer, MetaData, String, Table

from brekzsync.prestashop.tables import DateTimeText, Decimal20


@dataclass(frozen=True, slots=True, kw_only=True)
class StockTables:
    """One attribute each; ``metadata`` creates them for an embedded shop."""

    metadata: MetaData
    stock_available: Table
    shop_group: Table
    product: Table
    product_shop: Table
    product_attribute: Table
    pack: Table
    stock_mvt: Table
    employee: Table

    def all(self) -> list[Table]:
        """Those that are read."""
        return [
            self.stock_available,
            self.shop_group,
            self.product,
            self.product_shop,
            self.product_attribute,
            self.pack,
        ]


def stock_tables(prefix: str, metadata: MetaData | None = None) -> StockTables:
    """The tables under ``prefix``; those that ``metadata`` has already get the columns they lack there."""
    known = MetaData() if metadata is None else metadata

    def table(name: str, *columns: str) -> Table:
        found = known.tables.get(prefix + name)
        if found is None:
            return Table(prefix + name, known, *(Column(column, Integer) for column in columns))
        for column in columns:
            if column not in found.c:
                found.append_column(Column(column, Integer))
        return found

    return StockTables(
        metadata=known,
        stock_available=_stock_available(prefix, known),
        shop_group=table("shop_group", "id_shop_group", "share_stock"),
        product=table("product", "id_product", "pack_stock_type"),
        product_shop=table("product_shop", "id_product", "id_shop", "pack_stock_type"),
        product_attribute=table("product_attribute", "id_product_attribute", "id_product"),
        pack=table("pack", "id_product_pack", "id_product_item", "id_product_attribute_item"),
        stock_mvt=_stock_mvt(prefix, known),
        employee=Table(
            f"{prefix}employee",
            known,
            Column("id_employee", Integer, primary_key=True),
            Column("lastname", String(255)),
            Column("firstname", String(255)),
        ),
    )


def _stock_available(prefix: str, metadata: MetaData) -> Table:
    keys = ("id_product", "id_product_attribute", "id_shop", "id_shop_group")
    return Table(
        f"{prefix}stock_available",
        metadata,
        Column("id_stock_available", Integer, primary_key=True),
        *(Column(key, Integer, nullable=False) for key in keys),
        Column("quantity", Integer, nullable=False, server_default="0"),
        Column("physical_quantity", Integer, nullable=False, server_default="0"),
        Column("reserved_quantity", Integer, nullable=False, server_default="0"),
        Column("depends_on_stock", Integer, nullable=False, server_default="0"),
        Column("out_of_stock", Integer, nullable=False, server_default="0"),
        Column("location", String(255), nullable=False, server_default=""),
        Index(f"{prefix}product_sqlstock", *keys, unique=True),
    )


def _stock_mvt(prefix: str, metadata: MetaData) -> Table:
    return Table(
        f"{prefix}stock_mvt",
        metadata,
        Column("id_stock_mvt", Integer, primary_key=True),
        Column("id_stock", Integer, nullable=False),
        Column("id_order", Integer),
        Column("id_supply_order", Integer),
        Column("id_stock_mvt_reason", Integer, nullable=False),
        Column("id_employee", Integer, nullable=False),
        Column("employee_lastname", String(255)),
        Column("employee_firstname", String(255)),
        Column("physical_quantity", Integer, nullable=False),
        Column("date_add", DateTimeText(), nullable=False),
        Column("sign", Integer, nullable=False, server_default="1"),
        Column("price_te", Decimal20()),
        Column("last_wa", Decimal20()),
        Column("current_wa", Decimal20()),
    )
