"""Requests for orders that are wrong."""

from __future__ import annotations

from tests.exports import Installation
from tests.fetching import (
    fetch,
    ids,
    refused,
)
from tests.selling import FIRST_SENT, Selling
from tests.serving import TOKEN, Serving, serving_here

BOMB = b"""<?xml version="1.0"?><!DOCTYPE m [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>
<eExact><Messages><Message type="2"><Description>&b;</Description></Message></Messages></eExact>"""


def test_nothing_opens_without_the_token_in_its_place(service: Serving) -> None:
    service.client.headers.pop("Authorization")
    for headers, query in (
        ({}, ""),
        ({"Authorization": "Bearer x"}, ""),
        ({"X-Claim": TOKEN}, ""),
        ({}, "?claim=x"),
    ):
        for path in ("orders", "orders.xml", "orders/61", "refunds", "refunds/1"):
            assert service.get(f"{path}{query}", headers=headers).status_code == 401
        assert service.client.post("/exact/orders/results", json={"results": []}).status_code == 401


def test_a_key_of_another_type_is_unknown(shop: Selling, service: Serving) -> None:
    for key in (
        "1-101",
        "abc",
        "061",
        "61%20",
        "6_1",
        "0",
        "-61",
        "9" * 11,
        "9" * 40,
        "61.0",
        "%D9%A1",
        "%00",
    ):
        for of in ("orders", "refunds"):
            assert refused(service.get(f"{of}/{key}")) == (404, "unknown_key")
    assert shop.claims() == {}


def test_a_wrong_parameter_is_refused(service: Serving) -> None:
    for query in (
        "limit=0",
        "limit=ten",
        "limit=1&limit=2",
        "next=nonsense",
        "next=cHJvZHVjdHM6MS0xMDE",  # of products
        "next=cmVmdW5kczox",
        "preview=perhaps",
    ):
        assert refused(service.get(f"orders?{query}")) == (400, "bad_parameter")


def test_a_huge_limit_is_cut_to_a_page(service: Serving) -> None:
    assert ids(service, "?limit=999999999999") == FIRST_SENT


def test_a_claim_that_is_no_word_is_refused(shop: Selling, service: Serving) -> None:
    for word in (b"", b"x" * 65, b"two words", "caf\u00e9".encode()):
        for path in ("orders/61", "orders.xml"):
            assert refused(service.get(path, headers=[(b"X-Claim", word)])) == (400, "bad_claim")
    assert shop.claims() == {}


def test_two_claims_at_once_are_refused(service: Serving) -> None:
    assert refused(service.get("orders/61", headers=[("X-Claim", "a"), ("X-Claim", "b")])) == (
        400,
        "bad_claim",
    )


def test_a_body_that_is_no_result_is_refused_and_changes_nothing(
    shop: Selling, installed: Installation
) -> None:
    shop.replace("[serve]", "[serve]\nmax_body = 200000")
    with serving_here(installed) as service:
        fetch(service, 61)
        for content, kind, expected in (
            (b"<eExact>", "text/xml", (400, "bad_xml")),
            (b"<eExact/>", "text/xml", (400, "no_messages")),
            (b"<eExact><Messages>\xff\xfe</Messages></eExact>", "text/xml", (400, "bad_xml")),
            (BOMB, "text/xml", (400, "doctype")),
            (b"\xff\xfe\xff", "application/json", (400, "bad_json")),
            (b"[" * 100_000, "application/json", (400, "bad_json")),
            (b'{"results": [{"id": 61, "status": "imported"}]}', "application/json", (400, "bad_results")),
            (
                b'{"results": [{"id": "61", "status": "imported"}, {"id": "61"}]}',
                "application/json",
                (400, "bad_results"),
            ),
            (b"plain words", "text/plain", (415, "unknown_form")),
            (b"x" * 300_000, "text/plain", (413, "body_too_large")),
        ):
            given = {"content": content, "headers": {"Content-Type": kind}}
            assert refused(service.client.post("/exact/orders/results", **given)) == expected

    assert sorted(shop.claims()) == [61]


def test_other_methods_are_refused(service: Serving) -> None:
    assert refused(service.client.delete("/exact/orders/61")) == (405, "method_not_allowed")
    assert refused(service.client.post("/exact/orders")) == (405, "method_not_allowed")
    assert "takes POST" in service.client.put("/exact/orders/results").text
