"""The sentences of a diagnosis: the criteria with their evidence, what changed, what the ERP holds otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from brekzsync.domain.diagnosis import (
    Bundle,
    Change,
    CriterionState,
    Flag,
    Presence,
    active_in_data_shop,
    changes,
    erp_differences,
    not_bundle_component,
    not_excluded,
)
from brekzsync.domain.eligibility import CLEAR, Criterion
from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.items import Item, join_translations
from brekzsync.domain.moments import moment, moment_of

AT = datetime(2026, 11, 21, 12, 0, 59, tzinfo=UTC)
FLAG = Flag("2-202", None, "recalled", "ann", AT)
ITEM = Item("A-1", "Tas", "", "10.0000", "2", "21", "", "", "", "", "", "2900000100015", "", "", "")
HELD = ErpItem("A-1", "Tas", Decimal("10.0000"), "2", "2900000100015", "A", True)


# --- not_excluded ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "by_column", "detail"),
    [
        (None, False, "Nobody excluded it."),
        (FLAG, False, "It was excluded by ann on 2026-11-21 12:00 UTC: recalled."),
        (FLAG._replace(reason=""), False, "It was excluded by ann on 2026-11-21 12:00 UTC."),
        (FLAG._replace(by_whom="", reason=""), False, "It was excluded on 2026-11-21 12:00 UTC."),
        (
            FLAG._replace(covers="2"),
            False,
            "Product 2 was excluded whole by ann on 2026-11-21 12:00 UTC: recalled.",
        ),
        (
            FLAG._replace(covers="2-203", reference="HB"),
            False,
            "Its reference HB was excluded as 2-203 by ann on 2026-11-21 12:00 UTC: recalled.",
        ),
        (None, True, "The shop's column product.no_erp excludes it."),
        (
            FLAG,
            True,
            "It was excluded by ann on 2026-11-21 12:00 UTC: recalled."
            " The shop's column product.no_erp excludes it.",
        ),
    ],
)
def test_who_excluded_it_when_and_why(flag: Flag | None, by_column: bool, detail: str) -> None:
    state = not_excluded(CLEAR._replace(excluded_by_column=by_column), flag, "product.no_erp")
    assert state == CriterionState(Criterion.NOT_EXCLUDED, flag is None and not by_column, detail)


def test_a_reason_that_is_a_sentence_has_one_full_stop() -> None:
    state = not_excluded(CLEAR, FLAG._replace(reason="Recalled by the maker. "), "")
    assert state.detail == "It was excluded by ann on 2026-11-21 12:00 UTC: Recalled by the maker."


# --- not_bundle_component ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bundles", "exported_too", "passed", "detail"),
    [
        ([], False, True, "No bundle holds it."),
        ([], True, True, "No bundle holds it."),
        ([Bundle(4, "Pakket")], False, False, 'It is a component of bundle 4 "Pakket".'),
        (
            [Bundle(4, "Pakket"), Bundle(5, "Doos"), Bundle(6, "")],
            False,
            False,
            'It is a component of bundles 4 "Pakket", 5 "Doos" and 6.',
        ),
        (
            [Bundle(4, "Pakket")],
            True,
            True,
            'It is a component of bundle 4 "Pakket"; bundle_components = "export" lets it pass.',
        ),
    ],
)
def test_the_bundles_that_hold_it_are_named(
    bundles: list[Bundle], exported_too: bool, passed: bool, detail: str
) -> None:
    standing = CLEAR._replace(bundles=tuple(bundle.id_product for bundle in bundles))
    state = not_bundle_component(standing, bundles, exported_too=exported_too)
    assert state == CriterionState(Criterion.NOT_BUNDLE_COMPONENT, passed, detail)


# --- active_in_data_shop -----------------------------------------------------------------------------------

DRAFT = "It is a draft: never saved in the back office (ps_product.state is 0)."


@pytest.mark.parametrize(
    ("in_shop", "active", "finished", "active_in", "detail"),
    [
        (True, True, True, ("NL", "BE"), "It is active in shop NL."),
        (True, False, True, ("BE",), "It is not active in shop NL; it is active in BE."),
        (True, False, True, ("BE", "DE"), "It is not active in shop NL; it is active in BE and DE."),
        (
            True,
            False,
            True,
            ("BE", "DE", "FR"),
            "It is not active in shop NL; it is active in BE, DE and FR.",
        ),
        (True, False, True, (), "It is not active in shop NL; it is active in no other shop."),
        (False, False, True, ("BE",), "It is not in shop NL; it is active in BE."),
        (False, True, True, ("NL",), "It is not in shop NL; it is active in no other shop."),
        (True, True, False, ("NL",), DRAFT),
        (True, False, False, (), f"{DRAFT} It is not active in shop NL; it is active in no other shop."),
        (False, False, False, ("BE",), f"{DRAFT} It is not in shop NL; it is active in BE."),
    ],
)
def test_the_shops_where_it_is_active_are_named(
    in_shop: bool, active: bool, finished: bool, active_in: tuple[str, ...], detail: str
) -> None:
    standing = CLEAR._replace(in_data_shop=in_shop, active=active, finished=finished)
    state = active_in_data_shop(standing, Presence(("NL", *active_in), active_in), "NL")
    assert state == CriterionState(Criterion.ACTIVE_IN_DATA_SHOP, in_shop and active and finished, detail)


# --- what changed ------------------------------------------------------------------------------------------


def test_nothing_changed_is_nothing_to_tell() -> None:
    assert changes(ITEM, ITEM) == ()


def test_every_field_that_changed_is_told_old_and_new_by_the_names_people_know() -> None:
    after = ITEM._replace(code="A-2", price="9.0000", vat_code="1", gtin="", brand="Merk")
    assert changes(ITEM, after) == (
        Change("item_code", "A-1", "A-2"),
        Change("price", "10.0000", "9.0000"),
        Change("VAT code", "2", "1"),
        Change("brand", "", "Merk"),
        Change("ean13", "2900000100015", ""),
    )


def test_descriptions_of_several_languages_are_readable() -> None:
    before = ITEM._replace(translations=join_translations(["Tas", "Sac"]))
    after = ITEM._replace(translations=join_translations(["Tas", "Sac à main"]))
    assert changes(before, after) == (Change("translations", "Tas / Sac", "Tas / Sac à main"),)


# --- what the ERP holds otherwise --------------------------------------------------------------------------


def test_an_item_held_as_it_was_sent_does_not_differ() -> None:
    assert erp_differences(HELD, ITEM) == ()
    assert erp_differences(HELD._replace(price=Decimal(10)), ITEM) == ()


def test_every_field_the_erp_holds_otherwise_is_told() -> None:
    held = HELD._replace(description="Riem", price=Decimal("9.9500"), vat_code="1", gtin="")
    assert erp_differences(held, ITEM) == (
        Change("description", "Riem", "Tas"),
        Change("price", "9.95", "10"),
        Change("VAT code", "1", "2"),
        Change("ean13", "", "2900000100015"),
    )


def test_a_field_the_erp_does_not_tell_or_the_item_leaves_blank_is_passed_over() -> None:
    silent = ErpItem("A-1", None, None, None, None, None, None)
    assert erp_differences(silent, ITEM) == ()
    blank = ITEM._replace(description="", price="", vat_code="", gtin="")
    assert erp_differences(HELD, blank) == ()


@pytest.mark.parametrize(
    ("held", "sent", "same"),
    [
        ("???????? «???»", "Матрёшка «Кот»", True),
        ("Bal ?? stuiter", "Bal 🐾 stuiter", True),
        ("K?se", "Käse", True),
        ("Wat?", "Wat?", True),
        ("Wat?", "Watt", False),
        ("????", "Матрёшка", False),
        ("Tas ", "Tas", False),
        ("tas", "Tas", False),
    ],
)
def test_a_question_mark_stands_for_a_character_the_erps_code_page_lacks(
    held: str, sent: str, same: bool
) -> None:
    differences = erp_differences(HELD._replace(description=held), ITEM._replace(description=sent))
    assert differences == (() if same else (Change("description", held, sent),))


# --- times -------------------------------------------------------------------------------------------------


def test_times_are_told_in_utc_to_the_minute() -> None:
    assert moment(AT.astimezone(timezone(timedelta(hours=5)))) == "2026-11-21 12:00 UTC"
    assert moment_of(int(AT.timestamp() * 1000)) == "2026-11-21 12:00 UTC"
