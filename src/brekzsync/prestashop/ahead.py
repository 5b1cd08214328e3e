"""Reading on while what was read is worked on."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Read = TypeVar("Read")

_SWITCH_INTERVAL = 0.0005  # seconds


def ahead(pages: Iterator[Read]) -> Generator[Read, None, None]:
    """The pages; while one is worked on, the next is read."""
    with _reading_ahead() as worker:
        upcoming = worker.submit(next, pages, None)
        while (page := upcoming.result()) is not None:
            upcoming = worker.submit(next, pages, None)
            yield page


@contextmanager
def _reading_ahead() -> Iterator[ThreadPoolExecutor]:
    worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="shop-reader")
    before = sys.getswitchinterval()
    # The reader mostly waits for the server; with the usual 5 ms it would wait as long again, a dozen times a
    # page, for its turn to go on.
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        yield worker
    finally:
        sys.setswitchinterval(before)
        worker.shutdown(wait=True, cancel_futures=True)
