"""The process that reads the ERP's stock beside the run: what it gives, what it fails with, and its end."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from brekzsync.errors import BrekzsyncError, ConfigurationError, PermanentError
from brekzsync.exact.connection import connect_erp
from brekzsync.exact.stock import StockRepository
from brekzsync.exact.tables import globe_tables
from brekzsync.flows.stock import look, side_by_side
from brekzsync.stock_reader import StockOrder, StockReader
from tests.exports import NOW
from tests.services.erp import Administration
from tests.services.erp_rows import at, entry, item, line, order
from tests.stock_runs import Stock
from tests.stock_world import World, code_of

TODAY = date(2026, 11, 21)


@pytest.fixture
def filled(administration: Administration) -> Administration:
    """Something in two warehouses, in parts of a piece, sold, sold only, and nowhere."""
    administration.add("items", *map(item, ("LEASH", "BOWL", "MAT", "ROPE")))
    administration.add(
        "gbkmut",
        entry("LEASH", 10, datum=at(2)),
        entry("LEASH", 4, warehouse="   2"),
        entry("ROPE", 2.5),
        entry("LEASH", 100, datum=at(22)),
        entry("LEASH", 100, reknr="     8000"),
        entry("BOWL", 1, reknr=" 3000"),
    )
    administration.add("orkrg", order("17", "abc-1"))
    administration.add("orsrg", line("17", "LEASH", 4, 1), line("17", "ARCHIVED", 1), line("17", "ROPE", 0.5))
    administration.add("orsrg", line("17", "ZEBRA", 1))
    return administration


def read(url: str, warehouses: tuple[str, ...] = ()) -> tuple[list[tuple[Any, ...]], bool]:
    with closing(StockReader(StockOrder(url, TODAY, warehouses))) as reader:
        rows, is_sorted = reader.rows()
        return [(*row[:6], Decimal(row[6]), Decimal(row[7])) for row in rows], is_sorted


# --- what it gives ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("warehouses", [(), ("2",)])
def test_it_gives_what_the_run_itself_would_read(filled: Administration, warehouses: tuple[str, ...]) -> None:
    stock = StockRepository(connect_erp(filled.url))
    by_code = stock.levels_by_code(TODAY, warehouses)

    rows, is_sorted = read(filled.url, warehouses)

    assert is_sorted is (by_code is not None)
    expected = list(stock.levels(TODAY, warehouses) if by_code is None else by_code)
    assert (rows, [row[0] for row in rows if row[0] == "LEASH"] != []) == (expected, True)
    if is_sorted:
        assert [row[0] for row in rows] == sorted(row[0] for row in rows)


def test_sorted_or_not_it_comes_to_the_same(filled: Administration) -> None:
    rows, _ = read(filled.url)
    totals: dict[str, Decimal] = {}
    for row in rows:
        totals[row[0]] = totals.get(row[0], Decimal(0)) + row[6] - row[7]
    assert totals == {
        "LEASH": 11,
        "ROPE": 2,
        "BOWL": 1,
        "MAT": 0,
    } | {code: -1 for code in totals if code in ("ARCHIVED", "ZEBRA")}


@pytest.mark.parametrize("code", ["leash", "LEASH ", "\tLEASH", "LEASH\n", "LÉASH", "leash\x1f"])
@pytest.mark.parametrize("table", ["items", "gbkmut", "orsrg"])
def test_codes_that_the_file_would_sort_otherwise_come_unsorted(
    tmp_path: Path, code: str, table: str
) -> None:
    url = f"sqlite:///{tmp_path / 'erp.db'}"
    administration_of(url)
    column = "ItemCode" if table == "items" else "artcode"
    name = "Items" if table == "items" else table
    with closing(sqlite3.connect(tmp_path / "erp.db")) as erp:
        erp.execute(f"INSERT INTO {name} ({column}) VALUES (?)", (code,))
        erp.commit()

    assert StockRepository(connect_erp(url)).levels_by_code(TODAY) is None
    assert read(url)[1] is False


def administration_of(url: str) -> None:
    engine = create_engine(url)
    tables = globe_tables("sqlite")
    tables.metadata.create_all(engine, tables=tables.everywhere())
    engine.dispose()


# --- what it fails with ----------------------------------------------------------------------------------------


def test_what_it_fails_with_is_what_the_run_would_have_failed_with(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "erp.db").close()
    url = f"sqlite:///{tmp_path / 'erp.db'}"
    with pytest.raises(ConfigurationError) as own:
        StockRepository(connect_erp(url)).levels_by_code(TODAY)

    with pytest.raises(ConfigurationError) as its:
        read(url)

    assert told(its.value) == told(own.value)
    assert told(its.value)[2] == "not_an_administration"


@pytest.mark.parametrize(
    "url", ["mssql+pyodbc://sa:s3cret@127.0.0.1/x", "sqlite:////nowhere/erp.db", "nonsense"]
)
def test_so_it_is_when_there_is_no_connection(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BrekzsyncError) as own:
        connect_erp(url, attempts=1)
    with pytest.raises(type(own.value)) as its:
        read(url)

    assert told(its.value) == told(own.value)
    assert capfd.readouterr() == ("", "")


def test_a_file_that_is_damaged_in_the_middle_is_told_at_the_end(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'erp.db'}"
    many_items(tmp_path / "erp.db", 30_000)
    with open(tmp_path / "erp.db", "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(size // 2)
        file.write(os.urandom(size // 3))

    with pytest.raises(ConfigurationError) as failed:
        read(url)

    assert "cannot be opened" in failed.value.message


def told(error: BrekzsyncError) -> tuple[str, str, str]:
    return error.message, error.hint, error.code


# --- its end ---------------------------------------------------------------------------------------------------


@pytest.fixture
def large(tmp_path: Path) -> str:
    """An ERP that takes a while to read."""
    many_items(tmp_path / "erp.db", 200_000)
    return f"sqlite:///{tmp_path / 'erp.db'}"


def many_items(path: Path, number: int) -> None:
    administration_of(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as erp:
        erp.executemany(
            "INSERT INTO Items (ItemCode, Type, IsSalesItem) VALUES (?, 'S', 1)",
            ((f"P-{one:06}",) for one in range(number)),
        )
        erp.commit()


def test_a_reader_that_was_killed_is_told(large: str) -> None:
    with closing(StockReader(StockOrder(large, TODAY, ()))) as reader:
        os.kill(reader._process.pid, signal.SIGKILL)
        with pytest.raises(PermanentError) as failed:
            reader.rows()
    assert failed.value.code == "reader_vanished"


def test_a_run_that_wants_no_more_ends_it_at_once(large: str) -> None:
    reader = StockReader(StockOrder(large, TODAY, ()))
    reader.close()
    assert reader._process.poll() is not None


def test_the_password_is_nowhere_to_be_seen(tmp_path: Path, large: str) -> None:
    with closing(StockReader(StockOrder(large, TODAY, ()))) as reader:
        for name in ("cmdline", "environ"):
            assert str(tmp_path).encode() not in Path(f"/proc/{reader._process.pid}/{name}").read_bytes()


VICTIM = """
import os, signal, sys, time
from tests.integration.test_stock_reader import StockOrder, StockReader, TODAY
reader = StockReader(StockOrder(sys.argv[1], TODAY, ()))
time.sleep(float(sys.argv[2]))
print(reader._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("after", ["0", "0.4"])
def test_a_reader_whose_run_was_killed_ends_by_itself_and_leaves_nothing(
    tmp_path: Path, large: str, after: str
) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "TMPDIR": str(place),
    }
    done = subprocess.run(
        [sys.executable, "-c", VICTIM, large, after],
        capture_output=True,
        text=True,
        env=environment,
        timeout=30,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert wait_for(lambda: not is_alive(int(done.stdout)), seconds=5)
    assert (list(place.iterdir()), done.stderr) == ([], "")


def is_alive(pid: int) -> bool:
    """A process nobody waits for stays listed as a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(reached: Callable[[], bool], seconds: float) -> bool:
    give_up = time.monotonic() + seconds
    while not reached() and time.monotonic() < give_up:
        time.sleep(0.01)
    return reached()


# --- a sweep with it ---------------------------------------------------------------------------------------------


@pytest.fixture
def stock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stock]:
    """A world in which everything is many, and every page of both sides is small."""
    monkeypatch.setattr(look, "MANY", 1)
    for module in (look, side_by_side):
        monkeypatch.setattr(module, "CHUNK", 2)
    with World.embedded(tmp_path, NOW, products=3, combinations=2) as world:
        for key in world.keys:
            world.receive(code_of(key), 10)
            world.show(key, 10)
        made = Stock(world)
        made.begin_orders()
        yield made


@pytest.mark.parametrize("quantity", ["sellable", "on_hand"])
def test_a_sweep_finds_the_same_with_it(stock: Stock, monkeypatch: pytest.MonkeyPatch, quantity: str) -> None:
    world = stock.world
    stock.written += f'\nquantity = "{quantity}"'
    world.receive(code_of(world.keys[0]), 5)
    world.show(world.keys[1], 12)
    world.receive("NOT-OURS", 1)
    beside = stock.sweep(dry_run=True)
    monkeypatch.setattr(look, "MANY", 10**9)
    alone = stock.sweep(dry_run=True)

    assert (beside.differences, beside.census, beside.left, beside.tally.counts()) == (
        alone.differences,
        alone.census,
        alone.left,
        alone.tally.counts(),
    )
    assert len(beside.differences) == 2


def test_a_sweep_whose_reader_fails_writes_nothing(stock: Stock) -> None:
    world = stock.world
    world.show(world.keys[0], 12)
    before = world.all_shown()
    with closing(sqlite3.connect(world.erp_file)) as erp:
        erp.execute("DROP TABLE gbkmut")

    with pytest.raises(ConfigurationError) as failed:
        stock.sweep()

    assert failed.value.code == "not_an_administration"
    assert world.all_shown() == before
