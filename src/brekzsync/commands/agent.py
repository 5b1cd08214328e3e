"""``brekzsync agent``: the agent beside Exact Globe, asked from the shop's side, or run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from brekzsync.commands.invocation import Invocation, pass_invocation

if TYPE_CHECKING:
    from brekzsync.errors import BrekzsyncError

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
# As for `diagnose`: what was looked for is not so. No error, and told apart from one.
NO_AGENT = 4


@click.group(epilog="Example: brekzsync agent status")
def agent() -> None:
    """Ask the agent beside Exact Globe, or run it."""


def _of_a_job(command: Decorated) -> Decorated:
    """What ``start`` and ``stop`` take."""
    for option in (
        click.option("-n", "--dry-run", is_flag=True, help="Only say what would be asked."),
        click.argument("job", metavar="JOB"),
    ):
        command = option(command)
    return command


@agent.command(epilog="Example: brekzsync agent status")
@pass_invocation
def status(invocation: Invocation) -> None:
    """Show what the agent's jobs do, how their last runs ended, and what waits.

    The agent is the one that [agent] host, port and secret name.
    """
    from brekzsync.bootstrap.agent import ask_agent
    from brekzsync.commands.agent_reports import show_status, status_document

    reply = ask_agent(invocation.settings, "status")
    show_status(invocation.console, invocation.settings.agent, reply)
    invocation.console.document("agent status", True, status_document(invocation.settings.agent, reply))


@agent.command(epilog="Example: brekzsync agent start products")
@_of_a_job
@click.option("--if-configured", is_flag=True, help="Exit with 4, in silence, where [agent] host is not set.")
@pass_invocation
def start(invocation: Invocation, job: str, dry_run: bool, if_configured: bool) -> int:
    """Have the agent run a job now: fetch what is pending, import it, and tell what became of it.

    JOB is products, orders or refunds, or what else the agent's own file names. Does not wait for the end of
    the run; exit code 75 when one is at work.
    """
    from brekzsync.bootstrap.agent import ask_agent, has_agent, no_agent
    from brekzsync.console import failure

    console = invocation.console
    if if_configured and not has_agent(invocation.settings):
        error = failure(no_agent(invocation.settings))
        console.document("agent start", False, {"job": job, "started": False, "error": error})
        return NO_AGENT
    if dry_run:
        running = _job_of(invocation, job)["running"]
        console.notice(f"{job} is at work already." if running else f"Would start {job}.")
    elif invocation.is_cron:
        _start_as_cron(invocation, job)
    else:
        ask_agent(invocation.settings, "start", job=job)
        console.notice(f"Started {job}. See how it goes: {invocation.typed('agent status')}")
    console.document("agent start", True, {"job": job, "dry_run": dry_run, "started": not dry_run})
    return 0


def _start_as_cron(invocation: Invocation, job: str) -> None:
    """Start it, and remember how that ended: the same failure is not mailed every five minutes."""
    from brekzsync.bootstrap.agent import ask_agent, memory_of
    from brekzsync.errors import BrekzsyncError, LockHeld

    with memory_of(invocation.settings, job) as memory:
        ended: BrekzsyncError | None = None
        try:
            ask_agent(invocation.settings, "start", job=job)
        except LockHeld:
            raise  # silent anyway, and no failure
        except BrekzsyncError as error:
            ended = error
            invocation.is_known_failure = memory.is_known(error)
        memory.note(ended)
        if ended is not None:
            raise ended


@agent.command(epilog="Example: brekzsync agent stop products")
@_of_a_job
@pass_invocation
def stop(invocation: Invocation, job: str, dry_run: bool) -> None:
    """Have the agent end a run after the document it is importing.

    The next run comes in its turn, or when it is started.
    """
    from brekzsync.bootstrap.agent import ask_agent

    console = invocation.console
    if dry_run:
        was_running = bool(_job_of(invocation, job)["running"])
        would = f"Would stop {job} after the document at hand."
    else:
        was_running = bool(ask_agent(invocation.settings, "stop", job=job)["was_running"])
        would = f"{job} ends after the document at hand."
    console.notice(would if was_running else f"{job} is not at work.")
    console.document("agent stop", True, {"job": job, "dry_run": dry_run, "was_running": was_running})


def _job_of(invocation: Invocation, name: str) -> dict[str, Any]:
    """What the agent tells of one job. Raises InvalidInput (``unknown_job``)."""
    from brekzsync.bootstrap.agent import ask_agent
    from brekzsync.errors import InvalidInput

    jobs = {job["job"]: job for job in ask_agent(invocation.settings, "status")["jobs"]}
    if name not in jobs:
        raise InvalidInput(
            f"The agent has no such job. The jobs there are {', '.join(jobs)}.",
            hint="Name one of these.",
            code="unknown_job",
        )
    found: dict[str, Any] = jobs[name]
    return found


@agent.command(epilog="Example: brekzsync agent run --config agent.toml")
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The agent's own file [default: $BREKZSYNC_AGENT_CONFIG, ./agent.toml].",
)
@click.option("--check", is_flag=True, help="Only check that file.")
@pass_invocation
def run(invocation: Invocation, file: Path | None, check: bool) -> None:
    """Run the agent in this process, until it is told to stop.

    It belongs next to Exact Globe and has a configuration file of its own. `python -m brekzsync.agent` does the
    same, and so does the one file that needs nothing but Python.
    """
    from brekzsync.bootstrap.agent import run_agent

    lines = run_agent(file, check=check)
    for line in lines:
        invocation.console.output(line)
    invocation.console.document("agent run", True, {"checked": lines} if check else {})
