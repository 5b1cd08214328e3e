"""``flows``, ``status`` and the runs of a flow that is switched off, as people, programs and cron meet them."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from brekzsync.bootstrap import flows, products
from brekzsync.cli import main
from brekzsync.demo.folder import make_demo
from brekzsync.settings import load_settings
from brekzsync.state.database import State, open_state
from tests.exports import NOW

ROOT = Path(__file__).resolve().parents[2]
NOON = "2026-11-21T12:00:00Z"
PROGRAM = "brekzsync --config demo/brekzsync.toml"
TWO_TARGETS = """
[targets.first.products]
output = "first"
overdue_after = "10m"
[targets.second.products]
output = "second"
"""


class Said(NamedTuple):
    """The exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one document on stdout."""
        assert self.err == ""
        document: dict[str, Any] = json.loads(self.out)
        return document


@dataclass
class Demo:
    """A demo of the test's own, and the program, run in this process at a time the test chooses."""

    folder: Path
    capture: pytest.CaptureFixture[str]
    now: datetime = NOW

    def run(self, *arguments: str) -> Said:
        code = main(["--config", "demo/brekzsync.toml", *arguments])
        return Said(code, *self.capture.readouterr())

    def configure(self, text: str) -> None:
        with (self.folder / "demo/brekzsync.toml").open("a", encoding="utf-8") as file:
            file.write(text)

    @contextmanager
    def state(self) -> Iterator[State]:
        settings = load_settings(self.folder / "demo/brekzsync.toml", {})
        with open_state(settings.state.database.get_secret_value(), create=False) as state:
            yield state

    def files(self) -> dict[str, bytes]:
        """Everything in the folder but the state's own side files."""
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.folder)): path.read_bytes() for path in paths if "-shm" not in path.name
        }


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("untouched") / "demo"
    make_demo(folder, NOW)
    return folder


@pytest.fixture
def demo(
    untouched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Demo]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("SUDO_USER", "ann")
    shutil.copytree(untouched, tmp_path / "demo")
    before = signal.getsignal(signal.SIGTERM)
    made = Demo(tmp_path, capsys)
    for module in (products, flows):
        monkeypatch.setattr(module, "utc_now", lambda: made.now)
    yield made
    signal.signal(signal.SIGTERM, before)


def rows(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def switch(enabled: bool, since: str | None = None, by: str | None = None, reason: str | None = None) -> Any:
    return {"enabled": enabled, "since": since, "by": by, "reason": reason}


# --- switching ---------------------------------------------------------------------------------------------


def test_a_flow_nobody_switched_is_listed_as_on(demo: Demo) -> None:
    said = demo.run("flows", "list", "--json")
    one = {"flow": "product", "target": "exact", "command": "products export", **switch(True)}
    assert said.document == {"schema_version": 1, "command": "flows list", "ok": True, "flows": [one]}
    assert said.code == 0
    assert rows(demo.run("flows", "list").out) == [
        ["Flow", "Target", "Is", "Since", "By", "Why", "Command"],
        ["product", "exact", "on", "", "", "", "products export"],
    ]


def test_a_switch_says_what_it_did_and_the_list_who_did_it_when_and_why(demo: Demo) -> None:
    off = demo.run("flows", "disable", "product", "--reason", "stock-taking")
    assert off == (
        0,
        "",
        "Switched off product → exact.\n"
        f"Its runs do nothing, and what waits stays pending, until: {PROGRAM} flows enable product\n",
    )
    listed = demo.run("flows", "list").out
    assert rows(listed)[1] == [
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


def test_a_dry_run_says_what_would_change_and_changes_nothing(demo: Demo) -> None:
    before = demo.files()
    assert demo.run("flows", "disable", "product", "-n") == (0, "", "Would switch off product → exact.\n")
    assert demo.run("flows", "enable", "product", "-n").err == "product → exact is switched on already.\n"
    (one,) = demo.run("flows", "disable", "product", "-n", "--json").document["targets"]
    assert (one["changed"], one["enabled"]) == (True, True)
    assert demo.files() == before


def test_a_target_can_be_switched_alone(demo: Demo) -> None:
    demo.configure(TWO_TARGETS)
    said = demo.run("flows", "disable", "product", "--target", "second")
    assert said.err.endswith(f"until: {PROGRAM} flows enable product --target second\n")
    listed = demo.run("flows", "list", "--json").document["flows"]
    assert [(one["target"], one["enabled"]) for one in listed] == [("first", True), ("second", False)]
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
    demo: Demo, arguments: list[str], code: int, error: str, message: str | None
) -> None:
    before = demo.files()
    for verb in ("enable", "disable"):
        said = demo.run("flows", verb, *arguments, "--json")
        problem = said.document["error"]
        assert (said.code, problem["code"], message in (None, problem["message"])) == (code, error, True)
        assert problem["hint"]
    assert demo.files() == before


@pytest.mark.parametrize("command", [["status"], ["flows", "list"], ["flows", "disable", "product"]])
def test_a_state_that_is_missing_is_said_and_not_made(demo: Demo, command: list[str]) -> None:
    for path in (demo.folder / "demo").glob("state.db*"):
        os.unlink(path)
    before = demo.files()
    said = demo.run(*command, "--json")
    assert (said.code, said.document["error"]["code"]) == (78, "state_missing")
    assert demo.files() == before


# --- runs of a flow that is off ----------------------------------------------------------------------------

NOTHING = dict.fromkeys(("read", "eligible", "pending", "delivered", "unchanged", "skipped", "failed"), 0)


def test_a_run_of_a_flow_that_is_off_does_nothing_and_says_so(demo: Demo) -> None:
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
        "output": str(demo.folder / "demo/outbox"),
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


def test_a_dry_run_of_a_flow_that_is_off_still_shows_what_waits(demo: Demo) -> None:
    demo.run("flows", "disable", "product")
    said = demo.run("products", "export", "-n", "1")
    assert said.code == 0
    assert ["would be exported", "4"] in rows(said.out)
    assert said.err == (
        "Switched off by ann, 2026-11-21 12:00 UTC; a real run does nothing, until:"
        f" {PROGRAM} flows enable product\n"
    )
    document = demo.run("products", "export", "-n", "1", "--json").document
    assert (document["disabled"], document["counts"]["delivered"]) == (True, 4)


def test_what_waited_goes_once_the_flow_is_on_again(demo: Demo) -> None:
    demo.run("flows", "disable", "product")
    demo.run("products", "export")
    demo.run("flows", "enable", "product")
    document = demo.run("products", "export", "1", "--json").document
    assert (document["counts"]["delivered"], "disabled" in document) == (4, False)


def test_other_targets_run_while_one_is_off(demo: Demo) -> None:
    demo.configure(TWO_TARGETS)
    demo.run("flows", "disable", "product", "--target", "first")
    document = demo.run("products", "export", "1", "--json").document
    told = [(one["target"], one.get("disabled", False), one["counts"]) for one in document["targets"]]
    done = NOTHING | dict.fromkeys(("read", "eligible", "pending", "delivered"), 4)
    assert told == [("first", True, NOTHING), ("second", False, done)]
    assert ("disabled" in document, document["counts"]) == (False, done)
    demo.run("flows", "disable", "product")
    assert demo.run("products", "export", "--json").document["disabled"] is True


def test_a_target_that_is_gone_is_unknown_though_it_was_switched_off(demo: Demo) -> None:
    with demo.state() as state:
        state.switches.set("product", ["gone"], enabled=False, at=NOW)
    said = demo.run("products", "export", "--target", "gone", "--json")
    assert (said.code, said.document["error"]["code"]) == (78, "unknown_target")


# --- status ------------------------------------------------------------------------------------------------


def status(demo: Demo) -> dict[str, Any]:
    """The document's one flow."""
    (flow,) = demo.run("status", "--json").document["flows"]
    return dict(flow)


def test_a_flow_that_never_ran_is_overdue(demo: Demo) -> None:
    said = demo.run("status")
    assert said.code == 3
    assert rows(said.out)[1] == ["product", "exact", "on, overdue", "never", "never", "0", "0"]
    sentence = "no run of the whole flow ever came to its end."
    assert said.err.startswith(f"Error: product → exact is overdue: {sentence}\nHint: See what a run says:")
    document = demo.run("status", "--json").document
    assert (document["ok"], document["error"]["code"]) == (False, "overdue")
    assert document["overdue"] == [
        {"flow": "product", "target": "exact", "reason": "never", "message": sentence}
    ]
    assert demo.run("status", "--cron") == (3, "", said.err)
    assert demo.run("status", "-q") == (3, "", said.err)


def test_a_flow_that_runs_is_told_with_its_last_run_and_its_backlog(demo: Demo) -> None:
    exported = demo.run("products", "export", "--limit", "30", "--json").document
    demo.now += timedelta(minutes=59)
    before = demo.files()
    document = demo.run("status", "--json").document
    assert document == {
        "schema_version": 1,
        "command": "status",
        "ok": True,
        "flows": [
            {
                "flow": "product",
                "target": "exact",
                "command": "products export",
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
    assert rows(said.out)[1] == ["product", "exact", "on", f"{ago}: done, 30 exported", ago, "1", "6"]
    assert demo.run("status", "--cron") == (0, "", "")
    assert demo.files() == before

    demo.now += timedelta(minutes=2)
    late = demo.run("status")
    assert late.code == 3
    assert late.err.startswith(
        "Error: product → exact is overdue: its last whole run came to its end 1 hour ago, more than the 1h it"
        " may take.\n"
    )


def test_a_run_of_chosen_ids_is_no_sign_of_life(demo: Demo) -> None:
    demo.run("products", "export", "1")
    flow = status(demo)
    assert (flow["last_run"]["status"], flow["last_run"]["command"]) == ("done", "products export ID...")
    assert (flow["last_success_at"], flow["overdue"]) == (None, True)
    assert "just now, chosen IDs: done, 4 exported" in demo.run("status").out


def test_a_flow_that_is_off_is_never_overdue(demo: Demo) -> None:
    demo.run("flows", "disable", "product", "--reason", "stock-taking")
    said = demo.run("status")
    assert (said.code, said.err) == (0, "")
    assert said.out.endswith(
        "product → exact: switched off by ann, 2026-11-21 12:00 UTC: stock-taking; switch it on:"
        f" {PROGRAM} flows enable product\n"
    )


def test_every_target_has_its_own_patience(demo: Demo) -> None:
    demo.configure(TWO_TARGETS)
    demo.run("products", "export")
    demo.now += timedelta(minutes=11)
    document = demo.run("status", "--json").document
    assert [(one["target"], one["reason"]) for one in document["overdue"]] == [("first", "silent")]
    assert [one["overdue_after_seconds"] for one in document["flows"]] == [600, 3600]


def test_a_run_at_work_is_named_and_switching_off_does_not_stop_it(demo: Demo) -> None:
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


def test_a_run_that_was_killed_is_not_taken_for_one_at_work(demo: Demo) -> None:
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
def test_the_tables_fit_the_terminal(demo: Demo, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    demo.run("products", "export")
    demo.run("flows", "disable", "product", "--reason", "stock-taking until Monday, and nobody knows longer")
    for command in (["status"], ["flows", "list"]):
        table = [line for line in demo.run(*command).out.splitlines() if line[:1] in "╭│├╰"]
        assert max(map(len, table)) <= int(columns)


# --- the page ----------------------------------------------------------------------------------------------


def test_the_commands_of_the_page_do_what_it_says(demo: Demo) -> None:
    page = (ROOT / "docs/how-to/switch-a-flow-off.md").read_text(encoding="utf-8")
    shell = "".join(re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    lines = [shlex.split(line, comments=True) for line in shell.splitlines() if line.startswith("brekzsync ")]
    demo.run("products", "export")
    ended = {" ".join(words[1:3]): demo.run(*words[1:]).code for words in lines}
    assert ended == {"flows disable": 0, "flows enable": 0, "flows list": 0, "status": 0}
