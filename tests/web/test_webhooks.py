"""Webhooks: whose signature is right is stored before it is answered; whatever else comes is told why not."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Thread
from typing import Any

import httpx2
import pytest
from sqlalchemy import make_url

from brekzsync.bootstrap.inbox import inbox_url, open_the_inbox
from brekzsync.state.inbox import Delivery
from tests.services.mariadb import MariaDB
from tests.serving import Serving, children_of, kill, serving, serving_here, until
from tests.web.conftest import Served
from tests.webhooks import EXACT_SECRET, SECRETS, Sender, exact_webhook, receive_webhooks

EXACT = "/api/webhooks/exact/stock"


@pytest.fixture
def receiving(demo: Served) -> Served:
    receive_webhooks(demo.installation)
    return demo


@pytest.fixture
def service(receiving: Served) -> Iterator[Serving]:
    with serving_here(receiving.installation) as started:
        yield started


@pytest.fixture
def sender(service: Serving) -> Sender:
    return Sender(service.client)


def received(service: Serving) -> list[Delivery]:
    """What is in the inbox, the oldest first."""
    with open_the_inbox(service.installation.settings) as inbox:
        return [one for known in reversed(inbox.list(limit=10_000)) if (one := inbox.show(known.id))]


def error_of(answer: httpx2.Response) -> tuple[int, str]:
    """The status and the code; every error has the form of the others under /api."""
    told = answer.json()
    assert told.keys() == {"success", "error", "data", "code", "hint"}
    assert (told["success"], told["data"]) == (False, None)
    assert told["error"]
    return answer.status_code, told["code"]


STORED = {"success": True, "data": {"stored": True}, "error": None}
NOT_STORED = {"success": True, "data": {"stored": False}, "error": None}


# --- Exact Online -----------------------------------------------------------------------------------------


def test_a_webhook_of_exact_online_is_stored_word_for_word(service: Serving) -> None:
    body = exact_webhook("0a0b0c0d-0000-0000-0000-000000000001")
    answer = service.client.post(EXACT, content=body)
    assert (answer.status_code, answer.json()) == (200, STORED)
    (stored,) = received(service)
    assert (stored.source, stored.topic, stored.record, stored.status) == (
        "exact",
        "StockPositions",
        "0A0B0C0D-0000-0000-0000-000000000001",
        "new",
    )
    assert stored.body.encode() == body


def test_the_same_words_twice_are_two_changes(service: Serving) -> None:
    for _ in range(2):
        assert service.client.post(EXACT, content=exact_webhook()).json() == STORED
    assert len(received(service)) == 2


def test_another_topic_is_stored_under_its_name(service: Serving) -> None:
    service.client.post(EXACT, content=exact_webhook("ITEM-1", "Items"))
    (stored,) = received(service)
    assert (stored.topic, stored.record) == ("Items", "ITEM-1")


def test_exacts_empty_check_is_answered_and_not_stored(service: Serving) -> None:
    answer = service.client.post(EXACT, content=b"")
    assert (answer.status_code, answer.json()) == (200, NOT_STORED)
    assert received(service) == []


@pytest.mark.parametrize("body", [b"", exact_webhook()])
def test_without_a_secret_exact_is_not_let_in_nor_its_check(receiving: Served, body: bytes) -> None:
    receiving.installation.set("inbox", exact_secret="")
    with serving_here(receiving.installation) as service:
        assert error_of(service.client.post(EXACT, content=body)) == (401, "signature_missing")


def test_a_wrong_hash_code_is_refused(service: Serving) -> None:
    body = exact_webhook().replace(b"Update", b"Delete")
    assert error_of(service.client.post(EXACT, content=body)) == (401, "signature_wrong")
    assert error_of(service.client.post(EXACT, json={"Content": {}})) == (401, "signature_missing")
    assert received(service) == []


# --- Standard Webhooks ------------------------------------------------------------------------------------


def test_a_standard_webhook_is_stored_once_however_often_it_is_sent(service: Serving, sender: Sender) -> None:
    content = {"type": "stock.changed", "data": {"code": " 2-202a "}}
    assert sender.send("msg_1", content).json() == STORED
    again = sender.send("msg_1", content)
    assert (again.status_code, again.json()) == (200, NOT_STORED)
    (stored,) = received(service)
    assert (stored.source, stored.delivery_id, stored.topic, stored.record) == (
        "warehouse",
        "msg_1",
        "stock.changed",
        "2-202A",
    )
    assert json.loads(stored.body) == content


def test_two_sources_may_use_the_same_id(service: Serving, sender: Sender) -> None:
    assert sender.send("msg_1", {}).json() == STORED
    assert Sender(service.client, "returns").send("msg_1", {}).json() == STORED


@pytest.mark.parametrize(
    ("content", "record"),
    [
        ({"data": {"code": "A", "sku": "B"}, "code": "C"}, "A"),
        ({"data": {"sku": "B"}, "code": "C"}, "B"),
        ({"data": "x", "code": "C", "sku": "D"}, "C"),
        ({"sku": 1234}, "1234"),
        ({"data": {"code": ""}, "sku": "D"}, "D"),
        ({"data": {"item": {"code": "A"}}}, ""),
        ({"code": True}, ""),
        ({"code": ["A", "B"]}, ""),
        ({"code": None}, ""),
        ({"code": "x" * 201}, ""),
        ({"code": "ß" * 101}, ""),
        ({"code": "A\nB"}, ""),
        ({"code": "A\u0000"}, ""),
        ({}, ""),
    ],
)
def test_the_item_is_found_where_it_usually_stands(
    service: Serving, sender: Sender, content: dict[str, Any], record: str
) -> None:
    assert sender.send("msg_1", content).json() == STORED
    assert [one.record for one in received(service)] == [record]


def test_the_configuration_says_where_the_item_stands(receiving: Served) -> None:
    receiving.installation.set("inbox.sources.warehouse", item_code="event.items.first")
    with serving_here(receiving.installation) as service:
        Sender(service.client).send("msg_1", {"event": {"items": {"first": "A"}}, "code": "B"})
        Sender(service.client).send("msg_2", {"event": "none", "code": "B"})
        assert [one.record for one in received(service)] == ["A", ""]


def test_a_secret_can_be_replaced_while_both_are_used(receiving: Served) -> None:
    receiving.installation.set("inbox.sources.warehouse", secrets=[SECRETS["supplier"], SECRETS["warehouse"]])
    with serving_here(receiving.installation) as service:
        assert Sender(service.client).send("msg_1", {}).json() == STORED


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"webhook-signature": "v1,AAAA"}, "signature_wrong"),
        ({"webhook-id": "msg_2"}, "signature_wrong"),
        ({"webhook-timestamp": "1614265330"}, "signature_wrong"),
        ({"webhook-signature": ""}, "signature_missing"),
        ({"webhook-id": ""}, "signature_missing"),
    ],
)
def test_another_signature_is_refused(
    service: Serving, sender: Sender, headers: dict[str, str], code: str
) -> None:
    assert error_of(sender.send("msg_1", {}, headers)) == (401, code)
    assert received(service) == []


def test_one_sources_secret_is_no_others(service: Serving, sender: Sender) -> None:
    headers = sender.signed("msg_1", b"{}")
    answer = service.client.post("/api/webhooks/standard/returns", content=b"{}", headers=dict(headers))
    assert error_of(answer) == (401, "signature_wrong")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b'"text"', b'{"a": "\x00"}', b'{"a":' * 100_000, b"[" * 100_000]
)
def test_a_body_that_is_no_json_object_is_malformed(service: Serving, sender: Sender, body: bytes) -> None:
    assert error_of(sender.send("msg_1", body[:200_000])) == (400, "webhook_malformed")
    assert received(service) == []


def test_an_id_too_long_to_keep_is_malformed(sender: Sender) -> None:
    assert error_of(sender.send("x" * 201, {})) == (400, "webhook_malformed")


# --- the door ---------------------------------------------------------------------------------------------


def talk(service: Serving, head: str, body: bytes = b"") -> bytes:
    """What is answered to a request of which no more is sent than this."""
    host, _, port = service.address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 20) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
        return connection.recv(65536)


def test_an_unknown_source_is_told_so_before_its_body_is_read(service: Serving) -> None:
    head = "POST /api/webhooks/standard/nobody HTTP/1.1\nHost: x\nContent-Length: 100000\n"
    assert talk(service, head).startswith(b"HTTP/1.1 404 ")
    assert error_of(service.client.post("/api/webhooks/standard/nobody")) == (404, "unknown_source")


@pytest.mark.parametrize("path", ["/api", "/api/webhooks", "/api/webhooks/standard/", "/api/webhooks/a/b/c"])
def test_other_addresses_are_not_there(service: Serving, path: str) -> None:
    assert service.client.post(path).status_code == 404
    assert error_of(service.client.post(path))[0] == 404


@pytest.mark.parametrize("path", [EXACT, "/api/webhooks/standard/warehouse"])
def test_webhooks_are_posted(service: Serving, path: str) -> None:
    assert error_of(service.client.get(path)) == (405, "method_not_allowed")


def test_a_body_too_long_is_refused_as_soon_as_it_is_known(service: Serving, sender: Sender) -> None:
    head = f"POST {sender.path} HTTP/1.1\nHost: x\nContent-Length: 262145\n"
    assert talk(service, head).startswith(b"HTTP/1.1 413 ")
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    head = f"POST {sender.path} HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n"
    assert talk(service, head, chunk * 5).startswith(b"HTTP/1.1 413 ")
    assert error_of(sender.send("msg_1", b" " * 262_145)) == (413, "body_too_large")
    assert sender.send("msg_2", b" " * 262_142 + b"{}").json() == STORED


def test_a_body_may_come_in_pieces(service: Serving) -> None:
    body = exact_webhook()
    answer = service.client.post(EXACT, content=(bytes([byte]) for byte in body))
    assert answer.json() == STORED
    assert received(service)[0].body.encode() == body


def test_an_interrupted_body_is_not_stored(service: Serving) -> None:
    body = exact_webhook()
    talk_head = f"POST {EXACT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    host, _, port = service.address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 20) as connection:
        connection.sendall(talk_head + body[:-1])
    assert service.client.post(EXACT, content=exact_webhook("B")).json() == STORED
    assert [one.record for one in received(service)] == ["B"]


def test_the_description_names_the_addresses_and_the_figures_count_them(
    service: Serving, sender: Sender
) -> None:
    sender.send("msg_1", {})
    described = service.client.get("/openapi.json").json()["paths"]
    assert {EXACT, "/api/webhooks/standard/{source}"} <= described.keys()
    figures = service.client.get("/metrics").text
    assert (
        'brekzsync_http_requests_total{method="POST",route="/api/webhooks/standard/{source}",status="200"}'
        in figures
    )


def test_neither_bodies_nor_secrets_nor_signatures_reach_the_log(receiving: Served) -> None:
    receiving.installation.set("log", file="brekzsync.log", level="DEBUG")
    with serving(receiving.installation) as service:
        sender = Sender(service.client)
        service.client.post(EXACT, content=exact_webhook("told-in-confidence"))
        sender.send("msg_1", {"code": "told-in-confidence"})
        sender.send("msg_2", b"told-in-confidence")
        sender.send("msg_3", {}, {"webhook-signature": "v1,told-in-confidence"})
    text = (receiving.installation.folder / "brekzsync.log").read_text(encoding="utf-8")
    assert f"POST {sender.path} 401" in text
    for hidden in ("told-in-confidence", EXACT_SECRET, *SECRETS.values()):
        assert hidden not in text


@pytest.mark.parametrize(
    ("section", "keys", "code"),
    [
        ("inbox.sources.exact", {"secrets": ["whsec_" + "A" * 32]}, "webhook_source"),
        ("inbox.sources.warehouse", {"secrets": ["whsec_hidden!"]}, "webhook_secret"),
        ("inbox", {"database": "sqlite:///brekzsync-state.db"}, "inbox_is_state"),
    ],
)
def test_a_configuration_that_cannot_be_is_said_before_anything_listens(
    receiving: Served, section: str, keys: dict[str, Any], code: str
) -> None:
    made = receiving.installation
    made.set("state", database="sqlite:///brekzsync-state.db")
    made.set(section, **keys)
    said = made.cli("--json", "serve", "--port", "0")
    assert said.code == 78, said
    assert json.loads(said.out)["error"]["code"] == code
    assert "hidden" not in said.out + said.err


# --- durable, or not answered -----------------------------------------------------------------------------


def test_nothing_is_answered_before_it_is_on_the_disk(service: Serving, sender: Sender) -> None:
    assert sender.send("msg_0", {}).json() == STORED
    answers: list[httpx2.Response] = []
    file = make_url(inbox_url(service.installation.settings)).database
    other = sqlite3.connect(str(file), isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")  # nobody else can commit
        asking = Thread(target=lambda: answers.append(sender.send("msg_1", {})))
        asking.start()
        asking.join(0.4)
        assert answers == []
        other.execute("ROLLBACK")
    finally:
        other.close()
    asking.join(30)
    assert [answer.json() for answer in answers] == [STORED]
    assert len(received(service)) == 2


@pytest.mark.mariadb
def test_while_the_inbox_is_away_senders_are_told_to_come_again(receiving: Served, mariadb: MariaDB) -> None:
    mariadb.create_database("inbox")
    receiving.installation.set("inbox", database=mariadb.url("inbox"))
    with serving_here(receiving.installation) as service:
        sender = Sender(service.client)
        assert sender.send("msg_1", {}).json() == STORED
        mariadb.stop()
        answer = sender.send("msg_2", {})
        assert error_of(answer) == (503, "inbox_unavailable")
        assert answer.headers["retry-after"] == "10"
        mariadb.start()
        assert sender.send("msg_2", {}).json() == STORED
        assert [one.delivery_id for one in received(service)] == ["msg_1", "msg_2"]


@pytest.mark.mariadb
def test_a_service_starts_while_its_inbox_is_away(receiving: Served, mariadb: MariaDB) -> None:
    mariadb.create_database("inbox")
    receiving.installation.set("inbox", database=mariadb.url("inbox"))
    mariadb.stop()
    with serving(receiving.installation) as service:
        assert error_of(Sender(service.client).send("msg_1", {})) == (503, "inbox_unavailable")
        mariadb.start()
        assert Sender(service.client).send("msg_1", {}).json() == STORED


def send_many(address: str, client_number: int, count: int) -> list[str]:
    """Ids that were answered with 2xx until the service was gone."""
    done = []
    with httpx2.Client(base_url=address, timeout=20, trust_env=False) as client:
        sender = Sender(client)
        for number in range(count):
            webhook_id = f"msg_{client_number}_{number}"
            try:
                answer = sender.send(webhook_id, {"code": f"C{number % 50}"})
            except httpx2.TransportError:
                break
            if answer.status_code == 200:
                done.append(webhook_id)
    return done


@pytest.mark.parametrize(
    ("workers", "count"), [(1, 800), (2, 800), pytest.param(2, 100_000, marks=pytest.mark.long)]
)
def test_every_webhook_that_was_answered_survives_a_kill(receiving: Served, workers: int, count: int) -> None:
    with serving(receiving.installation, "--workers", str(workers)) as service:
        assert service.process is not None
        with ThreadPoolExecutor(8) as clients:
            sent = [clients.submit(send_many, service.address, number, count // 8) for number in range(8)]
            until(lambda: waiting(service) > count // 3, patience=300)
            for process in [*children_of(service.process.pid), service.process.pid]:
                kill(process)
            wait(sent)
        answered = {one for each in sent for one in each.result()}
        assert count // 4 < len(answered) < count, "it was killed in the middle"
        stored = received_ids(service)
        assert answered <= stored
        assert len(stored) - len(answered) <= 8, "but for those that were under way"
    with serving(receiving.installation) as service:
        assert Sender(service.client).send(min(answered), {}).json() == NOT_STORED


def waiting(service: Serving) -> int:
    with open_the_inbox(service.installation.settings) as inbox:
        return sum(inbox.backlog().values())


def received_ids(service: Serving) -> set[str]:
    with open_the_inbox(service.installation.settings) as inbox:
        return {one.delivery_id for one in inbox.list(limit=1_000_000)}


# --- floods -----------------------------------------------------------------------------------------------


def test_one_source_floods_and_the_others_do_not_notice(receiving: Served) -> None:
    receiving.installation.set("inbox", max_per_minute=100)
    with serving(receiving.installation, "--workers", "2") as service:
        flooding = ThreadPoolExecutor(4)
        floods = [flooding.submit(flood_until_refused, service.address, number) for number in range(4)]
        others = [Sender(service.client, source) for source in ("returns", "supplier")]
        number = 0
        while not all(flood.done() for flood in floods) or number < 20:
            for other in others:
                answer = other.send(f"msg_{number}", {"code": "A"})
                assert (answer.json(), answer.elapsed.total_seconds() < 2) == (STORED, True)
            number += 1
            if number == 45:  # or they would be floods themselves
                break
        for flood in floods:
            assert 30 <= flood.result() <= 60, "it is told how long to wait"
        assert service.client.post(EXACT, content=exact_webhook()).json() == STORED
        with open_the_inbox(receiving.installation.settings) as inbox:
            (shed,) = inbox.sheds()
            assert (shed.source, shed.reason, shed.closed_at) == ("warehouse", "rate", None)
            assert inbox.backlog()["warehouse"] > 100
    with serving_here(receiving.installation) as service:
        until(lambda: Sender(service.client).send("msg_x", {}).status_code == 429)
        assert Sender(service.client, "returns").send("msg_x", {}).json() == STORED
    with open_the_inbox(receiving.installation.settings) as inbox:
        (shed,) = inbox.sheds()
        assert shed.refused > 0


def flood_until_refused(address: str, client_number: int) -> int:
    """Send as fast as it goes until told how many seconds to wait."""
    with httpx2.Client(base_url=address, timeout=20, trust_env=False) as client:
        for number in range(20_000):
            answer = Sender(client).send(f"msg_{client_number}_{number}", {"code": "A"})
            if answer.status_code == 429:
                assert error_of(answer) == (429, "flood")
                return int(answer.headers["retry-after"])
            assert answer.json() == STORED
    raise AssertionError("nobody minded")
