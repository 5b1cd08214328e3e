"""What the logs tell of an order, from the document the state keeps of it."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from brekzsync.domain.orders.mapping import MappedOrder, map_order
from brekzsync.domain.orders.stored import StoredOrder
from brekzsync.domain.orders.summaries import order_fields, summary
from tests.shop_orders import RULES, Bought, order_of

BED = Bought(Decimal("12.3554"), 2, Decimal(21), "BED")
FOOD = Bought(Decimal("4.50"), 3, Decimal(9), "FOOD")


def stored(**changes: object) -> str:
    mapped = map_order(order_of([BED, FOOD]), RULES)
    assert isinstance(mapped, MappedOrder)
    return StoredOrder(mapped.order._replace(**changes), 42).stored()


def test_an_order_is_told_by_its_reference_its_customer_and_what_exact_makes_of_its_lines() -> None:
    assert summary(stored()) == "XKBKNABJK-7: Sanne de Vries, EUR 44.62"


def test_a_refund_comes_to_less_than_nothing() -> None:
    order = StoredOrder.from_stored(stored()).order
    lines = tuple(line._replace(quantity=-line.quantity) for line in order.lines)
    assert summary(stored(lines=lines, your_ref="XKBKNABJK-7-R3")).endswith("-R3: Sanne de Vries, EUR -44.62")


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ('{"your_ref":"A-1","deliver_to":{"name":"Anna"},"currency":"EUR"}', "A-1: Anna"),
        ('{"your_ref":"A-1"}', "A-1"),
        ("{}", ""),
        ("document of first", ""),
        ("[]", ""),
        ("null", ""),
        ('{"your_ref":"A-1","lines":[{"kind":"product","quantity":"many"}]}', ""),
        ('{"your_ref":"A-1","deliver_to":"Anna"}', ""),
        ('{"your_ref":"A-1","lines":[{"kind":"gift","quantity":1,"price":"1","rate":"21"}]}', ""),
        ('{"your_ref":"A-1","lines":[{"kind":"product","quantity":1,"price":"x","rate":"21"}]}', ""),
    ],
)
def test_what_another_release_wrote_is_told_as_far_as_it_can_be_read(document: str, told: str) -> None:
    assert summary(document) == told
    assert (order_fields(document) is None) == (told == "" and document != "{}")


def test_the_fields_are_those_that_say_something_and_the_total() -> None:
    fields = order_fields(stored(payment_condition="14"))
    assert fields is not None
    assert json.loads(json.dumps(fields)) == fields
    address = {
        "name": "Sanne de Vries",
        "line1": "Dorpsstraat 5 b",
        "postal_code": "3511 AB",
        "city": "Utrecht",
        "country": "NL",
        "phone": "0301234567",
        "email": "sanne@example.com",
    }
    lines = fields.pop("lines")
    assert fields == {
        "your_ref": "XKBKNABJK-7",
        "description": "Order 7",
        "date": "2026-11-21",
        "currency": "EUR",
        "debtor": "42",
        "deliver_to": address,
        "invoice_to": address,
        "payment_method": "B",
        "payment_condition": "14",
        "delivery_method": "PNL",
        "debtor_is_new": True,
        "total_incl": "44.62",
    }
    assert [(line["item_code"], line["quantity"]) for line in lines] == [("BED", 2), ("FOOD", 3)]


def test_a_debtor_that_is_known_goes_without_an_account() -> None:
    fields = order_fields(stored(account=None))
    assert fields is not None
    assert fields["debtor_is_new"] is False
