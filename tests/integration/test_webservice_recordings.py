"""The webservice's client, and the demo's webservice, held against what a real PrestaShop 8.2.1 was heard saying."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx2
import pytest

from brekzsync.demo.webservice.records import RESOURCES
from brekzsync.demo.webservice.server import DemoWebservice, Fault
from brekzsync.errors import AccessDenied, ConfigurationError, RecordError, Unavailable
from brekzsync.prestashop.order_writer import OrderWriter
from brekzsync.prestashop.webservice import Refused, Unclear, Webservice
from tests.services.prestashop import PrestaShopDatabase
from tests.webservices import KEY, READING_KEY, Exchange, playing_back, recorded, rows

# PATCH is not used: nobody knows a version before 8.0 by heart. What other resources say is read for its errors.
NOT_ASKED_BY_US = {"40f", "50e", "51c", "51d", "51e", "51f", "60i", "82c", "20b", "20f", "20g", "80c", "80d"}
FAILURES: Mapping[str, tuple[type[Exception], str]] = {
    "20": (Refused, "HTTP 404 without a word"),
    "20c": (AccessDenied, "refused the key (HTTP 401)"),
    "20d": (AccessDenied, "refused the key (HTTP 401)"),
    "20e": (AccessDenied, "No key arrived"),
    "40d": (Refused, "id is required when modifying a resource (HTTP 400)"),
    "40g": (Refused, 'parameter "id_product" required (HTTP 400)'),
    "40h": (AccessDenied, "may not POST stock_availables"),
    "40i": (Refused, "Validation error"),
    "50c": (Unclear, "HTTP 500 without a word"),
    "80": (ConfigurationError, "does not know the shop"),
    "80b": (Refused, "This Product (10) does not exists on this shop (HTTP 404)"),
    "82": (Unclear, "HTTP 500 without a word"),
    "82e": (Unclear, "Unable to save resource (HTTP 500)"),
    "83": (Unavailable, "is switched off"),
}


@pytest.fixture(scope="module")
def exchanges(shared: Path) -> dict[str, Exchange]:
    return recorded(shared)


def ask(webservice: Webservice, exchange: Exchange) -> Any:
    """The request of a recording, made by our client."""
    record = exchange.sent if exchange.name != "40d" else {"id": exchange.record}
    match exchange.method:
        case "PUT":
            return webservice.replace(exchange.resource, record, exchange.query)
        case "POST":
            return webservice.create(exchange.resource, record, exchange.query)
        case _ if exchange.record:
            return webservice._read(  # the contexts that were recorded are not among those it needs
                exchange.resource,
                f"/{exchange.record}",
                exchange.query,
                lambda root: [name for name in root if name[0] not in "@#"],
            )
    filters = {
        name.removeprefix("filter[").removesuffix("]"): int(value)
        for name, value in exchange.query.items()
        if name.startswith("filter[")
    }
    return webservice.rows(exchange.resource, filters)


def understood(exchange: Exchange, told: object) -> bool:
    """Whether the client made of an answer what it says."""
    if exchange.name in FAILURES:
        kind, words = FAILURES[exchange.name]
        return isinstance(told, kind) and words in str(told)
    if exchange.method != "GET":
        return told == rows(exchange.answer)[0]
    return told == (held(exchange.answer) if exchange.record else rows(exchange.answer))


def held(answer: bytes) -> list[str]:
    """The names of what a document holds within its root."""
    return [one.tag for one in ElementTree.fromstring(answer)]


def test_our_requests_are_the_recorded_ones_and_their_answers_are_understood(
    exchanges: dict[str, Exchange],
) -> None:
    wrong: dict[str, object] = {}
    for name in exchanges.keys() - NOT_ASKED_BY_US:
        exchange = exchanges[name]
        with playing_back(exchange) as playback:
            webservice = Webservice(playback.address, KEY, first_wait=0)
            try:
                told: object = ask(webservice, exchange)
            except Exception as error:
                told = error
            webservice.close()
        asked = playback.asked[0]
        expected_query = {"display": "full", **exchange.query}
        if exchange.method != "GET" or exchange.record:
            expected_query = dict(exchange.query)
        elif name in ("60b", "60c"):
            expected_query = {"filter[id_product]": "6", "display": "full"}  # a list knows no context
        made = (asked.method, asked.path, dict(asked.query))
        if made != (exchange.method, exchange.path, expected_query):
            wrong[name] = made
        # The recordings of refused keys came with those; ours is asked with a good one.
        if name not in ("20c", "20d", "20e") and (
            asked.request_headers["Authorization"] != exchange.request_headers["Authorization"]
        ):
            wrong[name] = asked.request_headers
        if name != "40d" and rows(asked.request) != rows(exchange.request):
            wrong[name] = asked.request
        if not understood(exchange, told):
            wrong[f"{name}, answer"] = told
    assert wrong == {}


def test_every_failure_is_told_without_the_key(exchanges: dict[str, Exchange]) -> None:
    for name in FAILURES:
        with playing_back(exchanges[name]) as playback:
            webservice = Webservice(playback.address, KEY, first_wait=0)
            with pytest.raises(FAILURES[name][0]) as caught:
                ask(webservice, exchanges[name])
            webservice.close()
        told = caught.value
        assert KEY not in f"{told} {getattr(told, 'hint', '')}"
        assert getattr(told, "hint", "x"), name


@pytest.mark.parametrize("name", ["50", "50b", "50d", "82b"])
def test_a_state_is_set_as_recorded(exchanges: dict[str, Exchange], name: str) -> None:
    exchange = exchanges[name]
    with playing_back(exchange) as playback:
        writer = OrderWriter(Webservice(playback.address, KEY))
        id_order, id_state = (int(exchange.sent[field]) for field in ("id_order", "id_order_state"))
        writer.set_state(id_order, id_state, send_email="sendemail" in exchange.query)
        writer.close()

    assert [(one.method, one.path, dict(one.query), one.sent) for one in playback.asked] == [
        ("POST", "/order_histories", dict(exchange.query), exchange.sent)
    ]


def test_an_orders_state_is_read_as_recorded(exchanges: dict[str, Exchange]) -> None:
    with playing_back(exchanges["82d"]) as playback:
        assert OrderWriter(Webservice(playback.address, KEY)).state_of(7) == 2
    assert [(one.method, one.path) for one in playback.asked] == [("GET", "/orders/7")]


def test_the_demo_answers_what_was_recorded(
    exchanges: dict[str, Exchange], prestashop: PrestaShopDatabase
) -> None:
    make_shops(prestashop)
    wrong: dict[str, object] = {}
    keys = {READING_KEY: {"products": "GET"}}
    url = prestashop.url("pymysql")
    with (
        DemoWebservice(url, key=KEY, keys=keys) as service,
        DemoWebservice(url, key=KEY) as switched_off,
        httpx2.Client() as client,
    ):
        switched_off.switch_off()
        for name, exchange in exchanges.items():
            prepare(prestashop, exchange)
            if name == "82e":
                service.fail(Fault.MAIL_FAILED)
            asked = switched_off if name == "83" else service
            wrong.update(differences(exchange, repeated(exchange, client, asked.address)))
    assert wrong == {}


def repeated(exchange: Exchange, client: httpx2.Client, address: str) -> httpx2.Response:
    """The answer to a recorded request, sent as it was."""
    sent = exchange.request_headers
    return client.request(
        exchange.method,
        address + exchange.path,
        params=dict(exchange.query),
        content=exchange.request or None,
        headers={name: sent[name] for name in ("Authorization", "Content-Type") if name in sent},
    )


def differences(exchange: Exchange, answer: httpx2.Response) -> dict[str, object]:
    """In what an answer is another than the recorded one, by the recording's number."""
    kind = exchange.headers.get("Content-Type", "").partition(";")[0]
    if answer.status_code != exchange.status:
        return {exchange.name: (answer.status_code, answer.text)}
    if kind and not answer.headers["Content-Type"].startswith(kind):
        return {exchange.name: answer.headers["Content-Type"]}
    found, expected = (comparable(content, exchange) for content in (answer.content, exchange.answer))
    return {} if found == expected else {exchange.name: (found, expected)}


def comparable(content: bytes, exchange: Exchange) -> object:
    """What of an answer does not depend on the shop's data."""
    if not content.startswith(b"<?xml"):
        return content.strip()
    found = rows(content)
    if found and "code" in found[0]:
        return [(one["code"], one["message"] if one["code"] != "27" else "") for one in found]
    if exchange.resource == "products":
        return sorted(found[0].keys() & {"id", "active", "price"}) if found else ()
    hidden = {"date_add", "date_upd", *(("id",) if exchange.resource == "order_histories" else ())}
    known = set(RESOURCES[exchange.resource].fields) - hidden
    return [{field: value for field, value in row.items() if field in known} for row in found]


def make_shops(prestashop: PrestaShopDatabase) -> None:
    """Three shops of one group, as where it was recorded."""
    for id_shop in (2, 3):
        prestashop.execute(
            "INSERT INTO ps_shop (id_shop, id_shop_group, name, color, id_category, theme_name, active, deleted)"
            " VALUES (%s, 1, %s, '', 2, 'classic', 1, 0)",
            [id_shop, f"shop {id_shop}"],
        )
    columns = [
        row[0] for row in prestashop.execute("SHOW COLUMNS FROM ps_product_shop") if row[0] != "id_shop"
    ]
    listed = ", ".join(f"`{column}`" for column in columns)
    prestashop.execute(
        f"INSERT INTO ps_product_shop (id_shop, {listed})"
        f" SELECT 3, {listed} FROM ps_product_shop WHERE id_shop = 1 AND id_product <> 10"
    )


def prepare(prestashop: PrestaShopDatabase, exchange: Exchange) -> None:
    """The records a recording is about, as they were before."""
    resource = RESOURCES.get(exchange.resource)
    if resource is None or exchange.resource == "products":
        return
    before: dict[str, Callable[[dict[str, str]], dict[str, str]]] = {
        "stock_availables": lambda row: {**row, "quantity": "7"} if exchange.method != "GET" else row,
        "order_carriers": lambda row: {**row, "tracking_number": ""},
    }
    if exchange.resource in before:
        found = [row for row in rows(exchange.answer) if "id" in row]
        if exchange.name in ("40d", "40g", "40i", "51f"):
            row_of_all = {
                "id": exchange.record,
                "id_product": "8",
                "id_product_attribute": "0",
                "id_shop": "1",
            }
            of_order = {"id": "1", "id_order": "1", "id_carrier": "2", "date_add": "2026-11-21 08:00:00"}
            found = [of_order if exchange.name == "51f" else {**row_of_all, "id_shop_group": "0"}]
        for row in found:
            store(prestashop, resource.table, resource.key, before[exchange.resource](row))
        return
    id_order = exchange.sent.get("id_order") or exchange.sent.get("id") or exchange.record
    if (
        not prestashop.execute("SELECT 1 FROM ps_orders WHERE id_order = %s", [id_order])
        and id_order != "99999"
    ):
        columns = [
            row[0]
            for row in prestashop.execute("SHOW COLUMNS FROM ps_orders")
            if row[0] not in ("id_order", "id_shop", "current_state")
        ]
        listed = ", ".join(f"`{column}`" for column in columns)
        prestashop.execute(
            f"INSERT INTO ps_orders (id_order, id_shop, current_state, {listed})"
            f" SELECT %s, 2, 1, {listed} FROM ps_orders WHERE id_order = 1",
            [id_order],
        )
    for row in rows(exchange.answer):
        known = {field: row[field] for field in RESOURCES["orders"].fields if field in row and field != "id"}
        if exchange.resource == "orders":
            before_it = "1" if "current_state" in exchange.sent else known["current_state"]
            sets = ", ".join(f"`{field}` = %s" for field in known)
            values = [*{**known, "current_state": before_it}.values(), id_order]
            prestashop.execute(f"UPDATE ps_orders SET {sets} WHERE id_order = %s", values)


def store(prestashop: PrestaShopDatabase, table: str, key: str, row: dict[str, str]) -> None:
    """Put a row where any row with its key, or its place, was."""
    values = {key if field == "id" else field: value for field, value in row.items()}
    listed = ", ".join(f"`{column}`" for column in values)
    marks = ", ".join(["%s"] * len(values))
    prestashop.execute(f"REPLACE INTO ps_{table} ({listed}) VALUES ({marks})", list(values.values()))


def test_the_recorded_refusals_of_an_order_are_told_in_words(prestashop: PrestaShopDatabase) -> None:
    with DemoWebservice(prestashop.url("pymysql"), key=KEY) as service:
        writer = OrderWriter(Webservice(service.address, KEY), pause=0)
        with pytest.raises(RecordError) as unknown_state:
            writer.set_state(1, 999)
        with pytest.raises(RecordError) as unknown_order:
            writer.set_state(99999, 4)
        writer.close()

    assert unknown_state.value.reason == unknown_order.value.reason == "webservice_refused"
    assert (
        unknown_state.value.message == "The shop did not set order 1 to state 999: HTTP 500 without a word."
    )
    assert unknown_order.value.message == "The shop has no order 99999."
