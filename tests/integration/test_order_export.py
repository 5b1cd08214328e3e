"""Orders and refunds on their way to Exact: what goes, when, once; and what is said of the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from brekzsync.demo.folder import make_demo
from brekzsync.domain.items import Item
from brekzsync.domain.ledger import Acknowledgement, Serving
from brekzsync.domain.orders.stored import StoredOrder
from brekzsync.errors import BrekzsyncError, ConfigurationError, InvalidInput, LockHeld, Unavailable
from brekzsync.flows.orders.deciding import Became
from brekzsync.flows.orders.kinds import REFUNDS
from brekzsync.flows.orders.ports import NOT_TAKEN
from brekzsync.state.served import REJECTION_DELAYS
from tests.exports import NOW
from tests.selling import FIRST_SENT, IN_EXACT, Selling, counts, failed, selling

SENT = ("synced", None, True)
IN_FLIGHT = ("pending", "in_flight", False)
SENT_ONCE = {
    "QWERTZUIO-41": 1,
    "ASDFGHJKL-52": 1,
    "QMXPLTRWE-61": 1,
    "BELGKVNZA-62": 1,
    "DUIWPQHRT-63": 1,
    "TWEETARVN-64": 1,
    "CADEAUVHG-65": 1,
    "GRATISKLM-66": 1,
    "HONDSCHLQ-67": 1,
    "AFGERONDX-68": 1,
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("untouched") / "demo"
    make_demo(folder, NOW)
    return folder


@pytest.fixture(scope="module")
def schema(shared: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(shared / "data/exact/eExact-Schema.xsd"))


@pytest.fixture
def shop(tmp_path: Path, demo: Path, schema: etree.XMLSchema) -> Selling:
    """A demo with its state in SQLite."""
    return selling(tmp_path / "demo", demo, schema=schema)


@pytest.fixture
def anywhere(shop: Selling, database_url: str) -> Selling:
    """A demo with its state in SQLite, then in MariaDB."""
    shop.replace('database = "sqlite:///state.db"', f'database = "{database_url}"')
    return shop


def accounts(document: Any) -> list[str]:
    return [one.get("code") for one in document.iterfind("Accounts/Account")]


def references(document: Any) -> list[str]:
    return [one.findtext("YourRef") for one in document.iterfind("Orders/Order")]


# --- what goes ----------------------------------------------------------------------------------------------


def test_every_due_order_ends_in_exact_or_with_a_reason(anywhere: Selling) -> None:
    first = anywhere.export()

    assert counts(first) == (18, 18, 16, 8, 2, 0, 8)
    assert failed(first) == {
        71: "unmapped_delivery_method",
        72: "unmapped_payment_method",
        73: "unknown_country",
        74: "missing_item_code",
        75: "item_not_in_erp",
        76: "unmapped_tax_rate",
        77: "totals_differ",
        78: "your_ref_too_long",
    }
    assert anywhere.lying() == FIRST_SENT
    assert anywhere.indexed() == [
        (reference.rpartition("-")[2], reference) for reference in list(SENT_ONCE)[2:]
    ]
    assert anywhere.told(*FIRST_SENT) == [IN_FLIGHT] * 8
    assert anywhere.told(*IN_EXACT) == [SENT] * 2

    assert anywhere.imports() == ["Created"] * 8
    second = anywhere.after(minutes=5).export()

    assert counts(second) == (18, 18, 8, 0, 10, 0, 8)
    assert [key[0] for key in second.read_back.settled] == FIRST_SENT
    assert anywhere.told(*FIRST_SENT) == [SENT] * 8
    assert (anywhere.lying(), anywhere.claims(), anywhere.indexed()) == ([], {}, [])
    assert anywhere.in_exact() == SENT_ONCE


def test_refunds_wait_for_their_order_and_then_go_once(anywhere: Selling) -> None:
    before = anywhere.refund()
    assert (counts(before), before.tally.reasons) == ((5, 5, 5, 0, 0, 0, 0), {"order_not_in_erp": 5})
    assert anywhere.told(1, 5, flow="refund") == [("pending", "order_not_in_erp", False)] * 2

    anywhere.export()
    assert anywhere.refund().tally.delivered == 1, "order 41 was in Exact already"
    anywhere.imports()
    anywhere.export()
    last = anywhere.refund()

    assert (counts(last), last.tally.reasons) == (
        (5, 5, 5, 3, 0, 0, 0),
        {"in_flight": 1, "order_not_in_erp": 1},
    )
    assert anywhere.lying("refunds") == [1, 2, 3, 4]
    for id_ in anywhere.lying("refunds"):
        quantities = [float(one.text) for one in anywhere.document(id_, "refunds").iterfind(".//Quantity")]
        assert quantities
        assert all(quantity < 0 for quantity in quantities)
    assert anywhere.imports(noun="refunds") == ["Created"] * 4
    assert counts(anywhere.refund()) == (5, 5, 1, 0, 4, 0, 0)
    assert {name: times for name, times in anywhere.in_exact().items() if "-R" in name} == {
        "QWERTZUIO-41-R1": 1,
        "QMXPLTRWE-61-R2": 1,
        "TWEETARVN-64-R3": 1,
        "CADEAUVHG-65-R4": 1,
    }


@pytest.mark.parametrize("id_order", [69, 70])
def test_what_is_not_paid_or_was_canceled_does_not_go(shop: Selling, id_order: int) -> None:
    assert shop.export(id_order).tally.delivered == 0
    assert shop.export().tally.delivered == 8
    assert id_order not in shop.lying()
    assert shop.told(id_order) == []


def test_an_order_is_due_once_its_history_held_a_ready_state_whatever_its_state_now(shop: Selling) -> None:
    shop.state_of_order(69, 2)
    shop.state_of_order(69, 10)
    shop.sql("UPDATE ps_orders SET current_state = 10 WHERE id_order = 69")

    assert shop.export(69).tally.delivered == 1


def test_orders_shops_leaves_the_others_out(shop: Selling) -> None:
    shop.replace("[orders]", '[orders]\nshops = ["be"]')

    assert shop.export().tally.delivered == 1
    assert shop.lying() == [62]


def test_a_limit_leaves_the_rest_for_the_next_run(shop: Selling) -> None:
    first = shop.export(limit=3)

    assert (first.tally.delivered, first.tally.reasons["queued"]) == (3, 5)
    assert shop.told(64) == [("pending", "queued", False)]
    assert shop.export(limit=0).tally.delivered == 0
    assert shop.export(limit=100).tally.delivered == 5
    assert shop.lying() == FIRST_SENT


def test_a_limit_counts_what_goes_not_what_fails(shop: Selling) -> None:
    shop.sql("DELETE FROM ps_orders WHERE id_order IN (61, 62, 63, 64, 65, 66, 67)")
    shop.copy_order(68, 90)

    first = shop.export(limit=1)

    assert (first.tally.delivered, shop.lying()) == (1, [68])


def test_only_the_orders_named_go(shop: Selling) -> None:
    named = shop.export(62, 71, 69)

    assert (named.tally.delivered, failed(named)) == (1, {71: "unmapped_delivery_method"})
    assert named.tally.reasons["not_due"] == 1
    assert counts(named) == (3, 2, 2, 1, 0, 1, 1)
    assert shop.lying() == [62]
    assert shop.told(61) == []
    assert counts(shop.export(62)) == (1, 1, 1, 0, 0, 0, 0)


def test_an_order_the_shop_does_not_have_refuses_all_of_them(shop: Selling) -> None:
    with pytest.raises(InvalidInput, match=r"The shop has no order 9998, 9999; nothing was exported\."):
        shop.export(61, 9998, 9999)
    assert shop.lying() == []


# --- what a document says -----------------------------------------------------------------------------------


def test_a_new_debtors_account_goes_with_each_of_its_orders_until_one_is_in_exact(shop: Selling) -> None:
    shop.export(61, 66)
    assert [accounts(shop.document(id_order)) for id_order in (61, 66)] == [["W11"], ["W11"]]
    shop.copy_order(61, 90)
    shop.imports(66)
    shop.export()

    assert 11 in shop.debtors()
    assert accounts(shop.document(90)) == []


def test_a_debtor_whose_order_was_rejected_is_told_again(shop: Selling) -> None:
    shop.export(61)
    shop.take()
    shop.post(shop.claims()[61], "Debtor unknown")

    shop.after(hours=1).export(61)

    assert accounts(shop.document(61)) == ["W11"]


def test_a_debtor_that_was_taken_as_known_is_doubted_when_its_order_is_rejected(shop: Selling) -> None:
    shop.export(61, baseline=True)
    shop.export(66)
    assert (shop.debtors(), accounts(shop.document(66))) == ([11], [])

    shop.take(66)
    shop.post(shop.claims()[66], "Debtor W11 does not exist")
    shop.after(minutes=2).export()

    assert accounts(shop.document(66)) == ["W11"]


def test_another_prefix_is_another_debtor(shop: Selling) -> None:
    shop.export(61)
    shop.imports()
    shop.export(61)
    shop.replace('debtor_prefix = "W"', 'debtor_prefix = "Z"')

    shop.export(66)

    assert accounts(shop.document(66)) == ["Z11"]


def test_a_collective_debtor_has_no_account_of_a_customer(shop: Selling) -> None:
    shop.replace('debtor_prefix = "W"', 'debtor = "collective"\ncollective_debtor = "W14"')
    shop.export()

    assert [accounts(shop.document(id_order)) for id_order in shop.lying()] == [[]] * 8
    assert set(shop.imports()) == {"Created"}
    shop.export()
    assert shop.debtors() == []


def test_a_line_has_the_acknowledged_item_code_else_the_one_of_the_order(shop: Selling) -> None:
    def code() -> str:
        shop.export(61)
        (found,) = {one.get("code") for one in shop.document(61).iterfind(".//OrderLine/Item")} - {"SHIPPING"}
        return str(found)

    assert code() == "LL-NW-RD-M"
    shop.take()
    shop.post(shop.claims()[61], "no")
    acknowledge_item(shop, (1, 101), "EEND")
    shop.after(hours=1)
    assert code() == "EEND"


def acknowledge_item(shop: Selling, key: tuple[int, int], code: str) -> None:
    blank = {"lines": (), **dict.fromkeys(Item._fields, "")}
    document = Item(**{name: blank[name] for name in Item._fields} | {"code": code}).stored()
    with shop.state() as state:
        one = Acknowledgement(*key, b"i" * 16, 0, None, code, document, None, 0, False)
        state.ledger("product", "exact").acknowledge([one], run_id=0, at=shop.now)


def test_an_item_the_erp_lacks_fails_until_it_has_it(shop: Selling) -> None:
    first = shop.export(75)
    assert failed(first) == {75: "item_not_in_erp"}
    assert "The ERP has no item BAL-POOT" in (shop.row(75).message or "")

    shop.sql("UPDATE Items SET ItemCode = 'bal-poot ' WHERE ItemCode = 'POP-KOT'", database="erp")

    assert shop.export(75).tally.delivered == 1


def test_without_an_answer_of_the_erp_an_order_goes_all_the_same_and_people_are_told(shop: Selling) -> None:
    shop.export(62)
    shop.erp_is_away = True

    first = shop.export(61, 75)

    assert (first.tally.delivered, dict(first.tally.warnings)) == (2, {"erp_not_asked": 1})
    assert first.erp_trouble


# --- once ---------------------------------------------------------------------------------------------------


def test_what_lies_unread_is_waited_for_as_long_as_it_takes(shop: Selling) -> None:
    shop.export(61)
    for _ in range(3):
        assert shop.after(days=30).export(61).tally.reasons == {"in_flight": 1}
    assert shop.claims()[61].lease_until == NOT_TAKEN
    assert shop.lying() == [61]


def test_what_a_reader_took_and_did_not_import_goes_again_when_the_erp_says_so(shop: Selling) -> None:
    shop.export(61)
    shop.take()
    taken = shop.after(days=3)
    assert taken.export(61).tally.reasons == {"in_flight": 1}, "the clock starts when the file is seen gone"
    assert taken.claims()[61].lease_until == taken.now + timedelta(hours=1)
    assert taken.after(minutes=59).export(61).tally.reasons == {"in_flight": 1}

    again = taken.after(minutes=1).export(61)

    assert ([key[0] for key in again.read_back.released], again.tally.delivered) == ([61], 1)
    assert taken.lying() == [61]
    assert taken.claims()[61].lease_until == NOT_TAKEN


def test_while_the_erp_is_away_nobody_knows_and_nothing_goes_again(anywhere: Selling) -> None:
    anywhere.export(61)
    anywhere.take()
    anywhere.export(61)
    anywhere.after(hours=2)
    anywhere.erp_is_away = True

    first, second = anywhere.export(61), anywhere.export(61)

    assert (failed(first), first.tally.new_failures) == ({61: "outcome_unknown"}, 1)
    assert (failed(second), second.tally.new_failures) == ({61: "outcome_unknown"}, 0)
    row = anywhere.row(61)
    assert (row.status, row.reason) == ("failed", "outcome_unknown")
    assert "Look for QMXPLTRWE-61 in Exact, then: brekzsync orders settle 61 --sent, or --resend." in (
        row.message or ""
    )
    anywhere.erp_is_away = False
    assert anywhere.export(61).tally.delivered == 1


def test_an_erp_that_is_back_says_that_it_arrived_after_all(shop: Selling) -> None:
    shop.export(61)
    taken = shop.take()
    shop.export(61)
    shop.after(hours=2)
    shop.erp_is_away = True
    shop.export(61)
    shop.erp_is_away = False
    shop.import_(*taken)

    assert shop.export(61).tally.unchanged == 1
    assert shop.told(61) == [SENT]
    assert shop.in_exact()["QMXPLTRWE-61"] == 1


def test_without_an_erp_a_result_or_a_person_settles(shop: Selling) -> None:
    shop.replace('database = "sqlite:///erp.db"', "# none")
    shop.export(61, 62)
    assert shop.export(61).tally.warnings == {}, "nobody expects to be told of it every time"
    shop.take()
    shop.export(61)
    shop.after(hours=2).export(61, 62)
    assert shop.told(61, 62) == [("failed", "outcome_unknown", False)] * 2

    assert shop.post(shop.claims()[61]).acknowledged == [(61, 0)]
    shop.settle(62, as_="resend")

    assert shop.export(61, 62).tally.delivered == 1
    assert shop.lying() == [62]


def test_a_rejected_order_fails_with_exacts_words_and_waits_before_it_goes_again(shop: Selling) -> None:
    shop.export(61)
    shop.take()
    claim = shop.claims()[61]
    assert shop.post(claim, "Debtor W11 is blocked").rejected == [(61, 0)]
    row = shop.row(61)
    assert (row.status, row.message) == ("failed", "Debtor W11 is blocked")

    assert shop.export(61).tally.reasons == {"waiting_to_retry": 1}
    assert shop.after(seconds=REJECTION_DELAYS[0].total_seconds()).export(61).tally.delivered == 1
    assert shop.post(claim, "Debtor W11 is blocked").unknown == [] or shop.claims() == {}


def test_a_late_import_of_what_was_given_up_is_taken_and_ends_what_was_sent_instead(
    anywhere: Selling,
) -> None:
    anywhere.export(61)
    anywhere.take()
    first = anywhere.claims()[61]
    anywhere.export(61)
    anywhere.after(hours=2).export(61)
    assert anywhere.post(first).acknowledged == [(61, 0)]

    assert anywhere.export(61).tally.unchanged == 1
    assert anywhere.claims() == {}


def test_what_a_killed_reader_imported_but_did_not_delete_is_taken_away(shop: Selling) -> None:
    shop.export(61)
    (path,) = (shop.folder / "outbox/orders").glob("61.xml")
    shop.import_(path.read_bytes())

    shop.export(61)

    assert (shop.lying(), shop.told(61)) == ([], [SENT])


@pytest.mark.parametrize("is_imported", [True, False])
def test_a_lost_state_sends_nothing_twice_that_exact_has(shop: Selling, is_imported: bool) -> None:
    shop.export()
    taken = [(shop.folder / f"outbox/orders/{id_order}.xml").read_bytes() for id_order in shop.lying()]
    if is_imported:
        shop.import_(*taken)  # and the reader was killed before it deleted them
    shop.lose_state()

    again = shop.after(minutes=5).export()

    assert again.tally.reasons["found_in_erp"] == (10 if is_imported else 2)
    assert shop.lying() == ([] if is_imported else FIRST_SENT)
    shop.imports()
    shop.export()
    assert shop.in_exact() == SENT_ONCE
    assert shop.told(*FIRST_SENT) == [SENT] * 8


def test_a_claim_of_another_reader_keeps_an_order_out_of_the_outbox(shop: Selling) -> None:
    claim_over_http(shop, 61)

    assert shop.export(61, 62).tally.reasons == {"in_flight": 1}
    assert shop.lying() == [62]


def claim_over_http(shop: Selling, id_order: int, claimed_by: str = "reader") -> bool:
    with shop.flow() as flow:
        one = Serving(id_order, 0, b"h" * 16, 0, b"d" * 16, f"REF-{id_order}", "{}")
        until = shop.now + timedelta(hours=1)
        granted = flow.claims.claim([one], claimed_by=claimed_by, run_id=None, at=shop.now, lease_until=until)
    return (id_order, 0) in granted


def test_who_looked_before_another_claimed_anew_does_not_end_that_claim(shop: Selling) -> None:
    shop.export(61)
    shop.take()
    shop.export(61)
    shop.after(hours=2)

    class Slow:
        """The ERP answers; meanwhile another run has done all of it, and the new document lies there."""

        is_configured, trouble = True, ""

        def orders(self, _references: object) -> dict[str, Any]:
            shop.adjust = lambda flow: flow
            assert shop.export(61).tally.delivered == 1
            return {}

    shop.adjust = lambda flow: replace(flow, ask_erp=lambda: Slow())
    shop.look()

    assert (list(shop.claims()), shop.lying()) == ([61], [61])


# --- what the shop changes afterwards -----------------------------------------------------------------------


@pytest.fixture
def sent(shop: Selling) -> Selling:
    """Order 61 is in Exact."""
    shop.export(61)
    shop.imports()
    shop.export(61)
    return shop


def noticed(shop: Selling) -> list[tuple[int, str, bool]]:
    return [(one.key[0], one.reason, one.is_new) for one in shop.export().noticed]


def test_a_change_after_export_is_told_and_never_sent(sent: Selling) -> None:
    assert noticed(sent) == []
    sent.move(61)

    assert noticed(sent) == [(61, "changed_after_export", True)]
    assert noticed(sent) == [(61, "changed_after_export", False)]
    row = sent.row(61)
    assert (row.status, row.reason) == ("synced", "changed_after_export")
    assert row.message == (
        "The shop changed it after it was exported: delivery address, invoice address."
        " Change it in Exact by hand, where it matters."
    )
    assert 61 not in sent.lying()


def test_a_change_taken_back_is_told_no_more(sent: Selling) -> None:
    city = "UPDATE ps_address SET city = '{}' WHERE id_address = 21"
    sent.sql(city.format("Rotterdam"))
    sent.export()
    sent.sql(city.format("Utrecht"))

    assert noticed(sent) == []
    assert sent.told(61) == [SENT]


def test_a_change_long_after_the_export_is_nobodys_business(sent: Selling) -> None:
    sent.move(61)

    assert noticed(sent.after(days=31)) == []


def test_states_and_times_are_no_change(sent: Selling) -> None:
    sent.state_of_order(61, 4)
    sent.sql("UPDATE ps_orders SET date_upd = '2026-11-21 13:00:00' WHERE id_order = 61")
    sent.sql("UPDATE ps_customer SET email = 'new@example.com' WHERE id_customer = 11")

    assert noticed(sent) == []


def test_an_order_canceled_after_its_export_is_told_however_late(sent: Selling) -> None:
    sent.after(days=90).state_of_order(61, 6)

    assert noticed(sent) == [(61, "canceled_after_export", True)]
    assert noticed(sent) == []
    assert sent.told(61) == [("synced", "canceled_after_export", True)]
    assert sent.row(61).message == (
        "The shop canceled it (state 6), after it was exported: cancel it in Exact by hand."
    )


def test_an_order_changed_and_canceled_is_canceled_and_that_is_said_once(sent: Selling) -> None:
    sent.move(61)
    sent.state_of_order(61, 6)

    assert noticed(sent) == [(61, "canceled_after_export", True)]
    assert noticed(sent) == []
    assert sent.told(61) == [("synced", "canceled_after_export", True)]


def test_a_cancellation_taken_back_is_told_no_more_and_nothing_is_sent(sent: Selling) -> None:
    sent.state_of_order(61, 6)
    sent.export()
    sent.state_of_order(61, 2)

    assert noticed(sent) == []
    assert sent.told(61) == [SENT]
    assert 61 not in sent.lying()


def test_an_exported_order_the_shop_lost_is_told(sent: Selling) -> None:
    sent.sql("DELETE FROM ps_orders WHERE id_order = 61")

    assert noticed(sent) == [(61, "canceled_after_export", True)]
    assert (sent.row(61).message or "").startswith("The shop no longer has it, after it was exported")


def test_an_order_canceled_before_it_went_is_let_go_and_comes_back_when_it_is_due(shop: Selling) -> None:
    shop.export()
    assert shop.told(71) == [("failed", "unmapped_delivery_method", False)]
    shop.state_of_order(71, 6)

    assert shop.export().tally.reasons["no_longer_due"] == 1
    assert shop.told(71) == [("synced", "no_longer_due", False)]
    assert shop.export().tally.reasons["no_longer_due"] == 0
    shop.state_of_order(71, 2)
    assert 71 in failed(shop.export())


def test_an_order_canceled_on_its_way_is_told_once_it_arrived(shop: Selling) -> None:
    shop.export(61)
    shop.state_of_order(61, 6)
    assert noticed(shop) == []
    assert 61 in shop.claims()

    shop.imports()

    assert noticed(shop) == [(61, "canceled_after_export", True)]


def test_a_refund_changed_after_its_export_is_told(shop: Selling) -> None:
    shop.export()
    shop.refund(1)
    shop.imports(noun="refunds")
    shop.refund()
    shop.sql("UPDATE ps_order_slip_detail SET product_quantity = 2 WHERE id_order_slip = 1")

    assert [one.reason for one in shop.refund().noticed] == ["changed_after_export"]
    assert shop.told(1, flow="refund") == [("synced", "changed_after_export", True)]


# --- first runs ---------------------------------------------------------------------------------------------


@pytest.fixture
def busy(shop: Selling) -> Selling:
    """A shop with more orders than a first run sends unasked."""
    shop.copy_order(61, *range(100, 160))
    return shop


@pytest.mark.parametrize("ids", [(), (61,)], ids=["all", "one of them"])
def test_an_empty_ledger_and_many_orders_need_a_word_first(busy: Selling, ids: tuple[int, ...]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        busy.export(*ids)

    assert refused.value.code == "needs_baseline"
    assert busy.lying() == []
    with pytest.raises(ConfigurationError):
        busy.export(*ids)


def test_a_baseline_that_found_nothing_was_one_all_the_same(shop: Selling) -> None:
    shop.copy_order(61, *range(100, 160))
    shop.sql("UPDATE ps_orders SET current_state = current_state + 100 WHERE current_state NOT IN (6, 8)")
    shop.sql("UPDATE ps_order_history SET id_order_state = id_order_state + 100")
    shop.export(baseline=True)
    with shop.state() as state:
        assert state.ledger("order", "exact").is_empty()
    shop.sql("UPDATE ps_order_history SET id_order_state = id_order_state - 100")

    assert shop.export().tally.delivered > 50


@pytest.mark.parametrize("is_dry", [True, False])
def test_nothing_goes_before_an_erp_that_is_away_can_say_what_it_has_already(
    shop: Selling, is_dry: bool
) -> None:
    shop.erp_is_away = True
    with pytest.raises(Unavailable) as refused:
        shop.export(dry_run=is_dry)
    assert refused.value.code == "erp_not_asked"
    assert (shop.lying(), shop.in_exact()["QWERTZUIO-41"]) == ([], 1)
    shop.erp_is_away = False

    assert shop.export(dry_run=is_dry).tally.reasons["found_in_erp"] == 2


def test_a_first_run_goes_blindly_where_somebody_says_so(shop: Selling) -> None:
    shop.erp_is_away = True
    assert shop.export(force=True).tally.delivered == 11


def test_forced_all_of_them_go(busy: Selling) -> None:
    assert busy.export(force=True).tally.delivered == 68
    assert busy.export().tally.reasons["in_flight"] == 68


def test_a_baseline_takes_all_that_is_due_as_sent(anywhere: Selling) -> None:
    anywhere.copy_order(61, *range(100, 160))
    done = anywhere.export(baseline=True)

    assert (done.baselined, counts(done), anywhere.lying()) == (78, (78, 78, 0, 0, 78, 0, 0), [])
    assert anywhere.told(61, 71, 159) == [SENT] * 3
    assert anywhere.told(69, 70) == []
    assert counts(anywhere.export()) == (78, 78, 0, 0, 78, 0, 0)
    anywhere.state_of_order(69, 2)
    assert anywhere.export().tally.delivered == 1
    assert anywhere.refund().tally.delivered == 5, "their orders are taken for sent"


def test_a_baseline_of_some_orders_leaves_the_others(shop: Selling) -> None:
    assert shop.export(61, 71, baseline=True).baselined == 2
    assert shop.export().tally.delivered == 7
    assert 61 not in shop.lying()


def test_a_baseline_does_not_touch_what_is_on_its_way(shop: Selling) -> None:
    shop.export(61)

    assert shop.export(baseline=True).baselined == 17
    assert (list(shop.claims()), shop.told(61)) == ([61], [IN_FLIGHT])


def test_a_dry_baseline_writes_nothing(shop: Selling) -> None:
    shop.export(61)
    before = shop.files()
    assert shop.export(baseline=True, dry_run=True).baselined == 17
    assert shop.files() == before


# --- dry runs -----------------------------------------------------------------------------------------------


def fresh(_shop: Selling) -> None:
    """Nothing happened yet."""


def some_sent(shop: Selling) -> None:
    shop.export(61, 62, 71)


def some_imported(shop: Selling) -> None:
    shop.export()
    shop.imports(61, 62)


def some_lost(shop: Selling) -> None:
    shop.export()
    shop.take(61, 62)
    shop.export()
    shop.after(hours=2)


def some_unknown(shop: Selling) -> None:
    some_lost(shop)
    shop.erp_is_away = True


def some_rejected(shop: Selling) -> None:
    shop.export()
    shop.take(61)
    shop.post(shop.claims()[61], "no")


def some_changed(shop: Selling) -> None:
    some_imported(shop)
    shop.export()
    shop.move(61)
    shop.state_of_order(62, 6)
    shop.state_of_order(71, 6)


@pytest.mark.parametrize(
    "before", [fresh, some_sent, some_imported, some_lost, some_unknown, some_rejected, some_changed]
)
def test_a_dry_run_counts_what_the_run_then_does_and_writes_nothing(
    shop: Selling, before: Callable[[Selling], None]
) -> None:
    before(shop)
    files = shop.files()

    dry = shop.export(dry_run=True)

    assert shop.files() == files
    real = shop.export()
    assert (counts(dry), dry.tally.reasons, dry.tally.warnings) == (
        counts(real),
        real.tally.reasons,
        real.tally.warnings,
    )
    assert (dry.read_back, dry.noticed) == (real.read_back, real.noticed)


# --- a person decides ---------------------------------------------------------------------------------------


def became(decided: Any) -> list[Became]:
    return [one.became for one in decided]


def test_what_counts_as_sent_is_never_sent_and_its_document_is_taken_away(anywhere: Selling) -> None:
    anywhere.export(61, 62)

    assert became(anywhere.settle(61, 69, 71, as_="sent")) == [Became.SETTLED] * 3

    assert anywhere.told(61, 69, 71) == [SENT] * 3
    assert anywhere.lying() == [62]
    assert anywhere.settle(61, as_="sent")[0].message == "Order 61 is settled already."
    assert not {61, 69, 71} & set(failed(anywhere.export()))
    assert 61 not in anywhere.lying()


def test_what_is_to_be_sent_again_goes_with_the_next_run(shop: Selling) -> None:
    shop.export(61)
    shop.take()

    assert shop.settle(61, as_="resend")[0].message == "Order 61 is sent again by the next run."
    assert shop.told(61) == [("pending", "queued", False)]
    assert shop.export(61).tally.delivered == 1


def test_what_exact_has_cannot_be_sent_again(shop: Selling) -> None:
    shop.export(61)
    shop.imports()

    with pytest.raises(InvalidInput, match=r"Exact has order 61 already: QMXPLTRWE-61 is its order \d+\."):
        shop.settle(61, as_="resend")


def test_what_lies_unread_cannot_be_sent_again(shop: Selling) -> None:
    shop.export(61)

    with pytest.raises(InvalidInput) as refused:
        shop.settle(61, as_="resend")
    assert refused.value.code == "lies_unread"


def test_what_exact_acknowledged_and_lost_can_be_sent_again_only_when_it_says_so(sent: Selling) -> None:
    sent.sql("DELETE FROM orkrg WHERE docnumber LIKE 'QMXPLTRWE%'", database="erp")
    sent.erp_is_away = True
    with pytest.raises(InvalidInput) as refused:
        sent.settle(61, as_="resend")
    assert refused.value.code == "erp_not_asked"
    sent.erp_is_away = False

    assert became(sent.settle(61, as_="resend")) == [Became.PENDING]
    assert sent.told(61) == [("pending", "queued", False)]
    assert sent.export(61).tally.delivered == 1


def test_what_never_went_need_not_be_sent_again(shop: Selling) -> None:
    shop.export(71)
    (decided,) = shop.settle(71, as_="resend")

    assert (decided.became, decided.message) == (
        Became.UNCHANGED,
        "Order 71 is not out; the next run sends it when it is due.",
    )


@pytest.mark.parametrize("as_", ["sent", "resend"])
def test_one_unknown_id_leaves_all_of_them_alone(shop: Selling, as_: Any) -> None:
    shop.export(61)
    shop.take()
    before = shop.files()

    with pytest.raises(InvalidInput, match=r"There is no order 9999; nothing was changed\."):
        shop.settle(61, 9999, as_=as_)
    assert shop.files() == before


def test_deciding_dry_writes_nothing(shop: Selling) -> None:
    shop.export(61)
    shop.take()
    before = shop.files()

    assert became(shop.settle(61, 71, as_="sent", dry_run=True)) == [Became.SETTLED] * 2
    assert became(shop.settle(61, as_="resend", dry_run=True)) == [Became.PENDING]
    assert shop.look(dry_run=True).settled == []
    assert shop.files() == before


def test_looking_settles_what_the_erp_has_and_frees_what_it_has_not(shop: Selling) -> None:
    shop.export()
    shop.imports(61)
    shop.take(62)
    shop.look()
    assert shop.told(61) == [SENT]

    came_to = shop.after(hours=2).look()

    assert came_to.released == [(62, 0)]
    assert shop.told(62) == [("pending", "queued", False)]
    assert 62 not in shop.lying(), "only a run sends"


# --- targets, switches, other things in the way -------------------------------------------------------------


def test_each_target_gets_every_order_once(shop: Selling) -> None:
    text = shop.config.read_text(encoding="utf-8")
    shop.config.write_text(
        f'{text}\n[targets.a.products]\noutput = "a"\n[targets.b.products]\noutput = "b"\n', encoding="utf-8"
    )
    for target in ("a", "b"):
        assert shop.export(target=target).tally.delivered == 8
        assert len(list((shop.folder / target / "orders").glob("??.xml"))) == 8
    assert shop.told(61, target="a") == shop.told(61, target="b") == [IN_FLIGHT]
    with pytest.raises(BrekzsyncError):
        shop.export(target="c")


def test_two_runs_at_once_are_one_too_many(shop: Selling) -> None:
    shop.export(61)
    with shop.state() as state, state.locks.hold("order", "exact"):
        with pytest.raises(LockHeld):
            shop.export(62)
        assert shop.refund().tally.pending == 5, "refunds have a lock of their own"


def test_a_document_that_cannot_be_written_is_not_claimed(shop: Selling) -> None:
    def broken(order: Any) -> bytes:
        if order.your_ref == "DUIWPQHRT-63":
            raise OSError(28, "No space left on device")
        return b"<eExact/>"

    shop.adjust = lambda flow: replace(flow, document_of=broken)
    with pytest.raises(BrekzsyncError, match="no space left on device"):
        shop.export()
    assert (shop.claims(), shop.lying()) == ({}, [])

    shop.adjust = lambda flow: flow
    assert shop.export().tally.delivered == 8


@pytest.mark.parametrize("folder", ["orders", "refunds"])
def test_a_folder_nobody_may_write_is_told_of_before_anything_is_claimed(shop: Selling, folder: str) -> None:
    shop.export(41)
    (shop.folder / "outbox" / folder).mkdir(parents=True, exist_ok=True)
    (shop.folder / "outbox" / folder).rename(shop.folder / "outbox/kept")
    (shop.folder / "outbox" / folder).write_text("a file stands in its place")

    with pytest.raises(ConfigurationError):
        shop.export(kind=REFUNDS) if folder == "refunds" else shop.export()
    assert shop.claims() == shop.claims("refund") == {}


def test_what_another_release_wrote_is_no_trouble(shop: Selling) -> None:
    claim_over_http(shop, 61)
    with shop.flow() as flow:
        one = Serving(62, 0, b"h" * 16, 0, b"d" * 16, "REF-62", '{"lines": [{"kind": "tip"}]}')
        flow.claims.claim([one], claimed_by=None, run_id=None, at=shop.now, lease_until=NOT_TAKEN)
    (shop.folder / "outbox/orders").mkdir(parents=True)
    (shop.folder / "outbox/orders/62.xml").write_text("<eExact/>")

    assert shop.export().tally.delivered == 6
    assert shop.indexed()[0] == ("62", "")


def test_an_order_over_a_real_prestashop_goes_as_it_does_in_the_demo(shop: Selling, prestashop: Any) -> None:
    shop.replace('database = "sqlite:///shop.db"', f'database = "{prestashop.url()}"')
    shop.replace('data_shop = "NL"', "data_shop = 1")
    shop.replace('database = "sqlite:///erp.db"', "# none")
    shop.replace("[orders]", "[orders]\nready_states = [1, 2, 6, 8, 10]\ndead_states = []")

    run = shop.export()

    assert run.tally.read == run.tally.eligible > 0
    assert run.tally.pending == run.tally.delivered + run.tally.failed
    assert shop.lying() == sorted(shop.claims())
    for claim in shop.claims().values():
        order = StoredOrder.from_stored(claim.document or "").order
        assert references(shop.document(claim.key_major)) == [order.your_ref]


def test_what_a_baseline_took_is_not_watched_for_changes(shop: Selling) -> None:
    shop.export(baseline=True)
    shop.move(62)
    shop.state_of_order(61, 6)

    assert [(one.key[0], one.reason) for one in shop.export().noticed] == [(61, "canceled_after_export")]


def test_what_lies_unread_of_a_lost_state_and_is_no_longer_due_is_withdrawn(shop: Selling) -> None:
    shop.export()
    assert shop.lying() == FIRST_SENT
    shop.lose_state()
    shop.state_of_order(64, 6)

    shop.export(62)
    assert 64 in shop.lying()  # a look at one order tells nothing of the others
    shop.export()

    assert shop.lying() == [one for one in FIRST_SENT if one != 64]
