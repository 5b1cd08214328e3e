"""A sweep that is killed before any of its steps: whole batches are written or nothing, and the next one goes on.

A step is a statement that writes, or a commit, in the shop's database or the state's: what leaves a trace. Each run is
a process of its own, which kills itself with SIGKILL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Engine, event

from brekzsync.errors import Unavailable
from tests.exports import NOW
from tests.mortal_process import DIED, FINISHED, in_a_process
from tests.services.mariadb import MariaDB
from tests.services.prestashop import PrestaShopDatabase
from tests.stock_runs import Stock
from tests.stock_world import Key, World, code_of

DIFFERENCES = 6


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Eight combinations of four products, six of which show something wrong; an order is on its way."""
    with World.embedded(tmp_path_factory.mktemp("wrong"), NOW, products=4, combinations=2) as world:
        for key in world.keys:
            world.receive(code_of(key), 10)
            world.show(key, 10)
        Stock(world).begin_orders()
        world.now += timedelta(minutes=1)
        for number, key in enumerate(world.keys[:DIFFERENCES], 1):
            world.show(key, 20 + number)
        world.dispose()
        yield world


def small_pages(world: World) -> Stock:
    return Stock(world, adjust=lambda flow: replace(flow, page=2))


def steps_of(folder: Path, wrong: World) -> int:
    """How many an undisturbed sweep takes."""
    folder.mkdir()
    with wrong.copied(folder) as world:
        code, steps = in_a_process(small_pages(world).sweep, None)
        assert code == FINISHED
        assert world.all_shown() == world.all_settled()
    return steps


def kill_and_go_on(folder: Path, wrong: World, ends_at: int) -> int:
    """Kill a sweep, look at what it left, and sweep again; how many figures the killed one wrote."""
    folder.mkdir()
    with wrong.copied(folder) as world:
        stock, before, right = small_pages(world), world.all_shown(), wrong.all_settled()
        assert in_a_process(stock.sweep, ends_at)[0] == DIED, f"step {ends_at} was not reached"

        shown = world.all_shown()
        written = [key for key in before if shown[key] != before[key]]
        assert all(shown[key] == right[key] for key in written), "neither what it was nor what it shall be"
        assert len(written) % 2 == 0, "half a page is there"
        sums = _sums(shown)
        assert world.totals() == sums, "a total is not the sum of its combinations"

        again = stock.sweep()

        assert world.all_shown() == right
        assert world.totals() == _sums(right)
        assert again.tally.delivered == DIFFERENCES - len(written), "done twice, or not at all"
        assert stock.sweep().tally.pending == 0
        with stock.state() as state:
            killed = state.runs.previous("stock", "exact", before=cast(Any, again.run))
            rows = {row.key: row for row in state.ledger("stock", "exact").rows()}
        assert killed is None or (killed.status, killed.error_code) == ("failed", "killed")
        assert killed is not None or not written, "a run that wrote is on record"
        # What the killed run wrote may not have got into the log any more; what was written after it has.
        assert all(row.status == "synced" for row in rows.values())
        assert set(rows) >= {key for key in before if before[key] != right[key]} - set(written)
        return len(written)


def _sums(shown: dict[Key, int]) -> dict[int, int]:
    return {
        product: sum(quantity for key, quantity in shown.items() if key[0] == product)
        for product in {key[0] for key in shown}
    }


def test_a_sweep_killed_here_and_there_is_finished_by_the_next(tmp_path: Path, wrong: World) -> None:
    steps = steps_of(tmp_path / "whole", wrong)
    written = {
        kill_and_go_on(tmp_path / str(at), wrong, at) for at in range(1, steps + 1, max(1, steps // 6))
    }
    assert len(written) > 1, "it was never killed between two pages"


@pytest.mark.long
def test_a_sweep_killed_before_any_step_is_finished_by_the_next(tmp_path: Path, wrong: World) -> None:
    steps = steps_of(tmp_path / "whole", wrong)
    written = [kill_and_go_on(tmp_path / str(at), wrong, at) for at in range(1, steps + 1)]
    assert set(written) >= {0, 2, 4, DIFFERENCES}


@pytest.mark.long
def test_a_sweep_killed_again_and_again_comes_to_its_end(tmp_path: Path, wrong: World) -> None:
    """Every run gets one page further than the one before, or two."""
    with wrong.copied(tmp_path) as world:
        stock, right = small_pages(world), world.all_settled()
        steps = steps_of(tmp_path / "whole", wrong)
        for _ in range(DIFFERENCES):
            code, _ = in_a_process(stock.sweep, steps * 2 // 3)
            if code == FINISHED:
                break
        assert code == FINISHED
        assert world.all_shown() == right


# --- a database that goes away ----------------------------------------------------------------------------------


class Outage:
    """Takes the shop's server away before the statement of this number."""

    def __init__(self, server: MariaDB, at: int) -> None:
        self.statements = 0
        self._server = server
        self._at = at

    @contextmanager
    def happens(self) -> Iterator[None]:
        event.listen(Engine, "before_cursor_execute", self._statement)
        try:
            yield
        finally:
            event.remove(Engine, "before_cursor_execute", self._statement)
            self._server.start()

    def _statement(self, connection: Any, *_: Any) -> None:
        if connection.dialect.name != "sqlite":
            self.statements += 1
            if self.statements == self._at:
                self._server.kill()


def sweep_through_outages(folder: Path, shop: PrestaShopDatabase, *, every: int) -> None:
    """Whenever the server dies, the run says that it is away, or comes to its end; another one finishes it."""
    with World.genuine(folder, shop, NOW) as world:
        stock = Stock(world)
        for key in world.keys:
            world.receive(code_of(key), 10)
            world.show(key, 10)
        stock.begin_orders()
        world.now += timedelta(minutes=1)
        world.sell({world.keys[0]: 1})
        at, is_over = 1, False
        while not is_over:
            for key in world.keys[:DIFFERENCES]:
                world.show(key, 3)
            world.dispose()
            outage = Outage(shop.server, at)
            with outage.happens():
                try:
                    stock.sweep()
                    is_over = outage.statements < at
                except Unavailable:
                    is_over = False
            stock.sweep()
            assert world.all_shown() == world.all_settled(), at
            assert world.totals() == _sums({key: one for key, one in world.all_shown().items() if key[1]}), at
            at += every


def test_a_shop_that_goes_away_now_and_then(tmp_path: Path, prestashop: PrestaShopDatabase) -> None:
    sweep_through_outages(tmp_path, prestashop, every=12)


@pytest.mark.long
def test_a_shop_that_goes_away_at_any_statement(tmp_path: Path, prestashop: PrestaShopDatabase) -> None:
    sweep_through_outages(tmp_path, prestashop, every=1)
