"""The ERP's values: floats, padded texts, days of either form."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from brekzsync.exact.codes import Batch, batches, paddings
from brekzsync.exact.values import day, flag, price, quantity, text


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (0.1 + 0.2, "0.3000"),
        (2.00005, "2.0001"),
        (-0.00001, "0.0000"),
        (12, "12.0000"),
        (Decimal("1.23456"), "1.2346"),
        (1e22, "10000000000000000000000.0000"),
    ],
)
def test_a_price_is_read_as_a_person_reads_it(given: Any, read: str) -> None:
    assert str(price(given)) == read


def test_the_biggest_and_the_smallest_floats_are_read_too() -> None:
    assert quantity(1.7976931348623157e308) == Decimal("1.7976931348623157e308")
    assert str(quantity(5e-324)) == "0.000"


def test_no_price_is_none_and_no_quantity_is_zero() -> None:
    assert (price(None), quantity(None)) == (None, Decimal(0))


@pytest.mark.parametrize("given", ["", " ", "12,50", "on request", float("inf")])
def test_what_is_no_number_is_no_price(given: Any) -> None:
    assert price(given) is None


def test_texts_lose_the_blanks_on_either_side() -> None:
    assert [text(value) for value in ("   17", "1   ", None, 3, b"caf\xc3\xa9 ")] == [
        "17",
        "1",
        "",
        "3",
        "café",
    ]


def test_a_bit_is_true_false_or_unknown() -> None:
    assert [flag(value) for value in (1, 0, True, None, "1", "0")] == [True, False, True, None, True, False]


@pytest.mark.parametrize(
    "value",
    [datetime(2026, 11, 21, 23, 59), "2026-11-21", "2026-11-21 23:59:00.000"],  # noqa: DTZ001
)
def test_a_day_is_read_from_a_moment_or_from_text(value: Any) -> None:
    assert day(value) == date(2026, 11, 21)


def test_no_day_is_none() -> None:
    assert (day(None), day("")) == (None, None)


def test_codes_are_asked_for_once_in_each_spelling() -> None:
    assert list(batches([" a", "A ", "straße", "", " "])) == [
        Batch(frozenset({"A", "STRASSE"}), ["A", "STRASSE", "STRAßE"])
    ]


def test_no_code_is_asked_for_in_two_statements_however_it_is_spelled() -> None:
    """A server may find one row by both spellings, and its quantity would count twice."""
    codes = [*(f"C{number}" for number in range(499)), "ärmel", "D"]

    first, second = batches([*codes, "Ärmel"])

    assert (first.wanted, first.spellings) == (frozenset(codes[:499]), codes[:499])
    assert second == Batch(frozenset({"ÄRMEL", "D"}), ["ÄRMEL", "äRMEL", "D"])


def test_a_warehouse_of_full_width_has_one_form() -> None:
    assert paddings(["1", "9100"], 4) == ["1", "   1", "1   ", "9100"]
