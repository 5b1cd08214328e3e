"""Every command of the tutorial, in its order, by the machine's own sh: it prints what the tutorial shows.

In a ```console block a line that begins with ``$ `` is typed; what follows is printed, and ``…`` stands for
anything: within a line for part of it, alone on a line for any number of lines.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs/tutorial.md"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_END = "== the end of what this command prints =="


class Step(NamedTuple):
    """A command as the reader types it, and what the tutorial says it prints."""

    command: str
    printed: str


def steps(text: str) -> list[Step]:
    """The commands of a page in order; one may go on over several lines, each but the last ending in a \\."""
    return [step for block in _BLOCK.findall(text) for step in _steps_of(block)]


def _steps_of(block: str) -> Iterator[Step]:
    for typed in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = typed.splitlines(keepends=True)
        last = next(number for number, line in enumerate(lines) if not line.endswith("\\\n"))
        yield Step("".join(lines[: last + 1]).rstrip("\n"), "".join(lines[last + 1 :]))


def is_printed(expected: str, actual: str) -> bool:
    """Whether ``actual`` is what ``expected`` says, blanks at the ends of lines aside."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "…" else _line(line) + r"[ ]*\n" for line in expected.splitlines()
    )
    return re.fullmatch(pattern, actual if actual.endswith("\n") or not actual else f"{actual}\n") is not None


def _line(line: str) -> str:
    return ".*".join(re.escape(part) for part in line.rstrip().split("…"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty folder to work in; ``bin`` beside it holds the two programs the tutorial types."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, command in (
        ("brekzsync", f'"{sys.executable}" -P -m brekzsync'),
        ("python3", f'"{sys.executable}"'),
    ):
        (programs / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def run(typed: list[str], home: Path) -> list[str]:
    """What each command prints, in one shell."""
    script = "".join(f"{command}\n_code=$?; echo; echo '{_END}'; (exit $_code)\n" for command in typed)
    environment = {
        "PATH": f"{home.parent / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "COLUMNS": "80",
    }
    done = subprocess.run(
        ["/bin/sh"],
        input=script,
        cwd=home,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout.split(f"\n{_END}\n")[:-1]


def test_every_command_prints_what_the_tutorial_shows(home: Path) -> None:
    expected = steps(TUTORIAL.read_text(encoding="utf-8"))

    printed = run([step.command for step in expected], home)

    assert len(expected) > 20
    assert len(printed) == len(expected)
    wrong = [
        f"$ {step.command}\n{said}--- but the tutorial shows\n{step.printed}"
        for step, said in zip(expected, printed, strict=True)
        if not is_printed(step.printed, said)
    ]
    assert not wrong, "\n\n".join(wrong)


def test_a_step_that_prints_something_else_is_noticed() -> None:
    (step,) = steps("```console\n$ ls \\\n    here\na…\n…\nz\n```\n")

    assert step == Step("ls \\\n    here", "a…\n…\nz\n")
    assert [
        is_printed(step.printed, said) for said in ("abc\nz\n", "a\nb\nc\nz\n", "abc\n", "b\nz\n", "")
    ] == [
        True,
        True,
        False,
        False,
        False,
    ]
