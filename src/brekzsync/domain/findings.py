"""What ``doctor`` looks at and what it finds, told in the same words by every room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check ended. The codes are part of ``doctor --json``."""

    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check saw, as a sentence, and what a person can do about it.

    Never a failure: a check that fails raises its error, which knows its message, remedy and exit code.
    """

    verdict: Verdict
    detail: str
    remedy: str = ""


def passed(detail: str) -> Finding:
    return Finding(verdict=Verdict.PASSED, detail=detail)


def warning(detail: str, remedy: str) -> Finding:
    return Finding(verdict=Verdict.WARNING, detail=detail, remedy=remedy)


def skipped(detail: str) -> Finding:
    """Nothing to look at, by configuration or because a system has no such thing."""
    return Finding(verdict=Verdict.SKIPPED, detail=detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing to look at. It changes nothing, and may be looked at again.

    ``needs`` names checks of the same system and target without which this one could tell nothing new.
    """

    system: str
    name: str
    look: Callable[[], Finding]
    needs: tuple[str, ...] = ()
    target: str = ""
