"""``products export`` as people, programs and cron meet it: tables, documents, silence, exit codes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from unittest.mock import ANY

import pytest

from brekzsync.bootstrap import products as bootstrap
from tests.demos import TWO_TARGETS, Demos, FreshDemo
from tests.exports import Said

ROOT = Path(__file__).resolve().parents[2]


SILENCE = ("", "")


class Demo(FreshDemo):
    """A demo and its exports."""

    def export(self, *arguments: str) -> Said:
        return self.run("products", "export", *arguments)

    def cron(self, *arguments: str) -> Said:
        return self.export("--cron", *arguments)


@pytest.fixture
def demo(demos: Demos) -> Demo:
    return demos.fresh(Demo, columns=140)


def counts(*numbers: int) -> dict[str, int]:
    names = ("read", "eligible", "pending", "delivered", "unchanged", "skipped", "failed")
    return dict(zip(names, numbers, strict=True))


# --- help --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "example"),
    [
        (["products"], "Example: brekzsync products export --dry-run"),
        (["products", "export"], "Example: brekzsync products export --limit 100 --dry-run"),
    ],
)
def test_help_ends_with_an_example_that_works(demo: Demo, command: list[str], example: str) -> None:
    helped = demo.run(*command, "--help")
    assert (helped.code, helped.err) == (0, "")
    assert helped.out.rstrip().splitlines()[-1].strip() == example
    assert demo.run(*example.removeprefix("Example: brekzsync ").split()).code == 3


def test_the_help_names_every_option_of_the_contract(demo: Demo) -> None:
    told = demo.export("--help").out
    options = [
        "--by",
        "--output",
        "--limit",
        "--full",
        "--bulk",
        "--baseline",
        "--dry-run",
        "--json",
        "--cron",
        "--config",
        "--target",
    ]
    assert [option for option in options if option not in told] == []


# --- a person at a terminal --------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", ["80", "140"])
def test_a_person_is_shown_a_table_where_the_files_are_and_what_to_type_next(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    said = demo.export("1", "12")
    lines = said.out.splitlines()
    assert said.code == 3
    assert max(map(len, lines)) <= int(columns)
    rows = said.rows
    assert rows[:9] == [
        ["Combinations", "Count"],
        ["Read", "5"],
        ["Skipped", "0"],
        ["Eligible", "5"],
        ["unchanged", "0"],
        ["pending", "5"],
        ["exported", "4"],
        ["failed", "1"],
        ["missing price", "1"],
    ]
    assert rows[9] == ["Key", "Reason", "What to do"]
    assert rows[10][:2] == ["12-0", "missing_price"]
    assert said.err == (
        "Documents: demo/outbox (4 unread, listed in index.xml)\n"
        "Next: mend what failed, then: brekzsync --config demo/brekzsync.toml products export 12-0\n"
    )
    assert demo.run(*said.err.rpartition("demo/brekzsync.toml ")[2].split()).code == 3


def test_a_second_run_has_nothing_to_do(demo: Demo) -> None:
    assert demo.export("1").code == 0
    again = demo.export("1")
    assert (again.code, again.err.splitlines()[-1]) == (0, "Nothing to do: the ERP has everything.")


def test_a_limit_is_finished_by_the_command_it_names(demo: Demo) -> None:
    first = demo.export("1", "--limit", "3")
    assert first.err.endswith("products export, for what --limit left.\n")
    assert demo.export("1", "--json").document["counts"] == counts(4, 4, 1, 1, 3, 0, 0)


# --- a program ---------------------------------------------------------------------------------------------


def test_a_run_that_went_well_is_this_document(demo: Demo) -> None:
    said = demo.export("1", "2", "33", "--json")
    run_id = said.document["run_id"]
    assert said.code == 0
    assert run_id.startswith("20261121T120000Z-")
    assert said.document == {
        "schema_version": 1,
        "command": "products export",
        "ok": True,
        "run_id": run_id,
        "target": "exact",
        "dry_run": False,
        "counts": counts(8, 6, 6, 6, 0, 2, 0),
        "reasons": {"not_excluded": 2, "description_cut": 1},
        "warnings": {"description_cut": 1},
        "output": str(demo.outbox),
        "indexed": 6,
        "failures": [],
    }


def test_records_that_failed_are_exit_code_3_and_an_error(demo: Demo) -> None:
    said = demo.export("7", "12", "--json")
    failure = {
        "key": "12-0",
        "reason": "missing_price",
        "message": "The price excl. tax is 0: set a price above zero in the data shop"
        " (or products.allow_zero_price for free items).",
    }
    assert said.code == 3
    assert said.document == {
        "schema_version": 1,
        "command": "products export",
        "ok": False,
        "run_id": ANY,
        "target": "exact",
        "dry_run": False,
        "counts": counts(2, 2, 2, 1, 0, 0, 1),
        "reasons": {"missing_price": 1},
        "warnings": {},
        "output": str(demo.outbox),
        "indexed": 1,
        "failures": [failure],
        "error": {
            "code": "records_failed",
            "message": "1 of 2 pending combinations failed.",
            "hint": "Each failure names the field to fill in; the next run takes them along.",
        },
    }


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["999"], 2, "unknown_id"),
        (["1-999"], 2, "unknown_id"),
        (["x"], 2, "malformed_id"),
        (["--limit", "-1"], 2, "usage"),
        (["--nonsense"], 2, "usage"),
        (["--by", "reference"], 2, "usage"),
        (["--baseline", "--bulk"], 2, "usage"),
        (["--target", "nowhere"], 78, None),
    ],
)
def test_what_cannot_be_done_is_an_error_document(
    demo: Demo, arguments: list[str], code: int, error: str | None
) -> None:
    said = demo.export(*arguments, "--json")
    document = said.document
    problem = document.pop("error")
    assert (said.code, document) == (code, {"schema_version": 1, "command": "products export", "ok": False})
    assert list(problem) == ["code", "message", "hint"]
    assert all(problem.values())
    assert error in (None, problem["code"])
    assert not demo.outbox.exists()


def test_a_lock_that_is_held_is_exit_code_75(demo: Demo) -> None:
    with demo.state() as state, state.locks.hold("product", "exact"):
        said = demo.export("--json")
        mailed = demo.cron()
    assert (said.code, said.document["error"]["code"]) == (75, "lock_held")
    assert mailed == (75, *SILENCE)


@pytest.mark.parametrize(
    "options", [[], ["--bulk"], ["--full"], ["--baseline"], ["--limit", "5"], ["1", "12"]]
)
def test_a_dry_run_counts_the_same_and_writes_nothing(demo: Demo, options: list[str]) -> None:
    before = demo.files()
    preview = demo.export("--dry-run", "--json", *options)
    assert demo.files() == before
    done = demo.export("--json", *options)
    same = ("counts", "reasons", "warnings", "failures", "baselined")
    first, second = preview.document, done.document
    assert (preview.code, {name: first.get(name) for name in same}) == (
        done.code,
        {name: second.get(name) for name in same},
    )
    assert (first["dry_run"], second["dry_run"], first["indexed"]) == (True, False, None)


# --- several targets ---------------------------------------------------------------------------------------


def test_every_target_gets_its_own_and_the_document_their_sum(demo: Demo) -> None:
    demo.configure(TWO_TARGETS)
    demo.export("1", "--target", "first")
    said = demo.export("1", "12", "--json")
    document = said.document
    targets = document.pop("targets")
    assert said.code == 3
    assert [(one["target"], one["output"], one["counts"]) for one in targets] == [
        ("first", str(demo.folder / "demo/first"), counts(5, 5, 1, 0, 4, 0, 1)),
        ("second", str(demo.folder / "demo/second"), counts(5, 5, 5, 4, 0, 0, 1)),
    ]
    assert {name: document[name] for name in ("ok", "target", "output", "counts", "reasons")} == {
        "ok": False,
        "target": None,
        "output": None,
        "counts": counts(10, 10, 6, 4, 4, 0, 2),
        "reasons": {"missing_price": 2},
    }
    assert document["error"]["message"] == "2 of 6 pending combinations failed."


@pytest.mark.parametrize("broken", ["first", "second"])
def test_a_target_that_fails_keeps_no_other_back_and_hides_nothing_of_it(demo: Demo, broken: str) -> None:
    demo.configure(TWO_TARGETS)
    (demo.folder / "demo" / broken).write_text("not a folder")
    healthy = "second" if broken == "first" else "first"

    said = demo.export("1", "12", "--json")
    document = said.document_beside_warnings
    assert (said.code, document["ok"], document["error"]["code"]) == (78, False, "output_unusable")
    assert (document["target"], document["counts"]["delivered"]) == (healthy, 4)
    assert said.err.startswith(f"Warning: {broken}: Cannot write")

    told = demo.export("1", "12")
    assert told.code == 78
    assert f"Products → {healthy}" in told.out
    assert f"Warning: {broken}: Cannot write" in told.err


def test_one_folder_cannot_serve_several_targets(demo: Demo) -> None:
    demo.configure(TWO_TARGETS)
    said = demo.export("--output", "elsewhere", "--json")
    assert (said.code, said.document["error"]["code"]) == (2, "invalid_input")


# --- cron --------------------------------------------------------------------------------------------------


def test_new_failures_are_mailed_once_and_a_newer_one_alone(demo: Demo) -> None:
    first = demo.cron()
    lines = first.out.splitlines()
    assert (first.code, first.err) == (3, "")
    assert lines[0] == "products → exact: 6 newly failed, 6 in all."
    assert [line.split()[0] for line in lines[1:]] == ["12-0", "13-1301", "15-0", "34-0", "35-3501", "36-0"]

    assert demo.cron() == (3, *SILENCE)

    demo.sql("UPDATE ps_product SET reference = '' WHERE id_product = 7")
    newer = demo.cron()
    assert newer.out == (
        "products → exact: 1 newly failed, 7 in all.\n"
        "  7-0  missing_item_code: The item code is empty: fill in reference of the combination or its product.\n"
    )
    assert demo.cron() == (3, *SILENCE)


def test_a_failure_that_changes_its_reason_is_a_new_one(demo: Demo) -> None:
    demo.cron()
    demo.sql("UPDATE ps_product SET reference = '' WHERE id_product = 12")
    assert demo.cron().out.splitlines()[0] == "products → exact: 1 newly failed, 6 in all."


def test_a_failure_that_was_mended_and_comes_back_is_mailed_again(demo: Demo) -> None:
    demo.cron()
    demo.sql("UPDATE ps_product_shop SET price = '1.000000' WHERE id_product = 12")
    assert demo.cron() == (3, *SILENCE)
    demo.sql("UPDATE ps_product_shop SET price = '0.000000' WHERE id_product = 12")
    assert "12-0  missing_price" in demo.cron().out


def test_there_is_one_summary_a_day_after_the_first(demo: Demo) -> None:
    demo.cron()
    demo.now += timedelta(hours=11)
    assert demo.cron() == (3, *SILENCE)
    for _day in range(2):
        demo.now += timedelta(hours=24)
        assert demo.cron() == (
            3,
            "products → exact: 47 read, 37 eligible, 31 unchanged, 0 exported in this run, 6 failing.\n",
            "",
        )
        assert demo.cron() == (3, *SILENCE)


def test_a_dry_run_uses_up_no_summary(demo: Demo) -> None:
    demo.cron()
    demo.now += timedelta(days=1)
    assert "47 read" not in demo.cron("--dry-run").out
    assert "47 read" in demo.cron().out


def test_a_run_that_goes_well_is_silent(demo: Demo) -> None:
    assert demo.cron("1", "7") == (0, *SILENCE)


def test_cron_with_json_is_one_document_and_nothing_else(demo: Demo) -> None:
    assert demo.cron("12", "--json").document["counts"]["failed"] == 1


def test_the_same_error_is_mailed_once_until_it_was_gone(demo: Demo) -> None:
    demo.cron()
    shop = demo.folder / "demo/shop.db"
    away = shop.with_name("away.db")

    def broken() -> Said:
        shop.rename(away)
        try:
            return demo.cron()
        finally:
            away.rename(shop)

    told = broken()
    assert (told.code, told.out) == (78, "")
    assert told.err.startswith("Error: The shop's database does not exist")
    assert "\nHint: " in told.err
    assert broken() == (78, *SILENCE)
    assert broken() == (78, *SILENCE)
    assert demo.cron() == (3, *SILENCE)
    assert broken() == told


def test_another_error_is_mailed(demo: Demo) -> None:
    demo.cron()
    (demo.folder / "demo/outbox/items").rename(demo.folder / "demo/items")
    (demo.folder / "demo/outbox/items").write_text("not a folder")
    assert demo.cron().err.startswith("Error: Cannot write")
    assert demo.cron() == (78, *SILENCE)
    (demo.folder / "demo/shop.db").unlink()
    assert demo.cron().err.startswith("Error: The shop's database does not exist")


def test_an_unexpected_error_is_mailed_once_too(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(bootstrap, "item_mapping", broken)
    assert demo.cron().err.startswith("Error: Unexpected ZeroDivisionError: by zero.")
    assert demo.cron() == (1, *SILENCE)


def test_of_several_targets_each_new_failure_is_mailed_whatever_became_of_the_others(demo: Demo) -> None:
    demo.configure(TWO_TARGETS)
    (demo.folder / "demo/first").write_text("not a folder")

    with demo.state() as state, state.locks.hold("product", "second"):
        told = demo.cron()
    assert (told.code, told.err) == (78, "")
    assert told.out.startswith("products → first: Cannot write")
    assert "second" not in told.out

    records = demo.cron()
    assert (records.code, records.err) == (78, "")
    assert records.out.startswith("products → second: 6 newly failed, 6 in all.\n")
    assert "first" not in records.out
    assert demo.cron() == (78, *SILENCE)


def test_a_first_run_says_that_it_made_a_new_state(demo: Demo) -> None:
    demo.lose_state()
    told = demo.cron("7")
    assert told.code == 0
    assert told.out.startswith("The state database did not exist and was created")
    assert demo.cron("7") == (0, *SILENCE)
