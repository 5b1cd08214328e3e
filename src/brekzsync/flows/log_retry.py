"""``logs retry``: what waits for its next attempt may be tried by the next run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from brekzsync.domain.log_records import LogKey, LogQuery, LogRow, LogStatus
from brekzsync.flows.frame import milliseconds
from brekzsync.flows.ports import Clock
from brekzsync.flows.sync_logs import LogStore, rows_of

SAMPLE = 20


class RetryStore(Protocol):
    """Who waits, and the end of it."""

    def waiting(self, query: LogQuery, at: int, *, held: bool) -> list[LogKey]:
        """Those that wait for their next attempt or were given up; with ``held`` also those that never failed."""

    def release(self, keys: Sequence[LogKey], at: int) -> None:
        """All of them or none."""


@dataclass(slots=True)
class RetryReport:
    """``released`` no longer wait. ``failing`` fail by their own data and are tried by every run: mending is
    what they need (a sample of ``failing_count``). ``others`` were named and have nothing to be retried."""

    released: list[LogKey] = field(default_factory=list)
    failing_count: int = 0
    failing: list[LogRow] = field(default_factory=list)
    others: list[LogRow] = field(default_factory=list)


def retry(
    store: LogStore,
    retries: RetryStore,
    query: LogQuery,
    words: Sequence[str],
    clock: Clock,
    *,
    dry_run: bool,
) -> RetryReport:
    """Let the next run try the records under ``words`` again, or all that failed and wait; one transaction, repeatable.

    An order that waits for its tracking number must be named: not every order is to be reported without one.
    Raises InvalidInput for a key that is not there; nothing is written then.
    """
    now = milliseconds(clock())
    waiting = retries.waiting(query, now, held=bool(words))
    if words:
        rows = rows_of(store, query, words, "nothing was retried")
        named = {row.found_at for row in rows}
        report = _told_apart(iter(rows), set(waiting), keep_others=True)
        report.released = [key for key in waiting if key in named]
    else:
        report = _told_apart(_failed(store, query), set(waiting), keep_others=False)
        report.released = waiting
    if report.released and not dry_run:
        retries.release(report.released, now)
    return report


def _failed(store: LogStore, query: LogQuery) -> Iterator[LogRow]:
    if query.status in (None, LogStatus.FAILED):
        failed = LogQuery(log_type=query.log_type, target=query.target, status=LogStatus.FAILED)
        yield from store.stream(failed)


def _told_apart(rows: Iterator[LogRow], waiting: set[LogKey], *, keep_others: bool) -> RetryReport:
    report = RetryReport()
    for row in rows:
        if row.found_at in waiting:
            continue
        if row.entry.status == LogStatus.FAILED:
            report.failing_count += 1
            if len(report.failing) < SAMPLE:
                report.failing.append(row)
        elif keep_others:
            report.others.append(row)
    return report
