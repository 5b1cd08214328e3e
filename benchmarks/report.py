"""The results as a table for people, as a page of the documentation, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import attrgetter
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.measure import Memory
from benchmarks.results import JUDGED_FROM, MIB, Figures, Row, Verdict

# With the widths that make 80 together.
COLUMNS = {
    "measure": 20,
    "ours": 7,
    "reference": 9,
    "ratio": 7,
    "limit": 6,
    "aim": 6,
    "verdict": 7,
    "PSS / RSS": 9,
}
TEXTS = ("measure", "verdict")
STYLES = {
    Verdict.AIM: "bold green",
    Verdict.OK: "green",
    Verdict.OVER: "bold red",
    Verdict.UNDER: "bold red",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything a reader needs to believe the figures, or to repeat them. ``base`` is the judged size."""

    rows: list[Row]
    figures: Figures
    base: int
    rounds: int
    machine: str
    day: date
    versions: dict[str, str]
    origin: str

    @property
    def failed(self) -> bool:
        """A limit is not kept."""
        return any(row.verdict is not None and not row.verdict.is_kept for row in self.rows)


def show(report: Report, console: Console) -> None:
    """The table and what is to be known about it; rows that are not judged stand back."""
    console.print(_table([Text(heading, "bold") for heading in COLUMNS]))
    for group, rows in groupby(report.rows, attrgetter("group")):
        # A line across the columns, which a table cannot have: so each group is a table of the same widths.
        console.print(f"\n{group}", style="bold", highlight=False)
        console.print(_table(*([_styled(cell, row) for cell in cells(row)] for row in rows)))
    console.print()
    for note in notes(report):
        console.print(note, style="dim", highlight=False)


def _table(*rows: list[Text]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    for heading, width in COLUMNS.items():
        table.add_column(width=width, justify="left" if heading in TEXTS else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _styled(cell: str, row: Row) -> Text:
    if not row.verdict:
        return Text(cell, "dim")
    return Text(cell, STYLES[row.verdict] if cell == row.verdict else "")


def page(report: Report) -> str:
    """``docs/benchmarks.md``."""
    lines = [
        "# Benchmarks",
        "",
        "<!-- Written by `python -m benchmarks --write`; change benchmarks/, not this page. -->",
        "",
        "What an export and a diagnosis cost beside reading the same rows and doing nothing with them, and how much a",
        "service answers beside PrestaShop's own.",
        "Only the ratios carry over to another machine: both sides were measured in the same run, in turns.",
        "",
        _markdown(COLUMNS),
        _markdown("---" if heading in TEXTS else "---:" for heading in COLUMNS),
        *_markdown_rows(report.rows),
        "",
        *(f"- {note}" for note in notes(report)),
        "",
        "Again, on your machine: `make bench`, or for a million combinations `N=1000000 make bench`.",
    ]
    return "\n".join(lines) + "\n"


def document(report: Report) -> dict[str, Any]:
    """Everything, every round's figure included, for other programs."""
    return {
        "schema_version": 1,
        "ok": not report.failed,
        "date": report.day.isoformat(),
        "machine": report.machine,
        "versions": report.versions,
        "catalogue": report.origin,
        "combinations": report.base,
        "rounds": report.rounds,
        "rows": [_row(row) for row in report.rows],
        "runs": {
            name: [{"seconds": one.seconds, "cpu_seconds": one.cpu_seconds} for one in runs]
            for name, runs in report.figures.runs.items()
        },
    }


def cells(row: Row) -> list[str]:
    """The row as text, in the order of ``COLUMNS``."""
    bound = "×" if row.ratio is not None else row.unit
    return [
        row.measure,
        _amount(row.ours, row.unit),
        _amount(row.reference, row.unit),
        "" if row.ratio is None else f"{row.ratio:.2f} ×",
        "" if row.limit is None else f"{row.limit:g} {bound}",
        "" if row.aim is None else f"{row.aim:g} {bound}",
        row.verdict or "",
        _memory(row.memory),
    ]


def notes(report: Report) -> Iterator[str]:
    """What the table itself does not say."""
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    yield f"{report.day.isoformat()}, {report.machine}; {versions}."
    yield f"Catalogue: {report.origin}."
    yield (
        f"Times: best of {report.rounds}, in turns, from process start to durable files. The reference is"
        " `mariadb --quick --xml` of the same rows to /dev/null; for nothing changed, `-B`; for single files,"
        " write, fsync and rename of the same files; for two sizes, the smaller. For diagnose --missing it is the"
        " same query and the ERP's items through the drivers themselves; one id is counted without the start of"
        " the program, which is the same question to the demo."
    )
    yield (
        "Memory: peak of the whole process tree in MiB, in a run of its own, looked at every 20 ms,"
        " without the server. RSS is judged; for several processes, which share pages, PSS."
    )
    yield (
        "Served over HTTP: a new state, everything pending; service, database and load generator share the machine, and"
        " every version is noted as served before it is seen. The reference is what a PrestaShop 8.2 webservice reaches"
        " on a machine of two cores: 65 requests and, with display=full, 360 products a second. These rows want at"
        " least their limit."
    )
    yield (
        "Webhooks: 20,000 of Exact Online for 5,000 items, into an inbox on SQLite, each in a commit that waited"
        " for the disk before its answer; one process, the load generator beside it. The export is that of the"
        " catalogue, over and over. How many a second is at least the limit, the time at most."
    )
    yield (
        "The sweep: both sides are read through the drivers themselves for its reference, which then changes as many"
        " figures by one statement. The ERP is a SQLite file with an index such as Globe has; figures go to the"
        " database, each guarded by what was read."
    )
    references = [name for name in report.figures.runs if name.split()[0] in ("xml", "batch", "plain", "raw")]
    if report.rounds > 1:
        spread = max(report.figures.spread(name) for name in references)
        yield f"Noise: between rounds the references themselves differed by up to {spread:.0%}."
    if report.base < JUDGED_FROM:
        yield f"Limits are meant for {JUDGED_FROM:,} combinations and more, so most rows are not judged here."


def _row(row: Row) -> dict[str, Any]:
    return {
        "group": row.group,
        "measure": row.measure.strip(),
        "unit": row.unit,
        "ours": row.ours,
        "reference": row.reference,
        "ratio": row.ratio,
        "limit": row.limit,
        "aim": row.aim,
        "verdict": row.verdict,
        "processes": row.memory.processes if row.memory else None,
        "pss_bytes": row.memory.pss if row.memory else None,
        "rss_bytes": row.memory.rss if row.memory else None,
    }


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "/s":
        return f"{value:.0f}{unit}"
    return f"{value:.2f} {unit}" if unit == "s" else f"{value:.0f} {unit}"


def _memory(memory: Memory | None) -> str:
    return "" if memory is None else f"{memory.pss / MIB:.0f} / {memory.rss / MIB:.0f}"


def _markdown_rows(rows: Sequence[Row]) -> Iterator[str]:
    for group, members in groupby(rows, attrgetter("group")):
        yield _markdown([f"**{group}**", *[""] * (len(COLUMNS) - 1)])
        for row in members:
            yield _markdown(cell.strip() for cell in cells(row))


def _markdown(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
