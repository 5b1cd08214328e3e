"""From a shop to Exact and back, with every part a process of its own."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from brekzsync.bootstrap.state import upgrade_state
from brekzsync.settings import load_settings
from scripts.build_agent import build
from tests.demos import Program
from tests.exact_side import JOBS, TOKEN, Plan, Sales, Way
from tests.exports import CODE_AND_ID, Said
from tests.services.mariadb import MariaDB
from tests.services.prestashop import PrestaShopDatabase

ON_MARIADB = [pytest.mark.shared, pytest.mark.mariadb]
SHOPS = ["demo", pytest.param("fixtures", marks=ON_MARIADB)]

# What the shops have to bring when nobody has bought anything else.
FIRST_ORDERS = {
    "demo": "QWERTZUIO-41 ASDFGHJKL-52 QMXPLTRWE-61 BELGKVNZA-62 DUIWPQHRT-63 TWEETARVN-64 CADEAUVHG-65"
    " GRATISKLM-66 HONDSCHLQ-67 AFGERONDX-68 NIETINERP-75",
    "fixtures": "",
}
FIRST_REFUNDS = {"demo": "QWERTZUIO-41-R1 QMXPLTRWE-61-R2 TWEETARVN-64-R3 CADEAUVHG-65-R4", "fixtures": ""}


@dataclass
class Whole:
    """A shop, its way to Exact, and what Exact has to have by now."""

    shop: str
    way: Way
    sales: Sales
    code: str  # of the product that is renamed
    key: str
    orders: list[str]  # by YourRef, refunds too
    sold: list[int] = field(default_factory=list)
    refunded: list[int] = field(default_factory=list)

    def something_happens(self, job: str) -> None:
        """In the shop, for this job to bring."""
        if job == "products":
            self.sales.rename()
        elif job == "orders":
            self.sold.append(self.sales.sell())
            self.orders.append(f"W{self.sold[-1]}-{self.sold[-1]}")
        else:
            self.refunded.append(self.sales.refund(self.sold[-1]))
            self.orders.append(f"W{self.sold[-1]}-{self.sold[-1]}-R{self.refunded[-1]}")

    def is_in_step(self, *hint: object) -> None:
        """Everything is in Exact, once and as it is now, and the logs say so."""
        logged = {job: self.way.logged(job) for job in JOBS}
        assert self.way.orders_in_exact() == Counter(self.orders), (hint, _failed(logged))
        assert self.way.items_in_exact()[self.code] == self.sales.renamed, hint
        synced = {job: {key for key, one in logged[job].items() if one["status"] == "synced"} for job in JOBS}
        assert self.key in synced["products"], hint
        assert synced["orders"] >= set(map(str, self.sold)), hint
        assert synced["refunds"] >= set(map(str, self.refunded)), hint
        assert len(synced["orders"]) + len(synced["refunds"]) == len(self.orders), hint

    def killed(self, job: str, plan: Plan) -> str:
        """Something happens and is brought while some are killed; at which step, ``""`` where it is never come to.

        A product is changed once more just then.
        """
        self.something_happens(job)
        if job == "products":
            plan = plan._replace(then=self.sales.rename)
        struck = self.way.brings(job, plan=plan)
        self.is_in_step(job, plan, struck)
        return struck


def _failed(logged: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [f"{key}: {one['message']}" for job in JOBS for key, one in logged[job].items() if one["message"]]


@pytest.fixture(scope="session")
def agent_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent as the one file that a bare Python runs."""
    return build(tmp_path_factory.mktemp("agent") / "brekzsync-agent.pyz")


@pytest.fixture(params=SHOPS)
def whole(
    request: pytest.FixtureRequest, tmp_path: Path, untouched_demo: Path, program: Program, agent_file: Path
) -> Iterator[Whole]:
    """The demo over SQLite, and PrestaShop's fixtures with a state on MariaDB too; both with the demo's Exact."""
    shutil.copytree(untouched_demo, tmp_path, dirs_exist_ok=True)
    config = tmp_path / "brekzsync.toml"

    def cli(*words: str) -> Said:
        return program("--config", str(config), *words)

    way = Way(tmp_path, agent_file, cli)
    text = config.read_text(encoding="utf-8")
    text = text.replace("[products]", '[products]\nchannel = "http"')
    text = text.replace("[orders]", '[orders]\nresult_timeout = "1s"')
    text += f'[serve]\nexact_token = "{TOKEN}"\nlease = "1s"\n'
    text += '[log]\nfile = "brekzsync.log"\n'
    text += f'[agent]\nhost = "127.0.0.1"\nport = {way.agent_port}\n'
    sales, code, key = Sales(f"sqlite:///{tmp_path}/shop.db", product=7, order=61), "EEND", "7-0"
    if request.param == "fixtures":
        shop: PrestaShopDatabase = request.getfixturevalue("prestashop")
        server: MariaDB = request.getfixturevalue("mariadb")
        server.create_database("brekzsync")
        text = text.replace("sqlite:///shop.db", shop.url()).replace('data_shop = "NL"', "data_shop = 1")
        text = text.replace("sqlite:///state.db", server.url("brekzsync"))
        with closing(sqlite3.connect(way.erp)) as erp, erp:
            erp.execute("DELETE FROM orkrg")  # orders of the demo's shop
        text = text.replace("{ 1 =", "{ 2 =").replace('21 = "2"', '21 = "2"\n"US:0" = "0"')
        text = text.replace("[products]", f'[products]\nitem_code = "{CODE_AND_ID}"')
        sales, code, key = Sales(shop.url(), product=8, order=2), "DEMO_13-0", "8-0"
    config.write_text(text, encoding="utf-8")
    upgrade_state(load_settings(config, {}))
    orders = FIRST_ORDERS[request.param].split() + FIRST_REFUNDS[request.param].split()
    with way:
        yield Whole(request.param, way, sales, code, key, orders)
