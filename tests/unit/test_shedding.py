"""When a source floods, and when that is over."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brekzsync.domain.shedding import Flood, FloodLimits, LastMinute

LIMITS = FloodLimits(per_minute=600, backlog=1000, cool_down=timedelta(seconds=60))


@pytest.mark.parametrize(
    ("last_minute", "backlog", "flood"),
    [
        (600, 1000, None),
        (601, 0, Flood.RATE),
        (0, 1001, Flood.BACKLOG),
        (601, 1001, Flood.RATE),
    ],
)
def test_more_than_a_limit_is_a_flood(last_minute: int, backlog: int, flood: Flood | None) -> None:
    assert LIMITS.flood(last_minute, backlog) is flood


@pytest.mark.parametrize(
    ("refused_for", "last_minute", "backlog", "is_over"),
    [
        (60, 300, 500, True),
        (59, 0, 0, False),
        (60, 301, 0, False),
        (60, 0, 501, False),
        (9999, 600, 1000, False),
    ],
)
def test_it_is_over_only_far_below_the_limits(
    refused_for: int, last_minute: int, backlog: int, is_over: bool
) -> None:
    assert LIMITS.is_over(timedelta(seconds=refused_for), last_minute, backlog) is is_over


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_what_is_over_does_not_begin_again_at_once(last_minute: int, backlog: int) -> None:
    if LIMITS.is_over(timedelta(hours=1), last_minute, backlog):
        assert LIMITS.flood(last_minute, backlog) is None


@pytest.mark.parametrize(("seconds", "wait"), [(0, 60), (0.5, 60), (59.2, 1), (60, 60), (100, 60)])
def test_who_still_floods_after_the_time_to_cool_down_waits_as_long_again(seconds: float, wait: int) -> None:
    assert LIMITS.retry_after(timedelta(seconds=seconds)) == wait


@given(st.lists(st.integers(0, 200), max_size=300))
def test_the_last_minute_counts_sixty_seconds(seconds: list[int]) -> None:
    minute, seen = LastMinute(), []
    for second in sorted(seconds):
        seen.append(1000 + second)
        assert minute.add(1000 + second) == sum(1 for one in seen if one > 1000 + second - 60)
    assert minute.count(1300) == 0 if seen else True
