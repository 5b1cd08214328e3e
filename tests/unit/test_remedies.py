"""What to do about it, in the order to do it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from brekzsync.domain.diagnosis import Bundle, Change, ErpState, Flag, Step, SyncState
from brekzsync.domain.eligibility import CLEAR, Criterion
from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.products import Refusal
from brekzsync.domain.remedies import awaiting, despite_changed_code, in_the_erp, mending, sending, unblocking

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SEND = Step("The next run sends it; to send it at once:", "products export 2-202")
PULLED = Step("Exact gets it with its next pull (brekzsync serve).")
HELD = ErpItem("A-1", "Tas", None, None, None, "A", True)


def told(steps: Sequence[Step]) -> list[tuple[str, str]]:
    return [(step.text, step.command) for step in steps]


# --- what blocks -------------------------------------------------------------------------------------------


def unblocked(*failed: Criterion, key: str = "2-202", **facts: Any) -> list[tuple[str, str]]:
    standing = CLEAR._replace(**facts.pop("standing", {}))
    whole = {"flag": None, "column": "product.no_erp", "bundles": [], "data_shop": "NL"} | facts
    return told(unblocking(key, failed, standing, **whole))


@pytest.mark.parametrize(
    ("covers", "reference", "step"),
    [
        ("2-202", None, ("Include it again.", "products include 2-202")),
        ("2-203", "HB", ("Include it again.", "products include 2-202")),
        ("2", None, ("Include product 2 again.", "products include 2")),
    ],
)
def test_what_a_person_excluded_is_included_again(
    covers: str, reference: str | None, step: tuple[str, str]
) -> None:
    flag = Flag(covers, reference, "", "ann", AT)
    assert unblocked(Criterion.NOT_EXCLUDED, flag=flag) == [step]


def test_including_is_no_matter_of_one_target() -> None:
    flag = Flag("2", None, "", "ann", AT)
    steps = unblocking(
        "2-202", [Criterion.NOT_EXCLUDED], CLEAR, flag=flag, column="", bundles=[], data_shop="NL"
    )
    assert [step.of_target for step in steps] == [False]


def test_a_person_and_a_column_are_two_steps() -> None:
    flag = Flag("2-202", None, "", "ann", AT)
    assert unblocked(Criterion.NOT_EXCLUDED, flag=flag, standing={"excluded_by_column": True}) == [
        ("Include it again.", "products include 2-202"),
        ("Clear product.no_erp of 2-202 in the shop.", ""),
    ]


def test_it_is_taken_out_of_every_pack() -> None:
    bundles = [Bundle(4, "Pakket"), Bundle(5, "Doos"), Bundle(6, "")]
    ((text, _),) = unblocked(Criterion.NOT_BUNDLE_COMPONENT, bundles=bundles)
    assert text == (
        "Take it out of packs 4, 5 and 6 in the shop's back office, or let components be sold on their own:"
        ' bundle_components = "export" under [products].'
    )


@pytest.mark.parametrize(
    ("standing", "texts"),
    [
        ({"active": False}, ["Switch product 2 on in shop NL in the back office."]),
        (
            {"in_data_shop": False, "active": False},
            ["Add 2-202 to shop NL in the back office (multistore, product page)."],
        ),
        (
            {"finished": False},
            ["Save product 2 in the shop's back office, so that it is no longer a draft."],
        ),
        (
            {"finished": False, "active": False},
            [
                "Save product 2 in the shop's back office, so that it is no longer a draft.",
                "Switch product 2 on in shop NL in the back office.",
            ],
        ),
    ],
)
def test_it_is_made_active(standing: dict[str, bool], texts: list[str]) -> None:
    assert unblocked(Criterion.ACTIVE_IN_DATA_SHOP, standing=standing) == [(text, "") for text in texts]


def test_what_the_erp_has_already_blocks_nothing() -> None:
    assert unblocked(Criterion.UPDATED) == []


# --- what is missing, and what waits -----------------------------------------------------------------------


def test_what_is_missing_is_mended_by_what_its_reason_says() -> None:
    assert told(mending([Refusal("missing_price", "Set a price."), Refusal("x", "And y.")])) == [
        ("Set a price.", ""),
        ("And y.", ""),
    ]


def test_what_is_pending_is_sent_or_pulled() -> None:
    assert awaiting("2-202", SyncState(), flow_is_on=True, sends_files=True) == [SEND]
    assert awaiting("2-202", SyncState(), flow_is_on=True, sends_files=False) == [PULLED]
    assert sending("2-202", flow_is_on=True, sends_files=True) == [SEND]


def test_what_waits_is_tried_at_once_and_the_flow_switched_on() -> None:
    sync = SyncState(status="failed", next_attempt_at=AT)
    assert told(awaiting("2-202", sync, flow_is_on=False, sends_files=True)) == [
        ("It is tried again after 2026-11-21 12:00 UTC; to try at once:", "logs retry 2-202"),
        ("Switch the flow on again.", "flows enable product"),
        tuple(SEND[:2]),
    ]


@pytest.mark.parametrize("flow_is_on", [True, False])
def test_what_is_in_flight_needs_nothing(flow_is_on: bool) -> None:
    (step,) = awaiting("2-202", SyncState("pending", "in_flight"), flow_is_on=flow_is_on, sends_files=True)
    assert (step.text, step.command) == (
        "Exact has been given it; its result is awaited, and it is offered again without one.",
        "",
    )


def test_what_is_forced_needs_the_flow_switched_on_too() -> None:
    refusal = Refusal("item_code_changed", "Changed.")
    for steps in (
        despite_changed_code("2-202", refusal, flow_is_on=False, sends_files=True),
        in_the_erp("2-202", ErpState(False, ""), "", flow_is_on=False, sends_files=True),
    ):
        assert [step.command for step in steps] == [
            "products force-sync 2-202",
            "flows enable product",
            "products export 2-202",
        ]


def test_a_changed_code_is_forced_and_then_sent() -> None:
    refusal = Refusal("item_code_changed", "The item code was 'A' and is now 'B'.")
    assert told(despite_changed_code("2-202", refusal, flow_is_on=True, sends_files=True)) == [
        (
            "The item code was 'A' and is now 'B'. To let Exact get the new code as a new item:",
            "products force-sync 2-202",
        ),
        tuple(SEND[:2]),
    ]


# --- what the ERP does with it -----------------------------------------------------------------------------

PRICE = (Change("price", "9", "10"),)
LACKS = ("Exact was sent it and lacks it: send it again.", "products force-sync 2-202")
DIFFERS = ("Exact acknowledged it and holds it differently: send it again.", "products force-sync 2-202")
CONDITION = ("Set the item's condition to active in Exact Globe.", "")
UNREAD = ("Let Exact import outbox/2-202.xml: it lies there unread.", "")


@pytest.mark.parametrize(
    ("erp", "unread", "steps"),
    [
        (ErpState(None, ""), "", []),
        (ErpState(None, ""), "outbox/2-202.xml", []),
        (ErpState(True, "", HELD), "", []),
        (ErpState(True, "", HELD), "outbox/2-202.xml", []),
        (ErpState(True, "", HELD._replace(condition="B")), "", [CONDITION]),
        (ErpState(True, "", HELD._replace(condition=None)), "", []),
        (ErpState(False, ""), "", [LACKS, tuple(SEND[:2])]),
        (ErpState(False, ""), "outbox/2-202.xml", [UNREAD]),
        (ErpState(True, "", HELD, PRICE), "", [DIFFERS, tuple(SEND[:2])]),
        (ErpState(True, "", HELD, PRICE), "outbox/2-202.xml", [UNREAD]),
        (
            ErpState(True, "", HELD._replace(condition="B"), PRICE),
            "",
            [CONDITION, DIFFERS, tuple(SEND[:2])],
        ),
        (ErpState(True, "", HELD._replace(condition="B"), PRICE), "outbox/2-202.xml", [CONDITION, UNREAD]),
    ],
)
def test_what_is_in_sync_needs_something_only_where_the_erp_holds_it_otherwise(
    erp: ErpState, unread: str, steps: list[tuple[str, str]]
) -> None:
    assert told(in_the_erp("2-202", erp, unread, flow_is_on=True, sends_files=True)) == steps
