"""``doctor``: look at everything, whatever some of it turns out to be, and say what weighs most."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Thread

from brekzsync.domain.findings import Check, Finding, Verdict
from brekzsync.errors import (
    AccessDenied,
    BrekzsyncError,
    ConfigurationError,
    Interrupted,
    Unavailable,
)

LIMIT = 12.0
"""Seconds one check may take. Gateways give up earlier and say more; this ends what has no limit of its own."""

_WORST_FIRST = (ConfigurationError.exit_code, AccessDenied.exit_code, Unavailable.exit_code)

_logger = logging.getLogger("brekzsync.doctor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A check and how it ended; ``error`` is what it failed with."""

    check: Check
    verdict: Verdict
    detail: str
    remedy: str
    error: BrekzsyncError | None = None


def examine(checks: Sequence[Check], advance: Callable[[int], None], *, limit: float = LIMIT) -> list[Result]:
    """Look at each in turn. None of them keeps the next from being looked at, but for those that need it."""
    results: list[Result] = []
    lost: set[tuple[str, str, str]] = set()
    for check in checks:
        missing = next((name for name in check.needs if (check.system, check.target, name) in lost), None)
        result = _examined(check, limit) if missing is None else _not_looked_at(check, missing)
        if missing is not None or result.verdict is Verdict.FAILED:
            lost.add((check.system, check.target, check.name))
        results.append(result)
        advance(1)
    return results


def worst(results: Sequence[Result]) -> BrekzsyncError | None:
    """The failure to settle first, None when nothing failed: configuration, rights, systems, then the rest."""
    errors = [result.error for result in results if result.error is not None]
    return min(errors, key=_rank, default=None)


def counted(results: Sequence[Result]) -> dict[str, int]:
    """How many ended in which way; every way is named."""
    counts = Counter(result.verdict for result in results)
    return {verdict.value: counts[verdict] for verdict in Verdict}


def _rank(error: BrekzsyncError) -> int:
    code = error.exit_code
    return _WORST_FIRST.index(code) if code in _WORST_FIRST else len(_WORST_FIRST)


def _not_looked_at(check: Check, missing: str) -> Result:
    return Result(check=check, verdict=Verdict.SKIPPED, detail=f'Waits for "{missing}" above.', remedy="")


def _examined(check: Check, limit: float) -> Result:
    try:
        finding = _within(limit, check.look)
    except Interrupted:
        raise
    except BrekzsyncError as error:
        return _failure(check, error)
    except Exception as error:
        _logger.critical("check %s %s", check.system, check.name, exc_info=error)
        return _failure(check, _unexpected(error))
    return Result(check=check, verdict=finding.verdict, detail=finding.detail, remedy=finding.remedy)


def _failure(check: Check, error: BrekzsyncError) -> Result:
    return Result(check=check, verdict=Verdict.FAILED, detail=error.message, remedy=error.hint, error=error)


def _unexpected(error: Exception) -> BrekzsyncError:
    first_line = str(error).partition("\n")[0][:200]
    return BrekzsyncError(
        f"Unexpected {type(error).__name__}: {first_line}".rstrip(": .") + ".",
        hint="This is a fault in brekzsync: please report it.",
        code="unexpected",
    )


def _within(limit: float, look: Callable[[], Finding]) -> Finding:
    """Look in a thread of its own, which is left behind when it does not come back in time.

    A host that takes a connection and then says nothing is not what the drivers' connect timeouts end.
    """
    ended: list[Finding | Exception] = []

    def work() -> None:
        try:
            ended.append(look())
        except Exception as error:
            ended.append(error)

    thread = Thread(target=work, daemon=True)  # a daemon: the program ends without it
    thread.start()
    thread.join(limit)
    if not ended:
        raise Unavailable(
            f"There was no answer within {limit:g} seconds.",
            hint="Check that the system is up and that no firewall lies between; then run doctor again.",
        )
    if isinstance(ended[0], Exception):
        raise ended[0]
    return ended[0]
