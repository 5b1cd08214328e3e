"""How the agent is shown: as a table, and as JSON."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from brekzsync.commands.times import ago, span

if TYPE_CHECKING:
    from brekzsync.console import Console
    from brekzsync.settings.services import AgentSettings

_COLUMNS = ("Job", "Is", "Last run", "Came to", "Unposted")
_ENDINGS = {
    "done": "done",
    "stopped": "stopped",
    "switched_off": "switched off",
    "shop_away": "the shop is away",
    "shop_refused": "the shop refused",
    "importer_missing": "no AsImport",
    "import_at_work": "an import is still at work",
}
_COUNTED = {
    "imported": "imported",
    "rejected": "rejected",
    "handed_over": "handed over",
    "not_offered": "no longer offered",
    "broken": "passed over",
    "unknown_to_shop": "unknown to the shop",
}


def status_document(agent: AgentSettings, reply: dict[str, Any]) -> dict[str, Any]:
    told = {key: value for key, value in reply.items() if key != "ok"}
    return {"agent": {"address": f"{agent.host}:{agent.port}", **told}}


def show_status(console: Console, agent: AgentSettings, reply: dict[str, Any]) -> None:
    now = datetime.fromisoformat(reply["now"])
    if console.verbosity < 0:
        return
    started = datetime.fromisoformat(reply["started_at"])
    title = f"Agent {reply['version']} on {reply['host']} ({agent.host}:{agent.port}), up for {span(now - started)}"
    console.table(title, _COLUMNS, [_row(job, now) for job in reply["jobs"]])
    for job in reply["jobs"]:
        for line in _remarks(job):
            console.output(f"{job['job']}: {line}")


def _row(job: dict[str, Any], now: datetime) -> tuple[object, ...]:
    last = job["last_run"]
    backlog = job["backlog"]
    return (
        job["job"],
        _is(job, now),
        "none yet" if last is None else _told(last, now),
        "" if last is None else _counted(last["counts"]),
        backlog["unposted_results"],
    )


def _is(job: dict[str, Any], now: datetime) -> str:
    if job["running"]:
        since = f" for {span(now - datetime.fromisoformat(job['since']))}" if job["since"] else ""
        return f"{'stopping' if job['stopping'] else 'at work'}{since}"
    seconds = job["next_run_in_seconds"]
    return "idle" if seconds is None else f"due in {span(timedelta(seconds=seconds))}"


def _told(last: dict[str, Any], now: datetime) -> str:
    ending = _ENDINGS.get(last["outcome"], last["outcome"])
    return f"{ago(datetime.fromisoformat(last['ended_at']), now)}: {ending}"


def _counted(counts: dict[str, int]) -> str:
    told = [f"{counts[name]} {words}" for name, words in _COUNTED.items() if counts.get(name)]
    return ", ".join(told) or "nothing to do"


def _remarks(job: dict[str, Any]) -> list[str]:
    """What a table has no room for."""
    lines = []
    last, backlog = job["last_run"], job["backlog"]
    if last is not None and last["outcome"] not in ("done", "stopped"):
        in_a_row = job["failures_in_a_row"]
        lines.append(f"{last['message']}{f' ({in_a_row} times in a row)' if in_a_row > 1 else ''}")
    if backlog["refused_results"]:
        lines.append(
            f"{backlog['refused_results']} results the shop would not take lie in the agent's work folder, under"
            f" {job['job']}/refused."
        )
    return lines
