"""The shop's own clock, read."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from brekzsync.prestashop.orders.decoding import in_utc, local_time

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.mark.parametrize("zeros", ["0000-00-00 00:00:00", "0000-00-00", "", b"0000-00-00 00:00:00", None])
def test_a_date_of_zeros_is_none(zeros: str | bytes | None) -> None:
    assert local_time(zeros) is None
    assert in_utc(local_time(zeros), AMSTERDAM) is None


@pytest.mark.parametrize(
    ("local", "moment"),
    [
        ("2026-07-01 00:30:00", datetime(2026, 6, 30, 22, 30, tzinfo=UTC)),
        ("2026-12-01 00:30:00", datetime(2026, 11, 30, 23, 30, tzinfo=UTC)),
        ("2026-10-25 02:30:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # comes twice: the first
        ("2026-03-29 02:30:00", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # never was
    ],
)
def test_a_local_time_is_a_moment(local: str, moment: datetime) -> None:
    assert in_utc(local_time(local.encode()), AMSTERDAM) == moment
