"""What a run under cron says: new failures, and one summary a day. Silence means all is well."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

from brekzsync.domain.outcomes import Tally


class PreviousRun(Protocol):
    """What is remembered of an earlier run."""

    @property
    def error_code(self) -> str | None: ...


def new_failures(target: str, tally: Tally) -> list[str]:
    """Lines on the records that failed in another way than in the run before; none when there are none."""
    if not tally.new_failures:
        return []
    fresh = [failure for failure in tally.failures if not failure.repeated]
    lines = [f"products → {target}: {tally.new_failures} newly failed, {tally.failed} in all."]
    lines += [f"  {failure.shown}  {failure.reason}: {failure.message}" for failure in fresh]
    more = tally.new_failures - len(fresh)
    return [*lines, f"  and {more} more"] if more else lines


def summary(target: str, tally: Tally) -> str:
    """One line a day, so that silence is known to be health."""
    return (
        f"products → {target}: {tally.read} read, {tally.eligible} eligible, {tally.unchanged} unchanged,"
        f" {tally.delivered} exported in this run, {tally.failed} failing."
    )


def is_summary_due(now: datetime, last: datetime | None) -> bool:
    """Whether no run has given a summary yet on the day of ``now`` (UTC)."""
    return last is None or last.astimezone(UTC).date() < now.astimezone(UTC).date()


def is_known_error(previous: PreviousRun | None, code: str) -> bool:
    """Whether the run before ended with the same error, so that cron need not mail it again."""
    return previous is not None and previous.error_code == code
