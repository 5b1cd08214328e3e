"""Memory does not grow with the catalogue: four times the combinations, at most a fifth more memory.

Both catalogues are large enough to fill every cache of fixed size (SQLite's pages, some 20 MiB in all): below some
20,000 combinations memory does grow, until those are full.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.measure import run
from tests.exports import Installation, installation
from tests.shops import make_shop

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a tree of processes takes"),
]

FEW, MANY = 25_000, 100_000
RATIO = 1.2
WHAT_IS_FOUND_IS_FINE = '"$@" >out.json || test $? = 3 -o $? = 4'


class Shops:
    """A small catalogue and a large one, each with a brekzsync of its own."""

    def __init__(self, folder: Path, shared: Path, *, same_code: bool = False) -> None:
        self._folder = folder
        self.sizes = {
            combinations: self._make(shared, combinations, same_code) for combinations in (FEW, MANY)
        }

    def _make(self, shared: Path, combinations: int, same_code: bool) -> Installation:
        folder = self._folder / str(combinations)
        folder.mkdir()
        make_shop(folder / "shop.db", products=combinations // 2, combinations=2, same_code=same_code)
        return installation(folder, shared, "sqlite:///shop.db", item_code="reference")

    def assert_flat(self, *words: str, verb: str = "export") -> None:
        """The same command over both takes nearly the same memory, all its processes together."""
        few, many = (self._peak(made, verb, *words) for made in self.sizes.values())
        assert many <= RATIO * few, f"{few / 2**20:.1f} MiB for {FEW}, {many / 2**20:.1f} MiB for {MANY}"

    @staticmethod
    def _peak(made: Installation, verb: str, *words: str) -> int:
        asked = made.command("products", verb, "--json", *words)
        command = ["sh", "-c", WHAT_IS_FOUND_IS_FINE, "sh", *asked]
        memory = run(command, folder=made.folder, environ=made.process_environment, watch=True).memory
        assert memory is not None
        return memory.pss

    def counts(self) -> list[tuple[int, int]]:
        """How many versions each ledger holds, and how many records it knows as failed."""
        found = []
        for made in self.sizes.values():
            with made.ledger() as ledger:
                found.append((ledger.count(), sum(row.status == "failed" for row in ledger.rows())))
        return found


@pytest.fixture
def shops(tmp_path: Path, shared: Path) -> Shops:
    return Shops(tmp_path, shared)


def test_of_a_bulk_export_then_an_unchanged_run_then_the_deletion_of_everything(shops: Shops) -> None:
    shops.assert_flat("--bulk")
    assert shops.counts() == [(FEW, 0), (MANY, 0)]
    shops.assert_flat()
    shops.assert_flat("--full", "--bulk")
    for made in shops.sizes.values():
        with closing(sqlite3.connect(made.folder / "shop.db")) as shop, shop:
            shop.execute("DELETE FROM ps_product")
    shops.assert_flat()
    assert shops.counts() == [(0, 0), (0, 0)]


def test_of_an_export_to_one_file_each_and_of_its_index(shops: Shops) -> None:
    shops.assert_flat()
    assert [len(made.unread()) for made in shops.sizes.values()] == [FEW, MANY]
    shops.assert_flat()
    for made in shops.sizes.values():
        assert f'count="{len(made.unread())}"' in (made.outbox / "index.xml").read_text()[:300]
        shutil.rmtree(made.outbox)


@pytest.mark.parametrize("words", [(), ("--bulk",)], ids=["files", "bulk"])
def test_when_every_item_code_is_a_duplicate(tmp_path: Path, shared: Path, words: tuple[str, ...]) -> None:
    shops = Shops(tmp_path, shared, same_code=True)
    shops.assert_flat(*words)
    assert shops.counts() == [(0, FEW), (0, MANY)]
    shops.assert_flat(*words)


@pytest.mark.parametrize("duplicates", [False, True])
def test_of_a_diagnosis_of_everything_and_of_what_the_erp_lacks(
    tmp_path: Path, shared: Path, duplicates: bool
) -> None:
    shops = Shops(tmp_path, shared, same_code=duplicates)
    shops.assert_flat("--all", verb="diagnose")
    shops.assert_flat("--missing", verb="diagnose")
    for combinations, made in shops.sizes.items():
        make_erp(made.folder / "erp.db", combinations // 4)
        made.set("erp", database="sqlite:///erp.db")
    shops.assert_flat("--missing", verb="diagnose")
    for combinations, made in shops.sizes.items():
        found = json.loads((made.folder / "out.json").read_text())
        lacking = combinations if duplicates else combinations - 2 * (combinations // 4)
        assert len(found["combinations"]) == lacking
        assert found["erp_problems"] == []


def make_erp(path: Path, products: int) -> None:
    """An ERP with both combinations of the first so many products."""
    with closing(sqlite3.connect(path)) as erp, erp:
        erp.execute("CREATE TABLE Items (ItemCode TEXT, IsSalesItem INTEGER, Type TEXT, Condition TEXT)")
        erp.executemany(
            "INSERT INTO Items VALUES (?, 1, 'S', 'A')",
            ((f"P-{n}-{n * 10 + place}",) for n in range(1, products + 1) for place in (1, 2)),
        )
