"""A demo for one test, and the program, run in this process: where it lies, what a person types, what is said.

``program`` and ``demos`` are fixtures. A demo is copied from one that each process makes once: making one takes
longer than most tests. Its clock stands still until a test moves it.
"""

from __future__ import annotations

import pkgutil
import shlex
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import pytest

from brekzsync import bootstrap
from brekzsync.bootstrap.state import existing_state
from brekzsync.cli import main
from brekzsync.settings import Settings, load_settings
from brekzsync.state.database import State
from tests.exports import NOW, Said

CONFIG = "demo/brekzsync.toml"
PROGRAM = f"brekzsync --config {CONFIG}"  # as messages write it
TWO_TARGETS = """
[targets.first.products]
output = "first"
[targets.second.products]
output = "second"
"""


@dataclass(frozen=True, slots=True)
class Program:
    """brekzsync, run in this process in the current folder."""

    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Said:
        """A command line without the program's name."""
        code = main(list(arguments))
        return Said(code, *self.capture.readouterr())


@dataclass
class FreshDemo:
    """A demo of the test's own in the folder ``demo``; a test's file gives it the commands it is about."""

    folder: Path
    program: Program
    now: datetime = NOW

    def run(self, *arguments: str) -> Said:
        """A command line with the demo's configuration."""
        return self.program("--config", CONFIG, *arguments)

    def pasted(self, command: str) -> Said:
        """A command line exactly as it was printed."""
        return self.program(*shlex.split(command.removeprefix("brekzsync ")))

    # --- what people change -------------------------------------------------------------------------------

    def sql(self, *statements: str, database: str = "shop") -> None:
        """Edit the shop as its back office would, or the ERP as Exact would."""
        with closing(sqlite3.connect(self.folder / f"demo/{database}.db")) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    def configure(self, text: str) -> None:
        """Add to the configuration."""
        with self.config.open("a", encoding="utf-8") as file:
            file.write(text)

    def replace(self, old: str, new: str) -> None:
        """Edit the configuration."""
        text = self.config.read_text(encoding="utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new, 1), encoding="utf-8")

    def lose_state(self) -> None:
        """Delete the state database and its side files."""
        for path in (self.folder / "demo").glob("state.db*"):
            path.unlink()

    # --- what is there ------------------------------------------------------------------------------------

    @property
    def config(self) -> Path:
        """Its configuration."""
        return self.folder / CONFIG

    @property
    def settings(self) -> Settings:
        """The configuration as the program reads it."""
        return load_settings(self.config, {})

    def state(self) -> AbstractContextManager[State]:
        """The state database, as another command would open it."""
        return existing_state(self.settings, writes=True)

    @property
    def outbox(self) -> Path:
        """Where documents go unless a test says otherwise."""
        return self.folder / "demo/outbox"

    @property
    def unread(self) -> set[str]:
        """The keys of the item files lying there."""
        return {path.stem for path in self.outbox.glob("items/*.xml")}

    def take(self) -> set[str]:
        """Import whatever lies there, which Exact then deletes."""
        taken = self.unread
        for key in taken:
            (self.outbox / f"items/{key}.xml").unlink()
        return taken

    def files(self) -> dict[str, bytes]:
        """Everything in the folder but the index of the state's log, which reading it may write."""
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.folder)): path.read_bytes() for path in paths if "-shm" not in path.name
        }


D = TypeVar("D", bound=FreshDemo)


@dataclass(frozen=True, slots=True)
class Demos:
    """Makes a test's demo in the current folder."""

    folder: Path
    program: Program
    untouched: Path
    monkeypatch: pytest.MonkeyPatch

    def fresh(self, kind: type[D], *, columns: int, copy_of: Path | None = None) -> D:
        """One as ``demo up`` makes it, or as another; for a terminal of this width."""
        shutil.copytree(copy_of or self.untouched, self.folder / "demo")
        self.monkeypatch.setenv("COLUMNS", str(columns))
        made = kind(self.folder, self.program)
        for module in pkgutil.iter_modules(bootstrap.__path__, f"{bootstrap.__name__}."):
            self.monkeypatch.setattr(f"{module.name}.utc_now", lambda: made.now, raising=False)
        return made


@contextmanager
def signals_kept() -> Iterator[None]:
    """The program handles SIGTERM in its own way; afterwards the test run does again."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
