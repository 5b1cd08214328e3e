"""What an administration's settings change, and when that makes every document another one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from brekzsync.errors import ConfigurationError
from brekzsync.exact.eexact.layout import Assortment, ItemLayout

LAYOUT = ItemLayout(currency="EUR", language_slots=(0,))

SAID_IN_EVERY_DOCUMENT: list[dict[str, Any]] = [
    {"currency": "CHF"},
    {"unit": "box"},
    {"special_price": "none"},
    {"special_price_list": "ACTION"},
    {"category_class": 2},
    {"brand_field": 3},
    {"brand_label": "Make"},
    {"language_slots": (0, 1)},
    {"flags": {"IsSalesItem": False, "IsStockItem": True}},
]
SAID_ONLY_WHEN_AN_ITEM_IS_MADE: list[dict[str, Any]] = [
    {"condition": "F"},
    {"assortment": Assortment(number=200)},
    {"flags": {"IsSalesItem": True, "IsStockItem": False}},
    {"flags": {"IsSalesItem": True, "IsStockItem": True, "IsBatchItem": True}},
]


@pytest.mark.parametrize("change", SAID_IN_EVERY_DOCUMENT)
def test_a_setting_every_document_says_changes_the_digest(change: dict[str, Any]) -> None:
    assert replace(LAYOUT, **change).digest() != LAYOUT.digest()


@pytest.mark.parametrize("change", SAID_ONLY_WHEN_AN_ITEM_IS_MADE)
def test_a_setting_only_new_items_say_changes_the_digest_only_where_we_own_it(change: dict[str, Any]) -> None:
    owned = replace(LAYOUT, ownership="always")

    assert replace(LAYOUT, **change).digest() == LAYOUT.digest()
    assert replace(owned, **change).digest() != owned.digest()


def test_the_price_list_means_nothing_where_no_special_price_is_sent() -> None:
    silent = replace(LAYOUT, special_price="none")

    assert replace(silent, special_price_list="ACTION", unit="box").digest() == silent.digest()


def test_the_digest_is_the_same_in_every_process_and_short_enough_for_a_hash_key() -> None:
    written = {"IsStockItem": True, "IsSalesItem": True}  # another order, and the default values

    assert replace(LAYOUT, flags=written).digest() == LAYOUT.digest()
    assert len(LAYOUT.digest()) == 16


def test_flags_come_in_the_order_of_the_schema_whatever_order_they_were_written_in() -> None:
    layout = replace(LAYOUT, flags={"IsStockItem": True, "IsSalesItem": False, "IsPurchaseItem": False})

    assert layout.owned_flags() == [("IsPurchaseItem", False), ("IsStockItem", True)]
    assert not layout.is_sales_item


def test_a_flag_exact_does_not_have_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="IsStokItem") as raised:
        replace(LAYOUT, flags={"IsStokItem": True})

    assert "IsStockItem" in raised.value.hint


def test_a_condition_exact_does_not_know_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="'X'"):
        replace(LAYOUT, condition="X")
