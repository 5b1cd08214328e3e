"""What the newest date of a shop says of its time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from brekzsync.domain.findings import Finding, passed
from brekzsync.prestashop.clocks import judged, spoken

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")  # an hour ahead in November


def found(hour: int, minute: int = 0) -> Finding:
    return judged(datetime.fromisoformat(f"2026-11-21 {hour:02}:{minute:02}"), AMSTERDAM, NOW)


def test_a_date_of_just_now_is_in_the_right_zone() -> None:
    assert found(13, 1) == passed("Europe/Amsterdam; the newest change is dated 2026-11-21 13:01, just now.")


def test_an_old_date_says_nothing_against_the_zone() -> None:
    assert found(11, 30) == passed(
        "Europe/Amsterdam; the newest change is dated 2026-11-21 11:30, 1.5 hours ago."
    )


def test_a_date_a_whole_hour_in_the_future_was_written_in_another_zone() -> None:
    finding = found(14, 1)

    assert (finding.verdict, finding.detail) == (
        "warning",
        "The newest change is dated 2026-11-21 14:01, which in Europe/Amsterdam is 61 minutes from now:"
        " the shop writes in another zone than its PS_TIMEZONE says.",
    )
    assert finding.remedy.startswith("Compare PS_TIMEZONE")


def test_a_date_some_minutes_in_the_future_tells_of_a_wrong_clock() -> None:
    assert found(13, 7).detail.endswith(
        "is 7 minutes from now: the clock of its web server is wrong, or something wrote a date of its own."
    )


def test_a_shop_without_dates_cannot_be_compared() -> None:
    assert judged(None, AMSTERDAM, NOW) == passed(
        "Europe/Amsterdam; the shop holds no date to compare it with."
    )


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(seconds=61), "1 minute"),
        (timedelta(minutes=89), "89 minutes"),
        (timedelta(hours=2), "2 hours"),
        (timedelta(hours=2, minutes=30), "2.5 hours"),
        (timedelta(days=3, hours=1), "3 days"),
    ],
)
def test_a_duration_is_rounded_as_a_person_would(duration: timedelta, text: str) -> None:
    assert spoken(duration) == text
