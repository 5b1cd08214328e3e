"""What went wrong, sorted by what to do about it.

Every error a person can meet is one of these. It carries a sentence (what, which record, which system)
and a hint (the next thing to type or to change). ``cli.py`` is the only place that turns one into an
exit code; ``docs/reference/exit-codes.md`` lists them.
"""

from __future__ import annotations

from typing import ClassVar


class BrekzsyncError(Exception):
    """An error with a sentence for a person, a remedy, a stable code and an exit code."""

    exit_code: ClassVar[int] = 1
    default_code: ClassVar[str] = "failed"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code


class PermanentError(BrekzsyncError):
    """Trying again changes nothing."""


class InvalidInput(BrekzsyncError):
    """What the person typed is malformed or names nothing that exists; nothing was written."""

    exit_code = 2
    default_code = "invalid_input"


class GuardStopped(BrekzsyncError):
    """A guard stopped the run before it wrote anything."""

    exit_code = 3
    default_code = "guard_stopped"


class Unavailable(BrekzsyncError):
    """A system did not answer, after retries; the same command finishes the job later."""

    exit_code = 69
    default_code = "unavailable"


class LockHeld(BrekzsyncError):
    """Another run of this flow is at work."""

    exit_code = 75
    default_code = "lock_held"


class AccessDenied(BrekzsyncError):
    """A system refused our credentials, or they lack a right."""

    exit_code = 77
    default_code = "access_denied"


class ConfigurationError(BrekzsyncError):
    """The configuration must change before this can work."""

    exit_code = 78
    default_code = "configuration"


class Interrupted(BrekzsyncError):
    """A signal asked the run to stop; ``signal_number`` decides the exit code (130 or 143)."""

    default_code = "interrupted"

    def __init__(self, signal_number: int) -> None:
        super().__init__(
            "Interrupted before the run was complete.",
            hint="Run the same command again: it finishes what is left.",
        )
        self.signal_number = signal_number


class RecordError(Exception):
    """One record cannot go on; the rest of the run does. Never leaves a flow.

    ``reason`` is a stable snake_case code, ``message`` a sentence naming the field and the remedy.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
