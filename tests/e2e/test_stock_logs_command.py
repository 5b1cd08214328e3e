"""Stock and shipments in ``logs``, as people and programs meet them."""

from __future__ import annotations

import json

import pytest

from brekzsync.domain.ledger import Acknowledgement, Failure
from brekzsync.domain.shipments import Extent, Shipment
from tests.demos import PROGRAM, Demos, FreshDemo
from tests.exports import Said

SHOPS = [{"name": "NL", "from": 3, "to": 5}, {"name": "BE", "from": 1, "to": 0}]
STOCK = json.dumps({"code": "EEND", "shops": SHOPS})
SHIPMENT = Shipment("KHWLILZLL-5", Extent.WHOLE, "3SBREK001", ("3SBREK001",), ("90",)).stored(4)


class Demo(FreshDemo):
    """A demo whose state the tests write into."""

    def logs(self, *arguments: str) -> Said:
        return self.run("logs", *arguments)

    def acknowledge(self, flow: str, key: tuple[int, int], document: str, code: str | None = None) -> None:
        one = Acknowledgement(*key, b"version " * 2, 0, None, code, document, None, 0, False)
        with self.state() as state:
            state.ledger(flow, "exact").acknowledge([one], run_id=1, at=self.now)

    def fail(self, flow: str, key: tuple[int, int], reason: str) -> None:
        with self.state() as state:
            failure = Failure(*key, reason, "Mend it.")
            state.ledger(flow, "exact").record_failures([failure], run_id=1, at=self.now)


@pytest.fixture
def demo(demos: Demos, monkeypatch: pytest.MonkeyPatch) -> Demo:
    monkeypatch.setenv("BREKZSYNC_STOCK__QUANTITY", "sellable")
    monkeypatch.setenv("BREKZSYNC_SHIPMENTS__SHIPPED_STATE", "4")
    return demos.fresh(Demo, columns=120)


def test_stock_is_listed_beside_its_product_by_what_was_written(demo: Demo) -> None:
    demo.run("products", "export", "1-101")
    demo.acknowledge("stock", (1, 101), STOCK, "EEND")
    demo.acknowledge("shipment", (5, 0), SHIPMENT)

    listed = demo.logs("list").rows

    kinds = {row[0]: row[1:4] for row in listed[1:]}
    assert kinds["inventory"] == ["1-101", "EEND: NL 3 → 5, BE 1 → 0", "synced"]
    assert kinds["shipment"] == ["5", "KHWLILZLL-5: whole, state 4, 3SBREK001", "synced"]
    assert kinds["product"][0] == "1-101"
    only = demo.logs("list", "--type", "inventory", "--json").document["records"]
    assert [(one["type"], one["flow"], one["key"]) for one in only] == [("inventory", "stock", "1-101")]
    (found,) = demo.logs("list", "--search", "EEND", "--type", "inventory", "--json").document["records"]
    assert found["info"] == "EEND: NL 3 → 5, BE 1 → 0"


def test_all_about_an_items_stock_tells_each_shops_figure(demo: Demo) -> None:
    demo.acknowledge("stock", (1, 101), STOCK, "EEND")

    shown = demo.logs("show", "1-101", "--type", "inventory")

    assert (shown.code, shown.err) == (0, "")
    assert "stock 1-101 → exact" in shown.out
    lines = [line.strip("│ ") for line in shown.out.splitlines()]
    written = lines[lines.index("What was written") :]
    assert [line.split() for line in written[1:3]] == [["NL", "3", "→", "5"], ["BE", "1", "→", "0"]]
    (record,) = demo.logs("show", "1-101", "--json").document["records"]
    assert record["acknowledged"] == {"code": "EEND", "shops": SHOPS}


def test_a_shipment_is_shown_by_its_orders_number(demo: Demo) -> None:
    demo.acknowledge("shipment", (5, 0), SHIPMENT)

    (record,) = demo.logs("show", "5", "--type", "shipment", "--json").document["records"]

    assert (record["key"], record["acknowledged"]["tracking"]) == ("5", "3SBREK001")
    wrong = demo.logs("show", "5-1", "--type", "shipment")
    assert (wrong.code, wrong.err.splitlines()[0]) == (
        2,
        "Error: '5-1' is not an id of shipments: give a number such as 12.",
    )


def test_a_figure_that_failed_is_told_with_its_command(demo: Demo) -> None:
    demo.fail("stock", (1, 101), "webservice_refused")

    listed = demo.logs("list")

    assert listed.err == f"All about one: {PROGRAM} logs show 1-101 --type inventory\n"
    assert demo.pasted(listed.err.removeprefix("All about one: ").strip()).code == 0
    retried = demo.logs("retry", "--type", "inventory", "--json").document
    assert [(one["key"], one["flow"]) for one in retried["to_mend"]] == [("1-101", "stock")]
    assert "stock 1-101" in demo.logs("retry").out


@pytest.mark.parametrize(
    ("log_type", "hint"),
    [
        ("inventory", "Nothing was ever written for it; `brekzsync stock diff` compares it now."),
        ("shipment", "`brekzsync shipments import 99 --dry-run` tells why it was never imported."),
    ],
)
def test_what_the_logs_do_not_know_is_looked_for_by_its_own_command(
    demo: Demo, log_type: str, hint: str
) -> None:
    said = demo.logs("show", "99", "--type", log_type)

    assert (said.code, said.err.splitlines()[1]) == (2, f"Hint: {hint}")


def test_what_was_sold_meanwhile_waits_for_the_next_sweep_or_for_its_flow(demo: Demo) -> None:
    demo.acknowledge("stock", (1, 101), STOCK)
    with demo.state() as state:
        state.ledger("stock", "exact").record_pending([(1, 101)], at=demo.now, reason="sold_meanwhile")

    (waiting,) = demo.logs("list", "--json").document["records"]
    demo.run("flows", "disable", "stock")
    (held,) = demo.logs("list", "--json").document["records"]

    assert (waiting["status"], waiting["reason"]) == ("pending", "sold_meanwhile")
    assert (held["status"], held["reason"]) == ("pending", "flow_disabled")
