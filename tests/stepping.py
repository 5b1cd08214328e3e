"""The three programs between a shop and Exact, run so that a test can kill them at any of their steps.

``python stepping.py serve|agent|asimport PORT …`` runs the program. Before everything that leaves a trace it tells the
test, which listens at ``PORT`` (``tests/exact_side.py``) and answers, or kills. Nothing else is different.
"""

from __future__ import annotations

import functools
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Steps:
    """Tells of steps, one at a time, and goes on once the test has answered."""

    def __init__(self, who: str, port: int) -> None:
        self._who = who
        self._turn = threading.Lock()
        self._test = socket.create_connection(("127.0.0.1", port))

    def step(self, name: str) -> None:
        """Something has happened or is about to."""
        with self._turn:
            try:
                self._test.sendall(f"{self._who} {os.getpid()} {name}\n".encode())
                go_on = self._test.recv(1)
            except OSError:
                go_on = b""
            if not go_on:  # the test is over
                os._exit(1)

    def before(self, owner: Any, name: str, told: str) -> None:
        """Make a step of the beginning of every call of ``owner.name``."""
        original = getattr(owner, name)

        @functools.wraps(original)
        def stepping(*arguments: Any, **named: Any) -> Any:
            self.step(f"before {told}")
            return original(*arguments, **named)

        setattr(owner, name, stepping)

    def after(self, owner: Any, name: str, told: str) -> None:
        """Make a step of the end, where other processes go on meanwhile."""
        original = getattr(owner, name)

        @functools.wraps(original)
        def stepping(*arguments: Any, **named: Any) -> Any:
            result = original(*arguments, **named)
            self.step(f"after {told}")
            return result

        setattr(owner, name, stepping)


def _serve(steps: Steps, words: list[str]) -> int:
    """Every statement of the state that writes, every commit."""
    from sqlalchemy import Engine, event

    from brekzsync.cli import main
    from brekzsync.state.connection import Database

    def statement(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        if text.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
            steps.step("before " + " ".join(text.split()[:3]).lower())

    def told(database: Any, work: Callable[[Any], Any]) -> Any:
        def stepping(cursor: Any) -> Any:
            steps.step("before serving")
            result = work(cursor)
            steps.step("before commit")
            return result

        result = tell(database, stepping)
        steps.step("after commit")
        return result

    def written(database: Any, work: Callable[[Any], Any], *, durable: bool) -> Any:
        result = write(database, work, durable=durable)
        steps.step("after commit")
        return result

    tell, write = Database.tell, Database.write
    Database.tell, Database.write = told, written  # type: ignore[method-assign, assignment]
    event.listen(Engine, "before_cursor_execute", statement)
    event.listen(Engine, "commit", lambda _connection: steps.step("before commit"))
    return main(words)


def _agent(steps: Steps, words: list[str]) -> int:
    """Every file of the work folder written, synced, renamed or removed; AsImport's start and end."""
    sys.path.insert(0, words[0])  # the one file the agent is
    from brekzsync.agent import asimport, feed
    from brekzsync.agent.__main__ import main

    steps.before(os, "replace", "rename")
    steps.before(os, "fsync", "sync")
    steps.before(Path, "unlink", "removal")
    steps.before(asimport, "_started", "start of AsImport")
    steps.after(asimport, "_started", "start of AsImport")
    steps.after(asimport.AsImport, "_wait", "end of AsImport")
    steps.before(feed.Feed, "_ask", "request")
    return main(words[1:])


def _import(steps: Steps, words: list[str]) -> int:
    """Every commit of the ERP; the log."""
    steps.step("begins")
    from sqlalchemy import Engine, event

    from brekzsync.demo import asimport

    event.listen(Engine, "commit", lambda _connection: steps.step("before commit"))
    steps.before(asimport, "_write", "log")
    code = asimport.main(words)
    steps.step("ends")
    return code


_PROGRAMS = {"serve": _serve, "agent": _agent, "asimport": _import}


if __name__ == "__main__":
    _who, _port, *_words = sys.argv[1:]
    sys.path = [path for path in sys.path if path != os.path.dirname(os.path.abspath(__file__))]
    sys.exit(_PROGRAMS[_who](Steps(_who, int(_port)), _words))
