"""A service of the demo: HTTP on this machine only, which tests make fail in the ways real ones do (``plan``)."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

from brekzsync.errors import Interrupted, Unavailable

_LONGEST_HANG = 60.0  # seconds
NO_ANSWER = 0  # the status of a request that was never answered


class Asked(NamedTuple):
    """A request that came; ``query`` decoded."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes

    @property
    def resource(self) -> str:
        return self.path.strip("/").split("/")[1] if "/" in self.path.strip("/") else ""

    @property
    def record(self) -> str:
        parts = self.path.strip("/").split("/")
        return parts[2] if len(parts) > 2 else ""


class Reply(NamedTuple):
    """An answer; ``headers`` beside those that every answer has."""

    status: int
    content: bytes
    content_type: str
    headers: Mapping[str, str] = {}


class Fault(StrEnum):
    """How a request goes wrong, before or after it was carried out."""

    ERROR_BEFORE = "error before"  # HTTP 500, and nothing was done
    ERROR_AFTER = "error after"
    BUSY = "busy"  # HTTP 503 of a proxy, nothing was done
    DROP_BEFORE = "drop before"  # the connection breaks
    DROP_AFTER = "drop after"
    HANG_BEFORE = "hang before"  # no answer until `release` or the end, and nothing is done
    HANG_AFTER = "hang after"
    LATE = "late"  # carried out only when `release` is called
    MAIL_FAILED = "mail failed"  # of a shop: HTTP 500 with code 46, and it was done (X13e)
    GARBLED_AFTER = "garbled after"  # HTTP 2xx whose document cannot be read, and it was done


_NOT_DONE = (Fault.ERROR_BEFORE, Fault.BUSY, Fault.DROP_BEFORE, Fault.HANG_BEFORE)
_NOT_ANSWERED = (Fault.DROP_BEFORE, Fault.DROP_AFTER, Fault.HANG_BEFORE, Fault.HANG_AFTER)


@dataclass(slots=True)
class _Planned:
    fault: Fault | Reply
    is_meant: Callable[[Asked], bool]
    times: int


class LocalService(ABC):
    """A service from ``with`` to its end. ``asked``: every request, in order; ``requests``: (method, path, status) of
    those that are over. ``before_each`` is called with every request before it is looked at: what happens meanwhile.
    """

    def __init__(self, port: int) -> None:
        self.asked: list[Asked] = []
        self.requests: list[tuple[str, str, int]] = []
        self.before_each: Callable[[Asked], None] = lambda asked: None
        self.is_over = False
        self._one_at_a_time = Lock()  # SQLite has one writer; and what is asked is kept in order
        self._planned: list[_Planned] = []
        self._released = Event()
        self._server = _Server(("127.0.0.1", port), self)

    @property
    def origin(self) -> str:
        """Where it listens, without a path."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_over = True
        self.release()
        self._server.shutdown()
        self._server.server_close()
        with self._one_at_a_time:
            self._close()

    def release(self) -> None:
        """Let go of what hangs, and of what hangs from now on."""
        self._released.set()

    def wait_for_release(self) -> None:
        """As long as a request hangs."""
        self._released.wait(_LONGEST_HANG)

    def fault_of(self, asked: Asked) -> Fault | Reply | None:
        """How this request goes wrong; a reply is given in the place of the true one, with nothing done."""
        with self._one_at_a_time:
            self.asked.append(asked)
            for planned in self._planned:
                if planned.times and planned.is_meant(asked):
                    planned.times -= 1
                    return planned.fault
            return None

    def answer(self, asked: Asked, authorization: str) -> Reply:
        """What the real one says to it."""
        self.before_each(asked)
        with self._one_at_a_time:
            return self._answer(asked, authorization)

    def _plan(self, fault: Fault | Reply, is_meant: Callable[[Asked], bool], times: int) -> None:
        with self._one_at_a_time:
            self._planned.append(_Planned(fault, is_meant, times))

    @abstractmethod
    def failure(self, fault: Fault, reply: Reply) -> Reply:
        """What is sent instead of ``reply`` when it goes wrong this way."""

    @property
    @abstractmethod
    def headers(self) -> Mapping[str, str]:
        """Of every answer."""

    @abstractmethod
    def _answer(self, asked: Asked, authorization: str) -> Reply: ...

    @abstractmethod
    def _close(self) -> None: ...


@contextmanager
def port_may_be_taken(port: int) -> Iterator[None]:
    """Raises Unavailable with a remedy where nothing can listen on it."""
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"Nothing can listen on port {port}: {error.strerror}.", hint="Name another one with --port."
        ) from error


def until_told() -> None:
    """Wait for a signal: being told to stop is how a service ends."""
    with suppress(Interrupted, KeyboardInterrupt):
        Event().wait()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, place: tuple[str, int], service: LocalService) -> None:
        super().__init__(place, _Handler)
        self.service = service

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked has gone; whatever else goes wrong is told."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # a small answer leaves in one piece,
    disable_nagle_algorithm = True  # and the second piece of a large one does not wait for word of the first
    server: _Server

    def _handle(self) -> None:
        service = self.server.service
        if service.is_over:  # of an earlier connection that was kept
            self.close_connection = True
            return
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), body)
        reply = self._reply(asked, self.headers.get("Authorization") or "")
        service.requests.append((asked.method, asked.path, reply.status if reply else NO_ANSWER))
        if reply is None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(SHUT_RDWR)
            return
        self._send(reply)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815

    def _reply(self, asked: Asked, authorization: str) -> Reply | None:
        """The answer, or None where it never comes."""
        service = self.server.service
        fault = service.fault_of(asked)
        if isinstance(fault, Reply):
            return fault
        if fault in (Fault.HANG_BEFORE, Fault.LATE):
            service.wait_for_release()
        reply = Reply(500, b"", "text/plain")
        if fault not in _NOT_DONE:
            reply = service.answer(asked, authorization)
        if fault is Fault.HANG_AFTER:
            service.wait_for_release()
        if fault in _NOT_ANSWERED:
            return None
        return service.failure(fault, reply) if fault and fault is not Fault.LATE else reply

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.content)))
        for name, value in {**self.server.service.headers, **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: who runs it looks at what it plays."""
