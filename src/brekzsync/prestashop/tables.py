"""The PrestaShop tables brekzsync reads, with the columns it reads, under any table prefix.

Only what is read is declared; the shop's own schema has more. Decimals and dates are declared as text on
purpose: they arrive as the exact digits the server sends and are parsed only where a record changed
(zero dates such as ``0000-00-00 00:00:00`` are legal in a shop). ``optional`` lists columns that some
release from 1.7.6 to 9.1 lacks; they are left out of a query when the schema does not have them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Column, Index, Integer, MetaData, String, Table

Decimal20 = partial(String, 32)  # DECIMAL(20,6) read as its digits
DateTimeText = partial(String, 19)  # 'YYYY-MM-DD HH:MM:SS', shop-local time, zero dates allowed


def _id(name: str, *, primary: bool = False) -> Column[int]:
    return Column(name, Integer, primary_key=primary, autoincrement=False, nullable=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopTables:
    """The shop's tables, one attribute each; ``metadata`` creates them for an embedded demo shop."""

    metadata: MetaData
    configuration: Table
    shop: Table
    shop_group: Table
    lang: Table
    currency: Table
    country: Table
    group: Table
    product: Table
    product_shop: Table
    product_lang: Table
    product_attribute: Table
    product_attribute_shop: Table
    product_attribute_combination: Table
    attribute: Table
    attribute_group: Table
    attribute_lang: Table
    product_attribute_image: Table
    image: Table
    image_shop: Table
    manufacturer: Table
    category_lang: Table
    tax: Table
    tax_rule: Table
    tax_rules_group: Table
    specific_price: Table
    specific_price_priority: Table
    product_group_reduction_cache: Table
    pack: Table

    def all(self) -> list[Table]:
        """Every table, in the order of their declaration."""
        return list(self.metadata.tables.values())


def shop_tables(prefix: str) -> ShopTables:
    """The tables under ``prefix`` (PrestaShop's default is ``ps_``)."""
    metadata = MetaData()

    def table(name: str, *columns: Column[int] | Column[str] | Index) -> Table:
        return Table(prefix + name, metadata, *columns)

    return ShopTables(metadata=metadata, **_organisation(table), **_catalogue(table), **_prices(table))


_Declare = Callable[..., Table]


def _organisation(table: _Declare) -> dict[str, Table]:
    return {
        "configuration": table(
            "configuration",
            _id("id_configuration", primary=True),
            Column("id_shop_group", Integer),
            Column("id_shop", Integer),
            Column("name", String(254), nullable=False),
            Column("value", String),
        ),
        "shop": table(
            "shop",
            _id("id_shop", primary=True),
            _id("id_shop_group"),
            Column("name", String(64), nullable=False),
            _id("active"),
            _id("deleted"),
        ),
        "shop_group": table("shop_group", _id("id_shop_group", primary=True), Column("name", String(64))),
        "lang": table(
            "lang",
            _id("id_lang", primary=True),
            Column("name", String(32)),
            Column("iso_code", String(2), nullable=False),
            _id("active"),
        ),
        "currency": table("currency", _id("id_currency", primary=True), Column("iso_code", String(3))),
        "country": table("country", _id("id_country", primary=True), Column("iso_code", String(3))),
        "group": table("group", _id("id_group", primary=True), Column("reduction", Decimal20())),
    }


def _catalogue(table: _Declare) -> dict[str, Table]:
    return {
        "product": table(
            "product",
            _id("id_product", primary=True),
            Column("id_manufacturer", Integer),
            Column("reference", String(64)),
            Column("ean13", String(20)),
            Column("weight", Decimal20()),
            Column("state", Integer),
            Column("date_upd", DateTimeText()),
        ),
        "product_shop": table(
            "product_shop",
            _id("id_product", primary=True),
            _id("id_shop", primary=True),
            Column("id_category_default", Integer),
            Column("id_tax_rules_group", Integer),
            Column("price", Decimal20()),
            Column("active", Integer),
            Column("date_upd", DateTimeText()),
        ),
        "product_lang": table(
            "product_lang",
            _id("id_product", primary=True),
            _id("id_shop", primary=True),
            _id("id_lang", primary=True),
            Column("name", String(128)),
        ),
        "product_attribute": table(
            "product_attribute",
            _id("id_product_attribute", primary=True),
            _id("id_product"),
            Column("reference", String(64)),
            Column("ean13", String(20)),
            Index(None, "id_product"),
        ),
        "product_attribute_shop": table(
            "product_attribute_shop",
            _id("id_product"),
            _id("id_product_attribute", primary=True),
            _id("id_shop", primary=True),
            Column("price", Decimal20()),
            Column("weight", Decimal20()),
        ),
        "product_attribute_combination": table(
            "product_attribute_combination",
            _id("id_attribute", primary=True),
            _id("id_product_attribute", primary=True),
            Index(None, "id_product_attribute"),
        ),
        "attribute": table(
            "attribute", _id("id_attribute", primary=True), _id("id_attribute_group"), _id("position")
        ),
        "attribute_group": table("attribute_group", _id("id_attribute_group", primary=True), _id("position")),
        "attribute_lang": table(
            "attribute_lang",
            _id("id_attribute", primary=True),
            _id("id_lang", primary=True),
            Column("name", String(128)),
        ),
        "product_attribute_image": table(
            "product_attribute_image",
            _id("id_product_attribute", primary=True),
            _id("id_image", primary=True),
            Index(None, "id_image"),
        ),
        "image": table(
            "image",
            _id("id_image", primary=True),
            _id("id_product"),
            _id("position"),
            Index(None, "id_product"),
        ),
        "image_shop": table(
            "image_shop",
            _id("id_product"),
            _id("id_image", primary=True),
            _id("id_shop", primary=True),
            Column("cover", Integer),
            Index(None, "id_product", "id_shop", "cover", unique=True),
        ),
        "manufacturer": table(
            "manufacturer", _id("id_manufacturer", primary=True), Column("name", String(64))
        ),
        "category_lang": table(
            "category_lang",
            _id("id_category", primary=True),
            _id("id_shop", primary=True),
            _id("id_lang", primary=True),
            Column("name", String(128)),
        ),
        "pack": table(
            "pack",
            _id("id_product_pack", primary=True),
            _id("id_product_item", primary=True),
            _id("id_product_attribute_item", primary=True),
            Index(None, "id_product_item", "id_product_attribute_item"),
        ),
    }


def _prices(table: _Declare) -> dict[str, Table]:
    return {
        "tax": table("tax", _id("id_tax", primary=True), Column("rate", Decimal20()), _id("active")),
        "tax_rules_group": table(
            "tax_rules_group",
            _id("id_tax_rules_group", primary=True),
            Column("name", String(50)),
            _id("active"),
        ),
        "tax_rule": table(
            "tax_rule",
            _id("id_tax_rule", primary=True),
            _id("id_tax_rules_group"),
            _id("id_country"),
            _id("id_state"),
            Column("zipcode_from", String(12)),
            Column("zipcode_to", String(12)),
            _id("id_tax"),
        ),
        "specific_price": table(
            "specific_price",
            _id("id_specific_price", primary=True),
            _id("id_specific_price_rule"),
            _id("id_cart"),
            _id("id_product"),
            _id("id_shop"),
            _id("id_currency"),
            _id("id_country"),
            _id("id_group"),
            _id("id_customer"),
            _id("id_product_attribute"),
            Column("price", Decimal20()),
            _id("from_quantity"),
            Column("reduction", Decimal20()),
            _id("reduction_tax"),
            Column("reduction_type", String(10)),
            Column("from", DateTimeText()),
            Column("to", DateTimeText()),
            Index(None, "id_product", "id_shop"),
        ),
        "specific_price_priority": table(
            "specific_price_priority",
            _id("id_specific_price_priority", primary=True),
            _id("id_product", primary=True),
            Column("priority", String(80)),
        ),
        "product_group_reduction_cache": table(
            "product_group_reduction_cache",
            _id("id_product", primary=True),
            _id("id_group", primary=True),
            Column("reduction", Decimal20()),
        ),
    }
