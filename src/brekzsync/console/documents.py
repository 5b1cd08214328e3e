"""The one JSON document ``--json`` promises. Plain ASCII, so that no terminal or locale can misread it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from brekzsync.errors import BrekzsyncError

SCHEMA_VERSION = 1
_IN_MEMORY = 1 << 20  # characters of a list; a longer one waits in a temporary file


def whole(command: str, ok: bool, payload: Mapping[str, Any]) -> str:
    """A document, with its line end."""
    document = {"schema_version": SCHEMA_VERSION, "command": command, "ok": ok, **payload}
    return json.dumps(document, default=str) + "\n"


def failure(error: BrekzsyncError) -> dict[str, str]:
    """What a JSON document says under ``error``."""
    return {"code": error.code, "message": error.message, "hint": error.hint}


class LongDocument:
    """A document with a list that grows; nothing of it is written before ``finish``, so that a failure on the
    way can still be the one document. ``write`` takes its pieces; without one everything is forgotten."""

    def __init__(self, command: str, name: str, write: Callable[[Iterable[str]], None] | None) -> None:
        self._command = command
        self._name = name
        self._write = write
        self._entries: IO[str] = SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="ascii")  # noqa: SIM115
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        self._entries.close()

    def add(self, entry: Mapping[str, Any]) -> None:
        """One more entry of the list."""
        if self._write is not None:
            self._entries.write((", " if self._count else "") + json.dumps(entry, default=str))
            self._count += 1

    def finish(self, ok: bool, payload: Mapping[str, Any]) -> None:
        """Write it, ``payload`` before the list."""
        if self._write is not None:
            self._write(self._pieces(whole(self._command, ok, payload)))

    def _pieces(self, rest: str) -> Iterator[str]:
        yield f"{rest.rstrip()[:-1]}, {json.dumps(self._name)}: ["
        self._entries.seek(0)
        yield from iter(lambda: self._entries.read(1 << 16), "")
        yield "]}\n"
