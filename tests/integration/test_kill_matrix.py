"""A run killed before each of its steps in turn, and its bulk writer: nothing half written, nothing lost.

What is checked after every run is in ``tests/killable.py``. Here the same export is cut off at its first step,
then at its second, until it comes through; each time the next run finishes the job.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from brekzsync.domain.items import Item
from tests.exports import NOW, installation
from tests.killable import KILLED, Ended, Key, Killable, Stepper, differences, killable, says, stepper
from tests.shops import make_shop, special_price

pytestmark = pytest.mark.long

BATCH = 7
LATER = NOW + timedelta(minutes=5)
CHANGES = [
    ("UPDATE ps_product_shop SET active = 1", []),  # 31 to 35 are new
    ("UPDATE ps_product_lang SET name = name || ' plus' WHERE id_product < 27", []),
    ("DELETE FROM ps_product WHERE id_product IN (4, 5, 28)", []),
    ("UPDATE ps_product_shop SET active = 0 WHERE id_product IN (6, 29)", []),
    ("UPDATE ps_product_shop SET price = 0 WHERE id_product = 7", []),
    ("UPDATE ps_product SET reference = 'P-8-NEW' WHERE id_product = 8", []),
    ("UPDATE ps_product SET reference = 'P-10' WHERE id_product = 32", []),
    special_price(1, 30),
]
DELIVERED = 25
REASONS = {
    "deleted": 4,  # one of them was only forced, and never existed
    "active_in_data_shop": 2,
    "became_active_in_data_shop": 2,
    "not_excluded": 1,
    "became_not_excluded": 1,
    "missing_price": 1,
    "item_code_changed": 1,
    "duplicate_item_code": 1,
}


class Scene:
    """An export with something of every kind to do; ``start`` gives it anew."""

    def __init__(self, folder: Path, shared: Path, steps: Stepper) -> None:
        self._folder, self._shared, self._steps = folder, shared, steps
        self._before = folder / "before"
        self._before.mkdir()
        make_shop(self._before / "shop.db", products=35)
        self._change(("UPDATE ps_product_shop SET active = 0 WHERE id_product > 30", []))
        settled = self._open(self._before)
        assert settled.export().delivered == 30
        settled.read(most=12)
        with settled.installed.state() as state:
            state.exclusions.add(3, at=NOW)
            state.ledger("product", "exact").request_force([(20, 0), (99, 0)], at=NOW)
        self._change(*CHANGES)
        self._erp = settled.erp
        self.expected = self._undisturbed()

    def start(self) -> Killable:
        """As it was before the run."""
        folder = self._folder / "run"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._before, folder, ignore=shutil.ignore_patterns("seen"))
        made = self._open(folder)
        made.begin(erp=self._erp)
        return made

    def _undisturbed(self) -> dict[Key, Item]:
        """What is in sync after a run that nobody disturbs."""
        made = self.start()
        _assert_complete(made.export(at=LATER))
        return made.items()

    def _open(self, folder: Path) -> Killable:
        return killable(
            installation(folder, self._shared, "sqlite:///shop.db", item_code="reference"), self._steps
        )

    def _change(self, *statements: tuple[str, list[object]]) -> None:
        with closing(sqlite3.connect(self._before / "shop.db")) as shop, shop:
            for statement, values in statements:
                shop.execute(statement, values)


def _assert_complete(ended: Ended) -> None:
    assert (ended.code, ended.delivered, dict(ended.reasons)) == (3, DELIVERED, REASONS)


@pytest.fixture(scope="module")
def steps() -> Iterator[Stepper]:
    with stepper() as started:
        yield started


@pytest.fixture
def scene(tmp_path: Path, shared: Path, steps: Stepper) -> Scene:
    return Scene(tmp_path, shared, steps)


@pytest.mark.parametrize(
    ("words", "victim"),
    [((), "run"), (("--bulk",), "run"), (("--bulk",), "writer")],
    ids=["item files", "bulk", "bulk, its writer alone"],
)
def test_an_export_killed_before_any_of_its_steps_is_finished_by_the_next(
    scene: Scene, words: tuple[str, ...], victim: str
) -> None:
    most = scene.start().count_steps(*words, at=LATER, batch=BATCH)[victim]
    assert most > 20
    for step in range(1, most + 1):
        made = scene.start()
        kill: dict[str, Any] = {"kill" if victim == "run" else "kill_writer": step}
        cut = made.export(*words, at=LATER, batch=BATCH, **kill)
        _assert_cut(cut, victim, made)
        if step % 3:  # not 2 or 4: an item takes four steps
            made.read()

        made.export(*words, at=LATER, batch=BATCH)
        assert differences(made.items(), scene.expected) == [], f"killed before step {step}"
        again = made.export(*words, at=LATER, batch=BATCH)
        assert again.delivered == 0, f"killed before step {step}"

        made.read()
        for key, item in scene.expected.items():
            assert says(made.erp[key].document, item), f"killed before step {step}: the ERP has another {key}"


def _assert_cut(cut: Ended, victim: str, made: Killable) -> None:
    if victim == "run":
        assert cut.code == KILLED
    elif cut.code == 1:
        assert cut.document["error"]["code"] == "writer_vanished"
        assert cut.document["error"]["hint"]
    else:
        _assert_complete(cut)  # its work was done by then


BACK = "UPDATE ps_product_lang SET name = 'Kattenmand nummer 2' WHERE id_product = 2"


@pytest.mark.parametrize("words", [(), ("--bulk",)], ids=["item files", "bulk"])
def test_a_change_taken_back_after_a_killed_run_is_taken_back_in_the_erp(
    tmp_path: Path, shared: Path, steps: Stepper, words: tuple[str, ...]
) -> None:
    made = _settled(tmp_path, shared, steps)
    most = 60
    for step in range(1, most):
        _execute(made, "UPDATE ps_product_lang SET name = 'Something else' WHERE id_product = 2")
        made.export(*words, at=LATER, kill=step)
        made.read()
        _execute(made, BACK)
        made.export(*words, at=LATER)
        made.read()
        _assert_the_erp_has_what_the_ledger_says(made, f"killed before step {step}")


def test_an_item_excluded_and_included_again_around_a_killed_run_reaches_the_erp(
    tmp_path: Path, shared: Path, steps: Stepper
) -> None:
    made = _settled(tmp_path, shared, steps)
    for step in range(1, 30):
        made.export("--full", at=NOW)
        _execute(made, "UPDATE ps_product_shop SET active = 0 WHERE id_product = 2")
        made.export(at=LATER, kill=step)
        _execute(made, "UPDATE ps_product_shop SET active = 1 WHERE id_product = 2")
        made.export(at=LATER)
        made.erp.clear()  # as if none of the earlier documents had been read
        made.read()
        assert (2, 0) in made.erp, f"killed before step {step}"


def _settled(folder: Path, shared: Path, steps: Stepper) -> Killable:
    """Three products, exported and read."""
    make_shop(folder / "shop.db", products=3)
    made = killable(installation(folder, shared, "sqlite:///shop.db", item_code="reference"), steps)
    assert made.export().delivered == 3
    made.read()
    return made


def _execute(made: Killable, statement: str) -> None:
    with closing(sqlite3.connect(made.installed.folder / "shop.db")) as shop, shop:
        shop.execute(statement)


def _assert_the_erp_has_what_the_ledger_says(made: Killable, when: str) -> None:
    for key, item in made.items().items():
        assert says(made.erp[key].document, item), f"{when}: the ERP has another {key}"
