"""Times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(at: datetime) -> str:
    """An aware time in UTC, to the minute."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def moment_of(milliseconds: int) -> str:
    """As ``moment``, of a time as the ledger keeps it (ms since epoch)."""
    return moment(datetime.fromtimestamp(milliseconds / 1000, UTC))
