"""What ``doctor`` finds of the marketplace's token, over HTTP with a server of the test's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from brekzsync.domain.findings import passed, skipped
from brekzsync.errors import AccessDenied, BrekzsyncError, ConfigurationError, Unavailable
from brekzsync.marketplace import health as health_module
from brekzsync.marketplace.health import MarketplaceHealth

TOKEN = "abcdef-token"
SESSION = {
    "login": "shop",
    "token": TOKEN,
    "_embedded": {"store": [{"id": 1234, "name": "Cats"}, {"id": "77", "name": "Dogs"}]},
}


class Marketplace:
    """Answers ``/v1/me`` as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body: bytes = json.dumps(SESSION).encode()
        self.asked: list[tuple[str, str | None]] = []
        self.released = Event()
        self.released.set()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def look(self, store_id: int | None = None) -> object:
        return MarketplaceHealth(self.url, TOKEN, store_id).token()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        marketplace = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                marketplace.asked.append((self.path, self.headers.get("Authorization")))
                marketplace.released.wait(5)
                self.send_response(marketplace.status)
                for name, value in marketplace.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(marketplace.body)))
                self.end_headers()
                with suppress(BrokenPipeError):  # of a caller that gave up
                    self.wfile.write(marketplace.body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def marketplace() -> Iterator[Marketplace]:
    made = Marketplace()
    yield made
    made.released.set()
    made.server.shutdown()
    made.server.server_close()


def test_a_token_that_is_taken_tells_its_stores(marketplace: Marketplace) -> None:
    assert marketplace.look() == passed(f"{marketplace.url} takes the token; store: Cats (1234), Dogs (77).")
    assert marketplace.asked == [("/v1/me", f"Bearer {TOKEN}")]


def test_the_configured_store_is_looked_for_as_a_number(marketplace: Marketplace) -> None:
    assert marketplace.look(77) == passed(f"{marketplace.url} takes the token; store: Dogs (77).")

    with pytest.raises(ConfigurationError) as raised:
        marketplace.look(5)
    assert (raised.value.message, raised.value.hint) == (
        "The marketplace's token is not for store 5.",
        "Set [marketplace] store_id to one of its stores: 1234 (Cats), 77 (Dogs).",
    )


def test_a_single_store_may_come_without_its_list(marketplace: Marketplace) -> None:
    marketplace.body = json.dumps({"_embedded": {"store": {"id": 9, "name": "Only"}}}).encode()

    assert marketplace.look(9) == passed(f"{marketplace.url} takes the token; store: Only (9).")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AccessDenied),
        (403, AccessDenied),
        (429, Unavailable),
        (503, Unavailable),
        (404, ConfigurationError),
        (302, ConfigurationError),
    ],
)
def test_a_refusal_is_sorted_by_what_to_do_about_it(
    marketplace: Marketplace, status: int, kind: type[BrekzsyncError]
) -> None:
    marketplace.status = status
    marketplace.headers = {"Location": f"{marketplace.url}/elsewhere"}

    with pytest.raises(kind) as raised:
        marketplace.look()

    assert str(status) in raised.value.message
    assert TOKEN not in raised.value.message + raised.value.hint
    assert [path for path, _ in marketplace.asked] == ["/v1/me"]  # the token follows no redirect


@pytest.mark.parametrize("body", [b"<html>welcome</html>", b"[]", b"\xff\xfe"])
def test_an_answer_that_is_no_session_comes_from_another_address(
    marketplace: Marketplace, body: bytes
) -> None:
    marketplace.body = body

    with pytest.raises(ConfigurationError, match="it is not Shopping Feed's API"):
        marketplace.look()


@pytest.mark.parametrize("session", [{}, {"_embedded": []}, {"_embedded": {"store": [{"id": None}, 3]}}])
def test_a_session_without_stores_is_taken_as_it_is(marketplace: Marketplace, session: object) -> None:
    marketplace.body = json.dumps(session).encode()

    assert marketplace.look() == passed(f"{marketplace.url} takes the token; store: none.")


def test_a_server_that_does_not_answer_is_given_up(
    marketplace: Marketplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "TIMEOUT", 0.1)
    marketplace.released.clear()

    with pytest.raises(Unavailable, match="did not answer in time"):
        marketplace.look()


def test_a_server_that_is_away_is_unavailable() -> None:
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1 cannot be reached"):
        MarketplaceHealth("http://127.0.0.1:1", TOKEN, None).token()


@pytest.mark.parametrize("address", ["https://exa mple:port", "http://[::1", "https://[::1"])
def test_an_address_that_is_none_is_a_configuration_error(address: str) -> None:
    with pytest.raises(ConfigurationError, match="is no address that can be asked"):
        MarketplaceHealth(address, TOKEN, None).token()


@pytest.mark.parametrize("token", ["abcd\u00e9f-token", "abcdef\ntoken", "abcdef\x01token"])
def test_a_token_with_a_character_that_none_has_is_told_and_not_sent(
    marketplace: Marketplace, token: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        MarketplaceHealth(marketplace.url, token, None).token()

    assert raised.value.message == "[marketplace] token holds a character that no token has."
    assert marketplace.asked == []


def test_a_token_is_never_sent_unencrypted_over_a_network() -> None:
    finding = MarketplaceHealth("http://api.example", TOKEN, None).token()

    assert (finding.verdict, finding.detail) == (
        "warning",
        "The token is not sent to http://api.example: anybody on the way could read it.",
    )


def test_without_a_token_there_is_nothing_to_ask() -> None:
    assert MarketplaceHealth("https://api.example", " ", None).token() == skipped(
        "Not configured: [marketplace] token is empty."
    )
