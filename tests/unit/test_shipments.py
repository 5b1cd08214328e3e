"""What a delivery means for an order: how much it was, which state it brings, which tracking number."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brekzsync.domain.erp_deliveries import DeliveryNote, ErpShipment
from brekzsync.domain.shipments import (
    Extent,
    Shipment,
    ShipmentReason,
    ShipmentRules,
    ShippedOrder,
    StatePlan,
    TrackingPlan,
    id_order_of,
    plan_state,
    plan_tracking,
    shipment_of,
)

RULES = ShipmentRules(4, 10, frozenset({4, 5, 6, 7, 8}), frozenset({6, 8}))
WHOLE = Shipment("REF-7", Extent.WHOLE, "3S1", ("3S1",), ("1",))
PART = WHOLE._replace(extent=Extent.PARTIAL)
ORDER = ShippedOrder(7, "REF-7", 3, frozenset({2, 3}), ((70, ""),))


def note(
    number: str, pieces: int = 1, tracking: str = "", day: date | None = date(2026, 11, 20)
) -> DeliveryNote:
    return DeliveryNote(number, day, tracking, Decimal(pieces))


def shipped(*notes: DeliveryNote, ordered: int = 5, completed: bool = False) -> Shipment | None:
    delivered = sum((one.quantity for one in notes), Decimal(0))
    return shipment_of(ErpShipment(" ref-7 ", Decimal(ordered), delivered, completed, notes))


# --- whose it is ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "id_order"),
    [
        ("KHWLILZLL-5", 5),
        (" khwlilzll-5 ", 5),
        ("A-B-12", 12),
        ("-5", 5),
        ("KHWLILZLL-5-R3", None),
        ("KHWLILZLL", None),
        ("KHWLILZLL-0", None),
        ("KHWLILZLL-", None),
        ("KHWLILZLL-٣", None),
        ("KHWLILZLL-12345678901", None),
        ("", None),
    ],
)
def test_the_id_is_what_stands_behind_the_last_dash(reference: str, id_order: int | None) -> None:
    assert id_order_of(reference) == id_order


# --- how much it was ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notes", "ordered", "completed", "extent"),
    [
        ([note("1", 5)], 5, False, Extent.WHOLE),
        ([note("1", 6)], 5, False, Extent.WHOLE),
        ([note("1", 2), note("2", 3)], 5, False, Extent.WHOLE),
        ([note("1", 2)], 5, False, Extent.PARTIAL),
        ([note("1", 2)], 5, True, Extent.WHOLE),
        ([note("1", 2), note("2", -1)], 5, False, Extent.PARTIAL),
        ([note("1", -1)], 5, False, None),
        ([], 5, True, None),
    ],
)
def test_an_order_is_delivered_in_part_wholly_or_not_at_all(
    notes: list[DeliveryNote], ordered: int, completed: bool, extent: Extent | None
) -> None:
    found = shipped(*notes, ordered=ordered, completed=completed)

    assert (found and found.extent) == extent


def test_the_newest_note_with_a_number_tells_it() -> None:
    late, early = date(2026, 11, 22), date(2026, 11, 20)
    found = shipped(
        note("12", 1, "3S3 ", late),
        note("9", 1, "3S2", late),
        note("10", 1, "3S1", early),
        note("13", 1, "", late),
    )

    assert found == Shipment("REF-7", Extent.PARTIAL, "3S3", ("3S1", "3S2", "3S3"), ("10", "9", "12", "13"))


def test_notes_in_another_order_are_the_same_delivery() -> None:
    one, other = note("1", 1, "3S1", None), note("2", 1, "3S2")

    assert shipped(one, other) == shipped(other, one)


def test_the_fingerprint_follows_the_delivery_and_the_document_tells_of_it() -> None:
    changed = [
        WHOLE._replace(extent=Extent.PARTIAL),
        WHOLE._replace(tracking="3S2"),
        WHOLE._replace(numbers=("3S0", "3S1")),
        WHOLE._replace(notes=("1", "2")),
        WHOLE._replace(your_ref="REF-8"),
    ]

    assert len({one.fingerprint() for one in [WHOLE, *changed]}) == 6
    assert Shipment.from_stored(WHOLE.stored(4)) == WHOLE
    assert WHOLE.stored(4) == (
        '{"your_ref":"REF-7","extent":"whole","tracking":"3S1","numbers":["3S1"],"notes":["1"],"state":4}'
    )


@pytest.mark.parametrize("document", ["", "[]", "{}", '{"your_ref": 1}', "null", '{"extent":"huge"}'])
def test_what_another_release_wrote_is_no_error(document: str) -> None:
    assert Shipment.from_stored(document) is None


# --- the state ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shipment", "state", "ever_in", "known", "expected", "remark"),
    [
        (WHOLE, 3, {2, 3}, None, 4, None),
        (PART, 3, {2, 3}, None, 10, None),
        (WHOLE, 10, {2, 3, 10}, PART, 4, None),
        (WHOLE, 4, {3, 4}, None, 0, None),
        (PART, 10, {3, 10}, None, 0, None),
        (PART, 10, {3, 10}, PART, 0, None),
        (WHOLE, 5, {3, 5}, None, 0, "state_is_beyond"),
        (PART, 4, {3, 4}, None, 0, "state_is_beyond"),
        (WHOLE, 3, {3, 4}, None, 0, "state_was_left"),
        (PART, 3, {3, 10}, None, 0, "state_was_left"),
        (PART, 3, {3, 4}, None, 0, "state_was_left"),
        (WHOLE, 3, {3, 4}, WHOLE, 0, None),
        (WHOLE, 3, {3}, WHOLE, 0, None),
        (PART, 3, {3}, WHOLE, 0, None),
    ],
)
def test_an_order_comes_to_its_state_and_never_back(
    shipment: Shipment,
    state: int,
    ever_in: set[int],
    known: Shipment | None,
    expected: int,
    remark: str | None,
) -> None:
    plan = plan_state(shipment, ORDER._replace(state=state, ever_in=frozenset(ever_in)), RULES, known)

    assert (plan.state, plan.remark and plan.remark.reason) == (expected, remark)


def test_without_a_state_for_it_a_part_moves_nothing() -> None:
    assert plan_state(PART, ORDER, RULES._replace(partial_state=0), None) == StatePlan(0)


@given(
    st.sampled_from([WHOLE, PART]),
    st.integers(1, 11),
    st.frozensets(st.integers(1, 11)),
    st.sampled_from([None, WHOLE, PART]),
)
def test_a_plan_carried_out_is_the_last_one(
    shipment: Shipment, state: int, ever_in: frozenset[int], known: Shipment | None
) -> None:
    order = ORDER._replace(state=state, ever_in=ever_in | {state})
    plan = plan_state(shipment, order, RULES, known)
    if plan.state:
        assert state not in RULES.beyond_states
        assert plan.state not in order.ever_in
        moved = order._replace(state=plan.state, ever_in=order.ever_in | {plan.state})
        assert plan_state(shipment, moved, RULES, known) == StatePlan(0)


# --- the tracking number --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parcels", "known", "expected"),
    [
        (((70, ""),), None, TrackingPlan(70, "3S1")),
        (((70, "X"), (71, "  ")), None, TrackingPlan(71, "3S1")),
        (((70, "3S1"),), None, TrackingPlan(0)),
        (((70, "3S0"),), WHOLE._replace(numbers=("3S0",)), TrackingPlan(70, "3S1")),
    ],
)
def test_the_newest_parcel_gets_the_number_unless_it_has_it(
    parcels: tuple[tuple[int, str], ...], known: Shipment | None, expected: TrackingPlan
) -> None:
    assert plan_tracking(WHOLE, ORDER._replace(parcels=parcels), known) == expected


def test_a_number_of_another_note_of_the_order_is_ours() -> None:
    shipment = WHOLE._replace(tracking="3S2", numbers=("3S1", "3S2"))

    assert plan_tracking(shipment, ORDER._replace(parcels=((70, "3S1"),)), None) == TrackingPlan(70, "3S2")


def test_a_typed_number_stays_and_a_parcel_that_is_missing_is_told() -> None:
    typed = plan_tracking(WHOLE, ORDER._replace(parcels=((70, "TYPED"),)), None)
    missing = plan_tracking(WHOLE, ORDER._replace(parcels=()), None)

    assert (typed.parcel, typed.remark and typed.remark.reason) == (0, ShipmentReason.TRACKING_DIFFERS)
    assert (missing.parcel, missing.remark and missing.remark.reason) == (0, ShipmentReason.NO_CARRIER)


def test_a_delivery_without_a_number_asks_for_none() -> None:
    assert plan_tracking(WHOLE._replace(tracking="", numbers=()), ORDER, None) == TrackingPlan(0)


@pytest.mark.parametrize(
    ("number", "is_taken"),
    [
        ("3SABCD1234567", True),
        ("~:#,%&_=()[].? +-@/aZ9", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("<script>", False),
        ("3Sé", False),
        ("3S*1", False),
        ("3S1\n", False),
    ],
)
def test_a_number_the_shop_would_not_take_is_named(number: str, is_taken: bool) -> None:
    plan = plan_tracking(WHOLE._replace(tracking=number), ORDER, None)

    assert (plan.parcel == 70, plan.refused is None) == (is_taken, is_taken)
    if plan.refused is not None:
        assert plan.refused.reason == ShipmentReason.TRACKING_REFUSED
        assert number in plan.refused.message
