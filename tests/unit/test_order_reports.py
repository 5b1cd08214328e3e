"""How a run of orders or refunds is shown: every count has its row, the JSON document its keys."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from brekzsync.commands.invocation import Invocation
from brekzsync.commands.order_reports import OrderReport, document, show
from brekzsync.console import Console
from brekzsync.domain.outcomes import SAMPLE, FailedRecord, Tally
from brekzsync.flows.frame import OpenRun
from brekzsync.flows.orders.kinds import ORDERS, REFUNDS
from brekzsync.flows.orders.run import OrderOutcome, OrderRequest
from brekzsync.flows.orders.settlement import ReadBack
from brekzsync.flows.orders.watch import Noticed

FOLDER = Path("/shop/outbox/orders")
MESSAGE = "The delivery address is in a country the shop does not know."
CANCELED = Noticed(
    (41, 0), "canceled_after_export", "The shop canceled it (state 6): cancel it in Exact.", True
)


def tally(*, failed: int = 0, **counts: int) -> Tally:
    made = Tally(**counts)
    for number in range(1, failed + 1):
        made.fail(FailedRecord((number, 0), "unknown_country", MESSAGE, False, "order"))
    return made


def report(of: Tally, **more: Any) -> OrderReport:
    given = {"kind": ORDERS, "target": "exact", "output": FOLDER, "lines": [], **more}
    outcome = OrderOutcome(
        OpenRun(1, "20261121T120000Z-abc"),
        of,
        more.get("read_back", ReadBack.nothing()),
        more.get("noticed", ()),
        more.get("baselined", 0),
        more.get("indexed", 3),
        more.get("not_due", ()),
        more.get("erp_trouble", ""),
    )
    return OrderReport(given["kind"], given["target"], given["output"], outcome, given["lines"])


def said(of: OrderReport, *, width: int = 80, **request: Any) -> tuple[str, str]:
    """What is shown on stdout and on stderr."""
    invocation = Invocation()
    out, err = StringIO(), StringIO()
    invocation.console = Console(stdout=out, stderr=err, color=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        show(invocation, of, OrderRequest(**request))
    return out.getvalue(), err.getvalue()


def cells(table: str) -> list[list[str]]:
    """The rows of the tables, box drawing taken off."""
    lines = [line for line in table.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def busy() -> Tally:
    made = tally(failed=2, read=13, eligible=12, skipped=1, unchanged=3, pending=9, delivered=2, left=5)
    made.reasons.update({"found_in_erp": 2, "in_flight": 1, "waiting_to_retry": 2, "queued": 1})
    made.reasons.update({"order_not_in_erp": 1, "no_longer_due": 1, "not_due": 1})
    made.warnings["erp_not_asked"] = 1
    return made


def test_every_count_has_its_row() -> None:
    read_back = ReadBack([(1, 0)], [(2, 0), (3, 0)], [(4, 0)], [])
    out, _ = said(report(busy(), read_back=read_back, noticed=[CANCELED]))

    assert [tuple(row) for row in cells(out) if len(row) == 2] == [
        ("Orders", "Count"),
        ("Found in the ERP: settled", "1"),
        ("Not in the ERP: sent again", "2"),
        ("Nobody knows what became of them", "1"),
        ("Due", "12"),
        ("in the ERP already", "3"),
        ("found there just now", "2"),
        ("pending", "9"),
        ("delivered", "2"),
        ("failed", "2"),
        ("unknown country", "2"),
        ("out, result awaited", "1"),
        ("order not in the ERP yet", "1"),
        ("rejected, waiting to be tried again", "2"),
        ("left for the next run", "1"),
        ("Not due", "1"),
        ("No longer due before they went", "1"),
        ("Warning: the ERP could not be asked", "1"),
    ]
    assert ["41", "canceled_after_export", "The shop canceled it (state 6): cancel it in"] in cells(out)


def test_a_long_list_of_failures_is_cut_and_says_so() -> None:
    out, _ = said(report(tally(failed=SAMPLE + 5, pending=25, eligible=25, read=25)))

    assert f"Failed (the first {SAMPLE} of {SAMPLE + 5})" in out


def test_what_nobody_knows_of_is_not_for_the_next_run_to_mend() -> None:
    one = tally(pending=1, eligible=1, read=1)
    one.fail(FailedRecord((61, 0), "outcome_unknown", MESSAGE, False, "order"))

    _, err = said(report(one))
    assert err.splitlines()[-1] == (
        "Next: look whether Exact has it, then: brekzsync orders settle 61 --sent, or --resend."
    )

    one.fail(FailedRecord((62, 0), "unknown_country", MESSAGE, False, "order"))
    _, err = said(report(one))
    assert err.splitlines()[-1] == "Next: mend what failed, then: brekzsync orders export 62"


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    out, _ = said(report(busy(), noticed=[CANCELED]), width=width)

    assert max(map(len, out.splitlines())) <= width


@pytest.mark.parametrize(
    ("request_", "title"),
    [
        ({}, "Refunds → exact"),
        ({"dry_run": True}, "Refunds → exact (dry run: nothing written)"),
        ({"baseline": True}, "Baseline of refunds → exact"),
        ({"baseline": True, "dry_run": True}, "Baseline of refunds → exact (dry run: nothing written)"),
    ],
)
def test_the_title_says_what_kind_of_run_it_was(request_: dict[str, Any], title: str) -> None:
    out, _ = said(report(tally(), kind=REFUNDS), width=140, **request_)

    assert out.splitlines()[0] == title


@pytest.mark.parametrize(
    ("dry_run", "row"), [(False, "taken as delivered"), (True, "would be taken as delivered")]
)
def test_a_baseline_says_what_it_took_or_would_take(dry_run: bool, row: str) -> None:
    out, _ = said(report(tally(), baselined=3), baseline=True, dry_run=dry_run)

    assert [row, "3"] in cells(out)


@pytest.mark.parametrize("count", [1, 2])
def test_one_is_not_called_several(count: int) -> None:
    one = tally(failed=count, pending=count, eligible=count, read=count)

    told = document([report(one)], OrderRequest())["error"]["message"]

    assert told == f"{count} of {count} pending order{'' if count == 1 else 's'} failed."


def test_several_targets_are_summed() -> None:
    both = [report(busy(), target=name, noticed=[CANCELED]) for name in ("a", "b")]
    told = document(both, OrderRequest())

    assert (told["run_id"], told["target"], told["output"]) == (None, None, None)
    assert told["counts"]["pending"] == 18
    assert told["reasons"]["in_flight"] == 2
    assert [one["key"] for one in told["noticed"]] == ["41", "41"]
    assert [one["target"] for one in told["targets"]] == ["a", "b"]


def test_why_exact_could_not_be_asked_is_said() -> None:
    away = report(Tally(), erp_trouble="The ERP does not answer: no route to host")
    _, err = said(away)

    assert "Warning: Exact could not be asked what it has: The ERP does not answer: no route to host." in err
    assert document([away], OrderRequest())["erp_trouble"] == "The ERP does not answer: no route to host"
