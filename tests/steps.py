"""Runs of brekzsync that can be stopped dead at any of their steps: the program behind ``tests/killable.py``.

``python steps.py`` takes orders as JSON lines. For each it forks a process that runs the real command line and
counts its steps: everything that leaves a trace outside the process (a file written, synced, renamed, removed;
a statement or commit of the state; a message to or from the bulk writer). Told so, the process kills itself
with SIGKILL just before its n-th step; the bulk writer, which is started through this file too, likewise.

Before each step somebody looks into the outbox: a document seen for the first time is linked into a folder of
everything that was ever visible, as it was. At chosen steps the reader comes, takes documents and deletes them.
"""

from __future__ import annotations

import builtins
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER: orphans become our children, so that their end can be waited for
_PATIENCE = 10  # seconds an orphan has to end by itself
_IMPORTED = (
    "brekzsync.bootstrap.orders",
    "brekzsync.bootstrap.products",
    "brekzsync.cli",
    "brekzsync.commands.product_reports",
    "brekzsync.commands.products",
    "brekzsync.console",
    "brekzsync.settings.schema",
    "brekzsync.state.staged",
    "filelock",
    "sqlalchemy.dialects.mysql.pymysql",
    "sqlalchemy.dialects.sqlite",
)
_SYSTEM_CALLS = ("replace", "fsync", "unlink", "mkdir", "open", "write")


class Steps:
    """Counts, looks and kills; ``who`` is "run" or "writer". Everything is done with the untouched functions."""

    def __init__(self, order: dict[str, Any], who: str) -> None:
        self.order = order
        self.who = who
        self.count = 0
        self._kill_at = order["kill"] if who == "run" else order["kill_writer"]
        self._visits = {int(step): most for step, most in order["visits"].items()} if who == "run" else {}
        self._turn = threading.RLock()
        self._busy = False
        self._link, self._unlink, self._scan, self._open = os.link, os.unlink, os.scandir, os.open
        self._write, self._close, self._kill = os.write, os.close, os.kill

    def step(self, name: str) -> None:
        """One is about to happen."""
        with self._turn:
            if self._busy:
                return
            self._busy = True
            self.count += 1
            visible = self.look()
            if self.count in self._visits:
                self.visit(visible, self._visits[self.count])
            if self.count == self._kill_at:
                self.note("killed", f"{self.who} before step {self.count}: {name}")
                self._kill(os.getpid(), signal.SIGKILL)
            self._busy = False

    def look(self) -> list[tuple[str, int]]:
        """Remember every document that is visible now; their paths and inodes in the order a reader takes them."""
        outbox, seen = self.order["outbox"], self.order["seen"]
        visible = []
        for folder in (outbox, f"{outbox}/items", f"{outbox}/orders"):
            with suppress(FileNotFoundError), self._scan(folder) as entries:
                found = [
                    (entry.path, entry.inode())
                    for entry in entries
                    if entry.name.endswith(".xml") and entry.name[0] != "." and entry.name != "index.xml"
                ]
                visible += sorted(found)
        for path, inode in visible:
            with suppress(FileExistsError, FileNotFoundError):
                self._link(path, f"{seen}/{inode}.xml")
                size = os.stat(f"{seen}/{inode}.xml").st_size
                folder, _, name = path.rpartition("/")
                if not folder.endswith(("/items", "/orders")):
                    with suppress(FileNotFoundError, FileExistsError):
                        self._link(f"{folder}/.{name[:-4]}.entries", f"{seen}/{inode}.entries")
                self.note("appeared", f"{self.order['number']} {inode} {size} {name}")
        return visible

    def visit(self, visible: list[tuple[str, int]], most: int) -> None:
        """The reader imports the first few of what it sees and deletes them."""
        for path, inode in visible[:most]:
            with suppress(FileNotFoundError):
                self._unlink(path)
                self.note("taken", f"{self.order['number']} {inode} {path[len(self.order['outbox']) + 1 :]}")

    def note(self, kind: str, text: str) -> None:
        """Append a line to the diary of this test."""
        descriptor = self._open(f"{self.order['seen']}/diary", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        self._write(descriptor, f"{kind} {text}\n".encode())
        self._close(descriptor)

    def wrap(self, owner: Any, name: str, concerns: Callable[..., bool] = lambda *_: True) -> None:
        """Make a step of every call of ``owner.name``."""
        original = getattr(owner, name)

        def stepping(*arguments: Any, **named: Any) -> Any:
            if concerns(*arguments):
                self.step(name)
            return original(*arguments, **named)

        setattr(owner, name, stepping)


def _writes(_path: Any, flags: int = 0, *_: Any) -> bool:
    return bool(flags & (os.O_WRONLY | os.O_RDWR))


def _opens_to_write(_path: Any, mode: str = "r", *_: Any) -> bool:
    return "w" in mode


def _instrument(steps: Steps) -> None:
    """What both processes do to the outside."""
    from brekzsync import bulk_writer
    from brekzsync.state.staging import StagedFile

    for name in _SYSTEM_CALLS:
        steps.wrap(os, name, _writes if name == "open" else lambda *_: True)
    steps.wrap(builtins, "open", _opens_to_write)
    steps.wrap(StagedFile, "add")
    for name in ("_send", "_receive"):
        steps.wrap(bulk_writer, name)


def _instrument_run(steps: Steps) -> None:
    """What only the run does: the state, the writer's start; and the time it believes it is."""
    from sqlalchemy import Engine, event

    from brekzsync.bootstrap import orders as order_bootstrap
    from brekzsync.bootstrap import products as bootstrap
    from brekzsync.flows.products import export as product_export

    def statement(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        if not text.lstrip().upper().startswith(("SELECT", "PRAGMA", "SHOW", "SET")):
            steps.step("statement")

    event.listen(Engine, "before_cursor_execute", statement)
    event.listen(Engine, "commit", lambda _connection: steps.step("commit"))
    popen, order = subprocess.Popen, steps.order

    def start(command: list[str], *arguments: Any, **named: Any) -> Any:
        if command[-1] == bulk_writer_name:
            steps.step("writer starts")
            command = [*command[:-2], os.path.abspath(__file__), "writer", json.dumps(order)]
        return popen(command, *arguments, **named)

    bulk_writer_name = bootstrap.BulkWriter.__module__
    subprocess.Popen = start  # type: ignore[assignment, misc]
    if order["batch"]:
        product_export.BATCH = order["batch"]
    times = {"now": datetime.fromisoformat(order["now"]).astimezone(UTC)}

    def clock() -> datetime:
        times["now"] += timedelta(seconds=order["drift"])
        return times["now"]

    bootstrap.utc_now = order_bootstrap.utc_now = clock


def _run(order: dict[str, Any]) -> int:
    from brekzsync.cli import main

    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    for descriptor, path in ((0, os.devnull), (1, order["out"]), (2, order["err"])):
        opened = os.open(path, os.O_RDWR | os.O_CREAT | (os.O_TRUNC if descriptor else 0), 0o666)
        os.dup2(opened, descriptor)
    steps = Steps(order, "run")
    _instrument(steps)
    _instrument_run(steps)
    code = main(order["words"])
    steps.look()
    steps.note("steps", f"run {steps.count}")
    return code


def _write(order: dict[str, Any]) -> None:
    from brekzsync import bulk_writer

    steps = Steps(order, "writer")
    _instrument(steps)
    bulk_writer.main()
    steps.look()
    steps.note("steps", f"writer {steps.count}")


def _serve() -> None:
    """Fork a process for every order; what it imports is imported once."""
    for name in _IMPORTED:
        import_module(name)
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 99
            try:
                code = _run(json.loads(line))
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        answer = {"code": os.waitstatus_to_exitcode(status), "orphans": _await_orphans()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _await_orphans() -> bool:
    """Wait until no process of the run is left; whether one still is."""
    give_up = time.monotonic() + _PATIENCE
    while time.monotonic() < give_up:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if not pid:
            time.sleep(0.002)
    return True


if __name__ == "__main__":
    if sys.argv[1:2] == ["writer"]:
        _write(json.loads(sys.argv[2]))
    else:
        _serve()
