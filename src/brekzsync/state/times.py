"""Times as the state database keeps them: whole milliseconds since 1970, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_milliseconds(at: datetime) -> int:
    """An aware time as the database keeps it, cut to the millisecond; a naive one is a ``TypeError``."""
    return (at - _EPOCH) // _MILLISECOND


def from_milliseconds(milliseconds: int) -> datetime:
    """The aware UTC time ``to_milliseconds`` was given."""
    return _EPOCH + milliseconds * _MILLISECOND
