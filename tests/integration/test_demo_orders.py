"""The demo's orders: that every rule their README names is really in the shop, and ends as it says."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from brekzsync.bootstrap.orders import order_options, order_rules
from brekzsync.demo.folder import make_demo
from brekzsync.demo.seed import data_file, read
from brekzsync.domain.orders.mapping import MappedOrder, map_order, your_ref
from brekzsync.domain.orders.refunds import map_slip
from brekzsync.domain.orders.sales_orders import LineKind, SalesOrder
from brekzsync.domain.orders.shop_orders import ShopOrder, ShopSlip
from brekzsync.domain.orders.totals import globe_totals
from brekzsync.domain.products import Refusal
from brekzsync.domain.texts import normalise_code
from brekzsync.exact.connection import connect_erp
from brekzsync.exact.items import ItemRepository
from brekzsync.exact.orders import OrderRepository
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.mapping_facts import read_order_facts
from brekzsync.prestashop.orders.repository import ShopOrders
from brekzsync.settings import Settings, load_settings

NOW = datetime(2026, 11, 21, 12, 15, tzinfo=UTC)
Mapped = MappedOrder | tuple[Refusal, ...]


class Sold(NamedTuple):
    """Everything the demo's shop sold, and what becomes of it; ``due`` are the orders that are by their states."""

    settings: Settings
    due: list[int]
    orders: dict[int, ShopOrder]
    slips: dict[int, ShopSlip]
    mapped: dict[str, Mapped]

    def document(self, key: str) -> SalesOrder:
        """What Exact is to get of ``order 61``; fails where it is refused."""
        mapped = self.mapped[key]
        assert isinstance(mapped, MappedOrder), mapped
        return mapped.order


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Sold:
    settings = load_settings(make_demo(tmp_path_factory.mktemp("orders") / "demo", NOW).configuration, {})
    rules = order_rules(settings, "NL")
    database = ShopDatabase(settings.shop.database.get_secret_value())
    with ShopOrders(database, order_options(settings)).open() as shop:
        orders = {order.id_order: order for order in shop.some(range(1000))}
        slips = {slip.id_order_slip: slip for slip in shop.slips()}
        due = list(shop.due_ids())
    database.dispose()
    mapped: dict[str, Mapped] = {
        f"order {number}": map_order(order, rules) for number, order in orders.items()
    }
    mapped |= {f"refund {number}": map_slip(slip, rules) for number, slip in slips.items()}
    return Sold(settings, due, orders, slips, mapped)


def listed() -> list[tuple[str, list[str], str]]:
    """Rule, keys and what is done, row by row of the README."""
    rows = re.findall(
        r"^\| ([^|]+) \| ((?:order|refund) [^|]+) \| ([^|]+) \|$", data_file("README.md"), re.MULTILINE
    )
    return [(rule, keys.split(", "), done) for rule, keys, done in rows]


def shown() -> dict[str, list[str]]:
    """Keys by rule, as the data tells."""
    sales = read("orders.toml")
    rules: dict[str, list[str]] = {}
    for kind, records in (("order", sales["order"]), ("refund", sales["slip"])):
        for record in records:
            for rule in record["shows"]:
                rules.setdefault(rule, []).append(f"{kind} {record['id']}")
    return rules


def kinds(order: SalesOrder) -> list[LineKind]:
    return [line.kind for line in order.lines]


def _pieces(order: SalesOrder) -> int:
    return sum(line.quantity for line in order.lines if line.kind is LineKind.PRODUCT)


def _is_new_debtor(order: SalesOrder) -> bool:
    return order.account is not None and order.account.code == order.debtor


# What makes the document show its rule; one that is refused shows it by its reason.
SHOWS: dict[str, Callable[[SalesOrder], bool]] = {
    "paid, to the Netherlands": lambda order: (
        order.deliver_to.country == "NL"
        and order.debtor == "W11"
        and kinds(order) == [LineKind.PRODUCT, LineKind.SHIPPING]
    ),
    "two orders of a new customer": _is_new_debtor,
    "to Belgium, at its 21 %": lambda order: (
        order.deliver_to.country == "BE" and {line.vat_code for line in order.lines} <= {"B2", "0"}
    ),
    "to Germany, under Exact's country code": lambda order: (
        order.deliver_to.country == "D" and {line.vat_code for line in order.lines} <= {"D2", "0"}
    ),
    "a discount over two tax rates": lambda order: (
        [(line.vat_code, line.quantity) for line in order.lines if line.kind is LineKind.DISCOUNT]
        == [("2", -1), ("1", -1)]
    ),
    "gift wrapping": lambda order: kinds(order).count(LineKind.WRAPPING) == 1,
    "free shipping": lambda order: (
        sum(line.amount for line in order.lines if line.kind in (LineKind.SHIPPING, LineKind.DISCOUNT)) == 0
        and LineKind.SHIPPING in kinds(order)
    ),
    "a company with a VAT number": lambda order: (
        order.account is not None
        and (order.account.name, order.account.vat_number) == ("Hondenschool De Kade", "NL001234567B01")
        and order.invoice_to.line3 == "Karin Bakker"
    ),
    "a difference of two cents": lambda order: (
        [str(line.amount) for line in order.lines if line.kind is LineKind.ROUNDING] == ["0.0200"]
    ),
    "of an order Exact has": lambda order: order.your_ref == "QWERTZUIO-41-R1",
    "part of an order": lambda order: (
        [(line.item_code, line.quantity) for line in order.lines] == [("LL-NW-RD-M", -1)]
    ),
    "a sum somebody typed, over two tax rates": lambda order: (
        [line.vat_code for line in order.lines if line.kind is LineKind.REFUND] == ["2", "1"]
        and str(globe_totals(order.lines).incl) == "-5.00"
    ),
    "everything, with the shipping costs": lambda order: (
        kinds(order) == [LineKind.PRODUCT, LineKind.SHIPPING]
        and all(line.quantity == -1 for line in order.lines)
    ),
}
SENT = [
    pytest.param(rule, key, id=f"{rule}: {key}")
    for rule, keys, done in listed()
    for key in keys
    if done.startswith("sent")
]
FAILED = [
    pytest.param(key, reason[1], id=f"{key}: {reason[1]}")
    for _, keys, done in listed()
    for key in keys
    if (reason := re.match(r"failed: `(\w+)`", done))
]


def test_the_readme_lists_exactly_the_rules_and_keys_of_the_data() -> None:
    assert {rule: keys for rule, keys, _ in listed()} == shown()
    assert set(SHOWS) == {rule for rule, _, done in listed() if done.startswith("sent")}


@pytest.mark.parametrize(("rule", "key"), SENT)
def test_what_is_sent_shows_its_rule(sold: Sold, rule: str, key: str) -> None:
    assert SHOWS[rule](sold.document(key))
    if key.startswith("order"):
        assert int(key.removeprefix("order ")) in sold.due


@pytest.mark.parametrize("key", sorted({values for rule in SENT for values in rule.values[1:]}))
def test_what_is_sent_comes_to_the_shops_total_in_exact(sold: Sold, key: str) -> None:
    kind, _, number = key.partition(" ")
    incl = globe_totals(sold.document(key).lines).incl

    if kind == "order":
        assert incl == sold.orders[int(number)].paid.incl
    else:
        slip = sold.slips[int(number)]
        assert incl == -(slip.amount + slip.shipping.incl)


@pytest.mark.parametrize(("key", "reason"), FAILED)
def test_what_fails_does_so_for_the_one_reason(sold: Sold, key: str, reason: str) -> None:
    mapped = sold.mapped[key]
    refused = {str(refusal.reason) for refusal in mapped} if not isinstance(mapped, MappedOrder) else set()

    assert refused == ({reason} if reason != "item_not_in_erp" else set())


def test_only_one_of_the_orders_that_could_go_names_an_item_exact_does_not_have(sold: Sold) -> None:
    held = ItemRepository(connect_erp(sold.settings.erp.database.get_secret_value()))
    lacking = {}
    for key, mapped in sold.mapped.items():
        if isinstance(mapped, MappedOrder):
            codes = {normalise_code(line.item_code) for line in mapped.order.lines}
            if missing := codes - held.some(codes).keys():
                lacking[key] = missing

    assert lacking == {"order 75": {"BAL-POOT"}}


def test_what_exact_has_already_is_due_and_has_the_lines_exact_has(sold: Sold) -> None:
    there = [key for _, keys, done in listed() for key in keys if done.startswith("found")]
    held = OrderRepository(connect_erp(sold.settings.erp.database.get_secret_value()))
    references = {your_ref(order): number for number, order in sold.orders.items()}

    found = {
        f"order {references[reference]}": [order.ordered for order in orders]
        for reference, orders in held.by_docnumber(references.keys()).items()
    }

    assert found == {key: [_pieces(sold.document(key))] for key in there}
    assert set(there) <= {f"order {number}" for number in sold.due}


def test_what_is_not_paid_or_was_canceled_is_not_due(sold: Sold) -> None:
    skipped = [key for _, keys, done in listed() for key in keys if done.startswith("skipped: not due")]

    assert skipped == ["order 69", "order 70"]
    assert [f"order {number}" for number in sold.orders if number not in sold.due] == skipped
    assert all(isinstance(sold.mapped[key], MappedOrder) for key in skipped)


def test_the_shop_says_which_states_payment_modules_and_carriers_it_has(sold: Sold) -> None:
    database = ShopDatabase(sold.settings.shop.database.get_secret_value())
    facts = read_order_facts(database, "ps_", 1)
    database.dispose()

    assert facts.unreadable == []
    assert [state.id_order_state for state in facts.states or []] == [1, 2, 3, 4, 5, 6, 7, 8, 10]
    assert [module.name for module in facts.payment_modules or []] == [
        "ps_wirepayment",
        "ps_checkpayment",
        "ps_cashondelivery",
    ]
    assert [(one.id_reference, one.name) for one in facts.carriers or [] if one.active] == [
        (1, "PostNL"),
        (2, "Bpost"),
        (4, "DHL Paket"),
        (5, "Fietskoerier"),
    ]


def test_no_order_is_dated_in_the_future_however_early_the_demo_is_made(tmp_path: Path) -> None:
    configuration = make_demo(tmp_path / "demo", datetime(2026, 11, 21, 5, 0, tzinfo=UTC)).configuration
    with closing(sqlite3.connect(configuration.parent / "shop.db")) as shop:
        ordered = [row[0] for row in shop.execute("SELECT date_add FROM ps_orders")]
        ordered += [row[0] for row in shop.execute("SELECT date_add FROM ps_order_slip")]

    assert max(ordered) == "2026-11-21 06:00:00"
