"""A card: one thing in a frame, with a word on how it stands and its details in blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from rich.box import ROUNDED
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from brekzsync.console.texts import printable

Tone = Literal["good", "neutral", "bad"]
Mark = Literal["good", "bad", "blank", ""]
CardBlock = tuple[str, Sequence[tuple[str, str, str]]]
"""A heading, and rows of a mark, a name and a text."""

COLOURS: Mapping[Tone, str] = {"good": "green", "neutral": "yellow", "bad": "red"}
_MARKS = {"good": ("\u2713", "+", "green"), "bad": ("\u2717", "x", "red"), "blank": ("\u2013", "-", "dim")}


_AROUND_TITLE = 10  # the frame's corners and the blanks between title and badge


def card(
    title: str,
    badge: str,
    tone: Tone,
    lead: str,
    blocks: Sequence[CardBlock],
    *,
    encoding: str,
    width: int,
) -> RenderableType:
    """``encoding`` is the stream's: where it cannot write the marks, plain ones stand for them. A title that
    does not fit ``width`` is cut, so that the badge behind it is not."""
    colour = COLOURS[tone]
    plain = not _can_write(encoding)
    parts: list[RenderableType] = [Text(printable(lead), style=f"bold {colour}")]
    for heading, rows in blocks:
        parts += [Text(), Text(printable(heading), style="bold"), _grid(rows, plain)]
    name = Text(printable(title), style="bold")
    name.truncate(max(width - cell_len(badge) - _AROUND_TITLE, 1), overflow="ellipsis")
    head = Text.assemble(" ", name, "  ", (printable(badge), f"bold {colour}"), " ")
    return Panel(Group(*parts), title=head, title_align="left", border_style=colour, box=ROUNDED)


def _grid(rows: Sequence[tuple[str, str, str]], plain: bool) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    named = any(name for _, name, _ in rows)
    if named:
        grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for mark, name, text in rows:
        cells = [_mark(mark, plain), Text(printable(text))]
        if named:
            cells.insert(1, Text(printable(name)))
        grid.add_row(*cells)
    return grid


def _mark(mark: str, plain: bool) -> Text:
    shown, simple, colour = _MARKS.get(mark, ("", "", ""))
    return Text(simple if plain else shown, style=colour)


def _can_write(encoding: str) -> bool:
    try:
        "\u2713\u2717\u2013".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
