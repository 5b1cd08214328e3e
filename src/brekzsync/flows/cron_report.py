"""What a run under cron says: new failures, and one summary a day. Silence means all is well."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from brekzsync.domain.outcomes import SAMPLE, Tally


class PreviousRun(Protocol):
    """What is remembered of an earlier run."""

    @property
    def error_code(self) -> str | None: ...


def new_failures(label: str, target: str, tally: Tally) -> list[str]:
    """Lines on the records that failed in another way than in the run before; none when there are none.

    ``label`` is what the records are called.
    """
    if not tally.new_failures:
        return []
    fresh = [failure for failure in tally.failures if not failure.repeated]
    lines = [f"{label} → {target}: {tally.new_failures} newly failed, {tally.failed} in all."]
    lines += [f"  {failure.shown}  {failure.reason}: {failure.message}" for failure in fresh]
    more = tally.new_failures - len(fresh)
    return [*lines, f"  and {more} more"] if more else lines


def summary(label: str, target: str, tally: Tally) -> str:
    """One line a day, so that silence is known to be health."""
    return (
        f"{label} → {target}: {tally.read} read, {tally.eligible} eligible, {tally.unchanged} unchanged,"
        f" {tally.delivered} exported in this run, {tally.failed} failing."
    )


def is_summary_due(now: datetime, last: datetime | None) -> bool:
    """Whether no run has given a summary yet on the day of ``now`` (UTC)."""
    return last is None or last.astimezone(UTC).date() < now.astimezone(UTC).date()


def is_known_error(previous: PreviousRun | None, code: str) -> bool:
    """Whether the run before ended with the same error, so that cron need not mail it again."""
    return previous is not None and previous.error_code == code


class Noticed(Protocol):
    """Something a person should look at, of a record that went well before."""

    @property
    def key(self) -> tuple[int, int]: ...
    @property
    def message(self) -> str: ...
    @property
    def is_new(self) -> bool: ...


def newly_noticed(label: str, target: str, noticed: Sequence[Noticed]) -> list[str]:
    """Lines on what the run before had not noticed yet; none when there is nothing."""
    new = [one for one in noticed if one.is_new]
    if not new:
        return []
    lines = [f"{label} → {target}: {len(new)} changed in the shop after they were exported."]
    lines += [f"  {one.key[0]}  {one.message}" for one in new[:SAMPLE]]
    return [*lines, f"  and {len(new) - SAMPLE} more"] if len(new) > SAMPLE else lines
