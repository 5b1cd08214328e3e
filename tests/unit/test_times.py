"""Times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from brekzsync.commands.people import login_name
from brekzsync.commands.times import ago, moment, span, stamp

NOON = datetime(2026, 11, 21, 12, 0, 59, 999_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-5, "0 seconds"),
        (0.9, "0 seconds"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (7_199, "1 hour"),
        (7_200, "2 hours"),
        (172_800, "2 days"),
    ],
)
def test_a_span_is_told_in_the_largest_unit_it_fills(seconds: float, told: str) -> None:
    assert span(timedelta(seconds=seconds)) == told


def test_what_was_this_very_second_was_just_now() -> None:
    assert (ago(NOON, NOON), ago(NOON, NOON + timedelta(minutes=3))) == ("just now", "3 minutes ago")


def test_times_are_told_in_utc_and_a_missing_one_stays_missing() -> None:
    local = NOON.astimezone(timezone(timedelta(hours=1)))
    assert (moment(local), stamp(local), stamp(None)) == (
        "2026-11-21 12:00 UTC",
        "2026-11-21T12:00:59Z",
        None,
    )


def test_under_sudo_it_is_the_person_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "ann")
    monkeypatch.setenv("LOGNAME", "root")
    assert login_name() == "ann"
    monkeypatch.delenv("SUDO_USER")
    assert login_name() == "root"


def test_a_user_the_system_has_no_name_for_is_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUDO_USER", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000)
    assert login_name() == ""
