"""Who is let in, and what comes of requests that are wrong, too large, too slow or too many."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from lxml import etree

from brekzsync.web import limits
from tests.serving import BASIC, BEARER, TOKEN, Serving, serving_here
from tests.web.conftest import Served

PATHS = ("products", "products.xml", "products/1-101", "nowhere")
BOMB = b"""<?xml version="1.0"?><!DOCTYPE m [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>
<eExact><Messages><Message type="2"><Description>&b;</Description></Message></Messages></eExact>"""
OUTSIDE = b"""<!DOCTYPE m [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<eExact><Messages><Message type="0"><Description>&x;</Description></Message></Messages></eExact>"""


@pytest.fixture
def served(demo: Served) -> Served:
    return demo


def problem(answer: Any) -> tuple[int, str]:
    """The status and the code of an XML error."""
    root = etree.fromstring(answer.content)
    assert root.tag == "Error"
    assert root.findtext("Message")
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    return answer.status_code, root.get("code")


# --- the door ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [BEARER, BASIC, {"authorization": f"bearer {TOKEN}"}])
def test_the_token_opens_as_bearer_and_as_password(service: Serving, headers: dict[str, str]) -> None:
    service.client.headers.pop("Authorization")

    assert service.get("products?preview=1", headers=headers).status_code == 200


def test_the_token_opens_in_the_address(service: Serving) -> None:
    service.client.headers.pop("Authorization")

    assert service.get(f"products?preview=1&token={TOKEN}").status_code == 200


@pytest.mark.parametrize(
    ("headers", "query", "code"),
    [
        ({}, "", "token_missing"),
        ({"Authorization": "Bearer wrong"}, "", "token_wrong"),
        ({"Authorization": f"Bearer {TOKEN}x"}, "", "token_wrong"),
        ({"Authorization": f"Bearer {TOKEN[:-1]}"}, "", "token_wrong"),
        ({"Authorization": f"Token {TOKEN}"}, "", "token_missing"),
        ({"Authorization": TOKEN}, "", "token_missing"),
        ({"Authorization": "Basic not base64!"}, "", "token_wrong"),
        ({"Authorization": "Basic " + base64.b64encode(TOKEN.encode()).decode()}, "", "token_wrong"),
        ({"Authorization": "Basic " + base64.b64encode(f"{TOKEN}:".encode()).decode()}, "", "token_wrong"),
        ({"X-Token": TOKEN}, "", "token_missing"),
        ({"Cookie": f"token={TOKEN}"}, "", "token_missing"),
        ({}, "?token=", "token_missing"),
        ({}, "?token=wrong", "token_wrong"),
        ({}, f"?Token={TOKEN}", "token_missing"),
    ],
)
def test_nothing_opens_without_the_token_in_its_place(
    service: Serving, headers: dict[str, str], query: str, code: str
) -> None:
    service.client.headers.pop("Authorization")

    for path in PATHS:
        answer = service.get(f"{path}{query}", headers=headers)
        assert problem(answer) == (401, code)
        assert "Basic" in answer.headers["www-authenticate"]
    posted = service.client.post(f"/exact/products/results{query}", json={"results": []}, headers=headers)
    assert problem(posted) == (401, code)


def test_without_a_token_configured_nobody_comes_in(served: Served) -> None:
    served.installation.set("serve", exact_token="")
    with serving_here(served.installation) as service:
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic Og=="}):
            assert service.get("products", headers=headers).status_code == 401


def test_only_networks_that_are_listed_are_answered(served: Served) -> None:
    served.installation.set("serve", allowed_networks=["192.0.2.0/24"])
    with serving_here(served.installation) as service:
        forged = {"X-Forwarded-For": "192.0.2.7", "Forwarded": "for=192.0.2.7"}
        assert problem(service.get("products")) == (403, "network_not_allowed")
        assert problem(service.get("products", headers=forged)) == (403, "network_not_allowed")
        assert service.client.get("/health").status_code == 200


def test_a_token_never_reaches_the_log(served: Served) -> None:
    log = served.installation.folder / "brekzsync.log"
    served.installation.set("log", file=str(log))
    from brekzsync import logs

    logs.configure(log)
    try:
        with serving_here(served.installation) as service:
            service.get(f"products?preview=1&token={TOKEN}")
            service.get("products/1-101?token=wrong-token")
        text = log.read_text()
    finally:
        logs.configure()
    assert "GET /exact/products 200" in text
    assert TOKEN not in text
    assert "wrong-token" not in text


# --- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=", "limit=ten", "limit=1.5", "limit=1&limit=2", "limit=%D9%A1",
     "next=nonsense", "next=MS0xMDE", "next=b3JkZXJzOjEtMQ", "next=%00", "preview=perhaps", "limit=" + "9" * 50],
)  # fmt: skip
def test_a_wrong_parameter_is_refused(service: Serving, query: str) -> None:
    assert problem(service.get(f"products?{query}")) == (400, "bad_parameter")


def test_a_huge_limit_is_cut_to_a_page(service: Serving) -> None:
    assert service.get("products?preview=1&limit=999999999999").status_code == 200


@pytest.mark.parametrize(
    "key",
    ["1", "99-1", "abc", "1-101-1", "01-101", "1-101%20", "4294967296999-1", "1_101", "ORD-1", "%00", "-1-1"],
)
def test_a_key_that_names_nothing_is_unknown(service: Serving, key: str) -> None:
    assert problem(service.get(f"products/{key}")) == (404, "unknown_key")


def test_other_addresses_and_methods_are_refused_in_xml(service: Serving) -> None:
    assert problem(service.get("customers")) == (404, "not_found")
    assert problem(service.client.delete("/exact/products/1-101")) == (405, "method_not_allowed")
    assert problem(service.client.post("/exact/products")) == (405, "method_not_allowed")
    assert "takes POST" in service.client.put("/exact/products/results").text
    assert problem(service.get("products?target=nobody")) == (400, "unknown_target")


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        (b"", "text/xml", (400, "bad_xml")),
        (b"<eExact>", "text/xml", (400, "bad_xml")),
        (b"<eExact/>", "text/xml", (400, "no_messages")),
        (b"<html/>", "text/xml", (400, "not_eexact")),
        (b"<eExact><Messages>\xff\xfe</Messages></eExact>", "text/xml", (400, "bad_xml")),
        (b'<?xml version="1.0" encoding="x-none"?><eExact/>', "text/xml", (400, "bad_xml")),
        (b"<eExact>" + b"<Messages>" * 50, "text/xml", (400, "bad_xml")),
        (BOMB, "text/xml", (400, "doctype")),
        (OUTSIDE, "application/xml", (400, "doctype")),
        (b"{", "application/json", (400, "bad_json")),
        (b"\xff\xfe\xff", "application/json", (400, "bad_json")),
        (b"[" * 100_000, "application/json", (400, "bad_json")),
        (b"[]", "application/json", (400, "bad_results")),
        (b'{"results": {}}', "application/json", (400, "bad_results")),
        (b'{"results": [1]}', "application/json", (400, "bad_results")),
        (b'{"results": [{"id": 1, "status": "imported"}]}', "application/json", (400, "bad_results")),
        (b'{"results": [{"status": "imported"}]}', "application/json", (400, "bad_results")),
        (b'{"results": [{"id": "1-101", "status": "lost"}]}', "application/json", (400, "bad_results")),
        (b'{"results": [{"id": "1-101"}]}', "application/json", (400, "bad_results")),
        (b"plain words", "text/plain", (415, "unknown_form")),
    ],
)
def test_a_body_that_is_no_result_is_refused_and_changes_nothing(
    service: Serving, content: bytes, kind: str, expected: tuple[int, str]
) -> None:
    service.fetch("1-101")

    answer = service.client.post("/exact/products/results", content=content, headers={"Content-Type": kind})

    assert problem(answer) == expected
    assert not service.is_synced("1-101")


def test_one_wrong_result_among_good_ones_settles_none(service: Serving) -> None:
    service.fetch("1-101")

    answer = service.client.post(
        "/exact/products/results",
        json={"results": [{"id": "1-101", "status": "imported"}, {"id": "1-102", "status": "?"}]},
    )

    assert problem(answer) == (400, "bad_results")
    assert not service.is_synced("1-101")


def test_words_of_the_erp_are_kept_without_what_no_log_can_show(service: Serving) -> None:
    service.fetch("1-101")

    service.report({"id": "1-101", "status": "rejected", "message": "no\x00\x1b[31m" + "x" * 9000})

    message = service.row("1-101")[2]
    assert message is not None
    assert message.startswith("no[31mxxx")
    assert len(message) == 2000


# --- limits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_long_is_refused(served: Served, chunked: bool) -> None:
    served.installation.set("serve", max_body=2048)

    def pieces() -> Iterator[bytes]:
        yield from [b"x" * 1000] * 4

    with serving_here(served.installation) as service:
        content: Any = pieces() if chunked else b"x" * 4000
        answer = service.client.post("/exact/products/results", content=content)
        assert problem(answer) == (413, "body_too_large")


@contextmanager
def connected(service: Serving) -> Iterator[socket.socket]:
    host, _, port = service.address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        yield connection


def everything(connection: socket.socket) -> bytes:
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


@pytest.mark.parametrize("head", [b"GET /exact/products HTTP/1.1\r\nX: " + b"x" * 200_000,
                                  b"GET /" + b"x" * 200_000,
                                  b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000])  # fmt: skip
def test_a_head_that_never_ends_is_cut_off(service: Serving, head: bytes) -> None:
    with connected(service) as connection:
        try:
            connection.sendall(head)
        except (ConnectionResetError, BrokenPipeError):
            return
        assert everything(connection)[:12] in (b"HTTP/1.1 400", b"")
    assert service.client.get("/health").status_code == 200


def test_a_head_that_does_not_come_is_not_waited_for(
    service: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.2)
    with connected(service) as connection:
        connection.sendall(b"GET /health HT")
        assert everything(connection) == b""
    with connected(service) as silent:
        assert everything(silent) == b""


def test_who_comes_when_there_is_too_much_to_do_is_told_to_come_again(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.installation.set("serve", max_requests=1)
    from brekzsync.prestashop.shop import Shop

    slow, opened = 0.5, Shop.glance

    def glance(self: Shop, now: Any) -> Any:
        time.sleep(slow)
        return opened(self, now)

    monkeypatch.setattr(Shop, "glance", glance)
    with serving_here(served.installation) as service, connected(service) as connection:
        request = f"GET /exact/products/1-101 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        connection.sendall(f"{request}Connection: close\r\n\r\n".encode())
        time.sleep(0.15)
        refused = service.get("products/1-102")
        assert problem(refused) == (503, "busy")
        assert refused.headers["retry-after"] == "1"
        assert b" 200 OK" in everything(connection)
        assert service.get("products/1-102").status_code == 200


def test_an_answer_that_takes_too_long_is_given_up(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.installation.set("serve", request_timeout="1s")
    from brekzsync.prestashop.shop import Shop

    opened = Shop.glance

    def glance(self: Shop, now: Any) -> Any:
        time.sleep(1.5)
        return opened(self, now)

    monkeypatch.setattr(Shop, "glance", glance)
    with serving_here(served.installation) as service:
        assert problem(service.get("products/1-101")) == (503, "too_slow")


# --- operations --------------------------------------------------------------------------------------------


def test_a_shop_that_is_away_is_told(served: Served) -> None:
    served.installation.set("shop", database="sqlite:////nowhere/shop.db")
    with serving_here(served.installation) as service:
        ready = service.client.get("/ready")
        assert (ready.status_code, ready.json()["unavailable"]) == (503, ["shop"])
        assert service.client.get("/health").status_code == 200
        assert problem(service.get("products"))[0] == 503
        assert problem(service.get("products/1-101"))[0] == 503


def test_figures_count_requests_and_what_waits(service: Serving) -> None:
    service.fetch("1-101")
    service.report({"id": "1-101", "status": "rejected"})
    service.get("products/99-99")

    text = service.client.get("/metrics").text

    assert 'brekzsync_http_requests_total{method="GET",route="/exact/products/{key}",status="404"}' in text
    assert 'brekzsync_http_request_seconds_count{route="/exact/products/{key}"}' in text
    assert 'brekzsync_backlog{flow="product",status="failed",target="exact"} 1.0' in text
    assert service.client.get("/ready").json() == {"status": "ok", "unavailable": []}


def test_the_addresses_are_described_unless_that_is_switched_off(served: Served) -> None:
    with serving_here(served.installation) as service:
        described = service.client.get("/openapi.json").json()
        assert {"/exact/products/{key}", "/exact/orders/{key}", "/exact/refunds.xml"} <= set(
            described["paths"]
        )
        assert service.client.get("/docs").status_code == 200
    served.installation.set("serve", docs=False)
    with serving_here(served.installation) as service:
        assert [service.client.get(path).status_code for path in ("/docs", "/openapi.json")] == [404, 404]
