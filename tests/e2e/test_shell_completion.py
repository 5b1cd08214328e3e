"""Completion as people get it: real shells at a terminal, and their TAB key."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = "--config demo/brekzsync.toml"
# Without anybody's own configuration, and with the script put in as the help says.
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source <(brekzsync completion bash)"),
    "zsh": (
        ["zsh", "-f", "-i"],
        "autoload -Uz compinit; compinit -u -d ./dump; source <(brekzsync completion zsh)",
    ),
    "fish": (["fish", "--no-config", "-i"], "brekzsync completion fish | source"),
}
# Writes down the words it is called with: put before a line, it tells what the line has become.
WORDS = "#!{python}\nimport json, sys\nwith open('words', 'a') as file: print(json.dumps(sys.argv[1:]), file=file)\n"
BREKZSYNC = '#!/bin/sh\nexec "{python}" -m brekzsync "$@"\n'
TO_START_OF_LINE = "\x01"


class Terminal:
    """A shell at a terminal, in a folder where the demo was exported once."""

    def __init__(self, shell: str, folder: Path) -> None:
        self._folder = folder
        command, install = SHELLS[shell]
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, environment(folder))
        self.keys(f"{install}\n")

    def keys(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def after_tab(self, line: str) -> list[str]:
        """The words of a command line after TAB was pressed at its end."""
        written = self._folder / "words"
        written.unlink(missing_ok=True)
        self.keys(f"{line}\t{TO_START_OF_LINE}words \n")
        shown, give_up = b"", time.monotonic() + 20
        while not (written.exists() and written.read_text(encoding="utf-8").endswith("\n")):
            assert time.monotonic() < give_up, shown.decode("utf-8", "replace")
            if select.select([self._terminal], [], [], 0.02)[0]:
                shown += os.read(self._terminal, 65536)
        words: list[str] = json.loads(written.read_text(encoding="utf-8"))
        return words

    def close(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._terminal)


def environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "TERM": "xterm",
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("completion")
    for name, text in {"brekzsync": BREKZSYNC, "words": WORDS}.items():
        program = folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text.format(python=sys.executable), encoding="utf-8")
        program.chmod(0o755)
    for line in ("demo up", f"{DEMO} products export"):
        command = [folder / "bin/brekzsync", *line.split()]
        subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, check=False)
    return folder


@pytest.fixture(scope="module", params=SHELLS)
def terminal(request: pytest.FixtureRequest, folder: Path) -> Iterator[Terminal]:
    if shutil.which(request.param) is None:
        pytest.skip(f"no {request.param} on this machine")
    terminal = Terminal(request.param, folder)
    yield terminal
    terminal.close()


@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("brekzsync prod", "brekzsync products"),
        ("brekzsync products exp", "brekzsync products export"),
        ("brekzsync products export --dry", "brekzsync products export --dry-run"),
        ("brekzsync products export --by ref", "brekzsync products export --by reference"),
        (f"brekzsync {DEMO} products export 11", f"brekzsync {DEMO} products export 11-1101"),
        (f"brekzsync {DEMO} products export 7-0 1-1", f"brekzsync {DEMO} products export 7-0 1-10"),
        (f"brekzsync {DEMO} products export 99", f"brekzsync {DEMO} products export 99"),
        ("brekzsync --config gone.toml products export 1", "brekzsync --config gone.toml products export 1"),
    ],
)
def test_tab_completes_what_a_line_leaves_open(terminal: Terminal, typed: str, becomes: str) -> None:
    assert terminal.after_tab(typed) == becomes.split()


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("brekzsync prodcts export 1", None),
        ("brekzsync --config gone.toml products export 1", None),
        ("brekzsync products export --nope 1", None),
        ("brekzsync products export 1", "[state"),
        ("brekzsync products export 1", "state = 3"),
        ("brekzsync products export 1", '[state]\ndatabase = "sqlite:///gone.db"'),
        ("brekzsync products export 1", '[state]\ndatabase = "sqlite:///brekzsync.toml"'),
        ("brekzsync products export 1", '[state]\ndatabase = "mysql://reader:secret@nowhere.invalid/state"'),
    ],
)
def test_whatever_is_wrong_the_line_being_typed_stays_clean(
    folder: Path, tmp_path: Path, line: str, state: str | None
) -> None:
    if state is not None:
        (tmp_path / "brekzsync.toml").write_text(state, encoding="utf-8")
    asked = {
        "_BREKZSYNC_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split()) - 1),
    }

    done = subprocess.run(
        [folder / "bin/brekzsync"],
        cwd=tmp_path,
        env=environment(folder) | asked,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )

    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_a_key_is_completed_without_loading_anything_slow(folder: Path) -> None:
    """The whole answer takes 65 ms, most of it Python's own start."""
    program = (
        "import sys; from brekzsync.cli import main; main()\n"
        "print(sorted({'pydantic', 'sqlalchemy', 'rich', 'logging', 'asyncio'} & set(sys.modules)))"
    )
    line = f"brekzsync {DEMO} products export 1-1"
    asked = {"_BREKZSYNC_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": "5"}

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment(folder) | asked,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == ["plain,1-101", "plain,1-102", "plain,1-103", "plain,1-104", "[]"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_json_document_for_who_asks_for_that(folder: Path, shell: str) -> None:
    def printed(*more: str) -> str:
        command = [folder / "bin/brekzsync", "completion", shell, *more]
        return subprocess.run(
            command, env=environment(folder), capture_output=True, text=True, check=True
        ).stdout

    document = json.loads(printed("--json"))

    assert {**document, "script": document["script"].rstrip()} == {
        "schema_version": 1,
        "command": "completion",
        "ok": True,
        "shell": shell,
        "script": printed().rstrip(),
    }
