"""Pages whose commands are run: what is typed, what is shown below it, and whether that is what was printed.

In a ```console block a line that begins with ``$ `` is typed; what follows is printed, and ``…`` stands for
anything: within a line for part of it, alone on a line for any number of lines. One day or time (with its zone) is
as good as another.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import NamedTuple

import pytest

from brekzsync.cli import main

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MOMENT = re.compile(r"\b\d{4}-\d\d-\d\d\b|\b\d\d:\d\d(?= UTC\b)")  # a line may end between the two
_FUNCTION = re.compile(r"\w+\(\) \{")


class Step(NamedTuple):
    """A command as the reader types it, and what the page says it prints."""

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
    expected, actual = (_MOMENT.sub("some time", text) for text in (expected, actual))
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "…" else _line(line) + r"[ ]*\n" for line in expected.splitlines()
    )
    return re.fullmatch(pattern, actual if actual.endswith("\n") or not actual else f"{actual}\n") is not None


def _line(line: str) -> str:
    return ".*".join(re.escape(part) for part in line.rstrip().split("…"))


def not_as_shown(expected: Sequence[Step], printed: Sequence[str]) -> list[str]:
    """The steps that printed something else, for a person to read."""
    return [
        f"$ {step.command}\n{said}--- but the page shows\n{step.printed}"
        for step, said in zip(expected, printed, strict=True)
        if not is_printed(step.printed, said)
    ]


class Typist:
    """Types a page's commands in the current folder: brekzsync in this process, which spares starting it each
    time, everything else in a shell of its own that knows the variables and functions typed so far."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._functions: list[str] = []
        self._code = 0

    def type(self, command: str) -> str:
        """What it prints, stdout and stderr as they come."""
        words = shlex.split(command, comments=True)
        if words[0] == "brekzsync" and not {"|", ">", "<", "&&"} & set(words):
            return self._brekzsync(words[1:])
        if words[0] == "export":
            for word in words[1:]:
                self._monkeypatch.setenv(*word.split("=", 1))
        elif words[0] == "unset":
            for word in words[1:]:
                self._monkeypatch.delenv(word)
        elif _FUNCTION.match(command):
            self._functions.append(command)
        return self._shell(command)

    def _brekzsync(self, words: Sequence[str]) -> str:
        paper = TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True)
        with redirect_stdout(paper), redirect_stderr(paper):
            self._code = main(list(words))
        paper.seek(0)
        return paper.read()

    def _shell(self, command: str) -> str:
        # Where the machine's python3 is another one, or none, ours stands for it.
        python = f'python3() {{ {shlex.quote(sys.executable)} "$@"; }}'
        done = subprocess.run(
            ["/bin/sh", "-c", "\n".join([python, *self._functions, f"(exit {self._code})", command])],
            env=os.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        self._code = done.returncode
        return done.stdout


def typed(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Type all of a page in an empty folder, on a terminal of 80 columns, and tell what went otherwise."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("BREKZSYNC_CONFIG", raising=False)
    expected = steps(page.read_text(encoding="utf-8"))
    typist = Typist(monkeypatch)
    return not_as_shown(expected, [typist.type(step.command) for step in expected])
