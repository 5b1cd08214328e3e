"""Runs AsImport.exe: by a list of arguments, never through a shell, and never longer than it may take."""

from __future__ import annotations

import contextlib
import glob
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from brekzsync.agent.configuration import ImportCommand, filled
from brekzsync.agent.files import is_held_by_a_child, lock_with_children

_GLANCE: Final = 0.1
_MAX_LOG: Final = 16 * 1024 * 1024


class ImporterMissing(Exception):
    """The program cannot be started at all: nothing was imported."""


class Ended(NamedTuple):
    """How one call ended: ``log`` is what it wrote (None: nothing), ``sentence`` tells of the ending.

    After one that is not regular nobody knows what is there, so that nothing else is imported on top of it.
    """

    is_regular: bool
    sentence: str
    log: bytes | None


class AsImport:
    """The configured command. ``kill`` ends the call at work, if any, and every later one at once."""

    def __init__(self, importing: ImportCommand, kill: threading.Event) -> None:
        self._importing = importing
        self._kill = kill

    def check(self) -> None:
        """Raises ImporterMissing where the program is not there."""
        from shutil import which

        program = self._importing.command[0]
        if which(program) is None:
            raise ImporterMissing(f"{program} is not there or cannot be run: see [import] command.")

    def run(self, file: Path, topic: str, name: str) -> Ended:
        """Have one topic of a document imported. Raises ImporterMissing."""
        values = self._values(file, topic, name)
        arguments = [filled(argument, values) for argument in self._importing.command]
        before = self._stamps(values)
        with open(self.output_of(file), "wb") as output:
            lock_with_children(output)  # tells whoever comes after a crash that this import is still at work
            try:
                process = _started(arguments, output.fileno(), file.parent)
            except OSError as error:
                raise ImporterMissing(
                    f"{arguments[0]} cannot be started: {error.strerror or error}."
                ) from None
            ending = self._wait(process)
        changed = [path for path, stamp in self._stamps(values).items() if before.get(path) != stamp]
        log = _content(changed) or _content([str(self.output_of(file))])
        sentence = ending or f"AsImport ended with code {process.returncode}."
        return Ended(ending is None and not _is_crash(process.returncode), sentence, log)

    def logs_after_crash(self, file: Path, topics: Sequence[str], name: str) -> list[bytes | None]:
        """What imports wrote whose end nobody saw, one a topic.

        Only a log that is named after its import can be told to be its own.
        """
        template = self._importing.log
        output = _content([str(self.output_of(file))])
        if len(topics) == 1 and not template:
            return [output]
        is_named = "{name}" in template or "{file}" in template
        if not is_named or (len(topics) > 1 and "{topic}" not in template):
            return [None] * (len(topics) or 1)
        return [_content(list(self._stamps(self._values(file, topic, name)))) for topic in topics]

    def is_still_at_work(self, file: Path) -> bool:
        """Whether an import that an earlier process of the agent started has not ended."""
        return is_held_by_a_child(self.output_of(file))

    @staticmethod
    def output_of(file: Path) -> Path:
        """Where what the program prints goes: a file, since a pipe could be held open by a grandchild."""
        return file.with_suffix(".out")

    def _values(self, file: Path, topic: str, name: str) -> dict[str, str]:
        importing = self._importing
        return {
            "file": str(file),
            "topic": topic,
            "name": name,
            "server": importing.server,
            "database": importing.database,
        }

    def _stamps(self, values: Mapping[str, str]) -> dict[str, tuple[int, int]]:
        """The log files there are, each with what changes when it is written."""
        stamps = {}
        escaped = {key: glob.escape(value) for key, value in values.items()}
        for path in glob.glob(filled(self._importing.log, escaped)) if self._importing.log else ():
            with contextlib.suppress(OSError):
                found = os.stat(path)
                stamps[path] = (found.st_mtime_ns, found.st_size)
        return stamps

    def _wait(self, process: subprocess.Popen[bytes]) -> str | None:
        """Wait for the end; the sentence that tells why it was not waited for any longer, else None."""
        deadline = time.monotonic() + self._importing.time_limit
        while True:
            try:
                process.wait(_GLANCE)
                return None
            except subprocess.TimeoutExpired:
                pass
            if self._kill.is_set():
                kill_tree(process)
                return "The agent was stopped while AsImport was at work: what it did by then is unknown."
            if time.monotonic() >= deadline:
                kill_tree(process)
                limit = f"{self._importing.time_limit:g} seconds"
                return f"AsImport did not end within {limit} and was stopped: what it did by then is unknown."


def _started(arguments: Sequence[str], output: int, folder: Path) -> subprocess.Popen[bytes]:
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=folder,
        start_new_session=True,  # POSIX: a group of its own, to be killed as a whole
        creationflags=flags,
    )


def _is_crash(code: int) -> bool:
    """Whether a process came to no end of its own: a signal (POSIX), an exception such as 0xC0000005 (Windows)."""
    return code < 0 or code >= 0xC0000000


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """End a process and all it started, and wait for it."""
    if sys.platform == "win32":
        taskkill = os.path.join(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "taskkill.exe")
        command = [taskkill, "/PID", str(process.pid), "/T", "/F"]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(command, capture_output=True, timeout=30, check=False)
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)


def _content(paths: Sequence[str]) -> bytes | None:
    """The newest of some files, None where there is none or nothing in it; of a huge one the end."""
    times: list[tuple[int, str]] = []
    for path in paths:
        with contextlib.suppress(OSError):
            times.append((os.stat(path).st_mtime_ns, path))
    for _, path in sorted(times, reverse=True):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            file.seek(max(os.path.getsize(path) - _MAX_LOG, 0))
            if content := file.read():
                return content
    return None
