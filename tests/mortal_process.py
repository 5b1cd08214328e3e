"""Work in a process of its own that can be killed before any of its steps, with SIGKILL.

A step is a statement that writes, or a commit, in whatever database, or what the work itself calls one (``step``): what
leaves a trace. The process is forked, so whoever starts one holds no connection open and no thread at work.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

DIED, FINISHED, BROKEN = -signal.SIGKILL, 0, 99
_READING = ("SELECT", "PRAGMA", "SHOW", "SET", "BEGIN", "ROLLBACK")


class _Life:
    """Counts the steps of this process; before the one at ``ends_at`` it is killed."""

    def __init__(self, ends_at: int | None) -> None:
        self.steps = 0
        self._ends_at = ends_at
        event.listen(Engine, "before_cursor_execute", self._statement)
        event.listen(Engine, "commit", lambda _connection: self.step())

    def _statement(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.lstrip().upper().startswith(_READING):
            self.step()

    def step(self) -> None:
        self.steps += 1
        if self.steps == self._ends_at:
            os.kill(os.getpid(), signal.SIGKILL)


_lives: list[_Life] = []


def step() -> int:
    """Something else that leaves a trace is about to happen; which step that is, 0 outside of such a process."""
    for life in _lives:
        life.step()
    return _lives[0].steps if _lives else 0


@dataclass(frozen=True, slots=True)
class Process:
    """One at work."""

    pid: int
    steps: int  # the descriptor its count comes from

    def wait(self) -> tuple[int, int]:
        """Its exit code (-9: it was killed) and how many steps it took, which the killed do not tell."""
        with os.fdopen(self.steps) as said:
            steps = said.read()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), int(steps or 0)


def start(work: Callable[[], object], ends_at: int | None = None, output: Path | None = None) -> Process:
    """Begin it; what it gives, when that is a number, is the exit code. ``output`` gets what it prints."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return Process(child, reading)
    code = BROKEN
    try:
        if output is not None:
            opened = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(opened, 1)
            os.dup2(opened, 2)
            # a test runner that captures has put files of its own here, past the descriptors
            sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        life = _Life(ends_at)
        _lives[:] = [life]
        given = work()
        os.write(writing, str(life.steps).encode())
        code = given if isinstance(given, int) else FINISHED
        if output is not None:
            sys.stdout.flush()
            sys.stderr.flush()
    finally:
        os._exit(code)


def in_a_process(work: Callable[[], object], ends_at: int | None = None) -> tuple[int, int]:
    """Begin it and wait for its end."""
    return start(work, ends_at).wait()
