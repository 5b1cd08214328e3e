"""Orders as the state keeps them: what comes back, and what counts as a change."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brekzsync.domain.orders.mapping import MappedOrder, map_order
from brekzsync.domain.orders.sales_orders import LineKind, SalesOrder
from brekzsync.domain.orders.shop_orders import ShopOrder, ShopSlip
from brekzsync.domain.orders.stored import (
    StoredOrder,
    changed_parts,
    digest_of_order,
    digest_of_slip,
    fingerprint_of,
)
from tests.shop_orders import CUSTOMER, OFFICE, RULES, Bought, order_of, slip_of

ORDER = order_of(
    [Bought(Decimal("16.4876"), 2, Decimal(21)), Bought(Decimal("3.50"), 1, Decimal(9))],
    shipping=Decimal("4.09"),
)
SLIP = slip_of(ORDER, {1: (1, Decimal("19.95"))})


def mapped(order: ShopOrder) -> SalesOrder:
    found = map_order(order, RULES)
    assert isinstance(found, MappedOrder), found
    return found.order


def changed(record: Any, **fields: Any) -> Any:
    """The record with other fields."""
    return record._replace(**fields) if hasattr(record, "_replace") else replace(record, **fields)


# --- what comes back ----------------------------------------------------------------------------------------

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
money = st.decimals(-9999, 9999, places=4)
bought = st.builds(
    Bought,
    price=st.decimals("0.01", 500, places=4),
    quantity=st.integers(1, 20),
    rate=st.sampled_from([Decimal(21), Decimal(9), Decimal(0)]),
    reference=st.just("LL-NW-RD-M"),
)


@given(
    bought=st.lists(bought, min_size=1, max_size=4),
    shipping=st.sampled_from([Decimal(0), Decimal("4.09")]),
    names=st.tuples(texts, texts, texts),
    has_account=st.booleans(),
    id_customer=st.integers(0, 10**9),
)
def test_an_order_comes_back_as_it_was_kept(
    bought: list[Bought],
    shipping: Decimal,
    names: tuple[str, str, str],
    has_account: bool,
    id_customer: int,
) -> None:
    order = mapped(order_of(bought, shipping=shipping))
    order = order._replace(
        deliver_to=order.deliver_to._replace(name=names[0], city=names[1]), description=names[2]
    )
    if not has_account:
        order = order._replace(account=None)
    kept = StoredOrder(order, id_customer)

    back = StoredOrder.from_stored(kept.stored())

    assert back == kept
    assert [type(line.kind) for line in back.order.lines] == [LineKind] * len(order.lines)
    assert [str(line.price) for line in back.order.lines] == [str(line.price) for line in order.lines]
    assert fingerprint_of(back.stored()) == fingerprint_of(kept.stored())


def test_what_a_later_release_adds_is_ignored_and_what_it_drops_is_blank() -> None:
    document = json.loads(StoredOrder(mapped(ORDER), 42).stored())
    document |= {"colour": "red", "lines": []}
    del document["selection"], document["account"], document["invoice_to"]

    back = StoredOrder.from_stored(json.dumps(document)).order

    assert (back.your_ref, back.selection, back.account, back.invoice_to.city) == (
        "XKBKNABJK-7",
        "",
        None,
        "",
    )


@pytest.mark.parametrize(
    "line",
    [{}, {"kind": "tip"}, {"kind": "product", "quantity": 1}, {"kind": "product", "quantity": "many"}],
)
def test_a_line_that_is_none_is_told_as_such(line: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        StoredOrder.from_stored(json.dumps({"lines": [line]}))


def test_nothing_is_an_order_with_nothing_in_it() -> None:
    assert StoredOrder.from_stored("{}").order.your_ref == ""


# --- what counts as a change --------------------------------------------------------------------------------

LINE = ORDER.lines[0]
Changed = Callable[[ShopOrder], ShopOrder]
CHANGES: dict[str, Changed] = {
    "another address": lambda order: changed(order, delivery=OFFICE),
    "another house number": lambda order: changed(
        order, invoice=changed(order.invoice, line1="Dorpsstraat 6")
    ),
    "another customer": lambda order: changed(order, customer=changed(CUSTOMER, id_customer=43)),
    "no customer": lambda order: changed(order, customer=None),
    "another carrier": lambda order: changed(order, carrier=changed(order.carrier, id_reference=3)),
    "another payment": lambda order: changed(order, payment_module="ps_checkpayment"),
    "another currency": lambda order: changed(order, currency="SEK"),
    "a line less": lambda order: changed(order, lines=order.lines[1:]),
    "lines in another order": lambda order: changed(order, lines=order.lines[::-1]),
    "another quantity": lambda order: changed(order, lines=(changed(LINE, quantity=3), *order.lines[1:])),
    "another total": lambda order: changed(order, paid=changed(order.paid, incl=order.paid.incl + 1)),
    "no shipping costs": lambda order: changed(order, shipping=changed(order.shipping, excl=Decimal(0))),
    "another reference": lambda order: changed(order, reference="AAAAAAAAA"),
}
NO_CHANGES: dict[str, Changed] = {
    "another state": lambda order: changed(order, current_state=4),
    "saved again": lambda order: changed(order, updated_at=order.updated_at + timedelta(days=1)),
    "a new email address": lambda order: changed(order, customer=changed(CUSTOMER, email="new@example.com")),
    "a carrier renamed": lambda order: changed(order, carrier=changed(order.carrier, name="PostNL 2")),
    "zeros at the end of an amount": lambda order: changed(
        order, paid=changed(order.paid, incl=order.paid.incl.quantize(Decimal("0.000000001")))
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_exact_is_told_is_a_change(change: Changed) -> None:
    assert digest_of_order(change(ORDER)) != digest_of_order(ORDER)


@pytest.mark.parametrize("change", NO_CHANGES.values(), ids=NO_CHANGES.keys())
def test_what_moves_all_day_is_no_change(change: Changed) -> None:
    assert digest_of_order(change(ORDER)) == digest_of_order(ORDER)


def test_a_slip_changes_with_what_it_gives_back_not_with_its_order() -> None:
    def digest(**fields: Any) -> bytes:
        slip: ShopSlip = changed(SLIP, **fields)
        return digest_of_slip(slip)

    assert digest(amount=SLIP.amount + 1) != digest()
    assert digest(lines=(changed(SLIP.lines[0], quantity=2),)) != digest()
    assert digest(products=None) != digest()
    assert digest(order=changed(ORDER, delivery=OFFICE, current_state=7)) == digest()


def test_what_differs_is_named_as_people_call_it() -> None:
    now = mapped(changed(ORDER, delivery=OFFICE, payment_module="ps_wirepayment", lines=ORDER.lines))

    assert changed_parts(mapped(ORDER), mapped(ORDER)) == []
    assert changed_parts(mapped(ORDER), now) == ["delivery address"]
    assert changed_parts(mapped(ORDER), mapped(ORDER)._replace(account=None, lines=(), debtor="1")) == [
        "lines",
        "debtor",
    ]
