"""``shipments import`` over real databases and real HTTP: what the ERP delivered is told to the shop, once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from brekzsync.demo.folder import make_demo
from brekzsync.demo.webservice.server import Fault
from brekzsync.errors import AccessDenied, ConfigurationError, InvalidInput, LockHeld, Unavailable
from tests.exports import NOW
from tests.services.prestashop import PrestaShopDatabase
from tests.shipping import (
    CANCELED,
    DELIVERED,
    PARTIAL,
    PREPARED,
    SHIPPED,
    Note,
    Shipping,
    counts,
    failed,
    shipping,
)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("untouched") / "demo"
    make_demo(folder, NOW)
    return folder / "shop.db"


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def everywhere(request: pytest.FixtureRequest, tmp_path: Path, untouched: Path) -> Iterator[Shipping]:
    """The demo's shop, then the genuine one."""
    if request.param == "sqlite":
        url = f"sqlite:///{shutil.copy(untouched, tmp_path / 'shop.db')}"
    else:
        prestashop: PrestaShopDatabase = request.getfixturevalue("prestashop")
        url = prestashop.url()
    with shipping(tmp_path, url) as world:
        yield world


@pytest.fixture
def world(tmp_path: Path, untouched: Path) -> Iterator[Shipping]:
    """The demo's shop."""
    with shipping(tmp_path, f"sqlite:///{shutil.copy(untouched, tmp_path / 'shop.db')}") as made:
        yield made


# --- the way it goes ------------------------------------------------------------------------------------------


def test_what_was_delivered_comes_to_its_state_with_its_tracking_number(everywhere: Shipping) -> None:
    one, other, *_ = everywhere.ids
    everywhere.ship(one, Note("4711", tracking="3SBREK001"))
    everywhere.ship(other)

    outcome = everywhere.imports()

    assert counts(outcome) == (1, 1, 1, 1, 0, 0, 0)
    assert everywhere.order(one) == (SHIPPED, ["3SBREK001"], [PREPARED, SHIPPED])
    assert everywhere.order(other) == (PREPARED, [""], [PREPARED])
    assert everywhere.told() == [("synced", None, True)]


def test_the_number_goes_before_the_state(world: Shipping) -> None:
    world.ship(world.ids[0], Note("1", tracking="3S1"))
    world.imports()

    assert world.writes == [("PUT", "order_carriers"), ("POST", "order_histories")]


def test_a_second_run_writes_nothing(everywhere: Shipping) -> None:
    everywhere.ship(everywhere.ids[0], Note("1", tracking="3S1"))
    everywhere.imports()
    everywhere.webservice.asked.clear()

    assert counts(everywhere.imports()) == (1, 1, 0, 0, 1, 0, 0)
    assert everywhere.webservice.asked == []


def test_a_customer_is_mailed_only_where_the_configuration_says_so(world: Shipping) -> None:
    world.ship(world.ids[0], Note("1"))
    world.imports()
    world.configure("send_email = true")
    world.ship(world.ids[1], Note("2"))
    world.imports()

    posts = [asked.query for asked in world.webservice.asked if asked.method == "POST"]
    assert posts == [{}, {"sendemail": "1"}]


def test_a_dry_run_counts_the_same_and_touches_nothing(world: Shipping) -> None:
    world.ship(world.ids[0], Note("1", tracking="3S1"))
    world.ship(world.ids[1], Note("2", tracking="<script>"))
    outcome = world.imports(dry_run=True)

    assert (counts(outcome), failed(outcome)) == (
        (2, 2, 2, 1, 0, 0, 1),
        {world.ids[1]: "tracking_number_refused"},
    )
    assert world.webservice.asked == []
    assert not list(world.folder.glob("state.db*"))
    assert counts(world.imports()) == counts(outcome)


# --- in parts -------------------------------------------------------------------------------------------------


def test_two_partial_deliveries_set_their_state_once_and_take_the_newest_number(everywhere: Shipping) -> None:
    everywhere.configure(f"partial_state = {PARTIAL}")
    order = everywhere.ids[0]
    everywhere.ship(order, Note("1", 1, "3S1"))
    everywhere.imports()
    assert everywhere.order(order) == (PARTIAL, ["3S1"], [PREPARED, PARTIAL])

    everywhere.ship(order, Note("1", 1, "3S1"), Note("2", 1, "3S2", day=1))
    everywhere.imports()
    assert everywhere.order(order) == (PARTIAL, ["3S2"], [PREPARED, PARTIAL])

    everywhere.ship(order, Note("1", 1, "3S1"), Note("2", 1, "3S2", day=1), Note("3", 3, "3S3", day=2))
    everywhere.imports()
    assert everywhere.order(order) == (SHIPPED, ["3S3"], [PREPARED, PARTIAL, SHIPPED])


def test_without_a_state_for_it_a_partial_delivery_brings_its_number_only(world: Shipping) -> None:
    world.ship(world.ids[0], Note("1", 1, "3S1"))
    world.imports()

    assert world.order(world.ids[0]) == (PREPARED, ["3S1"], [PREPARED])


def test_an_order_the_erp_completed_counts_as_whole(world: Shipping) -> None:
    world.ship(world.ids[0], Note("1", 2), completed=True)
    world.imports()

    assert world.order(world.ids[0])[0] == SHIPPED


def test_partial_after_whole_moves_nothing(world: Shipping) -> None:
    """The order got another line in Exact."""
    world.configure(f"partial_state = {PARTIAL}")
    order = world.ids[0]
    world.ship(order, Note("1"))
    world.imports()
    world.ship(order, Note("1"), ordered=9)
    world.imports()
    assert world.order(order)[0] == SHIPPED

    world.lose_state()
    world.move(order, PREPARED)
    world.imports()
    assert world.order(order) == (PREPARED, [""], [PREPARED, SHIPPED, PREPARED])


def test_the_newest_parcel_of_the_shop_gets_the_number(everywhere: Shipping) -> None:
    order = everywhere.ids[0]
    names = [
        row[0]
        for row in everywhere.sql("SELECT id_order_carrier FROM ps_order_carrier ORDER BY id_order_carrier")
    ]
    everywhere.sql(
        f"UPDATE ps_order_carrier SET id_order = {order}, tracking_number = ''"
        f" WHERE id_order_carrier = {names[-1]}"
    )
    everywhere.ship(order, Note("1", tracking="3S1"))
    everywhere.imports()

    assert everywhere.order(order)[1] == ["", "3S1"]


# --- never backwards ------------------------------------------------------------------------------------------


def test_an_order_beyond_is_never_moved_back(everywhere: Shipping) -> None:
    order = everywhere.ids[0]
    everywhere.move(order, DELIVERED)
    everywhere.ship(order, Note("1", tracking="3S1"))
    outcome = everywhere.imports()

    assert everywhere.order(order) == (DELIVERED, ["3S1"], [PREPARED, DELIVERED])
    assert everywhere.told() == [("synced", "state_is_beyond", True)]
    assert (counts(outcome), dict(outcome.tally.warnings)) == ((1, 1, 1, 1, 0, 0, 0), {"state_is_beyond": 1})
    assert counts(everywhere.imports()) == (1, 1, 0, 0, 1, 0, 0)
    assert everywhere.told() == [("synced", "state_is_beyond", True)], "the remark stays"


def test_a_state_the_order_has_left_is_not_set_again(everywhere: Shipping) -> None:
    order = everywhere.ids[0]
    everywhere.move(order, SHIPPED, PREPARED)
    everywhere.ship(order, Note("1", tracking="3S1"))
    everywhere.imports()

    assert everywhere.order(order) == (PREPARED, ["3S1"], [PREPARED, SHIPPED, PREPARED])
    assert everywhere.told() == [("synced", "state_was_left", True)]


def test_a_person_who_is_quicker_is_not_overruled(world: Shipping) -> None:
    """Between our look and our writing the order comes to another state."""
    order = world.ids[0]
    world.ship(order, Note("1"))
    world.webservice.before_each = lambda _asked: world.move(order, DELIVERED)
    world.imports()

    assert SHIPPED not in world.order(order)[2]
    assert world.told() == [("synced", "state_is_beyond", True)]


def test_dead_orders_are_left_alone_until_they_live_again(everywhere: Shipping) -> None:
    order = everywhere.ids[0]
    everywhere.move(order, CANCELED)
    everywhere.ship(order, Note("1", tracking="3S1"))
    outcome = everywhere.imports()
    assert (counts(outcome), dict(outcome.tally.reasons)) == ((1, 0, 0, 0, 0, 1, 0), {"order_is_dead": 1})
    assert everywhere.order(order) == (CANCELED, [""], [PREPARED, CANCELED])

    everywhere.move(order, PREPARED)
    everywhere.imports()
    assert everywhere.order(order)[0] == SHIPPED


def test_a_number_a_person_typed_stays(everywhere: Shipping) -> None:
    order = everywhere.ids[0]
    everywhere.type_tracking(order, "TYPED1")
    everywhere.ship(order, Note("1", tracking="3S1"))
    everywhere.imports()

    assert everywhere.order(order) == (SHIPPED, ["TYPED1"], [PREPARED, SHIPPED])
    row = everywhere.row(order)
    assert (row.status, row.reason) == ("synced", "tracking_differs")
    assert row.message == "The shop has tracking number TYPED1, typed by a person; the ERP has 3S1."


def test_a_number_of_ours_is_replaced_when_exact_corrects_it(world: Shipping) -> None:
    order = world.ids[0]
    world.ship(order, Note("1", tracking="3S1"))
    world.imports()
    world.ship(order, Note("1", tracking="3S2"))
    world.imports()

    assert world.order(order) == (SHIPPED, ["3S2"], [PREPARED, SHIPPED])


def test_an_order_without_a_carrier_gets_its_state_and_a_remark(world: Shipping) -> None:
    order = world.ids[0]
    world.sql(f"DELETE FROM ps_order_carrier WHERE id_order = {order}")
    world.ship(order, Note("1", tracking="3S1"))
    world.imports()

    assert world.order(order)[0] == SHIPPED
    assert world.told() == [("synced", "no_carrier", True)]


# --- whose order it is ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reference", ["TYPED-{id}", "{reference}-{id}0", "{reference}", "{reference}-{id}-R3", "4711", "-"]
)
def test_reference_and_id_must_fit(world: Shipping, reference: str) -> None:
    order = world.ids[0]
    ((own,),) = world.sql(f"SELECT reference FROM ps_orders WHERE id_order = {order}")
    world.ship(order, Note("1"), reference=reference.format(id=order, reference=own))
    outcome = world.imports()

    assert (counts(outcome), dict(outcome.tally.reasons)) == ((1, 0, 0, 0, 0, 1, 0), {"not_our_order": 1})
    assert world.order(order)[0] == PREPARED


def test_a_reference_is_ours_in_any_letter_case(world: Shipping) -> None:
    order = world.ids[0]
    ((own,),) = world.sql(f"SELECT reference FROM ps_orders WHERE id_order = {order}")
    world.ship(order, Note("1"), reference=f" {own.lower()}-{order} ")
    world.imports()

    assert world.order(order)[0] == SHIPPED


def test_what_came_back_is_no_delivery(world: Shipping) -> None:
    world.ship(world.ids[0], Note("1", -1))
    outcome = world.imports()

    assert dict(outcome.tally.reasons) == {"not_delivered": 1}
    assert world.order(world.ids[0])[0] == PREPARED


# --- some of them ---------------------------------------------------------------------------------------------


def test_ids_import_those_and_say_of_the_others_why_not(world: Shipping) -> None:
    one, other, third, dead, _ = world.ids
    for order in (one, other, dead):
        world.ship(order, Note(str(order)))
    world.move(dead, CANCELED)
    outcome = world.imports(one, third, dead)

    assert counts(outcome) == (3, 1, 1, 1, 0, 2, 0)
    assert [sentence.split(" (")[0] for sentence in outcome.passed_over] == [
        f"Order {third}",
        f"Order {dead} is in state 6, one of [orders] dead_states: it is left alone.",
    ]
    assert [world.order(id_order)[0] for id_order in (one, other)] == [SHIPPED, PREPARED]


def test_an_unknown_id_changes_nothing(world: Shipping) -> None:
    world.ship(world.ids[0], Note("1"))
    with pytest.raises(InvalidInput) as refused:
        world.imports(world.ids[0], 99999)

    assert refused.value.code == "unknown_id"
    assert world.order(world.ids[0])[0] == PREPARED


def test_what_a_limit_leaves_is_queued_and_goes_next(world: Shipping) -> None:
    for order in world.ids:
        world.ship(order, Note(str(order)))
    outcome = world.imports(limit=2)

    assert (counts(outcome), outcome.tally.left) == ((5, 5, 5, 2, 0, 0, 0), 3)
    assert world.told() == [("synced", None, True)] * 2 + [("pending", "queued", False)] * 3
    assert counts(world.imports()) == (5, 5, 3, 3, 2, 0, 0)


def test_what_was_forced_is_done_again_as_far_as_it_is_not_there(world: Shipping) -> None:
    order = world.ids[0]
    world.ship(order, Note("1", tracking="3S1"))
    world.imports()
    world.type_tracking(order, "")
    assert counts(world.imports())[2] == 0
    world.force(order)

    assert counts(world.imports()) == (1, 1, 1, 1, 0, 0, 0)
    assert world.order(order) == (SHIPPED, ["3S1"], [PREPARED, SHIPPED])
    assert world.told() == [("synced", None, True)]


# --- the first run --------------------------------------------------------------------------------------------


def test_an_empty_ledger_and_much_to_do_need_a_word(everywhere: Shipping) -> None:
    everywhere.configure("first_run_limit = 4")
    for order in everywhere.ids:
        everywhere.ship(order, Note(str(order)))
    for options in ({}, {"dry_run": True}, {"limit": 1}):
        with pytest.raises(ConfigurationError) as refused:
            everywhere.imports(**options)
        assert refused.value.code == "needs_baseline"
    assert everywhere.webservice.asked == []
    everywhere.move(everywhere.ids[0], CANCELED)

    assert counts(everywhere.imports()) == (5, 4, 4, 4, 0, 1, 0), "dead orders are not due"


def test_a_baseline_that_found_nothing_was_one_all_the_same(everywhere: Shipping) -> None:
    everywhere.configure("first_run_limit = 1")
    assert everywhere.imports(baseline=True).baselined == 0
    for order in everywhere.ids[:3]:
        everywhere.ship(order, Note(str(order)))

    assert everywhere.imports().tally.delivered == 3


def test_a_baseline_writes_nothing_and_takes_what_is_there_as_told(everywhere: Shipping) -> None:
    everywhere.configure("first_run_limit = 1")
    for order in everywhere.ids[:3]:
        everywhere.ship(order, Note(str(order), tracking="3S1"))
    looked = everywhere.imports(baseline=True, dry_run=True)
    outcome = everywhere.imports(baseline=True)

    assert (counts(outcome), outcome.baselined) == ((3, 3, 0, 0, 3, 0, 0), 3)
    assert (counts(looked), looked.baselined) == (counts(outcome), 3)
    assert everywhere.webservice.asked == []
    assert counts(everywhere.imports()) == (3, 3, 0, 0, 3, 0, 0)

    everywhere.ship(everywhere.ids[3], Note("4"))
    everywhere.imports()
    assert [everywhere.order(one)[0] for one in everywhere.ids[:4]] == [PREPARED] * 3 + [SHIPPED]


def test_after_a_baseline_a_corrected_number_does_not_move_the_order(world: Shipping) -> None:
    order = world.ids[0]
    world.ship(order, Note("1", tracking="3S1"))
    world.imports(baseline=True)
    world.ship(order, Note("1", tracking="3S2"))
    world.imports()

    assert world.order(order) == (PREPARED, ["3S2"], [PREPARED])


def test_force_says_that_all_of_it_goes(world: Shipping) -> None:
    world.configure("first_run_limit = 0")
    world.ship(world.ids[0], Note("1"))

    assert counts(world.imports(force=True)) == (1, 1, 1, 1, 0, 0, 0)


def test_a_lost_state_repeats_nothing(everywhere: Shipping) -> None:
    for order in everywhere.ids[:2]:
        everywhere.ship(order, Note(str(order), tracking=f"3S{order}"))
    everywhere.imports()
    everywhere.lose_state()
    everywhere.webservice.asked.clear()

    assert counts(everywhere.imports()) == (2, 2, 2, 2, 0, 0, 0)
    assert everywhere.writes == []
    assert everywhere.told() == [("synced", None, True)] * 2


# --- what goes wrong ------------------------------------------------------------------------------------------


def test_a_number_the_shop_would_refuse_fails_and_holds_nothing_back(everywhere: Shipping) -> None:
    order, other, *_ = everywhere.ids
    everywhere.ship(order, Note("1", tracking="3S1 & <b>"))
    everywhere.ship(other, Note("2", tracking="x" * 65))
    outcome = everywhere.imports()

    assert failed(outcome) == {order: "tracking_number_refused", other: "tracking_number_refused"}
    assert "3S1 & <b>" in outcome.tally.failures[0].message
    assert "65 characters" in outcome.tally.failures[1].message
    assert everywhere.order(order) == (SHIPPED, [""], [PREPARED, SHIPPED])
    everywhere.webservice.asked.clear()
    again = everywhere.imports()
    assert (failed(again), again.tally.new_failures) == (failed(outcome), 0)
    assert everywhere.writes == []

    everywhere.type_tracking(order, "3S1")
    everywhere.ship(order, Note("1", tracking="3S1"))
    everywhere.forget(other)
    assert counts(everywhere.imports()) == (1, 1, 1, 1, 0, 0, 0)
    assert everywhere.told() == [("synced", None, True), ("synced", "no_longer_delivered", False)]


@pytest.mark.parametrize("resource", ["order_histories", "order_carriers"])
@pytest.mark.parametrize(
    "fault", [Fault.ERROR_AFTER, Fault.MAIL_FAILED, Fault.DROP_AFTER, Fault.HANG_AFTER, Fault.DROP_BEFORE]
)
def test_what_was_done_though_no_answer_says_so_is_not_done_twice(
    world: Shipping, fault: Fault, resource: str
) -> None:
    world.read_timeout = 0.3
    order = world.ids[0]
    world.ship(order, Note("1", tracking="3S1"))
    world.webservice.fail(fault, "POST" if resource == "order_histories" else "PUT", resource)
    outcome = world.imports()

    assert counts(outcome) == (1, 1, 1, 1, 0, 0, 0)
    assert world.order(order) == (SHIPPED, ["3S1"], [PREPARED, SHIPPED])


@pytest.mark.parametrize("resource", ["order_histories", "order_carriers"])
@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, Fault.HANG_BEFORE])
def test_one_that_was_not_done_fails_and_the_others_go(world: Shipping, fault: Fault, resource: str) -> None:
    world.read_timeout = 0.3
    one, other, *_ = world.ids
    world.ship(one, Note("1", tracking="3S1"))
    world.ship(other, Note("2", tracking="3S2"))
    world.webservice.fail(fault, "POST" if resource == "order_histories" else "PUT", resource)
    outcome = world.imports()

    assert (list(failed(outcome)), outcome.tally.delivered) == ([one], 1)
    assert world.order(one)[0] == PREPARED, "no state before its number"
    assert world.order(other) == (SHIPPED, ["3S2"], [PREPARED, SHIPPED])
    assert counts(world.imports()) == (2, 2, 1, 1, 1, 0, 0)
    assert world.order(one) == (SHIPPED, ["3S1"], [PREPARED, SHIPPED])
    assert world.told() == [("synced", None, True)] * 2


def test_a_webservice_that_goes_away_ends_the_run_and_what_was_done_is_known(world: Shipping) -> None:
    one, other, *_ = world.ids
    world.ship(one, Note("1"))
    world.ship(other, Note("2"))

    def leave(asked: object) -> None:
        if world.order(one)[0] == SHIPPED:
            world.webservice.switch_off()

    world.webservice.before_each = leave
    with pytest.raises(Unavailable):
        world.imports()

    assert world.told() == [("synced", None, True)]
    assert world.order(other)[0] == PREPARED


def test_a_key_that_is_refused_ends_the_run(world: Shipping) -> None:
    world.ship(world.ids[0], Note("1"))
    world.configure(key="W" * 32)

    with pytest.raises(AccessDenied):
        world.imports()
    assert world.told() == []


def test_a_dry_run_needs_no_webservice(world: Shipping) -> None:
    world.ship(world.ids[0], Note("1"))
    world.configure(webservice="")

    assert counts(world.imports(dry_run=True)) == (1, 1, 1, 1, 0, 0, 0)


def test_without_an_erp_there_is_nothing_to_import(world: Shipping) -> None:
    world.configure(erp="")

    with pytest.raises(ConfigurationError) as refused:
        world.imports()
    assert refused.value.code == "erp_not_configured"


def test_a_state_the_shop_lacks_is_never_set(everywhere: Shipping) -> None:
    """PrestaShop would leave half of the change behind."""
    everywhere.configure("shipped_state = 99")
    everywhere.ship(everywhere.ids[0], Note("1"))

    with pytest.raises(ConfigurationError) as refused:
        everywhere.imports()
    assert refused.value.code == "unknown_order_state"
    assert everywhere.writes == []


def test_two_runs_do_not_overlap(world: Shipping) -> None:
    world.ship(world.ids[0], Note("1"))
    with world.flow() as flow, flow.locks.hold("shipment", "exact"), pytest.raises(LockHeld):
        world.imports()
