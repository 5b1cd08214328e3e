"""Order states and tracking numbers, written through a shop's webservice and looked up whenever it is not clear."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from brekzsync.demo.webservice.server import DemoWebservice, Fault
from brekzsync.errors import AccessDenied, RecordError, Unavailable
from brekzsync.prestashop.order_writer import OrderWriter
from brekzsync.prestashop.webservice import Webservice
from tests.webservice_shops import SmallShop, small_shop
from tests.webservices import KEY, READING_KEY

HISTORY = "SELECT id_order, id_order_state FROM ps_order_history"
STATE = "SELECT current_state FROM ps_orders WHERE id_order = 1"


@pytest.fixture
def shop(tmp_path: Path) -> SmallShop:
    return small_shop(tmp_path)


@pytest.fixture
def service(shop: SmallShop) -> Iterator[DemoWebservice]:
    with DemoWebservice(shop.url, key=KEY, keys={READING_KEY: {"orders": "GET"}}) as service:
        yield service


@pytest.fixture
def writer(service: DemoWebservice) -> Iterator[OrderWriter]:
    writer = OrderWriter(Webservice(service.address, KEY, read_timeout=0.5, first_wait=0), pause=0)
    yield writer
    writer.close()


def posts(service: DemoWebservice) -> list[dict[str, str]]:
    return [dict(asked.query) for asked in service.asked if asked.method == "POST"]


def test_a_state_is_set_and_written_down_once(
    shop: SmallShop, service: DemoWebservice, writer: OrderWriter
) -> None:
    writer.set_state(1, 4)

    assert writer.state_of(1) == 4
    assert shop.execute(HISTORY) == [(1, 4)]
    assert posts(service) == [{}]


def test_the_customer_is_mailed_when_asked_for(service: DemoWebservice, writer: OrderWriter) -> None:
    writer.set_state(1, 4, send_email=True)

    assert posts(service) == [{"sendemail": "1"}]


@pytest.mark.parametrize("fault", [Fault.MAIL_FAILED, Fault.ERROR_AFTER, Fault.DROP_AFTER, Fault.HANG_AFTER])
def test_a_state_that_is_there_though_the_answer_was_bad_is_not_set_again(
    shop: SmallShop, service: DemoWebservice, writer: OrderWriter, fault: Fault
) -> None:
    service.fail(fault, "POST")

    writer.set_state(1, 4)

    assert shop.execute(HISTORY) == [(1, 4)]


def test_a_state_that_a_broken_connection_lost_is_sent_once_more(
    shop: SmallShop, service: DemoWebservice, writer: OrderWriter
) -> None:
    service.fail(Fault.DROP_BEFORE, "POST")

    writer.set_state(1, 4)

    assert shop.execute(HISTORY) == [(1, 4)]
    assert len(posts(service)) == 2


@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, Fault.BUSY])
def test_a_state_the_shop_did_not_set_fails_that_order(
    shop: SmallShop, service: DemoWebservice, writer: OrderWriter, fault: Fault
) -> None:
    service.fail(fault, "POST", times=9)

    with pytest.raises(RecordError, match="The shop did not set order 1 to state 4: HTTP 50") as caught:
        writer.set_state(1, 4)

    assert caught.value.reason == "webservice_refused"
    assert shop.execute(STATE) == [(3,)]
    assert len(posts(service)) == 1


def test_a_request_that_may_still_be_under_way_is_not_repeated(
    shop: SmallShop, service: DemoWebservice, writer: OrderWriter
) -> None:
    service.fail(Fault.LATE, "POST")

    with pytest.raises(
        Unavailable, match="It is not clear whether the shop did set order 1 to state 4: it timed out"
    ):
        writer.set_state(1, 4)

    assert len(posts(service)) == 1
    assert shop.execute(STATE) == [(3,)]


def test_what_is_lost_again_and_again_is_not_clear(service: DemoWebservice, writer: OrderWriter) -> None:
    service.fail(Fault.DROP_BEFORE, "POST", times=9)

    with pytest.raises(Unavailable) as caught:
        writer.set_state(1, 4)

    assert caught.value.code == "webservice_unclear"
    assert len(posts(service)) == 2


def test_an_order_the_shop_has_not_got(writer: OrderWriter) -> None:
    with pytest.raises(RecordError, match="The shop has no order 99"):
        writer.state_of(99)


def test_tracking_numbers_come_oldest_first(writer: OrderWriter) -> None:
    assert writer.tracking(1) == [(11, "3SOLD"), (12, "")]
    assert writer.tracking(2) == []


@pytest.mark.parametrize(
    "fault", [None, Fault.ERROR_AFTER, Fault.DROP_AFTER, Fault.DROP_BEFORE, Fault.HANG_AFTER]
)
def test_a_tracking_number_is_written_with_everything_else_as_it_was(
    shop: SmallShop, service: DemoWebservice, writer: OrderWriter, fault: Fault | None
) -> None:
    if fault:
        service.fail(fault, "PUT")

    writer.set_tracking(12, "3SABCD 1234-567")

    assert shop.execute("SELECT * FROM ps_order_carrier ORDER BY id_order_carrier") == [
        (11, 1, 7, 0, "0.4", "3SOLD", "2026-01-02 10:00:00"),
        (12, 1, 7, 0, "0.5", "3SABCD 1234-567", "2026-01-02 10:00:01"),
    ]


@pytest.mark.parametrize("number", ["", "x" * 65, "<script>", "3S;1", "3S\n1", "3Sé", "3S\x00"])
def test_a_tracking_number_the_shop_would_refuse_is_not_sent(
    service: DemoWebservice, writer: OrderWriter, number: str
) -> None:
    with pytest.raises(RecordError, match="The shop takes no tracking number") as caught:
        writer.set_tracking(12, number)

    assert caught.value.reason == "webservice_refused"
    assert service.asked == []


@pytest.mark.parametrize("number", ["x" * 64, "~:#,%&_=()[].? +-@/aZ9"])
def test_every_tracking_number_the_shop_takes_is_sent(
    shop: SmallShop, writer: OrderWriter, number: str
) -> None:
    writer.set_tracking(12, number)

    assert writer.tracking(1) == [(11, "3SOLD"), (12, number)]


def test_a_parcel_that_is_gone_fails_that_order(writer: OrderWriter) -> None:
    with pytest.raises(RecordError, match="The shop does not tell of order carrier 99: HTTP 404"):
        writer.set_tracking(99, "3S1")


def test_a_key_without_the_right_says_which(service: DemoWebservice) -> None:
    writer = OrderWriter(Webservice(service.address, READING_KEY))

    assert writer.state_of(1) == 3
    with pytest.raises(AccessDenied, match="may not POST order_histories"):
        writer.set_state(1, 4)
    writer.close()
