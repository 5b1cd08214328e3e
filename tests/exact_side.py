"""The whole way from a shop to Exact as processes: ``brekzsync serve``, the agent, and AsImport on the demo's ERP.

``Way`` has them talk through a proxy of the test's and run by ``tests/stepping.py``, so that at every step of any of
them ``Fate`` can kill one or all. An order that Exact is given twice it has twice (``brekzsync/demo/exact_import.py``).
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from sqlalchemy import Connection, Engine, create_engine, text

from brekzsync.agent.client import AgentClient, AgentUnreachable, NotAnAgent
from brekzsync.agent.protocol import Message
from tests.agents import ROOT, free_port, wait_until
from tests.exports import bare_environment

TOKEN = "let-me-in-please"
JOBS = ("products", "orders", "refunds")
EVERYTHING = {"serve", "agent", "asimport"}
_PATIENCE = 60.0  # seconds; the machine may be busy
_STEPPING = str(ROOT / "tests/stepping.py")
_AT_REST = ("order_not_in_erp",)  # pending, and nothing is to be done


# --- who lives and who dies --------------------------------------------------------------------------------


class Plan(NamedTuple):
    """Kill these at a step from now on, told by its number or its name; then do something else.

    Whoever is no victim goes on, but for a connection of the ``way``, which is cut.
    """

    at: int | str
    victims: Collection[str]
    then: Callable[[], object] = lambda: None


NOBODY = Plan("", ())


class Fate:
    """Is told of every step, lets one process go on at a time, and kills as planned."""

    def __init__(self) -> None:
        self.plan = NOBODY
        self.struck = ""
        self.steps: list[str] = []
        self.pids: dict[str, int] = {}
        self._turn = threading.RLock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        _in_background(self._accept)

    def expect(self, plan: Plan) -> None:
        """Begin to count."""
        with self._turn:
            self.plan, self.struck, self.steps = plan, "", []

    def of_the_first_run(self) -> list[str]:
        """The steps taken since, up to the run that found nothing left to do."""
        index = [number for number, step in enumerate(self.steps) if step == "way index asked"]
        return self.steps[: index[1] - 1] if len(index) > 1 else self.steps

    def step(self, who: str, name: str) -> bool:
        """Whether who took it may go on."""
        with self._turn:
            self.steps.append(f"{who} {name}")
            if self.struck or not self._is_due():
                return True
            self.struck = self.steps[-1]
            for victim in self.plan.victims:
                with suppress(KeyError, ProcessLookupError):
                    os.kill(self.pids[victim], signal.SIGKILL)
            self.plan.then()
            return False

    def _is_due(self) -> bool:
        at = self.plan.at
        return self.steps[-1] == at if isinstance(at, str) else len(self.steps) >= at

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                _in_background(self._listen, connection)

    def _listen(self, connection: socket.socket) -> None:
        who = pid = ""
        with connection, connection.makefile("rb") as lines, suppress(OSError):
            for line in lines:
                who, pid, name = line.decode().rstrip("\n").split(" ", 2)
                with self._turn:
                    if who == "asimport":
                        self.pids[who] = int(pid)
                    self.step(who, name)
                connection.sendall(b".")  # the dead do not hear it
        with self._turn:
            if who == "asimport" and self.pids.get(who) == int(pid):
                del self.pids[who]


def _in_background(work: Callable[..., object], *given: object) -> None:
    threading.Thread(target=work, args=given, daemon=True).start()


class Proxy:
    """Between agent and serve; ``to`` is where serve listens now."""

    def __init__(self, fate: Fate) -> None:
        self.to: tuple[str, int] = ("127.0.0.1", 9)
        self._fate = fate
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        _in_background(self._accept)

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                _in_background(self._pass_on, connection)

    def _pass_on(self, agent: socket.socket) -> None:
        with agent, suppress(OSError):
            request = _whole_request(agent)
            name = _name_of(request)
            if not self._fate.step("way", f"{name} asked"):
                return
            with socket.create_connection(self.to, _PATIENCE) as serve:
                serve.sendall(request)
                answer = b"".join(iter(lambda: serve.recv(65536), b""))
            if not self._fate.step("way", f"{name} answered"):
                return
            half = len(answer) // 2
            agent.sendall(answer[:half])
            if self._fate.step("way", f"{name} half read"):
                agent.sendall(answer[half:])


def _name_of(request: bytes) -> str:
    path = request.split(b" ", 2)[1].partition(b"?")[0]
    return "results" if request.startswith(b"POST") else "document" if path.count(b"/") > 2 else "index"


def _whole_request(agent: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        block = agent.recv(65536)
        if not block:
            raise ConnectionError
        request += block
    head, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    while length and len(body) < int(length[1]):
        block = agent.recv(65536)
        if not block:
            raise ConnectionError
        body += block
    return head + b"\r\n\r\n" + body


# --- the processes -----------------------------------------------------------------------------------------


@dataclass
class Way:
    """One shop's way to Exact; ``cli`` runs brekzsync in this process, with the folder's configuration."""

    folder: Path
    agent_file: Path
    cli: Callable[..., Any]
    fate: Fate = field(default_factory=Fate)
    agent_port: int = field(default_factory=free_port)
    said: list[str] = field(default_factory=list)
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._proxy = Proxy(self.fate)
        self._configure_agent()
        self.mend()
        return self

    def __exit__(self, *_: object) -> None:
        self.fate.expect(NOBODY)
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._proxy.close()
        self.fate.close()
        for name in ("serve.err", "agent.err", "brekzsync.log"):
            said = (self.folder / name).read_text(encoding="utf-8")
            assert "Traceback" not in said, said[said.index("Traceback") :][:5000]

    def _errors(self, name: str) -> str:
        return (self.folder / f"{name}.err").read_text(encoding="utf-8")

    def mend(self) -> None:
        """Start again whoever is dead."""
        for name, start in (("serve", self._start_serve), ("agent", self._start_agent)):
            process = self._processes.get(name)
            if process is None or process.poll() is not None:
                start()

    def _start_serve(self) -> None:
        arguments = ["--config", str(self.folder / "brekzsync.toml"), "serve", "--port", "0"]
        before = self._size("serve")
        self._start("serve", [sys.executable, _STEPPING, "serve", str(self.fate.port), *arguments])

        def address() -> re.Match[str] | None:
            return re.search(r"http://(\S+)", self._errors("serve")[before:])

        self._await("serve", address)
        found = address()
        assert found is not None
        parts = urlsplit(found[0])
        assert parts.hostname is not None
        assert parts.port is not None
        self._proxy.to = (parts.hostname, parts.port)
        self._await("serve", lambda: _is_well(self._proxy.to))

    def _start_agent(self) -> None:
        own = ["--config", str(self.folder / "agent.toml")]
        command = [sys.executable, "-I", "-S", _STEPPING, "agent", str(self.fate.port)]
        self._start("agent", [*command, str(self.agent_file), *own])
        self._await("agent", lambda: _is_listening(self.agent_port))

    def _size(self, name: str) -> int:
        return len(self._errors(name)) if (self.folder / f"{name}.err").exists() else 0

    def _start(self, name: str, command: list[str]) -> None:
        environment = bare_environment(self.folder)
        with open(self.folder / f"{name}.err", "ab") as stream:
            process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=stream, stderr=stream
            )
        self._processes[name] = process
        self.fate.pids[name] = process.pid

    def _await(self, name: str, holds: Callable[[], object]) -> None:
        process = self._processes[name]
        wait_until(lambda: process.poll() is not None or holds(), f"{name} is there", _PATIENCE)
        assert process.poll() is None, self._errors(name)[-3000:]

    def _configure_agent(self) -> None:
        asimport = [sys.executable, _STEPPING, "asimport", str(self.fate.port), "{file}", "{topic}"]
        asimport += ["--erp", str(self.erp), "--log", str(self.folder / "{name}-{topic}.xml")]
        (self.folder / "agent.toml").write_text(
            f"""
[agent]
port = {self.agent_port}
[shop]
url = "{self._proxy.url}/exact"
token = "{TOKEN}"
timeout = "30s"
[import]
command = {json.dumps(asimport)}
log = "{{name}}-{{topic}}.xml"
"""
            + "".join(f'[jobs.{job}]\nevery = "off"\nbatch = 10\n' for job in JOBS),
            encoding="utf-8",
        )

    # --- what happens on it -----------------------------------------------------------------------------------

    @property
    def erp(self) -> Path:
        """Exact's database."""
        return self.folder / "erp.db"

    def ask(self, verb: str, **fields: object) -> Message:
        """What a shop's side says to the agent's socket."""
        with AgentClient("127.0.0.1", self.agent_port, seconds=_PATIENCE) as client:
            return client.ask(verb, **fields)

    def brings(self, *jobs: str, plan: Plan = NOBODY) -> str:
        """Have jobs run, at once, killed as planned, until there is nothing left to do; the step that came to pass."""
        self.fate.expect(plan)
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            self.mend()
            started = [job for job in jobs if self._start_job(job)]
            ended = {job: self.ended(job) for job in started}
            if all(self._is_quiet(job, ended.get(job)) for job in jobs):
                return self.fate.struck
        pending = {job: self.pending(job) for job in jobs}
        raise AssertionError(f"{pending} do not come to rest: {self.ask('log', lines=20)['lines']}")

    def _start_job(self, job: str) -> bool:
        """Whether the agent runs it; not when it dies of it."""
        try:
            self.ask("start", job=job)
        except (AgentUnreachable, NotAnAgent, OSError):
            self._is_dead("agent")
            return False
        return True

    def ended(self, job: str) -> dict[str, Any] | None:
        """How the run at work ended; None when the agent died of it."""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            try:
                [status] = [one for one in self.ask("status")["jobs"] if one["job"] == job]
            except (AgentUnreachable, NotAnAgent, OSError):
                self._is_dead("agent")
                return None
            if not status["running"]:
                last: dict[str, Any] = status["last_run"]
                return last | {"backlog": status["backlog"]}
            time.sleep(0.02)
        raise AssertionError(f"{job} runs for ever")

    def _is_dead(self, name: str) -> None:
        """Killed as planned, not by itself."""
        code = self._processes[name].wait(_PATIENCE)
        assert code == -signal.SIGKILL, self._errors(name)[-3000:]

    def _is_quiet(self, job: str, run: Mapping[str, Any] | None) -> bool:
        if (
            run is None
            or run["outcome"] != "done"
            or run["counts"].get("offered")
            or any(run["backlog"].values())
        ):
            return False
        pending = self.pending(job)
        if not pending:
            return True
        if set(pending.values()) == {"in_flight"}:
            time.sleep(1)  # the lease is over then
            if job != "products":
                settled = self.cli(job, "settle")
                assert settled.code == 0, settled
        return not self.pending(job)

    def pending(self, job: str) -> dict[str, str]:
        """What waits, by key, with the reason."""
        records = self.logged(job, "pending")
        return {key: one["reason"] for key, one in records.items() if one["reason"] not in _AT_REST}

    def logged(self, job: str, status: str = "") -> dict[str, dict[str, Any]]:
        """What `logs list` says, by key."""
        words = ["--json", "logs", "list", "--type", job[:-1], "--limit", "1000"]
        document = self.cli(*words, *(["--status", status] if status else [])).document
        return {one["key"]: one for one in document["records"]}

    def exact(self, query: str) -> list[tuple[Any, ...]]:
        """What Exact has."""
        with closing(sqlite3.connect(self.erp)) as erp:
            return erp.execute(query).fetchall()

    def orders_in_exact(self) -> Counter[str]:
        """How often Exact has each order, by YourRef."""
        return Counter(row[0].strip() for row in self.exact("SELECT docnumber FROM orkrg") if row[0])

    def items_in_exact(self) -> dict[str, str]:
        """The description of each item, by its code."""
        return dict(self.exact("SELECT UPPER(TRIM(ItemCode)), Description FROM Items"))


def _is_listening(port: int) -> bool:
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


def _is_well(address: tuple[str, int]) -> bool:
    with suppress(OSError), socket.create_connection(address, 5) as serve:
        serve.sendall(b"GET /health HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        return serve.recv(64).startswith(b"HTTP/1.1 200")
    return False


# --- the shop ----------------------------------------------------------------------------------------------


@dataclass
class Sales:
    """A shop people buy in: ``order`` is one to make others like, ``product`` one to rename."""

    url: str
    product: int
    order: int
    number: int = 5000

    def __post_init__(self) -> None:
        self._engine: Engine = create_engine(self.url)
        self.renamed = ""
        self.references: dict[int, str] = {}

    def rename(self) -> str:
        """The product is called otherwise from now on; by which name."""
        self.number += 1
        self.renamed = f"Renamed {self.number}"
        with self._open() as shop:
            shop.execute(
                text(f"UPDATE ps_product_lang SET name = :name WHERE id_product = {self.product}"),
                {"name": self.renamed},
            )
        return self.renamed

    def sell(self) -> int:
        """A new customer buys and pays; the order."""
        self.number += 1
        with self._open() as shop:
            (customer,) = shop.execute(
                text(f"SELECT id_customer FROM ps_orders WHERE id_order = {self.order}")
            ).one()
            own = {"id_order": self.number, "id_customer": self.number}
            _copy(shop, "ps_customer", f"id_customer = {customer}", id_customer=self.number)
            _copy(
                shop,
                "ps_orders",
                f"id_order = {self.order}",
                **own,
                reference=f"W{self.number}",
                current_state=2,
            )
            details = _copy(shop, "ps_order_detail", f"id_order = {self.order}", id_order=self.number)
            for old, new in details:
                _copy(shop, "ps_order_detail_tax", f"id_order_detail = {old}", id_order_detail=new)
            history = f"SELECT MIN(id_order_history) FROM ps_order_history WHERE id_order = {self.order}"
            _copy(
                shop,
                "ps_order_history",
                f"id_order_history = ({history})",
                id_order=self.number,
                id_order_state=2,
            )
        return self.number

    def refund(self, id_order: int) -> int:
        """The customer gets one piece of the order's first line back; the slip."""
        self.number += 1
        with self._open() as shop:
            detail, excl, incl = shop.execute(
                text(
                    "SELECT id_order_detail, total_price_tax_excl / product_quantity,"
                    " total_price_tax_incl / product_quantity FROM ps_order_detail"
                    f" WHERE id_order = {id_order} ORDER BY id_order_detail"
                )
            ).first() or (0, 0, 0)
            _insert(
                shop,
                "ps_order_slip",
                id_order_slip=self.number,
                id_order=id_order,
                id_customer=id_order,
                order_slip_type=0,
                partial=0,
                total_products_tax_excl=str(excl),
                total_products_tax_incl=str(incl),
                total_shipping_tax_excl="0",
                total_shipping_tax_incl="0",
                amount=str(incl),
                shipping_cost_amount="0",
                date_add="2026-11-21 10:00:00",
                date_upd="2026-11-21 10:00:00",
            )
            _insert(
                shop,
                "ps_order_slip_detail",
                id_order_slip=self.number,
                id_order_detail=detail,
                product_quantity=1,
                total_price_tax_excl=str(excl),
                total_price_tax_incl=str(incl),
                amount_tax_excl=str(excl),
                amount_tax_incl=str(incl),
            )
        return self.number

    @contextmanager
    def _open(self) -> Iterator[Connection]:
        with self._engine.begin() as shop:
            if self._engine.dialect.name != "sqlite":
                shop.execute(text("SET SESSION sql_mode = ''"))  # the fixtures hold days that are none
            yield shop


def _copy(shop: Connection, table: str, where: str, **changed: object) -> list[tuple[Any, Any]]:
    """Rows like those there are; the old and the new value of the first column of each."""
    rows = shop.execute(text(f"SELECT * FROM {table} WHERE {where}")).mappings().all()
    made = []
    for row in rows:
        first = next(iter(row))
        fresh = dict(row) | changed
        if first not in changed:
            (fresh[first],) = shop.execute(text(f"SELECT MAX({first}) + 1 FROM {table}")).one()
        _insert(shop, table, **fresh)
        made.append((row[first], fresh[first]))
    return made


def _insert(shop: Connection, table: str, **values: object) -> None:
    there = set(shop.execute(text(f"SELECT * FROM {table} LIMIT 0")).keys())
    values = {name: value for name, value in values.items() if name in there}
    marks = ", ".join(f":{name}" for name in values)
    names = ", ".join(f"`{name}`" for name in values)
    shop.execute(text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), values)
