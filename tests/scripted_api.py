"""An HTTP server that gives the answers it was told to give, and remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit


class Asked(NamedTuple):
    """A request; ``told`` is its JSON body, None where there is none."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    told: Any


class Reply(NamedTuple):
    """An answer; ``send`` does something else with the handler than to send it whole."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = {"Content-Type": "application/json"}
    send: Callable[[BaseHTTPRequestHandler, Reply], None] | None = None


def says(told: object, status: int = 200, **headers: str) -> Reply:
    """JSON; of a header's name ``_`` is a dash."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = told.encode() if isinstance(told, str) else json.dumps(told).encode()
    return Reply(status, body, {"Content-Type": "application/json", **named})


class ScriptedApi:
    """Gives ``replies`` one after the other, the last one again and again."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self.replies = list(replies)
        self.asked: list[Asked] = []
        self.released = Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                told = json.loads(self.rfile.read(length)) if length else None
                query = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
                api.asked.append(Asked(self.command, parts.path, query, dict(self.headers), told))
                reply = api.replies[min(len(api.asked), len(api.replies)) - 1]
                with suppress(OSError):  # of a caller that gave up
                    (reply.send or whole)(self, reply)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

            @property
            def released(self) -> Event:
                return api.released

        return Handler

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def scripted(*replies: Reply) -> Iterator[ScriptedApi]:
    """A server for as long as the block takes."""
    api = ScriptedApi(replies)
    try:
        yield api
    finally:
        api.close()


def whole(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    begun(handler, reply, len(reply.body))
    handler.wfile.write(reply.body)


def begun(handler: BaseHTTPRequestHandler, reply: Reply, length: int | None) -> None:
    """Status and headers; without a length the connection's end is the answer's."""
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    if length is None:
        handler.close_connection = True
    else:
        handler.send_header("Content-Length", str(length))
    handler.end_headers()


def dropped(handler: BaseHTTPRequestHandler, _: Reply) -> None:
    """The connection ends without a word."""
    handler.close_connection = True


def cut(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    """The connection ends half-way through the body."""
    begun(handler, reply, len(reply.body) + 100)
    handler.wfile.write(reply.body)
    handler.close_connection = True


def silent(handler: BaseHTTPRequestHandler, _: Reply) -> None:
    """Nothing comes until the server is released."""
    handler.released.wait(10)  # type: ignore[attr-defined]
    handler.close_connection = True


def endless(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    """Blank space for as long as somebody reads it."""
    begun(handler, reply, None)
    while not handler.released.is_set():  # type: ignore[attr-defined]
        handler.wfile.write(b" " * 65536)


def dripping(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    """A byte now and then, always in time for the next."""
    begun(handler, reply, None)
    while not handler.released.wait(0.02):  # type: ignore[attr-defined]
        handler.wfile.write(b" ")
