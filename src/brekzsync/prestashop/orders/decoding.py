"""From raw rows to orders and credit slips: texts, decimals, moments of the shop's own clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from brekzsync.domain.orders.shop_orders import (
    Amount,
    ShopAddress,
    ShopCarrier,
    ShopCustomer,
    ShopDiscount,
    ShopOrder,
    ShopOrderLine,
    ShopSlip,
    ShopSlipLine,
    Tax,
)
from brekzsync.prestashop.connection import RawRow, number, text
from brekzsync.prestashop.orders.queries import AddressRow, LineRow, OrderRow, Raw, SlipRow
from brekzsync.prestashop.reference_data import decimal


class ShopContext(NamedTuple):
    """What an order's shop says of it: the clock its dates are of, and the address its taxes are taken by."""

    name: str
    time_zone: ZoneInfo
    tax_address: Literal["delivery", "invoice"]


class OrderParts(NamedTuple):
    """What belongs to a batch of orders: by id_order, by id_order_detail (``rates``), or by their own ids."""

    lines: Mapping[int, Sequence[LineRow]]
    rates: Mapping[int, Decimal]
    discounts: Mapping[int, Sequence[RawRow]]
    addresses: Mapping[int, AddressRow]
    customers: Mapping[int, RawRow]
    carriers: Mapping[int, RawRow]


_ELSEWHERE = ShopContext("", ZoneInfo("UTC"), "delivery")  # of an order whose shop's row is gone


class OrderDecoder:
    """Decodes rows; ISO codes are upper-case and by the shop's ids."""

    def __init__(
        self,
        shops: Mapping[int, ShopContext],
        countries: Mapping[int, str],
        currencies: Mapping[int, str],
        languages: Mapping[int, str],
    ) -> None:
        self._shops = shops
        self._countries = countries
        self._currencies = currencies
        self._languages = languages

    def order(self, row: OrderRow, parts: OrderParts) -> ShopOrder:
        """One order. NULL and malformed numbers count as zero, as everywhere in a shop."""
        id_order, shop = number(row.id_order), self._shop_of(row.id_shop)
        ordered = local_time(row.date_add)
        return ShopOrder(
            id_order=id_order,
            reference=text(row.reference),
            id_shop=number(row.id_shop),
            current_state=number(row.current_state),
            ordered_at=in_utc(ordered, shop.time_zone),
            ordered_on=ordered.date() if ordered else None,
            updated_at=in_utc(local_time(row.date_upd), shop.time_zone),
            currency=self._currencies.get(number(row.id_currency), ""),
            payment_module=text(row.module),
            carrier=_carrier(number(row.id_carrier), parts.carriers),
            customer=self._customer(row, parts.customers),
            delivery=self._address(parts.addresses.get(number(row.id_address_delivery))),
            invoice=self._address(parts.addresses.get(number(row.id_address_invoice))),
            tax_address=shop.tax_address,
            lines=tuple(_line(line, parts.rates) for line in parts.lines.get(id_order, ())),
            discounts=tuple(_discount(discount) for discount in parts.discounts.get(id_order, ())),
            discounted=_amount(row.total_discounts_tax_excl, row.total_discounts_tax_incl),
            shipping=_amount(row.total_shipping_tax_excl, row.total_shipping_tax_incl),
            shipping_rate=decimal(row.carrier_tax_rate),
            wrapping=_amount(row.total_wrapping_tax_excl, row.total_wrapping_tax_incl),
            paid=_amount(row.total_paid_tax_excl, row.total_paid_tax_incl),
        )

    def slip(self, row: SlipRow, order: ShopOrder, lines: Sequence[RawRow]) -> ShopSlip:
        """One credit slip of ``order``."""
        created = local_time(row.date_add)
        products = None
        if row.total_products_tax_excl is not None and row.total_products_tax_incl is not None:
            products = _amount(row.total_products_tax_excl, row.total_products_tax_incl)
        shipping = _amount(row.total_shipping_tax_excl, row.total_shipping_tax_incl)
        if row.total_shipping_tax_incl is None:
            shipping = _with_tax(decimal(row.shipping_cost_amount), order.shipping_rate)
        return ShopSlip(
            id_order_slip=number(row.id_order_slip),
            order=order,
            created_at=in_utc(created, self._shop_of(order.id_shop).time_zone),
            created_on=created.date() if created else None,
            lines=tuple(_slip_line(line) for line in lines),
            products=products,
            shipping=shipping,
            amount=decimal(row.amount),
            kind=number(row.order_slip_type),
        )

    def _shop_of(self, id_shop: Raw) -> ShopContext:
        return self._shops.get(number(id_shop), _ELSEWHERE)

    def _address(self, row: AddressRow | None) -> ShopAddress | None:
        if row is None:
            return None
        return ShopAddress(
            company=text(row.company),
            first_name=text(row.firstname),
            last_name=text(row.lastname),
            line1=text(row.address1),
            line2=text(row.address2),
            postal_code=text(row.postcode),
            city=text(row.city),
            id_country=number(row.id_country),
            country=self._countries.get(number(row.id_country), ""),
            phone=text(row.phone),
            mobile=text(row.phone_mobile),
            vat_number=text(row.vat_number),
        )

    def _customer(self, order: OrderRow, customers: Mapping[int, RawRow]) -> ShopCustomer | None:
        row = customers.get(number(order.id_customer))
        if row is None:
            return None
        id_customer, company, first_name, last_name, email = row
        language = self._languages.get(number(order.id_lang), "")
        return ShopCustomer(
            number(id_customer), text(company), text(first_name), text(last_name), text(email), language
        )


def local_time(value: Raw) -> datetime | None:
    """A date of the shop, naive; None for a date of zeros."""
    try:
        return datetime.fromisoformat(text(value)[:19])
    except ValueError:
        return None


def in_utc(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    """A naive local time as a moment; of the hour that comes twice in autumn the first is taken."""
    return moment.replace(tzinfo=zone).astimezone(UTC) if moment else None


def _amount(excl: Raw, incl: Raw) -> Amount:
    return Amount(decimal(excl), decimal(incl))


def _with_tax(incl: Decimal, rate: Decimal) -> Amount:
    return Amount(incl / (1 + rate / 100), incl)


def _carrier(id_carrier: int, carriers: Mapping[int, Any]) -> ShopCarrier | None:
    """None for an order that has none; one whose row is gone has neither name nor reference."""
    if not id_carrier:
        return None
    row = carriers.get(id_carrier)
    if row is None:
        return ShopCarrier(0, "")
    return ShopCarrier(number(row[1]) or id_carrier, text(row[2]))


def _line(row: LineRow, rates: Mapping[int, Decimal]) -> ShopOrderLine:
    rate = decimal(row.tax_rate) or rates.get(number(row.id_order_detail), Decimal(0))
    return ShopOrderLine(
        id_order_detail=number(row.id_order_detail),
        id_product=number(row.product_id),
        id_product_attribute=number(row.product_attribute_id),
        reference=text(row.product_reference),
        name=text(row.product_name),
        quantity=number(row.product_quantity),
        total=_amount(row.total_price_tax_excl, row.total_price_tax_incl),
        tax=Tax(rate.normalize() if rate else Decimal(0), number(row.id_tax_rules_group)),
    )


def _discount(row: RawRow) -> ShopDiscount:
    _, name, excl, incl, free_shipping, reduction_product = row
    product = number(reduction_product)  # -1 and -2 are the cheapest, and a selection: not one product
    return ShopDiscount(text(name), _amount(excl, incl), number(free_shipping) == 1, max(product, 0))


def _slip_line(row: RawRow) -> ShopSlipLine:
    _, id_order_detail, quantity, excl, incl, amount_excl, amount_incl = row
    total = _amount(amount_excl if excl is None else excl, amount_incl if incl is None else incl)
    return ShopSlipLine(number(id_order_detail), number(quantity), total)
