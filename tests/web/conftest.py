"""Shops to serve from: the demo's on SQLite, PrestaShop's own fixtures on MariaDB."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from brekzsync.bootstrap.state import upgrade_state
from brekzsync.demo.folder import make_demo
from tests.exports import NOW, Installation, installation
from tests.serving import TOKEN, Serving, serving_here


@dataclass(frozen=True, slots=True)
class Served:
    """An installation whose products are fetched, and a way to change its shop."""

    installation: Installation
    sql: Callable[[str], object]
    key: str  # of a product that is pending and changes its price with `UPDATE ps_product_shop`
    other: str


@pytest.fixture(scope="session")
def _untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("untouched") / "demo"
    make_demo(folder, NOW)
    return folder


def _ready(made: Installation) -> Installation:
    made.set("serve", exact_token=TOKEN)
    upgrade_state(made.settings)
    return made


@pytest.fixture
def demo(tmp_path: Path, shared: Path, _untouched: Path) -> Served:
    """The demo's shop; products have their plain references as codes, some of them twice."""
    shop = tmp_path / "shop.db"
    shutil.copy(_untouched / "shop.db", shop)

    def sql(statement: str) -> None:
        with closing(sqlite3.connect(shop)) as connection, connection:
            connection.execute(statement)

    made = installation(tmp_path, shared, f"sqlite:///{shop}", channel="http", item_code="reference")
    made.set("shop", data_shop="NL")
    return Served(_ready(made), sql, "1-101", "1-102")


@pytest.fixture
def demo_with_erp(demo: Served, _untouched: Path) -> Served:
    """The demo's shop, and its ERP to read back from: ``erp.db`` in the installation's folder."""
    shutil.copy(_untouched / "erp.db", demo.installation.folder / "erp.db")
    demo.installation.set("erp", database="sqlite:///erp.db")
    return demo


@pytest.fixture(params=["demo", pytest.param("fixtures", marks=pytest.mark.mariadb)])
def served(request: pytest.FixtureRequest, tmp_path: Path, shared: Path) -> Served:
    """Each of the two shops."""
    if request.param == "demo":
        found: Served = request.getfixturevalue("demo")
        return found
    prestashop = request.getfixturevalue("prestashop")
    made = installation(tmp_path, shared, prestashop.url("mysqldb"), channel="http")
    return Served(_ready(made), prestashop.execute, "1-1", "1-2")


@pytest.fixture
def service(served: Served) -> Iterator[Serving]:
    """A service over each of the two shops."""
    with serving_here(served.installation) as started:
        yield started


def raise_price(served: Served, key: str) -> None:
    """Change a product in a way that moves no timestamp."""
    served.sql(f"UPDATE ps_product_shop SET price = price + 1 WHERE id_product = {key.split('-')[0]}")
