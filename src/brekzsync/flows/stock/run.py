"""``stock sweep``, ``stock diff``, ``stock update``: look at everything or at some items, and repair what differs."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any, Protocol

from brekzsync.domain.keys import ProductKey
from brekzsync.domain.ledger import LedgerEntry
from brekzsync.domain.outcomes import FailedRecord, Tally
from brekzsync.domain.shop_stock import Outcome, Since, Written
from brekzsync.domain.stock import Census, Finding, why_implausible
from brekzsync.domain.sync_flows import PARTIAL_RUN
from brekzsync.errors import GuardStopped, InvalidInput
from brekzsync.flows.frame import Locks, OpenRun, Runs, run
from brekzsync.flows.ports import Clock
from brekzsync.flows.stock.figures import Figure, Policy
from brekzsync.flows.stock.journal import FLOW, SOLD_MEANWHILE, Journal, StockLedger
from brekzsync.flows.stock.look import Look, LookParts
from brekzsync.flows.stock.ports import Codes, ErpStock, LeftAlone, ShopStock, StockWriter
from brekzsync.flows.stock.repair import Looked, Owners, Repair, RepairParts, outcomes_by_key

SHOWN = 200
"""Differences that an outcome holds; memory does not grow with what there is."""
SHOWN_OF_A_KIND = 50
"""Items left alone for the same reason that it holds."""
_ATTEMPTS = 3
_NOTHING = "No figure was written."

Progress = Callable[[int | None], AbstractContextManager[Callable[[int], None]]]


class StockRuns(Runs[Any], Protocol):
    """The record of runs, with what the last whole one counted."""

    def last_success(self, flow: str, target: str) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StockRequest:
    """What a sweep was asked for; ``left_alone`` is told of every item that is not compared."""

    max_change: Decimal
    force: bool = False
    dry_run: bool = False
    left_alone: Callable[[LeftAlone], None] = lambda _one: None


@dataclass(slots=True)
class StockOutcome:
    """What came of it. ``differences`` are the largest, ``figures`` all that were asked for by code; ``findings``
    counts what was left alone and ``left`` holds some of it; ``entries`` are the ledger's rows of what was asked for,
    ``last_moved`` the days of the ERP's newest movements."""

    run: OpenRun
    tally: Tally
    census: Census | None = None
    differences: list[Figure] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    findings: Counter[Finding] = field(default_factory=Counter)
    left: list[LeftAlone] = field(default_factory=list)
    entries: Mapping[ProductKey, LedgerEntry] = field(default_factory=dict)
    last_moved: Mapping[str, date] = field(default_factory=dict)
    tell: Callable[[LeftAlone], None] = lambda _one: None

    def leave(self, one: LeftAlone) -> None:
        """Count it, tell of it, and keep it as far as there is room."""
        self.tell(one)
        self.findings[one.finding] += 1
        if len(self.left) < SHOWN:
            self.left.append(one)

    def differ(self, figure: Figure) -> None:
        """Keep it, in place of a smaller one when there is no more room."""
        self.differences.append(figure)
        if len(self.differences) > 2 * SHOWN:
            self.differences = largest(self.differences)


def largest(figures: Sequence[Figure]) -> list[Figure]:
    """The largest differences first."""
    return heapq.nsmallest(SHOWN, figures, key=lambda one: (-abs(one.delta), one.code, one.place.number))


@dataclass(frozen=True, slots=True, kw_only=True)
class StockFlow:
    """Stock for one target. ``since`` says which orders go to its ERP, None where none do.

    ``looks_again`` says that the writer cannot keep a sale from happening while it writes: what it wrote is then
    read once more.
    """

    target: str
    clock: Clock
    locks: Locks
    runs: StockRuns
    ledger: StockLedger
    shop: ShopStock
    erp: ErpStock
    codes: Codes
    policy: Policy
    since: Since | None
    today: Callable[[], date]
    open_writer: Callable[[], StockWriter]
    looks_again: bool
    page: int
    pause: Callable[[float], object] = time.sleep

    def sweep(self, request: StockRequest, progress: Progress) -> StockOutcome:
        """Compare the whole catalogue and write what differs. Raises GuardStopped before anything is written."""
        if request.dry_run:
            return self._sweep(self._preview(), request, progress)
        with self._run("stock sweep") as opened:
            return self._sweep(opened, request, progress)

    def diff(self, codes: Sequence[str]) -> StockOutcome:
        """What some items are now, on both sides; writes nothing, and needs no lock."""
        outcome = StockOutcome(self._preview(), Tally())
        self._look_at_some(Repair(self._repair_parts()), codes, outcome)
        keys = sorted({one.key for one in outcome.figures})
        outcome.entries = {row.key: row for row in self.ledger.rows_for(keys)}
        outcome.last_moved = self.erp.last_moved([one.code for one in outcome.figures], self.today())
        return outcome

    def update(self, codes: Sequence[str], *, dry_run: bool = False) -> StockOutcome:
        """Write what differs of exactly these items.

        Raises InvalidInput (``unknown_id``) when neither side knows one of them; nothing is written then.
        """
        if dry_run:
            return self._update(self._preview(), codes, is_dry=True)
        with self._run("stock update" + PARTIAL_RUN) as opened:
            return self._update(opened, codes, is_dry=False)

    def _run(self, command: str) -> AbstractContextManager[OpenRun]:
        return run(self.locks, self.runs, flow=FLOW, target=self.target, command=command, clock=self.clock)

    def _preview(self) -> OpenRun:
        return OpenRun(0, f"{self.clock():%Y%m%dT%H%M%SZ}-preview")

    # --- everything ------------------------------------------------------------------------------------------

    def _sweep(self, opened: OpenRun, request: StockRequest, progress: Progress) -> StockOutcome:
        outcome = StockOutcome(opened, Tally(), tell=request.left_alone)
        parts = LookParts(self.shop, self.erp, self.codes, self.policy, self.since, self.today())
        journal = Journal(self.ledger, opened.id)
        with (
            progress(None) as advance,
            closing(Look(parts, journal.unsettled(), outcome.leave, advance)) as look,
        ):
            outcome.census = look.run()
            _begin(outcome, look)
            try:
                self._guard(outcome.census, request)
                self._repair_all(look.suspects(), outcome, journal, advance, is_dry=request.dry_run)
                _settle(outcome.tally)
            finally:
                _fill(outcome)
        return outcome

    def _guard(self, census: Census, request: StockRequest) -> None:
        before = self.runs.last_success(FLOW, self.target)
        last = before.counts.get("erp_items") if before is not None else None
        reason = why_implausible(census, request.max_change, last)
        if reason and not request.force:
            raise GuardStopped(
                f"{reason} {_NOTHING}",
                hint="Look at `stock diff`; when it is right all the same: --force, or a higher --max-change.",
            )

    def _repair_all(
        self,
        suspects: Iterator[tuple[str, ProductKey]],
        outcome: StockOutcome,
        journal: Journal,
        advance: Callable[[int], None],
        *,
        is_dry: bool,
    ) -> None:
        repair = Repair(self._repair_parts())
        with closing(self.open_writer()) if not is_dry else _no_writer() as writer:
            while page := list(islice(suspects, self.page)):
                owners = {code: [key] for code, key in page}
                self._page(repair, owners, writer, outcome, journal)
                advance(len(page))

    # --- some ------------------------------------------------------------------------------------------------

    def _look_at_some(self, repair: Repair, codes: Sequence[str], outcome: StockOutcome) -> Owners:
        """Fill ``outcome`` with what they are now."""
        holders = self.codes.holders(codes)
        owners = {code: list(holders.get(code, ())) for code in codes}
        for some in _pages(owners, self.page):
            looked = repair.look_at(some)
            outcome.figures += looked.figures
            for one in looked.left:
                outcome.leave(one)
        outcome.differences = largest([one for one in outcome.figures if one.delta])
        return owners

    def _update(self, opened: OpenRun, codes: Sequence[str], *, is_dry: bool) -> StockOutcome:
        outcome, repair = StockOutcome(opened, Tally()), Repair(self._repair_parts())
        journal = Journal(self.ledger, opened.id)
        owners = self._look_at_some(repair, codes, outcome)
        unknown = [one.code for one in outcome.left if one.finding is Finding.UNKNOWN]
        if unknown:
            raise InvalidInput(
                f"Neither the shop nor the ERP knows {', '.join(unknown)}. {_NOTHING}",
                hint="Give item codes as `stock diff` shows them.",
                code="unknown_id",
            )
        compared = {one.code: owners[one.code] for one in outcome.figures}
        tally = outcome.tally
        tally.eligible, tally.skipped = len(compared), len(outcome.left)
        tally.read = tally.eligible + tally.skipped
        outcome.differences = []
        try:
            with closing(self.open_writer()) if not is_dry else _no_writer() as writer:
                for some in _pages(compared, self.page):
                    self._page(repair, some, writer, outcome, journal)
            _settle(tally)
        finally:
            _fill(outcome)
        return outcome

    # --- a page ----------------------------------------------------------------------------------------------

    def _page(
        self,
        repair: Repair,
        owners: Owners,
        writer: StockWriter | None,
        outcome: StockOutcome,
        journal: Journal,
    ) -> None:
        """Look, write, and look again at what moved meanwhile."""
        looked = repair.look_at(owners)
        figures = _by_key(looked.figures)
        left = list(looked.left)
        _note_differences(looked, outcome)
        if writer is None:
            outcome.tally.delivered += sum(1 for some in figures.values() if any(one.delta for one in some))
            return
        results: dict[ProductKey, list[Written]] = {}
        for _ in range(_ATTEMPTS):
            changes = [one.change() for one in looked.figures if one.delta]
            if not changes:
                break
            outcome.run.verify_lock()
            latest = outcomes_by_key(writer.write(changes))
            results |= latest
            is_open = self.looks_again or repair.is_overtaken(looked)
            again = {key for key, some in latest.items() if _looks_again(some, is_open)}
            looked = repair.look_at({code: own for code, own in owners.items() if again & set(own)})
            figures |= _by_key(looked.figures)
        _count_results(outcome.tally, results, journal.note(figures, results, left, self.clock()))

    def _repair_parts(self) -> RepairParts:
        return RepairParts(self.shop, self.erp, self.policy, self.since, self.today(), self.clock, self.pause)


def _looks_again(results: Sequence[Written], also_written: bool) -> bool:
    return any(
        one.outcome is Outcome.MOVED or (also_written and one.outcome is Outcome.WRITTEN) for one in results
    )


def _begin(outcome: StockOutcome, look: Look) -> None:
    """The counts of a look; what is repaired makes them exact."""
    tally = outcome.tally
    tally.skipped = look.left
    tally.eligible = look.keys_compared
    tally.read = tally.eligible + tally.skipped
    tally.pending = look.keys_changing
    tally.unchanged = tally.eligible - tally.pending


def _note_differences(looked: Looked, outcome: StockOutcome) -> None:
    for figure in looked.figures:
        if figure.delta:
            outcome.differ(figure)
    for one in looked.left:  # seen only from near
        outcome.leave(one)
        outcome.tally.eligible -= 1
        outcome.tally.skipped += 1


def _count_results(
    tally: Tally, results: Mapping[ProductKey, Sequence[Written]], failures: Sequence[FailedRecord]
) -> None:
    for failure in failures:
        tally.fail(failure)
    failed = {one.key for one in failures}
    for key, some in results.items():
        if key in failed:
            continue
        if any(one.outcome is Outcome.MOVED for one in some):
            tally.left += 1
            tally.reasons[SOLD_MEANWHILE] += 1
        else:
            tally.delivered += 1


def _settle(tally: Tally) -> None:
    """Everything that differed was looked at from near."""
    tally.pending = tally.delivered + tally.failed + tally.left
    tally.unchanged = tally.eligible - tally.pending


def _fill(outcome: StockOutcome) -> None:
    """The run's record."""
    outcome.differences = largest(outcome.differences)
    tally, opened = outcome.tally, outcome.run
    for finding, count in outcome.findings.items():
        tally.reasons[finding.value] = count
    counts = dict(tally.counts())
    if outcome.census is not None:
        counts["erp_items"] = outcome.census.erp_items
    opened.counts, opened.reasons, opened.failures = counts, tally.all_reasons(), tally.signature


def _by_key(figures: Sequence[Figure]) -> dict[ProductKey, list[Figure]]:
    found: dict[ProductKey, list[Figure]] = {}
    for one in figures:
        found.setdefault(one.key, []).append(one)
    return found


def _pages(owners: Owners, size: int) -> Iterator[Owners]:
    codes = iter(owners)
    while some := list(islice(codes, size)):
        yield {code: owners[code] for code in some}


@contextmanager
def _no_writer() -> Iterator[None]:
    """A dry run has none."""
    yield None
