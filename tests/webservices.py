"""Exchanges with a real PrestaShop webservice, as they were recorded: to be played back, and to be compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree

KEY = "DEMOKEY" * 4 + "DEMO"
READING_KEY = "READONLY" * 4
FAMILIES = ("20", "39", "40", "50", "51", "60", "80", "82", "83")
SINGULAR = ("stock_availables", "orders", "order_histories", "order_carriers")
_RECORDED_AT = "http://127.0.0.1:8089"
_MARK = "\n======== RESPONSE ========\n"

Fields = Mapping[str, str]


class Exchange(NamedTuple):
    """A request and its answer; ``query`` decoded, ``path`` without /api."""

    name: str
    method: str
    path: str
    query: Mapping[str, str]
    request_headers: Mapping[str, str]
    request: bytes
    status: int
    headers: Mapping[str, str]
    answer: bytes

    @property
    def resource(self) -> str:
        return self.path.split("/")[1]

    @property
    def record(self) -> str:
        return self.path.split("/")[2] if self.path.count("/") > 1 else ""

    @property
    def sent(self) -> Fields:
        """The values of the record that was sent."""
        return (rows(self.request) or [{}])[0]


def recorded(shared: Path) -> dict[str, Exchange]:
    """What was recorded of stock, states, tracking numbers and errors, by the number of its file."""
    folder = shared / "data/prestashop/webservice"
    found = sorted(path for family in FAMILIES for path in folder.glob(f"{family}*.txt"))
    assert len(found) > 45, "the recordings are not there"
    exchanges = [_read(path) for path in found]
    return {exchange.name: exchange for exchange in exchanges}


def rows(document: bytes) -> list[dict[str, str]]:
    """The records of a document, or its errors, as the texts of their fields."""
    if not document.startswith(b"<?xml"):
        return []
    found = list(ElementTree.fromstring(document))
    if found and found[0].tag in (*SINGULAR, "products", "errors"):
        found = list(found[0])
    return [{one.tag: (one.text or "").strip() for one in record if not len(one)} for record in found]


def _read(path: Path) -> Exchange:
    request, _, answer = path.read_bytes().decode().replace("\r\n", "\n").partition(_MARK)
    line, request_headers, body = _message(request.lstrip("\n"))
    status, headers, content = _message(answer)
    method, target, _ = line.split(" ")
    parts = urlsplit(target)
    return Exchange(
        name=path.name.split("-")[0],
        method=method,
        path=parts.path.removeprefix("/api"),
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        request_headers=request_headers,
        request=body.strip().encode(),
        status=int(status.split(" ")[1]),
        headers=headers,
        answer=content.strip().encode(),
    )


def _message(text: str) -> tuple[str, dict[str, str], str]:
    head, _, body = text.partition("\n\n")
    line, *lines = head.splitlines()
    return line, dict(one.split(": ", 1) for one in lines if ": " in one), body


@dataclass(slots=True)
class Playback:
    """Answers every request with the recorded answer, and keeps what was asked."""

    exchange: Exchange
    address: str = ""
    asked: list[Exchange] = field(default_factory=list)


@contextmanager
def playing_back(exchange: Exchange) -> Iterator[Playback]:
    """A server that knows this one answer."""
    playback = Playback(exchange)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            playback.asked.append(
                exchange._replace(
                    method=self.command,
                    path=parts.path.removeprefix("/api"),
                    query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                    request_headers=dict(self.headers.items()),
                    request=body,
                )
            )
            self.send_response(exchange.status)
            for name in ("Content-Type", "Location", "PSWS-Version", "WWW-Authenticate"):
                if name in exchange.headers:
                    own = playback.address.removesuffix("/api")
                    self.send_header(name, exchange.headers[name].replace(_RECORDED_AT, own))
            self.send_header("Content-Length", str(len(exchange.answer)))
            self.end_headers()
            self.wfile.write(exchange.answer)

        do_GET = do_PUT = do_POST = do_PATCH = handle_any  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    playback.address = f"http://127.0.0.1:{server.server_port}/api"
    try:
        yield playback
    finally:
        server.shutdown()
        server.server_close()
