"""Quantities written straight into the shop's tables: never over a sale, in whole batches, totals with them."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brekzsync.domain.shop_stock import Change, Outcome, Place, Written
from brekzsync.domain.stock import LARGEST
from brekzsync.errors import AccessDenied, ConfigurationError, Unavailable
from brekzsync.prestashop.stock import database_writer, writing
from brekzsync.prestashop.stock.database_writer import DatabaseStockWriter
from tests.services.prestashop import PrestaShopDatabase
from tests.stock_shops import StockShop

NOW = datetime(2026, 11, 21, 8, 0, 30, tzinfo=UTC)
NL, BE, BENELUX = Place("NL", 1, 0), Place("BE", 2, 0), Place("Benelux", 0, 1)
WRITTEN, MOVED, FAILED = Outcome.WRITTEN, Outcome.MOVED, Outcome.FAILED


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StockShop]:
    if request.param == "sqlite":
        made = StockShop.embedded(tmp_path / "shop.db")
    else:
        made = StockShop.genuine(request.getfixturevalue("prestashop"))
    yield made
    made.close()


@pytest.fixture
def genuine(prestashop: PrestaShopDatabase) -> Iterator[StockShop]:
    made = StockShop.genuine(prestashop)
    yield made
    made.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LOCK_TIMEOUT", 1)
    monkeypatch.setattr(database_writer, "TRIES", 2)
    monkeypatch.setattr(database_writer, "_FIRST_WAIT", 0.01)


def write(
    shop: StockShop, *changes: Change, places: Sequence[Place] = (NL,), employee: int = 0, url: str = ""
) -> list[Written]:
    writer = DatabaseStockWriter(url or shop.url, "ps_", places, employee, lambda: NOW)
    try:
        return list(writer.write(changes))
    finally:
        writer.close()


def outcomes(written: Sequence[Written]) -> list[Outcome]:
    return [one.outcome for one in written]


def dog_bed(shop: StockShop, *, place: Place = NL) -> tuple[int, int, int]:
    """Product 2 with two combinations, and the ids of its total row and theirs: 10 = 4 + 6."""
    shop.product(2, 21, 22)
    at = {"shop": place.id_shop, "group": place.id_shop_group}
    return shop.stock((2, 0), 10, **at), shop.stock((2, 21), 4, **at), shop.stock((2, 22), 6, **at)


# --- what is written -----------------------------------------------------------------------------------------


def test_a_figure_is_written_where_what_was_read_still_stands(shop: StockShop) -> None:
    shop.product(1)
    row, other = shop.stock((1, 0), 5), shop.stock((1, 0), 5, shop=2)
    change = Change((1, 0), 0, row, 5, 7)
    assert write(shop, change) == [Written(change, WRITTEN)]
    assert shop.quantities() == {row: 7, other: 5}


def test_what_was_sold_meanwhile_is_never_undone(shop: StockShop) -> None:
    shop.product(1)
    shop.product(3)
    sold, calm = shop.stock((1, 0), 5), shop.stock((3, 0), 5)
    shop.sell(sold, 1)
    changes = [Change((1, 0), 0, sold, 5, 9), Change((3, 0), 0, calm, 5, 9)]
    assert outcomes(write(shop, *changes)) == [MOVED, WRITTEN]
    assert shop.quantities() == {sold: 4, calm: 9}


def test_writing_once_more_finds_it_moved(shop: StockShop) -> None:
    shop.product(1)
    change = Change((1, 0), 0, shop.stock((1, 0), 5), 5, 7)
    write(shop, change)
    assert outcomes(write(shop, change)) == [MOVED]


def test_the_total_follows_the_combinations(shop: StockShop) -> None:
    total, red, blue = dog_bed(shop)
    assert outcomes(write(shop, Change((2, 22), 0, blue, 6, 1))) == [WRITTEN]
    assert shop.quantities() == {total: 5, red: 4, blue: 1}


def test_a_wrong_total_is_put_right_though_the_sum_stays(shop: StockShop) -> None:
    total, red, blue = dog_bed(shop)
    shop.sell(total, 3)
    write(shop, Change((2, 21), 0, red, 4, 6), Change((2, 22), 0, blue, 6, 4))
    assert shop.quantities() == {total: 10, red: 6, blue: 4}


def test_a_total_stays_when_none_of_its_combinations_is_written(shop: StockShop) -> None:
    total, red, blue = dog_bed(shop)
    shop.sell(total, 3)
    assert outcomes(write(shop, Change((2, 21), 0, red, 5, 6))) == [MOVED]
    assert shop.quantities() == {total: 7, red: 4, blue: 6}


def test_the_total_of_another_shop_stays(shop: StockShop) -> None:
    here = dog_bed(shop)
    there = [shop.stock((2, combination), 3, shop=2) for combination in (0, 21, 22)]
    write(shop, Change((2, 21), 1, there[1], 3, 8), places=(NL, BE))
    assert shop.quantities() == dict(zip((*here, *there), (10, 4, 6, 11, 8, 3), strict=True))


def test_a_sharing_groups_rows_are_written_and_the_old_ones_stay(shop: StockShop) -> None:
    total, red, blue = dog_bed(shop, place=BENELUX)
    old = shop.stock((2, 21), 0)
    assert outcomes(write(shop, Change((2, 21), 0, red, 4, 0), places=(BENELUX,))) == [WRITTEN]
    assert shop.quantities() == {total: 6, red: 0, blue: 6, old: 0}


def test_quantities_below_zero_are_read_and_written(shop: StockShop) -> None:
    total, red, blue = dog_bed(shop)
    shop.sell(red, 7)
    assert outcomes(write(shop, Change((2, 21), 0, red, -3, -8))) == [WRITTEN]
    assert shop.quantities() == {total: -2, red: -8, blue: 6}


def test_a_total_beyond_what_a_row_can_hold_is_cut(shop: StockShop) -> None:
    total, red, blue = dog_bed(shop)
    changes = [Change((2, 21), 0, red, 4, LARGEST), Change((2, 22), 0, blue, 6, LARGEST)]
    assert outcomes(write(shop, *changes)) == [WRITTEN, WRITTEN]
    assert shop.quantities() == {total: LARGEST, red: LARGEST, blue: LARGEST}


def test_a_product_without_a_total_row_is_written(shop: StockShop) -> None:
    shop.product(2, 21)
    row = shop.stock((2, 21), 4)
    assert outcomes(write(shop, Change((2, 21), 0, row, 4, 6))) == [WRITTEN]
    assert shop.quantities() == {row: 6}


def test_what_the_shop_computes_from_its_warehouses_is_never_touched(shop: StockShop) -> None:
    shop.product(1)
    own = shop.stock((1, 0), 5, depends_on_stock=1)
    shop.product(2, 21)
    total, red = shop.stock((2, 0), 1, depends_on_stock=1), shop.stock((2, 21), 4)
    changes = [Change((1, 0), 0, own, 5, 7), Change((2, 21), 0, red, 4, 7)]
    assert outcomes(write(shop, *changes)) == [MOVED, WRITTEN]
    assert shop.quantities() == {own: 5, total: 1, red: 7}


def test_a_row_that_is_gone_or_another_one_by_now_is_moved(shop: StockShop) -> None:
    shop.product(1)
    shop.product(3)
    row = shop.stock((1, 0), 5)
    changes = [Change((3, 0), 0, row, 5, 7), Change((1, 0), 0, row + 1, 5, 7), Change((1, 0), 1, row, 5, 7)]
    assert outcomes(write(shop, *changes, places=(NL, BE))) == [MOVED] * 3
    assert shop.quantities() == {row: 5}


def test_nothing_to_write_opens_nothing(tmp_path: Path) -> None:
    writer = DatabaseStockWriter(f"sqlite:///{tmp_path / 'none.db'}", "ps_", [NL], 7, lambda: NOW)
    assert list(writer.write([])) == []


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_batches_leave_nothing_out(shop: StockShop, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(database_writer, "BATCH", size)
    changes, expected = [], {}
    for product in (1, 2, 3):
        shop.product(product, product * 10 + 1, product * 10 + 2)
        total = shop.stock((product, 0), 0)
        for combination in (product * 10 + 2, product * 10 + 1):
            row = shop.stock((product, combination), 5)
            changes.append(Change((product, combination), 0, row, 5, combination))
            expected[row] = combination
        expected[total] = product * 20 + 3
    written = write(shop, *changes)
    assert [one.change for one in written] == sorted(changes)
    assert outcomes(written) == [WRITTEN] * 6
    assert shop.quantities() == expected


# --- movements -----------------------------------------------------------------------------------------------

_MOVEMENTS = (
    "SELECT id_stock, id_stock_mvt_reason, id_employee, employee_lastname, employee_firstname, physical_quantity,"
    " date_add, sign FROM ps_stock_mvt ORDER BY id_stock_mvt"
)


def movements(shop: StockShop) -> list[tuple[object, ...]]:
    return [(*row[:6], str(row[6]), row[7]) for row in shop.run(_MOVEMENTS)]


def with_employee(shop: StockShop) -> None:
    """Of the demo's shop; the genuine one has this employee and these reasons."""
    if shop.engine.dialect.name == "sqlite":
        shop.add("employee", id_employee=1, lastname="Jansen", firstname="Jan")
        for number, name in ((11, "INC"), (12, "DEC")):
            setting = f"PS_STOCK_MVT_{name}_EMPLOYEE_EDITION"
            shop.add("configuration", id_configuration=9000 + number, name=setting, value=str(number))


def test_an_employees_movements_are_recorded_as_the_back_office_does(shop: StockShop) -> None:
    with_employee(shop)
    total, red, blue = dog_bed(shop)
    changes = [
        Change((2, 21), 0, red, 4, 9),
        Change((2, 22), 0, blue, 6, 3),
        Change((1, 0), 0, total + 99, 1, 2),
    ]
    write(shop, *changes, employee=1)
    moment = "2026-11-21 09:00:30"  # in Amsterdam
    assert movements(shop) == [
        (red, 11, 1, "Jansen", "Jan", 5, moment, 1),
        (blue, 12, 1, "Jansen", "Jan", 3, moment, -1),
    ]


def test_without_an_employee_no_movements_are_recorded(shop: StockShop) -> None:
    _, red, _ = dog_bed(shop)
    write(shop, Change((2, 21), 0, red, 4, 9))
    assert movements(shop) == []


def test_movements_are_on_the_clock_of_their_shop(shop: StockShop) -> None:
    with_employee(shop)
    shop.product(1)
    shop.add(
        "configuration", id_configuration=9001, id_shop_group=2, name="PS_TIMEZONE", value="America/New_York"
    )
    row = shop.stock((1, 0), 5, shop=3)
    write(shop, Change((1, 0), 0, row, 5, 6), places=(Place("DE", 3, 0),), employee=1)
    assert [row[6] for row in movements(shop)] == ["2026-11-21 03:00:30"]


def test_a_shop_without_those_reasons_records_its_usual_ones(shop: StockShop) -> None:
    with_employee(shop)
    shop.run("DELETE FROM ps_configuration WHERE name LIKE 'PS_STOCK_MVT%'")
    _, red, blue = dog_bed(shop)
    write(shop, Change((2, 21), 0, red, 4, 9), Change((2, 22), 0, blue, 6, 3), employee=1)
    assert [row[1] for row in movements(shop)] == [1, 2]


def test_an_employee_who_does_not_exist_stops_before_anything_is_written(shop: StockShop) -> None:
    _, red, _ = dog_bed(shop)
    with pytest.raises(ConfigurationError, match="movement_employee = 77 is not an employee"):
        write(shop, Change((2, 21), 0, red, 4, 9), employee=77)
    assert shop.quantities()[red] == 4


# --- others at work ------------------------------------------------------------------------------------------


def test_a_sale_under_way_is_waited_for_and_kept(genuine: StockShop) -> None:
    """A real second connection sells between our reading and our writing."""
    total, red, blue = dog_bed(genuine)
    with genuine.engine.connect() as customer, ThreadPoolExecutor(1) as worker:
        customer.exec_driver_sql("START TRANSACTION")
        customer.exec_driver_sql(
            f"UPDATE ps_stock_available SET quantity = quantity - 1 WHERE id_stock_available = {red}"
        )
        writing_it = worker.submit(write, genuine, Change((2, 21), 0, red, 4, 9))
        with pytest.raises(TimeoutError):
            writing_it.result(timeout=0.5)
        customer.exec_driver_sql("COMMIT")
        assert outcomes(writing_it.result(timeout=10)) == [MOVED]
    assert genuine.quantities() == {total: 10, red: 3, blue: 6}


def test_a_row_that_stays_locked_fails_and_the_others_are_written(
    genuine: StockShop, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_writer, "BATCH", 1)
    genuine.product(1)
    genuine.product(3)
    held, free = genuine.stock((1, 0), 5), genuine.stock((3, 0), 5)
    changes = [Change((1, 0), 0, held, 5, 7), Change((3, 0), 0, free, 5, 7)]
    with genuine.engine.connect() as customer:
        customer.exec_driver_sql(
            f"SELECT * FROM ps_stock_available WHERE id_stock_available = {held} FOR UPDATE"
        )
        written = write(genuine, *changes)
    assert [(one.outcome, one.reason) for one in written] == [(FAILED, "shop_busy"), (WRITTEN, "")]
    assert written[0].message == (
        "The shop's database was busy with this row 2 times (Lock wait timeout exceeded; try restarting"
        " transaction); the next run writes it."
    )
    assert genuine.quantities() == {held: 5, free: 7}


def test_an_embedded_shop_that_stays_locked_fails_too(tmp_path: Path, impatient: None) -> None:
    shop = StockShop.embedded(tmp_path / "shop.db")
    shop.product(1)
    row = shop.stock((1, 0), 5)
    with shop.engine.connect() as customer:
        customer.exec_driver_sql("BEGIN IMMEDIATE")
        assert outcomes(write(shop, Change((1, 0), 0, row, 5, 7))) == [FAILED]


def test_two_writers_at_once_leave_right_totals(shop: StockShop) -> None:
    rows = {}
    for product in range(1, 9):
        shop.product(product, product * 10 + 1, product * 10 + 2)
        for combination in (0, product * 10 + 1, product * 10 + 2):
            rows[product, combination] = shop.stock((product, combination), 0)

    def count_up(combination: int) -> None:
        for figure in range(10):
            keys = [(product, product * 10 + combination) for product in range(1, 9)]
            changes = [Change(key, 0, rows[key], figure, figure + 1) for key in keys]
            assert outcomes(write(shop, *changes)) == [WRITTEN] * 8

    with ThreadPoolExecutor(2) as workers:
        list(workers.map(count_up, (1, 2)))
    assert shop.quantities() == {row: 10 if key[1] else 20 for key, row in rows.items()}


def test_two_writers_of_the_same_figure_write_it_once(shop: StockShop) -> None:
    shop.product(1)
    row = shop.stock((1, 0), 0)
    for figure in range(10):
        with ThreadPoolExecutor(2) as workers:
            change = Change((1, 0), 0, row, figure, figure + 1)
            found = workers.map(lambda _, change=change: write(shop, change)[0].outcome, (1, 2))  # type: ignore[misc]
            assert sorted(found) == [MOVED, WRITTEN]
    assert shop.quantities() == {row: 10}


_KEYS = [(1, 0), (2, 21), (2, 22), (3, 31)]
_figures = st.integers(-2, 3)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stock=st.lists(_figures, min_size=4, max_size=4),
    read=st.lists(_figures, min_size=4, max_size=4),
    wanted=st.lists(st.none() | _figures, min_size=4, max_size=4),
    size=st.integers(1, 4),
)
def test_exactly_the_rows_that_still_stand_change(
    tmp_path: Path, stock: list[int], read: list[int], wanted: list[int | None], size: int
) -> None:
    shop = StockShop.embedded(tmp_path / "shop.db")
    shop.product(1)
    shop.product(2, 21, 22)
    shop.product(3, 31)
    rows = [shop.stock(key, figure) for key, figure in zip(_KEYS, stock, strict=True)]
    totals = {2: shop.stock((2, 0), 50), 3: shop.stock((3, 0), 50)}
    changes = [
        Change(key, 0, row, before, after)
        for key, row, before, after in zip(_KEYS, rows, read, wanted, strict=True)
        if after is not None
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database_writer, "BATCH", size)
        written = write(shop, *changes)
    model, moved = dict(zip(_KEYS, stock, strict=True)), set()
    for change in changes:
        if model[change.key] == change.before:
            model[change.key] = change.after
            moved.add(change.key)
    assert {one.change.key for one in written if one.outcome is WRITTEN} == moved
    expected = {row: model[key] for key, row in zip(_KEYS, rows, strict=True)}
    expected[totals[2]] = model[2, 21] + model[2, 22] if moved & {(2, 21), (2, 22)} else 50
    expected[totals[3]] = model[3, 31] if (3, 31) in moved else 50
    assert shop.quantities() == expected
    shop.close()


_KILLED = """
import sys
from datetime import UTC, datetime
from brekzsync.domain.shop_stock import Change, Place
from brekzsync.prestashop.stock import database_writer
database_writer.BATCH = 40
changes = [Change((n, n * 10 + c), 0, (n - 1) * 3 + 1 + c, 5, 6) for n in range(1, 401) for c in (1, 2)]
writer = database_writer.DatabaseStockWriter(sys.argv[1], "ps_", [Place("NL", 1, 0)], 0, lambda: datetime.now(UTC))
for one in writer.write(changes):
    print(one.outcome, flush=True)
"""


@pytest.mark.parametrize("after", [1, 41, 200])
def test_a_killed_writer_leaves_whole_batches(shop: StockShop, after: int) -> None:
    rows = [(product, place) for product in range(1, 401) for place in (0, 1, 2)]
    with shop.engine.begin() as connection:
        for number, (product, place) in enumerate(rows, 1):
            ids = (number, product, product * 10 + place if place else 0, 5 if place else 10)
            connection.exec_driver_sql(
                "INSERT INTO ps_stock_available (id_stock_available, id_product, id_product_attribute, quantity,"
                f" id_shop, id_shop_group) VALUES ({', '.join(map(str, ids))}, 1, 0)"
            )
    process = subprocess.Popen([sys.executable, "-c", _KILLED, shop.url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(after):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    found = shop.quantities()
    changed = sum(1 for number, (_, place) in enumerate(rows, 1) if place and found[number] == 6)
    assert changed >= after
    assert changed % 40 == 0
    assert all(found[number] == found[number + 1] + found[number + 2] for number in range(1, 1201, 3))


# --- what goes wrong -----------------------------------------------------------------------------------------


def test_a_strict_server_takes_it(genuine: StockShop) -> None:
    genuine.run("SET GLOBAL sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ONLY_FULL_GROUP_BY'")
    _, red, _ = dog_bed(genuine)
    try:
        assert outcomes(write(genuine, Change((2, 21), 0, red, 4, 9), employee=1)) == [WRITTEN]
    finally:
        genuine.run("SET GLOBAL sql_mode = DEFAULT")
    assert len(movements(genuine)) == 1


def test_an_account_that_may_only_read_is_told_what_to_grant(
    genuine: StockShop, prestashop: PrestaShopDatabase
) -> None:
    _, red, _ = dog_bed(genuine)
    prestashop.execute("CREATE OR REPLACE USER reader@'%' IDENTIFIED BY 'geheim'")
    prestashop.execute(f"GRANT SELECT ON {prestashop.name}.* TO reader@'%'")
    url = prestashop.url(user="reader", password="geheim")
    with pytest.raises(AccessDenied) as denied:
        write(genuine, Change((2, 21), 0, red, 4, 9), url=url)
    assert "GRANT SELECT, UPDATE ON `prestashop`.`ps_stock_available` TO 'reader'@'…'" in denied.value.hint
    assert "geheim" not in denied.value.hint + denied.value.message
    assert genuine.quantities()[red] == 4


def test_those_rights_are_enough(genuine: StockShop, prestashop: PrestaShopDatabase) -> None:
    total, red, blue = dog_bed(genuine)
    prestashop.execute("CREATE OR REPLACE USER stockwriter@'%' IDENTIFIED BY 'geheim'")
    prestashop.execute(f"GRANT SELECT, UPDATE ON {prestashop.name}.ps_stock_available TO stockwriter@'%'")
    url = prestashop.url(user="stockwriter", password="geheim")
    assert outcomes(write(genuine, Change((2, 21), 0, red, 4, 9), url=url)) == [WRITTEN]
    assert genuine.quantities() == {total: 15, red: 9, blue: 6}


def test_a_shop_that_is_read_only_is_told(tmp_path: Path) -> None:
    shop = StockShop.embedded(tmp_path / "shop.db")
    _, red, _ = dog_bed(shop)
    url = f"sqlite:///file:{tmp_path / 'shop.db'}?mode=ro&uri=true"
    with pytest.raises(AccessDenied, match="read-only"):
        write(shop, Change((2, 21), 0, red, 4, 9), url=url)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    writer = DatabaseStockWriter(f"sqlite:///{path}", "ps_", [NL], 0, lambda: NOW)
    with pytest.raises(ConfigurationError, match="not the PrestaShop it should be"):
        list(writer.write([Change((1, 0), 0, 1, 1, 2)]))
    assert not path.exists()


def test_a_server_that_is_gone_is_told_in_plain_words() -> None:
    writer = DatabaseStockWriter("mysql+pymysql://root@127.0.0.1:1/none", "ps_", [NL], 0, lambda: NOW)
    with pytest.raises(Unavailable, match="Writing stock into the shop's database failed"):
        list(writer.write([Change((1, 0), 0, 1, 1, 2)]))


def test_a_wrong_prefix_is_told(shop: StockShop) -> None:
    writer = DatabaseStockWriter(shop.url, "my_", [NL], 0, lambda: NOW)
    with pytest.raises(ConfigurationError, match="my_stock_available"):
        list(writer.write([Change((1, 0), 0, 1, 1, 2)]))
    writer.close()


def test_ten_thousand_figures_take_seconds(genuine: StockShop) -> None:
    genuine.run(
        "INSERT INTO ps_stock_available (id_product, id_product_attribute, id_shop, id_shop_group, quantity)"
        " SELECT 1 + (seq DIV 5), seq, 1, 0, 5 FROM seq_1_to_10000"
    )
    rows = genuine.run("SELECT id_stock_available, id_product, id_product_attribute FROM ps_stock_available")
    changes = [Change((row[1], row[2]), 0, row[0], 5, 6) for row in rows]
    began = monotonic()
    assert set(outcomes(write(genuine, *changes))) == {WRITTEN}
    assert monotonic() - began < 30
