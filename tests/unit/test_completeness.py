"""Which fields of an item are there, which are missing, and what became of them on the way."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from brekzsync.domain.completeness import FieldState, fields_of
from brekzsync.domain.products import Combination, ItemMapper, Refusal
from tests.catalogues import RULES, combination

NO_PRICE = "set a price above zero in the data shop (or products.allow_zero_price for free items)."


def fields(one: Combination, *more: Refusal) -> dict[str, FieldState]:
    examined = ItemMapper(RULES).examine(one)
    return {field.name: field for field in fields_of(one, examined, examined.refusals + more)}


def of_product(one: Combination, **values: Any) -> Combination:
    return one._replace(product=one.product._replace(**values))


def test_required_fields_come_first_and_a_full_item_lacks_none() -> None:
    one = of_product(
        combination((1, 2), "A", special_price=Decimal(8), special_from="2026-11-01", special_until=""),
        id_category=10,
        category="Honden",
        brand="Merk",
        tax_rate=Decimal("21.000"),
    )._replace(ean13="2900000100015", weight=Decimal("0.250"), id_image=7)
    told = fields(one)
    assert [
        (field.name, field.required, field.status, field.value, field.note) for field in told.values()
    ] == [
        ("item_code", True, "ok", "A", ""),
        ("description", True, "ok", "Tas", ""),
        ("price", True, "ok", "10.0000", ""),
        ("category", False, "ok", "Honden (10)", ""),
        ("brand", False, "ok", "Merk", ""),
        ("special_price", False, "ok", "8.0000 from 2026-11-01", ""),
        ("image", False, "ok", "7.jpg", ""),
        ("tax_rate", False, "ok", "21 (VAT code 2)", ""),
        ("ean13", False, "ok", "2900000100015", ""),
        ("weight", False, "ok", "0.25", ""),
    ]


def test_an_optional_field_that_is_blank_is_missing_without_a_note() -> None:
    told = fields(combination((1, 2), "A"))
    assert {
        name: (field.status, field.note) for name, field in told.items() if not field.required
    } == dict.fromkeys(
        ("category", "brand", "special_price", "image", "tax_rate", "ean13", "weight"), ("missing", "")
    )


@pytest.mark.parametrize(
    ("one", "name", "value", "note"),
    [
        (combination((1, 2), price="0"), "price", "0", f"The price excl. tax is 0: {NO_PRICE}"),
        (
            combination((1, 2), price="0.00001"),
            "price",
            "0.00001",
            f"The price excl. tax is 0.00001: {NO_PRICE}",
        ),
        (combination((1, 2), price="-1"), "price", "-1", f"The price excl. tax is -1: {NO_PRICE}"),
        (
            combination((1, 2), name=""),
            "description",
            "",
            "The product has no name in any language: give it a name in the data shop.",
        ),
        (
            combination((1, 2))._replace(reference=""),
            "item_code",
            "",
            "The item code is empty: fill in reference of the combination or its product.",
        ),
        (
            combination((1, 2), "X" * 31),
            "item_code",
            "X" * 31,
            f"The item code '{'X' * 31}' has 31 characters; Exact Globe takes 30: shorten reference.",
        ),
    ],
)
def test_a_required_field_that_cannot_go_is_missing_with_its_value_and_the_reason(
    one: Combination, name: str, value: str, note: str
) -> None:
    told = fields(one)[name]
    assert (told.status, told.value, told.note) == ("missing", value, note)


def test_every_missing_field_is_told_at_once() -> None:
    told = fields(combination((1, 2), price="0", name="")._replace(reference=""))
    assert [field.name for field in told.values() if field.required and field.status == "missing"] == [
        "item_code",
        "description",
        "price",
    ]


def test_a_code_that_another_has_is_missing() -> None:
    told = fields(combination((1, 2), "A"), Refusal("duplicate_item_code", "It is that of 3-0."))["item_code"]
    assert (told.status, told.value, told.note) == ("missing", "A", "It is that of 3-0.")


def test_what_became_of_a_field_on_the_way_is_noted() -> None:
    told = fields(of_product(combination((1, 2), name="x" * 80), tax_rate=Decimal("13.000")))
    assert (told["description"].status, told["description"].note) == ("ok", "cut at 60 characters")
    assert (told["tax_rate"].status, told["tax_rate"].note) == (
        "missing",
        "13 % has no VAT code ([exact_xml.vat_codes])",
    )


@pytest.mark.parametrize(
    ("first", "last", "value"),
    [
        ("", "", "8.0000"),
        ("2026-11-01", "", "8.0000 from 2026-11-01"),
        ("", "2026-11-30", "8.0000 until 2026-11-30"),
        ("2026-11-01", "2026-11-30", "8.0000 from 2026-11-01 until 2026-11-30"),
    ],
)
def test_a_special_price_tells_its_days(first: str, last: str, value: str) -> None:
    one = combination((1, 2), special_price=Decimal(8), special_from=first, special_until=last)
    assert fields(one)["special_price"].value == value
