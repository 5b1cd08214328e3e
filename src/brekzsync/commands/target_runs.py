"""One run for each target in turn: what all commands that export have in common around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

from brekzsync.commands.invocation import Invocation
from brekzsync.errors import BrekzsyncError, Interrupted, LockHeld

if TYPE_CHECKING:
    from datetime import datetime

    from brekzsync.domain.outcomes import Tally
    from brekzsync.domain.sync_flows import FlowSwitch
    from brekzsync.flows.frame import OpenRun
    from brekzsync.state.database import State
    from brekzsync.state.runs import Runs

Report = TypeVar("Report")


class TargetFailure(NamedTuple):
    """The error that ended one target's run; ``is_known`` when the run before ended with it as well."""

    target: str
    error: BrekzsyncError
    is_known: bool


def run_each(
    invocation: Invocation, names: Sequence[str], run_one: Callable[[str], Report]
) -> tuple[list[Report], list[TargetFailure]]:
    """Run for each target in turn; one of several that fails does not keep the others back."""
    reports: list[Report] = []
    failures: list[TargetFailure] = []
    for name in names:
        invocation.is_known_failure = False
        try:
            reports.append(run_one(name))
        except BrekzsyncError as error:
            if len(names) == 1 or isinstance(error, Interrupted):
                raise
            failures.append(TargetFailure(name, error, invocation.is_known_failure))
    return reports, failures


def raise_failures(
    invocation: Invocation, label: str, failures: Sequence[TargetFailure], done: dict[str, Any], command: str
) -> NoReturn:
    """Tell of every target that failed and raise the first error, a lock that is held only for want of another.

    ``label`` is what cron calls the flow, ``done`` what the other targets came to, for JSON.
    """
    from brekzsync.console import failure

    console = invocation.console
    for one in failures:
        console.warning(f"{one.target}: {one.error.message}")
        if not (one.is_known or isinstance(one.error, LockHeld)):
            console.cron_report(f"{label} → {one.target}: {one.error.message} {one.error.hint}".rstrip())
    invocation.is_known_failure = True  # what cron should mail of them is said
    errors = [one.error for one in failures]
    first = next((error for error in errors if not isinstance(error, LockHeld)), errors[0])
    if done:
        console.document(command, False, {**done, "error": failure(first)})
    raise first


def remembering(
    invocation: Invocation,
    runs: Runs,
    flow: str,
    target: str,
    execute: Callable[[], Report],
    *,
    command: str = "",
) -> Report:
    """Run, and say of an error whether the run before ended with it too: cron need not mail it again.

    ``command`` tells which runs those are, where several commands make runs of the flow.
    """
    from brekzsync.flows.cron_report import is_known_error
    from brekzsync.flows.frame import error_code

    before = runs.previous(flow, target, command=command)
    try:
        return execute()
    except Exception as error:
        invocation.is_known_failure = is_known_error(before, error_code(error))
        raise


def switch_if_off(state: State, flow: str, target: str) -> FlowSwitch | None:
    """Who switched the flow off, when and why; None when it is on."""
    switch = state.switches.find(flow, target)
    return switch if switch is not None and not switch.is_enabled else None


def daily_summary(
    runs: Runs, label: str, flow: str, target: str, run: OpenRun, tally: Tally, now: datetime
) -> list[str]:
    """The line of the day, once; the very first run only starts the count."""
    from brekzsync.flows.cron_report import is_summary_due, summary
    from brekzsync.state.runs import RunHandle

    last = runs.last_summary_at(flow, target)
    if not is_summary_due(now, last):
        return []
    runs.summarise(RunHandle(run.id, run.name), now)
    return [] if last is None else [summary(label, target, tally)]


def tell_of_new_state(invocation: Invocation, what: str, remedy: str) -> None:
    """A first run says so, also under cron: were the state lost, everything would be sent again.

    ``what`` says what a new state means, ``remedy`` what the baseline does about it.
    """
    text = (
        f"The state database did not exist and was created: {what}. If it was lost, stop and put its backup back;"
        f" {remedy}."
    )
    invocation.console.notice(text)
    invocation.console.cron_report(text)
