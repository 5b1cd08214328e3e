"""One verdict, the reason in one line, and the remedy, from what was gathered of a combination."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from brekzsync.domain.diagnosis import (
    Bundle,
    Change,
    Diagnosis,
    ErpState,
    Flag,
    Presence,
    Step,
    SyncState,
)
from brekzsync.domain.eligibility import CLEAR, Criterion
from brekzsync.domain.ledger import IN_DOUBT, LedgerEntry
from brekzsync.domain.moments import moment_of
from brekzsync.domain.products import Combination, ItemMapper, Refusal
from brekzsync.domain.verdicts import Case, Policy, diagnose, unknown
from tests.catalogues import RULES, combination

POLICY = Policy(
    data_shop="NL",
    exclude_column="product.no_erp",
    bundle_components_too=False,
    sends_files=True,
    flow_is_on=True,
)
KEY = (1, 2)
SYNCED = 1_795_262_400_000  # 2026-11-21 12:00 UTC
ENTRY = LedgerEntry(
    *KEY, b"d", b"f", 0, 0, "synced", None, None, None, 1, "C1-2", 0, SYNCED, SYNCED, SYNCED, None
)
DUPLICATE = Refusal("duplicate_item_code", "It is that of 3-0.")
CHANGED_CODE = Refusal("item_code_changed", "The code changed.")
NO_PRICE = (
    "The price excl. tax is 0: set a price above zero in the data shop"
    " (or products.allow_zero_price for free items)."
)
SEND = "products export 1-2"


def item(one: Combination) -> Any:
    return ItemMapper(RULES).examine(one).item


def case(one: Combination | None = None, **facts: Any) -> Case:
    """A complete combination that nothing is known of, but for ``facts``."""
    one = one or combination(KEY)
    whole: dict[str, Any] = {
        "key": KEY,
        "combination": one,
        "examined": ItemMapper(RULES).examine(one),
        "standing": CLEAR,
        "failed": [],
        "flag": None,
        "bundles": [],
        "presence": Presence(("NL",), ("NL",)),
        "entry": None,
        "before": None,
        "differs": True,
        "duplicate": None,
        "held_code": None,
        "sync": SyncState(),
        "erp": ErpState(None, "unknown: nobody asked"),
        "unread": "",
    }
    return Case(**whole | facts)


def told(found: Diagnosis) -> tuple[str, str]:
    return str(found.verdict), found.why


def updated(**facts: Any) -> tuple[bool, str]:
    """The third criterion."""
    state = diagnose(case(**facts), POLICY).criteria[2]
    return state.passed, state.detail


# --- which verdict -----------------------------------------------------------------------------------------

INACTIVE = {"standing": CLEAR._replace(active=False), "failed": [Criterion.ACTIVE_IN_DATA_SHOP]}
HAS_NO_PRICE = combination(KEY, price="0")


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (case(), "pending"),
        (case(entry=ENTRY, before=item(combination(KEY)), differs=False), "in_sync"),
        (case(**INACTIVE), "blocked"),
        (case(HAS_NO_PRICE), "incomplete"),
        (case(duplicate=DUPLICATE), "incomplete"),
        (case(held_code=CHANGED_CODE), "blocked"),
        (case(HAS_NO_PRICE, **INACTIVE), "blocked"),
        (case(**INACTIVE, entry=ENTRY, differs=False), "blocked"),
        (case(HAS_NO_PRICE, entry=ENTRY, differs=False), "incomplete"),
    ],
)
def test_what_blocks_comes_first_then_what_is_missing_then_what_differs(given: Case, verdict: str) -> None:
    assert diagnose(given, POLICY).verdict == verdict


def test_the_four_criteria_are_always_all_told_in_their_order() -> None:
    for given in (case(), case(**INACTIVE), case(HAS_NO_PRICE)):
        assert [state.code for state in diagnose(given, POLICY).criteria] == list(Criterion)


# --- why ---------------------------------------------------------------------------------------------------


def test_every_criterion_that_fails_is_a_sentence_of_the_reason() -> None:
    given = case(
        standing=CLEAR._replace(active=False, bundles=(4,)),
        failed=[Criterion.NOT_BUNDLE_COMPONENT, Criterion.ACTIVE_IN_DATA_SHOP],
        bundles=[Bundle(4, "Pakket")],
        presence=Presence(("NL", "BE"), ("BE",)),
    )
    assert told(diagnose(given, POLICY)) == (
        "blocked",
        'It is a component of bundle 4 "Pakket". It is not active in shop NL; it is active in BE.',
    )


def test_every_field_that_is_missing_is_a_sentence_of_the_reason() -> None:
    given = case(combination(KEY, price="0")._replace(reference=""))
    assert told(diagnose(given, POLICY)) == (
        "incomplete",
        f"The item code is empty: fill in reference of the combination or its product. {NO_PRICE}",
    )


def test_a_changed_code_and_a_duplicate_are_told_by_their_own_sentences() -> None:
    assert told(diagnose(case(held_code=CHANGED_CODE), POLICY)) == ("blocked", "The code changed.")
    assert told(diagnose(case(duplicate=DUPLICATE), POLICY)) == ("incomplete", "It is that of 3-0.")


def test_what_a_shop_it_is_not_in_does_not_tell_need_not_be_filled_in() -> None:
    absent = case(
        combination(KEY, price="0", name="")._replace(reference=""),
        standing=CLEAR._replace(in_data_shop=False, active=False),
        failed=[Criterion.ACTIVE_IN_DATA_SHOP],
    )
    found = diagnose(absent, POLICY)
    assert {field.name: field.note for field in found.fields if field.required} == {
        "item_code": "The item code is empty: fill in reference of the combination or its product.",
        "description": "NL tells none: it is not in that shop.",
        "price": "NL tells none: it is not in that shop.",
    }
    assert [step.text for step in found.steps] == [
        "Add 1-2 to shop NL in the back office (multistore, product page).",
        "The item code is empty: fill in reference of the combination or its product.",
        "The next run sends it; to send it at once:",
    ]


# --- updated -----------------------------------------------------------------------------------------------

SINCE = "2026-11-21 12:00 UTC"
BEFORE = item(combination(KEY))


def test_the_time_of_these_tests_is_what_they_say() -> None:
    assert moment_of(SYNCED) == SINCE


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, (True, "The ERP never acknowledged it.")),
        (
            {"entry": ENTRY._replace(fingerprint=None, status="pending", reason="queued", synced_at=None)},
            (True, "The ERP never acknowledged it."),
        ),
        (
            {"entry": ENTRY._replace(fingerprint=None, reason="became_not_excluded")},
            (True, f"The ERP acknowledged it once; that ended on {SINCE} (became_not_excluded)."),
        ),
        (
            {"entry": ENTRY._replace(fingerprint=None, force_requested=1)},
            (True, "force-sync asked for it, and the ERP has not acknowledged it yet."),
        ),
        (
            {"entry": ENTRY._replace(force_requested=1), "before": BEFORE},
            (True, "force-sync asked for it: it is sent again whatever the ledger says."),
        ),
        (
            {"entry": ENTRY._replace(fingerprint=IN_DOUBT), "before": BEFORE},
            (True, "A run broke off while it was on its way: it is sent again to be sure."),
        ),
        (
            {"entry": ENTRY, "before": BEFORE, "differs": False},
            (False, f"The ERP acknowledged it as it is on {SINCE}."),
        ),
        (
            {"entry": ENTRY._replace(synced_at=None), "before": BEFORE, "differs": False},
            (False, "The ERP acknowledged it as it is on an unknown time."),
        ),
        (
            {"entry": ENTRY, "before": BEFORE._replace(price="9", gtin="1")},
            (True, f"Changed since the ERP acknowledged it on {SINCE}: price, ean13."),
        ),
        (
            {"entry": ENTRY, "before": BEFORE},
            (
                True,
                f"Saved again in the shop since {SINCE}, or the document settings changed; no field differs.",
            ),
        ),
        (
            {"one": HAS_NO_PRICE, "entry": ENTRY, "before": BEFORE},
            (True, f"The shop's row changed since the ERP acknowledged it on {SINCE}."),
        ),
    ],
)
def test_why_it_is_due_or_not(facts: dict[str, Any], expected: tuple[bool, str]) -> None:
    assert updated(**facts) == expected


def test_what_changed_is_told_unless_there_can_be_no_item() -> None:
    before = BEFORE._replace(price="9")
    assert diagnose(case(entry=ENTRY, before=before), POLICY).changes == (Change("price", "9", "10.0000"),)
    assert diagnose(case(HAS_NO_PRICE, entry=ENTRY, before=before), POLICY).changes == ()


def test_what_is_in_sync_says_what_the_erp_holds_where_that_is_known() -> None:
    facts: dict[str, Any] = {"entry": ENTRY, "before": BEFORE, "differs": False}
    acknowledged = f"The ERP acknowledged it as it is on {SINCE}."
    assert told(diagnose(case(**facts), POLICY)) == ("in_sync", acknowledged)
    held = ErpState(False, "Exact has no item C1-2.")
    assert told(diagnose(case(**facts, erp=held), POLICY)) == (
        "in_sync",
        f"{acknowledged} Exact has no item C1-2.",
    )


# --- the remedy --------------------------------------------------------------------------------------------


def commands(given: Case, **policy: Any) -> list[str]:
    return [step.command or step.text for step in diagnose(given, POLICY._replace(**policy)).steps]


def test_the_steps_come_in_the_order_to_take_them() -> None:
    given = case(
        HAS_NO_PRICE,
        standing=CLEAR._replace(active=False),
        failed=[Criterion.NOT_EXCLUDED, Criterion.ACTIVE_IN_DATA_SHOP],
        flag=Flag("1", None, "", "ann", datetime(2026, 11, 21, tzinfo=UTC)),
    )
    assert commands(given, flow_is_on=False) == [
        "products include 1",
        "Switch product 1 on in shop NL in the back office.",
        NO_PRICE,
        "flows enable product",
        SEND,
    ]


def test_a_blocked_item_with_a_changed_code_is_unblocked_and_forced() -> None:
    assert commands(case(**INACTIVE, held_code=CHANGED_CODE)) == [
        "Switch product 1 on in shop NL in the back office.",
        "products force-sync 1-2",
        SEND,
    ]


def test_a_target_that_pulls_is_sent_no_files() -> None:
    assert commands(case(), sends_files=False) == ["Exact gets it with its next pull (brekzsync serve)."]


def test_what_is_in_sync_needs_nothing() -> None:
    assert commands(case(entry=ENTRY, before=BEFORE, differs=False)) == []


def test_an_unknown_id_is_all_blank_but_for_its_sentence_and_step() -> None:
    found = unknown("99", "There is none.", [Step("", "products diagnose 9")])
    assert (found.key, *told(found), found.steps) == (
        "99",
        "unknown",
        "There is none.",
        (Step("", "products diagnose 9"),),
    )
    assert (found.criteria, found.fields, found.changes, found.sync, found.erp.present) == (
        (),
        (),
        (),
        SyncState(),
        None,
    )
