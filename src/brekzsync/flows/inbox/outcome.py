"""What a run over the inbox was asked for, and what it came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from brekzsync.errors import BrekzsyncError

SAMPLE: Final = 20


class InboxRules(NamedTuple):
    """What the configuration says: after how many attempts a record is dead, how often all may be compared."""

    attempts: int
    compare_all_every: timedelta


class InboxRequest(NamedTuple):
    """What a person asks of a run: at most ``limit`` records, or to write nothing."""

    limit: int | None = None
    dry_run: bool = False


class Failure(NamedTuple):
    """A record that could not be brought into step, and when it is tried again; None: it is dead."""

    source: str
    record: str
    message: str
    again_at: datetime | None


@dataclass(slots=True)
class SourceReport:
    """What became of the records of one source. ``later`` says why some wait, ``trouble`` what its asking met."""

    source: str
    records: int = 0
    deliveries: int = 0
    done: int = 0
    not_stock: int = 0
    failed: int = 0
    dead: int = 0
    with_all: int = 0  # answered by comparing everything
    left: int = 0
    later: str = ""
    trouble: BrekzsyncError | None = None


@dataclass(slots=True)
class InboxOutcome:
    """What a run came to; samples are bounded, counts are not.

    ``compared_all`` says that everything was compared (or would be), ``all_waits_until`` from when on it may be.
    ``codes`` are the items that were compared. ``sheds_open`` go on, after ``sheds_waiting`` nothing was compared
    yet, after ``sheds_compared`` all was.
    """

    sources: dict[str, SourceReport] = field(default_factory=dict)
    run_name: str | None = None
    codes: int = 0
    left_alone: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    compared_all: bool = False
    not_written: int = 0
    all_waits_until: datetime | None = None
    sheds_compared: int = 0
    sheds_waiting: int = 0
    sheds_open: int = 0
    trouble: BrekzsyncError | None = None

    def of(self, source: str) -> SourceReport:
        return self.sources.setdefault(source, SourceReport(source))

    def fail(self, failure: Failure) -> None:
        """Count it; those that are dead come first in the sample."""
        report = self.of(failure.source)
        if failure.again_at is None:
            report.dead += 1
            self.failures.insert(0, failure)
        else:
            report.failed += 1
            self.failures.append(failure)
        del self.failures[SAMPLE:]

    def total(self, name: str) -> int:
        """A count over all sources."""
        return sum(getattr(report, name) for report in self.sources.values())

    @property
    def troubles(self) -> list[BrekzsyncError]:
        """What went wrong beyond records, the worst of it first."""
        all_of_them = [self.trouble, *(report.trouble for report in self.sources.values())]
        return [error for error in all_of_them if error is not None]

    def counts(self) -> dict[str, int]:
        """The counts of every run, records being those of the inbox."""
        read, skipped = self.total("records"), self.total("not_stock")
        return {
            "read": read,
            "eligible": read - skipped,
            "pending": read - skipped,
            "delivered": self.total("done"),
            "unchanged": 0,
            "skipped": skipped,
            "failed": self.total("failed") + self.total("dead"),
        }

    def reasons(self) -> dict[str, int]:
        """Why records were left, are about nothing of ours, or failed; and what went wrong beyond them."""
        reasons = Counter(
            not_about_stock=self.total("not_stock"),
            queued=self.total("left"),
            waiting_to_retry=self.total("failed"),
            dead=self.total("dead"),
            figures_not_written=self.not_written,
        )
        reasons.update(self.left_alone)
        reasons.update(error.code for error in self.troubles)
        return {name: count for name, count in reasons.most_common() if count}
