"""A shop and an AsImport to try the agent against: both small, both able to misbehave.

``FakeShop`` serves the feed over real HTTP: what is served is left out of the index until a result settles it.
The fake AsImport is a program of its own; ``erp.log`` beside it is what "Exact" has taken in.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape, quoteattr

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "a-token-of-the-shop"
SECRET = "a secret of sixteen or more"

_IMPORTER = """
import json, os, subprocess, sys, time
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

here = Path(__file__).parent
how = json.loads((here / "how.json").read_text())
given = dict(argument.split("=", 1) for argument in sys.argv[1:])
root = ElementTree.parse(given["file"]).getroot()
holder = root.find(given["topic"])
codes = [one.get("code") or one.find(".//Item").get("code") for one in holder]
(here / "calls.log").open("a").write(json.dumps([given["topic"], codes]) + "\\n")

def take(code):
    with (here / "erp.log").open("a") as erp:
        erp.write(code + "\\n")

def tell(messages, name=given["name"]):
    lines = "".join(
        f'<Message type="{kind}"><Topic code="{given["topic"]}"><DataKey code={quoteattr(code)}/></Topic>'
        f"<Description>{text}</Description></Message>" for kind, code, text in messages)
    path = here / f'{name}-{given["topic"]}.xml'
    path.write_text(f"<eExact><Messages>{lines}</Messages></eExact>")

mode = how["mode"]
if mode == "slow":
    time.sleep(how["seconds"])
if mode == "hang":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    (here / "hanging.pids").write_text(f"{os.getpid()} {child.pid}")
    time.sleep(300)
if mode == "killed":
    os.kill(os.getpid(), 9)
if mode == "crash":
    take(codes[0])
    os._exit(3)
if mode == "lie":  # says it went well, and tells of something else
    tell([(2, "SOMETHING-ELSE", "Created")])
    sys.exit(0)
if mode == "plain":
    print("Importing...\\nItem group 7 was not found")
    sys.exit(0)
rejected = [code for code in codes if code in how.get("reject", [])]
for code in codes:
    if code not in rejected:
        take(code)
if mode != "silent":
    no, yes = (0, "Invalid reference: Assortment 999"), (2, "Updated")
    tell([(kind, code, text) for code in codes for kind, text in [no if code in rejected else yes]])
sys.exit(how.get("code", 0))
"""


def document_of(code: str, *, price: bool = False) -> bytes:
    """An eExact document of one item."""
    prices = f"<ItemPrices><ItemPrice code={quoteattr(code)}/></ItemPrices>" if price else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<eExact xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        ' xsi:noNamespaceSchemaLocation="eExact-Schema.xsd">'
        f"<Items><Item code={quoteattr(code)}><Description>€</Description></Item></Items>{prices}</eExact>"
    ).encode()


@dataclass
class Record:
    code: str
    version: str
    price: bool = False
    is_leased: bool = False
    claimed_by: str = ""


@dataclass
class FakeShop:
    """``records`` are pending by id; ``misbehave`` may answer a request instead: (status, body) or None.

    With ``claims`` a record is given to one reader only, as orders are.
    """

    records: dict[str, Record] = field(default_factory=dict)
    results: list[dict[str, str]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    served: Counter[str] = field(default_factory=Counter)
    misbehave: Callable[[str, str], tuple[int, bytes] | None] = lambda method, path: None
    page: int = 500
    url: str = ""
    claims: bool = False
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def offer(self, *codes: str, price: bool = False) -> None:
        """Have records pending whose ids are ``1-<n>``; a code that is there gets a new version."""
        for code in codes:
            known = next((id_ for id_, one in self.records.items() if one.code == code), None)
            id_ = known or f"1-{len(self.records) + 1}"
            self.records[id_] = Record(code, f"v{self.served[id_]}-{id_}", price)

    def statuses(self) -> dict[str, str]:
        """The last result of every record, by code."""
        return {self._codes[one["id"]]: one["status"] for one in self.results}

    @property
    def pending(self) -> list[str]:
        return [record.code for record in self.records.values()]

    _codes: dict[str, str] = field(default_factory=dict)

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(path)
        with self._lock:
            self.requests.append(f"{method} {path}")
            self._codes |= {id_: record.code for id_, record in self.records.items()}
            if headers.get("Authorization") != f"Bearer {TOKEN}":
                return 401, {}, b'<Error code="unauthorised"><Message>No token.</Message></Error>'
            if instead := self.misbehave(method, parts.path):
                return instead[0], {}, instead[1]
            if method == "POST":
                return self._settle(json.loads(body))
            if parts.path == "/exact/products":
                return self._index(parse_qs(parts.query))
            return self._document(parts.path.rpartition("/")[2], headers.get("X-Claim", ""))

    def _index(self, query: dict[str, list[str]]) -> tuple[int, dict[str, str], bytes]:
        after = query.get("next", [""])[0]
        ids = [id_ for id_, one in sorted(self.records.items()) if not one.is_leased and id_ > after]
        page = ids[: min(self.page, int(query["limit"][0]))]
        more = len(ids) > len(page)
        entries = "".join(
            f'<Entry id="{id_}" code={quoteattr(self.records[id_].code)} modified="2026-11-21T12:00:00Z"'
            f' version="{self.records[id_].version}" href="products/{id_}"/>\n'
            for id_ in page
        )
        following = page[-1] if more else ""
        body = f'<Index topic="Items" count="{len(page)}" more="{int(more)}" next="{following}">\n{entries}</Index>'
        return 200, {}, body.encode()

    def _document(self, id_: str, claim: str) -> tuple[int, dict[str, str], bytes]:
        record = self.records.get(id_)
        if record is None:
            return 404, {}, f'<Error code="unknown"><Message>No {escape(id_)}.</Message></Error>'.encode()
        if self.claims and record.is_leased and (not claim or claim != record.claimed_by):
            return 409, {}, b'<Error code="in_flight"><Message>Another reader has it.</Message></Error>'
        record.is_leased, record.claimed_by = True, claim
        self.served[id_] += 1
        return 200, {"X-Version": record.version}, document_of(record.code, price=record.price)

    def _settle(self, posted: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        told = []
        for one in posted["results"]:
            record = self.records.get(one["id"])
            is_known = record is not None and one.get("version") == record.version
            if is_known:
                self.results.append(one)
                del self.records[one["id"]]
            told.append({"id": one["id"], "outcome": "settled" if is_known else "unknown"})
        return 200, {}, json.dumps({"results": told}).encode()


@contextmanager
def serving(shop: FakeShop, port: int = 0) -> Iterator[FakeShop]:
    """The shop, on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, answer = shop.answer(self.command, self.path, self.headers, body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(answer)), "Connection": "close"}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = _any  # noqa: N815

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:  # agents are killed here
            pass

    server = Server(("127.0.0.1", port), Handler)
    shop.url = f"http://127.0.0.1:{server.server_port}/exact"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class FakeExact:
    """A folder with the fake AsImport, what it took in, and the agent's configuration."""

    folder: Path
    port: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "asimport.py").write_text(_IMPORTER, encoding="utf-8")
        self.behaves("succeed")

    def behaves(self, mode: str, **more: Any) -> None:
        (self.folder / "how.json").write_text(json.dumps({"mode": mode, **more}), encoding="utf-8")

    def took(self) -> list[str]:
        """The codes Exact took in, in order, once for every time."""
        return self._lines("erp.log")

    def calls(self) -> list[list[Any]]:
        """[topic, codes] of every call."""
        return [json.loads(line) for line in self._lines("calls.log")]

    def _lines(self, name: str) -> list[str]:
        file = self.folder / name
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    def configure(
        self,
        shop: FakeShop,
        *,
        every: str = "off",
        batch: int = 1,
        time_limit: str = "20s",
        log: str = "{name}-{topic}.xml",
        secret: str = "",
        jobs: str = "products",
        recognisers: str = '["messages"]',
        program: str = sys.executable,
    ) -> Path:
        """Write agent.toml; its path."""
        self.port = self.port or free_port()
        command = [program, "-I", "-S", str(self.folder / "asimport.py")]
        command += [f"{name}={{{name}}}" for name in ("file", "topic", "name", "server", "database")]
        tables = "".join(f'[jobs.{job}]\nevery = "{every}"\nbatch = {batch}\n' for job in jobs.split())
        text = f"""
[agent]
port = {self.port}
secret = "{secret}"
work = "work"
[shop]
url = "{shop.url}"
token = "{TOKEN}"
timeout = "5s"
[import]
command = {json.dumps(command)}
server = 'GLOBE\\SQL'
database = "001"
time_limit = "{time_limit}"
log = '{log}'
recognisers = {recognisers}
{tables}"""
        path = self.folder / "agent.toml"
        path.write_text(text, encoding="utf-8")
        return path


@contextmanager
def agent_process(program: list[str], config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """An agent that listens; killed at the end if it still runs."""
    port = int(config.read_text(encoding="utf-8").partition("port = ")[2].split()[0])
    with listening_process(
        [*program, "--config", str(config)], port, config.with_name("agent.err")
    ) as process:
        yield process


@contextmanager
def listening_process(command: list[str], port: int, errors: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that listens on a port; killed at the end if it still runs."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    with open(errors, "ab") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, env=environment)
    try:
        wait_until(lambda: process.poll() is not None or _is_listening(port), f"{command[-1]} listens", 30)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def wait_until(holds: Callable[[], Any], what: str, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.02)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
