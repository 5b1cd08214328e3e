"""A sales order and an account as Exact's XML: every word of it, and against Exact's own schema."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from brekzsync.domain.orders.mapping import MappedOrder, map_order
from brekzsync.domain.orders.sales_orders import Account, LineKind, PostalAddress, SalesOrder, SalesOrderLine
from brekzsync.domain.orders.shop_orders import ShopOrder
from brekzsync.exact.eexact.accounts import AccountWriter
from brekzsync.exact.eexact.orders import SalesOrderWriter, order_document
from tests.shop_orders import OFFICE, RULES, Bought, order_of, slip_of

RICH = replace(
    RULES,
    debtor_prefix="W",
    payment_conditions={"ps_wirepayment": "14"},
    warehouse="1",
    costcenter="WEB",
    selection="WS",
)
ORDER = order_of([Bought(Decimal("20.00"), 2, Decimal(21), "BED & CO")], shipping=Decimal("4.09"))
ADDRESS = (
    "<Address><Addressee><Name>Sanne de Vries</Name></Addressee><AddressLine1>Dorpsstraat 5 b</AddressLine1>"
    '<PostalCode>3511 AB</PostalCode><City>Utrecht</City><Country code="NL"/><Phone>0301234567</Phone>'
    "<Email>sanne@example.com</Email></Address>"
)


@pytest.fixture(scope="module")
def schema(shared: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(shared / "data/exact/eExact-Schema.xsd")))


def mapped(order: ShopOrder) -> SalesOrder:
    result = map_order(order, RICH)
    assert isinstance(result, MappedOrder)
    return result.order


def test_an_order_says_everything_in_the_order_of_the_schema() -> None:
    element = SalesOrderWriter().element(mapped(ORDER))

    assert element == (
        '<Order type="V"><Description>Order 7</Description><YourRef>XKBKNABJK-7</YourRef><Date>2026-11-21</Date>'
        '<Currency code="EUR"/><OrderedBy><Debtor code="W42"/><Date>2026-11-21</Date></OrderedBy>'
        f'<DeliverTo><Debtor code="W42"/>{ADDRESS}</DeliverTo><InvoiceTo><Debtor code="W42"/>{ADDRESS}</InvoiceTo>'
        '<Warehouse code="1"/><PaymentMethod code="B"/><PaymentCondition code="14"/>'
        '<DeliveryMethod code="PNL"/><Costcenter code="WEB"/><Selection code="WS"/>'
        '<OrderLine lineNo="1"><Description>Product 1</Description><Item code="BED &amp; CO"/>'
        '<Quantity>2</Quantity><Price type="S"><Currency code="EUR"/><Value>20.0000</Value><VAT code="2"/></Price>'
        '<Warehouse code="1"/></OrderLine>'
        '<OrderLine lineNo="2"><Description>PostNL</Description><Item code="SHIPPING"/><Quantity>1</Quantity>'
        '<Price type="S"><Currency code="EUR"/><Value>4.0900</Value><VAT code="2"/></Price>'
        '<Warehouse code="1"/></OrderLine></Order>\n'
    )


def test_a_new_debtor_comes_before_its_first_order(schema: etree.XMLSchema) -> None:
    order = mapped(ORDER._replace(invoice=OFFICE))
    assert order.account is not None
    account = AccountWriter().element(order.account)

    content = SalesOrderWriter().document(order, account)

    root = etree.fromstring(content)
    schema.assertValid(root)
    assert [topic.tag for topic in root] == ["Accounts", "Orders"]
    assert account.startswith(
        '<Account code="W42" type="C" status="A"><Name>De Vries &amp; Zn</Name><Phone>0301234567</Phone>'
        '<Email>sanne@example.com</Email><Contacts><Contact default="1" status="A"><LastName>de Vries</LastName>'
        '<FirstName>Sanne</FirstName><Addresses><Address type="V"><AddressLine1>Kade 1</AddressLine1>'
    )
    assert account.endswith(
        '<Debtor code="W42"><Name>De Vries &amp; Zn</Name><Currency code="EUR"/></Debtor>'
        "<VATNumber>NL1B01</VATNumber></Account>\n"
    )
    assert root.xpath("//Contact/Addresses/Address/@type") == ["V", "D", "I"]


def test_a_known_debtor_needs_no_account(schema: etree.XMLSchema) -> None:
    root = etree.fromstring(SalesOrderWriter().document(mapped(ORDER)))

    schema.assertValid(root)
    assert [topic.tag for topic in root] == ["Orders"]


def test_a_refund_is_an_order_of_negative_quantities(schema: etree.XMLSchema) -> None:
    from brekzsync.domain.orders.refunds import map_slip

    result = map_slip(slip_of(ORDER, {1: (1, Decimal("24.20"))}), RICH)
    assert isinstance(result, MappedOrder)

    root = etree.fromstring(SalesOrderWriter().document(result.order))

    schema.assertValid(root)
    assert root.xpath("//Order/@type") == ["V"]
    assert root.findtext(".//YourRef") == "XKBKNABJK-7-R3"
    assert root.findtext(".//OrderLine/Quantity") == "-1"


TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from('<>&"\t\n\x00\x1f￿'), max_size=20)
CODE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=6)
BLANK_OR = st.just("") | CODE
ADDRESSES = st.builds(PostalAddress, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, CODE, TEXT, TEXT)
LINES = st.builds(
    SalesOrderLine,
    st.sampled_from(LineKind),
    CODE,
    TEXT,
    st.integers(-999, 999),
    st.integers(-(10**9), 10**9).map(lambda parts: Decimal(parts) / 10_000),
    CODE,
    st.just(Decimal(21)),
)
ACCOUNTS = st.builds(Account, CODE, *[TEXT] * 5, BLANK_OR, CODE, TEXT, ADDRESSES, ADDRESSES, ADDRESSES)
ORDERS = st.builds(
    SalesOrder,
    CODE,
    TEXT,
    st.sampled_from(["", "2026-11-21"]),
    CODE,
    CODE,
    ADDRESSES,
    ADDRESSES,
    BLANK_OR,
    st.sampled_from(["", *"ABKRCWIOFPVYXEHS"]),
    BLANK_OR,
    BLANK_OR,
    BLANK_OR,
    BLANK_OR,
    st.lists(LINES, min_size=1, max_size=4).map(tuple),
    st.none(),
)


@given(orders=st.lists(ORDERS, max_size=3), accounts=st.lists(ACCOUNTS, max_size=2))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_document_is_valid_whatever_its_texts_say(
    schema: etree.XMLSchema, orders: list[SalesOrder], accounts: list[Account]
) -> None:
    writer, debtors = SalesOrderWriter(), AccountWriter()

    content = order_document(map(writer.element, orders), map(debtors.element, accounts))

    root = etree.fromstring(content.encode())
    schema.assertValid(root)
    assert root.xpath("//Order/YourRef/text()") == [order.your_ref for order in orders]
    assert root.xpath("//OrderLine/Item/@code") == [
        line.item_code for order in orders for line in order.lines
    ]
    printed = [Decimal(value) for value in root.xpath("//OrderLine/Price/Value/text()")]
    assert printed == [line.price for order in orders for line in order.lines]
