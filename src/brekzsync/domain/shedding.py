"""When a source of webhooks floods, and when that is over.

Between the two stands a wide gap, so that a source near the limit is not refused and taken by turns: it begins
above a limit, and ends below half of it, after a time to cool down.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from math import ceil

_MINUTE = 60


class Flood(StrEnum):
    """Why a source is told to wait."""

    RATE = "rate"
    BACKLOG = "backlog"


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodLimits:
    """What a source may send a minute, and have waiting; how long it is told to wait at least."""

    per_minute: int
    backlog: int
    cool_down: timedelta

    def flood(self, last_minute: int, backlog: int) -> Flood | None:
        """Whether this is too much."""
        if last_minute > self.per_minute:
            return Flood.RATE
        return Flood.BACKLOG if backlog > self.backlog else None

    def is_over(self, refused_for: timedelta, last_minute: int, backlog: int) -> bool:
        """Whether a source that is being refused may be taken again; ``last_minute`` counts what it was refused."""
        return (
            refused_for >= self.cool_down
            and last_minute <= self.per_minute // 2
            and backlog <= self.backlog // 2
        )

    def retry_after(self, refused_for: timedelta) -> int:
        """Whole seconds, at least one: what is left to cool down, or all of it again for who still floods then."""
        left = self.cool_down - refused_for
        return max(1, ceil((left if left > timedelta(0) else self.cool_down).total_seconds()))


class LastMinute:
    """Counts over the last sixty seconds, the present one included; ``second`` never goes back."""

    def __init__(self) -> None:
        self._counts = [0] * _MINUTE
        self._second = 0
        self._sum = 0

    def add(self, second: int) -> int:
        """One more; how many it makes within the minute."""
        if second > self._second:
            self._go_on(second)
        self._counts[self._second % _MINUTE] += 1
        self._sum += 1
        return self._sum

    def count(self, second: int) -> int:
        """How many there were within the minute."""
        if second > self._second:
            self._go_on(second)
        return self._sum

    def _go_on(self, second: int) -> None:
        for passed in range(max(self._second + 1, second - _MINUTE + 1), second + 1):
            self._sum -= self._counts[passed % _MINUTE]
            self._counts[passed % _MINUTE] = 0
        self._second = second
