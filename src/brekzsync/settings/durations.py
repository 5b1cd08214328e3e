"""Durations and percentages as people write them in a configuration file or on the command line."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

_DURATION = re.compile(r"(\d{1,9})\s*(s|m|h|d|w)")
_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_PERCENTAGE = re.compile(r"(\d{1,3}(?:\.\d{1,4})?)\s*%")


def parse_duration(text: str) -> timedelta:
    """Read ``30s``, ``5m``, ``24h``, ``7d`` or ``2w``; a number without a unit is refused, not guessed."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError("must be a number with a unit, such as 30s, 5m, 24h or 7d")
    try:
        return int(match[1]) * _UNITS[match[2]]
    except OverflowError:
        raise ValueError("is longer than a program can wait") from None


def format_duration(duration: timedelta) -> str:
    """Write a duration in the largest unit that divides it; ``parse_duration`` is its inverse."""
    seconds = int(duration.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def parse_percentage(text: str) -> Decimal:
    """Read ``30%`` as 0.3; a bare number is refused because 0.3 and 30 could both be meant."""
    match = _PERCENTAGE.fullmatch(text.strip())
    if match is None or (share := Decimal(match[1]) / 100) > 1:
        raise ValueError("must be a percentage from 0% to 100%, such as 30%")
    return share


def format_percentage(share: Decimal) -> str:
    """Write 0.3 as ``30%``; ``parse_percentage`` is its inverse."""
    return f"{(share * 100).normalize():f}%"
