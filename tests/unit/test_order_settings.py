"""``[orders]`` as the rules want it, and what it may not say."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from brekzsync.bootstrap.orders import order_options, order_rules
from brekzsync.domain.orders.rules import OrderRules
from brekzsync.domain.orders.sales_orders import LineKind
from brekzsync.domain.orders.shop_orders import Tax
from brekzsync.errors import ConfigurationError
from brekzsync.prestashop.orders.repository import OrderOptions
from brekzsync.settings import Settings, load_settings


def configured(folder: Path, orders: str, more: str = "") -> Settings:
    file = folder / "brekzsync.toml"
    shop = '[shop]\ndatabase = "sqlite:///shop.db"\ndata_shop = 1\ntable_prefix = "winkel_"\n'
    file.write_text(f"{shop}{more}\n[orders]\n{orders}\n", encoding="utf-8")
    return load_settings(file)


def test_every_key_reaches_the_rules(tmp_path: Path) -> None:
    settings = configured(
        tmp_path,
        """
        shipping_item = "S"
        wrapping_item = "W"
        discount_item = "D"
        refund_item = "R"
        rounding_item = "A"
        rounding_vat_code = "N"
        discount_form = "negative_price"
        debtor = "collective"
        collective_debtor = "90000"
        debtor_prefix = "W"
        payment_methods = { " PS_WirePayment" = "B" }
        payment_conditions = { PS_WirePayment = "14" }
        delivery_methods = { 2 = "PNL", "Click and Collect " = "PICK" }
        countries = { de = "D" }
        warehouse = "1"
        costcenter = "WEB"
        selection = "WS"
        ready_states = [2, 3]
        dead_states = [6]
        shops = ["NL"]
        """,
        '[exact_xml]\nprice_decimals = 5\nvat_codes = { "21.0" = "2", "BE:6" = "B1" }',
    )

    assert order_rules(settings, "NL") == OrderRules(
        items={
            LineKind.SHIPPING: "S",
            LineKind.WRAPPING: "W",
            LineKind.DISCOUNT: "D",
            LineKind.REFUND: "R",
            LineKind.ROUNDING: "A",
        },
        vat_codes={"21": "2", "BE:6": "B1"},
        home_country="NL",
        rounding_vat_code="N",
        price_decimals=5,
        discount_form="negative_price",
        debtor="collective",
        collective_debtor="90000",
        debtor_prefix="W",
        payment_methods={"ps_wirepayment": "B"},
        payment_conditions={"ps_wirepayment": "14"},
        delivery_methods={"2": "PNL", "click and collect": "PICK"},
        countries={"DE": "D"},
        warehouse="1",
        costcenter="WEB",
        selection="WS",
    )
    assert order_options(settings) == OrderOptions(
        table_prefix="winkel_",
        data_shop=1,
        language="",
        ready_states=[2, 3],
        dead_states=[6],
        shops=["NL"],
    )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('payment_methods = { mollie = "Z" }', "must be one of Exact's payment methods"),
        ('payment_conditions = { mollie = "123" }', "must be a payment condition of at most 2 characters"),
        (
            'countries = { Germany = "D" }',
            'holds "Germany", which is not a two-letter country code such as DE',
        ),
        ('countries = { DE = "GERM" }', "must be one of Exact's country codes"),
        ('warehouse = "12345"', "must be a warehouse code of at most 4 characters"),
        ('costcenter = "123456789"', "must be a cost centre's code of at most 8 characters"),
        ('selection = "WEB"', "must be a selection code of at most 2 characters"),
        ('rounding_vat_code = "1234"', "must be a VAT code of at most 3 characters"),
        (f'collective_debtor = "{"9" * 21}"', "must be a debtor code of at most 20 characters"),
        ('warehouse = " 1"', "must be a warehouse code"),
    ],
)
def test_what_exact_has_no_room_for_is_refused(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        configured(tmp_path, line)

    assert told in raised.value.message


RULES = OrderRules(items={}, vat_codes={"21": "2", "9": "1", "BE:21": "B2", "NL:6:4": "6"}, home_country="NL")


@pytest.mark.parametrize(
    ("country", "tax", "code"),
    [
        ("NL", Tax(Decimal("21.000")), "2"),
        ("NL", Tax(Decimal(6), 4), "6"),
        ("NL", Tax(Decimal(6), 5), ""),
        ("BE", Tax(Decimal(21), 7), "B2"),
        ("BE", Tax(Decimal(9)), ""),
        ("", Tax(Decimal(21)), ""),
    ],
)
def test_a_vat_code_is_the_countrys_own(country: str, tax: Tax, code: str) -> None:
    assert RULES.vat_code(country, tax) == code


def test_the_rates_of_a_country_are_those_with_a_code() -> None:
    assert RULES.known_rates("NL") == [Decimal(21), Decimal(9), Decimal(6)]
    assert RULES.known_rates("BE") == [Decimal(21)]
    assert RULES.known_rates("DE") == []
