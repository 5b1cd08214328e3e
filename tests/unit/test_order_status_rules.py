"""What an order's state asks of the marketplace, which channels take it, and who stands in the way."""

from __future__ import annotations

from itertools import combinations

import pytest

from brekzsync.domain.marketplace import Identity, MarketplaceOrder, Parcel, StatusTask, TaskStatus, Tracking
from brekzsync.domain.order_status import (
    Operation,
    ShopSync,
    StatusReason,
    StatusRules,
    accepted_fingerprint,
    accepted_of,
    can,
    conflict,
    next_operation,
)
from brekzsync.flows.order_status.rules import MINUTE, PushRules

SHIPPED, DELIVERED, CANCELED, REFUNDED, PAID, ON_THE_WAY = 4, 5, 6, 7, 2, 21
SHIP, CANCEL, REFUND, DELIVER = Operation
HOUR = 60 * MINUTE


def states(**changed: set[int]) -> StatusRules:
    lists = {
        "shipped": {SHIPPED, ON_THE_WAY},
        "canceled": {CANCELED},
        "refunded": {REFUNDED},
        "delivered": set(),
        "implies_shipped": set(),
    }
    return StatusRules(**{name: frozenset(ids) for name, ids in (lists | changed).items()})


def rules(**changed: object) -> PushRules:
    given: dict[str, object] = {
        "states": states(),
        "shipped_delay": 5 * MINUTE,
        "tracking_wait": 24 * HOUR,
        "sends_without_tracking": True,
        "joins_parcels": True,
        "fulfilled_by_channel": frozenset({"amazonfba", "afn"}),
        "channel_operations": {},
        "canceled_is_done": False,
        "ticket_wait": HOUR,
        "attempts": 3,
        "allow_when_absent": False,
        "allow_module_sync": False,
        "first_run_limit": 50,
    }
    return PushRules(**(given | changed))  # type: ignore[arg-type]


def order(channel: str = "Amazon", payment: str = "-") -> MarketplaceOrder:
    return MarketplaceOrder(1, 1, "ABC", SHIPPED, Identity(5, "r", channel), 1, payment, 0)


def task(attempts: int = 0) -> StatusTask:
    return StatusTask(1, SHIP, TaskStatus.WAITING, 1000, 1000, attempts, "ABC", Identity(5, "r", "Amazon"))


def test_several_states_mean_one_operation_and_others_mean_nothing() -> None:
    assert {state: states().wanted(state) for state in (SHIPPED, ON_THE_WAY, CANCELED, REFUNDED, PAID)} == {
        SHIPPED: (SHIP,),
        ON_THE_WAY: (SHIP,),
        CANCELED: (CANCEL,),
        REFUNDED: (REFUND,),
        PAID: (),
    }


def test_a_state_that_implies_shipped_asks_for_that_first() -> None:
    assert states(implies_shipped={DELIVERED}).wanted(DELIVERED) == (SHIP,)
    assert states(implies_shipped={DELIVERED}, delivered={DELIVERED}).wanted(DELIVERED) == (SHIP, DELIVER)
    assert states(delivered={DELIVERED}).wanted(DELIVERED) == (DELIVER,)
    assert states(implies_shipped={SHIPPED}).wanted(SHIPPED) == (SHIP,)
    assert states(implies_shipped={REFUNDED}).wanted(REFUNDED) == (SHIP, REFUND)


def test_a_state_of_several_lists_means_the_first_of_them() -> None:
    every = {9}
    ruled = states(shipped=every, canceled=every, refunded=every, delivered=every)
    assert ruled.wanted(9) == (SHIP,)
    assert states(canceled=every, refunded=every, delivered=every).wanted(9) == (CANCEL,)
    assert states(refunded=every, delivered=every).wanted(9) == (REFUND,)


def test_without_any_list_nothing_means_anything() -> None:
    nothing: dict[str, set[int]] = {name: set() for name in StatusRules._fields}
    assert states(**nothing).is_empty
    assert not states().is_empty


def test_what_was_accepted_is_not_asked_for_again() -> None:
    assert next_operation((SHIP, DELIVER), frozenset()) is SHIP
    assert next_operation((SHIP, DELIVER), frozenset({SHIP})) is DELIVER
    assert next_operation((SHIP, DELIVER), frozenset({SHIP, DELIVER, REFUND})) is None


def test_a_fingerprint_tells_which_operations_were_accepted() -> None:
    for size in range(5):
        for some in combinations(Operation, size):
            assert accepted_of(accepted_fingerprint(reversed(some))) == frozenset(some)
    assert accepted_of(None) == accepted_of(b"something else..") == frozenset()


@pytest.mark.parametrize(
    ("channel", "operation", "expected"),
    [
        ("Amazon", CANCEL, True),
        ("AMAZON", REFUND, False),
        ("ManoMano", CANCEL, False),
        ("mano-mano", CANCEL, False),
        ("Cdiscount", REFUND, True),
        ("Veepee Group", REFUND, True),
        ("Veepee", CANCEL, False),
        ("ManoMano", SHIP, True),
        ("Fnac", DELIVER, True),
        ("Leroy Merlin", CANCEL, True),  # behind Mirakl: nobody lists it
    ],
)
def test_a_channel_takes_what_the_api_documents(channel: str, operation: Operation, expected: bool) -> None:
    assert can(channel, operation, {}) is expected


def test_the_configuration_knows_channels_better() -> None:
    own = {"mano mano": ["ship", "cancel"], "Amazon": ["ship"]}
    assert can("ManoMano", CANCEL, own)
    assert not can("Amazon", CANCEL, own)


def sync(old_module: bool | None = True, *, old_sync: bool = False, module_sync: bool = False) -> ShopSync:
    return ShopSync(1, "NL", old_module, old_sync, module_sync)


@pytest.mark.parametrize(
    ("shop", "absent", "module", "expected"),
    [
        (sync(), False, False, None),
        (sync(old_sync=True), True, True, "other_module_syncs"),
        (sync(False, old_sync=True), False, False, None),  # installed, and disabled in this shop
        (sync(None), False, False, "old_module_absent"),
        (sync(None), True, False, None),
        (sync(None, old_sync=True), True, False, None),  # what it left behind in the settings
        (sync(module_sync=True), False, False, "module_syncs"),
        (sync(module_sync=True), False, True, None),
        (sync(None, module_sync=True), True, False, "module_syncs"),
    ],
)
def test_two_that_tell_the_marketplace_tell_it_twice(
    shop: ShopSync, absent: bool, module: bool, expected: str | None
) -> None:
    found = conflict(shop, allow_when_absent=absent, allow_module_sync=module)
    assert (found.code if found else None) == expected
    if found:
        assert "shop NL" in found.message
        assert found.hint


def test_carrier_and_link_belong_to_the_number_beside_them() -> None:
    parcels = [
        Parcel("DHL", "https://dhl.example/@", ""),
        Parcel("PostNL", "https://post.example/?n=@&again=@", "3S B/K&1"),
        Parcel("UPS", "https://ups.example/@", "1Z9"),
        Parcel("UPS", "https://ups.example/@", "1Z9"),
    ]
    link = "https://post.example/?n=3S%20B%2FK%261&again=3S%20B%2FK%261"
    assert rules().tracking(parcels) == Tracking("PostNL", "3S B/K&1,1Z9", link)
    assert rules(joins_parcels=False).tracking(parcels) == Tracking("PostNL", "3S B/K&1", link)


def test_without_a_number_no_link_is_told() -> None:
    assert rules().tracking([Parcel("DHL", "https://dhl.example/@", "")]) == Tracking("DHL", "", "")
    assert rules().tracking([]) == Tracking()


def test_only_shipments_wait_for_their_delay() -> None:
    assert rules().not_before(SHIP, 1000) == 1000 + 5 * MINUTE
    assert {rules().not_before(one, 1000) for one in (CANCEL, REFUND, DELIVER)} == {1000}
    assert rules().tracking_deadline(task()) == 1000 + 5 * MINUTE + 24 * HOUR


def test_failures_are_tried_later_and_later_and_then_given_up() -> None:
    delays = [rules(attempts=99).retry_at(task(attempts), "refused", 0) for attempts in range(9)]
    assert delays == [one * MINUTE for one in (5, 10, 20, 40, 80, 160, 320, 360, 360)]
    assert [rules().retry_at(task(attempts), "ignored", 0) is None for attempts in range(4)] == [
        False,
        False,
        True,
        True,
    ]


def test_what_the_shop_mends_is_never_given_up_and_what_a_channel_lacks_at_once() -> None:
    heals = (StatusReason.NO_TRACKING, StatusReason.NO_ACCOUNT, StatusReason.NO_IDENTITY)
    for reason in heals:
        looked_at = [1000 + age * HOUR for age in (0, 4, 24, 720)]
        waits = [(rules().retry_at(task(50), reason, now) or 0) - now for now in looked_at]
        assert waits == [5 * MINUTE, 30 * MINUTE, HOUR, HOUR]
    assert rules().retry_at(task(), StatusReason.NOT_OF_CHANNEL, 0) is None


def test_the_shop_tells_of_some_orders_that_the_channel_sends_them() -> None:
    assert rules().is_sent_by_channel(order("Amazon FBA"))
    assert rules().is_sent_by_channel(order("Amazon", "AFN"))
    assert not rules().is_sent_by_channel(order("Amazon", "-"))
    assert not rules(fulfilled_by_channel=frozenset({""})).is_sent_by_channel(order("", ""))
