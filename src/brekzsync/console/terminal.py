"""The terminal: data to stdout, talk to stderr. Rich is imported when first needed.

Texts may quote shop data. None of it is read as markup, and control characters are shown as ``\\x1b``
rather than sent to the terminal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from typing import IO, TYPE_CHECKING, Any

from brekzsync.console.documents import LongDocument, whole
from brekzsync.console.texts import printable

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from brekzsync.console.cards import CardBlock, Tone
    from brekzsync.errors import BrekzsyncError

Advance = Callable[[int], None]

_SHORT_WORD = 14


class Console:
    """What a command shows, by the global options; streams are those of the process when it is made."""

    def __init__(
        self,
        *,
        is_json: bool = False,
        is_cron: bool = False,
        verbosity: int = 0,
        color: bool = True,
        stdout: IO[str] | None = None,
        stderr: IO[str] | None = None,
    ) -> None:
        self.is_json = is_json
        self.is_cron = is_cron
        self.verbosity = verbosity
        self.has_document = False
        self._color = color and not os.environ.get("NO_COLOR")
        self._out = stdout if stdout is not None else sys.stdout
        self._err = stderr if stderr is not None else sys.stderr
        self._rich: dict[str, RichConsole] = {}
        for stream in (self._out, self._err):
            if isinstance(stream, TextIOWrapper):  # what an old locale's encoding lacks is escaped, not fatal
                stream.reconfigure(errors="backslashreplace")

    @property
    def is_silent(self) -> bool:
        """Whether only failures and what was asked for are shown."""
        return self.is_json or self.is_cron

    def notice(self, text: str) -> None:
        """Tell a person what happens; not under ``--json``, ``--cron`` or ``-q``."""
        if not self.is_silent and self.verbosity >= 0:
            self._say(printable(text))

    def detail(self, text: str) -> None:
        """A notice for ``-v`` only."""
        if self.verbosity > 0:
            self.notice(text)

    def markup(self, template: str, **values: object) -> None:
        """A notice in Rich markup: ``template`` is ours, ``values`` are data and stay literal."""
        if self.is_silent or self.verbosity < 0:
            return
        from rich.markup import escape

        text = template.format(**{name: escape(printable(value)) for name, value in values.items()})
        self._talk.print(text, soft_wrap=True)

    def warning(self, text: str) -> None:
        """Something a person should look at; goes to stderr also with ``--json``, not with ``--cron``."""
        if not self.is_cron:
            self._say(printable(text), label="Warning:", style="yellow")

    def error(self, error: BrekzsyncError) -> None:
        """A failure and its remedy, on stderr."""
        self._say(printable(error.message), label="Error:", style="bold red")
        if error.hint:
            self._say(printable(error.hint), label="Hint:", style="cyan")

    def cron_report(self, text: str) -> None:
        """What ``--cron`` does say: on stdout, so that cron mails it. Nothing without ``--cron``."""
        if self.is_cron and not self.is_json:
            self._write(printable(text) + "\n")

    def output(self, text: str) -> None:
        """A result as plain text on stdout, neither wrapped nor coloured."""
        if not self.is_silent:
            self._write(printable(text) + "\n")

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        tones: Mapping[str, Tone] | None = None,
    ) -> None:
        """A result as a table on stdout; whole numbers are aligned to the right, long cells are folded.

        ``tones`` colours the cells that say one of these words.
        """
        if self.is_silent:
            return
        from rich.box import ROUNDED
        from rich.table import Table
        from rich.text import Text

        from brekzsync.console.cards import COLOURS

        table = Table(box=ROUNDED, header_style="bold")
        for index, column in enumerate(columns):
            numbers = bool(rows) and all(type(row[index]) is int for row in rows)
            table.add_column(
                Text(printable(column)),
                justify="right" if numbers else "left",
                overflow="fold",
                no_wrap=_is_of_short_words(rows, index),
            )
        styles = {word: COLOURS[tone] for word, tone in (tones or {}).items()}
        for row in rows:
            table.add_row(
                *(
                    Text(printable("" if cell is None else cell), style=styles.get(str(cell), ""))
                    for cell in row
                )
            )
        # Above it and not as Rich's title, which is folded to the width of a narrow table.
        self._result.print(Text(printable(title), style="bold italic"), table, sep="\n")

    def panel(self, title: str, text: str) -> None:
        """A result in a frame on stdout, such as a document."""
        if self.is_silent:
            return
        from rich.panel import Panel
        from rich.text import Text

        self._result.print(Panel(Text(printable(text)), title=Text(printable(title)), title_align="left"))

    @contextmanager
    def progress(self, description: str, total: int | None = None) -> Iterator[Advance]:
        """A bar on stderr while something long runs, gone afterwards; only where a person watches.

        Yields a function to call with the number of records done since the last call.
        """
        if self.is_silent or self.verbosity < 0 or not self._err.isatty():
            yield _ignore
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        # Five frames a second: drawing takes processor time from the run it reports on.
        with Progress(*columns, console=self._talk, transient=True, refresh_per_second=5) as bar:
            task = bar.add_task(printable(description), total=total)
            yield lambda count: bar.advance(task, count)

    def document(self, command: str, ok: bool, payload: Mapping[str, Any]) -> None:
        """Write the one document ``--json`` promises; nothing without ``--json``.

        Plain ASCII, so that neither a terminal nor an unusual locale can misread it.
        """
        if not self.is_json:
            return
        self._whole_document([whole(command, ok, payload)])  # complete before the first byte is written

    @contextmanager
    def long_document(self, command: str, name: str) -> Iterator[LongDocument]:
        """The one document ``--json`` promises, where its list ``name`` may be longer than memory."""
        with LongDocument(command, name, self._whole_document if self.is_json else None) as document:
            yield document

    def card(self, title: str, badge: str, tone: Tone, lead: str, blocks: Sequence[CardBlock]) -> None:
        """A result in a frame on stdout: what it is, a word and a sentence on how it stands, and the details."""
        if not self.is_silent:
            from brekzsync.console.cards import card

            encoding, width = getattr(self._out, "encoding", None) or "ascii", self._result.width
            self._result.print(card(title, badge, tone, lead, blocks, encoding=encoding, width=width))

    def flush(self) -> None:
        """Hand over what is buffered, so that a closed pipe is noticed while it can still be handled."""
        self._out.flush()
        self._err.flush()

    def _whole_document(self, pieces: Iterable[str]) -> None:
        if self.has_document:
            raise RuntimeError("a second JSON document in one run")
        self.has_document = True
        for piece in pieces:
            self._write(piece)

    def _write(self, text: str) -> None:
        self._out.write(text)

    def _say(self, text: str, *, label: str = "", style: str = "") -> None:
        """One line of talk. Rich is only imported where a person watches: errors must be quick and sure."""
        if self._err.isatty() and self._color:
            from rich.text import Text

            line = Text.assemble((label, style), " ", text) if label else Text(text)
            self._talk.print(line, soft_wrap=True)
            return
        self._err.write(f"{label} {text}\n" if label else f"{text}\n")

    @property
    def _result(self) -> RichConsole:
        return self._rich_console("stdout", self._out)

    @property
    def _talk(self) -> RichConsole:
        return self._rich_console("stderr", self._err)

    def _rich_console(self, name: str, stream: IO[str]) -> RichConsole:
        if name not in self._rich:
            from rich.console import Console as RichConsole

            self._rich[name] = RichConsole(
                file=stream,
                color_system="auto" if self._color else None,
                highlight=False,
                emoji=False,
                markup=True,
            )
        return self._rich[name]


def _ignore(count: int) -> None:
    """The progress of a run nobody watches."""


def _is_of_short_words(rows: Sequence[Sequence[object]], index: int) -> bool:
    """Whether a column holds names only, which nobody reads in two pieces: the others make room."""
    cells = [str(row[index]) for row in rows]
    return all(0 < len(cell) <= _SHORT_WORD and " " not in cell for cell in cells)
