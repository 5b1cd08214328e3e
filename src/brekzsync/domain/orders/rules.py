"""What the configuration decides about sales orders, and looking things up in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from brekzsync.domain.orders.sales_orders import LineKind
from brekzsync.domain.orders.shop_orders import Tax
from brekzsync.domain.products import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRules:
    """``items`` are the item codes of all kinds of lines but products; ``vat_codes`` as in ``ItemRules``;
    ``home_country`` is the data shop's ISO code: only there a key of ``vat_codes`` without country counts.

    The maps of methods and conditions go by ``folded`` names, ``countries`` from ISO codes to the ERP's where
    they differ. No payment conditions at all: the ERP takes the debtor's.
    """

    items: Mapping[LineKind, str]
    vat_codes: Mapping[str, str]
    home_country: str
    rounding_vat_code: str = ""
    price_decimals: int = 4
    discount_form: Literal["negative_quantity", "negative_price"] = "negative_quantity"
    debtor: Literal["customer", "collective"] = "customer"
    collective_debtor: str = ""
    debtor_prefix: str = ""
    payment_methods: Mapping[str, str] = field(default_factory=dict)
    payment_conditions: Mapping[str, str] = field(default_factory=dict)
    delivery_methods: Mapping[str, str] = field(default_factory=dict)
    countries: Mapping[str, str] = field(default_factory=dict)
    warehouse: str = ""
    costcenter: str = ""
    selection: str = ""

    def vat_code(self, country: str, tax: Tax) -> str:
        """The ERP's VAT code, the most exact key first; ``""`` when unmapped.

        The same rate abroad is another tax: a key without country is never taken for it.
        """
        rate = plain(tax.rate)
        keys = [f"{country}:{rate}:{tax.id_tax_rules_group}", f"{country}:{rate}"]
        if country == self.home_country:
            keys.append(rate)
        return next((self.vat_codes[key] for key in keys if country and key in self.vat_codes), "")

    def code_without_vat(self, country: str) -> str:
        """The VAT code of what no VAT is charged on; ``""`` when there is none."""
        return self.rounding_vat_code or self.vat_code(country, Tax(Decimal(0)))

    def known_rates(self, country: str) -> list[Decimal]:
        """The rates that have a VAT code in a country."""
        rates = []
        for key in self.vat_codes:
            parts = key.split(":")
            at_home = len(parts) == 1 and country == self.home_country
            if at_home or (len(parts) > 1 and parts[0] == country):
                rates.append(Decimal(parts[0] if at_home else parts[1]))
        return rates


def folded(name: str) -> str:
    """A name as the maps of methods know it."""
    return name.strip().casefold()
