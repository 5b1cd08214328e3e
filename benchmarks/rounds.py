"""All cases in turns, some rounds for their times and one more for their memory."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.measure import Measured, Memory
from benchmarks.product_export import Case
from benchmarks.results import Figures


def measure(cases: Sequence[Case], rounds: int, console: Console) -> Figures:
    """Ours and the references in the same rounds, so that what else the machine does falls on both.

    Looking at a program's memory slows it down, so that is done in a round of its own.
    """
    runs: dict[str, list[Measured]] = {case.name: [] for case in cases}
    memory: dict[str, Memory] = {}
    watched = [case for case in cases if case.has_memory]
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        # A moving bar would take part in the contest.
        refresh_per_second=1,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("", total=rounds * len(cases) + len(watched))
        for number in range(1, rounds + 1):
            for case in cases:
                progress.update(task, description=f"Round {number} of {rounds}: {case.name}")
                runs[case.name].append(case.run(False))
                progress.advance(task)
        for case in watched:
            progress.update(task, description=f"Memory: {case.name}")
            peak = case.run(True).memory
            if peak is not None:
                memory[case.name] = peak
            progress.advance(task)
    return Figures(runs=runs, memory=memory)
