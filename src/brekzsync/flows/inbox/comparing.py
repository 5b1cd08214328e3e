"""Items are compared for all targets by what ``stock update`` and ``stock sweep`` run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from brekzsync.domain.stock import Finding
from brekzsync.errors import GuardStopped, InvalidInput, PermanentError
from brekzsync.flows.inbox.ports import Compared
from brekzsync.flows.stock.journal import FLOW
from brekzsync.flows.stock.run import Progress, StockFlow, StockOutcome, StockRequest

OpenFlow = Callable[[], AbstractContextManager[StockFlow]]

_IN_STEP = "synced"
_SOLD = "The shop sold it again and again while it was written."
_SWEEP = "stock sweep"


class StockRuns(Protocol):
    """The record of runs of stock."""

    def previous(self, flow: str, target: str, *, command: str = "") -> Any: ...


def together(several: Iterable[Compared]) -> Compared:
    """What several comparisons came to."""
    failed: dict[str, str] = {}
    left_alone: Counter[str] = Counter()
    for one in several:
        failed |= one.failed
        left_alone.update(one.left_alone)
    return Compared(failed, left_alone)


class StockOfTargets:
    """The stock of every target whose flow is switched on. A target's connections open when it is first asked."""

    def __init__(
        self,
        flows: Mapping[str, OpenFlow],
        max_change: Mapping[str, Decimal],
        runs: StockRuns,
        progress: Progress,
    ) -> None:
        self._flows = flows
        self._max_change = max_change
        self._runs = runs
        self._progress = progress
        self._open: dict[str, StockFlow] = {}
        self._opened = ExitStack()

    def update(self, codes: Sequence[str], *, dry_run: bool) -> Compared:
        """Compare these items and repair what differs, target by target."""
        return together(_update(self._flow(target), codes, dry_run=dry_run) for target in self._flows)

    def sweep(self) -> int:
        """Compare every item of every target. A guard that stops one target keeps no other back."""
        failed, stopped = 0, []
        for target in self._flows:
            try:
                request = StockRequest(max_change=self._max_change[target])
                failed += self._flow(target).sweep(request, self._progress).tally.failed
            except GuardStopped as error:
                stopped.append(error)
        if stopped:
            raise stopped[0]
        return failed

    def last_sweep(self) -> datetime | None:
        """When the target that was swept longest ago last was; None where one never was."""
        runs = [self._runs.previous(FLOW, target, command=_SWEEP) for target in self._flows]
        return None if None in runs else min((run.started_at for run in runs), default=None)

    def close(self) -> None:
        """Let go of every connection."""
        self._opened.close()
        self._open.clear()

    def _flow(self, target: str) -> StockFlow:
        if target not in self._open:
            self._open[target] = self._opened.enter_context(self._flows[target]())
        return self._open[target]


def _update(flow: StockFlow, codes: Sequence[str], *, dry_run: bool) -> Compared:
    """``stock update`` refuses codes that neither side knows, of which a person mistyped one; a webhook may well
    name one, so these are left out before."""
    unknown = _unknown(flow, codes)
    known = [code for code in codes if code not in unknown]
    left_alone = {Finding.UNKNOWN.value: len(unknown)} if unknown else {}
    if not known:
        return Compared({}, left_alone)
    try:
        outcome = flow.update(known, dry_run=dry_run)
    except InvalidInput as error:  # one went away in between
        raise PermanentError(error.message, hint=error.hint, code=error.code) from error
    left_alone |= {finding.value: count for finding, count in outcome.findings.items()}
    return Compared({} if dry_run else _failed(flow, outcome), left_alone)


def _failed(flow: StockFlow, outcome: StockOutcome) -> dict[str, str]:
    """By code, as the ledger has them: an outcome shows no more than a sample."""
    code_of = {figure.key: figure.code for figure in outcome.figures}
    return {
        code_of[row.key]: row.message or _SOLD
        for row in flow.ledger.rows_for(sorted(code_of))
        if row.status != _IN_STEP and row.reason not in _FINDINGS
    }


def _unknown(flow: StockFlow, codes: Sequence[str]) -> set[str]:
    """Those neither side knows."""
    not_in_shop = set(codes) - set(flow.codes.holders(codes))
    return not_in_shop - {item.code for item in flow.erp.stock_items(not_in_shop)} if not_in_shop else set()


_FINDINGS = frozenset(finding.value for finding in Finding)
