"""The demo's marketplace: as documented (the vectors), as real marketplaces behave, and failing as real servers do."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import httpx2
import pytest

from brekzsync.demo.folder import make_demo
from brekzsync.demo.local_service import NO_ANSWER
from brekzsync.demo.marketplace.server import (
    Behaviour,
    DemoMarketplace,
    DemoOrder,
    Fault,
    demo_marketplace,
    limited,
    problem,
)
from brekzsync.domain.order_status import Operation
from tests.exports import NOW

STORE = "/v1/store/1276"
SHIP, CANCEL, REFUND, DELIVER = Operation
AMAZON = DemoOrder(id=1, reference="r1", channel="Amazon", placed_at=1_000_000)
BOL = DemoOrder(id=2, reference="r2", channel="Bol", placed_at=2_000_000)
MANOMANO = DemoOrder(id=3, reference="r3", channel="ManoMano", fulfilled_by="channel", placed_at=3_000_000)
ORDERS = (AMAZON, BOL, MANOMANO)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Asking:
    """Somebody who talks to a marketplace."""

    def __init__(self, marketplace: DemoMarketplace, token: str = "demo-token", timeout: float = 10) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx2.Client(base_url=marketplace.url, headers=headers, timeout=timeout, verify=False)

    def post(self, operation: str, *elements: Mapping[str, Any]) -> httpx2.Response:
        return self.http.post(f"{STORE}/order/{operation}", json={"order": elements})

    def ship(self, *ids: int, number: str = "T1") -> httpx2.Response:
        link = f"https://track.example/{number}"
        told = {"carrier": "ups", "trackingNumber": number, "trackingLink": link if number else ""}
        return self.post("ship", *({"id": one, **told, "items": [], "warehouseId": None} for one in ids))

    def get(self, path: str, **query: object) -> httpx2.Response:
        return self.http.get(f"{STORE}/{path}", params={name: str(value) for name, value in query.items()})

    def tickets(self, **query: object) -> list[tuple[int, str, str | None]]:
        """Order, state and message of each."""
        listed = self.get("ticket", **query).json()["_embedded"]["ticket"]
        return [(one["payload"]["id"], one["state"], one.get("result", {}).get("message")) for one in listed]

    def status(self, order: int) -> str:
        return str(self.get(f"order/{order}").json()["status"])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def marketplace(clock: Clock) -> Iterator[DemoMarketplace]:
    with DemoMarketplace(ORDERS, clock=clock) as served:
        yield served


@pytest.fixture
def asking(marketplace: DemoMarketplace) -> Asking:
    return Asking(marketplace)


# --- as documented ----------------------------------------------------------------------------------------

TOKEN = "api_token"
LOGIN = ("username", "password")
IN_VECTORS = [
    DemoOrder(id=one, reference=f"ref{one}", channel="Amazon")
    for one in (1, 2, 3, 333, 334, 335, 336, 337, 444, 555, 1234, 3456, 5678, 9012)
] + [
    DemoOrder(id=77, reference="ref1", channel="amazon"),
    DemoOrder(id=1111, reference="ref1111", channel="Amazon", status="shipped"),
]
EVERY_STATE = {
    "stuck": {333: "scheduled", 334: "running"},
    "canceling": {335},
    "failing": {337: "Unable to update order."},
}
# What the marketplace must be told, or be, to answer as a vector says; the orders of the tickets it asks for.
BEHAVIOURS: dict[str, dict[str, Any]] = {
    "18": EVERY_STATE,
    "19_tickets_by_batch_scheduled": {"stuck": {5678: "scheduled"}},
    "19_tickets_by_batch_running": {"stuck": {5678: "running"}},
    "19_tickets_by_batch_canceled": {"canceling": {5678}},
    "19_tickets_by_batch_failed": {"failing": {5678: "Unable to update order."}},
    "20": {"hidden_looks": 1},
    "21": {"failing": {3: "Unable to update order."}},
    "30": {"refusing": {5678: "Value is required and can't be empty"}},
}
BATCHES = {"18": (333, 334, 335, 336, 337), "21": (1, 2, 3)}
PLANNED = {
    "32": problem(401, "Invalid user provided", title="Unauthorized"),
    "36": problem(409, "Some details", title="Conflict"),
    "37": problem(422, "Failed Validation", title="Unprocessable Entity"),
    "38": limited(1.5),
    "39": limited(),
    "40": Fault.ERROR_BEFORE,
    "41": Fault.BUSY,
}
# Of these the value counts, whatever the data; of all others the form.
WORDS = {"title", "detail", "state", "message", "type", "total", "pages", "page", "limit", "count"}


def of_file(name: str, table: Mapping[str, Any], default: Any) -> Any:
    return table.get(name, table.get(name.partition("_")[0], default))


def differing(expected: object, found: object, at: str = "") -> list[str]:
    """Where an answer lacks something of the documented one, or has it in another form."""
    if at.endswith("/validationMessages/0"):  # the fields are those of other requests
        return (
            [] if isinstance(found, dict) and all(isinstance(one, dict) for one in found.values()) else [at]
        )
    if isinstance(expected, dict) and isinstance(found, dict):
        pairs = [(name, expected[name], found.get(name, "missing")) for name in expected]
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = [(str(number), *pair) for number, pair in enumerate(zip(expected, found, strict=True))]
    else:
        is_word = at.rpartition("/")[2] in WORDS
        is_right = expected == found if is_word else type(expected) is type(found)
        return [] if is_right else [f"{at}: {found!r} instead of {expected!r}"]
    return [wrong for name, one, other in pairs for wrong in differing(one, other, f"{at}/{name}")]


def test_every_documented_exchange_is_answered_in_its_form(shared: Path) -> None:
    files = sorted((shared / "data/shoppingfeed").glob("*.json"))
    wrong: dict[str, object] = {}
    for file in files:
        vector = json.loads(file.read_text(encoding="utf-8"))
        tokens = {TOKEN: (1276, 5678)}
        with DemoMarketplace(IN_VECTORS, tokens=tokens, login=LOGIN) as marketplace:
            behaviour = Behaviour(needs_tracking=False, **of_file(file.stem, BEHAVIOURS, {}))
            ids = prepared(marketplace, file.stem, behaviour)
            exchanges = vector.get("exchanges", [vector])
            answers = [repeated(marketplace, one["request"], ids) for one in exchanges]
        for exchange, answer in zip(exchanges, answers, strict=True):
            if differs := differences(exchange["response"], answer):
                wrong[file.stem] = differs
    assert (len(files), wrong) == (39, {})


def prepared(marketplace: DemoMarketplace, name: str, behaviour: Behaviour) -> dict[str, str]:
    """What was told to it before the request of a vector; its ids by those of the vector."""
    marketplace.behaviour = behaviour
    if (planned := of_file(name, PLANNED, None)) is not None:
        marketplace.plan(planned)
    if name[:2] not in ("18", "19", "20", "21", "22"):
        return {}
    ids = of_file(name, BATCHES, (5678,))
    Asking(marketplace, TOKEN).ship(*ids)
    return {"abc123456def789ghi": "batch1", "123abc": "ticket1"}


def repeated(
    marketplace: DemoMarketplace, request: Mapping[str, Any], ids: Mapping[str, str]
) -> httpx2.Response:
    def ours(text: str) -> str:
        for theirs, our in ids.items():
            text = text.replace(theirs, our)
        return text

    with httpx2.Client(base_url=marketplace.url, verify=False) as http:
        return http.request(
            request["method"],
            ours(request["path"]),
            params={name: ours(value) for name, value in request.get("query", {}).items()},
            json=request.get("body"),
            headers=request["headers"],
        )


def differences(response: Mapping[str, Any], answer: httpx2.Response) -> list[str]:
    kind = answer.headers["Content-Type"]
    found = [] if answer.status_code == response["status"] else [f"status {answer.status_code} {answer.text}"]
    found += [] if kind == response["headers"]["Content-Type"] else [kind]
    wait = response["headers"].get("X-RateLimit-Wait")
    found += [] if answer.headers.get("X-RateLimit-Wait") == wait else ["X-RateLimit-Wait"]
    if not isinstance(response["body"], dict):
        return found + ([] if answer.text == response["body"] else [answer.text])
    body = answer.json()
    # The type of a problem is a page of a standard; that of a conflict is spelled in another way.
    is_problem = "title" in response["body"]
    return found + differing(
        response["body"], {**body, "type": response["body"]["type"]} if is_problem else body
    )


# --- what becomes of an operation -------------------------------------------------------------------------


def test_a_shipment_is_carried_out_after_its_delay(
    marketplace: DemoMarketplace, asking: Asking, clock: Clock
) -> None:
    marketplace.behaviour = Behaviour(ticket_delay=10)
    batch = asking.ship(1).json()["id"]
    seen = []
    for _ in range(3):
        seen.append((asking.tickets(batchId=batch)[0][1], asking.status(1)))
        clock.move(5)

    assert seen == [
        ("scheduled", "waiting_shipment"),
        ("running", "waiting_shipment"),
        ("succeed", "shipped"),
    ]
    assert marketplace.accepted() == {1: [SHIP]}
    shipment = asking.get("order/1/shipment").json()["_embedded"]["shipment"]
    assert [one["trackingNumber"] for one in shipment] == ["T1"]


def test_it_may_take_looks_instead_of_time(marketplace: DemoMarketplace, asking: Asking) -> None:
    marketplace.behaviour = Behaviour(hidden_looks=1, ticket_looks=2)
    batch = asking.ship(1, 2).json()["id"]
    looks = [[state for _, state, _ in asking.tickets(batchId=batch)] for _ in range(4)]

    assert looks == [[], ["scheduled"] * 2, ["running"] * 2, ["succeed"] * 2]


def test_looks_at_an_order_and_at_a_ticket_count_as_well(
    marketplace: DemoMarketplace, asking: Asking
) -> None:
    marketplace.behaviour = Behaviour(hidden_looks=1, ticket_looks=1)
    asking.ship(1)

    assert asking.get("ticket/ticket1").status_code == 404
    assert asking.get("ticket/ticket1").json()["state"] == "scheduled"
    assert asking.tickets(payloadId=1, type="order.notify.shipment") == [(1, "succeed", None)]


@pytest.mark.parametrize(
    ("before", "operation", "element", "words"),
    [
        ((), "ship", {"id": 1, "trackingNumber": ""}, "A tracking number is mandatory to ship this order."),
        (("ship",), "cancel", {"id": 1}, "The order was shipped already, it can no longer be canceled."),
        (("cancel",), "ship", {"id": 1, "trackingNumber": "T"}, "The order is cancelled, its status"),
        ((), "deliver", {"id": 1}, "The order is not shipped."),
        ((), "cancel", {"id": 3}, "ManoMano does not support this operation (cancel)."),
    ],
)
def test_what_marketplaces_refuse_ends_in_a_failed_ticket(
    asking: Asking, before: tuple[str, ...], operation: str, element: dict[str, Any], words: str
) -> None:
    for earlier in before:
        asking.post(earlier, {"id": element["id"], "trackingNumber": "T"})
    status = asking.status(element["id"])

    batch = asking.post(operation, element).json()["id"]

    [(order, state, message)] = asking.tickets(batchId=batch)
    assert (order, state, asking.status(order)) == (element["id"], "failed", status)
    assert message is not None
    assert message.startswith(words)
    assert [one["message"] for one in asking.get(f"order/{order}").json()["errors"]] == [message]


def test_repeating_what_was_done_is_no_error_but_is_seen(
    marketplace: DemoMarketplace, asking: Asking
) -> None:
    asking.ship(1)
    asking.ship(1, number="T2")

    assert [one.state for one in marketplace.taken()] == ["succeed", "succeed"]
    assert marketplace.accepted() == {1: [SHIP, SHIP]}
    shipped = asking.get("order/1").json()["shipment"]
    assert shipped["trackingNumber"] == "T1"


def test_a_delivered_order_stays_shipped(marketplace: DemoMarketplace, asking: Asking) -> None:
    asking.ship(1)
    asking.post("deliver", {"id": 1})

    assert marketplace.accepted() == {1: [SHIP, DELIVER]}
    assert marketplace.status(1) == "shipped"


def test_it_fails_as_often_as_it_is_told(marketplace: DemoMarketplace, asking: Asking) -> None:
    marketplace.behaviour = Behaviour(failing={"r1": "Try later."}, failures=2)
    for _ in range(3):
        asking.ship(1, 2)
        asking.status(1)

    assert [(one.order, one.message) for one in marketplace.taken() if one.state == "failed"] == [
        (1, "Try later."),
        (1, "Try later."),
    ]
    assert marketplace.accepted() == {1: [SHIP], 2: [SHIP, SHIP, SHIP]}


def test_one_ignored_order_is_reported_and_the_other_taken(
    marketplace: DemoMarketplace, asking: Asking
) -> None:
    marketplace.behaviour = Behaviour(ignoring={2: "Order is archived"})

    answer = asking.ship(1, 2, 99).json()

    assert [(one["id"], one["message"]) for one in answer["report"]] == [
        (2, "Order is archived"),
        (99, "Order not found"),
    ]
    assert asking.ship(99).json()["id"] == ""
    assert marketplace.accepted() == {1: [SHIP]}


def test_a_refused_order_refuses_the_whole_request(marketplace: DemoMarketplace, asking: Asking) -> None:
    marketplace.behaviour = Behaviour(refusing={2: "Not now"})

    answer = asking.ship(1, 2)

    assert (answer.status_code, answer.json()["validationMessages"]) == (
        400,
        [{}, {"order": {"refused": "Not now"}}],
    )
    assert (marketplace.taken(), asking.ship(1).status_code) == ([], 202)


def test_a_ticket_may_be_canceled_stuck_or_missing(marketplace: DemoMarketplace, asking: Asking) -> None:
    marketplace.behaviour = Behaviour(canceling={1}, stuck={2: "postponed"}, without_ticket={3})

    batch = asking.ship(1, 2, 3).json()["id"]

    assert asking.tickets(batchId=batch) == [(1, "canceled", "Task refused"), (2, "postponed", None)]
    assert asking.get("ticket/ticket3").status_code == 404
    assert [asking.status(order) for order in (1, 2, 3)] == [
        "waiting_shipment",
        "waiting_shipment",
        "shipped",
    ]


def test_everything_can_be_brought_to_its_end_at_once(marketplace: DemoMarketplace, asking: Asking) -> None:
    marketplace.behaviour = Behaviour(ticket_delay=3600, hidden_looks=5)
    asking.ship(1, 2)
    assert marketplace.accepted() == {}

    marketplace.finish()

    assert marketplace.accepted() == {1: [SHIP], 2: [SHIP]}


def test_what_was_told_is_kept_as_it_came(marketplace: DemoMarketplace, asking: Asking) -> None:
    asking.post("refund", {"id": 1, "refund": {"shipping": True, "products": []}})
    asking.post("ship", {"reference": "r2", "channelName": "BOL", "trackingNumber": "é"})

    refund, ship = marketplace.taken()
    assert (refund.order, refund.operation, refund.payload) == (
        1,
        REFUND,
        {"id": 1, "refund": {"shipping": True, "products": []}},
    )
    assert (ship.order, ship.channel, ship.payload["trackingNumber"]) == (2, "Bol", "é")
    assert {one.at for one in (refund, ship)} == {int(NOW.timestamp() * 1000)}


# --- what it demands --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "element", "field"),
    [
        ("ship", {}, "channelName"),
        ("ship", {"id": "1"}, "id"),
        ("ship", {"id": True}, "id"),
        ("ship", {"id": 2**63}, "id"),
        ("ship", {"reference": "r1"}, "channelName"),
        ("ship", {"id": 1, "trackingNumber": None}, "trackingNumber"),
        ("ship", {"id": 1, "trackingNumber": "9" * 256}, "trackingNumber"),
        ("ship", {"id": 1, "trackingLink": "https://track.example/a b"}, "trackingLink"),
        ("ship", {"id": 1, "trackingLink": "track.example"}, "trackingLink"),
        ("ship", {"id": 1, "items": None}, "items"),
        ("cancel", {"id": 1, "reason": None}, "reason"),
        ("refund", {"id": 1}, "refund"),
        ("refund", {"id": 1, "refund": {"shipping": "yes"}}, "refund"),
        ("refund", {"id": 1, "refund": {"shipping": True, "products": {"a": 1}}}, "refund"),
    ],
)
def test_an_element_that_is_not_as_it_should_be_is_named(
    marketplace: DemoMarketplace, asking: Asking, operation: str, element: dict[str, Any], field: str
) -> None:
    right = {"id": 2, "trackingNumber": "T", "refund": {"shipping": True, "products": []}}

    answer = asking.post(operation, right, element)

    assert answer.status_code == 400
    good, bad = answer.json()["validationMessages"]
    assert (good, field in bad, marketplace.taken()) == ({}, True, [])


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"order": {}}', b"\xff", b'{"order": [1]}'])
def test_a_body_that_is_none_is_refused(asking: Asking, body: bytes) -> None:
    assert asking.http.post(f"{STORE}/order/ship", content=body).status_code == 400


def test_a_request_holds_a_hundred_orders_at_most(marketplace: DemoMarketplace, asking: Asking) -> None:
    marketplace.add(DemoOrder(id=one, reference=f"x{one}", channel="Amazon") for one in range(100, 201))

    assert asking.ship(*range(100, 200)).status_code == 202
    too_many = asking.ship(*range(100, 201))
    assert (too_many.status_code, len(marketplace.taken())) == (400, 100)
    assert too_many.json()["validationMessages"] == {"maxCount": "The maximum of 100 item(s) was exceeded"}


@pytest.mark.parametrize("token", ["", "another", "demo-token2"])
def test_only_its_token_is_served(marketplace: DemoMarketplace, token: str) -> None:
    asking = Asking(marketplace, token)

    assert {asking.ship(1).status_code, asking.get("ticket").status_code} == {403}
    assert asking.http.get("/v1/ping").status_code == 200
    assert marketplace.taken() == []


def test_an_account_sees_its_own_stores_only(clock: Clock) -> None:
    elsewhere = DemoOrder(id=7, reference="r7", channel="Amazon", store_id=9)
    with DemoMarketplace([*ORDERS, elsewhere], tokens={"a": [1276], "b": [9]}) as marketplace:
        first, second = Asking(marketplace, "a"), Asking(marketplace, "b")
        stores = [
            [store["id"] for store in one.http.get("/v1/me").json()["_embedded"]["store"]]
            for one in (first, second)
        ]

        assert stores == [[1276], [9]]
        assert first.ship(7).json()["report"][0]["message"] == "Order not found"
        assert second.ship(1).status_code == 404
        assert first.get("order/7").status_code == 404


# --- lists ------------------------------------------------------------------------------------------------


def test_orders_are_found_by_reference_status_sender_and_age(asking: Asking) -> None:
    asking.ship(1)

    def found(**query: object) -> list[int]:
        return [one["id"] for one in asking.get("order", **query).json()["_embedded"]["order"]]

    assert found() == [1, 2, 3]
    assert found(reference="r2") == [2]
    assert found(reference="r2,r3") == [2, 3]
    assert found(status="shipped") == [1]
    assert found(fulfilledBy="channel", since="1970-01-01T00:30:00+00:00") == [3]
    assert found(since="1970-01-01T00:30:00Z", until="1970-01-01T00:40:00Z") == [2]
    assert asking.get("order", since="yesterday").status_code == 400


@pytest.mark.parametrize(("what", "query"), [("order", {}), ("ticket", {"batchId": "batch1"})])
def test_long_lists_come_in_pages(asking: Asking, what: str, query: dict[str, str]) -> None:
    asking.ship(1, 2, 3)
    page = asking.get(what, **query, page=1, limit=2).json()
    following = asking.http.get(page["_links"]["next"]["href"]).json()

    assert [(one["total"], one["pages"], one["page"], one["count"]) for one in (page, following)] == [
        (3, 2, 1, 2),
        (3, 2, 2, 1),
    ]
    assert "next" not in following["_links"]
    assert asking.get(what, page=0).status_code == 400


def test_tickets_are_found_by_order_type_and_state(marketplace: DemoMarketplace, asking: Asking) -> None:
    marketplace.behaviour = Behaviour(stuck={2: "running"})
    asking.ship(1, 2)
    asking.post("deliver", {"id": 1})

    assert asking.tickets(payloadId=1, type="order") == [(1, "succeed", None)] * 2
    assert asking.tickets(payloadId=1, type="order.notify.shipment") == [(1, "succeed", None)]
    assert asking.tickets(payloadId=8, type="order") == asking.tickets(payloadId="x", type="order") == []
    assert asking.tickets(state="running,scheduled") == [(2, "running", None)]
    assert asking.tickets(batchId="batch99") == asking.tickets(batchId="abc") == []
    assert asking.get("ticket", payloadId=1).status_code == 400


# --- going wrong ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status", "is_done"),
    [
        (Fault.ERROR_BEFORE, 500, False),
        (Fault.ERROR_AFTER, 500, True),
        (Fault.BUSY, 503, False),
        (Fault.GARBLED_AFTER, 202, True),
        (Fault.DROP_BEFORE, NO_ANSWER, False),
        (Fault.DROP_AFTER, NO_ANSWER, True),
        (problem(409, "Busy"), 409, False),
        (limited(3), 429, False),
    ],
    ids=str,
)
def test_a_planned_fault_happens_once(
    marketplace: DemoMarketplace, asking: Asking, fault: Fault, status: int, is_done: bool
) -> None:
    marketplace.plan(fault, "POST", "/ship")

    try:
        said = asking.ship(1).status_code
    except httpx2.TransportError:
        said = NO_ANSWER

    assert (said, bool(marketplace.accepted())) == (status, is_done)
    assert marketplace.requests == [("POST", f"{STORE}/order/ship", status)]
    assert asking.ship(2).status_code == 202


@pytest.mark.parametrize(
    ("fault", "at_once", "in_the_end"),
    [(Fault.HANG_BEFORE, [], []), (Fault.HANG_AFTER, [1], [1]), (Fault.LATE, [], [1])],
)
def test_an_answer_may_not_come(
    marketplace: DemoMarketplace, fault: Fault, at_once: list[int], in_the_end: list[int]
) -> None:
    marketplace.plan(fault)
    asking = Asking(marketplace, timeout=0.3)

    with pytest.raises(httpx2.TimeoutException):
        asking.ship(1)
    before = [one.order for one in marketplace.taken()]
    marketplace.release()
    for _ in range(100):
        if marketplace.requests:
            break
        sleep(0.02)

    assert (before, [one.order for one in marketplace.taken()]) == (at_once, in_the_end)


def test_too_many_requests_are_told_how_long_to_wait(marketplace: DemoMarketplace, asking: Asking) -> None:
    marketplace.behaviour = Behaviour(requests_per_second=4)
    answers = [asking.ship(1) for _ in range(6)]
    limits = [one for one in answers if one.status_code == 429]

    assert 1 <= len(limits) <= 5
    wait = float(limits[0].headers["X-RateLimit-Wait"])
    assert 0 < wait <= 0.25
    sleep(wait + 0.01)
    assert asking.ship(1).status_code == 202


def test_what_was_told_can_be_asked_after_its_end() -> None:
    with DemoMarketplace(ORDERS) as marketplace:
        Asking(marketplace).ship(1)

    assert marketplace.accepted() == {1: [SHIP]}


def test_a_hook_sees_every_request_before_it_is_looked_at(
    marketplace: DemoMarketplace, asking: Asking
) -> None:
    seen: list[tuple[str, int]] = []
    marketplace.before_each = lambda asked: seen.append((asked.path, len(marketplace.taken())))

    asking.ship(1)
    asking.status(1)

    assert seen == [(f"{STORE}/order/ship", 0), (f"{STORE}/order/1", 1)]


def test_eight_at_once_are_all_served(marketplace: DemoMarketplace) -> None:
    marketplace.add(DemoOrder(id=one, reference=f"x{one}", channel="Amazon") for one in range(100, 900))

    def ship(first: int) -> None:
        asking = Asking(marketplace)
        for start in range(first, first + 100, 10):
            assert asking.ship(*range(start, start + 10)).status_code == 202

    threads = [Thread(target=ship, args=(100 + 100 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    taken = marketplace.taken()
    assert (len(taken), len({one.batch for one in taken})) == (800, 80)
    assert marketplace.accepted() == {one: [SHIP] for one in range(100, 900)}


# --- its file ---------------------------------------------------------------------------------------------


def test_what_it_knows_survives_a_restart(tmp_path: Path, clock: Clock) -> None:
    def opened() -> DemoMarketplace:
        return DemoMarketplace(ORDERS, file=tmp_path / "marketplace.db", clock=clock, behaviour=slow)

    slow = Behaviour(ticket_delay=60)
    with opened() as marketplace:
        Asking(marketplace).ship(1)
    clock.move(60)
    with opened() as marketplace:
        asking = Asking(marketplace)
        asking.ship(2)

        assert asking.status(1) == "shipped"
        assert [(one.batch, one.ticket) for one in marketplace.taken()] == [
            ("batch1", "ticket1"),
            ("batch2", "ticket2"),
        ]


def test_that_of_the_demo_knows_the_shops_orders(tmp_path: Path) -> None:
    make_demo(tmp_path / "demo", NOW)
    with closing(sqlite3.connect(tmp_path / "demo/shop.db")) as shop:
        known = shop.execute(
            "SELECT id_order_marketplace, name_marketplace FROM ps_shoppingfeed_order ORDER BY 1"
        ).fetchall()

    with demo_marketplace(tmp_path / "demo", 0, Behaviour()) as marketplace:
        asking = Asking(marketplace)
        listed = asking.get("order").json()["_embedded"]["order"]
        elsewhere = asking.get("order", fulfilledBy="channel").json()["_embedded"]["order"]

    found = sorted((one["reference"], one["_embedded"]["channel"]["name"]) for one in listed)
    assert (found, len(known) >= 6) == (known, True)
    assert {one["status"] for one in listed} == {"waiting_shipment"}
    assert len(elsewhere) == 1


def test_a_demo_made_anew_is_served_anew(tmp_path: Path) -> None:
    make_demo(tmp_path / "demo", NOW)
    with demo_marketplace(tmp_path / "demo", 0, Behaviour()) as marketplace:
        asking = Asking(marketplace)
        order = asking.get("order").json()["_embedded"]["order"][0]["id"]
        asking.ship(order)
        assert asking.status(order) == "shipped"

        make_demo(tmp_path / "demo", NOW)

        assert asking.status(order) == "waiting_shipment"
        assert marketplace.taken() == []


def test_a_behaviour_is_one_of_many_words(marketplace: DemoMarketplace) -> None:
    """Changing one thing keeps the others."""
    marketplace.behaviour = replace(Behaviour(needs_tracking=False), names_ids=False)
    asking = Asking(marketplace)
    batch = asking.ship(1, number="").json()["id"]

    [ticket] = asking.get("ticket", batchId=batch).json()["_embedded"]["ticket"]
    assert (ticket["state"], ticket["payload"]) == ("succeed", {"reference": "r1", "channel": "Amazon"})
