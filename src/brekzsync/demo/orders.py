"""The demo shop's orders and credit slips: rows for each record of ``data/orders.toml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Column, Integer, String

from brekzsync.demo.order_amounts import NOTHING, Line, Money, Totals, digits, order_totals, taxed, total
from brekzsync.demo.rows import Record, ShopRows
from brekzsync.prestashop.mapping_facts import MappingTables
from brekzsync.prestashop.orders.shipments import ShipmentTables
from brekzsync.prestashop.orders.tables import OrderTables, order_tables
from brekzsync.prestashop.tables import DateTimeText, Decimal20

_STANDARD = "standard"  # the tax group of shipping and wrapping
_TYPED_AMOUNT = 2  # order_slip_type, also of a slip with shipping costs
_PAYMENT_HOOK = 1
_DEFAULT_CARRIER = 3


def add_orders(rows: ShopRows, catalogue: Record, sales: Record) -> None:
    """Every order and slip with what hangs on it; needs the organisation's rows."""
    tables = order_tables("ps_", rows.tables.metadata)
    tables.carrier.append_column(Column("active", Integer))
    tables.carrier.append_column(Column("deleted", Integer))
    tables.carrier.append_column(Column("url", String(255)))
    _add_surroundings(rows, MappingTables("ps_", rows.tables.metadata), sales)
    adder = _Orders(rows, tables, catalogue, sales)
    for order in sales["order"]:
        adder.add_order(order)
    for slip in sales["slip"]:
        adder.add_slip(slip)


def _add_surroundings(rows: ShopRows, tables: MappingTables, sales: Record) -> None:
    """States, payment modules, carriers."""
    for state in sales["state"]:
        rows.add(tables.order_state, id_order_state=state["id"], deleted=0)
        for id_lang, name in rows.texts(state["name"]):
            rows.add(tables.order_state_lang, id_order_state=state["id"], id_lang=id_lang, name=name)
    rows.add(tables.hook, id_hook=_PAYMENT_HOOK, name="paymentOptions")
    for module in sales["payment_module"]:
        rows.add(tables.module, id_module=module["id"], name=module["name"], active=1)
        rows.add(tables.hook_module, id_module=module["id"], id_hook=_PAYMENT_HOOK)
    for carrier in sales["carrier"]:
        rows.add(
            tables.carrier,
            id_carrier=carrier["id"],
            id_reference=carrier["reference"],
            name=carrier["name"],
            url=carrier.get("url", ""),
            active=1,
            deleted=1 if carrier.get("deleted") else 0,
        )


def _shipping_tables(rows: ShopRows) -> ShipmentTables:
    """With the columns of a parcel that only the shop's webservice speaks of."""
    tables = ShipmentTables("ps_", rows.tables.metadata)
    parcel = tables.order_carrier
    for name in ("id_carrier", "id_order_invoice"):
        parcel.append_column(Column(name, Integer))
    for name in ("weight", "shipping_cost_tax_excl", "shipping_cost_tax_incl"):
        parcel.append_column(Column(name, Decimal20()))
    parcel.append_column(Column("date_add", DateTimeText()))
    return tables


class _Sold(NamedTuple):
    """An order as it was put together; ``details`` are the ids of its lines, in their order."""

    lines: list[Line]
    details: list[int]
    totals: Totals


class _Orders:
    """Adds customers as they are met first."""

    def __init__(self, rows: ShopRows, tables: OrderTables, catalogue: Record, sales: Record) -> None:
        self._rows = rows
        self._tables = tables
        self._shipping = _shipping_tables(rows)
        self._products = {product["id"]: product for product in catalogue["product"]}
        self._customers = {customer["id"]: customer for customer in sales["customer"]}
        self._countries = {one["id"]: one["iso_code"] for one in rows.organisation["country"]}
        self._groups = {group["key"]: group for group in rows.organisation["tax_group"]}
        self._taxes = {row["rate"]: row["id_tax"] for row in rows.by_table[rows.tables.tax]}
        self._sold: dict[int, _Sold] = {}
        for customer in sales["customer"]:
            self._add_customer(customer)

    def add_order(self, order: Record) -> None:
        rates = self._rates(order)
        lines = [self._line(order, line, rates) for line in order["lines"]]
        totals = order_totals(order, lines, Decimal(rates[_STANDARD]))
        first = len(self._rows.by_table[self._tables.order_detail]) + 1
        sold = _Sold(lines, list(range(first, first + len(lines))), totals)
        self._sold[order["id"]] = sold
        self._add_header(order, totals, rates[_STANDARD])
        for place, line in enumerate(order["lines"]):
            self._add_line(order, line, sold.lines[place].total, rates)
        for discount, taken in zip(order.get("discounts", []), totals.discounts, strict=True):
            self._add_discount(order["id"], discount, taken)
        history = self._tables.order_history
        for state in order["states"]:
            key = self._rows.next_id(history)
            self._rows.add(history, id_order_history=key, id_order=order["id"], id_order_state=state)
        self._add_parcel(order, totals)

    def add_slip(self, slip: Record) -> None:
        sold = self._sold[slip["order"]]
        returned = [(line["line"] - 1, line["quantity"]) for line in slip.get("lines", [])]
        credits = [
            taxed(sold.lines[place].price * quantity, sold.lines[place].rate) for place, quantity in returned
        ]
        products = total(credits)
        shipping = sold.totals.shipping if slip.get("with_shipping") else NOTHING
        typed = Decimal(slip.get("amount", 0))
        self._rows.add(
            self._tables.order_slip,
            id_order_slip=slip["id"],
            id_order=slip["order"],
            order_slip_type=_TYPED_AMOUNT if typed or shipping.incl else 0,
            **products.columns("total_products"),
            **shipping.columns("total_shipping"),
            amount=digits(typed or products.incl),
            shipping_cost_amount=digits(shipping.incl),
            date_add=self._rows.moment(slip["days_ago"], "15:30:00"),
        )
        for (place, quantity), credit in zip(returned, credits, strict=True):
            self._rows.add(
                self._tables.order_slip_detail,
                id_order_slip=slip["id"],
                id_order_detail=sold.details[place],
                product_quantity=quantity,
                **credit.columns("total_price"),
                **credit.columns("amount"),
            )

    def _add_customer(self, customer: Record) -> None:
        names = {"firstname": customer["first_name"], "lastname": customer["last_name"]}
        self._rows.add(
            self._tables.customer,
            id_customer=customer["id"],
            company=customer.get("company", ""),
            **names,
            email=customer["email"],
        )
        address = customer["address"]
        self._rows.add(
            self._tables.address,
            id_address=address["id"],
            id_country=address["country"],
            company=address.get("company", ""),
            **names,
            address1=address["line1"],
            address2=address.get("line2", ""),
            postcode=address["postcode"],
            city=address["city"],
            phone=address.get("phone", ""),
            phone_mobile=address.get("mobile", ""),
            vat_number=address.get("vat_number", ""),
        )

    def _add_header(self, order: Record, totals: Totals, rate: str) -> None:
        shop = order.get("shop", "NL")
        ordered = self._rows.moment(order["days_ago"], "10:05:00")
        address = self._customers[order["customer"]]["address"]["id"]
        self._rows.add(
            self._tables.orders,
            id_order=order["id"],
            reference=order["reference"],
            id_shop=self._rows.shop_ids[shop],
            id_carrier=order.get("carrier", _DEFAULT_CARRIER),
            id_lang=self._rows.language_ids[self._rows.shop_language(shop)],
            id_customer=order["customer"],
            id_currency=self._rows.organisation["currency"]["id"],
            id_address_delivery=address,
            id_address_invoice=address,
            current_state=order["states"][-1],
            module=order.get("payment", "ps_wirepayment"),
            date_add=ordered,
            date_upd=ordered,
            **total(totals.discounts).columns("total_discounts"),
            **totals.paid.columns("total_paid"),
            **totals.shipping.columns("total_shipping"),
            **totals.wrapping.columns("total_wrapping"),
            carrier_tax_rate=rate,
        )

    def _add_parcel(self, order: Record, totals: Totals) -> None:
        parcel = self._shipping.order_carrier
        self._rows.add(
            parcel,
            id_order_carrier=self._rows.next_id(parcel),
            id_order=order["id"],
            id_carrier=order.get("carrier", _DEFAULT_CARRIER),
            id_order_invoice=0,
            weight=digits(Decimal(0)),
            shipping_cost_tax_excl=digits(totals.shipping.excl),
            shipping_cost_tax_incl=digits(totals.shipping.incl),
            tracking_number=order.get("tracking", ""),
            date_add=self._rows.moment(order["days_ago"], "10:05:00"),
        )

    def _add_line(self, order: Record, line: Record, charged: Money, rates: Mapping[str, str]) -> None:
        table = self._tables.order_detail
        product, combination = self._ordered(line)
        group = product.get("tax", _STANDARD)
        detail = self._rows.next_id(table)
        self._rows.add(
            table,
            id_order_detail=detail,
            id_order=order["id"],
            product_id=product["id"],
            product_attribute_id=combination.get("id", 0),
            product_name=self._name(order, product, combination),
            product_reference=combination.get("reference") or product.get("reference", ""),
            product_quantity=line.get("quantity", 1),
            id_tax_rules_group=self._rows.tax_group_ids[group],
            tax_rate="0.000",  # PrestaShop keeps it with the line's taxes
            **charged.columns("total_price"),
        )
        self._rows.add(
            self._tables.order_detail_tax, id_order_detail=detail, id_tax=self._taxes[rates[group]]
        )

    def _add_discount(self, id_order: int, discount: Record, taken: Money) -> None:
        applied, rule = self._tables.order_cart_rule, self._tables.cart_rule
        id_cart_rule = self._rows.next_id(rule)
        self._rows.add(rule, id_cart_rule=id_cart_rule, reduction_product=0)
        self._rows.add(
            applied,
            id_order_cart_rule=self._rows.next_id(applied),
            id_order=id_order,
            id_cart_rule=id_cart_rule,
            name=discount["name"],
            free_shipping=1 if discount.get("free_shipping") else 0,
            value=digits(taken.incl),
            value_tax_excl=digits(taken.excl),
        )

    def _rates(self, order: Record) -> dict[str, str]:
        """The rate of each tax group where the order goes; where the country is gone, those of its shop."""
        country = self._countries.get(self._customers[order["customer"]]["address"]["country"])
        return {
            key: group["rates"][country or order.get("shop", "NL")]
            for key, group in self._groups.items()
            if (country or order.get("shop", "NL")) in group["rates"]
        }

    def _line(self, order: Record, line: Record, rates: Mapping[str, str]) -> Line:
        product, combination = self._ordered(line)
        base = product.get("price_in", {}).get(order.get("shop", "NL"), product["price"])
        price = Decimal(base) + Decimal(combination.get("price", 0))
        return Line(price, line.get("quantity", 1), Decimal(rates[product.get("tax", _STANDARD)]))

    def _ordered(self, line: Record) -> tuple[Record, Record]:
        """The product and combination of a key; the combination is empty for a simple product."""
        product, _, combination = line["key"].partition("-")
        given = self._products[int(product)]
        found: Iterator[Record] = (
            one for one in given.get("combination", []) if one["id"] == int(combination)
        )
        return given, next(found, {})

    def _name(self, order: Record, product: Record, combination: Record) -> str:
        """As the customer read it, in the language of the shop."""
        language = self._rows.shop_language(order.get("shop", "NL"))
        values = [self._rows.attribute_name(value, language) for value in combination.get("values", [])]
        name: str = product["name"][language]
        return f"{name} ({' - '.join(values)})" if values else name
