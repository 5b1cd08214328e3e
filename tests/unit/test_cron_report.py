"""What a run under cron says, and on which days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from brekzsync.domain.outcomes import SAMPLE, FailedRecord, Tally
from brekzsync.flows.cron_report import is_known_error, is_summary_due, new_failures, summary


class Previous:
    def __init__(self, error_code: str | None) -> None:
        self.error_code = error_code


def failing(*repeated: bool) -> Tally:
    tally = Tally()
    for number, again in enumerate(repeated, 1):
        tally.fail(FailedRecord((number, 0), "missing_price", "Set a price.", again))
    return tally


@pytest.mark.parametrize("repeated", [(), (True,), (True, True)])
def test_nothing_new_is_nothing_to_say(repeated: tuple[bool, ...]) -> None:
    assert new_failures("products", "exact", failing(*repeated)) == []


def test_what_newly_failed_is_said_with_its_reason_and_what_failed_before_is_only_counted() -> None:
    assert new_failures("products", "exact", failing(True, False, True)) == [
        "products → exact: 1 newly failed, 3 in all.",
        "  2-0  missing_price: Set a price.",
    ]


@pytest.mark.parametrize(("failures", "more"), [(SAMPLE, []), (SAMPLE + 1, ["  and 1 more"])])
def test_only_a_sample_is_listed_and_the_rest_counted(failures: int, more: list[str]) -> None:
    lines = new_failures("products", "exact", failing(*[False] * failures))
    assert lines[SAMPLE + 1 :] == more
    assert lines[0] == f"products → exact: {failures} newly failed, {failures} in all."


def test_the_summary_is_one_line() -> None:
    tally = failing(True)
    tally.read, tally.eligible, tally.unchanged, tally.delivered = 47, 37, 30, 6
    assert summary("products", "exact", tally) == (
        "products → exact: 47 read, 37 eligible, 30 unchanged, 6 exported in this run, 1 failing."
    )


@pytest.mark.parametrize(
    ("last", "due"),
    [
        (None, True),
        (datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 21, 0, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 21, 0, 30, tzinfo=timezone(timedelta(hours=1))), True),
        (datetime(2026, 11, 22, 8, 0, tzinfo=UTC), False),  # the clock was set back
    ],
)
@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-11))])
def test_a_summary_is_due_once_a_day_of_utc(last: datetime | None, due: bool, zone: timezone) -> None:
    now = datetime(2026, 11, 21, 0, 5, tzinfo=UTC).astimezone(zone)
    assert is_summary_due(now, last) is due


@pytest.mark.parametrize(
    ("previous", "known"),
    [(None, False), (Previous(None), False), (Previous("killed"), False), (Previous("unavailable"), True)],
)
def test_an_error_is_known_when_the_run_before_ended_with_it(previous: Previous | None, known: bool) -> None:
    assert is_known_error(previous, "unavailable") is known
