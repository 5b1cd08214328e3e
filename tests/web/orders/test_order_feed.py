"""Exact fetches orders: each goes to one reader, once."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from typing import Any

import httpx2
import pytest
from lxml import etree

from brekzsync.errors import Unavailable
from tests.exports import Installation
from tests.fetching import (
    DUE,
    accounts,
    fetch,
    ids,
    leases_end,
    outcome,
    references,
    refusal,
    refused,
    time_left,
)
from tests.selling import FAILING, FIRST_SENT, IN_EXACT, Selling
from tests.serving import Serving, serving, serving_here

# --- the whole way -----------------------------------------------------------------------------------------


def test_everything_due_is_fetched_reported_and_never_offered_again(shop: Selling, service: Serving) -> None:
    entries = service.index(of="orders")
    assert [int(one["id"]) for one in entries] == FIRST_SENT
    assert shop.claims() == {}  # a look claims nothing

    for entry in entries:
        answer = service.get(entry["href"])
        assert answer.headers["x-version"] == entry["version"]
        assert references(service.validated(answer.content)) == [entry["code"]]
    assert ids(service) == []
    assert sorted(shop.claims()) == FIRST_SENT

    told = service.report(*({"id": one["id"], "status": "imported"} for one in entries), of="orders")

    assert outcome(told) == ["settled"] * len(entries)
    assert shop.told(*FIRST_SENT) == [("synced", None, True)] * len(entries)
    assert shop.claims() == {}
    assert ids(service) == []
    assert refusal(service, FIRST_SENT[0]) == (409, "already_exported")


def test_what_the_index_finds_of_the_others_is_told_in_the_logs(shop: Selling, service: Serving) -> None:
    service.index(of="orders")

    assert shop.told(*IN_EXACT) == [("synced", None, True)] * 2
    assert [reason for _, reason, _ in shop.told(*FAILING)] == [
        "unmapped_delivery_method",
        "unmapped_payment_method",
        "unknown_country",
        "missing_item_code",
        "item_not_in_erp",
        "unmapped_tax_rate",
        "totals_differ",
        "your_ref_too_long",
    ]
    with shop.state() as state:
        run = state.runs.latest("order", "exact")
    assert run is not None
    assert (run.command, run.status) == ("serve: GET /exact/orders", "done")


def test_an_order_imported_and_read_back_is_settled_without_a_word(shop: Selling, service: Serving) -> None:
    answer = service.get("orders/61")
    assert shop.import_(answer.content) != []

    assert 61 not in ids(service)

    assert shop.told(61) == [("synced", None, True)]
    assert 11 in shop.debtors()
    assert accounts(fetch(service, 66)) == []  # the same customer's: the debtor is there now


def test_pages_follow_one_another_without_gap_or_repeat(service: Serving) -> None:
    paged: list[int] = []
    following = ""
    for _ in range(len(FIRST_SENT) + 1):
        page = service.page(f"?limit=3&next={following}", of="orders")
        paged += [int(entry.get("id")) for entry in page]
        following = page.get("next")
        if not following:
            break

    assert paged == FIRST_SENT


# --- claims ------------------------------------------------------------------------------------------------


def test_an_order_goes_to_one_reader_and_to_the_same_one_again(shop: Selling, service: Serving) -> None:
    first = service.get("orders/61", headers={"X-Claim": "a"})
    shop.move(61)

    assert service.get("orders/61", headers={"X-Claim": "a"}).content == first.content
    assert refusal(service, 61, by="b") == refusal(service, 61) == (409, "in_flight")
    assert 61 not in ids(service)
    assert shop.claims()[61].claimed_by == "a"


def test_readers_without_a_name_are_not_the_same(service: Serving) -> None:
    fetch(service, 61)

    assert refusal(service, 61) == (409, "in_flight")


def test_asking_again_begins_the_lease_anew(shop: Selling, service: Serving) -> None:
    fetch(service, 61, by="a")
    leases_end(shop)

    fetch(service, 61, by="a")

    assert time_left(shop, 61) >= timedelta(hours=1)
    assert 61 not in ids(service)


def test_who_asks_again_for_what_the_erp_has_gets_it_no_second_time(shop: Selling, service: Serving) -> None:
    answer = service.get("orders/61", headers={"X-Claim": "a"})
    shop.import_(answer.content)

    assert refusal(service, 61, by="a") == (409, "already_exported")
    assert set(shop.in_exact().values()) == {1}


@pytest.mark.parametrize("look", ["preview", "head", "range"])
def test_a_look_claims_nothing_and_leaves_no_trace(shop: Selling, service: Serving, look: str) -> None:
    for path in ("orders/61", "orders.xml", "orders", "orders/61"):
        if look == "head":
            answer = service.client.head(f"/exact/{path}")
            assert answer.content == b""
        else:
            answer = service.get(
                path + ("?preview=1" if look == "preview" else ""),
                headers={"Range": "bytes=0-9"} if look == "range" else {},
            )
        assert answer.status_code == 200, answer.text
    with shop.state() as state:
        assert state.runs.latest("order", "exact") is None
    assert shop.claims() == {}
    assert shop.told(*DUE) == []


def test_a_preview_says_what_an_order_would_say_now_whatever_became_of_it(
    shop: Selling, service: Serving
) -> None:
    before = service.get("orders/61").content
    shop.move(61)
    on_its_way = service.get("orders/61?preview=1").content
    service.report({"id": "61", "status": "imported"}, of="orders")
    exported = service.get("orders/61?preview=1").content

    assert (b"Rotterdam" in before, b"Rotterdam" in on_its_way, b"Rotterdam" in exported) == (
        False,
        True,
        True,
    )
    assert references(fetch(service, 41, "?preview=1")) != []
    assert refused(service.get("orders/75?preview=1")) == (409, "item_not_in_erp")
    assert shop.told(75) == []


def test_eight_readers_and_two_workers_give_each_order_to_one(
    anywhere: Selling, installed: Installation
) -> None:
    shop = anywhere
    numbers = list(range(101, 151))
    shop.copy_order(61, *numbers)
    granted: list[tuple[str, str]] = []
    ready = threading.Barrier(8)

    def read(service: Serving, name: str) -> None:
        headers = dict(service.client.headers) | {"X-Claim": name}
        with httpx2.Client(base_url=service.address, headers=headers, timeout=60) as client:
            ready.wait()
            for number in [*numbers[:10], *Random(name).sample(numbers[10:], 40)]:
                answer = client.get(f"/exact/orders/{number}")
                assert answer.status_code in (200, 409), answer.text
                if answer.status_code == 200:
                    granted.append((name, references(service.validated(answer.content))[0]))

    shop.replace("[orders]", "[orders]\nfirst_run_limit = 100")
    with serving(installed, "--workers", "2") as service, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: read(service, name), [f"reader-{one}" for one in range(8)]))

    assert Counter(reference for _, reference in granted) == {
        f"COPY{number}-{number}": 1 for number in numbers
    }
    assert sorted(shop.claims()) == numbers
    by = {claim.key_major: claim.claimed_by for claim in shop.claims().values()}
    assert {(by[int(reference.rpartition("-")[2])], reference) for _, reference in granted} == set(granted)


# --- many in one document ----------------------------------------------------------------------------------


def test_many_orders_come_in_one_document_with_each_debtor_once(shop: Selling, service: Serving) -> None:
    root = service.validated(service.get("orders.xml?limit=6").content)
    assert [child.tag for child in root] == ["Accounts", "Orders"]
    assert [reference.rpartition("-")[2] for reference in references(root)] == [
        str(one) for one in FIRST_SENT[:6]
    ]
    assert len(accounts(root)) == len(set(accounts(root)))
    assert accounts(root).count("W11") == 1  # of orders 61 and 66
    assert sorted(shop.claims()) == FIRST_SENT[:6]

    rest = service.validated(service.get("orders.xml").content)
    assert [reference.rpartition("-")[2] for reference in references(rest)] == ["67", "68"]
    nothing = service.validated(service.get("orders.xml").content)
    assert len(nothing) == 0


def test_who_names_itself_gets_its_document_again_and_nobody_else_does(
    shop: Selling, service: Serving
) -> None:
    first = service.get("orders.xml?limit=3", headers={"X-Claim": "a"}).content
    again = service.get("orders.xml?limit=3", headers={"X-Claim": "a"}).content
    other = service.get("orders.xml?limit=3", headers={"X-Claim": "b"}).content

    assert first == again
    assert not set(references(etree.fromstring(other))) & set(references(etree.fromstring(first)))
    shop.import_(first)
    after = service.get("orders.xml", headers={"X-Claim": "a"}).content
    assert not set(references(etree.fromstring(after))) & set(references(etree.fromstring(first)))


def test_what_was_claimed_when_the_shop_went_away_is_handed_out(
    shop: Selling, service: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    from brekzsync.flows.orders import export

    monkeypatch.setattr(export, "BATCH", 3)
    read = export.OrderExport._deliver
    calls: list[int] = []

    def break_off(self: Any, batch: Any) -> None:
        calls.append(len(batch))
        if shop.claims():
            raise Unavailable("The shop does not answer.")
        read(self, batch)

    monkeypatch.setattr(export.OrderExport, "_deliver", break_off)

    answer = service.get("orders.xml")

    assert answer.status_code == 200
    claimed = sorted(shop.claims())
    assert claimed
    assert [reference.rpartition("-")[2] for reference in references(etree.fromstring(answer.content))] == [
        str(one) for one in claimed
    ]


def test_several_readers_of_documents_of_many_share_the_orders(shop: Selling, service: Serving) -> None:
    def read(_: int) -> list[str]:
        with httpx2.Client(base_url=service.address, headers=service.client.headers, timeout=60) as client:
            return references(service.validated(client.get("/exact/orders.xml?limit=4").content))

    with ThreadPoolExecutor(4) as pool:
        read_by_all = [reference for some in pool.map(read, range(4)) for reference in some]

    assert sorted(int(reference.rpartition("-")[2]) for reference in read_by_all) == FIRST_SENT
    assert sorted(shop.claims()) == FIRST_SENT


# --- a real PrestaShop -------------------------------------------------------------------------------------


def test_a_paid_order_of_a_real_prestashop_is_fetched_and_settled(
    shop: Selling, installed: Installation, prestashop: Any
) -> None:
    shop.replace('database = "sqlite:///shop.db"', f'database = "{prestashop.url("mysqldb")}"')
    shop.replace('data_shop = "NL"', "data_shop = 1")
    shop.replace('database = "sqlite:///erp.db"', "# none")
    shop.replace("delivery_methods = {", 'delivery_methods = { 2 = "PNL",')
    shop.replace('"BE:21" =', '"US:0" = "0"\n"BE:21" =')
    prestashop.execute("UPDATE ps_orders SET current_state = 2 WHERE id_order = 2")
    prestashop.execute(
        "INSERT INTO ps_order_history (id_employee, id_order, id_order_state, date_add) VALUES (0, 2, 2, NOW())"
    )
    with serving_here(installed) as service:
        entries = service.index(of="orders")
        for entry in entries:
            assert references(fetch(service, int(entry["id"]))) == [entry["code"]]
        told = service.report(*({"id": one["id"], "status": "imported"} for one in entries), of="orders")

        assert [one["id"] for one in entries] == ["2"]
        assert outcome(told) == ["settled"]
        assert ids(service) == []
