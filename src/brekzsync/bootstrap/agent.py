"""The agent beside Exact Globe: asked from here, or run here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brekzsync.agent.client import AgentClient, AgentDistrusts, AgentUnreachable, NotAnAgent
from brekzsync.agent.protocol import ProtocolError
from brekzsync.bootstrap.state import existing_state, utc_now
from brekzsync.errors import (
    AccessDenied,
    BrekzsyncError,
    ConfigurationError,
    InvalidInput,
    LockHeld,
    PermanentError,
    Unavailable,
)
from brekzsync.flows.cron_report import is_known_error

if TYPE_CHECKING:
    from brekzsync.settings import Settings
    from brekzsync.state.database import State

_FLOW = "agent"
_SECONDS = 10.0
_DOUBTS = {
    "secret_refused": (
        "refused the secret",
        "Give [agent] secret the value of the agent's own file.",
    ),
    "secret_needed": (
        "wants a secret, and [agent] secret is empty",
        "Set [agent] secret to the value of the agent's own file.",
    ),
    "no_secret_there": (
        "has no secret, though [agent] secret is set",
        "Set [agent] secret in the agent's own file, or empty it here.",
    ),
    "impostor": (
        "does not know the secret it asks for",
        "Make sure that [agent] host and port lead to your own agent.",
    ),
}


def has_agent(settings: Settings) -> bool:
    """Whether the configuration names an agent."""
    return bool(settings.agent.host)


def no_agent(settings: Settings) -> ConfigurationError:
    """There is nobody to ask."""
    return ConfigurationError(
        f"There is no agent: [agent] host is not set in {settings.source}.",
        hint="Set it to the machine the agent runs on, and [agent] secret to the agent's.",
        code="no_agent",
    )


def ask_agent(settings: Settings, verb: str, **fields: Any) -> dict[str, Any]:
    """The agent's reply; bounded in time.

    Raises ConfigurationError (``no_agent``, ``not_an_agent``), Unavailable, AccessDenied, InvalidInput
    (``unknown_job``), LockHeld (``already_running``).
    """
    if not has_agent(settings):
        raise no_agent(settings)
    own = settings.agent
    where = f"The agent at {own.host}:{own.port}"
    try:
        with AgentClient(own.host, own.port, own.secret.get_secret_value(), _SECONDS) as client:
            return client.ask(verb, **fields)
    except AgentUnreachable as error:
        raise Unavailable(
            f"{where} does not answer: {error}.",
            hint="Look whether it runs there, and whether a firewall lets this machine reach it.",
        ) from None
    except AgentDistrusts as error:
        what, hint = _DOUBTS[error.doubt]
        raise AccessDenied(f"{where} {what}.", hint=hint) from None
    except NotAnAgent as error:
        raise ConfigurationError(
            f"What listens at {own.host}:{own.port} is no agent: {error}.",
            hint="Correct [agent] host and port.",
            code="not_an_agent",
        ) from None
    except ProtocolError as error:
        raise _meant(error, where) from None


def _meant(error: ProtocolError, where: str) -> BrekzsyncError:
    match error.code:
        case "unknown_job":
            return InvalidInput(
                f"The agent has no such job. {error.message}", hint="Name one of these.", code="unknown_job"
            )
        case "already_running":
            return LockHeld(
                f"The job is running already: {error.message}",
                hint="Wait for it to end: `brekzsync agent status`.",
                code="already_running",
            )
        case "stopping":
            return Unavailable(f"{where} is being stopped.", hint="Ask again when it is back.")
        case _:
            return PermanentError(
                f"{where} answered: {error.message}", hint="Give it and brekzsync the same release."
            )


class Memory:
    """How the start of a job ended the last time, so that cron mails a failure once.

    Without a state database there is none, and everything is told.
    """

    def __init__(self, state: State | None, job: str) -> None:
        self._state = state
        self._job = job[:40]

    def is_known(self, error: BrekzsyncError) -> bool:
        """Whether the start before failed in the same way."""
        previous = self._state.runs.previous(_FLOW, self._job) if self._state else None
        return is_known_error(previous, error.code)

    def note(self, error: BrekzsyncError | None) -> None:
        """Record this start."""
        if self._state is None:
            return
        runs = self._state.runs
        handle = runs.open(_FLOW, self._job, f"agent start {self._job}", utc_now())
        if error is None:
            runs.finish(handle, "done", at=utc_now())
        else:
            runs.finish(handle, "failed", at=utc_now(), error_code=error.code, error_message=error.message)


@contextmanager
def memory_of(settings: Settings, job: str) -> Iterator[Memory]:
    """What is remembered of starting ``job``; a state that cannot be used forgets, it fails nothing."""
    with ExitStack() as stack:
        state = None
        with suppress(BrekzsyncError):
            state = stack.enter_context(existing_state(settings, writes=True))
        yield Memory(state, job)


def run_agent(file: Path | None, *, check: bool) -> list[str]:
    """Run an agent in this process until it is told to stop; with ``check`` only say what its file comes to."""
    from brekzsync.agent import __main__ as program
    from brekzsync.agent.configuration import BadConfiguration
    from brekzsync.agent.files import Locked
    from brekzsync.agent.results import BadRecogniser

    path = file or program.default_file()
    hint = "docs/how-to/agent-on-windows.md shows a whole file."
    try:
        service = program.prepared(path)
        if check:
            return service.summary()
        program.run(service)
    except BadConfiguration as error:
        raise ConfigurationError(f"{error}", hint=hint) from None
    except BadRecogniser as error:
        raise ConfigurationError(str(error), hint=hint) from None
    except Locked:
        raise LockHeld(
            f"Another agent works in the work folder of {path}.", hint="Stop that one first."
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"The agent cannot run: {error}.", hint=f"Look at [agent] host, port and work in {path}."
        ) from None
    return []
