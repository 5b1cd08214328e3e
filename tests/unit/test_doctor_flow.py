"""Looking at everything: one check never keeps the next from being looked at, and the worst is known."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

import pytest

from brekzsync.domain.findings import Check, Finding, passed, skipped, warning
from brekzsync.errors import (
    AccessDenied,
    BrekzsyncError,
    ConfigurationError,
    Interrupted,
    PermanentError,
    Unavailable,
)
from brekzsync.flows.doctor import Result, counted, examine, worst


def check(name: str, look: Callable[[], Finding], *needs: str, system: str = "shop") -> Check:
    return Check(system=system, name=name, look=look, needs=needs)


def failing(error: Exception) -> Callable[[], Finding]:
    def look() -> Finding:
        raise error

    return look


def fine() -> Finding:
    return passed("Fine.")


def told(*checks: Check, limit: float = 10) -> list[tuple[str, str, str, str]]:
    return [
        (result.check.name, result.verdict.value, result.detail, result.remedy)
        for result in examine(checks, lambda _: None, limit=limit)
    ]


def test_a_check_that_fails_does_not_keep_the_next_from_being_looked_at() -> None:
    assert told(
        check("one", failing(Unavailable("It is away.", hint="Wait."))),
        check("two", lambda: warning("It is slow.", "Push it.")),
        check("three", lambda: skipped("There is none.")),
        check("four", fine),
    ) == [
        ("one", "failed", "It is away.", "Wait."),
        ("two", "warning", "It is slow.", "Push it."),
        ("three", "skipped", "There is none.", ""),
        ("four", "passed", "Fine.", ""),
    ]


def test_what_needs_a_failed_check_waits_for_it_and_so_does_what_needs_that() -> None:
    assert told(
        check("one", failing(Unavailable("It is away."))),
        check("two", fine, "one"),
        check("three", fine, "two"),
        check("four", fine, "one", system="erp"),
    ) == [
        ("one", "failed", "It is away.", ""),
        ("two", "skipped", 'Waits for "one" above.', ""),
        ("three", "skipped", 'Waits for "two" above.', ""),
        ("four", "passed", "Fine.", ""),
    ]


def test_what_needs_a_check_that_had_nothing_to_look_at_is_looked_at() -> None:
    assert told(check("one", lambda: skipped("None.")), check("two", fine, "one"))[1][1] == "passed"


def test_a_fault_of_ours_is_a_failure_of_that_check_alone() -> None:
    assert told(check("one", failing(ZeroDivisionError("division by zero"))), check("two", fine)) == [
        (
            "one",
            "failed",
            "Unexpected ZeroDivisionError: division by zero.",
            "This is a fault in brekzsync: please report it.",
        ),
        ("two", "passed", "Fine.", ""),
    ]


def test_a_system_that_never_answers_is_given_up() -> None:
    never = Event()

    def hang() -> Finding:
        never.wait(30)
        return fine()

    first, second = told(check("one", hang), check("two", fine), limit=0.05)

    never.set()
    assert first[:3] == ("one", "failed", "There was no answer within 0.05 seconds.")
    assert second[1] == "passed"


def test_an_interruption_is_not_a_finding() -> None:
    with pytest.raises(Interrupted):
        told(check("one", failing(Interrupted(15))))


def test_every_check_counts_towards_the_progress() -> None:
    steps: list[int] = []

    examine([check("one", failing(Unavailable("Away."))), check("two", fine, "one")], steps.append)

    assert steps == [1, 1]


def results(*errors: BrekzsyncError) -> list[Result]:
    checks = [check(str(place), failing(error)) for place, error in enumerate(errors)]
    return examine([check("fine", fine), *checks], lambda _: None)


def test_the_worst_failure_is_the_one_to_settle_first() -> None:
    configuration, denied = ConfigurationError("c"), AccessDenied("d")
    unavailable, permanent = Unavailable("u"), PermanentError("p")

    assert worst(results(permanent, unavailable, denied, configuration)) is configuration
    assert worst(results(permanent, unavailable, denied)) is denied
    assert worst(results(permanent, unavailable)) is unavailable
    assert worst(results(permanent)) is permanent
    assert worst(results()) is None


def test_every_way_to_end_is_counted() -> None:
    assert counted(results(Unavailable("u"))) == {"passed": 1, "warning": 0, "failed": 1, "skipped": 0}
