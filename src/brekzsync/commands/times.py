"""Times as people read them, and as JSON documents hold them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from brekzsync.domain.moments import moment

__all__ = ["ago", "moment", "span", "stamp"]

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def stamp(at: datetime | None) -> str | None:
    """ISO 8601, UTC, whole seconds; null stays null."""
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def span(length: timedelta) -> str:
    """How long, in the largest unit it fills: ``3 hours``; what a clock that was set back made negative is 0."""
    seconds = max(int(length.total_seconds()), 0)
    for size, unit in _UNITS:
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return "0 seconds"


def ago(at: datetime, now: datetime) -> str:
    """How long before ``now``; a moment that has just passed needs no number."""
    return f"{span(now - at)} ago" if (now - at).total_seconds() >= 1 else "just now"
