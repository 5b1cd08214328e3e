"""Every contract vector of Shopping Feed's API: our request is its request, and its answer is understood."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from brekzsync.domain.marketplace import (
    Doubt,
    Identity,
    Ignored,
    Notice,
    Refused,
    Submission,
    Ticket,
    Tracking,
    Unclear,
)
from brekzsync.domain.order_status import Operation
from brekzsync.errors import BrekzsyncError
from brekzsync.marketplace import payloads
from brekzsync.marketplace.payloads import Returning
from brekzsync.marketplace.requests import Connection
from brekzsync.marketplace.shoppingfeed import ShoppingFeed
from tests.scripted_api import Reply, scripted

STORE = 1276
TOKEN = "api_token"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
UPS = Tracking("ups", "123456789abcdefg", "http://tracking.url/")
BATCH = "abc123456def789ghi"
TAKEN = Submission(BATCH, ())
SCHEDULED_AT = int(datetime(2019, 8, 26, 10, 25, 30, tzinfo=UTC).timestamp() * 1000)
Ask = Callable[[ShoppingFeed], object]


def order(feed_id: int) -> Identity:
    return Identity(feed_id, "", "")


def submits(operation: Operation, *notices: Notice) -> Ask:
    return lambda api: api.submit(STORE, operation, notices)


def ships(feed_id: int, tracking: Tracking = Tracking()) -> Notice:  # noqa: B008
    return Notice(1, order(feed_id), tracking)


def posts(operation: Operation, element: payloads.Element) -> Ask:
    return lambda api: api.post(STORE, operation, [element])


def logs_in(password: str) -> Ask:
    """A token is copied from Shopping Feed, never fetched with a password; such a request would go this way."""
    login = {"grant_type": "password", "username": "username", "password": password}

    def ask(api: ShoppingFeed) -> object:
        with closing(Connection(api._connection.base_url, "")) as connection:
            return connection.write("/v1/auth", login)

    return ask


def ticket(number: str, state: str, feed_id: int, reference: str, message: str = "") -> Ticket:
    return Ticket(
        number,
        BATCH,
        "order.notify.shipment",
        state,
        feed_id,
        reference,
        "Amazon",
        message,
        SCHEDULED_AT,
    )


def of_batch(api: ShoppingFeed) -> list[Ticket]:
    return list(api.tickets(STORE, BATCH))


class Met(NamedTuple):
    """Who asks so, and what is made of the answer; ``sent`` requests in all, with these waits between them."""

    ask: Ask
    told: object
    sent: int = 1
    waits: tuple[float, ...] = ()
    page_size: int = 200
    token: str = TOKEN


WITHOUT_LINK = submits(Operation.SHIP, ships(5678, Tracking("ups", "1", "")))
LIMITED = (
    "Unavailable",
    "rate_limited",
    "API asks for fewer requests (HTTP 429).",
)
DENIED_HINT = (
    "Copy the API token from Shopping Feed's settings into [marketplace] token; that it may be used for this store"
    " is seen there too."
)
MET: Mapping[str, Met] = {
    "01_me_ok": Met(lambda api: list(api.stores()), [1276, 5678]),
    "02_auth_password_ok": Met(logs_in("password"), {"access_token": "12345789", "token_type": "Bearer"}),
    "03_ship_tracking": Met(submits(Operation.SHIP, ships(5678, UPS)), TAKEN),
    "04_ship_prestashop_wire_shape": Met(
        posts(
            Operation.SHIP,
            payloads.ship(
                order(333),
                Tracking("ES_CORREOS", "PQ9P3N0710096540184000K", "https://url.test/link"),
                returning=Returning(),
            ),
        ),
        Submission("987ihg654fed321cba", ()),
    ),
    "05_ship_partial_items_return_warehouse": Met(
        posts(
            Operation.SHIP,
            payloads.ship(
                order(3456),
                UPS,
                items=[(1234, 1)],
                warehouse="4567",
                returning=Returning("dhl", "01234598abcdef"),
            ),
        ),
        TAKEN,
    ),
    "06_ship_without_tracking": Met(submits(Operation.SHIP, ships(1234)), TAKEN),
    "07_ship_legacy_reference_channel": Met(
        submits(
            Operation.SHIP,
            Notice(1, Identity(None, "ref1", "amazon"), Tracking("ups", "123654abc", "http://tracking.lnk")),
        ),
        TAKEN,
    ),
    "08_cancel_reason": Met(
        posts(Operation.CANCEL, payloads.cancel(order(5678), "Why we cancel the order")), TAKEN
    ),
    "09_cancel_no_reason": Met(submits(Operation.CANCEL, ships(444)), TAKEN),
    "10_refund_full": Met(submits(Operation.REFUND, ships(555)), TAKEN),
    "11_refund_partial": Met(
        posts(Operation.REFUND, payloads.refund(order(5678), products=[("abc123", 1), ("abc456", 2)])),
        TAKEN,
    ),
    "12_refund_partial_no_shipping": Met(
        posts(Operation.REFUND, payloads.refund(order(5678), shipping=False, products=[("abc123", 1)])),
        TAKEN,
    ),
    "13_deliver": Met(submits(Operation.DELIVER, ships(1111)), TAKEN),
    "14_batch_multi_order_ship": Met(
        submits(
            Operation.SHIP,
            *(
                ships(number, Tracking("ups", f"T{number}", f"http://tracking.url/T{number}"))
                for number in (1234, 5678, 9012)
            ),
        ),
        Submission("abc", ()),
    ),
    "15_batch_mixed_operations": Met(
        lambda api: [
            submits(Operation.CANCEL, ships(444))(api),
            submits(Operation.SHIP, ships(333))(api),
        ],
        [Submission("abc", ()), Submission("def", ())],
        sent=2,
    ),
    "16_batch_with_ignored_report": Met(
        submits(
            Operation.SHIP,
            ships(1234, Tracking("ups", "T1234", "http://tracking.url/T1234")),
            ships(999999, Tracking("ups", "T9", "http://tracking.url/T9")),
        ),
        Submission("abc", (Ignored(999999, None, None, "Order not found"),)),
    ),
    "17_batch_all_ignored_no_id": Met(
        submits(Operation.SHIP, ships(999999)),
        Submission(None, (Ignored(999999, None, None, "Order not found"),)),
    ),
    "18_tickets_by_batch_every_state": Met(
        of_batch,
        [
            ticket("t-scheduled", "scheduled", 333, "ref3"),
            ticket("t-running", "running", 334, "ref4"),
            ticket("t-canceled", "canceled", 335, "ref5", "Task refused"),
            ticket("123abc", "succeed", 336, "ref6"),
            ticket("t-failed", "failed", 337, "ref7", "Unable to update order."),
        ],
    ),
    "19_tickets_by_batch_canceled": Met(
        of_batch, [ticket("123abc", "canceled", 5678, "ref1", "Task refused")]
    ),
    "19_tickets_by_batch_failed": Met(
        of_batch, [ticket("123abc", "failed", 5678, "ref1", "Unable to update order.")]
    ),
    "19_tickets_by_batch_running": Met(of_batch, [ticket("123abc", "running", 5678, "ref1")]),
    "19_tickets_by_batch_scheduled": Met(of_batch, [ticket("123abc", "scheduled", 5678, "ref1")]),
    "19_tickets_by_batch_succeed": Met(of_batch, [ticket("123abc", "succeed", 5678, "ref1")]),
    "20_tickets_by_batch_empty": Met(of_batch, []),
    "21_tickets_by_batch_paginated": Met(
        of_batch,
        [
            ticket("t1", "succeed", 1, "r1"),
            ticket("t2", "succeed", 2, "r2"),
            ticket("t3", "failed", 3, "r3", "Unable to update order."),
        ],
        sent=2,
        page_size=2,
    ),
    "22_ticket_by_id_succeed": Met(
        lambda api: api.ticket(STORE, "123abc"), ticket("123abc", "succeed", 5678, "ref1")
    ),
    "23_ticket_by_id_404": Met(lambda api: api.ticket(STORE, "abc123def456ghi789"), None),
    "30_error_400_validation_list": Met(
        WITHOUT_LINK,
        (
            "Refused",
            400,
            "Bad Request: Validation failed: reference: Value is required and can't be empty; quantity: Value is"
            " required and can't be empty (HTTP 400)",
        ),
    ),
    "31_error_400_validation_object": Met(
        submits(Operation.SHIP),
        (
            "Refused",
            400,
            "Bad Request: Validation failed: The minimum of 1 item(s) was not reached (HTTP 400)",
        ),
    ),
    "32_error_401": Met(
        WITHOUT_LINK,
        (
            "AccessDenied",
            "access_denied",
            "API refused the token (HTTP 401: Unauthorized: Invalid user provided).",
            DENIED_HINT,
        ),
    ),
    "33_error_401_login": Met(
        logs_in("wrong"),
        (
            "AccessDenied",
            "access_denied",
            "API refused the token (HTTP 401: Not Authorized: Invalid username or password).",
            DENIED_HINT,
        ),
    ),
    "34_error_403": Met(
        lambda api: api.stores(),
        (
            "AccessDenied",
            "access_denied",
            "API refused the token (HTTP 403: Forbidden: Service not authorized).",
            DENIED_HINT,
        ),
        token="",
    ),
    "35_error_404": Met(lambda api: api.order(1, order(5555)), None),
    "36_error_409": Met(WITHOUT_LINK, ("Refused", 409, "Conflict: Some details (HTTP 409)")),
    "37_error_422": Met(WITHOUT_LINK, ("Refused", 422, "Unprocessable Entity: Failed Validation (HTTP 422)")),
    "38_error_429": Met(
        WITHOUT_LINK,
        (*LIMITED, "Run the same command again after 2026-11-22 12:00:02 UTC."),
        sent=4,
        waits=(1.5, 1.5, 1.5),
    ),
    "39_error_429_no_header": Met(
        WITHOUT_LINK, (*LIMITED, "Run the same command again in a few minutes."), sent=4, waits=(0, 0, 0)
    ),
    "40_error_500": Met(
        WITHOUT_LINK, ("Unclear", Doubt.FAILED, "API answered HTTP 500: Internal Server Error.")
    ),
    "41_error_503_html": Met(WITHOUT_LINK, ("Unclear", Doubt.FAILED, "API answered HTTP 503.")),
}


def test_every_vector_is_met(shared: Path) -> None:
    there = {path.stem for path in (shared / "data/shoppingfeed").glob("*.json")}

    assert there == MET.keys()
    assert len(there) == 39


@pytest.mark.parametrize("name", MET)
def test_our_request_is_the_vectors_and_its_answer_is_understood(shared: Path, name: str) -> None:
    met = MET[name]
    exchanges = exchanges_of(shared / "data/shoppingfeed" / f"{name}.json")
    waits: list[float] = []

    with scripted(*(reply(exchange["response"]) for exchange in exchanges)) as served:
        options = {"first_wait": 0.0, "clock": lambda: NOON, "sleep": waits.append}
        with closing(ShoppingFeed(served.url, met.token, page_size=met.page_size, **options)) as api:
            told = outcome(lambda: met.ask(api), served.url)

    assert told == met.told
    assert len(served.asked) == met.sent
    assert tuple(waits) == met.waits
    for position, asked in enumerate(served.asked):
        expected = exchanges[min(position, len(exchanges) - 1)]["request"]
        named = {header: asked.headers.get(header) for header in expected["headers"]}
        assert (asked.method, asked.path, asked.query) == (
            expected["method"],
            expected["path"],
            expected.get("query", {}),
        )
        assert named == expected["headers"]
        assert ("Authorization" in asked.headers) == ("Authorization" in expected["headers"])
        assert asked.told == expected.get("body")
        assert json.dumps(asked.told) == json.dumps(
            expected.get("body")
        )  # numbers stay numbers, in this order


def exchanges_of(path: Path) -> list[dict[str, Any]]:
    vector = json.loads(path.read_text(encoding="utf-8"))
    return list(vector.get("exchanges") or [vector])


def reply(response: Mapping[str, Any]) -> Reply:
    body = response.get("body")
    content = body if isinstance(body, str) else json.dumps(body)
    return Reply(response["status"], content.encode(), response["headers"])


def outcome(ask: Callable[[], object], url: str) -> object:
    """What was told, or what kind of error with which words; the server's address is ``API``."""
    try:
        return ask()
    except Refused as error:
        return "Refused", error.status, error.words
    except Unclear as error:
        return "Unclear", error.doubt, error.words.replace(url, "API")
    except BrekzsyncError as error:
        return type(error).__name__, error.code, error.message.replace(url, "API"), error.hint
