"""What keeps one client from taking the service away from the others: bodies, threads, heads of requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from brekzsync.web.errors import Problem

HEAD_BYTES = 32 * 1024
HEAD_SECONDS = 20.0
THREADS = 8  # each may hold a connection to the shop and one to the state

Result = TypeVar("Result")


class Threads:
    """Does what waits for databases beside the event loop; ``most`` is how much may wait or be at work."""

    def __init__(self, most: int) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="request")
        self._most = most
        self._count = 0
        self._lock = Lock()

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do it. Raises Problem 503 when too much is being done. Who stops waiting does not stop the work: its
        place is free again when it has ended."""
        with self._lock:
            if self._count >= self._most:
                raise busy()
            self._count += 1
        future = self._pool.submit(work)
        future.add_done_callback(self._freed)  # also of what was given up before it began
        return await asyncio.wrap_future(future)

    def _freed(self, _future: Future[Any]) -> None:
        with self._lock:
            self._count -= 1

    def close(self) -> None:
        """Let what is at work end; drop what has not begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def busy() -> Problem:
    """What is answered when there is too much to do."""
    return Problem(503, "busy", "Too many requests are being answered.", "Come again.", {"Retry-After": "1"})


async def body_of(request: Request, most: int) -> bytes:
    """The body. Raises Problem 413 as soon as it is known to be longer than ``most`` bytes."""
    too_long = Problem(
        413,
        "body_too_large",
        f"The body is longer than {most} bytes.",
        "Send it in parts, or raise [serve] max_body.",
    )
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:19]) > most:
        raise too_long
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise too_long
            parts.append(part)
    except ClientDisconnect as error:
        raise Problem(400, "body_incomplete", "The body broke off.") from error
    return b"".join(parts)


class BoundedHttp(HttpToolsProtocol):
    """Closes a connection whose request line and headers grow too long or take too long to come."""

    _head_bytes = 0
    _in_head = False
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self.send_400_response("The request's head is too long.")
                return
        super().data_received(data)
        if self._in_head and self._is_too_long():
            self.send_400_response("The request's head is too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        if self._patience is None:  # on a connection that is used again
            self._wait_for_head()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_waiting()
        if self._is_too_long():
            raise ValueError("head too long")  # answered with 400
        super().on_headers_complete()

    def _is_too_long(self) -> bool:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES

    def _wait_for_head(self) -> None:
        self._patience = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
