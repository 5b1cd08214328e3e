"""How the ERP's figures become what a shop may show, and when a look is not to be believed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brekzsync.domain.stock import (
    LARGEST,
    MEANINGS,
    Census,
    ErpStockItem,
    Finding,
    Parts,
    StockRules,
    quantity_for_shop,
    why_implausible,
    why_left_alone,
)

WHOLE = StockRules(Decimal(1), "floor", "zero")


def test_what_is_sold_and_not_received_and_kept_back_is_taken_off() -> None:
    parts = Parts(on_hand=Decimal(20), open_sales=Decimal(4), unreceived=3, margin=2)
    assert quantity_for_shop(parts, WHOLE) == 11


@pytest.mark.parametrize(
    ("on_hand", "rules", "expected"),
    [
        ("3.75", WHOLE, 3),
        ("3.5", StockRules(Decimal(1), "half_up", "zero"), 4),
        ("3.4", StockRules(Decimal(1), "half_up", "zero"), 3),
        ("3.001", StockRules(Decimal(1), "refuse", "zero"), Finding.FRACTION),
        ("3.000", StockRules(Decimal(1), "refuse", "zero"), 3),
        ("-2", WHOLE, 0),
        ("-2", StockRules(Decimal(1), "floor", "keep"), -2),
        ("-2.5", StockRules(Decimal(1), "floor", "keep"), -3),
        ("7", StockRules(Decimal("0.5"), "floor", "zero"), 3),
        ("7", StockRules(Decimal("0.5"), "refuse", "zero"), 3),
        (str(LARGEST), WHOLE, LARGEST),
        (str(LARGEST + 1), WHOLE, Finding.TOO_LARGE),
    ],
)
def test_fractions_shares_and_negatives_follow_the_policy(
    on_hand: str, rules: StockRules, expected: int | Finding
) -> None:
    assert quantity_for_shop(Parts(Decimal(on_hand), Decimal(0), 0, 0), rules) == expected


@given(
    on_hand=st.integers(-(10**6), 10**6),
    open_sales=st.integers(0, 10**4),
    unreceived=st.integers(0, 10**3),
    margin=st.integers(0, 100),
    negatives=st.sampled_from(["zero", "keep"]),
    fractions=st.sampled_from(["floor", "half_up", "refuse"]),
)
def test_whole_numbers_and_decimals_of_the_same_value_come_to_the_same(
    on_hand: int, open_sales: int, unreceived: int, margin: int, negatives: str, fractions: str
) -> None:
    rules = StockRules(Decimal(1), fractions, negatives)
    whole = quantity_for_shop(Parts(on_hand, open_sales, unreceived, margin), rules)
    assert whole == quantity_for_shop(Parts(Decimal(on_hand), Decimal(open_sales), unreceived, margin), rules)
    assert isinstance(whole, int)
    assert whole <= max(on_hand - open_sales - unreceived - margin, 0)


@given(
    free=st.decimals(-1000, 1000, places=3),
    share=st.decimals(0, 1, places=2),
)
def test_cutting_off_never_shows_more_than_its_share(free: Decimal, share: Decimal) -> None:
    shown = quantity_for_shop(Parts(free, Decimal(0), 0, 0), StockRules(share, "floor", "zero"))
    assert isinstance(shown, int)
    assert 0 <= shown <= max(free * share, Decimal(0))


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (ErpStockItem("A", True, True, False, "S"), None),
        (ErpStockItem("A", True, None, None, "B"), None),  # an administration without these columns
        (ErpStockItem("A", True, False, False, "S"), Finding.NOT_A_STOCK_ITEM),
        (ErpStockItem("A", False, True, False, "S"), Finding.NOT_FOR_SALE),
        (ErpStockItem("A", None, True, False, "S"), Finding.NOT_FOR_SALE),
        (ErpStockItem("A", True, True, False, "L"), Finding.NOT_FOR_SALE),
        (ErpStockItem("A", True, True, True, "S"), Finding.KIT),
        (ErpStockItem("A", True, True, False, "P"), Finding.KIT),
    ],
)
def test_items_that_are_no_source_of_stock_are_left_alone(
    item: ErpStockItem, expected: Finding | None
) -> None:
    assert why_left_alone(item) is expected


@pytest.mark.parametrize(
    ("census", "before", "expected"),
    [
        (Census(100, 100, 30, 30), 100, None),
        (Census(100, 100, 31, 0), 100, "31 of 100 figures would change, which is more than 30 % of them."),
        (
            Census(100, 40, 0, 13),
            None,
            "13 of 40 figures would become zero, which is more than 30 % of them.",
        ),
        (Census(0, 0, 0, 0), None, "The ERP gave no items for sale at all."),
        (Census(49, 49, 0, 0), 100, "The ERP gave only 49 of the 100 items for sale of the last time."),
        (Census(50, 50, 0, 0), 100, None),
        (Census(5, 0, 0, 0), None, None),
    ],
)
def test_a_look_that_changes_too_much_is_not_believed(
    census: Census, before: int | None, expected: str | None
) -> None:
    assert why_implausible(census, Decimal("0.3"), before) == expected


def test_every_finding_can_be_told() -> None:
    assert set(MEANINGS) == set(Finding)
