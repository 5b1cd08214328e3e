"""The statements orders and credit slips are read with, and the shape of their rows.

Every statement reads a range or a list by an index: the primary key, or ``id_order``. None asks for a date:
none of these tables has a date that moves with every change, or an index on one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, Integer, Select, Table, bindparam, literal, select
from sqlalchemy import column as named

from brekzsync.prestashop.orders.tables import OrderTables

Raw = Any


class OrderRow(NamedTuple):
    """``ps_orders``, undecoded."""

    id_order: Raw
    reference: Raw
    id_shop: Raw
    id_carrier: Raw
    id_lang: Raw
    id_customer: Raw
    id_currency: Raw
    id_address_delivery: Raw
    id_address_invoice: Raw
    current_state: Raw
    module: Raw
    date_add: Raw
    date_upd: Raw
    total_discounts_tax_excl: Raw
    total_discounts_tax_incl: Raw
    total_paid_tax_excl: Raw
    total_paid_tax_incl: Raw
    total_shipping_tax_excl: Raw
    total_shipping_tax_incl: Raw
    total_wrapping_tax_excl: Raw
    total_wrapping_tax_incl: Raw
    carrier_tax_rate: Raw


class LineRow(NamedTuple):
    """``ps_order_detail``, undecoded."""

    id_order: Raw
    id_order_detail: Raw
    product_id: Raw
    product_attribute_id: Raw
    product_reference: Raw
    product_name: Raw
    product_quantity: Raw
    total_price_tax_excl: Raw
    total_price_tax_incl: Raw
    tax_rate: Raw
    id_tax_rules_group: Raw


class SlipRow(NamedTuple):
    """``ps_order_slip``, undecoded."""

    id_order_slip: Raw
    id_order: Raw
    order_slip_type: Raw
    total_products_tax_excl: Raw
    total_products_tax_incl: Raw
    total_shipping_tax_excl: Raw
    total_shipping_tax_incl: Raw
    amount: Raw
    shipping_cost_amount: Raw
    date_add: Raw


class AddressRow(NamedTuple):
    """``ps_address``, undecoded."""

    id_address: Raw
    id_country: Raw
    company: Raw
    firstname: Raw
    lastname: Raw
    address1: Raw
    address2: Raw
    postcode: Raw
    city: Raw
    phone: Raw
    phone_mobile: Raw
    vat_number: Raw


class OrderQueries:
    """The statements over ``tables``; ``columns`` are those the shop's tables really have."""

    def __init__(self, tables: OrderTables, columns: Mapping[str, set[str]]) -> None:
        orders, history, slip = tables.orders, tables.order_history, tables.order_slip
        self.standings_after = (
            select(orders.c.id_order, orders.c.id_shop, orders.c.current_state)
            .where(orders.c.id_order > bindparam("after", type_=Integer))
            .order_by(orders.c.id_order)
            .limit(bindparam("page", type_=Integer))
        )
        self.states = select(orders.c.id_order, orders.c.current_state).where(_among(orders.c.id_order))
        # A range of ids rather than a join: its plan does not hang on what the server thinks of states.
        self.ever_in = (
            select(history.c.id_order)
            .where(
                history.c.id_order >= bindparam("first", type_=Integer),
                history.c.id_order <= bindparam("last", type_=Integer),
                _among(history.c.id_order_state),
            )
            .distinct()
        )
        self.orders = _of(orders, OrderRow._fields, orders.c.id_order)
        self.lines = _of(tables.order_detail, LineRow._fields, tables.order_detail.c.id_order).order_by(
            tables.order_detail.c.id_order_detail
        )
        self.line_rates = (
            select(tables.order_detail_tax.c.id_order_detail, tables.tax.c.rate)
            .join(tables.tax, tables.tax.c.id_tax == tables.order_detail_tax.c.id_tax)
            .where(_among(tables.order_detail_tax.c.id_order_detail))
        )
        self.discounts = _discounts(tables, columns)
        self.addresses = _of(tables.address, AddressRow._fields, tables.address.c.id_address)
        self.customers = _of(
            tables.customer,
            ("id_customer", "company", "firstname", "lastname", "email"),
            tables.customer.c.id_customer,
        )
        self.carriers = _of(
            tables.carrier, ("id_carrier", "id_reference", "name"), tables.carrier.c.id_carrier
        )
        self.slips_after = (
            select(slip.c.id_order_slip, orders.c.id_shop)
            .join(orders, orders.c.id_order == slip.c.id_order)
            .where(slip.c.id_order_slip > bindparam("after", type_=Integer))
            .order_by(slip.c.id_order_slip)
            .limit(bindparam("page", type_=Integer))
        )
        self.slips = _of(slip, SlipRow._fields, slip.c.id_order_slip).order_by(slip.c.id_order_slip)
        detail = tables.order_slip_detail
        wanted = ("id_order_slip", "id_order_detail", "product_quantity", "total_price_tax_excl")
        rest = ("total_price_tax_incl", "amount_tax_excl", "amount_tax_incl")
        self.slip_lines = _of(detail, wanted + rest, detail.c.id_order_slip).order_by(
            detail.c.id_order_slip, detail.c.id_order_detail
        )
        self.names = {
            "countries": select(tables.country.c.id_country, tables.country.c.iso_code),
            "currencies": select(tables.currency.c.id_currency, tables.currency.c.iso_code),
            "languages": select(tables.lang.c.id_lang, tables.lang.c.iso_code),
        }


def _discounts(tables: OrderTables, columns: Mapping[str, set[str]]) -> Select[Any]:
    """Cart rules as they were applied; of a rule that is gone it is no longer known what it was for."""
    applied, rule = tables.order_cart_rule, tables.cart_rule
    has_deleted = "deleted" in columns[applied.name]
    deleted = named("deleted", Integer, _selectable=applied) if has_deleted else literal(0)
    return (
        select(
            applied.c.id_order,
            applied.c.name,
            applied.c.value_tax_excl,
            applied.c.value,
            applied.c.free_shipping,
            rule.c.reduction_product,
        )
        .select_from(applied)
        .outerjoin(rule, rule.c.id_cart_rule == applied.c.id_cart_rule)
        .where(_among(applied.c.id_order), deleted == 0)
        .order_by(applied.c.id_order_cart_rule)
    )


def _of(table: Table, names: Sequence[str], key: Column[Any]) -> Select[Any]:
    return select(*(table.c[name] for name in names)).where(_among(key))


def _among(column: Column[Any]) -> Any:
    return column.in_(bindparam("ids", expanding=True, type_=Integer))
