"""Every command of the tutorial, in its order, by the machine's own sh: it prints what the tutorial shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import Step, is_printed, not_as_shown, steps

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs/tutorial.md"
_END = "== the end of what this command prints =="


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
    wrong = not_as_shown(expected, printed)
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
