"""Stock that is written through a shop's webservice: guarded, verified, one failing row never stops the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Timer

import pytest

from brekzsync.demo.local_service import Asked
from brekzsync.demo.webservice.server import DemoWebservice, Fault
from brekzsync.domain.shop_stock import Change, Outcome, Place, Written
from brekzsync.errors import AccessDenied, Unavailable
from brekzsync.prestashop.stock.webservice_writer import WebserviceStockWriter
from brekzsync.prestashop.webservice import Webservice
from tests.services.prestashop import PrestaShopDatabase
from tests.webservice_shops import SmallShop, small_shop
from tests.webservices import KEY, READING_KEY

NL, BE = Place("NL", 1, 0), Place("BE", 2, 0)
EUROPE, ELSEWHERE = Place("Europe", 0, 1), Place("Elsewhere", 0, 2)
PLACES = (NL, BE, EUROPE, ELSEWHERE)
STOCK = "stock_availables"


@pytest.fixture
def shop(tmp_path: Path) -> SmallShop:
    return small_shop(tmp_path)


@pytest.fixture
def service(shop: SmallShop) -> Iterator[DemoWebservice]:
    with DemoWebservice(shop.url, key=KEY, keys={READING_KEY: {STOCK: "GET"}}) as service:
        yield service


def write(service: DemoWebservice, changes: Sequence[Change], *, read_timeout: float = 5.0) -> list[Written]:
    writer = WebserviceStockWriter(
        Webservice(service.address, KEY, read_timeout=read_timeout, first_wait=0), PLACES, pause=0
    )
    try:
        return sorted(writer.write(changes), key=lambda written: written.change)
    finally:
        writer.close()


def change(row: int, before: int, after: int, *, key: tuple[int, int] = (1, 0), place: int = 0) -> Change:
    return Change(key, place, row, before, after)


def puts(service: DemoWebservice) -> list[tuple[str, dict[str, str]]]:
    return [(asked.record, dict(asked.query)) for asked in service.asked if asked.method == "PUT"]


def test_a_row_is_written_with_everything_else_as_it_was(shop: SmallShop, service: DemoWebservice) -> None:
    row = shop.stock(1, 0, 5)

    told = write(service, [change(row, 5, 9)])

    assert told == [Written(change(row, 5, 9), Outcome.WRITTEN)]
    assert shop.execute("SELECT * FROM ps_stock_available") == [(row, 1, 0, 1, 0, 9, 0, 1, "shelf 3")]
    assert [asked.method for asked in service.asked] == ["GET", "PUT", "GET"]
    assert dict(service.asked[0].query) == {
        "filter[id_product]": "1",
        "filter[id_product_attribute]": "0",
        "display": "full",
    }


def test_the_row_of_another_shop_is_written_in_that_shop_and_a_shared_one_in_none(
    shop: SmallShop, service: DemoWebservice
) -> None:
    nl, be, shared = shop.stock(1, 0, 5), shop.stock(1, 0, 6, shop=2), shop.stock(1, 0, 7, shop=0, group=1)

    told = write(service, [change(be, 6, 8, place=1), change(shared, 7, 9, place=2)])

    assert {written.outcome for written in told} == {Outcome.WRITTEN}
    assert shop.quantities() == {nl: 5, be: 8, shared: 9}
    assert puts(service) == [(str(be), {"id_shop": "2"}), (str(shared), {})]


def test_the_total_of_a_product_with_combinations_follows(shop: SmallShop, service: DemoWebservice) -> None:
    total, one, two = shop.stock(1, 0, 11), shop.stock(1, 21, 5), shop.stock(1, 22, 6)

    write(service, [change(one, 5, 1, key=(1, 21)), change(two, 6, 2, key=(1, 22))])

    assert shop.quantities() == {total: 3, one: 1, two: 2}


def test_combinations_of_one_product_are_never_written_at_the_same_time(
    shop: SmallShop, service: DemoWebservice
) -> None:
    shop.stock(1, 0, 0)
    rows = {n: shop.stock(1, n, n) for n in range(1, 7)}

    write(service, [change(row, n, n + 1, key=(1, n)) for n, row in rows.items()])

    assert [asked.method for asked in service.asked] == ["GET", "PUT", "GET"] * 6


@pytest.mark.parametrize("moved_to", [4, 6])
def test_a_row_that_moved_is_left_alone(shop: SmallShop, service: DemoWebservice, moved_to: int) -> None:
    row = shop.stock(1, 0, moved_to)

    assert write(service, [change(row, 5, 9)]) == [Written(change(row, 5, 9), Outcome.MOVED)]
    assert shop.quantities() == {row: moved_to}
    assert puts(service) == []


def test_what_is_there_already_is_moved_so_that_repeating_is_safe(
    shop: SmallShop, service: DemoWebservice
) -> None:
    row = shop.stock(1, 0, 5)

    assert [one.outcome for _ in range(2) for one in write(service, [change(row, 5, 9)])] == [
        "written",
        "moved",
    ]


def test_a_row_made_anew_under_another_id_is_moved(shop: SmallShop, service: DemoWebservice) -> None:
    row = shop.stock(1, 0, 5)

    assert write(service, [change(row + 1, 5, 9)]) == [Written(change(row + 1, 5, 9), Outcome.MOVED)]


def test_a_sale_right_after_the_write_is_moved_and_stays(shop: SmallShop, service: DemoWebservice) -> None:
    row = shop.stock(1, 0, 5)

    def sell(asked: Asked) -> None:
        if len(service.asked) == 3:
            shop.execute("UPDATE ps_stock_available SET quantity = quantity - 1")

    service.before_each = sell

    assert write(service, [change(row, 5, 9)]) == [Written(change(row, 5, 9), Outcome.MOVED)]
    assert shop.quantities() == {row: 8}


def test_a_row_that_is_missing_or_follows_warehouses_fails_and_the_others_go_on(
    shop: SmallShop, service: DemoWebservice
) -> None:
    rows = {n: shop.stock(n, 0, 5) for n in (2, 3, 4)}
    shop.execute("UPDATE ps_stock_available SET depends_on_stock = 1 WHERE id_product = 2")
    changes = [change(99, 5, 9), *(change(rows[n], 5, 9, key=(n, 0)) for n in rows)]

    told = write(service, changes)

    assert [(one.change.key[0], one.outcome.value, one.reason) for one in told] == [
        (1, "failed", "no_stock_row"),
        (2, "failed", "depends_on_stock"),
        (3, "written", ""),
        (4, "written", ""),
    ]
    assert shop.quantities() == {rows[2]: 5, rows[3]: 9, rows[4]: 9}


def test_a_refused_row_fails_with_the_shops_words_and_the_others_go_on(
    shop: SmallShop, service: DemoWebservice
) -> None:
    one, two = shop.stock(1, 0, 5), shop.stock(2, 0, 5)

    told = write(service, [change(one, 5, 2**31), change(two, 5, 6, key=(2, 0))])

    assert [(written.outcome.value, written.reason) for written in told] == [
        ("failed", "webservice_refused"),
        ("written", ""),
    ]
    assert "must be between -2147483648 and 2147483647" in told[0].message
    assert shop.quantities() == {one: 5, two: 6}


@pytest.mark.parametrize("fault", [Fault.ERROR_AFTER, Fault.DROP_AFTER, Fault.MAIL_FAILED])
def test_what_was_done_though_the_answer_was_bad_is_written_once(
    shop: SmallShop, service: DemoWebservice, fault: Fault
) -> None:
    row = shop.stock(1, 0, 5)
    service.fail(fault, "PUT")

    assert write(service, [change(row, 5, 9)]) == [Written(change(row, 5, 9), Outcome.WRITTEN)]
    assert len(puts(service)) == 1


def test_what_a_broken_connection_lost_is_sent_once_more(shop: SmallShop, service: DemoWebservice) -> None:
    row = shop.stock(1, 0, 5)
    service.fail(Fault.DROP_BEFORE, "PUT")

    assert write(service, [change(row, 5, 9)]) == [Written(change(row, 5, 9), Outcome.WRITTEN)]
    assert len(puts(service)) == 2


@pytest.mark.parametrize(
    ("fault", "times", "sent"), [(Fault.DROP_BEFORE, 9, 2), (Fault.ERROR_BEFORE, 9, 1), (Fault.BUSY, 9, 1)]
)
def test_what_the_shop_did_not_take_is_said(
    shop: SmallShop, service: DemoWebservice, fault: Fault, times: int, sent: int
) -> None:
    row = shop.stock(1, 0, 5)
    service.fail(fault, "PUT", times=times)

    (told,) = write(service, [change(row, 5, 9)])

    assert (told.outcome.value, told.reason, len(puts(service))) == ("failed", "webservice_unclear", sent)
    assert told.message.startswith("The shop did not take 9: ")
    assert shop.quantities() == {row: 5}


def test_a_sale_while_a_request_was_lost_is_not_undone(shop: SmallShop, service: DemoWebservice) -> None:
    row = shop.stock(1, 0, 5)
    service.fail(Fault.DROP_BEFORE, "PUT")

    def sell(asked: Asked) -> None:
        if len(service.asked) == 3:  # the look after the request that was lost
            shop.execute("UPDATE ps_stock_available SET quantity = 4")

    service.before_each = sell

    assert write(service, [change(row, 5, 9)]) == [Written(change(row, 5, 9), Outcome.MOVED)]
    assert shop.quantities() == {row: 4}


def test_a_request_that_never_ends_is_looked_up_and_not_repeated(
    shop: SmallShop, service: DemoWebservice
) -> None:
    done, not_done = shop.stock(1, 0, 5), shop.stock(2, 0, 5)
    service.fail(Fault.HANG_AFTER, "PUT")
    (first,) = write(service, [change(done, 5, 9)], read_timeout=0.3)
    service.fail(Fault.LATE, "PUT")
    (second,) = write(service, [change(not_done, 5, 9, key=(2, 0))], read_timeout=0.3)

    assert first.outcome is Outcome.WRITTEN
    assert (second.outcome.value, second.reason) == ("failed", "webservice_unclear")
    assert [record for record, _ in puts(service)] == [str(done), str(not_done)]


def test_a_shop_that_is_away_for_a_moment_is_waited_for(shop: SmallShop, service: DemoWebservice) -> None:
    row = shop.stock(1, 0, 5)
    service.fail(Fault.BUSY, "GET", times=2)

    assert [one.outcome for one in write(service, [change(row, 5, 9)])] == [Outcome.WRITTEN]


def test_a_key_without_the_right_stops_everything(shop: SmallShop, service: DemoWebservice) -> None:
    rows = [shop.stock(n, 0, 5) for n in range(1, 30)]
    writer = WebserviceStockWriter(Webservice(service.address, READING_KEY), PLACES, pause=0)

    with pytest.raises(AccessDenied, match="may not PUT stock_availables"):
        list(writer.write([change(row, 5, 9, key=(n, 0)) for n, row in enumerate(rows, start=1)]))

    writer.close()
    assert len(puts(service)) <= 8  # those under way; nobody asks a shop a thousand times for what it denies
    assert set(shop.quantities().values()) == {5}


def test_a_shop_that_goes_away_stops_everything_and_what_was_written_is_told(
    shop: SmallShop, service: DemoWebservice
) -> None:
    rows = [shop.stock(n, 0, 5) for n in range(1, 30)]
    writer = WebserviceStockWriter(Webservice(service.address, KEY, first_wait=0), PLACES, pause=0)
    told: list[Written] = []

    def go_away(asked: Asked) -> None:
        if sum(one.method == "PUT" for one in service.asked) == 6:
            service.switch_off()

    service.before_each = go_away

    with pytest.raises(Unavailable, match="switched off"):
        told.extend(writer.write([change(row, 5, 9, key=(n, 0)) for n, row in enumerate(rows, start=1)]))

    writer.close()
    done = {written.change.id_stock_available for written in told if written.outcome is Outcome.WRITTEN}
    assert 0 < len(done) < 29
    assert all(shop.quantities()[row] == 9 for row in done)


def test_a_shop_that_fails_and_fails_is_left_in_peace(shop: SmallShop, service: DemoWebservice) -> None:
    rows = [shop.stock(n, 0, 5) for n in range(1, 80)]
    service.fail(Fault.ERROR_BEFORE, "PUT", times=1000)

    with pytest.raises(Unavailable, match=r"failed 25 times in a row\. The shop did not take 9"):
        write(service, [change(row, 5, 9, key=(n, 0)) for n, row in enumerate(rows, start=1)])

    assert len(puts(service)) < 40


def test_nobody_listens_at_the_address(shop: SmallShop, service: DemoWebservice) -> None:
    row = shop.stock(1, 0, 5)
    nowhere = Webservice("http://127.0.0.1:9/api", KEY, first_wait=0)

    with pytest.raises(Unavailable, match="does not answer"):
        list(WebserviceStockWriter(nowhere, PLACES).write([change(row, 5, 9)]))


def test_it_can_be_left_before_its_end(shop: SmallShop, service: DemoWebservice) -> None:
    rows = [shop.stock(n, 0, 5) for n in range(1, 60)]
    writer = WebserviceStockWriter(Webservice(service.address, KEY), PLACES, pause=0)
    written = writer.write([change(row, 5, 9, key=(n, 0)) for n, row in enumerate(rows, start=1)])
    next(written)
    written.close()
    writer.close()

    assert 1 <= list(shop.quantities().values()).count(9) < 59


def test_two_groups_that_share_are_both_written(shop: SmallShop, service: DemoWebservice) -> None:
    row = shop.stock(1, 0, 5, shop=0, group=2)

    assert [one.outcome for one in write(service, [change(row, 5, 9, place=3)])] == [Outcome.WRITTEN]


def test_a_genuine_shop_takes_what_is_written(prestashop: PrestaShopDatabase) -> None:
    before = dict(prestashop.execute("SELECT id_stock_available, quantity FROM ps_stock_available"))
    with DemoWebservice(prestashop.url("pymysql"), key=KEY) as service:
        told = write(service, [change(20, 300, 55, key=(1, 1)), change(8, before[8], 42, key=(8, 0))])

    after = dict(prestashop.execute("SELECT id_stock_available, quantity FROM ps_stock_available"))
    assert [one.outcome for one in told] == [Outcome.WRITTEN, Outcome.WRITTEN]
    assert {row: after[row] for row in after if after[row] != before[row]} == {
        1: before[1] - 245,
        8: 42,
        20: 55,
    }


def test_a_slow_answer_is_waited_for(shop: SmallShop, service: DemoWebservice) -> None:
    row = shop.stock(1, 0, 5)
    service.fail(Fault.LATE, "PUT")
    Timer(0.2, service.release).start()

    assert [one.outcome for one in write(service, [change(row, 5, 9)])] == [Outcome.WRITTEN]
