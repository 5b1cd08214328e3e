"""How often an API may still be asked: what its limits were told to be, what was spent, what it refused.

The limits are Exact Online's (facts/exact-globe.md section 7.5, facts/stock-sync.md C4): 60 calls a minute and 5,000 a
day for an app and a company, whoever makes them, and a key that is blocked after ten errors at one address within
an hour. Times are milliseconds of this machine's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Self

PER_MINUTE: Final = 60
PER_DAY: Final = 5_000
ERRORS_PER_HOUR: Final = 8  # of ten: the app's owner may need the others
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
_REFUSED = 429


class Later(Exception):
    """It should not be asked before ``at``. Never leaves a flow: what was to be asked waits."""

    def __init__(self, message: str, at: datetime) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


@dataclass(frozen=True, slots=True)
class CallBudget:
    """What is known of an app's calls to one company; every change gives another one.

    ``calls`` are those of the last minute, ``errors`` those of the last hour by address. ``refusals`` counts the
    refusals in a row, ``blocked_until`` is what they came to.
    """

    calls: tuple[int, ...] = ()
    day: int = 0
    calls_today: int = 0
    blocked_until: int = 0
    refusals: int = 0
    errors: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> Self:
        """From what ``stored`` gave."""
        errors = {address: tuple(times) for address, times in stored["errors"].items()}
        return cls(**{**stored, "calls": tuple(stored["calls"]), "errors": errors})

    def stored(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "calls": self.calls,
            "day": self.day,
            "calls_today": self.calls_today,
            "blocked_until": self.blocked_until,
            "refusals": self.refusals,
            "errors": dict(self.errors),
        }

    def wait(self, now: int, address: str) -> tuple[int, str]:
        """For how long this address may not be asked, and why; 0 when it may.

        What lies in the future was noted by a clock that has been set back: it counts, but for no longer than a
        limit's own span.
        """
        waits = [(min(self.blocked_until - now, DAY), "it has refused more calls")]
        recent = [at for at in self.calls if at > now - MINUTE]
        if len(recent) >= PER_MINUTE:
            waits.append((min(recent[-PER_MINUTE] + MINUTE - now, MINUTE), f"{PER_MINUTE} calls a minute"))
        if self.day == now // DAY and self.calls_today >= PER_DAY:
            waits.append((DAY - now % DAY, f"{PER_DAY} calls a day"))
        wrong = [at for at in self.errors.get(address, ()) if at > now - HOUR]
        if len(wrong) >= ERRORS_PER_HOUR:
            waits.append(
                (min(wrong[-ERRORS_PER_HOUR] + HOUR - now, HOUR), "after ten errors it blocks the app")
            )
        longest = max(waits)
        return (longest[0], longest[1]) if longest[0] > 0 else (0, "")

    def spent(self, now: int) -> Self:
        """A call is about to be made; one that then fails may have been counted there all the same."""
        today = now // DAY
        return replace(
            self,
            calls=(*self.calls, now)[-PER_MINUTE:],
            day=today,
            calls_today=(self.calls_today if self.day == today else 0) + 1,
        )

    def answered(self, now: int, address: str, status: int, headers: Mapping[str, str]) -> Self:
        """What an answer says; ``headers`` by lower-case names, ``status`` 0 where none came."""
        after = self if 200 <= status < 400 else self._with_error(now, address)
        refusals = self.refusals + 1 if status == _REFUSED else 0
        told = _told_wait(now, headers)
        if status == _REFUSED and not told:  # the minute then behaves like two
            told = MINUTE if refusals == 1 else 2 * MINUTE
        blocked = max(self.blocked_until, now + told) if told else self.blocked_until
        return replace(after, blocked_until=blocked, refusals=refusals)

    def _with_error(self, now: int, address: str) -> Self:
        known = [at for at in self.errors.get(address, ()) if at > now - HOUR]
        return replace(self, errors={**self.errors, address: (*known, now)[-ERRORS_PER_HOUR:]})


def _told_wait(now: int, headers: Mapping[str, str]) -> int:
    """How long the headers say that nothing is left.

    They name moments by the server's clock, which its ``Date`` gives: by ours a wait came out below zero. When
    the minute is used up those of the day are missing, which does not mean that the day is.
    """
    server = _server_time(headers, now)
    wait = 0
    for kind, span in (("minutely-", MINUTE), ("", DAY)):
        left = _number(headers.get(f"x-ratelimit-{kind}remaining"))
        reset = _number(headers.get(f"x-ratelimit-{kind}reset"))
        if left is not None and left <= 0:
            told = span if reset is None else reset - server
            wait = max(wait, min(max(told, 1_000), span))
    return wait


def _server_time(headers: Mapping[str, str], now: int) -> int:
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return now
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1000)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().lstrip("-").isdecimal() else None
