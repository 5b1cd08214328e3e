"""`brekzsync agent …`: asking an agent that is a process, and every way in which there is none to ask."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.agents import (
    ROOT,
    SECRET,
    TOKEN,
    FakeExact,
    FakeShop,
    agent_process,
    free_port,
    listening_process,
    serving,
    wait_until,
)
from tests.demos import Demos, FreshDemo

AGENT = [sys.executable, "-m", "brekzsync.agent"]


class AgentDemo(FreshDemo):
    """A demo whose configuration names an agent."""

    def names_agent(self, port: int, *, host: str = "127.0.0.1", secret: str = "") -> None:
        self.configure(f'\n[agent]\nhost = "{host}"\nport = {port}\nsecret = "{secret}"\n')


@pytest.fixture
def demo(demos: Demos) -> AgentDemo:
    return demos.fresh(AgentDemo, columns=80)


@pytest.fixture
def shop() -> Iterator[FakeShop]:
    with serving(FakeShop()) as shop:
        yield shop


@pytest.fixture
def exact(tmp_path: Path) -> FakeExact:
    return FakeExact(tmp_path / "exact")


def test_a_job_is_started_watched_and_stopped_from_the_shops_side(
    demo: AgentDemo, shop: FakeShop, exact: FakeExact
) -> None:
    shop.offer("A", "B", "C")
    exact.behaves("slow", seconds=0.5)
    with agent_process(AGENT, exact.configure(shop, secret=SECRET)):
        demo.names_agent(exact.port, secret=SECRET)

        assert demo.run("agent", "start", "products", "-n").err == "Would start products.\n"
        assert exact.calls() == []
        started = demo.run("agent", "start", "products")
        hint = "Started products. See how it goes: brekzsync --config demo/brekzsync.toml agent status\n"
        assert (started.code, started.out, started.err) == (0, "", hint)

        again = demo.run("agent", "start", "products", "--json")
        assert again.code == 75
        assert json.loads(again.out)["error"]["code"] == "already_running"
        assert demo.run("agent", "start", "products", "-n").err == "products is at work already.\n"
        wait_until(lambda: exact.calls(), "it imports")
        assert (
            demo.run("agent", "stop", "products", "-n").err
            == "Would stop products after the document at hand.\n"
        )
        assert demo.run("agent", "stop", "products").err == "products ends after the document at hand.\n"
        wait_until(lambda: "stopped" in demo.run("agent", "status").out, "it stops")

        shown = demo.run("agent", "status")
        assert shown.code == 0
        assert "1 imported" in shown.out
        assert max(len(line) for line in shown.out.splitlines()) <= 80
        document = json.loads(demo.run("agent", "status", "--json").out)
        assert document["agent"]["address"] == f"127.0.0.1:{exact.port}"
        assert document["agent"]["jobs"][0]["last_run"]["outcome"] == "stopped"
        assert demo.run("agent", "stop", "products").err == "products is not at work.\n"
        assert json.loads(demo.run("agent", "stop", "products", "--json").out) == {
            "schema_version": 1,
            "command": "agent stop",
            "ok": True,
            "job": "products",
            "dry_run": False,
            "was_running": False,
        }


@pytest.mark.parametrize("arguments", ["start", "stop", "start -n", "stop -n"])
def test_a_job_the_agent_does_not_have_is_refused_naming_those_it_has(
    demo: AgentDemo, shop: FakeShop, exact: FakeExact, arguments: str
) -> None:
    with agent_process(AGENT, exact.configure(shop, jobs="products orders")):
        demo.names_agent(exact.port)
        verb, *options = arguments.split()

        refused = demo.run("agent", verb, "prodcuts", *options)

    assert refused.code == 2
    assert "products, orders" in refused.err


def test_what_a_failed_run_says_stands_below_the_table(
    demo: AgentDemo, shop: FakeShop, exact: FakeExact
) -> None:
    shop.misbehave = lambda method, path: (401, b"")
    with agent_process(AGENT, exact.configure(shop)):
        demo.names_agent(exact.port)
        demo.run("agent", "start", "products")
        wait_until(lambda: "refused" in demo.run("agent", "status").out, "it fails")

        assert demo.run("agent", "status").out.endswith("products: 401 Unauthorized\n")


# --- nobody to ask -----------------------------------------------------------------------------------------


def test_without_an_agent_it_says_so(demo: AgentDemo) -> None:
    said = demo.run("agent", "start", "products")

    assert (said.code, said.out) == (78, "")
    assert said.err.startswith("Error: There is no agent: [agent] host is not set in ")
    assert demo.run("agent", "status").code == 78


def test_asked_only_if_there_is_one_it_says_nothing_and_ends_with_4(demo: AgentDemo) -> None:
    said = demo.run("agent", "start", "products", "--if-configured")
    assert (said.code, said.out, said.err) == (4, "", "")

    document = json.loads(demo.run("agent", "start", "products", "--if-configured", "--json").out)
    assert (document["ok"], document["started"], document["error"]["code"]) == (False, False, "no_agent")


def test_an_agent_that_is_away_is_unavailable_and_cron_mails_it_once(demo: AgentDemo) -> None:
    demo.run("db", "upgrade")
    demo.names_agent(free_port())

    first = demo.run("--cron", "agent", "start", "products", "--if-configured")
    assert first.code == 69
    assert "does not answer: connection refused." in first.err
    for _ in range(2):
        again = demo.run("--cron", "agent", "start", "products", "--if-configured")
        assert (again.code, again.out, again.err) == (69, "", "")


def test_secrets_that_do_not_fit_are_told(demo: AgentDemo, shop: FakeShop, exact: FakeExact) -> None:
    with agent_process(AGENT, exact.configure(shop, secret=SECRET)):
        demo.names_agent(exact.port)
        assert "wants a secret, and [agent] secret is empty" in demo.run("agent", "status").err

    with agent_process(AGENT, exact.configure(shop)):
        demo.replace('secret = ""', f'secret = "{SECRET}"')
        refused = demo.run("agent", "status")
        assert (refused.code, "has no secret" in refused.err) == (77, True)
        assert SECRET not in refused.err


def test_another_program_on_the_port_is_a_mistake_of_the_configuration(demo: AgentDemo) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        threading.Thread(target=_greet, args=(server,), daemon=True).start()
        demo.names_agent(port)
        said = demo.run("agent", "status")

    assert said.code == 78
    assert f"What listens at 127.0.0.1:{port} is no agent" in said.err


def _greet(server: socket.socket) -> None:
    with suppress(OSError):
        server.accept()[0].send(b"220 mail.example.com\n")


# --- the whole way -----------------------------------------------------------------------------------------


def test_changed_products_go_from_the_shop_to_exact_and_the_logs_say_so(
    demo: AgentDemo, exact: FakeExact
) -> None:
    """Real processes: `agent start` → socket → agent → HTTP of `serve` → AsImport → results → logs."""
    pytest.importorskip("uvicorn")
    port = free_port()
    demo.replace("[products]", '[products]\nchannel = "http"')
    demo.configure(f'\n[serve]\nport = {port}\nexact_token = "{TOKEN}"\n')
    demo.run("db", "upgrade")
    shop = FakeShop(url=f"http://127.0.0.1:{port}/exact")
    exact.behaves("succeed", reject=["LL-NW-RD-M"])
    serve = [sys.executable, "-m", "brekzsync", "--config", str(demo.config), "serve"]

    with (
        listening_process(serve, port, demo.folder / "serve.log"),
        agent_process(AGENT, exact.configure(shop, batch=10)),
    ):
        demo.names_agent(exact.port)
        for imported in (30, 0):
            demo.run("agent", "start", "products")
            wait_until(lambda: not _job(demo)["running"], "it ends", seconds=30)
            assert _job(demo)["last_run"]["outcome"] == "done"
            assert _job(demo)["last_run"]["counts"].get("imported", 0) == imported

    assert len(set(exact.took())) == 30
    rejected = [one["message"] for one in _logged(demo, "failed") if one["reason"] == "rejected"]
    assert rejected == ["Invalid reference: Assortment 999"]
    assert len(_logged(demo, "synced")) == 30


def _logged(demo: AgentDemo, status: str) -> list[dict[str, Any]]:
    said = demo.run("logs", "list", "--status", status, "--limit", "100", "--json")
    return list(json.loads(said.out)["records"])


def _job(demo: AgentDemo) -> dict[str, Any]:
    [job] = json.loads(demo.run("agent", "status", "--json").out)["agent"]["jobs"]
    return dict(job)


# --- running one -------------------------------------------------------------------------------------------


def test_agent_run_is_the_same_program(shop: FakeShop, exact: FakeExact, demo: AgentDemo) -> None:
    shop.offer("A")
    program = [sys.executable, "-m", "brekzsync", "agent", "run"]

    with agent_process(program, exact.configure(shop)) as process:
        demo.names_agent(exact.port)
        demo.run("agent", "start", "products")
        wait_until(lambda: shop.statuses() == {"A": "imported"}, "it works")
        process.terminate()
        assert process.wait(10) == 0


def test_agent_run_tells_what_is_wrong_with_its_file(
    demo: AgentDemo, shop: FakeShop, exact: FakeExact
) -> None:
    config = exact.configure(shop)
    checked = demo.run("agent", "run", "--check", "--config", str(config))
    assert (checked.code, checked.out.splitlines()[0]) == (0, f"{config} is well.")

    config.write_text("[agent]\nprot = 1\n", encoding="utf-8")
    refused = demo.run("agent", "run", "--config", str(config), "--json")
    assert refused.code == 78
    assert "[agent] has no key prot" in json.loads(refused.out)["error"]["message"]
    assert demo.run("agent", "run").code == 78


# --- cron --------------------------------------------------------------------------------------------------


def test_cron_asks_the_agent_where_there_is_one_and_fills_the_outbox_where_there_is_none(
    demo: AgentDemo, shop: FakeShop, exact: FakeExact, tmp_path: Path
) -> None:
    program = tmp_path / "brekzsync"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m brekzsync "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    script = ROOT / "scripts/cron/every_05_mins/exact/start_products.sh"

    def cron() -> tuple[int, str]:
        environment = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT / "src"),
            "BREKZSYNC": str(program),
            "BREKZSYNC_CONFIG": str(demo.config),
        }
        done = subprocess.run([script], env=environment, capture_output=True, text=True, cwd=tmp_path)
        return done.returncode, done.stderr

    assert cron() == (3, "")
    assert (demo.outbox / "index.xml").exists()

    shop.offer("A")
    with agent_process(AGENT, exact.configure(shop)):
        demo.names_agent(exact.port)
        assert cron() == (0, "")
        wait_until(lambda: shop.statuses() == {"A": "imported"}, "the agent was asked")
