"""The whole way on the demo: service, agent and AsImport as processes of their own, down to the ERP and back."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brekzsync.agent.client import AgentClient
from brekzsync.demo.seed import read
from brekzsync.exact.connection import connect_erp
from brekzsync.exact.items import ItemRepository
from tests.agents import agent_process, free_port, wait_until
from tests.serving import TOKEN, Serving, serving
from tests.web.conftest import Served


@dataclass(frozen=True, slots=True)
class Whole:
    """The demo's shop and ERP, what serves the one and the agent beside the other."""

    served: Served
    service: Serving
    port: int

    def run(self, job: str = "products") -> dict[str, int]:
        """Have the agent run a job as the shop's cron does; what it counted."""
        before = self._status(job)["last_run"]
        said = self.served.installation.cli("agent", "start", job)
        assert said.code == 0, said.err
        wait_until(lambda: self._status(job)["last_run"] not in (None, before), "the run has ended", 60)
        last = self._status(job)["last_run"]
        assert last["outcome"] == "done", last
        counts: dict[str, int] = last["counts"]
        return counts

    def _status(self, job: str) -> dict[str, Any]:
        with AgentClient("127.0.0.1", self.port) as client:
            return next(one for one in client.ask("status")["jobs"] if one["job"] == job)

    def price(self, code: str) -> Decimal | None:
        """What the ERP holds."""
        erp = connect_erp(f"sqlite:///{self.served.installation.folder / 'erp.db'}")
        held = ItemRepository(erp).some([code])
        return held[code].price if held else None

    def orders(self) -> Counter[str]:
        """How often the ERP has each reference, those of the day it was made left out."""
        erp = self.served.installation.folder / "erp.db"
        with closing(sqlite3.connect(erp)) as connection:
            found = connection.execute("SELECT docnumber FROM orkrg WHERE ordernr > '  230023'")
            return Counter(row[0] for row in found)

    def statuses(self) -> set[tuple[str, str | None]]:
        """How the logs tell of the records that could be sent."""
        return {(one["status"], one["reason"]) for one in self.logged() if one["status"] != "failed"}

    def logged(self, kind: str = "product") -> list[dict[str, Any]]:
        """What the logs tell of records of a kind."""
        arguments = ("logs", "list", "--type", kind, "--limit", "100")
        records: list[dict[str, Any]] = self.served.installation.cli("--json", *arguments).document["records"]
        return records


@contextmanager
def whole(served: Served, *, log: str) -> Iterator[Whole]:
    """``log`` is where the agent looks for AsImport's."""
    folder, port = served.installation.folder, free_port()
    served.installation.set("agent", host="127.0.0.1", port=port)
    served.installation.set("orders", **read("brekzsync.toml")["orders"])
    served.installation.set("exact_xml", **read("brekzsync.toml")["exact_xml"])
    with serving(served.installation) as service:
        command = [sys.executable, "-m", "brekzsync.demo.asimport", "{file}", "{topic}"]
        command += ["--erp", str(folder / "erp.db"), "--log", str(folder / "{name}-{topic}.xml")]
        config = folder / "agent.toml"
        config.write_text(
            f'[agent]\nport = {port}\nwork = "work"\n'
            f'[shop]\nurl = "{service.address}/exact"\ntoken = "{TOKEN}"\n'
            f"[import]\ncommand = {json.dumps(command)}\nlog = '{log}'\n"
            + "".join(
                f'[jobs.{job}]\nevery = "off"\nbatch = {batch}\n'
                for job, batch in (("products", 20), ("orders", 3), ("refunds", 1))
            ),
            encoding="utf-8",
        )
        with agent_process([sys.executable, "-m", "brekzsync.agent"], config):
            yield Whole(served, service, port)


def test_what_changes_in_the_shop_arrives_in_the_erp_and_the_logs_say_so(demo_with_erp: Served) -> None:
    with whole(demo_with_erp, log="{name}-{topic}.xml") as all_of_it:
        first = all_of_it.run()

        assert first["imported"] == first["offered"] > 30
        assert all_of_it.statuses() == {("synced", None)}
        assert all_of_it.service.pending() == set()

        demo_with_erp.sql("UPDATE ps_product_shop SET price = '99' WHERE id_product = 7")
        assert all_of_it.run() == {"offered": 1, "imported": 1}
        assert all_of_it.price("EEND") == 99
        assert all_of_it.statuses() == {("synced", None)}
        assert all_of_it.run() == {"offered": 0}


def test_without_a_log_to_read_the_erp_itself_tells(demo_with_erp: Served) -> None:
    with whole(demo_with_erp, log="nowhere/{name}.xml") as all_of_it:
        first = all_of_it.run()
        assert first["handed_over"] == first["offered"] > 30
        assert all_of_it.statuses() == {("pending", "in_flight")}

        # The service has looked just now; a run looks at once.
        installation = demo_with_erp.installation
        installation.set("products", channel="files", acknowledge="result")
        assert installation.cli("products", "export").code == 3

        assert all_of_it.statuses() == {("synced", None)}


def test_orders_and_then_their_refunds_arrive_once_however_often_they_are_asked_for(
    demo_with_erp: Served,
) -> None:
    with whole(demo_with_erp, log="{name}-{topic}.xml") as all_of_it:
        orders = all_of_it.run("orders")
        refunds = all_of_it.run("refunds")

        assert orders["imported"] == orders["offered"] >= 8
        assert refunds["imported"] == refunds["offered"] >= 4
        arrived = all_of_it.orders()
        assert len(arrived) == orders["imported"] + refunds["imported"]
        assert set(arrived.values()) == {1}
        waiting = {
            (kind, one["reason"])
            for kind in ("order", "refund")
            for one in all_of_it.logged(kind)
            if one["status"] == "pending"
        }
        assert waiting == {("refund", "order_not_in_erp")}

        assert all_of_it.run("orders")["offered"] == all_of_it.run("refunds")["offered"] == 0
        assert all_of_it.orders() == arrived


def test_orders_nobody_could_tell_of_are_found_in_the_erp(demo_with_erp: Served) -> None:
    with whole(demo_with_erp, log="nowhere/{name}.xml") as all_of_it:
        orders = all_of_it.run("orders")
        assert orders["handed_over"] == orders["offered"] >= 8
        assert {one["reason"] for one in all_of_it.logged("order") if one["status"] == "pending"} == {
            "in_flight"
        }

        assert demo_with_erp.installation.cli("orders", "settle").code == 0

        assert not [one for one in all_of_it.logged("order") if one["status"] == "pending"]
        assert all_of_it.run("orders")["offered"] == 0
        assert set(all_of_it.orders().values()) == {1}
