"""What the marketplace's client makes of slow, broken, busy and strange servers; they are the test's own."""

from __future__ import annotations

import gzip
import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from brekzsync.domain.marketplace import (
    Doubt,
    Identity,
    Ignored,
    Notice,
    Refused,
    RemoteOrder,
    Submission,
    Ticket,
    Unclear,
)
from brekzsync.domain.order_status import Operation
from brekzsync.errors import AccessDenied, BrekzsyncError, ConfigurationError, Unavailable
from brekzsync.marketplace import answers, requests, shoppingfeed
from brekzsync.marketplace.shoppingfeed import ShoppingFeed
from tests.scripted_api import (
    Reply,
    ScriptedApi,
    cut,
    dripping,
    dropped,
    endless,
    says,
    scripted,
    silent,
)

TOKEN = "s3cret-token"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
STORE = 1276
NOTICE = Notice(1, Identity(5678, "ref1", "amazon"))
TAKEN = says({"id": "abc"}, 202)
NO_ROWS = says({"_embedded": {"ticket": []}})


class Client:
    """A client of a scripted server, and the waits it made."""

    def __init__(self, server: ScriptedApi, **options: Any) -> None:
        self.server = server
        self.waits: list[float] = []
        defaults = {"first_wait": 0.0, "clock": lambda: NOON, "sleep": self.waits.append, "read_timeout": 0.3}
        self.api = ShoppingFeed(server.url, TOKEN, **{**defaults, **options})

    def submit(self) -> Submission:
        return self.api.submit(STORE, Operation.SHIP, [NOTICE])

    def tickets(self) -> list[Ticket]:
        return list(self.api.tickets(STORE, "abc"))

    @property
    def sent(self) -> list[str]:
        return [asked.method for asked in self.server.asked]


@contextmanager
def client(*replies: Reply, **options: Any) -> Iterator[Client]:
    with scripted(*replies) as server:
        made = Client(server, **options)
        with closing(made.api):
            yield made


def failing(method: str, made: Client) -> Exception:
    """What came instead of an answer; it tells nothing of the token and a person what to do."""
    with pytest.raises((BrekzsyncError, Refused, Unclear)) as raised:
        made.submit() if method == "POST" else made.tickets()
    error = raised.value
    assert TOKEN not in f"{error}{getattr(error, 'hint', '')}"
    assert getattr(error, "hint", "x")
    return error


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


# --- the request ---------------------------------------------------------------------------------------


def test_it_says_who_it_is_but_not_where() -> None:
    with client(NO_ROWS) as made:
        made.tickets()
        headers = made.server.asked[0].headers

    assert re.fullmatch(r"brekzsync/\S+ \(Python; 3\.\d+\.\S+\)", headers["User-Agent"])
    assert socket.gethostname() not in headers["User-Agent"]
    assert headers["Accept"] == "application/json"
    assert headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_cookie_is_not_brought_back() -> None:
    with client(says({"id": "abc"}, 202, Set_Cookie="session=1; Path=/")) as made:
        made.submit()
        made.submit()

    assert [asked.headers.get("Cookie") for asked in made.server.asked] == [None, None]


def test_more_than_a_hundred_orders_are_never_one_request() -> None:
    with client(TAKEN) as made, pytest.raises(ValueError, match="101 orders"):
        made.api.submit(STORE, Operation.SHIP, [NOTICE] * 101)

    assert made.sent == []


@pytest.mark.parametrize("address", ["http://api.example", "http://192.0.2.7:80/"])
def test_a_token_is_never_sent_unencrypted_over_a_network(address: str) -> None:
    with pytest.raises(ConfigurationError, match="anybody on the way could read it"):
        ShoppingFeed(address, TOKEN)


@pytest.mark.parametrize("token", ["abcd\u00e9f", "abc\ndef"])
def test_a_token_with_a_character_that_none_has_is_named_by_its_place(token: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        ShoppingFeed("https://api.example", token, token_name="the token of shop NL")

    assert raised.value.message == "the token of shop NL holds a character that no token has."


@pytest.mark.parametrize("address", ["https://exa mple:port", "https://[::1", "ftp://127.0.0.1"])
def test_an_address_that_is_none_is_a_configuration_error(address: str) -> None:
    with (
        closing(ShoppingFeed(address, "")) as api,
        pytest.raises(ConfigurationError, match="is no address that can be asked"),
    ):
        api.submit(STORE, Operation.SHIP, [NOTICE])


# --- no answer -----------------------------------------------------------------------------------------


def test_what_only_reads_is_tried_again_for_a_moment() -> None:
    with client(Reply(send=dropped), Reply(503, b"<html>"), NO_ROWS) as made:
        assert made.tickets() == []

    assert made.sent == ["GET"] * 3


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(send=silent), "did not answer in time"),
        (Reply(send=dropped), "did not answer (Server disconnected"),
        (Reply(500, b""), "answered HTTP 500."),
        (Reply(502, b"<html>Bad Gateway</html>"), "answered HTTP 502."),
        (
            says({"title": "Service Unavailable", "detail": "Back soon"}, 503),
            "503: Service Unavailable: Back",
        ),
        (Reply(504, b"\xff"), "answered HTTP 504."),
        (Reply(408), "answered HTTP 408."),
        (Reply(200, b'{"_embedded"', send=cut), "broke off its answer"),
        (Reply(200, b"no gzip", {"Content-Encoding": "gzip"}), "broke off its answer"),
    ],
)
def test_reading_is_given_up_after_three_tries(reply: Reply, words: str) -> None:
    with client(reply) as made:
        error = failing("GET", made)

    assert isinstance(error, Unavailable)
    assert words in error.message
    assert made.sent == ["GET"] * 3


@pytest.mark.parametrize(
    ("reply", "doubt"),
    [
        (Reply(send=silent), Doubt.LOST),
        (Reply(send=dropped), Doubt.LOST),
        (Reply(500, b""), Doubt.FAILED),
        (Reply(502, b"<html>Bad Gateway</html>"), Doubt.FAILED),
        (Reply(503, b"", {"Retry-After": "1"}), Doubt.FAILED),
        (Reply(504, b"\xff"), Doubt.FAILED),
        (Reply(507, b""), Doubt.FAILED),
        (Reply(202, b"<html>thanks</html>"), Doubt.FAILED),
        (Reply(202, b"[]"), Doubt.FAILED),
        (Reply(202, b""), Doubt.FAILED),
        (Reply(202, b'{"id":', send=cut), Doubt.FAILED),
        (Reply(200, b"<html>Welcome</html>"), Doubt.FAILED),
        (Reply(202, b"no gzip", {"Content-Encoding": "gzip"}), Doubt.FAILED),
    ],
)
def test_a_notice_that_may_have_arrived_is_never_sent_twice(reply: Reply, doubt: Doubt) -> None:
    with client(reply) as made:
        error = failing("POST", made)

    assert isinstance(error, Unclear)
    assert error.doubt is doubt
    assert error.words
    assert made.sent == ["POST"]
    assert made.waits == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_where_no_connection_comes_about_nothing_was_sent(method: str) -> None:
    with client(TAKEN) as made:
        waits: list[float] = []
        api = ShoppingFeed(f"http://127.0.0.1:{closed_port()}", TOKEN, first_wait=0.01, sleep=waits.append)
        made.api.close()
        made.api = api
        error = failing(method, made)

    assert isinstance(error, Unavailable)
    assert "cannot be reached" in error.message
    assert len(waits) == 2  # three tries
    assert 0 < waits[0] < waits[1] + 0.01


@pytest.mark.parametrize("reply", [Reply(202, send=endless), Reply(202, send=dripping)])
def test_an_answer_without_end_is_not_read_to_it(reply: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MAX_ANSWER", 1_000_000)
    with client(reply, read_timeout=0.1) as made:
        written = failing("POST", made)
        read = failing("GET", made)

    assert isinstance(written, Unclear)
    assert written.doubt is Doubt.FAILED  # its status was told: the marketplace is not at it any more
    assert isinstance(read, Unavailable)
    assert "answer without end" in read.message


# --- too many requests ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"X-RateLimit-Wait": "1.25"}, 1.25),
        ({"X-RateLimit-Wait": "2", "Retry-After": "9"}, 2.0),
        ({"X-RateLimit-Wait": "soon", "Retry-After": "9"}, 9.0),
        ({"X-RateLimit-Wait": "-1"}, 0.0),
        ({"X-RateLimit-Wait": "nan"}, 0.0),
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": format_datetime(datetime(2026, 11, 22, 12, 0, 7, tzinfo=UTC), usegmt=True)}, 7.0),
        ({"Retry-After": format_datetime(datetime(2026, 11, 22, 11, tzinfo=UTC), usegmt=True)}, 0.0),
        ({"Retry-After": "tomorrow"}, 0.0),
        ({}, 0.0),
    ],
)
def test_too_many_requests_are_waited_for(method: str, headers: dict[str, str], wait: float) -> None:
    answer = says({"id": "abc", "_embedded": {}}, 202)
    with client(Reply(429, b"", headers), Reply(429, b"<html>", headers), answer) as made:
        made.submit() if method == "POST" else made.tickets()

    assert made.sent == [method] * 3
    assert made.waits == [wait, wait]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_after_three_repeats_it_says_when_it_may_be_asked_again(method: str) -> None:
    with client(Reply(429, b"", {"X-RateLimit-Wait": "2.5"})) as made:
        error = failing(method, made)

    assert isinstance(error, Unavailable)
    assert (error.code, error.hint) == (
        "rate_limited",
        "Run the same command again after 2026-11-22 12:00:03 UTC.",
    )
    assert made.sent == [method] * 4
    assert made.waits == [2.5, 2.5, 2.5]


@pytest.mark.parametrize(("wait", "waited"), [("61", []), ("440", []), ("25", [25.0, 25.0]), ("1e300", [])])
def test_nobody_waits_for_longer_than_a_minute_in_all(wait: str, waited: list[float]) -> None:
    with client(Reply(429, b"", {"X-RateLimit-Wait": wait})) as made:
        error = failing("GET", made)

    assert isinstance(error, Unavailable)
    assert error.code == "rate_limited"
    assert made.waits == waited


def test_a_server_that_is_away_for_a_while_may_say_so_too() -> None:
    with client(Reply(503, b"", {"Retry-After": "4"}), NO_ROWS) as made:
        assert made.tickets() == []

    assert made.waits == [4.0]


def test_its_own_wait_grows() -> None:
    with client(Reply(429), first_wait=1.0) as made:
        failing("GET", made)

    assert [int(wait) // 2 for wait in made.waits] == [0, 1, 2]  # 1 to 2, 2 to 3, 4 to 5 seconds


# --- refusals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 404, 409, 410, 413, 422])
def test_a_refusal_of_an_order_is_no_reason_to_stop(status: int) -> None:
    with client(says({"title": "No", "detail": "Not so", "status": status}, status)) as made:
        error = failing("POST", made)

    assert isinstance(error, Refused)
    assert (error.status, error.words) == (status, f"No: Not so (HTTP {status})")
    assert made.sent == ["POST"]


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        ("", "HTTP 400 without a word"),
        ("<html>Request too large", "HTTP 400 without a word"),
        (
            {"validationMessages": {"order": {"0": {"id": {"unknown": "No such order"}}}}},
            "order.0.id: No such",
        ),
        (
            {"title": "Bad", "validationMessages": [{"id": {"x": "Wrong"}}, {"carrier": {"y": "Missing"}}]},
            "Bad: element 1.id: Wrong; element 2.carrier: Missing (HTTP 400)",
        ),
        ({"detail": 7, "title": None, "validationMessages": 3}, "HTTP 400 without a word"),
        ({"title": "Two\nlines\x1b[31m\ud800"}, "Two lines [31m (HTTP 400)"),
        ({"title": f"{TOKEN} is wrong"}, "… is wrong (HTTP 400)"),
    ],
)
def test_the_marketplaces_own_words_are_told(problem: object, words: str) -> None:
    with client(says(problem, 400)) as made:
        error = failing("POST", made)

    assert isinstance(error, Refused)
    assert words in error.words
    assert error.words.isprintable()


def test_very_many_words_are_cut() -> None:
    problem = {"title": "x" * 2000, "validationMessages": [{"field": {"rule": "y" * 2000}}] * 1000}
    nested: Any = "deep"
    for _ in range(200):
        nested = [nested]

    assert len(answers.refusal(json.dumps(problem).encode())) == 500
    assert answers.refusal(json.dumps({"validationMessages": nested}).encode()) == ""
    assert answers.refusal(b"[" * 100_000) == ""


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_not_tried_again(status: int) -> None:
    with client(Reply(status, b"<html>", send=cut)) as made:
        error = failing("POST", made)

    assert isinstance(error, AccessDenied)
    assert "[marketplace] token" in error.hint
    assert made.sent == ["POST"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "reply",
    [
        Reply(301, b"", {"Location": "http://127.0.0.1:1/"}),
        Reply(302, b"", {"Location": "/v1/elsewhere"}),
        Reply(307, b"", {"Location": "/v1/elsewhere"}),
        Reply(404, b"<html>Not here</html>"),
        Reply(405, b"{}"),
        Reply(418, b"{}"),
    ],
)
def test_another_server_is_a_configuration_error(method: str, reply: Reply) -> None:
    with client(reply) as made:
        error = failing(method, made)

    assert isinstance(error, ConfigurationError)
    assert "it is not Shopping Feed's API" in error.message
    assert made.sent == [method]  # the token follows no redirect


@pytest.mark.parametrize(
    "body", [b"<html>Welcome</html>", b"[]", b"\xff\xfe", b'"yes"', b"[" * 100_000, b"3"]
)
def test_nonsense_is_not_taken_for_an_answer(body: bytes) -> None:
    with client(Reply(200, body)) as made:
        error = failing("GET", made)

    assert isinstance(error, ConfigurationError)
    assert "did not answer a JSON object" in error.message


# --- what was sent -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"id": 42}, Submission("42", ())),
        ({"id": " b1 ", "report": []}, Submission("b1", ())),
        ({"id": None}, Submission(None, ())),
        ({}, Submission(None, ())),
        (
            {"id": "b1", "report": {"id": "7", "state": "ignored", "message": "Why\nnot"}},
            Submission("b1", (Ignored(7, None, None, "Why not"),)),
        ),
        (
            {"id": "", "report": [{"reference": "r1", "channelName": "Fnac", "state": "ignored"}, 3, None]},
            Submission(None, (Ignored(None, "r1", "Fnac", "ignored, without a word"),)),
        ),
        ({"id": "b1", "report": [{"id": 7, "state": "delayed", "message": "Later"}]}, Submission("b1", ())),
        ({"id": "b1", "report": "nothing"}, Submission("b1", ())),
    ],
)
def test_a_batch_and_its_report(answer: object, told: Submission) -> None:
    with client(says(answer, 202, Content_Type="application/hal+json")) as made:
        assert made.submit() == told


def test_a_compressed_answer_is_read() -> None:
    body = gzip.compress(json.dumps({"id": "abc"}).encode())
    with client(Reply(202, body, {"Content-Encoding": "gzip"})) as made:
        assert made.submit() == Submission("abc", ())


# --- tickets -------------------------------------------------------------------------------------------


def page(*numbers: str, href: str | None = None) -> Reply:
    links = {"next": {"href": href}} if href else {}
    return says({"_embedded": {"ticket": [{"id": number} for number in numbers]}, "_links": links})


@pytest.mark.parametrize(
    "href",
    [
        "/v1/store/1276/ticket?batchId=abc&page=2&limit=200",
        "?batchId=abc&page=2&limit=200",
        "ticket?batchId=abc&page=2&limit=200",
        "{url}/v1/store/1276/ticket?batchId=abc&page=2&limit=200",
    ],
)
def test_pages_are_followed_as_the_api_links_them(href: str) -> None:
    with scripted() as server:
        server.replies = [page("t1", "t2", href=href.format(url=server.url)), page("t3")]
        with closing(Client(server).api) as api:
            assert [ticket.number for ticket in api.tickets(STORE, "abc")] == ["t1", "t2", "t3"]

    second = server.asked[1]
    assert second.path == "/v1/store/1276/ticket"
    assert second.query == {"batchId": "abc", "page": "2", "limit": "200"}
    assert second.headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "href",
    [
        "http://localhost:{port}/v1/store/1276/ticket",
        "https://127.0.0.1:{port}/v1",
        "http://127.0.0.1:1/v1",
        "//api.example/v1",
        "http://127.0.0.1:{port}@api.example/v1",
        "http://[::1",
        "javascript:alert(1)",
    ],
)
def test_a_page_on_another_host_is_not_asked(href: str) -> None:
    with scripted() as server:
        server.replies = [page("t1", href=href.format(port=server.server.server_address[1]))]
        made = Client(server)
        with closing(made.api):
            error = failing("GET", made)

    assert isinstance(error, ConfigurationError)
    assert error.code == "foreign_link"
    assert len(server.asked) == 1


def test_an_api_below_a_path_links_its_pages_from_there() -> None:
    pages = (page("t1", href="/v1/store/1/ticket?page=2"), page("t2"))
    with scripted(*pages) as server, closing(ShoppingFeed(f"{server.url}/proxy/", TOKEN)) as api:
        assert [ticket.number for ticket in api.tickets(1, "abc")] == ["t1", "t2"]

    assert {asked.path for asked in server.asked} == {"/proxy/v1/store/1/ticket"}


def test_pages_that_lead_to_themselves_end(caplog: pytest.LogCaptureFixture) -> None:
    with client(page("t1", href="/v1/a"), page("t2", href="/v1/b"), page("t3", href="/v1/a")) as made:
        assert [ticket.number for ticket in made.tickets()] == ["t1", "t2", "t3"]

    assert "/v1/a comes after itself" in caplog.text


def test_pages_without_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shoppingfeed, "MAX_PAGES", 5)
    with scripted() as server:
        server.replies = [page(f"t{number}", href=f"/v1/{number}") for number in range(20)]
        made = Client(server)
        with closing(made.api):
            error = failing("GET", made)

    assert isinstance(error, Unavailable)
    assert "has no end after 5 pages" in error.message
    assert len(server.asked) == 5


def test_a_single_ticket_may_come_without_its_list() -> None:
    with client(says({"_embedded": {"ticket": {"id": 7, "payload": {"id": "5678"}}}})) as made:
        (ticket,) = made.tickets()

    assert (ticket.number, ticket.feed_id) == ("7", 5678)


def test_a_batch_that_is_not_known_yet_has_no_tickets() -> None:
    with client(says({"title": "Not Found"}, 404)) as made:
        assert made.tickets() == []


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({}, Ticket("", None, "", "", None, None, None, "", None)),
        (
            {"id": "t", "payload": [], "result": "x", "scheduledAt": "soon"},
            Ticket("t", None, "", "", None, None, None, "", None),
        ),
        (
            {
                "id": "t",
                "batchId": 9,
                "type": "order.notify.refund",
                "state": "paused",
                "payload": {"id": " 12 ", "reference": 34, "channel": {"id": 1, "name": "Fnac"}},
                "scheduledAt": "2026-11-22T13:00:00.5+01:00",
            },
            Ticket("t", "9", "order.notify.refund", "paused", 12, "34", "Fnac", "", 1_795_348_800_500),
        ),
        (
            {"id": "t", "payload": {"id": 1.5, "channelName": "Bol"}, "scheduledAt": "2026-11-22T12:00:00"},
            Ticket("t", None, "", "", None, None, "Bol", "", 1_795_348_800_000),
        ),
    ],
)
def test_a_ticket_is_read_as_far_as_it_goes(row: object, told: Ticket) -> None:
    with client(says({"_embedded": {"ticket": [row, 3, None]}})) as made:
        assert made.tickets() == [told]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5678, 5678),
        ("5678", 5678),
        (" 5678 ", 5678),
        ("05678", 5678),
        (True, None),
        (0, None),
        ("0", None),
        (-4, None),
        ("", None),
        (None, None),
        ("12a", None),
        ("٣", None),
        (12.0, None),
        ("9" * 5000, None),
        ([5678], None),
    ],
)
def test_ids_are_compared_as_integers(value: object, number: int | None) -> None:
    assert answers.number(value) == number


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"message": "Unable to update order.", "data": None}, "Unable to update order."),
        (
            {"message": "Refused", "data": {"code": 12, "why": "carrier"}},
            'Refused ({"code": 12, "why": "carrier"})',
        ),
        ({"message": "Carrier unknown", "data": "Carrier unknown"}, "Carrier unknown"),
        ({"message": None, "data": ["a", "b"]}, '["a", "b"]'),
        ({"message": "", "data": "x" * 900}, "x" * 199 + "…"),
        ({"message": "y" * 900}, "y" * 499 + "…"),
        (None, ""),
    ],
)
def test_a_tickets_own_words(result: object, message: str) -> None:
    assert answers.ticket({"id": "t", "result": result}).message == message


def test_a_ticket_is_asked_by_its_number_whatever_stands_in_it() -> None:
    with client(says({"state": "succeed"})) as made:
        ticket = made.api.ticket(STORE, "a/../b?c d")
        assert made.api.ticket(STORE, "") is None

    assert ticket is not None
    assert (ticket.number, ticket.state) == ("a/../b?c d", "succeed")
    assert [asked.path for asked in made.server.asked] == ["/v1/store/1276/ticket/a%2F..%2Fb%3Fc%20d"]


@pytest.mark.parametrize(
    ("operation", "asked", "kinds"),
    [
        (Operation.SHIP, "order.notify.shipment", ["order.notify.shipment"]),
        (Operation.CANCEL, "order.notify.cancellation", ["order.notify.cancellation"]),
        (Operation.REFUND, "order.notify.refund", ["order.notify.refund"]),
        (Operation.DELIVER, "order", ["order.notify.delivery", "order.deliver"]),
    ],
)
def test_the_tickets_of_an_order_are_those_of_one_operation(
    operation: Operation, asked: str, kinds: list[str]
) -> None:
    every = [
        "order.notify.shipment",
        "order.notify.cancellation",
        "order.notify.refund",
        "order.notify.delivery",
        "order.deliver",
        "order.acknowledge",
    ]
    rows = [{"id": kind, "type": kind, "payload": {"id": "5678"}} for kind in every]
    others = [{"id": "other", "type": kinds[0], "payload": {"id": 9}}, {"id": "none", "type": kinds[0]}]
    with client(says({"_embedded": {"ticket": rows + others}})) as made:
        found = [ticket.number for ticket in made.api.tickets_of_order(STORE, 5678, operation)]

    assert found == kinds
    assert made.server.asked[0].query == {"payloadId": "5678", "type": asked, "page": "1", "limit": "200"}


# --- orders --------------------------------------------------------------------------------------------


def row(number: object, reference: str, channel: str, status: str = "shipped", **more: object) -> object:
    return {
        "id": number,
        "reference": reference,
        "status": status,
        "_embedded": {"channel": {"id": 1, "name": channel}},
        **more,
    }


def test_an_order_is_asked_by_its_id() -> None:
    with client(says(row("5678", "ref1", "Amazon", fulfilledBy="channel"))) as made:
        order = made.api.order(STORE, Identity(5678, "", ""))

    assert order == RemoteOrder(5678, "ref1", "Amazon", "shipped", True)
    assert [asked.path for asked in made.server.asked] == ["/v1/store/1276/order/5678"]


def test_an_old_order_is_looked_up_by_reference_and_channel() -> None:
    rows = [
        row(1, "ref1", "Fnac"),
        row(2, "ref11", "Tik Tok Shop"),
        row(3, "ref1", "TikTok-Shop", "cancelled", fulfilledBy="store"),
        row(4, "ref1", "TikTokShop"),
        "nonsense",
        {"reference": "ref1"},
    ]
    with client(says({"_embedded": {"order": rows}})) as made:
        order = made.api.order(STORE, Identity(None, "ref1", "tiktokshop"))
        assert made.api.order(STORE, Identity(None, "ref1", "Bol")) is None

    assert order == RemoteOrder(3, "ref1", "TikTok-Shop", "cancelled", False)
    assert made.server.asked[0].path == "/v1/store/1276/order"
    assert made.server.asked[0].query == {"reference": "ref1", "page": "1", "limit": "200"}


def test_an_order_that_is_not_there_is_none() -> None:
    with client(says({"title": "Not Found"}, 404)) as made:
        assert made.api.order(STORE, Identity(5678, "", "")) is None
        assert made.api.order(STORE, Identity(None, "ref1", "Bol")) is None


def test_what_each_order_says_of_its_fulfilment_counts() -> None:
    first = [row(1, "a", "Amazon", fulfilledBy="channel"), row(2, "b", "Amazon", fulfilledBy="store")]
    second = [row("3", "c", "Amazon", fulfilledBy="Channel"), row(4, "d", "Amazon")]
    pages = (
        says({"_embedded": {"order": first}, "_links": {"next": {"href": "/v1/more"}}}),
        says({"_embedded": {"order": second}}),
    )
    with client(*pages) as made:
        found = list(made.api.fulfilled_by_channel(STORE, 1_795_348_800_999))

    assert found == [1, 3]
    assert made.server.asked[0].query == {
        "fulfilledBy": "channel",
        "since": "2026-11-22T12:00:00+00:00",
        "page": "1",
        "limit": "200",
    }


# --- stores --------------------------------------------------------------------------------------------


def test_the_stores_of_a_token_keep_their_order() -> None:
    with client(says({"_embedded": {"store": [{"id": "77", "name": "NL"}, {"id": 5}]}})) as made:
        assert list(made.api.stores()) == [77, 5]


def test_a_token_may_be_for_no_store() -> None:
    with client(says({})) as made:
        assert made.api.stores() == {}
