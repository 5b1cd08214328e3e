"""Order states, payment modules and carriers of a genuine shop."""

from __future__ import annotations

from decimal import Decimal

import pytest

from brekzsync.domain.orders.facts import Carrier, OrderFacts, OrderRate, OrderState, PaymentModule
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.mapping_facts import read_order_facts
from tests.services.prestashop import PrestaShopDatabase


def facts(url: str, prefix: str = "ps_", id_lang: int = 1) -> OrderFacts:
    database = ShopDatabase(url)
    try:
        return read_order_facts(database, prefix, id_lang)
    finally:
        database.dispose()


@pytest.mark.parametrize("driver", ["pymysql", "mysqldb"])
def test_what_customers_can_choose_and_what_they_chose_is_told(
    prestashop: PrestaShopDatabase, driver: str
) -> None:
    if driver == "mysqldb":
        pytest.importorskip("MySQLdb")

    found = facts(prestashop.url(driver=driver))

    assert found.states is not None
    assert list(found.states[:2]) == [
        OrderState(1, "Awaiting check payment", False),
        OrderState(2, "Payment accepted", False),
    ]
    assert found._replace(states=None) == OrderFacts(
        states=None,
        payment_modules=[
            PaymentModule("ps_checkpayment", 4, True),
            PaymentModule("ps_wirepayment", 1, True),
            PaymentModule("ps_cashondelivery", 0, True),
        ],
        carriers=[Carrier(2, "My carrier", 5, True), Carrier(1, "Click and collect", 0, True)],
        recent=5,
        unreadable=[],
        countries=found.countries,
        rates=[OrderRate("US", Decimal(0), 0, 5)],
    )
    assert {"NL", "BE", "FR"} <= set(found.countries or ())


def test_an_edited_carrier_is_one_carrier_with_its_latest_name(prestashop: PrestaShopDatabase) -> None:
    prestashop.execute(
        "UPDATE ps_carrier SET deleted = 1 WHERE id_carrier = 2;"
        "INSERT INTO ps_carrier (id_carrier, id_reference, name, active, deleted) VALUES (9, 2, 'Post', 1, 0);"
        "UPDATE ps_orders SET id_carrier = 9 WHERE id_order = 5;"
    )

    assert facts(prestashop.url()).carriers == [
        Carrier(2, "Post", 5, True),
        Carrier(1, "Click and collect", 0, True),
    ]


def test_what_is_gone_but_stands_in_recent_orders_is_told_as_no_longer_active(
    prestashop: PrestaShopDatabase,
) -> None:
    prestashop.execute(
        "UPDATE ps_carrier SET deleted = 1 WHERE id_carrier = 2;"
        "UPDATE ps_module SET active = 0 WHERE name = 'ps_wirepayment';"
        "UPDATE ps_order_state SET deleted = 1 WHERE id_order_state = 8;"
    )

    found = facts(prestashop.url())

    assert (found.carriers or [])[0] == Carrier(2, "My carrier", 5, False)
    assert PaymentModule("ps_wirepayment", 1, False) in (found.payment_modules or [])
    assert [state.id_order_state for state in found.states or [] if state.deleted] == [8]


@pytest.mark.parametrize(("by", "country"), [("id_address_delivery", "BE"), ("id_address_invoice", "NL")])
def test_the_rates_of_orders_are_those_of_the_country_taxes_are_due_in(
    prestashop: PrestaShopDatabase, by: str, country: str
) -> None:
    """One line says its rate itself, as old releases had it, the others name a tax."""
    prestashop.execute(
        "UPDATE ps_address SET id_country = 3 WHERE id_address = (SELECT id_address_delivery FROM ps_orders LIMIT 1);"
        "INSERT INTO ps_address (id_address, id_country, alias, lastname, firstname, address1, city, date_add,"
        " date_upd) VALUES (901, 13, '', '', '', '', '', NOW(), NOW());"
        "UPDATE ps_orders SET id_address_invoice = 901;"
        "DELETE FROM ps_order_detail WHERE id_order_detail > 2;"
        "UPDATE ps_order_detail SET id_order = id_order_detail, id_tax_rules_group = 7;"
        "UPDATE ps_order_detail SET tax_rate = 21 WHERE id_order_detail = 1;"
        "INSERT INTO ps_tax (id_tax, rate, active) VALUES (901, 6, 1);"
        "DELETE FROM ps_order_detail_tax;"
        "INSERT INTO ps_order_detail_tax (id_order_detail, id_tax) VALUES (2, 901);"
        f"DELETE FROM ps_configuration WHERE name = 'PS_TAX_ADDRESS_TYPE';"
        f"INSERT INTO ps_configuration (name, value, date_add, date_upd)"
        f" VALUES ('PS_TAX_ADDRESS_TYPE', '{by}', NOW(), NOW())"
    )

    found = facts(prestashop.url()).rates or ()

    assert sorted(found) == [OrderRate(country, Decimal(6), 7, 1), OrderRate(country, Decimal(21), 7, 1)]


def test_orders_without_module_or_carrier_are_no_mapping(prestashop: PrestaShopDatabase) -> None:
    prestashop.execute("UPDATE ps_orders SET module = NULL, id_carrier = 0")

    found = facts(prestashop.url())

    assert [(module.name, module.orders) for module in found.payment_modules or []] == [
        ("ps_cashondelivery", 0),
        ("ps_checkpayment", 0),
        ("ps_wirepayment", 0),
    ]
    assert [carrier.orders for carrier in found.carriers or []] == [0, 0]


def test_a_user_who_may_not_read_orders_is_told_which_tables_those_are(
    prestashop: PrestaShopDatabase,
) -> None:
    allowed = ("ps_order_state", "ps_order_state_lang", "ps_module", "ps_hook", "ps_hook_module")
    grants = [f"GRANT SELECT ON {prestashop.name}.{table} TO 'clerk'@'%';" for table in allowed]
    prestashop.execute(f"CREATE OR REPLACE USER 'clerk'@'%' IDENTIFIED BY 'pw'; {' '.join(grants)}")

    found = facts(prestashop.url(user="clerk", password="pw"))

    assert len(found.states or []) == 13
    assert found._replace(states=None) == OrderFacts(
        states=None,
        payment_modules=None,
        carriers=None,
        recent=0,
        unreadable=[
            "ps_orders",
            "ps_carrier",
            "ps_country",
            "ps_address",
            "ps_order_detail",
            "ps_order_detail_tax",
            "ps_tax",
            "ps_configuration",
        ],
    )
