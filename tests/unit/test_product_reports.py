"""How a run is shown: the table on narrow and wide terminals, the JSON document, cron's lines."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from brekzsync.commands.invocation import Invocation
from brekzsync.commands.product_reports import TargetReport, document, show
from brekzsync.console import Console
from brekzsync.domain.outcomes import SAMPLE, FailedRecord, Tally
from brekzsync.flows.frame import OpenRun
from brekzsync.flows.products.run import ExportOutcome, ExportRequest

MESSAGE = "The price excl. tax is 0: set a price above zero in the data shop."


def tally(*, failed: int = 0, **counts: int) -> Tally:
    made = Tally(**counts)
    for number in range(1, failed + 1):
        made.fail(FailedRecord((number, 0), "missing_price", MESSAGE, repeated=False))
    return made


def report(
    of: Tally, target: str = "exact", *, baselined: int = 0, lines: list[str] | None = None
) -> TargetReport:
    run = OpenRun(1, f"20261121T120000Z-{target}")
    return TargetReport(target, Path("/shop/outbox"), ExportOutcome(run, of, baselined, 3), lines or [])


def said(of: TargetReport, *, width: int = 140, **request: Any) -> tuple[str, str]:
    """What is shown on stdout and on stderr."""
    invocation = Invocation()
    out, err = StringIO(), StringIO()
    invocation.console = Console(stdout=out, stderr=err, color=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        show(invocation, of, ExportRequest(**request))
    return out.getvalue(), err.getvalue()


def cells(table: str) -> list[list[str]]:
    """The rows of the tables, box drawing taken off."""
    lines = [line for line in table.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


BUSY = tally(failed=2, read=9, skipped=3, eligible=6, unchanged=1, pending=5, delivered=2, left=1)
BUSY.reasons.update({"not_excluded": 2, "active_in_data_shop": 1, "deleted": 4, "queued": 1})
BUSY.reasons["became_active_in_data_shop"] = 1
BUSY.warnings["description_cut"] = 1

ROWS = [
    ["Combinations", "Count"],
    ["Read", "9"],
    ["Skipped", "3"],
    ["excluded by a person or the shop's column", "2"],
    ["not active in the data shop", "1"],
    ["Eligible", "6"],
    ["unchanged", "1"],
    ["pending", "5"],
    ["exported", "2"],
    ["failed", "2"],
    ["missing price", "2"],
    ["left for the next run", "1"],
    ["Deleted in the shop since exported", "4"],
    ["No longer active since exported", "1"],
    ["Warning: description cut at 60 characters", "1"],
    ["Key", "Reason", "What to do"],
]


def test_every_count_stands_under_the_one_it_belongs_to() -> None:
    out, err = said(report(BUSY))
    assert cells(out) == [*ROWS, ["1-0", "missing_price", MESSAGE], ["2-0", "missing_price", MESSAGE]]
    assert [line for line in out.splitlines() if line[:1].isalpha()] == ["Products → exact", "Failed"]
    assert err == (
        "Documents: /shop/outbox (3 unread, listed in index.xml)\n"
        "Next: mend what failed, then: brekzsync products export 1-0\n"
    )


@pytest.mark.parametrize("width", [80, 140])
def test_the_table_keeps_within_the_terminal_and_loses_no_word(width: int) -> None:
    out, _ = said(report(BUSY), width=width)
    assert max(map(len, out.splitlines())) <= width
    rows = cells(out)
    assert rows[: len(ROWS)] == ROWS
    folded = " ".join(row[2] for row in rows[len(ROWS) :])
    assert folded.split() == f"{MESSAGE} {MESSAGE}".split()


def test_numbers_stand_under_each_other_and_details_are_indented() -> None:
    lines = said(report(BUSY))[0].splitlines()
    read, skipped = (next(line for line in lines if word in line) for word in ("Read", "excluded by"))
    assert read.index("9") == skipped.rindex("2")
    assert skipped.startswith("│   excluded by")


@pytest.mark.parametrize(
    ("of", "request_", "lines"),
    [
        (
            tally(read=1, eligible=1, unchanged=1),
            {},
            [
                "Documents: /shop/outbox (3 unread, listed in index.xml)",
                "Nothing to do: the ERP has everything.",
            ],
        ),
        (
            tally(read=1, eligible=1, pending=1, delivered=1),
            {},
            [
                "Documents: /shop/outbox (3 unread, listed in index.xml)",
                "Next: let Exact import them; brekzsync products export --dry-run shows what is left.",
            ],
        ),
        (
            tally(read=1, eligible=1, pending=1, delivered=1),
            {"dry_run": True},
            ["Next: the same command without --dry-run writes the documents."],
        ),
        (
            tally(read=1, eligible=1, unchanged=1),
            {"dry_run": True},
            ["Nothing to do: the ERP has everything."],
        ),
    ],
)
def test_it_ends_with_where_the_files_are_and_what_to_type_next(
    of: Tally, request_: dict[str, Any], lines: list[str]
) -> None:
    assert said(report(of), **request_)[1].splitlines() == lines


def test_what_a_limit_left_is_one_command_away() -> None:
    left = tally(read=2, eligible=2, pending=2, delivered=1, left=1)
    left.reasons["queued"] = 1
    assert said(report(left), limit=1)[1].splitlines()[-1] == (
        "Next: brekzsync products export, for what --limit left."
    )


def test_what_is_in_flight_is_not_for_a_person_to_do() -> None:
    waiting = tally(read=2, eligible=2, pending=2, left=2)
    waiting.reasons["in_flight"] = 2
    assert "--limit" not in said(report(waiting))[1]


def test_the_command_to_type_next_names_the_configuration_it_was_given() -> None:
    invocation = Invocation(config=Path("my shop.toml"))
    err = StringIO()
    invocation.console = Console(stdout=StringIO(), stderr=err, color=False)
    show(invocation, report(tally(failed=1, read=1, eligible=1, pending=1)), ExportRequest())
    assert err.getvalue().endswith("then: brekzsync --config 'my shop.toml' products export 1-0\n")


@pytest.mark.parametrize(
    ("request_", "of", "title", "row"),
    [
        (
            {"dry_run": True},
            tally(delivered=1),
            "Products → exact (dry run: nothing written)",
            "would be exported",
        ),
        ({"baseline": True}, tally(), "Baseline of products → exact", "taken as exported"),
        (
            {"baseline": True, "dry_run": True},
            tally(),
            "Baseline of products → exact (dry run: nothing written)",
            "taken as exported",
        ),
    ],
)
def test_a_dry_run_and_a_baseline_say_what_they_are(
    request_: dict[str, Any], of: Tally, title: str, row: str
) -> None:
    out, _ = said(report(of), **request_)
    assert " ".join(out.partition("╭")[0].split()) == title
    assert row in [cells[0] for cells in cells(out)]


def test_of_many_failures_the_first_are_listed_and_all_are_counted() -> None:
    many = SAMPLE + 3
    out, _ = said(report(tally(failed=many, read=many, eligible=many, pending=many)))
    assert f"Failed (the first {SAMPLE} of {many})" in out
    assert len([row for row in cells(out) if row[1] == "missing_price"]) == SAMPLE


def test_a_reason_without_words_of_its_own_is_shown_as_words() -> None:
    of = tally(read=1, skipped=0)
    of.reasons["some_new_reason"] = 1
    assert ["some new reason", "1"] in cells(said(report(of))[0])


# --- JSON --------------------------------------------------------------------------------------------------


def error_of(failed: int, pending: int, combinations: str) -> dict[str, str]:
    return {
        "code": "records_failed",
        "message": f"{failed} of {pending} pending {combinations} failed.",
        "hint": "Each failure names the field to fill in; the next run takes them along.",
    }


def test_a_run_without_failures_is_this_document() -> None:
    of = tally(read=3, eligible=2, skipped=1, pending=1, delivered=1, unchanged=1)
    of.reasons["not_excluded"] = 1
    of.warnings["unmapped_tax_rate"] = 1
    assert document([report(of)], ExportRequest(dry_run=True)) == {
        "run_id": "20261121T120000Z-exact",
        "target": "exact",
        "dry_run": True,
        "counts": {
            "read": 3,
            "eligible": 2,
            "pending": 1,
            "delivered": 1,
            "unchanged": 1,
            "skipped": 1,
            "failed": 0,
        },
        "reasons": {"not_excluded": 1, "unmapped_tax_rate": 1},
        "warnings": {"unmapped_tax_rate": 1},
        "output": "/shop/outbox",
        "indexed": 3,
        "failures": [],
    }


@pytest.mark.parametrize(("pending", "combinations"), [(1, "combination"), (5, "combinations")])
def test_failed_records_are_an_error_with_a_remedy(pending: int, combinations: str) -> None:
    made = document([report(tally(failed=1, pending=pending))], ExportRequest())
    assert made["error"] == error_of(1, pending, combinations)
    assert made["failures"] == [{"key": "1-0", "reason": "missing_price", "message": MESSAGE}]


def test_a_baseline_counts_what_it_took_as_exported() -> None:
    assert document([report(tally(), baselined=4)], ExportRequest(baseline=True))["baselined"] == 4


@pytest.mark.parametrize("first_fails", [True, False])
def test_several_targets_are_summed_and_each_is_given(first_fails: bool) -> None:
    failing = report(
        tally(failed=2, read=9, eligible=9, pending=5, delivered=3, unchanged=4), "failing", baselined=1
    )
    healthy = report(tally(read=9, eligible=9, pending=1, delivered=1, unchanged=8), "healthy", baselined=2)
    reports = [failing, healthy] if first_fails else [healthy, failing]
    request = ExportRequest(baseline=True)
    made = document(reports, request)
    assert made == {
        "run_id": None,
        "target": None,
        "dry_run": False,
        "counts": {
            "read": 18,
            "eligible": 18,
            "pending": 6,
            "delivered": 4,
            "unchanged": 12,
            "skipped": 0,
            "failed": 2,
        },
        "reasons": {"missing_price": 2},
        "warnings": {},
        "output": None,
        "indexed": None,
        "failures": [
            {"key": f"{number}-0", "reason": "missing_price", "message": MESSAGE} for number in (1, 2)
        ],
        "baselined": 3,
        "error": error_of(2, 6, "combinations"),
        "targets": [document([one], request) for one in reports],
    }


# --- silence -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "printed"),
    [
        ({"is_cron": True}, "newly failed\n"),
        ({"is_cron": True, "is_json": True}, ""),
        ({"is_json": True}, ""),
    ],
)
def test_cron_and_json_show_no_table(options: dict[str, bool], printed: str) -> None:
    invocation = Invocation(**options)
    out, err = StringIO(), StringIO()
    invocation.console = Console(stdout=out, stderr=err, **options)
    show(invocation, report(BUSY, lines=["newly failed"]), ExportRequest())
    assert (out.getvalue(), err.getvalue()) == (printed, "")
