"""The agent's TCP side: its protocol, and clients that mean no good."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from brekzsync.agent import protocol
from brekzsync.agent.client import AgentClient, AgentDistrusts, AgentUnreachable, NotAnAgent
from brekzsync.agent.protocol import MAX_REQUEST, ProtocolError, agent_proof, client_mac
from brekzsync.agent.server import BOUNDS, AgentServer, Bounds
from tests.agents import SECRET, free_port, wait_until

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/agent-protocol.md"


class Listening:
    """A server in a thread of its own."""

    def __init__(self, secret: str, bounds: Bounds) -> None:
        self.asked: list[Mapping[str, Any]] = []
        answers = {"status": self._status, "log": lambda request: {"lines": ["x" * 100_000] * 9}}
        self.server = AgentServer(answers, secret, bounds)
        self.loop = asyncio.new_event_loop()
        listener = self.loop.run_until_complete(self.server.listen("127.0.0.1", 0))
        self.port = listener.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def _status(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        if "boom" in request:
            raise RuntimeError("secret details")
        self.asked.append(request)
        return {"jobs": []}

    @property
    def connections(self) -> int:
        return len(self.server._connections)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 5)

    def client(self, secret: str = "", seconds: float = 5) -> AgentClient:
        return AgentClient("127.0.0.1", self.port, secret, seconds)

    def says(self, *lines: bytes) -> list[Any]:
        """What is answered to lines on one connection until it is closed; None for a connection that stays open."""
        with closing(self.connect()) as connection:
            connection.sendall(b"".join(lines))
            connection.settimeout(0.3)
            return list(_replies(connection))


def _replies(connection: socket.socket) -> Iterator[Any]:
    kept = b""
    try:
        while block := connection.recv(65536):
            kept += block
            while b"\n" in kept:
                line, _, kept = kept.partition(b"\n")
                reply = json.loads(line)
                yield reply.get("error", {}).get("code", reply["ok"])
    except TimeoutError:
        yield None
    except ConnectionResetError:
        yield "reset"


@contextmanager
def listening(secret: str = "", bounds: Bounds = BOUNDS) -> Iterator[Listening]:
    agent = Listening(secret, bounds)
    try:
        yield agent
    finally:
        agent.loop.call_soon_threadsafe(agent.server.close_all)
        agent.loop.call_soon_threadsafe(agent.loop.stop)
        agent.thread.join()
        agent.loop.run_until_complete(agent.loop.shutdown_asyncgens())
        for task in asyncio.all_tasks(agent.loop):
            task.cancel()
        agent.loop.run_until_complete(asyncio.sleep(0))
        agent.loop.close()


# --- the page ----------------------------------------------------------------------------------------------


def test_the_test_vectors_of_the_page_hold() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (secret|`\w+`) \| `(.+?)`", page, re.MULTILINE)
    values = [dict(rows[start : start + 5]) for start in range(0, len(rows), 5) if rows[start][0] == "secret"]

    assert len(values) == 2
    for one in values:
        given = (one["secret"], one["`nonce`"], one["`client_nonce`"])
        assert client_mac(*given) == one["`mac`"]
        assert agent_proof(*given) == one["`proof`"]


def test_the_page_names_every_verb_and_bound() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert [verb for verb in protocol.VERBS if f"| `{verb}` |" not in page] == []
    assert f"for {protocol.NONCE_SECONDS} seconds and for one answer" in page
    assert f"| connections at a time | {BOUNDS.connections};" in page
    assert f"| {BOUNDS.idle:g} seconds; {BOUNDS.idle_before_authenticated:g} before" in page
    assert f"| {BOUNDS.writing:g} seconds, if" in page


# --- lines -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "replies"),
    [
        ([b'{"verb":"status"}\n'], [True, None]),
        ([b'{"verb":"status"}\r\n', b"\n", b'{"verb":"status","more":1}\n'], [True, True, None]),
        ([b'{"verb":"sta', b'tus"}\n'], [True, None]),
        ([b'{"verb":"status"}'], [None]),  # half a line is waited for, not carried out
        ([b"hello\n"], ["bad_json"]),
        ([b"[1]\n"], ["bad_json"]),
        ([b"\xff\xfe\n"], ["bad_json"]),
        ([b"[" * 8000 + b"\n"], ["bad_json"]),
        ([b'{"verb":' + b"9" * 5000 + b"}\n"], ["bad_json"]),
        ([b"GET / HTTP/1.1\r\n\r\n"], ["bad_json"]),
        ([b'{"verb":"explode"}\n'], ["unknown_verb", None]),
        ([b'{"verb":["status"]}\n'], ["unknown_verb", None]),
        ([b"{}\n"], ["unknown_verb", None]),
        ([b'{"verb":"status","boom":1}\n'], ["unexpected", None]),
        ([b'{"verb":"authenticate"}\n'], ["authentication_failed"]),
    ],
)  # fmt: skip
def test_a_line_is_answered_by_a_line(lines: list[bytes], replies: list[Any]) -> None:
    with listening() as agent:
        assert agent.says(*lines) == replies


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("size", [MAX_REQUEST + 1, 1_000_000])
def test_a_line_too_long_is_refused_and_the_connection_closed(size: int, end: bytes) -> None:
    with listening() as agent, closing(agent.connect()) as connection:
        connection.sendall(b"x" * size + end)
        assert next(_replies(connection)) == "line_too_long"


def test_half_a_line_and_a_goodbye_is_not_carried_out() -> None:
    with listening() as agent:
        connection = agent.connect()
        connection.sendall(b'{"verb":"status"}')
        wait_until(lambda: agent.connections == 1, "it is heard")
        connection.close()
        wait_until(lambda: agent.connections == 0, "it is gone")
        assert agent.asked == []


# --- the secret --------------------------------------------------------------------------------------------


def test_who_knows_the_secret_is_let_in_and_learns_that_the_agent_knows_it_too() -> None:
    with listening(SECRET) as agent:
        with agent.client(SECRET) as client:
            assert client.ask("status") == {"ok": True, "jobs": []}
            assert client.ask("status") == {"ok": True, "jobs": []}
        with pytest.raises(AgentDistrusts, match="secret_refused"):
            agent.client("another secret of the same")
        with agent.client() as client, pytest.raises(AgentDistrusts, match="secret_needed"):
            client.ask("status")
    with listening() as agent, pytest.raises(AgentDistrusts, match="no_secret_there"):
        agent.client(SECRET)


def test_an_answer_holds_once_on_its_connection_and_not_on_another() -> None:
    nonce_of_client = "0123456789abcdef"

    def challenge(connection: socket.socket) -> str:
        connection.sendall(b'{"verb":"challenge"}\n')
        return str(json.loads(connection.makefile("rb").readline())["nonce"])

    def answer(connection: socket.socket, nonce: str) -> Any:
        mac = client_mac(SECRET, nonce, nonce_of_client)
        line = json.dumps({"verb": "authenticate", "client_nonce": nonce_of_client, "mac": mac})
        connection.sendall(line.encode() + b"\n")
        return next(_replies(connection))

    with listening(SECRET) as agent:
        with closing(agent.connect()) as first, closing(agent.connect()) as second:
            nonce = challenge(first)
            assert challenge(second) != nonce
            assert answer(second, nonce) == "authentication_failed"
            assert answer(first, nonce) is True
            assert answer(first, nonce) == "authentication_failed"  # used up
        with closing(agent.connect()) as third:
            old = challenge(third)
            challenge(third)
            assert answer(third, old) == "authentication_failed"  # replaced


def test_an_answer_that_comes_too_late_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brekzsync.agent.server.NONCE_SECONDS", -1)

    with listening(SECRET) as agent, pytest.raises(AgentDistrusts, match="secret_refused"):
        agent.client(SECRET)


@pytest.mark.parametrize("mac", ["", "0" * 64, "é" * 64, None, 5])
@pytest.mark.parametrize("client_nonce", ["0123456789abcdef", "short", None])
def test_a_stranger_is_told_nothing(mac: Any, client_nonce: Any) -> None:
    line = json.dumps({"verb": "authenticate", "client_nonce": client_nonce, "mac": mac}).encode()

    with listening(SECRET) as agent:
        replies = agent.says(b'{"verb":"status"}\n{"verb":"no"}\n{"verb":"challenge"}\n', line, b"\n")

    assert replies == ["authentication_required", "authentication_required", True, "authentication_failed"]


# --- bounds ------------------------------------------------------------------------------------------------


def test_idle_strangers_give_way_to_whoever_comes_and_before_a_known_client_does() -> None:
    with listening(SECRET, Bounds(connections=4)) as agent:
        with agent.client(SECRET) as patient:
            idle = [agent.connect() for _ in range(40)]
            with agent.client(SECRET) as client:
                assert client.ask("status")["ok"]
            assert patient.ask("status")["ok"]
            assert agent.connections <= 4
        for connection in idle:
            connection.close()


def test_who_says_nothing_or_only_half_is_let_go() -> None:
    with listening(bounds=Bounds(idle=0.3)) as agent:
        silent, slow = agent.connect(), agent.connect()
        for _ in range(6):  # a byte now and then does not buy more time
            time.sleep(0.1)
            try:
                slow.sendall(b" ")
            except OSError:
                break
        wait_until(lambda: agent.connections == 0, "both are let go")
        silent.close()
        slow.close()


def test_a_client_that_never_reads_is_let_go_and_the_others_are_served() -> None:
    with listening(bounds=Bounds(writing=0.5)) as agent, closing(agent.connect()) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(b'{"verb":"log"}\n' * 500)
        with agent.client() as client:
            assert client.ask("status")["ok"]
        wait_until(lambda: agent.connections == 0, "it is let go")


# --- the client --------------------------------------------------------------------------------------------


def _answering(*answers: bytes) -> int:
    """The port of something that says this to whoever connects."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with server:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                for answer in answers:
                    connection.recv(65536)
                    connection.sendall(answer)
                connection.recv(65536)

    threading.Thread(target=serve, daemon=True).start()
    return int(server.getsockname()[1])


def test_a_client_never_waits_longer_than_it_may() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        began = time.monotonic()
        client = AgentClient("127.0.0.1", mute.getsockname()[1], seconds=0.3)
        with client, pytest.raises(AgentUnreachable, match="did not answer in time"):
            client.ask("status")
        assert time.monotonic() - began < 2
    with pytest.raises(AgentUnreachable, match="connection refused"):
        AgentClient("127.0.0.1", free_port())


@pytest.mark.parametrize("answer", [b"220 mail.example.com ESMTP\n", b"[]\n", b"{}\n", b"\xff\n"])
def test_something_else_on_the_port_is_told_from_an_agent(answer: bytes) -> None:
    with AgentClient("127.0.0.1", _answering(answer)) as client, pytest.raises(NotAnAgent):
        client.ask("status")


def test_an_answer_without_end_is_not_read_for_ever() -> None:
    with AgentClient("127.0.0.1", _answering(b"x" * 3_000_000)) as client, pytest.raises(NotAnAgent):
        client.ask("status")


def test_who_does_not_know_the_secret_cannot_play_the_agent() -> None:
    challenge = {"ok": True, "authentication": "hmac-sha256", "nonce": "0" * 32}
    port = _answering(protocol.encode(challenge), protocol.encode({"ok": True, "proof": "0" * 64}))

    with pytest.raises(AgentDistrusts, match="impostor"):
        AgentClient("127.0.0.1", port, SECRET)


def test_a_refusal_keeps_the_agents_own_code() -> None:
    with listening() as agent, agent.client() as client, pytest.raises(ProtocolError) as refused:
        client.ask("explode")
    assert refused.value.code == "unknown_verb"
