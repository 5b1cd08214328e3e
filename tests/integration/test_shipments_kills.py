"""A run of ``shipments import`` cut off at each of its steps: nothing is done twice, and nothing is left undone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from brekzsync.demo.folder import make_demo
from brekzsync.demo.local_service import Asked
from brekzsync.flows.shipments.ports import OrderWriter
from tests.exports import NOW, ROOT
from tests.mortal import Life, mortal
from tests.shipping import PREPARED, SHIPPED, Note, Shipping, shipping

STEPS = 26  # of a run over two orders; asserted


class Stepping:
    """A writer whose every call is a step, and its end another."""

    def __init__(self, writer: OrderWriter, life: Life) -> None:
        self._writer, self._life = writer, life

    def __getattr__(self, name: str) -> Any:
        called = getattr(self._writer, name)

        def call(*arguments: Any) -> Any:
            self._life.step()
            result = called(*arguments)
            self._life.step()
            return result

        return call if name != "close" else called


@pytest.fixture
def world(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipping]:
    make_demo(tmp_path_factory.mktemp("untouched") / "demo", NOW)
    shop = next(tmp_path_factory.getbasetemp().glob("untouched*/demo/shop.db"))
    with shipping(tmp_path, f"sqlite:///{shutil.copy(shop, tmp_path / 'shop.db')}") as made:
        yield made


def begin_anew(world: Shipping, orders: Sequence[int]) -> None:
    """As before the first run."""
    world.lose_state()
    for order in orders:
        world.type_tracking(order, "")
    given = ", ".join(map(str, orders))
    world.sql(f"UPDATE ps_orders SET current_state = {PREPARED}")
    world.sql(f"DELETE FROM ps_order_history WHERE id_order_state = {SHIPPED} AND id_order IN ({given})")


def test_a_run_cut_off_at_any_step_is_finished_by_the_next_one_and_nothing_is_done_twice(
    world: Shipping,
) -> None:
    orders = world.ids[:2]
    for order in orders:
        world.ship(order, Note(str(order), tracking=f"3S{order}"))
    taken = []
    for ends_at in [*range(1, STEPS + 1), None]:
        begin_anew(world, orders)
        with mortal(ends_at) as life:
            world.around_writer = lambda writer, life=life: Stepping(writer, life)  # type: ignore[misc]
            world.imports()
        taken.append(life.steps)
        world.around_writer = lambda writer: writer
        world.imports()
        for order in orders:
            assert world.order(order) == (SHIPPED, [f"3S{order}"], [PREPARED, SHIPPED]), ends_at
        assert world.told() == [("synced", None, True)] * 2, ends_at
    assert taken == [*range(STEPS), STEPS]


def test_a_process_killed_while_the_shop_is_at_it_has_not_asked_for_it_twice(world: Shipping) -> None:
    """The shop carries out what it was asked for though nobody hears its answer."""
    order = world.ids[0]
    world.ship(order, Note("1", tracking="3S1"))
    command = [sys.executable, "-P", "-m", "brekzsync", "--config", str(world.config), "shipments", "import"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    posts = 0
    running: list[subprocess.Popen[bytes]] = []

    def kill(asked: Asked) -> None:
        nonlocal posts
        if asked.method == "POST":
            posts += 1
            if posts == 1:
                running[0].send_signal(signal.SIGKILL)
                running[0].wait(10)

    world.webservice.before_each = kill
    for code in (-signal.SIGKILL, 0):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        running[:] = [process]
        assert process.wait(60) == code

    assert posts == 1
    assert world.order(order) == (SHIPPED, ["3S1"], [PREPARED, SHIPPED])
    assert world.told() == [("synced", None, True)]
