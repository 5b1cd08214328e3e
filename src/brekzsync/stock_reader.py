"""What every item has in the ERP, read by a process of its own while the run reads the shop.

Both sides of a whole look take about as long; read at the same time they take half of it together. The process
keeps what it read in an unnamed temporary file, so that it never waits for the run, and memory stays flat at both
ends. The file is gone when both are, whichever ends first and however.

Both ends are this module. What to read comes over a pipe, since it holds a password, which everybody would see on
a command line; the end of that pipe ends the process. The file holds frames, a length in eight bytes and a marshalled
value: whether the rows are sorted, then pages of them, and the process ends with 0. Or what it failed with, alone.
"""

from __future__ import annotations

import gc
import marshal
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from datetime import date
from itertools import chain, islice
from threading import Thread
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from brekzsync import errors
from brekzsync.errors import BrekzsyncError, PermanentError

if TYPE_CHECKING:
    from brekzsync.domain.erp_stock import LevelRow

_LENGTH = 8
_PAGE = 5000
_FAILED = 3  # how the process ends when it says why


class StockOrder(NamedTuple):
    """What the reader is told; ``database`` is the ERP's URL."""

    database: str
    today: date
    warehouses: Collection[str]


class StockReader:
    """The run's end: the process is at work as soon as this exists. Fulfils ``LevelsAside``."""

    def __init__(self, order: StockOrder) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed by ``close``
        # -P: nothing in the working directory may stand in for a module.
        command = [sys.executable, "-P", "-m", __name__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self._file)
        with suppress(OSError):  # it ended already; what it says is asked for later
            _send(self._process.stdin, pickle.dumps(order))

    def rows(self) -> tuple[Iterator[LevelRow], bool]:
        """See ``LevelsAside``."""
        code = self._process.wait()
        self._file.seek(0)
        if code == 0:
            is_sorted: bool = _receive(self._file)
            return chain.from_iterable(iter(lambda: _receive(self._file), None)), is_sorted
        if code == _FAILED:
            kind, message, hint, error_code = _receive(self._file)
            error: BrekzsyncError = getattr(errors, kind)(message, hint=hint, code=error_code)
            raise error
        raise PermanentError(
            "The process that reads the ERP's stock ended before it was done; nothing was compared.",
            hint="Was it killed, or the machine short of memory? Run the same command again.",
            code="reader_vanished",
        )

    def close(self) -> None:
        """See ``LevelsAside``."""
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        self._process.kill()  # it only reads
        self._process.wait()
        self._file.close()


def main() -> None:
    """The reader's end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both; the run decides what becomes of it
    gc.disable()  # millions of tuples without cycles
    source, target = sys.stdin.buffer, sys.stdout.buffer
    try:
        order: StockOrder = pickle.loads(_receive(source))
    except EOFError:  # the run is gone already
        return
    Thread(target=_end_with, args=(source.fileno(),), daemon=True).start()
    try:
        _read(order, target)
    except BrekzsyncError as error:
        _fail(target, type(error).__name__, error.message, error.hint, error.code)
    except OSError as error:
        message = f"What the ERP has could not be put aside: {error.strerror or error}."
        hint = f"Is the temporary folder full ({tempfile.gettempdir()})? TMPDIR names another one."
        _fail(target, PermanentError.__name__, message, hint, "no_room")
    except Exception as error:  # whatever it is, the run says it, not a traceback
        message = f"Reading the ERP's stock failed unexpectedly ({type(error).__name__}: {error})."
        hint = "This is a fault in brekzsync: please report it."
        _fail(target, PermanentError.__name__, message, hint, "unexpected")


def _end_with(source: int) -> None:
    """End when the run does, or wants no more. Past the buffer: its lock would be held when this process ends."""
    with suppress(OSError):
        os.read(source, 1)
    os._exit(1)


def _read(order: StockOrder, target: IO[bytes]) -> None:
    from brekzsync.exact.connection import connect_erp
    from brekzsync.exact.stock import StockRepository

    engine = connect_erp(order.database)
    try:
        stock = StockRepository(engine)
        by_code = stock.levels_by_code(order.today, order.warehouses)
        _send(target, by_code is not None)
        rows = iter(stock.levels(order.today, order.warehouses) if by_code is None else by_code)
        while page := list(islice(rows, _PAGE)):
            _send(target, _marshalled(page))
        _send(target, None)
    finally:
        engine.dispose()


def _fail(target: IO[bytes], *reply: str) -> None:
    with suppress(OSError):
        # Past the buffer: what could not be written may still be in it.
        os.ftruncate(target.fileno(), 0)
        os.lseek(target.fileno(), 0, os.SEEK_SET)
        os.write(target.fileno(), _framed(reply))
    os._exit(_FAILED)


def _send(stream: IO[bytes] | None, value: Any) -> None:
    assert stream is not None
    stream.write(_framed(value))
    stream.flush()


def _framed(value: Any) -> bytes:
    packed = marshal.dumps(value)
    return len(packed).to_bytes(_LENGTH, "big") + packed


def _receive(stream: IO[bytes]) -> Any:
    head = stream.read(_LENGTH)
    if len(head) < _LENGTH:
        raise EOFError
    packed = stream.read(length := int.from_bytes(head, "big"))
    if len(packed) < length:
        raise EOFError
    return marshal.loads(packed)


def _marshalled(rows: Iterable[LevelRow]) -> list[tuple[Any, ...]]:
    """Decimals as their digits: whole numbers are none."""
    return [
        row
        if row[6].__class__ is int and row[7].__class__ is int
        else (*row[:6], _stored(row[6]), _stored(row[7]))
        for row in rows
    ]


def _stored(quantity: Any) -> int | str:
    return quantity if quantity.__class__ is int else str(quantity)


if __name__ == "__main__":
    main()
