"""A small PrestaShop webservice over the demo's shop: what stock and shipments ask of one, answered as it was seen.

It listens on this machine only. Tests make it fail in the ways real ones do (``fail``).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR
from threading import Event, Lock, Thread
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from brekzsync.demo.webservice_answers import PLAIN, errors_document
from brekzsync.demo.webservice_records import Records
from brekzsync.demo.webservice_requests import Answering, Asked, Reply, Rights
from brekzsync.errors import ConfigurationError, Interrupted, InvalidInput, Unavailable
from brekzsync.settings import load_settings

VERSION = "8.2.1"
_LONGEST_HANG = 60.0  # seconds


class Fault(StrEnum):
    """How a request goes wrong, before or after it was carried out."""

    ERROR_BEFORE = "error before"  # HTTP 500 with an empty page
    ERROR_AFTER = "error after"
    MAIL_FAILED = "mail failed"  # HTTP 500 with code 46, and it was done (X13e)
    BUSY = "busy"  # HTTP 503 of a proxy, nothing was done
    DROP_BEFORE = "drop before"  # the connection breaks
    DROP_AFTER = "drop after"
    HANG_BEFORE = "hang before"  # no answer until `release` or the end, and nothing is done
    HANG_AFTER = "hang after"
    LATE = "late"  # carried out only when `release` is called


@dataclass(slots=True)
class _Planned:
    fault: Fault
    method: str
    resource: str
    times: int


class DemoWebservice:
    """A webservice over the shop's database at ``url`` (SQLite, MariaDB), from ``with`` to its end.

    ``keys``: what further keys may do; ``key`` may do everything. ``before_each`` is called with every request before
    it is looked at: what happens in the shop meanwhile.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str,
        port: int = 0,
        prefix: str = "ps_",
        keys: Mapping[str, Rights] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.key = key
        self.asked: list[Asked] = []
        self.before_each: Callable[[Asked], None] = lambda asked: None
        self.is_over = False
        # A file may be made anew at any time (`demo up`): nobody keeps it open.
        is_file = url.startswith("sqlite")
        self._engine = (
            create_engine(url, poolclass=NullPool) if is_file else create_engine(url, pool_pre_ping=True)
        )
        self._one_at_a_time = Lock()  # SQLite has one writer; and what is asked is kept in order
        self._planned: list[_Planned] = []
        self._released = Event()
        self._server = _Server(("127.0.0.1", port), _Handler, self)
        records = Records(self._engine, prefix, clock)
        self._answering = Answering(records, {key: None, **(keys or {})}, self.address)

    @property
    def address(self) -> str:
        """For [shop] webservice_url."""
        return f"http://127.0.0.1:{self._server.server_port}/api"

    def __enter__(self) -> DemoWebservice:
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_over = True
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._engine.dispose()

    def switch_off(self) -> None:
        """As the switch of the back office's page does."""
        self._answering.switched_off = True

    def fail(self, fault: Fault, method: str = "", resource: str = "", times: int = 1) -> None:
        """The next ``times`` requests of this kind go wrong."""
        with self._one_at_a_time:
            self._planned.append(_Planned(fault, method, resource, times))

    def release(self) -> None:
        """Let go of what hangs, and of what hangs from now on."""
        self._released.set()

    def wait_for_release(self) -> None:
        """As long as a request hangs."""
        self._released.wait(_LONGEST_HANG)

    def fault_of(self, asked: Asked) -> Fault | None:
        """How this request goes wrong."""
        with self._one_at_a_time:
            self.asked.append(asked)
            for planned in self._planned:
                is_meant = planned.method in ("", asked.method) and planned.resource in ("", asked.resource)
                if planned.times and is_meant:
                    planned.times -= 1
                    return planned.fault
            return None

    def answer(self, asked: Asked, authorization: str) -> Reply:
        """What a shop says to it."""
        self.before_each(asked)
        with self._one_at_a_time:
            return self._answering.answer(asked, authorization)


def demo_webservice(directory: Path, port: int) -> DemoWebservice:
    """That of the demo in ``directory``. Raises InvalidInput where there is none, ConfigurationError without a key."""
    configuration = directory / "brekzsync.toml"
    if not (directory / "shop.db").is_file() or not configuration.is_file():
        raise InvalidInput(
            f"There is no demo in {directory}.",
            hint="Make one: brekzsync demo up --dir FOLDER",
            code="no_demo",
        )
    key = load_settings(configuration).shop.webservice_key.get_secret_value()
    if not key:
        raise ConfigurationError(
            f"{configuration} has no key for the shop's webservice.",
            hint=f'Add to [shop]: webservice_url = "http://127.0.0.1:{port}/api" and a webservice_key of your own.',
        )
    try:
        return DemoWebservice(f"sqlite:///{directory / 'shop.db'}", key=key, port=port)
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

    def __init__(
        self, place: tuple[str, int], handler: type[BaseHTTPRequestHandler], service: DemoWebservice
    ) -> None:
        super().__init__(place, handler)
        self.service = service

    def handle_error(self, request: object, client_address: object) -> None:
        """Who asked has gone; whatever else goes wrong is told."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer leaves in one piece
    server: _Server

    def _handle(self) -> None:
        service = self.server.service
        if service.is_over:  # of an earlier connection that was kept
            self.close_connection = True
            return
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), body)
        authorization = self.headers.get("Authorization") or ""
        fault = service.fault_of(asked)
        if fault in (Fault.HANG_BEFORE, Fault.LATE):
            service.wait_for_release()
        reply = Reply(500, b"", PLAIN)
        if fault not in (Fault.ERROR_BEFORE, Fault.BUSY, Fault.DROP_BEFORE, Fault.HANG_BEFORE):
            reply = service.answer(asked, authorization)
        if fault is Fault.HANG_AFTER:
            service.wait_for_release()
        if fault in (Fault.DROP_BEFORE, Fault.DROP_AFTER, Fault.HANG_BEFORE, Fault.HANG_AFTER):
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(SHUT_RDWR)
            return
        match fault:
            case Fault.ERROR_AFTER:
                reply = Reply(500, b"", PLAIN)
            case Fault.MAIL_FAILED:
                reply = Reply(500, errors_document([(46, "Unable to save resource")]))
            case Fault.BUSY:
                reply = Reply(503, b"<html>Service Unavailable</html>", PLAIN)
        self._send(reply)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.content)))
        self.send_header("PSWS-Version", VERSION)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: who runs it looks at the shop."""
