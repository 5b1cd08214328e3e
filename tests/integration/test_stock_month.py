"""A month of a shop and its warehouse, thirty days in three minutes, with everything that goes wrong in one.

People buy what the shop shows, cancel, send back; goods come in and leave; somebody orders by telephone. Webhooks tell
of it, or are lost, doubled, late; one of three sources floods. Databases go away and come back, runs are killed. What
is right is known from ``tests/stock_world.py``, which asks nobody.
"""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import pytest

from brekzsync.cli import main
from tests.exports import bare_environment
from tests.mortal_process import DIED, Process, start
from tests.services.mariadb import MariaDB
from tests.services.prestashop import PrestaShopDatabase
from tests.serving import until
from tests.stock_runs import Stock
from tests.stock_world import Key, Sale, World, code_of
from tests.webhooks import EXACT_SECRET, SECRETS, Sender, exact_webhook

DAYS = 30
FLOODING = "supplier"
FLOOD = 900
INBOX = f"""
[inbox]
exact_secret = "{EXACT_SECRET}"
max_per_minute = 500
cool_down = "1s"
compare_all_every = "1s"
[log]
file = "brekzsync.log"
""" + "".join(f'[inbox.sources.{name}]\nsecrets = ["{secret}"]\n' for name, secret in SECRETS.items())
ALL_OF_IT = {
    "sale", "canceled", "imported", "delivered in part", "delivered", "received", "returned", "by telephone", "lost",
    "typed", "webhook lost", "webhook late", "webhook doubled", "flood", "killed", "database restarted", "ERP away",
}  # fmt: skip
DONE, PARTLY, AWAY, SETUP = 0, 3, 69, 78


# --- the parts of a month ---------------------------------------------------------------------------------------


@dataclass
class Service:
    """``brekzsync serve`` as a process, which is killed and started again."""

    folder: Path
    config: Path
    process: subprocess.Popen[str] | None = None
    client: httpx2.Client | None = None

    def start(self) -> None:
        """Begin to take webhooks."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "brekzsync", "--config", str(self.config), "serve", "--port", "0"],
            cwd=self.folder,
            env=bare_environment(self.folder),
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        found = re.search(r"http://\S+", line)
        assert found is not None, line
        client = httpx2.Client(base_url=found[0], timeout=30, trust_env=False)
        self.client = client
        until(lambda: _answers(client))

    def kill(self) -> None:
        """Without a word."""
        assert self.process is not None
        assert self.client is not None
        self.client.close()
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        said = self.process.stderr.read()
        self.process.stderr.close()
        assert "Traceback" not in said, said


def _answers(client: httpx2.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx2.TransportError:
        return False


@dataclass
class Told:
    """What a run did to the shop's figures, while nothing else happened or while the shop went on selling."""

    code: int
    document: dict[str, Any]
    before: dict[Key, int]
    after: dict[Key, int]


@dataclass
class Month:
    """One of them. ``repaired`` says how many figures each night's sweep wrote."""

    world: World
    stock: Stock
    server: MariaDB
    service: Service
    random: Random
    open_sales: list[Sale] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    documents: list[bytes] = field(default_factory=list)
    stored: set[tuple[str, str]] = field(default_factory=set)
    repaired: list[int] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)
    _webhooks: int = 0

    # --- days -------------------------------------------------------------------------------------------------

    def day(self, number: int) -> None:
        """What people do, and what the machines do about it."""
        for _ in range(12):
            self._tick()
            self.random.choice(
                [self._buy, self._buy, self._buy, self._go_on, self._go_on, self._go_on, self._receive, self._return,
                 self._telephone, self._count, self._type]
            )()  # fmt: skip
        late, self.late = self.late, []
        for code in late:
            self._send(code)
        if number % 10 == 4:
            self._flood()
        if number % 7 == 3:
            self.service.kill()
            self.service.start()
        self.run("orders", "export", ends_at=self._now_and_then(5))
        self._import()
        self.run("inbox", "process", ends_at=self._now_and_then(4))

    def _buy(self) -> None:
        """As much as the shop shows, of what it shows any of."""
        shown = {key: quantity for key, quantity in self.world.all_shown().items() if quantity > 0}
        if not shown:
            return
        wanted = self.random.sample(sorted(shown), min(len(shown), self.random.randint(1, 3)))
        lines = {key: self.random.randint(1, min(3, shown[key])) for key in wanted}
        sale = self.world.sell(lines)
        if self.random.random() < 0.8:
            self.world.pay(sale)
        self.open_sales.append(sale)
        self.happened["sale"] += 1

    def _go_on(self) -> None:
        """An order is canceled, entered, delivered or completed, whatever comes next for it."""
        if not self.open_sales:
            return
        sale, world = self.random.choice(self.open_sales), self.world
        if not sale.ordernr:
            if self.random.random() < 0.3:
                world.cancel(sale)
                self.happened["canceled"] += 1
                if not self._is_on_its_way(sale):
                    self.open_sales.remove(sale)
            return
        if sale.is_canceled:
            world.close(sale)
        elif sum(sale.lines.values()) > 1 and self.random.random() < 0.3:
            key = next(key for key in sale.lines if sale.undelivered(key))
            world.deliver(sale, {key: 1})
            self.happened["delivered in part"] += 1
        else:
            world.deliver(sale)
            self.happened["delivered"] += 1
        self._tell_of(*sale.lines)
        if sale.is_closed:
            self.open_sales.remove(sale)
            if self.random.random() < 0.5:
                world.archive(sale)

    def _is_on_its_way(self, sale: Sale) -> bool:
        return any(sale.your_ref.encode() in document for document in self.documents) or any(
            sale.your_ref in path.read_text(encoding="utf-8")
            for path in (self.world.folder / "outbox/orders").glob("*.xml")
        )

    def _receive(self) -> None:
        for key in self.random.sample(self.world.keys, 3):
            self.world.receive(code_of(key), self.random.randint(1, 8))
            self._tell_of(key)
        self.happened["received"] += 1

    def _return(self) -> None:
        delivered = [
            (sale, key) for sale in self.world.sales for key in sale.lines if sale.delivered[key] > 0
        ]
        if delivered:
            sale, key = self.random.choice(delivered)
            self.world.take_back(sale, key, 1)
            self.happened["returned"] += 1

    def _telephone(self) -> None:
        key = self.random.choice(self.world.keys)
        if self.world.free(key) > 0:
            self.world.phone(code_of(key), 1)
            self._tell_of(key)
            self.happened["by telephone"] += 1

    def _count(self) -> None:
        """Somebody counts, and finds less."""
        key = self.random.choice(self.world.keys)
        if self.world.free(key) > 2:
            self.world.receive(code_of(key), -2)
            self._tell_of(key)
            self.happened["lost"] += 1

    def _type(self) -> None:
        """Somebody types a figure into the shop."""
        self.world.show(self.random.choice(self.world.keys), self.random.randint(0, 12))
        self.happened["typed"] += 1

    # --- orders on their way ------------------------------------------------------------------------------------

    def _import(self) -> None:
        """What lay there the day before; what lies there now is taken."""
        if self.documents:
            self.world.import_(self.documents)
            self.happened["imported"] += len(self.documents)
        self.documents = self.world.take()

    # --- webhooks -----------------------------------------------------------------------------------------------

    def _tell_of(self, *keys: Key) -> None:
        for key in keys:
            code, luck = code_of(key), self.random.random()
            if luck < 0.2:
                self.happened["webhook lost"] += 1
            elif luck < 0.35:
                self.late.append(code)
                self.happened["webhook late"] += 1
            else:
                self._send(code, twice=luck < 0.5)

    def _send(self, code: str, *, twice: bool = False) -> None:
        self._webhooks += 1
        source = self.random.choice(["exact", "warehouse", "returns"])
        for _ in range(1 + twice):
            assert self._knock(source, code, f"webhook-{self._webhooks}") == 200
            if source == "exact":
                self._webhooks += 1  # every receipt is one of its own
        self.happened["webhook doubled"] += twice

    def _knock(self, source: str, code: str, webhook_id: str) -> int:
        client = self.service.client
        assert client is not None
        if source == "exact":
            answer = client.post("/api/webhooks/exact/stock", content=exact_webhook(code))
        else:
            answer = Sender(client, source).send(webhook_id, {"data": {"code": code}})
        if answer.status_code == 429:
            assert int(answer.headers["retry-after"]) >= 1
        if answer.status_code == 200:
            self.stored.add((source, webhook_id))
        return answer.status_code

    def _flood(self) -> None:
        """One source sends much more than it may; the others do not notice."""
        code = code_of(self.random.choice(self.world.keys))
        answers: Counter[int] = Counter()
        for number in range(FLOOD):
            self._webhooks += 1
            answers[self._knock(FLOODING, code, f"webhook-{self._webhooks}")] += 1
            if number % 100 == 99:
                self._send(code)
                time.sleep(0.1)
            if answers[429] > 20:
                break
        assert answers[429] > 20, answers
        self.happened["flood"] += 1

    # --- runs ---------------------------------------------------------------------------------------------------

    def run(
        self, *words: str, ends_at: int | None = None, meanwhile: Callable[[], None] | None = None
    ) -> Told:
        """One in a process of its own; never does it show more than there is."""
        world = self.world
        before, moved = world.all_shown(), Counter(world.moved)
        process = self._start(words, ends_at)
        if meanwhile is not None:
            meanwhile()
        code, _ = process.wait()
        until(lambda: self.server.running)
        after = world.all_shown()
        said = (world.folder / "said").read_text(encoding="utf-8")
        assert "Traceback" not in said, said
        self.happened["killed"] += code == DIED
        assert code != 1, said
        own = {key: after[key] - before[key] - (world.moved[key] - moved[key]) for key in after}
        too_much = {
            key: (before[key], after[key], world.free(key))
            for key, change in own.items()
            if change > 0 and after[key] > max(0, world.free(key))
        }
        assert not too_much, (words, code, too_much)
        return Told(code, json.loads(said) if code != DIED and said.startswith("{") else {}, before, after)

    def _start(self, words: tuple[str, ...], ends_at: int | None) -> Process:
        config = str(self.service.config)
        self.world.dispose()  # a process that is forked inherits no connection
        return start(
            lambda: main(["--config", config, "--json", *words]), ends_at, self.world.folder / "said"
        )

    def night(self, number: int) -> None:
        """The sweep: killed, without a database, beside customers, or in peace."""
        self._tick()
        if number % 6 == 1:
            self.run("stock", "sweep", "--force", ends_at=self.random.randint(2, 30))
        elif number % 6 == 2:
            told = self.run("stock", "sweep", "--force", meanwhile=self._sell_on)
            assert told.code in (DONE, PARTLY), told
        elif number % 6 == 3:
            told = self.run("stock", "sweep", "--force", meanwhile=self._lose_the_shop)
            assert told.code in (DONE, PARTLY, AWAY), told
        elif number % 6 == 4:
            told = self._without_the_erp()
            assert told.code in (AWAY, SETUP), told
            assert told.after == told.before
        else:
            self._sweep_in_peace()

    def _sweep_in_peace(self) -> None:
        """Whatever went wrong before: afterwards nothing differs, and the record says what was repaired."""
        world = self.world
        told = self.run("stock", "sweep", "--force")
        assert told.code == DONE, told
        wrong = [key for key, wanted in world.all_settled().items() if told.after[key] != wanted]
        assert not wrong, (
            told.document,
            world.all_settled(),
            self.run("stock", "diff", *map(code_of, wrong)),
        )
        assert world.totals() == {
            product: sum(quantity for key, quantity in told.after.items() if key[0] == product)
            for product in world.totals()
        }
        changed = {key for key in told.after if told.after[key] != told.before[key]}
        assert told.document["counts"]["delivered"] == len(changed)
        with self.stock.state() as state:
            run = state.runs.latest("stock", "exact")
            rows = state.ledger("stock", "exact").rows_for(sorted(changed))
            assert run is not None
            assert (run.status, run.counts["delivered"]) == ("done", len(changed))
            assert {row.key: row.status for row in rows} == dict.fromkeys(changed, "synced")
        self.repaired.append(len(changed))

    def _sell_on(self) -> None:
        """Customers and the warehouse do not wait for the sweep."""
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            self._tick()
            self.random.choice([self._buy, self._buy, self._go_on])()

    def _lose_the_shop(self) -> None:
        time.sleep(self.random.random())
        self.server.kill()
        self.server.start()
        self.happened["database restarted"] += 1

    def _without_the_erp(self) -> Told:
        self.world.dispose()
        away = self.world.folder / "away.db"
        self.world.erp_file.rename(away)
        try:
            return self.run("stock", "sweep", "--force")
        finally:
            self.world.erp_file.unlink(missing_ok=True)
            away.rename(self.world.erp_file)
            self.happened["ERP away"] += 1

    def _now_and_then(self, of: int) -> int | None:
        """A step to be killed before, one time out of so many."""
        return self.random.randint(2, 25) if self.random.random() < 1 / of else None

    def _tick(self) -> None:
        self.world.now = datetime.now(UTC)

    # --- the end --------------------------------------------------------------------------------------------------

    def in_the_inbox(self) -> int:
        """How many webhooks are stored."""
        with closing(sqlite3.connect(self.world.folder / "state-inbox.db")) as inbox:
            (count,) = inbox.execute("SELECT COUNT(*) FROM inbox_delivery").fetchone()
        return int(count)

    def sheds(self) -> list[tuple[str, bool, bool]]:
        """Who was told to wait; whether that is over, and whether everything was compared since."""
        with closing(sqlite3.connect(self.world.folder / "state-inbox.db")) as inbox:
            rows = inbox.execute("SELECT source, closed_at, compared_at FROM inbox_shed").fetchall()
        return [(source, closed is not None, compared is not None) for source, closed, compared in rows]


@contextmanager
def a_month(folder: Path, prestashop: PrestaShopDatabase, seed: int) -> Iterator[Month]:
    """It begins with five of everything, which the shop shows."""
    with World.genuine(folder, prestashop, datetime.now(UTC)) as world:
        for key in world.keys:
            world.receive(code_of(key), 5)
            world.show(key, 5)
        stock = Stock(world, more=INBOX)
        stock.begin_orders()
        time.sleep(1.1)  # orders of the very second in which the flow began may have been before it
        service = Service(folder, Path(stock.settings_file))
        service.start()
        try:
            yield Month(world, stock, prestashop.server, service, Random(seed))
        finally:
            service.kill()


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_a_month_ends_without_a_difference(tmp_path: Path, prestashop: PrestaShopDatabase, seed: int) -> None:
    with a_month(tmp_path, prestashop, seed) as month:
        for number in range(DAYS):
            month.day(number)
            month.night(number)
        until(lambda: all(over for _, over, _ in month.sheds()), 90)
        assert month.run("inbox", "process").code in (DONE, PARTLY)
        month._sweep_in_peace()

        last = month.run("stock", "diff")
        assert (last.code, last.document["ok"]) == (DONE, True)
        assert month.repaired[:-1], "there were nights in peace"
        assert sum(month.repaired) > 0, "there was something to repair"
        assert month.in_the_inbox() == len(month.stored), "what was answered with 2xx is there, each once"
        sheds = month.sheds()
        assert sheds
        assert {source for source, _, _ in sheds} == {FLOODING}
        assert all(compared for _, _, compared in sheds)
        assert set(month.happened) >= ALL_OF_IT, month.happened
        print(f"repaired each quiet night: {month.repaired}; {dict(month.happened)}")  # noqa: T201
