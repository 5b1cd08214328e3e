"""Running a program and knowing how long it took, or how much memory it and its children came to use."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SAMPLE_SECONDS = 0.02


class RunFailed(RuntimeError):
    """A measured program ended otherwise than it should have."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Peaks in bytes, summed over the processes: what each has mapped (``rss``), and the same with every page
    divided by the number of processes that share it (``pss``, the kernel's proportional set size)."""

    pss: int
    rss: int
    processes: int

    def merged(self, other: Memory) -> Memory:
        """The higher of each."""
        return Memory(
            max(self.pss, other.pss), max(self.rss, other.rss), max(self.processes, other.processes)
        )

    @property
    def judged(self) -> int:
        """What a limit is held against. RSS counts pages once for each process of a tree; PSS is lower when
        programs that do not belong to the tree run the same Python, so it is no measure of a single one."""
        return self.rss if self.processes < 2 else self.pss


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run: wall-clock and processor seconds; ``memory`` when it was watched (and the times are not to be
    trusted as much then), None also where the system does not tell."""

    seconds: float
    cpu_seconds: float = 0.0
    memory: Memory | None = None


def run(
    command: Sequence[str | Path],
    *,
    folder: Path,
    environ: Mapping[str, str] | None = None,
    stdin: Path | None = None,
    watch: bool = False,
    accepted: Sequence[int] = (0,),
) -> Measured:
    """Run to the end in ``folder``, output thrown away. Raises RunFailed for any exit code not ``accepted``.

    Whatever ends this call also ends what it started: the program leads a session of its own.
    """
    with open(stdin or os.devnull, "rb") as source, tempfile.TemporaryFile() as complaints:
        before, started = _cpu_of_children(), time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environ,
            stdin=source,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            start_new_session=True,
        )
        try:
            memory = watch_until_end(process) if watch else None
            code = process.wait()
            seconds = time.perf_counter() - started
        finally:
            end(process)
        if code not in accepted:
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip()
            raise RunFailed(f"{' '.join(map(str, command))} ended with exit code {code}:\n{said}")
    return Measured(seconds=seconds, cpu_seconds=_cpu_of_children() - before, memory=memory)


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def end(process: subprocess.Popen[Any]) -> None:
    """End a program that leads a session, and what it started."""
    # The session may outlive its leader: children of a killed program.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


# --- memory ----------------------------------------------------------------------------------------------


def watch_until_end(process: subprocess.Popen[Any]) -> Memory | None:
    """The peaks until the process ends. A peak between two samples goes unseen; it is short."""
    if sys.platform != "linux":
        return None
    tree, peak = _Tree(process.pid), Memory(0, 0, 0)
    while process.poll() is None:
        peak = peak.merged(tree.memory())
        time.sleep(SAMPLE_SECONDS)
    return peak


@dataclass(slots=True)
class _Tree:
    """A process, what it started, what they started. Told apart by session and parent: every process of the
    machine is looked at once only, when it is first seen."""

    root: int
    members: set[int] = field(default_factory=set)
    others: set[int] = field(default_factory=set)

    def memory(self) -> Memory:
        self._find_new()
        rows = [row for pid in sorted(self.members) if (row := self._rollup(pid))]
        return Memory(sum(row["Pss"] for row in rows), sum(row["Rss"] for row in rows), len(rows))

    def _find_new(self) -> None:
        seen = self.members | self.others
        running = {int(name) for name in os.listdir("/proc") if name.isdigit()}
        # In order of their ids: parents mostly come before their children.
        for pid in sorted(running - seen):
            parent, session = self._origin(pid)
            ours = pid == self.root or session == self.root or parent in self.members
            (self.members if ours else self.others).add(pid)

    @staticmethod
    def _origin(pid: int) -> tuple[int, int]:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        except OSError:
            return 0, 0
        # The name stands in parentheses and may hold anything; behind it: state, parent, group, session.
        _state, parent, _group, session = stat.rpartition(")")[2].split()[:4]
        return int(parent), int(session)

    def _rollup(self, pid: int) -> dict[str, int]:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        except OSError:
            self.members.discard(pid)
            self.others.add(pid)
            return {}
        fields = (line.split() for line in lines)
        rollup = {words[0].rstrip(":"): int(words[1]) * 1024 for words in fields}
        return rollup if "Pss" in rollup else {}
