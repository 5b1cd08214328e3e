"""How runs of ``orders push-status`` and ``tickets check`` are shown: for people, as JSON, as lines for cron's mail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from brekzsync.commands.invocation import Invocation
from brekzsync.commands.run_reports import counted, is_off, is_to_be_shown, show_failures
from brekzsync.domain.sync_flows import FLOWS

if TYPE_CHECKING:
    from brekzsync.domain.outcomes import Tally
    from brekzsync.domain.sync_flows import FlowSwitch
    from brekzsync.flows.order_status.run import StatusOutcome

FLOW = FLOWS["order_status"]
PUSH, CHECK = FLOW.command, "tickets check"
LABEL = "order statuses"


class Asked(NamedTuple):
    """What was typed; ``dry_run`` may be the configuration's wish as well. ``orders`` are ``id_order``."""

    command: str
    orders: tuple[int, ...] = ()
    baseline: bool = False
    dry_run: bool = False


class StatusReport(NamedTuple):
    """The outcome of a run; ``cron_lines`` is what cron should mail of it.

    ``switched_off`` says that the flow is: then nothing ran, unless it was a dry run; without a word about the
    marketplace in the configuration nothing ran either. ``by_configuration``: it was a dry run because every run is.
    """

    asked: Asked
    outcome: StatusOutcome
    cron_lines: list[str]
    switched_off: FlowSwitch | None = None
    is_configured: bool = True
    by_configuration: bool = False

    @property
    def target(self) -> str:
        """Where it goes."""
        return FLOW.own_target

    @property
    def tally(self) -> Tally:
        """The run's counts."""
        return self.outcome.tally


def document(report: StatusReport) -> dict[str, Any]:
    """The run as JSON."""
    asked, outcome = report.asked, report.outcome
    made: dict[str, Any] = {
        "run_id": outcome.run.name or None,
        "target": report.target,
        "dry_run": asked.dry_run,
        **counted(report.tally),
        "output": None,
        "operations": dict(outcome.sent),
        "waiting": dict(outcome.waiting),
        "requests": outcome.requests,
        "notices": list(outcome.warnings),
    }
    if report.switched_off:
        made["disabled"] = True
    if not report.is_configured:
        made["configured"] = False
    if asked.baseline:
        made["baselined"] = outcome.baselined
    return made | _error(asked, made["counts"])


def _error(asked: Asked, counts: Mapping[str, int]) -> dict[str, Any]:
    failed = counts["failed"]
    if not failed:
        return {}
    of = counts["read"] if asked.command == CHECK else counts["pending"]
    what = "awaited" if asked.command == CHECK else "pending"
    return {
        "error": {
            "code": "records_failed",
            "message": f"{failed} of {of} {what} order{'' if of == 1 else 's'} failed.",
            "hint": "Each failure says what to mend; what was not given up is tried again by itself.",
        }
    }


def show(invocation: Invocation, report: StatusReport) -> None:
    """What a run came to, for a terminal or for cron's mail."""
    console, asked, outcome = invocation.console, report.asked, report.outcome
    heading = title(asked)
    did = "asked" if asked.command == CHECK else "read or sent"
    for text in outcome.warnings:
        console.warning(text)
    if not is_to_be_shown(invocation, heading, report, FLOW.name, "marketplace", did, dry_run=asked.dry_run):
        return
    if console.verbosity >= 0:
        rows = _ticket_rows if asked.command == CHECK else _push_rows
        console.table(heading, ["Orders", "Count"], rows(report, outcome))
    show_failures(console, report.tally, "Order")
    if is_off(invocation, report, FLOW.name):
        return
    for line in _closing(invocation, report, outcome):
        console.notice(line)


def title(asked: Asked) -> str:
    """What a run of it is called."""
    if asked.command == CHECK:
        return f"Tickets ← {FLOW.own_target}{' (dry run: nothing written)' if asked.dry_run else ''}"
    what = "Baseline of order statuses" if asked.baseline else "Order statuses"
    return f"{what} → {FLOW.own_target}{' (dry run: nothing sent)' if asked.dry_run else ''}"


def _push_rows(report: StatusReport, outcome: StatusOutcome) -> list[tuple[str, int]]:
    """Every count, the reasons under the count they belong to."""
    tally, asked = report.tally, report.asked
    rows = [("Marketplace orders", tally.read), ("  in a state that is told", tally.eligible)]
    if asked.baseline:
        taken = "would be taken" if asked.dry_run else "taken"
        rows += [("    told already", tally.unchanged - outcome.baselined)]
        rows += [(f"    {taken} as told", outcome.baselined)]
        return [*rows, *_waiting(outcome, "    "), *_skipped(tally)]
    rows += [("    told already", tally.unchanged), ("    pending", tally.pending)]
    rows += [("      would be sent" if asked.dry_run else "      sent", tally.delivered)]
    rows += _operations(outcome, "        ")
    rows += [*_failed(tally, "      "), *_waiting(outcome, "      "), *_skipped(tally)]
    return rows + _others(tally, outcome)


def _ticket_rows(report: StatusReport, outcome: StatusOutcome) -> list[tuple[str, int]]:
    tally = report.tally
    rows = [("Answers awaited", tally.read), ("  accepted by the marketplace", tally.delivered)]
    rows += _operations(outcome, "    ")
    return [*rows, *_failed(tally, "  "), *_waiting(outcome, "  "), *_others(tally, outcome)]


def _operations(outcome: StatusOutcome, indent: str) -> list[tuple[str, int]]:
    return [
        (f"{indent}as {_OPERATIONS.get(name, name)}", count) for name, count in outcome.sent.items() if count
    ]


def _failed(tally: Tally, indent: str) -> list[tuple[str, int]]:
    failed = dict.fromkeys(failure.reason for failure in tally.failures)
    reasons = [(f"{indent}  {_words(reason)}", tally.reasons[reason]) for reason in failed]
    return [(f"{indent}failed", tally.failed), *reasons]


def _waiting(outcome: StatusOutcome, indent: str) -> list[tuple[str, int]]:
    return [(f"{indent}{_words(reason)}", count) for reason, count in outcome.waiting.items() if count]


def _skipped(tally: Tally) -> list[tuple[str, int]]:
    return [(f"  {_words(reason)}", tally.reasons[reason]) for reason in _SKIPPED if tally.reasons[reason]]


def _others(tally: Tally, outcome: StatusOutcome) -> list[tuple[str, int]]:
    """Reasons that belong to no count above, and warnings."""
    told = {*_SKIPPED, *outcome.waiting, *(failure.reason for failure in tally.failures)}
    rows = [
        (_words(reason).capitalize(), count)
        for reason, count in tally.reasons.items()
        if count and reason not in told
    ]
    return rows + [(f"Warning: {_words(warning)}", count) for warning, count in tally.warnings.most_common()]


_SKIPPED = ("state_not_mapped", "fulfilled_by_channel")
_OPERATIONS = {"ship": "shipped", "cancel": "canceled", "refund": "refunded", "deliver": "delivered"}
_WORDS = {
    "queued": "left for the next run",
    "shipped_delay": "shipped just now, told after shipped_delay",
    "no_tracking_yet": "waiting for a tracking number",
    "in_flight": "sent, answer awaited",
    "unclear": "unclear, looked up by the next run",
    "waiting_to_retry": "failed before, waiting to be tried again",
    "left_before_sent": "left their state before it was sent",
    "order_gone": "gone from the shop",
    "fulfilled_by_channel": "sent by the channel itself",
    "no_tracking": "no tracking number",
    "state_not_mapped": "in a state that is not told",
    "operation_not_of_channel": "nothing the channel takes",
    "no_marketplace_identity": "not known to the marketplace",
    "no_marketplace_account": "without an account",
    "refused": "refused by the marketplace",
    "ignored": "ignored by the marketplace",
    "ticket_failed": "failed at the marketplace",
    "ticket_canceled": "canceled by the marketplace",
    "ticket_lost": "ticket lost",
    "sent_without_tracking": "sent without a tracking number",
}


def _words(reason: str) -> str:
    return _WORDS.get(reason, reason.replace("_", " "))


def _closing(invocation: Invocation, report: StatusReport, outcome: StatusOutcome) -> Iterable[str]:
    """What was passed over, where a person asked for it, and the next thing to type."""
    asked, tally = report.asked, report.tally
    if asked.orders:
        yield from dict.fromkeys(outcome.passed_over)
    if asked.dry_run:
        yield from _after_dry_run(report, outcome)
    elif tally.failures:
        retry = invocation.typed(f"logs retry {tally.failures[0].shown} --type order")
        yield f"Next: mend what failed, then: {retry}"
        yield "What was not given up is tried again by itself."
    elif asked.command == CHECK:
        yield from _after_check(invocation, report, outcome)
    elif tally.delivered:
        yield f"Next: {invocation.typed(CHECK)} tells what the marketplace made of them."
    elif not (tally.pending or asked.orders or asked.baseline):
        yield "Nothing to do: the marketplace knows the state of every order."


def _after_dry_run(report: StatusReport, outcome: StatusOutcome) -> Iterable[str]:
    if report.by_configuration:
        yield "[marketplace] dry_run is on: every run only says what it would do. Set it to false to have it done."
    elif report.tally.delivered or outcome.baselined:
        done = "settles" if report.asked.command == CHECK else "sends"
        done = "takes" if report.asked.baseline else done
        yield f"Next: the same command without --dry-run {done} them."


def _after_check(invocation: Invocation, report: StatusReport, outcome: StatusOutcome) -> Iterable[str]:
    waiting = sum(outcome.waiting.values())
    if waiting:
        still = "1 answer is" if waiting == 1 else f"{waiting} answers are"
        yield f"{still} still awaited: the next check looks again."
    elif not report.tally.read:
        yield f"Nothing to do: no answer is awaited. {invocation.typed(PUSH)} tells the marketplace what is new."
