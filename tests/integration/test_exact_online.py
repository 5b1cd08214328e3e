"""Exact Online's REST API, played by a server of the test's own: what is asked, its limits, what goes wrong."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from brekzsync.domain.call_budget import Later
from brekzsync.errors import AccessDenied, BrekzsyncError, ConfigurationError, PermanentError, Unavailable
from brekzsync.exact import online as module
from brekzsync.exact.online import ExactOnline
from brekzsync.state.call_counts import CallCounts
from brekzsync.state.connection import Database, parse_url

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEY = "8C6C4CF4-6EA7-4D9B-9E2C-3C3F6D1B7C11"
DIVISION = 123456


class Api:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = rows({"ItemCode": "DOG-1"})
        self.silent = False
        self.asked: list[tuple[str, dict[str, list[str]], str | None]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/api/v1"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                api.asked.append((parts.path, parse_qs(parts.query), self.headers.get("Authorization")))
                if api.silent:
                    self.close_connection = True
                    return
                self.send_response(api.status)
                for name, value in api.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(api.body)))
                self.end_headers()
                with suppress(OSError):  # of a caller that gave up
                    self.wfile.write(api.body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def rows(*found: dict[str, str]) -> bytes:
    return json.dumps({"d": {"results": found}}).encode()


@dataclass
class Desk:
    """A client of that server, its counts in a database, and a clock that stands still."""

    api: Api
    database: Database
    now: datetime = NOON
    opened: list[ExactOnline] = field(default_factory=list)

    def client(self, url: str | None = None, token: str = "a-token") -> ExactOnline:
        counts = CallCounts(self.database, f"exact-online-{DIVISION}")
        made = ExactOnline(url or self.api.url, DIVISION, token, counts, lambda: self.now)
        self.opened.append(made)
        return made

    def ask(self, topic: str = "StockPositions") -> str | None:
        return self.client().item_code(topic, KEY)


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    api = Api()
    with closing(Database(parse_url(database_url))) as database:
        made = Desk(api, database)
        yield made
        for client in made.opened:
            client.close()
    api.server.shutdown()
    api.server.server_close()


# --- what is asked ----------------------------------------------------------------------------------------


def test_a_stock_position_is_asked_for_its_item_code(desk: Desk) -> None:
    assert desk.ask() == "DOG-1"
    assert desk.api.asked == [
        (
            "/api/v1/123456/sync/Inventory/StockPositions",
            {"$filter": [f"ID eq guid'{KEY.lower()}'"], "$select": ["ItemCode"]},
            "Bearer a-token",
        )
    ]


def test_an_item_is_asked_for_its_code(desk: Desk) -> None:
    desk.api.body = rows({"Code": "  CAT-9 "})

    assert desk.ask("Items") == "CAT-9"
    assert desk.api.asked[0][:2] == (
        "/api/v1/123456/sync/Logistics/Items",
        {"$filter": [f"ID eq guid'{KEY.lower()}'"], "$select": ["Code"]},
    )


@pytest.mark.parametrize("body", [rows(), b'{"d": []}', rows({"ItemCode": ""}), rows({})])
def test_a_key_that_leads_to_nothing_is_no_item(desk: Desk, body: bytes) -> None:
    desk.api.body = body

    assert desk.ask() is None


def test_the_list_may_stand_right_in_d(desk: Desk) -> None:
    desk.api.body = b'{"d": [{"ItemCode": "DOG-2"}]}'

    assert desk.ask() == "DOG-2"


# --- limits -----------------------------------------------------------------------------------------------


def test_sixty_calls_a_minute_go_out_over_all_clients_and_not_one_more(desk: Desk) -> None:
    for _ in range(4):
        client = desk.client()
        for _ in range(15):
            client.item_code("StockPositions", KEY)

    with pytest.raises(Later) as later:
        desk.ask()

    assert later.value.at == NOON + timedelta(minutes=1)
    assert later.value.message == "Exact Online may be asked again at 12:01 UTC (60 calls a minute)"
    assert len(desk.api.asked) == 60
    desk.now = later.value.at
    assert desk.ask() == "DOG-1"


def test_a_minute_others_have_used_up_is_waited_for(desk: Desk) -> None:
    desk.api.headers = {
        "X-RateLimit-Minutely-Remaining": "0",
        "X-RateLimit-Minutely-Reset": str(int((NOON + timedelta(seconds=20)).timestamp() * 1000)),
        "Date": "Sat, 21 Nov 2026 12:00:00 GMT",
    }
    assert desk.ask() == "DOG-1"

    with pytest.raises(Later) as later:
        desk.ask()

    # The server adds a Date of its own, which is another than ours: the wait is then a minute at most.
    assert NOON < later.value.at <= NOON + timedelta(minutes=1)
    assert len(desk.api.asked) == 1


def test_a_refusal_without_a_word_is_waited_out_for_a_minute(desk: Desk) -> None:
    desk.api.status = 429

    with pytest.raises(Later) as later:
        desk.ask()

    assert later.value.at == NOON + timedelta(minutes=1)
    with pytest.raises(Later):
        desk.ask()
    assert len(desk.api.asked) == 1


def test_nothing_more_is_asked_before_errors_block_the_app(desk: Desk) -> None:
    desk.api.status = 500
    for _ in range(8):
        with pytest.raises(Unavailable):
            desk.ask()

    with pytest.raises(Later) as later:
        desk.ask()

    assert later.value.at == NOON + timedelta(hours=1)
    assert len(desk.api.asked) == 8


# --- what goes wrong --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected", "message"),
    [
        (401, AccessDenied, "refused the access token (HTTP 401)."),
        (403, AccessDenied, "does not let this app read sync/Inventory/StockPositions (HTTP 403)."),
        (404, ConfigurationError, "knows no sync/Inventory/StockPositions (HTTP 404)."),
        (302, ConfigurationError, "knows no sync/Inventory/StockPositions (HTTP 302)."),
        (503, Unavailable, "answered HTTP 503."),
        (400, PermanentError, "answered HTTP 400 to sync/Inventory/StockPositions."),
    ],
)
def test_a_status_is_an_error_that_says_what_to_do(
    desk: Desk, status: int, expected: type[BrekzsyncError], message: str
) -> None:
    desk.api.status = status
    desk.api.headers = {"Location": f"{desk.api.url}/elsewhere"} if status == 302 else {}

    with pytest.raises(expected) as error:
        desk.ask()

    assert error.value.message == f"{desk.api.url}/123456 {message}"
    assert error.value.hint
    assert "a-token" not in error.value.message + error.value.hint
    assert len(desk.api.asked) == 1, "no redirect is followed, nothing is asked twice"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"d": {"results": 1}}', b'{"d": [1]}', b"[" * 50_000])
def test_an_answer_that_is_no_list_is_told(desk: Desk, body: bytes) -> None:
    desk.api.body = body

    with pytest.raises(PermanentError, match="did not answer a list of items"):
        desk.ask()


def test_an_answer_without_end_is_not_read_to_its_end(desk: Desk) -> None:
    desk.api.body = b" " * (module.MAX_BYTES + 1)

    with pytest.raises(PermanentError, match="answered more than a list of items can be"):
        desk.ask()


def test_a_server_that_hangs_up_or_is_slow_is_unavailable(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.api.silent = True
    with pytest.raises(Unavailable, match="cannot be reached"):
        desk.ask()

    monkeypatch.setattr(module, "TIMEOUT", httpx2.Timeout(0.2))
    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        client = desk.client(f"http://127.0.0.1:{mute.getsockname()[1]}")
        with pytest.raises(Unavailable, match="in time"):
            client.item_code("StockPositions", KEY)


def test_where_nobody_listens_it_is_tried_three_times_and_counted_once(desk: Desk) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        port = gone.getsockname()[1]

    with pytest.raises(Unavailable, match="cannot be reached"):
        desk.client(f"http://127.0.0.1:{port}").item_code("StockPositions", KEY)

    counts = CallCounts(desk.database, f"exact-online-{DIVISION}")
    assert counts.change(lambda budget: (budget, (len(budget.calls), len(budget.errors)))) == (1, 1)


def test_a_token_that_cannot_be_sent_is_refused_before_anything_is(desk: Desk) -> None:
    with pytest.raises(ConfigurationError, match="holds a character that no token has"):
        desk.client(token="a\ntoken")
