"""``brekzsync serve`` as a process, and a client that fetches from it as Exact's side would."""

from __future__ import annotations

import base64
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from threading import Thread
from typing import Any, Self

import httpx2
from lxml import etree
from uvicorn import Server

from brekzsync.bootstrap.serve import open_service
from brekzsync.web.app import application
from brekzsync.web.running import Listening, configured
from tests.exports import Document, Installation, parse

TOKEN = "let-me-in-please"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
BASIC = {"Authorization": "Basic " + base64.b64encode(f"exact:{TOKEN}".encode()).decode()}
_PATIENCE = 30.0  # seconds
_TOPICS = {"products": "Items", "orders": "Orders", "refunds": "Refunds"}


@dataclass(slots=True)
class Serving:
    """A service over one installation."""

    installation: Installation
    process: subprocess.Popen[str] | None  # None: it runs in this process
    address: str
    client: httpx2.Client
    schema: Any
    said: list[str] = field(default_factory=list)

    # --- what Exact does ----------------------------------------------------------------------------------

    def get(self, path: str, **given: Any) -> httpx2.Response:
        return self.client.get(f"/exact/{path}", **given)

    def index(self, query: str = "", of: str = "products") -> list[dict[str, str]]:
        """The entries of a page of the index."""
        return [dict(entry.attrib) for entry in self.page(query, of)]

    def page(self, query: str = "", of: str = "products") -> Any:
        """The root of a page of the index."""
        answer = self.get(f"{of}{query}")
        assert answer.status_code == 200, answer.text
        root = etree.fromstring(answer.content)
        assert (root.tag, root.get("topic"), root.get("count")) == ("Index", _TOPICS[of], str(len(root)))
        return root

    def pending(self) -> set[str]:
        """The keys the index lists, looked at without a trace."""
        return {entry["id"] for entry in self.index("?preview=1")}

    def fetch(self, key: str, query: str = "") -> Document:
        """One item's document, valid against Exact's schema."""
        answer = self.get(f"products/{key}{query}")
        assert answer.status_code == 200, answer.text
        (document,) = parse(self.validated(answer.content))
        return document

    def bulk(self, query: str = "") -> list[Document]:
        """The items of the document of many."""
        answer = self.get(f"products.xml{query}")
        assert answer.status_code == 200, answer.text
        return parse(self.validated(answer.content))

    def validated(self, content: bytes) -> Any:
        """The document's root; fails with the schema's complaint."""
        root = etree.parse(BytesIO(content)).getroot()
        assert self.schema.validate(root), self.schema.error_log.last_error
        return root

    def report(self, *results: Mapping[str, str], of: str = "products") -> dict[str, Any]:
        """Post results as JSON; the answer."""
        answer = self.client.post(f"/exact/{of}/results", json={"results": list(results)})
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def import_(self, *keys: str) -> None:
        """Fetch these and say that they are in."""
        for key in keys:
            self.fetch(key)
        told = self.report(*({"id": key, "status": "imported"} for key in keys))
        assert told["settled"] == len(keys), told

    # --- what it said and how it is -----------------------------------------------------------------------

    def row(self, key: str) -> tuple[str, str | None, str | None]:
        """(status, reason, message) of a record in the ledger."""
        major, minor = map(int, key.split("-"))
        with self.installation.ledger() as ledger:
            (row,) = ledger.rows_for([(major, minor)])
            return row.status, row.reason, row.message

    def is_synced(self, key: str) -> bool:
        """Whether the ledger holds an acknowledged version of a record."""
        major, minor = map(int, key.split("-"))
        return any(acknowledged for _, _, acknowledged in self.installation.remembered((major, minor)))

    def stop(self) -> int:
        """Tell it to stop; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        assert self.process.stderr is not None
        self.said += self.process.stderr.readlines()
        self.process.stderr.close()
        assert "Traceback" not in "".join(self.said), "".join(self.said)


@contextmanager
def serving_here(installation: Installation, *, send_buffer: int = 0) -> Iterator[Serving]:
    """The same service in a thread of this process: it starts at once, and can be asked in no other way."""
    settings = installation.settings
    server = Server(configured(settings, 1, application(settings, open_service(settings))))
    with Listening("127.0.0.1", 0) as listening:
        if send_buffer:  # of every connection that is taken
            listening.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        thread = Thread(target=server.run, kwargs={"sockets": [listening.socket]})
        thread.start()
        try:
            until(lambda: server.started)
            with _client(listening.address, BEARER) as client:
                yield Serving(installation, None, listening.address, client, _schema(installation), [])
        finally:
            server.should_exit = True
            thread.join()


def _client(address: str, headers: Mapping[str, str]) -> httpx2.Client:
    return httpx2.Client(base_url=address, headers=dict(headers), timeout=_PATIENCE, trust_env=False)


@cache
def _schema_of(path: str) -> Any:
    return etree.XMLSchema(etree.parse(path))


def _schema(installation: Installation) -> Any:
    return _schema_of(str(installation.schema))


@contextmanager
def serving(
    installation: Installation, *arguments: str, headers: Mapping[str, str] = BEARER
) -> Iterator[Serving]:
    """The service, ready to be asked; ended with the block."""
    process = subprocess.Popen(
        installation.command("serve", "--port", "0", *arguments),
        cwd=installation.folder,
        env=installation.process_environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = [process.stderr.readline()]
    found = re.search(r"http://\S+", said[0])
    if found is None:
        process.wait(_PATIENCE)
        raise AssertionError(said[0] + process.stderr.read())
    address = found[0]
    client = _client(address, headers)
    with Serving(installation, process, address, client, _schema(installation), said) as service:
        until(lambda: _answers(client))
        yield service


def _answers(client: httpx2.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx2.TransportError:
        return False


def until(holds: Callable[[], object], patience: float = _PATIENCE) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < end, "it did not come to be in time"
        time.sleep(0.02)


def children_of(pid: int) -> list[int]:
    """The processes a process has started and that live."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        found = [int(word) for word in file.read().split()]
    return [child for child in found if "spawn_main" in _command(child)]


def _command(pid: int) -> str:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().replace(b"\0", b" ").decode()


def kill(pid: int) -> None:
    """End a process without a word."""
    os.kill(pid, signal.SIGKILL)
