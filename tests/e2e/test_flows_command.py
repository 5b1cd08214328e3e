"""``flows``, ``status`` and the runs of a flow that is switched off, as people, programs and cron meet them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from brekzsync.domain.ledger import Serving
from tests.demos import PROGRAM, Demos, FreshDemo
from tests.exports import NOW

ROOT = Path(__file__).resolve().parents[2]
NOON = "2026-11-21T12:00:00Z"
TWO_TARGETS = """
[targets.first.products]
output = "first"
overdue_after = "10m"
[targets.second.products]
output = "second"
"""


@pytest.fixture
def demo(demos: Demos, monkeypatch: pytest.MonkeyPatch) -> FreshDemo:
    monkeypatch.setenv("SUDO_USER", "ann")
    return demos.fresh(FreshDemo, columns=140)


def switch(enabled: bool, since: str | None = None, by: str | None = None, reason: str | None = None) -> Any:
    return {"enabled": enabled, "since": since, "by": by, "reason": reason}


# --- switching ---------------------------------------------------------------------------------------------


def test_a_flow_nobody_switched_is_listed_as_on(demo: FreshDemo) -> None:
    said = demo.run("flows", "list", "--json")
    commands = {
        "product": "products export",
        "order": "orders export",
        "refund": "refunds export",
        "stock": "stock sweep",
        "shipment": "shipments import",
        "order_status": "orders push-status",
    }
    targets = dict.fromkeys(commands, "exact") | {"order_status": "shoppingfeed"}
    flows = [
        {"flow": flow, "target": targets[flow], "command": command, **switch(True)}
        for flow, command in commands.items()
    ]
    assert said.document == {"schema_version": 1, "command": "flows list", "ok": True, "flows": flows}
    assert said.code == 0
    assert demo.run("flows", "list").rows == [
        ["Flow", "Target", "Is", "Since", "By", "Why", "Command"],
        *([flow, targets[flow], "on", "", "", "", command] for flow, command in commands.items()),
    ]


def test_a_switch_says_what_it_did_and_the_list_who_did_it_when_and_why(demo: FreshDemo) -> None:
    off = demo.run("flows", "disable", "product", "--reason", "stock-taking")
    assert off == (
        0,
        "",
        "Switched off product → exact.\n"
        f"Its runs do nothing, and what waits stays pending, until: {PROGRAM} flows enable product\n",
    )
    listed = demo.run("flows", "list").rows
    assert listed[1] == [
        "product",
        "exact",
        "off",
        "2026-11-21 12:00 UTC",
        "ann",
        "stock-taking",
        "products export",
    ]
    demo.now += timedelta(hours=1)
    again = demo.run("flows", "disable", "product", "--reason", "other")
    assert again.err == (
        "product → exact is switched off already (by ann, 2026-11-21 12:00 UTC: stock-taking).\n"
    )
    on = demo.run("flows", "enable", "product", "--json")
    assert on.document == {
        "schema_version": 1,
        "command": "flows enable",
        "ok": True,
        "flow": "product",
        "enabled": True,
        "dry_run": False,
        "targets": [
            {
                "target": "exact",
                "changed": True,
                **switch(True, "2026-11-21T13:00:00Z", "ann", ""),
                "at_work": False,
            }
        ],
    }
    assert demo.run("flows", "enable", "product").err == (
        "product → exact is switched on already (by ann, 2026-11-21 13:00 UTC).\n"
    )


def test_a_dry_run_says_what_would_change_and_changes_nothing(demo: FreshDemo) -> None:
    before = demo.files()
    assert demo.run("flows", "disable", "product", "-n") == (0, "", "Would switch off product → exact.\n")
    assert demo.run("flows", "enable", "product", "-n").err == "product → exact is switched on already.\n"
    (one,) = demo.run("flows", "disable", "product", "-n", "--json").document["targets"]
    assert (one["changed"], one["enabled"]) == (True, True)
    assert demo.files() == before


def test_a_target_can_be_switched_alone(demo: FreshDemo) -> None:
    demo.configure(TWO_TARGETS)
    said = demo.run("flows", "disable", "product", "--target", "second")
    assert said.err.endswith(f"until: {PROGRAM} flows enable product --target second\n")
    listed = demo.run("flows", "list", "--json").document["flows"]
    on = {(one["flow"], one["target"]): one["enabled"] for one in listed}
    assert on.pop(("product", "second")) is False
    assert on.pop(("product", "first")) is True
    assert set(on.values()) == {True}
    both = demo.run("flows", "disable", "product", "--json").document["targets"]
    assert [(one["target"], one["changed"]) for one in both] == [("first", True), ("second", False)]


@pytest.mark.parametrize(
    ("arguments", "code", "error", "message"),
    [
        (["prodct"], 2, "unknown_flow", 'There is no flow "prodct". Did you mean "product"?'),
        (["Product"], 2, "unknown_flow", 'There is no flow "Product". Did you mean "product"?'),
        (["xyz"], 2, "unknown_flow", 'There is no flow "xyz".'),
        ([], 2, "usage", "Missing argument 'FLOW'."),
        (["product", "--target", "no"], 78, "unknown_target", None),
    ],
)
def test_what_does_not_exist_cannot_be_switched(
    demo: FreshDemo, arguments: list[str], code: int, error: str, message: str | None
) -> None:
    before = demo.files()
    for verb in ("enable", "disable"):
        said = demo.run("flows", verb, *arguments, "--json")
        problem = said.document["error"]
        assert (said.code, problem["code"], message in (None, problem["message"])) == (code, error, True)
        assert problem["hint"]
    assert demo.files() == before


@pytest.mark.parametrize("command", [["status"], ["flows", "list"], ["flows", "disable", "product"]])
def test_a_state_that_is_missing_is_said_and_not_made(demo: FreshDemo, command: list[str]) -> None:
    demo.lose_state()
    before = demo.files()
    said = demo.run(*command, "--json")
    assert (said.code, said.document["error"]["code"]) == (78, "state_missing")
    assert demo.files() == before


# --- runs of a flow that is off ----------------------------------------------------------------------------

NOTHING = dict.fromkeys(("read", "eligible", "pending", "delivered", "unchanged", "skipped", "failed"), 0)


def test_a_run_of_a_flow_that_is_off_does_nothing_and_says_so(demo: FreshDemo) -> None:
    demo.run("flows", "disable", "product", "--reason", "stock-taking")
    (demo.folder / "demo/shop.db").unlink()  # not even the shop is asked
    before = demo.files()

    said = demo.run("products", "export")
    assert said == (
        0,
        "",
        "Products → exact: switched off by ann, 2026-11-21 12:00 UTC: stock-taking; nothing was read or sent,"
        f" until: {PROGRAM} flows enable product\n",
    )
    assert demo.run("products", "export", "1", "--json").document == {
        "schema_version": 1,
        "command": "products export",
        "ok": True,
        "run_id": None,
        "target": "exact",
        "dry_run": False,
        "counts": NOTHING,
        "reasons": {},
        "warnings": {},
        "output": str(demo.outbox),
        "indexed": None,
        "failures": [],
        "disabled": True,
    }
    for words in (["--bulk"], ["--baseline"], ["--cron"], ["-q"]):
        assert demo.run("products", "export", *words).code == 0
    assert demo.run("products", "export", "--cron") == (0, "", "")
    assert demo.files() == before
    with demo.state() as state:
        assert state.runs.latest("product", "exact") is None


def test_a_dry_run_of_a_flow_that_is_off_still_shows_what_waits(demo: FreshDemo) -> None:
    demo.run("flows", "disable", "product")
    said = demo.run("products", "export", "-n", "1")
    assert said.code == 0
    assert ["would be exported", "4"] in said.rows
    assert said.err == (
        "Switched off by ann, 2026-11-21 12:00 UTC; a real run does nothing, until:"
        f" {PROGRAM} flows enable product\n"
    )
    document = demo.run("products", "export", "-n", "1", "--json").document
    assert (document["disabled"], document["counts"]["delivered"]) == (True, 4)


def test_what_waited_goes_once_the_flow_is_on_again(demo: FreshDemo) -> None:
    demo.run("flows", "disable", "product")
    demo.run("products", "export")
    demo.run("flows", "enable", "product")
    document = demo.run("products", "export", "1", "--json").document
    assert (document["counts"]["delivered"], "disabled" in document) == (4, False)


def test_other_targets_run_while_one_is_off(demo: FreshDemo) -> None:
    demo.configure(TWO_TARGETS)
    demo.run("flows", "disable", "product", "--target", "first")
    document = demo.run("products", "export", "1", "--json").document
    told = [(one["target"], one.get("disabled", False), one["counts"]) for one in document["targets"]]
    done = NOTHING | dict.fromkeys(("read", "eligible", "pending", "delivered"), 4)
    assert told == [("first", True, NOTHING), ("second", False, done)]
    assert ("disabled" in document, document["counts"]) == (False, done)
    demo.run("flows", "disable", "product")
    assert demo.run("products", "export", "--json").document["disabled"] is True


def test_a_target_that_is_gone_is_unknown_though_it_was_switched_off(demo: FreshDemo) -> None:
    with demo.state() as state:
        state.switches.set("product", ["gone"], enabled=False, at=NOW)
    said = demo.run("products", "export", "--target", "gone", "--json")
    assert (said.code, said.document["error"]["code"]) == (78, "unknown_target")


# --- status ------------------------------------------------------------------------------------------------


def status(demo: FreshDemo, flow: str = "product") -> dict[str, Any]:
    """Of the document, one flow."""
    flows = demo.run("status", "--json").document["flows"]
    return dict(next(one for one in flows if one["flow"] == flow))


def test_a_flow_that_never_ran_is_overdue(demo: FreshDemo) -> None:
    said = demo.run("status")
    assert said.code == 3
    assert said.rows[1] == ["product", "exact", "on, overdue", "never", "never", "0", "0"]
    sentence = "no run of the whole flow ever came to its end."
    assert said.err.startswith(f"Error: product → exact is overdue: {sentence}\nHint: See what a run says:")
    document = demo.run("status", "--json").document
    assert (document["ok"], document["error"]["code"]) == (False, "overdue")
    assert document["overdue"] == [
        {"flow": "product", "target": "exact", "reason": "never", "message": sentence}
    ]
    assert demo.run("status", "--cron") == (3, "", said.err)
    assert demo.run("status", "-q") == (3, "", said.err)


def test_a_flow_that_runs_is_told_with_its_last_run_and_its_backlog(demo: FreshDemo) -> None:
    exported = demo.run("products", "export", "--limit", "30", "--json").document
    demo.now += timedelta(minutes=59)
    before = demo.files()
    document = demo.run("status", "--json").document
    assert [one["flow"] for one in document["flows"][1:]] == [
        "order",
        "refund",
        "stock",
        "shipment",
        "order_status",
    ]
    del document["flows"][1:]
    assert document == {
        "schema_version": 1,
        "command": "status",
        "ok": True,
        "flows": [
            {
                "flow": "product",
                "target": "exact",
                "command": "products export",
                "used": True,
                "configured": True,
                **switch(True),
                "last_run": {
                    "run_id": exported["run_id"],
                    "command": "products export",
                    "status": "done",
                    "started_at": NOON,
                    "finished_at": NOON,
                    "counts": exported["counts"],
                    "reasons": exported["reasons"],
                    "error": None,
                },
                "last_success_at": NOON,
                "age_seconds": 59 * 60,
                "backlog": {"pending": 1, "failed": 6},
                "lock": {"held": False, "run_id": None, "host": None, "since": None},
                "overdue": False,
                "overdue_after_seconds": 3600,
            }
        ],
        "overdue": [],
    }
    said = demo.run("status")
    ago = "59 minutes ago"
    assert (said.code, said.err) == (0, "")
    assert said.rows[1] == ["product", "exact", "on", f"{ago}: done, 30 exported", ago, "1", "6"]
    assert demo.run("status", "--cron") == (0, "", "")
    assert demo.files() == before

    demo.now += timedelta(minutes=2)
    late = demo.run("status")
    assert late.code == 3
    assert late.err.startswith(
        "Error: product → exact is overdue: its last whole run came to its end 1 hour ago, more than the 1h it"
        " may take.\n"
    )


def test_a_run_of_chosen_ids_is_no_sign_of_life(demo: FreshDemo) -> None:
    demo.run("products", "export", "1")
    flow = status(demo)
    assert (flow["last_run"]["status"], flow["last_run"]["command"]) == ("done", "products export ID...")
    assert (flow["last_success_at"], flow["overdue"]) == (None, True)
    assert "just now, chosen IDs: done, 4 exported" in demo.run("status").out


def test_a_flow_that_is_off_is_never_overdue(demo: FreshDemo) -> None:
    demo.run("flows", "disable", "product", "--reason", "stock-taking")
    said = demo.run("status")
    assert (said.code, said.err) == (0, "")
    assert said.out.endswith(
        "product → exact: switched off by ann, 2026-11-21 12:00 UTC: stock-taking; switch it on:"
        f" {PROGRAM} flows enable product\n"
    )


def test_every_target_has_its_own_patience(demo: FreshDemo) -> None:
    demo.configure(TWO_TARGETS)
    demo.run("products", "export")
    demo.now += timedelta(minutes=11)
    document = demo.run("status", "--json").document
    assert [(one["target"], one["reason"]) for one in document["overdue"]] == [("first", "silent")]
    assert [one["overdue_after_seconds"] for one in document["flows"][:2]] == [600, 3600]


def test_orders_nobody_ever_sent_are_not_overdue(demo: FreshDemo) -> None:
    demo.run("products", "export")
    said = demo.run("status")
    assert (said.code, said.err) == (0, "")
    assert said.rows[2:] == [
        [flow, "exact", "on, not used", "never", "never", "0", "0"]
        for flow in ("order", "refund", "stock", "shipment")
    ] + [["order_status", "shoppingfeed", "on, not used", "never", "never", "0", "0"]]


@pytest.mark.parametrize(
    ("flow", "command", "key", "done"),
    [
        ("stock", "stock sweep", "BREKZSYNC_STOCK__OVERDUE_AFTER", "written"),
        ("shipment", "shipments import", "BREKZSYNC_SHIPMENTS__OVERDUE_AFTER", "imported"),
    ],
)
def test_stock_and_shipments_are_overdue_by_their_own_patience(
    demo: FreshDemo, monkeypatch: pytest.MonkeyPatch, flow: str, command: str, key: str, done: str
) -> None:
    monkeypatch.setenv(key, "30h")
    demo.run("products", "export")
    with demo.state() as state:
        run = state.runs.open(flow, "exact", command, demo.now)
        state.runs.finish(run, "done", at=demo.now, counts={"delivered": 3}, reasons={})
    row = next(row for row in demo.run("status").rows if row[0] == flow)
    assert row[2:5] == ["on", f"just now: done, 3 {done}", "just now"]

    demo.now += timedelta(hours=30)
    assert status(demo, flow)["overdue"] is False
    demo.now += timedelta(minutes=1)
    assert status(demo, flow)["overdue"] is True
    assert (
        f"{flow} → exact is overdue: its last whole run came to its end 1 day ago" in demo.run("status").err
    )


def test_a_flow_the_configuration_no_longer_speaks_of_is_not_overdue(demo: FreshDemo) -> None:
    demo.run("products", "export")
    text = (demo.folder / "demo/brekzsync.toml").read_text(encoding="utf-8")
    without = re.sub(r"^\[(stock|shipments)[^\]]*\]\n(?:(?!\[).*\n)*", "", text, flags=re.MULTILINE)
    (demo.folder / "demo/brekzsync.toml").write_text(without, encoding="utf-8")
    with demo.state() as state:
        run = state.runs.open("stock", "exact", "stock sweep", demo.now)
        state.runs.finish(run, "done", at=demo.now, counts={"delivered": 3}, reasons={})
    demo.now += timedelta(days=9)

    told = status(demo, "stock")

    assert (told["used"], told["configured"], told["overdue"]) == (True, False, False)
    assert next(row for row in demo.run("status").rows if row[0] == "stock")[2] == "on, not configured"


def test_stock_is_switched_like_products(demo: FreshDemo) -> None:
    demo.run("flows", "disable", "stock")

    assert demo.run("flows", "enable", "stock").err == (
        f"Switched on stock → exact.\nNext: wait for cron, or run it now: {PROGRAM} stock sweep\n"
    )


@pytest.mark.parametrize("began_with", ["a run", "a claim"])
def test_orders_that_are_sent_are_overdue_like_products(demo: FreshDemo, began_with: str) -> None:
    demo.run("products", "export")
    with demo.state() as state:
        if began_with == "a run":
            state.runs.open("refund", "exact", "refunds export", demo.now)
        else:
            claims = state.ledger("refund", "exact").claims
            version = Serving(3, 0, bytes(range(16)), 0, None, "KHWLILZLL-5-R3", None)
            claims.claim([version], claimed_by=None, run_id=None, at=demo.now, lease_until=demo.now)
    document = demo.run("status", "--json").document
    assert [(one["flow"], one["reason"]) for one in document["overdue"]] == [("refund", "never")]
    demo.replace("[orders]\n", '[orders]\noverdue_after = "2h"\n')
    assert [one["overdue_after_seconds"] for one in demo.run("status", "--json").document["flows"]] == [
        3600,
        7200,
        7200,
        26 * 3600,
        26 * 3600,
        3600,
    ]


def test_orders_are_switched_like_products(demo: FreshDemo) -> None:
    off = demo.run("flows", "disable", "order", "--reason", "stock-taking")
    assert off.err == (
        "Switched off order → exact.\n"
        f"Its runs do nothing, and what waits stays pending, until: {PROGRAM} flows enable order\n"
    )
    assert demo.run("flows", "list").rows[2][:3] == ["order", "exact", "off"]


def test_a_run_at_work_is_named_and_switching_off_does_not_stop_it(demo: FreshDemo) -> None:
    with demo.state() as state, state.locks.hold("product", "exact"):
        run = state.runs.open("product", "exact", "products export", NOW)
        flow = status(demo)
        told = demo.run("status")
        off = demo.run("flows", "disable", "product")
        demo.run("flows", "enable", "product")
        demo.now += timedelta(minutes=61)
        late = demo.run("status")
    host = os.uname().nodename
    assert flow["lock"] == {"held": True, "run_id": run.name, "host": host, "since": NOON}
    assert (flow["last_run"]["status"], flow["overdue"], told.code) == ("running", False, 0)
    assert told.out.endswith(
        f"product → exact: a run is at work ({run.name} on {host}, since 2026-11-21 12:00 UTC).\n"
    )
    assert "A run to exact is at work now: it goes on to its end.\n" in off.err
    assert late.code == 3
    assert "the run at work began 1 hour ago, more than the 1h it may take." in late.err


def test_a_run_that_was_killed_is_not_taken_for_one_at_work(demo: FreshDemo) -> None:
    kills_itself = (
        "import os, signal, sys\n"
        "from datetime import UTC, datetime\n"
        "from brekzsync.state.database import open_state\n"
        "state = open_state(sys.argv[1], create=False)\n"
        "with state.locks.hold('product', 'exact'):\n"
        "    state.runs.open('product', 'exact', 'products export', datetime(2026, 11, 21, 12, tzinfo=UTC))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    url = f"sqlite:///{demo.folder / 'demo/state.db'}"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, "-c", kills_itself, url], env=environment, check=False)
    flow = status(demo)
    assert (flow["last_run"]["status"], flow["last_run"]["error"]["code"]) == ("failed", "killed")
    assert (flow["lock"]["held"], flow["overdue"]) == (False, True)
    assert "just now: failed (killed)" in demo.run("status").out


@pytest.mark.parametrize("columns", ["80", "160"])
def test_the_tables_fit_the_terminal(demo: FreshDemo, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    demo.run("products", "export")
    demo.run("flows", "disable", "product", "--reason", "stock-taking until Monday, and nobody knows longer")
    for command in (["status"], ["flows", "list"]):
        table = [line for line in demo.run(*command).out.splitlines() if line[:1] in "╭│├╰"]
        assert max(map(len, table)) <= int(columns)


# --- the page ----------------------------------------------------------------------------------------------


def test_the_commands_of_the_page_do_what_it_says(demo: FreshDemo) -> None:
    page = (ROOT / "docs/how-to/switch-a-flow-off.md").read_text(encoding="utf-8")
    shell = "".join(re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    lines = [shlex.split(line, comments=True) for line in shell.splitlines() if line.startswith("brekzsync ")]
    demo.run("products", "export")
    ended = {" ".join(words[1:3]): demo.run(*words[1:]).code for words in lines}
    assert ended == {"flows disable": 0, "flows enable": 0, "flows list": 0, "status": 0}
