"""The PrestaShop tables orders and credit slips are read from, with the columns that are read.

Apart from those of ``tables.py``: products do without them, and a user who may read products only need not
be able to read orders. The columns are the same from 1.7.6 to 9.1, but for ``order_cart_rule.deleted``,
which is not declared: 1.7.6 lacks it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, Index, Integer, MetaData, String, Table

from brekzsync.prestashop.tables import DateTimeText, Decimal20


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTables:
    """One attribute each; ``metadata`` creates them for an embedded shop."""

    metadata: MetaData
    orders: Table
    order_history: Table
    order_detail: Table
    order_detail_tax: Table
    order_cart_rule: Table
    order_slip: Table
    order_slip_detail: Table
    cart_rule: Table
    address: Table
    customer: Table
    carrier: Table
    tax: Table
    country: Table
    currency: Table
    lang: Table

    def all(self) -> list[Table]:
        """Every table, in the order of their declaration."""
        return list(self.metadata.tables.values())


def order_tables(prefix: str, metadata: MetaData | None = None) -> OrderTables:
    """The tables under ``prefix``; tables that ``metadata`` has already stay as they are there."""
    known = MetaData() if metadata is None else metadata

    def table(
        name: str,
        key: str,
        *,
        ids: Sequence[str] = (),
        amounts: Sequence[str] = (),
        dates: Sequence[str] = (),
        texts: Sequence[str] = (),
        indexed: Sequence[str] = (),
    ) -> Table:
        if prefix + name in known.tables:
            return known.tables[prefix + name]
        return Table(
            prefix + name,
            known,
            Column(key, Integer, primary_key=True, autoincrement=False, nullable=False),
            *(Column(column, Integer) for column in ids),
            *(Column(column, Decimal20()) for column in amounts),
            *(Column(column, DateTimeText()) for column in dates),
            *(Column(column, String(255)) for column in texts),
            *(Index(None, column) for column in indexed),
        )

    return OrderTables(
        metadata=known,
        orders=table(
            "orders",
            "id_order",
            ids=[
                "id_shop",
                "id_carrier",
                "id_lang",
                "id_customer",
                "id_currency",
                "id_address_delivery",
                "id_address_invoice",
                "current_state",
            ],
            amounts=[
                "total_discounts_tax_excl",
                "total_discounts_tax_incl",
                "total_paid_tax_excl",
                "total_paid_tax_incl",
                "total_shipping_tax_excl",
                "total_shipping_tax_incl",
                "total_wrapping_tax_excl",
                "total_wrapping_tax_incl",
                "carrier_tax_rate",
            ],
            dates=["date_add", "date_upd"],
            texts=["reference", "module"],
        ),
        order_history=table(
            "order_history", "id_order_history", ids=["id_order", "id_order_state"], indexed=["id_order"]
        ),
        order_detail=table(
            "order_detail",
            "id_order_detail",
            ids=[
                "id_order",
                "product_id",
                "product_attribute_id",
                "product_quantity",
                "id_tax_rules_group",
            ],
            amounts=["total_price_tax_excl", "total_price_tax_incl", "tax_rate"],
            texts=["product_name", "product_reference"],
            indexed=["id_order", "product_id"],
        ),
        order_detail_tax=Table(
            prefix + "order_detail_tax",
            known,
            Column("id_order_detail", Integer, nullable=False),
            Column("id_tax", Integer, nullable=False),
            Index(None, "id_order_detail"),
        ),
        order_cart_rule=table(
            "order_cart_rule",
            "id_order_cart_rule",
            ids=["id_order", "id_cart_rule", "free_shipping"],
            amounts=["value", "value_tax_excl"],
            texts=["name"],
            indexed=["id_order"],
        ),
        order_slip=table(
            "order_slip",
            "id_order_slip",
            ids=["id_order", "order_slip_type"],
            amounts=[
                "total_products_tax_excl",
                "total_products_tax_incl",
                "total_shipping_tax_excl",
                "total_shipping_tax_incl",
                "amount",
                "shipping_cost_amount",
            ],
            dates=["date_add"],
            indexed=["id_order"],
        ),
        order_slip_detail=Table(
            prefix + "order_slip_detail",
            known,
            Column("id_order_slip", Integer, primary_key=True, autoincrement=False),
            Column("id_order_detail", Integer, primary_key=True, autoincrement=False),
            Column("product_quantity", Integer),
            *(Column(name, Decimal20()) for name in _SLIP_AMOUNTS),
        ),
        cart_rule=table("cart_rule", "id_cart_rule", ids=["reduction_product"]),
        address=table(
            "address",
            "id_address",
            ids=["id_country"],
            texts=[
                "company",
                "firstname",
                "lastname",
                "address1",
                "address2",
                "postcode",
                "city",
                "phone",
                "phone_mobile",
                "vat_number",
            ],
        ),
        customer=table("customer", "id_customer", texts=["company", "firstname", "lastname", "email"]),
        carrier=table("carrier", "id_carrier", ids=["id_reference"], texts=["name"]),
        tax=table("tax", "id_tax", amounts=["rate"]),
        country=table("country", "id_country", texts=["iso_code"]),
        currency=table("currency", "id_currency", texts=["iso_code"]),
        lang=table("lang", "id_lang", texts=["iso_code"]),
    )


_SLIP_AMOUNTS = ("total_price_tax_excl", "total_price_tax_incl", "amount_tax_excl", "amount_tax_incl")
