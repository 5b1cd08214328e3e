"""Orders: what the configuration says of them, as the rules and the reader want it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brekzsync.domain.orders.rules import OrderRules, folded
from brekzsync.domain.orders.sales_orders import LineKind
from brekzsync.domain.products import vat_key
from brekzsync.prestashop.orders.repository import OrderOptions

if TYPE_CHECKING:
    from brekzsync.settings import Settings


def order_rules(settings: Settings, home_country: str) -> OrderRules:
    """How orders are mapped; ``home_country`` is the data shop's ISO code."""
    orders = settings.orders
    return OrderRules(
        items={
            LineKind.SHIPPING: orders.shipping_item,
            LineKind.WRAPPING: orders.wrapping_item,
            LineKind.DISCOUNT: orders.discount_item,
            LineKind.REFUND: orders.refund_item,
            LineKind.ROUNDING: orders.rounding_item,
        },
        vat_codes={vat_key(key): code for key, code in settings.exact_xml.vat_codes.items()},
        home_country=home_country,
        rounding_vat_code=orders.rounding_vat_code,
        price_decimals=settings.exact_xml.price_decimals,
        discount_form=orders.discount_form,
        debtor=orders.debtor,
        collective_debtor=orders.collective_debtor,
        debtor_prefix=orders.debtor_prefix,
        payment_methods={folded(name): code for name, code in orders.payment_methods.items()},
        payment_conditions={folded(name): code for name, code in orders.payment_conditions.items()},
        delivery_methods={folded(name): code for name, code in orders.delivery_methods.items()},
        countries=orders.countries,
        warehouse=orders.warehouse,
        costcenter=orders.costcenter,
        selection=orders.selection,
    )


def order_options(settings: Settings) -> OrderOptions:
    """Which orders are read."""
    return OrderOptions(
        table_prefix=settings.shop.table_prefix,
        ready_states=settings.orders.ready_states,
        dead_states=settings.orders.dead_states,
        shops=settings.orders.shops,
    )
