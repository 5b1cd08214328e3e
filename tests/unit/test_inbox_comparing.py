"""Webhooks' items are compared for every target; and how the figures of the inbox are exposed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from brekzsync.bootstrap.inbox_looks import InboxBacklog
from brekzsync.domain.stock import Finding
from brekzsync.errors import GuardStopped, InvalidInput, PermanentError
from brekzsync.flows.inbox.comparing import StockOfTargets
from brekzsync.flows.inbox.ports import Compared
from brekzsync.web import metrics

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class Flow:
    """Knows some codes on each side; rows are what its ledger says of them after an update."""

    in_shop: set[str]
    in_erp: set[str] = field(default_factory=set)
    rows: dict[str, tuple[str, str, str | None]] = field(default_factory=dict)
    guarded: bool = False
    refuses: bool = False
    updated: list[Sequence[str]] = field(default_factory=list)
    swept: int = 0
    closed: bool = False

    @property
    def codes(self) -> Any:
        return SimpleNamespace(
            holders=lambda codes: {code: [(1, 1)] for code in codes if code in self.in_shop}
        )

    @property
    def erp(self) -> Any:
        return SimpleNamespace(
            stock_items=lambda codes: [SimpleNamespace(code=code) for code in codes if code in self.in_erp]
        )

    @property
    def ledger(self) -> Any:
        def rows_for(keys: Sequence[tuple[int, str]]) -> list[Any]:
            found = ((key, self.rows[key[1]]) for key in keys if key[1] in self.rows)
            return [
                SimpleNamespace(key=key, status=row[0], reason=row[1], message=row[2]) for key, row in found
            ]

        return SimpleNamespace(rows_for=rows_for)

    def update(self, codes: Sequence[str], *, dry_run: bool) -> Any:
        if self.refuses:
            raise InvalidInput("Neither side knows it.")
        self.updated.append(codes)
        figures = [SimpleNamespace(code=code, key=(1, code)) for code in codes]
        findings = {Finding.NOT_IN_ERP: 1} if "ALONE" in codes else {}
        return SimpleNamespace(figures=figures, findings=findings)

    def sweep(self, request: Any, progress: Any) -> Any:
        self.swept += 1
        if self.guarded:
            raise GuardStopped("Too much would change.")
        return SimpleNamespace(tally=SimpleNamespace(failed=2))

    @contextmanager
    def open(self) -> Iterator[Any]:
        yield self
        self.closed = True


def stock(swept_at: dict[str, datetime] | None = None, **flows: Flow) -> StockOfTargets:
    def previous(flow: str, target: str, *, command: str) -> Any:
        at = (swept_at or {}).get(target)
        return None if at is None else SimpleNamespace(started_at=at)

    return StockOfTargets(
        {name: flow.open for name, flow in flows.items()},
        dict.fromkeys(flows, Decimal("0.3")),
        cast(Any, SimpleNamespace(previous=previous)),
        lambda _total: nullcontext(lambda _count: None),
    )


def test_each_target_is_asked_for_what_it_knows() -> None:
    first, second = Flow({"A", "ALONE"}), Flow({"A"}, in_erp={"B"})

    compared = stock(first=first, second=second).update(["A", "B", "C", "ALONE"], dry_run=False)

    assert (first.updated, second.updated) == ([["A", "ALONE"]], [["A", "B"]])
    assert compared == Compared({}, {"unknown_item_code": 4, "not_in_erp": 1})


def test_a_target_that_knows_none_of_them_is_not_run() -> None:
    flow = Flow(set())

    assert stock(only=flow).update(["A"], dry_run=False) == Compared({}, {"unknown_item_code": 1})
    assert flow.updated == []


def test_what_failed_is_read_from_the_ledger_and_what_is_left_alone_is_no_failure() -> None:
    rows = {
        "A": ("synced", "", None),
        "B": ("failed", "webservice_refused", "The shop said no."),
        "C": ("pending", "sold_meanwhile", None),
        "D": ("failed", Finding.PACK.value, "It is left alone."),
    }
    flow = Flow(set("ABCD"), rows=rows)

    assert stock(only=flow).update(list("ABCD"), dry_run=False).failed == {
        "B": "The shop said no.",
        "C": "The shop sold it again and again while it was written.",
    }
    assert stock(only=flow).update(list("ABCD"), dry_run=True).failed == {}


def test_an_item_that_went_away_in_between_is_its_records_failure() -> None:
    with pytest.raises(PermanentError, match="Neither side knows it"):
        stock(only=Flow({"A"}, refuses=True)).update(["A"], dry_run=False)


def test_a_guard_that_stops_one_target_keeps_no_other_back() -> None:
    first, second = Flow(set(), guarded=True), Flow(set())

    with pytest.raises(GuardStopped):
        stock(first=first, second=second).sweep()

    assert (first.swept, second.swept) == (1, 1)
    assert stock(second=second).sweep() == 2


def test_everything_was_last_compared_when_the_target_swept_longest_ago_was() -> None:
    flows = {"first": Flow(set()), "second": Flow(set())}
    hour = timedelta(hours=1)

    assert stock({"first": NOON - hour, "second": NOON}, **flows).last_sweep() == NOON - hour
    assert stock({"first": NOON}, **flows).last_sweep() is None


def test_what_was_opened_is_closed() -> None:
    used, unused = Flow({"A"}), Flow({"A"})
    both = stock(used=used)

    both.update(["A"], dry_run=False)
    both.close()

    assert (used.closed, unused.closed) == (True, False)


def test_the_figures_tell_of_each_source_what_waits_and_what_is_dead() -> None:
    text = metrics.exposition(dict, lambda: InboxBacklog({"till": 3}, {"warehouse": 2})).decode()

    assert [line for line in text.splitlines() if line.startswith("brekzsync_inbox{")] == [
        'brekzsync_inbox{source="till",status="waiting"} 3.0',
        'brekzsync_inbox{source="till",status="dead"} 0.0',
        'brekzsync_inbox{source="warehouse",status="waiting"} 0.0',
        'brekzsync_inbox{source="warehouse",status="dead"} 2.0',
    ]
    assert "brekzsync_inbox{" not in metrics.exposition(dict, lambda: None).decode()
