"""The one document of a ``--bulk`` run, written by a process of its own.

The run reads, compares and maps; this process turns the items into XML at the same time, on another core, and
keeps their acknowledgements until the document is in place. It imports neither SQLAlchemy nor a driver, so
that both together stay small.

Both ends are this module. What goes over the pipe are frames: a length in eight bytes, then a marshalled
value (the set-up is pickled, both ends being one program). The end of the pipe without a last frame means
that the run is gone, and then nothing is left behind.
"""

from __future__ import annotations

import marshal
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import date
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

from brekzsync import errors
from brekzsync.domain.items import Item, moment_text, version_text
from brekzsync.errors import BrekzsyncError, PermanentError

if TYPE_CHECKING:
    from brekzsync.exact.eexact.layout import ItemLayout

_LENGTH = 8
_PATIENCE = 30  # seconds the writer has to clear away what it began
_ACKNOWLEDGEMENT = 10  # the first fields of a row


class BulkOrder(NamedTuple):
    """What the writer is told first; ``yesterday`` is the day before today in the data shop's time zone."""

    directory: Path
    run: str
    layout: ItemLayout
    yesterday: date


class BulkWriter:
    """The run's end. The process starts with the first batch: a run without items has none.

    Used as a context manager: left before ``finish`` nothing of the document remains.
    """

    def __init__(self, order: BulkOrder) -> None:
        self._order = order
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        if self._process is None:
            return
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if stream is not None:
                    stream.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def send(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Hand over versions in key order: the fields of ``Acknowledgement``, then when each was first seen
        different (ms since epoch), its acknowledged document or None, and its cover's bytes or None.

        Raises what the writer failed with, for instance a full disk.
        """
        process = self._process or self._start()
        try:
            _send(process.stdin, rows)
        except OSError:
            raise self._failure() from None

    def finish(self) -> Path | None:
        """The document is in place: the file of its acknowledgements, to be deleted when taken in.

        None when nothing was sent. Raises what the writer failed with.
        """
        if self._process is None:
            return None
        with suppress(OSError):
            _send(self._process.stdin, None)
        reply = self._reply()
        if isinstance(reply, BrekzsyncError):
            raise reply
        return reply

    def _start(self) -> subprocess.Popen[bytes]:
        # -P: nothing in the working directory may stand in for a module.
        command = [sys.executable, "-P", "-m", __name__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with suppress(OSError):
            _send(self._process.stdin, pickle.dumps(self._order))
        return self._process

    def _failure(self) -> BrekzsyncError:
        reply = self._reply()
        return reply if isinstance(reply, BrekzsyncError) else _vanished()

    def _reply(self) -> Path | BrekzsyncError:
        assert self._process is not None
        try:
            kind, *values = _receive(self._process.stdout)
        except EOFError:
            return _vanished()
        if kind == "done":
            return Path(values[0])
        message, hint, code = values
        error: BrekzsyncError = getattr(errors, kind)(message, hint=hint, code=code)
        return error


def _vanished() -> BrekzsyncError:
    return PermanentError(
        "The process that writes the bulk document ended before it was done; nothing was acknowledged.",
        hint="Was it killed, or the machine short of memory? Run the same command again.",
        code="writer_vanished",
    )


def main() -> None:
    """The writer's end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both; the run decides what becomes of it
    source, answer = sys.stdin.buffer, sys.stdout.buffer
    with suppress(EOFError, OSError):  # the run is gone, and nobody waits for an answer
        order: BulkOrder = pickle.loads(_receive(source))
        try:
            reply: tuple[str, ...] = ("done", str(_write(order, source)))
        except BrekzsyncError as error:
            reply = (type(error).__name__, error.message, error.hint, error.code)
        except (EOFError, OSError):
            raise
        except Exception as error:  # whatever it is, the run says it, not a traceback
            reply = _unexpected(error)
        _send(answer, reply)


def _unexpected(error: Exception) -> tuple[str, ...]:
    message = f"Writing the bulk document failed unexpectedly ({type(error).__name__}: {error})."
    return PermanentError.__name__, message, "This is a fault in brekzsync: please report it.", "unexpected"


def _write(order: BulkOrder, source: IO[bytes]) -> Path:
    """Write the document from the batches that come; the file of its acknowledgements.

    Raises EOFError when the run is gone; neither file is left then.
    """
    from brekzsync.exact.durable import part_of
    from brekzsync.exact.eexact.items import ItemWriter
    from brekzsync.exact.outbox import Outbox
    from brekzsync.state.staging import StagedFile

    writer, outbox = ItemWriter(order.layout), Outbox(order.directory)
    unread = outbox.unread_document if any(True for _ in outbox.unread_items()) else _none_unread
    with outbox.open_bulk(order.run) as document:
        path = document.path.with_name(f".{document.name}.acknowledgements")
        part = Path(part_of(f"{document.path}.acknowledgements"))
        try:
            with closing(StagedFile(part)) as staged:
                while (rows := _receive(source)) is not None:
                    _add(document, writer, rows, order.yesterday, unread)
                    staged.add([row[:_ACKNOWLEDGEMENT] for row in rows])
            # In place before the document is: from then on it may be taken, whoever dies.
            document.commit(before_shown=lambda: os.replace(part, path))
        except BaseException:
            part.unlink(missing_ok=True)
            if os.path.exists(part_of(str(document.path))):  # nobody saw the document
                path.unlink(missing_ok=True)
            raise
    return path


def _none_unread(_key: tuple[int, int]) -> None:
    return None


def _add(document: Any, writer: Any, rows: list[tuple[Any, ...]], yesterday: date, unread: Any) -> None:
    from brekzsync.exact.index import IndexEntry

    add, parts, href = document.add, writer.parts, document.name
    for row in rows:
        major, minor, fingerprint, force, _, _, stored, _, _, _, different_at, before, image = row
        item = Item.from_stored(stored)
        previous = None if before is None else Item.from_stored(before)
        modified, version = moment_text(different_at), version_text(fingerprint, force)
        entry = IndexEntry(major, minor, item.code, modified, version).line(href)
        add(*parts(item, previous, yesterday, image, unread((major, minor))), entry)


def _send(stream: IO[bytes] | None, value: Any) -> None:
    assert stream is not None
    packed = marshal.dumps(value)
    stream.write(len(packed).to_bytes(_LENGTH, "big"))
    stream.write(packed)
    stream.flush()


def _receive(stream: IO[bytes] | None) -> Any:
    assert stream is not None
    head = stream.read(_LENGTH)
    if len(head) < _LENGTH:
        raise EOFError
    packed = stream.read(length := int.from_bytes(head, "big"))
    if len(packed) < length:
        raise EOFError
    return marshal.loads(packed)


if __name__ == "__main__":
    main()
