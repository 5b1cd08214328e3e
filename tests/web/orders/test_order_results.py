"""What Exact says became of orders, what is withheld, and refunds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from lxml import etree

from brekzsync.errors import Unavailable
from brekzsync.exact.orders import OrderRepository
from tests.exports import Installation
from tests.fetching import (
    fetch,
    ids,
    leases_end,
    outcome,
    references,
    refusal,
    refused,
    time_left,
)
from tests.selling import FIRST_SENT, Selling
from tests.serving import Serving, serving_here

# --- results -----------------------------------------------------------------------------------------------


def test_a_rejected_order_fails_with_exacts_words_and_comes_again_later(
    shop: Selling, service: Serving
) -> None:
    fetch(service, 61)

    told = service.report({"id": "61", "status": "rejected", "message": "Debiteur geblokkeerd"}, of="orders")

    assert outcome(told) == ["settled"]
    row = shop.row(61)
    assert (row.status, row.reason, row.message) == ("failed", "rejected", "Debiteur geblokkeerd")
    assert 61 not in ids(service)
    waiting = service.get("orders/61")
    assert refused(waiting) == (409, "waiting_to_retry")
    assert "Debiteur geblokkeerd" in waiting.text
    with closing(sqlite3.connect(shop.folder / "state.db")) as state, state:
        state.execute("UPDATE ledger SET next_attempt_at = 1 WHERE key_major = 61")
    assert 61 in ids(service)
    assert references(fetch(service, 61)) != []


def test_what_was_handed_over_is_asked_for_an_hour_later(shop: Selling, service: Serving) -> None:
    fetch(service, 61)
    leases_end(shop)

    told = service.report({"id": "61", "status": "handed_over"}, of="orders")

    assert outcome(told) == ["in_flight"]
    assert time_left(shop, 61) >= timedelta(hours=1)
    assert 61 not in ids(service)


def test_an_order_the_erp_lacks_after_its_time_is_offered_again_and_a_late_import_still_counts(
    shop: Selling, service: Serving
) -> None:
    version = service.get("orders/61").headers["x-version"]
    leases_end(shop)

    assert 61 in ids(service)
    told = service.report({"id": "61", "status": "imported", "version": version}, of="orders")

    assert outcome(told) == ["settled"]
    assert 61 not in ids(service)
    assert refusal(service, 61) == (409, "already_exported")


def test_the_same_result_twice_and_one_for_what_was_never_served_change_nothing(
    shop: Selling, service: Serving
) -> None:
    fetch(service, 61)
    results = [
        {"id": "61", "status": "imported"},
        {"id": "61", "status": "imported"},
        {"id": "62", "status": "imported"},
        {"id": "999999", "status": "rejected"},
        {"id": "61-0", "status": "imported"},
        {"id": "no id at all", "status": "imported"},
        {"id": "61", "status": "imported", "version": "not a version"},
    ]

    told = service.report(*results, of="orders")

    assert outcome(told) == ["settled", *["unknown"] * 6]
    assert [one["id"] for one in told["results"]] == [one["id"] for one in results]
    assert shop.told(61, 62) == [("synced", None, True)]
    rejected = service.report({"id": "61", "status": "rejected"}, of="orders")
    assert outcome(rejected) == ["unknown"]  # too late: the ERP has it


@pytest.mark.parametrize("form", ["schema", "online"])
def test_messages_of_exact_settle_by_reference_or_id(shop: Selling, service: Serving, form: str) -> None:
    reference = references(fetch(service, 61))[0]
    fetch(service, 62)
    fetch(service, 63)
    said = [(reference.lower(), 2, "Orders"), ("62", 0, "Orders"), ("63", 2, "Items"), ("W11", 2, "Accounts")]
    lines = "".join(
        f'<Message type="{kind}"><Topic code="{topic}" node="Order">'
        + (f'<DataKey code="{code}">{code}</DataKey>' if form == "schema" else f'<Data keyAlt="{code}"/>')
        + "</Topic><Description>Unknown item</Description></Message>"
        for code, kind, topic in said
    )
    answer = service.client.post(
        "/exact/orders/results",
        content=f"<eExact><Messages>{lines}</Messages></eExact>".encode(),
        headers={"Content-Type": "text/xml"},
    )

    assert answer.status_code == 200, answer.text
    told = [(one.get("id"), one.get("outcome")) for one in etree.fromstring(answer.content)]
    assert told == [("61", "settled"), ("62", "settled"), ("", "unknown"), ("", "unknown")]
    assert [row[0] for row in shop.told(61, 62, 63)] == ["synced", "failed", "pending"]


# --- what is withheld --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id_", "expected"),
    [
        (69, (409, "not_due")),
        (70, (409, "not_due")),
        (41, (409, "already_exported")),
        (71, (409, "unmapped_delivery_method")),
        (75, (409, "item_not_in_erp")),
        (77, (409, "totals_differ")),
        (999_999, (404, "unknown_key")),
    ],
)
def test_what_does_not_go_says_why(service: Serving, id_: int, expected: tuple[int, str]) -> None:
    assert refusal(service, id_) == expected


def test_a_refused_order_is_told_in_the_logs_and_goes_once_it_is_mended(
    shop: Selling, service: Serving
) -> None:
    answer = service.get("orders/73")

    row = shop.row(73)
    assert (row.status, row.reason) == ("failed", "unknown_country")
    assert row.message in etree.fromstring(answer.content).findtext("Message")
    assert shop.claims() == {}


def test_an_order_canceled_after_it_was_exported_is_told(shop: Selling, service: Serving) -> None:
    fetch(service, 61)
    fetch(service, 62)
    service.report({"id": "61", "status": "imported"}, {"id": "62", "status": "imported"}, of="orders")
    shop.state_of_order(61, 6)
    shop.move(62)

    service.index("?limit=1", of="orders")
    service.index(of="orders")

    assert shop.told(61, 62) == [
        ("synced", "canceled_after_export", True),
        ("synced", "changed_after_export", True),
    ]
    assert refusal(service, 61) == (409, "already_exported")


def test_a_target_that_takes_files_is_served_nothing(shop: Selling, installed: Installation) -> None:
    shop.replace('channel = "http"', 'channel = "files"')
    with serving_here(installed) as service:
        for path in ("orders", "orders.xml", "orders/61", "refunds"):
            assert refused(service.get(path)) == (409, "other_channel")
        posted = service.client.post("/exact/orders/results", json={"results": []})
        assert refused(posted) == (409, "other_channel")


def test_without_a_word_about_orders_none_are_served(shop: Selling, installed: Installation) -> None:
    text = shop.config.read_text(encoding="utf-8")
    before, _, after = text.partition("[orders]")
    shop.config.write_text(before + after[after.index("\n[") + 1 :], encoding="utf-8")
    assert "[orders" not in shop.config.read_text(encoding="utf-8")

    with serving_here(installed) as service:
        for path in ("orders", "orders.xml", "orders/61", "refunds"):
            assert refused(service.get(path)) == (409, "not_configured")


def test_a_flow_that_is_switched_off_can_only_be_looked_at(shop: Selling, installed: Installation) -> None:
    assert installed.cli("flows", "disable", "order", "--reason", "stock-taking").code == 0
    with serving_here(installed) as service:
        for path in ("orders", "orders.xml", "orders/61"):
            assert refused(service.get(path)) == (409, "flow_disabled")
            assert service.get(f"{path}?preview=1").status_code == 200
        assert service.get("refunds").status_code == 200
        assert service.report({"id": "61", "status": "imported"}, of="orders")["unknown"] == 1


def test_a_new_or_lost_state_hands_out_nothing_when_much_is_due(
    shop: Selling, installed: Installation
) -> None:
    shop.replace("[orders]", "[orders]\nfirst_run_limit = 3")
    with serving_here(installed) as service:
        for path in ("orders", "orders.xml", "orders/61"):
            answer = service.get(path)
            assert refused(answer) == (409, "needs_baseline")
            assert "--baseline" in etree.fromstring(answer.content).findtext("Hint")
        assert shop.claims() == {}
        assert installed.cli("orders", "export", "--baseline").code == 0
        assert ids(service) == []


# --- an ERP that is away -----------------------------------------------------------------------------------


def test_without_the_erp_orders_go_and_what_nobody_knows_of_waits_for_a_person(
    shop: Selling, service: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_self: Any, _references: Any) -> Any:
        raise Unavailable("The ERP does not answer.")

    service.index(of="orders")  # with something in Exact the state is known not to be lost
    monkeypatch.setattr(OrderRepository, "by_docnumber", away)
    fetch(service, 61)
    leases_end(shop)

    assert 61 not in ids(service)

    assert (shop.row(61).status, shop.row(61).reason) == ("failed", "outcome_unknown")
    assert refusal(service, 61) == (409, "outcome_unknown")
    assert outcome(service.report({"id": "61", "status": "imported"}, of="orders")) == ["settled"]


def test_an_erp_that_failed_is_left_alone_for_a_while(
    shop: Selling, installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def away(_self: Any, _references: Any) -> Any:
        asked.append(1)
        raise Unavailable("The ERP does not answer.")

    with serving_here(installed) as service:
        for of in ("orders", "refunds"):  # with something in Exact the state is known not to be lost
            service.index(of=of)
        fetch(service, 1, of="refunds")
        monkeypatch.setattr(OrderRepository, "by_docnumber", away)
        for id_ in FIRST_SENT[:4]:
            fetch(service, id_)
        service.index(of="orders")
        service.index(of="refunds")

    assert len(asked) == 1


def test_the_erp_is_read_back_once_in_a_while(shop: Selling, installed: Installation) -> None:
    with serving_here(installed) as service:
        for id_ in (61, 62):
            shop.import_(service.get(f"orders/{id_}").content)
            service.index(of="orders")

    assert sorted(shop.claims()) == [62]


def test_without_the_erp_a_new_state_hands_nothing_out(shop: Selling, installed: Installation) -> None:
    shop.replace("sqlite:///erp.db", "sqlite:////nowhere/erp.db")
    with serving_here(installed) as service:
        for path in ("orders", "orders.xml", "orders/61"):
            assert refused(service.get(path)) == (503, "erp_not_asked")
        assert references(fetch(service, 61, "?preview=1")) != []
    assert shop.claims() == {}


# --- refunds -----------------------------------------------------------------------------------------------


def test_a_refund_waits_for_its_order_and_then_goes(shop: Selling, service: Serving) -> None:
    assert ids(service, of="refunds") == []
    assert refusal(service, 1, of="refunds") == (409, "order_not_in_erp")
    service.index(of="orders")  # finds order 41 in Exact

    entries = service.index(of="refunds")
    assert [one["id"] for one in entries] == ["1"]
    root = fetch(service, 1, of="refunds")
    assert references(root) == [entries[0]["code"]]
    assert entries[0]["code"].endswith("-R1")
    assert all(int(line.findtext("Quantity")) < 0 for line in root.iterfind("Orders/Order/OrderLine"))
    told = service.report({"id": "1", "status": "imported"}, of="refunds")
    assert outcome(told) == ["settled"]
    assert shop.told(1, flow="refund") == [("synced", None, True)]
    assert refusal(service, 999, of="refunds") == (404, "unknown_key")
    assert len(service.validated(service.get("refunds.xml").content)) == 0


# --- several targets ---------------------------------------------------------------------------------------


def test_each_of_several_targets_fetches_for_itself(shop: Selling, installed: Installation) -> None:
    text = shop.config.read_text(encoding="utf-8")
    for name in ("first", "second"):
        text += f'[targets.{name}.products]\nchannel = "http"\n'
    shop.config.write_text(text, encoding="utf-8")
    with serving_here(installed) as service:
        assert refused(service.get("orders")) == (400, "unknown_target")
        entry = service.index("?target=first&limit=1", of="orders")[0]
        assert entry["href"] == "orders/61?target=first"
        assert service.get(entry["href"]).status_code == 200
        assert 61 not in ids(service, "?target=first")
        assert 61 in ids(service, "?target=second")
