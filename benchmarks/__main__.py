"""``python -m benchmarks``: measure, print the table, end with 1 when a limit is not kept.

N combinations come from the environment (``make bench``), 100,000 without. A million is measured beside
100,000; ``BENCH_SCALE=1`` measures ten times N beside any smaller N.
"""

from __future__ import annotations

import argparse
import json
import os
import pstats
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks.catalogue import CatalogueFailed, find_source
from benchmarks.machine import installed_drivers, machine, versions
from benchmarks.measure import RunFailed
from benchmarks.product_diagnosis import diagnosis_cases, help_case
from benchmarks.product_export import FULL_BULK, SINGLE_FILES, Export, catalogue_cases, single_file_cases
from benchmarks.report import Report, document, page, show
from benchmarks.results import JUDGED_FROM, rows
from benchmarks.rounds import measure
from benchmarks.serving import Serving, index_cases, serving_cases
from benchmarks.stock_sweep import sweep_cases
from benchmarks.webhooks import webhook_cases
from tests.services.mariadb import MariaDB, MariaDBFailed, MariaDBMissing

PAGE = Path(__file__).resolve().parents[1] / "docs/benchmarks.md"
MILLION = 1_000_000
PROFILE_LINES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The sizes to measure: ``base``, which is judged, and perhaps ten times as much beside it."""

    base: int
    larger: int | None

    @property
    def swept(self) -> int:
        """Items of a sweep: a million, but for somebody in a hurry."""
        return MILLION if self.base >= JUDGED_FROM else self.base

    @property
    def server_options(self) -> tuple[str, ...]:
        """Memory as a shop of this size would have it; everything else, durability too, as MariaDB comes."""
        most = max(self.larger or 0, self.swept)
        return (f"--innodb-buffer-pool-size={'2G' if most > 300_000 else '512M'}",)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    # Also when politely ended from outside, or when the terminal is closed: no server, no folder stays.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    try:
        return _profile(options) if options.profile else _measure(options)
    except (MariaDBMissing, MariaDBFailed, CatalogueFailed, RunFailed) as error:
        print(f"The benchmark could not be run: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the private server and its folder are gone.", file=sys.stderr)
        return 130


def _measure(options: argparse.Namespace) -> int:
    plan, source, drivers, talk = (
        _plan(options.combinations),
        find_source(),
        installed_drivers(),
        Console(stderr=True),
    )
    if drivers[0] != "mysqldb":
        talk.print("mysqlclient is not installed, so PyMySQL is judged instead.", style="yellow")
    single_files = min(SINGLE_FILES, plan.base)
    with _workplace(plan) as (server, folder):
        with talk.status("Making the catalogues …"):
            sizes = {plan.base, single_files, plan.swept} | ({plan.larger} if plan.larger else set())
            catalogues = {size: source.create(server, size) for size in sorted(sizes)}
        cases = list(catalogue_cases(catalogues[plan.base], drivers, folder))
        cases.append(help_case(folder))
        cases += diagnosis_cases(catalogues[plan.base], drivers[0], folder)
        cases += single_file_cases(catalogues[single_files], drivers[0], folder)
        cases += serving_cases(catalogues[plan.base], drivers[0], folder)
        cases += webhook_cases(catalogues[plan.base], drivers[0], folder)
        cases += sweep_cases(catalogues[plan.swept], drivers[0], folder)
        if plan.larger:
            cases += catalogue_cases(catalogues[plan.larger], drivers[:1], folder, again=False)
            cases += index_cases(Serving.prepared(catalogues[plan.larger], drivers[0], folder))
        figures = measure(cases, options.rounds, talk)
        report = Report(
            rows=rows(
                figures,
                base=plan.base,
                larger=plan.larger,
                single_files=single_files,
                swept=plan.swept,
                drivers=drivers,
            ),
            figures=figures,
            base=plan.base,
            rounds=options.rounds,
            machine=machine(),
            day=datetime.now(UTC).date(),
            versions=versions(server),
            origin=source.origin,
        )
    _publish(report, options, talk)
    return 1 if report.failed else 0


def _publish(report: Report, options: argparse.Namespace, talk: Console) -> None:
    """The table to the terminal, also when JSON takes standard output; the page only when asked for."""
    show(report, talk if options.json else Console())
    if options.json:
        json.dump(document(report), sys.stdout, indent=2, ensure_ascii=False)
        print()
    if options.write:
        PAGE.write_text(page(report), encoding="utf-8")
        talk.print(f"Written: {PAGE.relative_to(PAGE.parents[1])}", highlight=False)


def _profile(options: argparse.Namespace) -> int:
    """One run under cProfile, which sees the main thread only and makes calls look dearer than they are."""
    plan = Plan(base=options.combinations, larger=None)
    with _workplace(plan) as (server, folder):
        export = Export(find_source().create(server, plan.base), installed_drivers()[0], folder)
        found = folder / "profile"
        command_options: tuple[str, ...] = FULL_BULK
        if options.profile == "unchanged":
            export.first()
            command_options = ()
        export.run(export.command(*command_options, python=("-m", "cProfile", "-o", str(found))))
        pstats.Stats(str(found)).strip_dirs().sort_stats("tottime").print_stats(PROFILE_LINES)
    return 0


@contextmanager
def _workplace(plan: Plan) -> Iterator[tuple[MariaDB, Path]]:
    """A private server and a folder around it, on a disk if there is one: in memory fsync costs nothing."""
    lasting = Path("/var/tmp")
    parent = None if "TMPDIR" in os.environ or not os.access(lasting, os.W_OK) else lasting
    with (
        tempfile.TemporaryDirectory(
            prefix="brekzsync-bench-", dir=parent, ignore_cleanup_errors=True
        ) as folder,
        MariaDB.started(options=plan.server_options, parent=Path(folder)) as server,
    ):
        yield server, Path(folder)


def _plan(combinations: int) -> Plan:
    if combinations >= MILLION:
        return Plan(base=combinations // 10, larger=combinations)
    wants_scale = os.environ.get("BENCH_SCALE", "") not in ("", "0")
    return Plan(base=combinations, larger=combinations * 10 if wants_scale else None)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "-n",
        dest="combinations",
        type=_combinations,
        metavar="N",
        default=os.environ.get("N") or "100000",
        help="combinations in the catalogue [default: $N, else 100000]",
    )
    parser.add_argument(
        "--rounds", type=int, default=3, metavar="R", help="the best of R counts [default: 3]"
    )
    parser.add_argument("--write", action="store_true", help="write the table to docs/benchmarks.md")
    parser.add_argument("--json", action="store_true", help="print everything as JSON (the table to stderr)")
    parser.add_argument(
        "--profile",
        nargs="?",
        const="full",
        choices=["full", "unchanged"],
        help="instead of measuring, profile one run and print where its time goes",
    )
    return parser.parse_args(arguments)


def _combinations(text: str) -> int:
    digits = text.replace(",", "").replace("_", "")
    if not digits.isdecimal() or int(digits) < 100 or int(digits) % 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not an even number of combinations, 100 or more")
    return int(digits)


if __name__ == "__main__":
    sys.exit(main())
