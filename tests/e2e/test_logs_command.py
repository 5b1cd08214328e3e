"""``logs`` as people, programs and cron meet it."""

from __future__ import annotations

import csv
import io
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.measure import run
from brekzsync.bootstrap import products
from brekzsync.cli import main
from brekzsync.commands import logs as commands
from brekzsync.commands.log_files import COLUMNS
from brekzsync.demo.folder import make_demo
from brekzsync.domain.ledger import Acknowledgement, Serving
from brekzsync.domain.log_records import LogStatus
from brekzsync.domain.sync_flows import LogType
from brekzsync.state.served import Outcome
from tests.demos import PROGRAM, Demos, FreshDemo, signals_kept
from tests.exports import NOW, Said

ROOT = Path(__file__).resolve().parents[2]
NOON = "2026-11-21T12:00:00Z"
FAILED = ["12-0", "13-1301", "15-0", "34-0", "35-3501", "36-0"]
NO_PRICE = (
    "The price excl. tax is 0: set a price above zero in the data shop"
    " (or products.allow_zero_price for free items)."
)


class Demo(FreshDemo):
    """A demo after its first export."""

    def logs(self, *arguments: str) -> Said:
        return self.run("logs", *arguments)

    def keys(self, *arguments: str) -> list[str]:
        """The keys of the records in the document of a command."""
        return [record["key"] for record in self.logs(*arguments, "--json").document["records"]]

    def reject(self, key: tuple[int, int] = (1, 101)) -> None:
        """Exact was handed another version of it, and refused."""
        with self.state() as state:
            served = state.ledger("product", "exact").served
            version = Serving(*key, b"another version".ljust(16), 0, None, "A", None)
            served.serve([version], run_id=None, at=self.now, lease_until=self.now + timedelta(minutes=30))
            served.settle([Outcome(*key, None, imported=False, message="Unknown VAT code")], at=self.now)


@pytest.fixture(scope="module")
def exported(untouched_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo after its first export, to copy."""
    folder = tmp_path_factory.mktemp("exported") / "demo"
    shutil.copytree(untouched_demo, folder)
    with pytest.MonkeyPatch.context() as patch, signals_kept():
        patch.setattr(products, "utc_now", lambda: NOW)
        assert main(["--config", str(folder / "brekzsync.toml"), "products", "export", "-q"]) == 3
    return folder


@pytest.fixture
def demo(demos: Demos, exported: Path) -> Demo:
    return demos.fresh(Demo, columns=80, copy_of=exported)


def test_the_choices_are_the_types_and_statuses_there_are() -> None:
    assert list(commands.TYPES) == list(LogType)
    assert list(commands.STATUSES) == list(LogStatus)


@pytest.mark.parametrize("command", ["", "list", "show", "retry", "export", "prune"])
def test_help_ends_with_an_example_that_works(demo: Demo, command: str) -> None:
    helped = demo.logs(*command.split(), "--help")
    assert (helped.code, helped.err) == (0, "")
    example = helped.out.rstrip().splitlines()[-1].strip()
    assert example.startswith(f"Example: brekzsync logs {command}".rstrip())
    assert demo.run(*example.removeprefix("Example: brekzsync ").split()).code == 0


# --- list -----------------------------------------------------------------------------------------------


def test_a_record_of_the_list_has_the_keys_of_the_contract_in_their_order(demo: Demo) -> None:
    listed = demo.logs("list", "--search", "12-0", "--json").document
    assert listed == {
        "schema_version": 1,
        "command": "logs list",
        "ok": True,
        "records": [
            {
                "type": "product",
                "info": "12-0",
                "key": "12-0",
                "status": "failed",
                "reason": "missing_price",
                "message": NO_PRICE,
                "attempts": 1,
                "created_at": NOON,
                "synced_at": None,
                "updated_at": NOON,
                "next_attempt_at": None,
                "target": "exact",
                "flow": "product",
            }
        ],
        "next": None,
    }
    assert tuple(listed["records"][0]) == COLUMNS
    (record,) = demo.logs("list", "--search", "LL-NW-RD-M", "--json").document["records"]
    assert (record["key"], record["info"]) == ("1-101", "LL-NW-RD-M: Looplijn Noordwind Rood M")
    assert (record["status"], record["reason"], record["synced_at"]) == ("synced", None, NOON)


def test_a_person_is_shown_a_table_that_fits_and_how_to_go_on(demo: Demo) -> None:
    said = demo.logs("list", "--limit", "2", "--type", "product", "--since", "120m")
    assert said.code == 0
    assert max(map(len, said.out.splitlines())) <= 80
    assert said.rows == [
        ["Key", "Info", "Status", "Updated (UTC)"],
        ["1-101", "LL-NW-RD-M: Looplijn Noordwind Rood M", "synced", "2026-11-21 12:00"],
        ["1-102", "LL-NW-RD-L: Looplijn Noordwind Rood L", "synced", "2026-11-21 12:00"],
    ]
    prefix = f"More: {PROGRAM} "
    assert said.err.startswith(f"{prefix}logs list --type product --since 2h --limit 2 --after ")
    more = demo.run(*shlex.split(said.err.removeprefix(prefix)))
    assert [row[0] for row in more.rows] == ["Key", "1-103", "1-104"]


def test_a_wide_terminal_shows_the_messages_as_well(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    said = demo.logs("list", "--status", "failed", "--limit", "1")
    assert said.rows == [
        ["Key", "Info", "Status", "Created (UTC)", "Synced (UTC)", "Updated (UTC)", "Message"],
        ["12-0", "", "failed: missing_price", "2026-11-21 12:00", "", "2026-11-21 12:00", said.rows[1][-1]],
        ["", "", "", "", "", "", said.rows[2][-1]],
    ]
    assert f"{said.rows[1][-1]} {said.rows[2][-1]}" == NO_PRICE
    assert said.err.splitlines()[-1] == f"All about one: {PROGRAM} logs show 12-0"


def test_pages_go_on_from_the_cursor_until_there_is_none(demo: Demo) -> None:
    whole = demo.keys("list")
    assert len(whole) == 37
    keys: list[str] = []
    after: list[str] | None = []
    while after is not None:
        page = demo.logs("list", "--json", "--limit", "10", *after).document
        keys += [record["key"] for record in page["records"]]
        after = ["--after", page["next"]] if page["next"] else None
    assert keys == whole


def test_a_page_behind_the_last_record_does_not_say_that_there_is_none(demo: Demo) -> None:
    assert demo.logs("list", "--after", "1.1.1.1").err == "Nothing in the logs fits that.\n"


def test_filters_narrow_and_what_fits_nothing_says_so(demo: Demo) -> None:
    assert demo.keys("list", "--status", "failed") == FAILED
    assert demo.keys("list", "--search", "GÜLTIG") == []
    assert demo.keys("list", "--search", "2900000100015") == ["1-101"]
    assert demo.logs("list", "--type", "order") == (0, "", "Nothing in the logs fits that.\n")
    demo.now = NOW + timedelta(hours=3)
    assert demo.keys("list", "--since", "2h") == []
    assert len(demo.keys("list", "--since", "3h")) == 37
    assert len(demo.keys("list", "--since", "99999999d")) == 37


def test_the_logs_of_a_new_installation_say_what_will_come_into_them(demo: Demo) -> None:
    make_demo(demo.folder / "demo", NOW)
    assert demo.logs("list") == (
        0,
        "",
        "The logs are empty: a record comes into them when it is first sent or fails.\n",
    )


def test_a_missing_state_is_told_and_not_made(demo: Demo) -> None:
    (demo.folder / "demo/state.db").unlink()
    said = demo.logs("list", "--json")
    assert (said.code, said.document["error"]["code"]) == (78, "state_missing")
    assert not (demo.folder / "demo/state.db").exists()


def test_reading_the_logs_leaves_the_state_as_it_was(demo: Demo) -> None:
    before = (demo.folder / "demo/state.db").read_bytes()
    for command in ("list", "show 1-101", "retry --dry-run", "prune --dry-run", "export"):
        assert demo.logs(*command.split()).code == 0
    assert (demo.folder / "demo/state.db").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["list", "--since", "yesterday"], 2, "usage"),
        (["list", "--status", "queued"], 2, "usage"),
        (["list", "--after", "42"], 2, "malformed_cursor"),
        (["list", "--limit", "0"], 2, "usage"),
        (["list", "--target", "nowhere"], 78, "unknown_target"),
        (["show", "everything"], 2, "malformed_id"),
        (["show", "99-1"], 2, "unknown_id"),
        (["retry", "1-101", "99-1"], 2, "unknown_id"),
        (["export", "--format", "csv"], 2, "usage"),
        (["export", "--output", "nowhere/logs.csv"], 1, "output_unusable"),
        (["prune", "--older-than", "long"], 2, "usage"),
    ],
)
def test_mistakes_are_told_in_a_word(demo: Demo, arguments: list[str], code: int, error: str) -> None:
    said = demo.logs(*arguments, "--json")
    assert (said.code, said.document["ok"], said.document["error"]["code"]) == (code, False, error)


# --- what pending waits for --------------------------------------------------------------------------------


def test_what_is_pending_in_a_flow_that_is_switched_off_says_so(demo: Demo) -> None:
    with demo.state() as state:
        state.ledger("product", "exact").request_force([(1, 101)], at=NOW)
        state.ledger("product", "gone").record_pending([(1, 1)], at=NOW)

    def reasons() -> list[tuple[str, str]]:
        records = demo.logs("list", "--status", "pending", "--json").document["records"]
        return [(record["target"], record["reason"]) for record in records]

    assert reasons() == [("exact", "queued"), ("gone", "not_configured")]
    with demo.state() as state:
        state.switches.set("product", ["exact"], enabled=False, at=NOW)
    assert reasons() == [("exact", "flow_disabled"), ("gone", "not_configured")]
    assert demo.keys("list", "--target", "gone") == ["1-1"]


# --- show ---------------------------------------------------------------------------------------------------


def test_show_tells_everything_about_a_record(demo: Demo) -> None:
    demo.reject()
    (record,) = demo.logs("show", "1-101", "--json").document["records"]
    assert (record["status"], record["reason"], record["message"]) == (
        "failed",
        "rejected",
        "Unknown VAT code",
    )
    assert record["next_attempt_at"] == "2026-11-21T12:01:00Z"
    assert record["acknowledged"] == {
        "code": "LL-NW-RD-M",
        "description": "Looplijn Noordwind Rood M",
        "translations": ["Looplijn Noordwind Rood M"],
        "price": "16.4876",
        "vat_code": "2",
        "tax_rate": "21",
        "weight": "0.18",
        "image": "12.jpg",
        "brand": "Noorderstaart",
        "category_code": "10",
        "category": "Honden",
        "gtin": "2900000100015",
    }
    assert record["failed_attempts"] == [
        {"at": NOON, "run": None, "reason": "rejected", "message": "Unknown VAT code"}
    ]
    assert record["handed_out"] == [
        {
            "version": b"another version".ljust(16).hex() + ".0",
            "run": None,
            "served_at": NOON,
            "offered_again_at": "2026-11-21T12:01:00Z",
            "rejected_at": NOON,
        }
    ]
    assert (record["force_pending"], record["run"][:16]) == (False, "20261121T120000Z")


def test_show_is_a_card_that_fits(demo: Demo) -> None:
    said = demo.logs("show", "12-0")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert {len(line) for line in lines} == {80}
    assert lines[0].startswith("╭─  12-0 → exact  failed: missing_price  ─")
    assert [line.strip("│").rstrip() for line in lines[1:-1]] == [
        " The price excl. tax is 0: set a price above zero in the data shop (or",
        " products.allow_zero_price for free items).",
        "",
        " Record",
        "   Type     product",
        "   Created  2026-11-21 12:00 UTC",
        "   Updated  2026-11-21 12:00 UTC",
        "   Attempts 1 failed",
        "",
        " Failed attempts",
        " ✗ 2026-11-21 12:00 missing_price: The price excl. tax is 0: set a price",
        "                    above zero in the data shop (or products.allow_zero_price",
        "                    for free items).",
    ]


def test_show_takes_a_product_and_names_what_is_near(demo: Demo) -> None:
    assert demo.keys("show", "1") == ["1-101", "1-102", "1-103", "1-104"]
    said = demo.logs("show", "1-999")
    assert said == (
        2,
        "",
        "Error: The logs hold nothing under 1-999; there is nothing to show.\n"
        "Hint: Near it: 1-101, 1-102, 1-103, 1-104."
        " `brekzsync products diagnose 1-999` tells why it was never sent.\n",
    )


# --- retry --------------------------------------------------------------------------------------------------


def test_retry_ends_the_waiting_and_names_what_must_be_mended(demo: Demo) -> None:
    demo.reject()
    planned = demo.logs("retry", "1-101", "12-0", "1-102", "--dry-run")
    assert planned.err == (
        "Would let the next run try this again: 1-101.\n"
        "1-102: nothing to retry, it is synced.\n"
        f"Next: {PROGRAM} products export\n"
    )
    assert planned.rows[1][:2] == ["12-0", "missing_price"]
    done = demo.logs("retry", "--json").document
    assert done["retried"] == [{"key": "1-101", "target": "exact", "flow": "product"}]
    assert (done["dry_run"], done["to_mend_count"], done["others"]) == (False, 6, [])
    assert [record["key"] for record in done["to_mend"]] == FAILED
    assert done["to_mend"][0] == {
        "key": "12-0",
        "target": "exact",
        "flow": "product",
        "status": "failed",
        "reason": "missing_price",
        "message": NO_PRICE,
    }
    again = demo.logs("retry", "1-101")
    assert again.err == "Nothing waits for its next attempt.\n1-101: nothing to retry, it is pending.\n"


# --- export -------------------------------------------------------------------------------------------------


def test_with_several_targets_every_line_names_its_own(demo: Demo) -> None:
    demo.configure('[targets.first]\nproducts = { output = "first" }\n[targets.second]\n')
    demo.run("products", "export", "7", "12")
    said = demo.logs("retry", "7", "12")
    assert said.err.splitlines()[1:] == [
        "7-0 → exact: nothing to retry, it is synced.",
        "7-0 → first: nothing to retry, it is synced.",
        "7-0 → second: nothing to retry, it is synced.",
    ]
    assert ("12-0 → first" in said.out, "12-0 → second" in said.out) == (True, True)
    # a page of one target may be followed by one of another
    assert "Target" in demo.logs("list", "--limit", "1").out
    assert "Target" not in demo.logs("list", "--target", "first").out


def test_csv_holds_every_record_in_key_order(demo: Demo) -> None:
    said = demo.logs("export")
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert (said.code, said.err, tuple(rows[0])) == (0, "", COLUMNS)
    listed = demo.logs("list", "--json").document["records"]
    as_text = [{name: "" if value is None else str(value) for name, value in one.items()} for one in listed]
    assert sorted(rows, key=str) == sorted(as_text, key=str)
    keys = [tuple(map(int, row["key"].split("-"))) for row in rows]
    assert keys == sorted(keys)


def test_csv_takes_the_same_filters(demo: Demo) -> None:
    rows = list(csv.DictReader(io.StringIO(demo.logs("export", "--status", "failed").out)))
    assert [row["key"] for row in rows] == FAILED


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", '=HYPERLINK("http://x")', "a\x1b[31m"]
)
def test_csv_neither_runs_a_formula_nor_steers_a_terminal(demo: Demo, text: str) -> None:
    with demo.state() as state:
        row = Acknowledgement(90, 1, b"1" * 16, 0, None, None, f"{text}\x1f", None, 0, known=False)
        state.ledger("product", "exact").acknowledge([row], run_id=1, at=NOW)
    (row_,) = csv.DictReader(io.StringIO(demo.logs("export", "--search", "90-1").out))
    expected = "a\\x1b[31m" if text.startswith("a") else f"'{text}"
    assert row_["info"] == expected


def test_json_is_the_same_document_with_and_without_json(demo: Demo) -> None:
    document = demo.logs("export", "--json").document
    assert demo.logs("export", "--format", "json").document == document
    listed = demo.logs("list", "--json").document["records"]
    assert sorted(document.pop("records"), key=str) == sorted(listed, key=str)
    assert document == {"schema_version": 1, "command": "logs export", "ok": True}


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_file_says_the_same_as_stdout(demo: Demo, form: str) -> None:
    printed = demo.logs("export", "--format", form).out
    assert demo.logs("export", "--format", form, "--output", "logs.txt") == (
        0,
        "",
        "Wrote 37 records to logs.txt.\n",
    )
    assert (demo.folder / "logs.txt").read_text(encoding="utf-8") == printed
    said = demo.logs("export", "--format", form, "--output", "logs.txt", "--json", "--status", "failed")
    assert said.document == {
        "schema_version": 1,
        "command": "logs export",
        "ok": True,
        "output": "logs.txt",
        "format": form,
        "exported": 6,
    }
    assert sorted(path.name for path in demo.folder.iterdir()) == ["demo", "logs.txt"]


def test_an_export_that_breaks_off_leaves_the_file_that_was_there(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    (demo.folder / "logs.csv").write_text("yesterday's")
    with closing(sqlite3.connect(demo.folder / "demo/state.db")) as state:
        state.execute("UPDATE ledger SET status = 'spoilt' WHERE key_major = 30")
        state.commit()
    assert demo.logs("export", "--output", "logs.csv").code == 1
    assert (demo.folder / "logs.csv").read_text() == "yesterday's"
    assert sorted(path.name for path in demo.folder.iterdir()) == ["demo", "logs.csv"]


def test_a_pipe_is_written_to_and_not_replaced(demo: Demo) -> None:
    pipe = demo.folder / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        assert demo.logs("export", "--output", str(pipe)).code == 0
        assert reader.stdout is not None
        assert reader.stdout.read().decode() == demo.logs("export").out
    assert pipe.is_fifo()
    assert demo.logs("export", "--output", "-").out == demo.logs("export").out


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process takes")
@pytest.mark.parametrize("form", ["csv", "json"])
def test_memory_does_not_grow_with_the_export(demo: Demo, form: str) -> None:
    document = "\x1f".join(["CODE", "Kattenmand met een kussen van zuivere wol", *["x" * 12] * 12])
    peaks = []
    for first, last in ((0, 24_000), (24_000, 200_000)):
        rows = [
            Acknowledgement(1_000 + n, 0, n.to_bytes(16), 0, None, f"{n}", document, None, 0, known=False)
            for n in range(first, last)
        ]
        with demo.state() as state:
            state.ledger("product", "exact").acknowledge(rows, run_id=1, at=NOW)
        words = [
            "--config",
            "demo/brekzsync.toml",
            "logs",
            "export",
            "--format",
            form,
            "--output",
            "logs.txt",
        ]
        measured = run(
            [sys.executable, "-m", "brekzsync", *words],
            folder=demo.folder,
            environ=os.environ | {"PYTHONPATH": str(ROOT / "src")},
            watch=True,
        )
        assert measured.memory is not None
        peaks.append(measured.memory.pss)
        assert (demo.folder / "logs.txt").read_text().count(": Kattenmand met") == last
    few, many = peaks
    assert many <= 1.2 * few, f"{few / 2**20:.1f} MiB for 24,000, {many / 2**20:.1f} MiB for 200,000"


# --- prune --------------------------------------------------------------------------------------------------


def test_prune_forgets_what_is_older_than_it_is_told_and_never_what_exact_has(demo: Demo) -> None:
    demo.run("products", "export", "-q")  # the first run is no longer the newest
    demo.now = NOW + timedelta(days=91)
    with demo.state() as state:
        ledger = state.ledger("product", "exact")
        ledger.acknowledge(
            [Acknowledgement(12, 0, b"1" * 16, 0, None, "A", "A", None, 0, known=True)], run_id=1, at=demo.now
        )
        acknowledged = ledger.count()
    planned = demo.logs("prune", "--dry-run")
    assert planned.err == "Would forget 1 attempt older than 90d.\n"
    assert demo.logs("prune", "--older-than", "92d").err == "Nothing older than 92d is there to forget.\n"
    assert demo.logs("prune", "--json").document == {
        "schema_version": 1,
        "command": "logs prune",
        "ok": True,
        "dry_run": False,
        "older_than": "90d",
        "pruned": {"attempts": 1, "rejected_versions": 0, "deleted_records": 0, "runs": 0, "webhooks": 0},
    }
    assert demo.logs("prune") == (0, "", "Nothing older than 90d is there to forget.\n")
    with demo.state() as state:
        assert state.ledger("product", "exact").count() == acknowledged


def test_the_configuration_says_how_long_logs_are_kept(demo: Demo) -> None:
    demo.configure('\n[log]\nkeep = "2w"\n')
    assert demo.logs("prune", "--json").document["older_than"] == "14d"


def test_cron_hears_nothing_of_pruning(demo: Demo) -> None:
    assert demo.run("--cron", "logs", "prune") == (0, "", "")
