"""What the tests of commands share: the program, run in this process, and demos to run it on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from brekzsync.demo.folder import make_demo
from tests.demos import Demos, Program, signals_kept
from tests.exports import NOW, ROOT


@pytest.fixture
def program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Program]:
    """The program, run in this process; the current folder is an empty one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))  # for the process that writes bulk documents
    monkeypatch.delenv("BREKZSYNC_CONFIG", raising=False)
    with signals_kept():
        yield Program(capsys)


@pytest.fixture(scope="session")
def untouched_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo to copy, never to change."""
    folder = tmp_path_factory.mktemp("untouched") / "demo"
    make_demo(folder, NOW)
    return folder


@pytest.fixture
def demos(program: Program, untouched_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Demos:
    """Makes the test's demo: ``demos.fresh(FreshDemo, columns=80)``."""
    return Demos(tmp_path, program, untouched_demo, monkeypatch)
