"""What the webservice's client makes of addresses, keys and answers that are no good, and what doctor says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from brekzsync.demo.webservice.server import DemoWebservice, Fault
from brekzsync.domain.findings import Verdict
from brekzsync.errors import AccessDenied, BrekzsyncError, ConfigurationError, Unavailable
from brekzsync.prestashop import webservice as client
from brekzsync.prestashop.webservice import Doubt, Refused, Unclear, Webservice
from brekzsync.prestashop.webservice_health import FOR_SHIPMENTS, FOR_STOCK
from brekzsync.prestashop.webservice_health import webservice as check
from tests.webservice_shops import SmallShop, small_shop
from tests.webservices import KEY, READING_KEY, Exchange, playing_back

ROW = {"id": "1", "quantity": "4"}
XML = "text/xml;charset=utf-8"


@pytest.fixture
def shop(tmp_path: Path) -> SmallShop:
    return small_shop(tmp_path)


@pytest.fixture
def service(shop: SmallShop) -> Iterator[DemoWebservice]:
    with DemoWebservice(shop.url, key=KEY, keys={READING_KEY: {"stock_availables": "GET"}}) as service:
        yield service


def answered(status: int, content: bytes, headers: Mapping[str, str] | None = None) -> Exchange:
    """An answer of whoever stands at the address."""
    return Exchange("", "GET", "/", {}, {}, b"", status, {"Content-Type": XML, **(headers or {})}, content)


def told(exchange: Exchange, method: str = "GET") -> Exception:
    with playing_back(exchange) as playback:
        webservice = Webservice(playback.address, KEY, first_wait=0)
        try:
            if method == "PUT":
                webservice.replace("stock_availables", ROW)
            else:
                webservice.rows("stock_availables", {"id_product": 1})
        except Exception as error:
            return error
        finally:
            webservice.close()
    raise AssertionError("it was taken for an answer")


@pytest.mark.parametrize(
    ("exchange", "kind", "words"),
    [
        (answered(200, b"<html>Welcome"), ConfigurationError, "answered something else than a webservice"),
        (answered(200, b"<prestashop/>"), ConfigurationError, "it holds no stock_availables"),
        (answered(200, b""), ConfigurationError, "answered something else than a webservice"),
        (answered(404, b"<html>Not here"), ConfigurationError, "HTTP 404 with something else than XML"),
        (
            answered(302, b"", {"Location": "https://shop.example/api/"}),
            ConfigurationError,
            "https://shop.example",
        ),
        (answered(302, b"", {"Location": "/?url=products"}), ConfigurationError, "does not know the shop"),
        (answered(403, b"<html>Forbidden"), AccessDenied, "refused the key (HTTP 403)"),
        (answered(429, b""), Unavailable, "asks for less haste"),
        (answered(502, b"<html>Bad Gateway"), Unavailable, "cannot answer now (HTTP 502"),
        (answered(500, b""), Refused, "HTTP 500 without a word"),
    ],
)
def test_what_is_no_answer_of_a_webservice_is_said(
    exchange: Exchange, kind: type[Exception], words: str
) -> None:
    error = told(exchange)

    assert isinstance(error, kind)
    assert words in str(error)
    assert KEY not in f"{error}{getattr(error, 'hint', '')}"
    assert getattr(error, "hint", "x")


def test_an_entity_is_not_resolved() -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE p [<!ENTITY x "y">]><prestashop><stock_availables/></prestashop>'

    assert "it has a document type" in str(told(answered(200, bomb)))


def test_an_answer_without_end_is_not_read_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_ANSWER", 1000)

    assert isinstance(told(answered(200, b"<prestashop>" + b" " * 2000)), Unavailable)


@pytest.mark.parametrize("exchange", [answered(200, b"Warning: <b>"), answered(500, b""), answered(504, b"")])
def test_a_write_with_such_an_answer_is_unclear(exchange: Exchange) -> None:
    error = told(exchange, "PUT")

    assert isinstance(error, Unclear)
    assert error.doubt is Doubt.FAILED


@pytest.mark.parametrize("address", ["http://", "http://[::1", "http://shop example/api"])
def test_an_address_that_is_none(address: str) -> None:
    webservice = Webservice(address, KEY, first_wait=0)

    with pytest.raises(BrekzsyncError) as caught:
        webservice.rows("orders", {})

    webservice.close()
    assert caught.value.hint


def test_reading_is_tried_again_for_a_moment(shop: SmallShop, service: DemoWebservice) -> None:
    row = shop.stock(1, 0, 5)
    service.fail(Fault.DROP_BEFORE, times=2)
    webservice = Webservice(service.address, KEY, first_wait=0)

    assert [one["id"] for one in webservice.rows("stock_availables", {"id_product": 1})] == [str(row)]
    service.fail(Fault.DROP_BEFORE, times=3)
    with pytest.raises(Unavailable):
        webservice.rows("stock_availables", {"id_product": 1})
    webservice.close()


def test_doctor_sees_what_the_key_may_do(service: DemoWebservice) -> None:
    found = check(service.address, KEY, {**FOR_STOCK, **FOR_SHIPMENTS})

    assert found.verdict is Verdict.PASSED
    assert found.detail == (
        f"PrestaShop 8.2.1 takes the key at {service.address}; it may use stock_availables, orders,"
        " order_histories, order_carriers."
    )
    assert {asked.method for asked in service.asked} == {"GET"}


def test_doctor_names_what_the_key_may_not_do(service: DemoWebservice) -> None:
    with pytest.raises(AccessDenied) as caught:
        check(service.address, READING_KEY, {**FOR_STOCK, **FOR_SHIPMENTS})

    assert caught.value.message.endswith(
        "may not PUT stock_availables, GET orders, POST order_histories, GET and PUT order_carriers."
    )


def test_doctor_of_a_wrong_key_and_of_a_webservice_that_is_off_or_away(service: DemoWebservice) -> None:
    with pytest.raises(AccessDenied, match="refused the key"):
        check(service.address, "A" * 32, FOR_STOCK)
    service.switch_off()
    with pytest.raises(Unavailable, match="switched off"):
        check(service.address, KEY, FOR_STOCK)
    with pytest.raises(Unavailable, match="does not answer"):
        check("http://127.0.0.1:9/api", KEY, FOR_STOCK)


def test_doctor_without_a_webservice() -> None:
    assert check("", "", {}).verdict is Verdict.SKIPPED
    with pytest.raises(ConfigurationError, match=r"\[shop\] webservice_url is empty, and stock_availables"):
        check("", "", FOR_STOCK)
    with pytest.raises(ConfigurationError, match=r"\[shop\] webservice_key is empty"):
        check("http://127.0.0.1:9/api", "", FOR_STOCK)
