"""The agent as a process of its own, as the one file a bare Python runs, beside a shop and an AsImport."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from brekzsync.agent.client import AgentClient
from brekzsync.agent.protocol import Message, ProtocolError
from scripts.build_agent import build
from tests.agents import ROOT, SECRET, TOKEN, FakeExact, FakeShop, agent_process, serving, wait_until


@pytest.fixture(scope="session")
def zipapp(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that runs the one file, without any package of this environment."""
    return [sys.executable, "-I", "-S", str(build(tmp_path_factory.mktemp("agent") / "brekzsync-agent.pyz"))]


@pytest.fixture
def shop() -> Iterator[FakeShop]:
    with serving(FakeShop()) as shop:
        yield shop


@pytest.fixture
def exact(tmp_path: Path) -> FakeExact:
    return FakeExact(tmp_path / "exact")


def ask(exact: FakeExact, verb: str, secret: str = "", **fields: object) -> Message:
    with AgentClient("127.0.0.1", exact.port, secret) as client:
        return client.ask(verb, **fields)


def job_status(exact: FakeExact) -> Message:
    [job] = ask(exact, "status")["jobs"]
    return dict(job)


# --- the process -------------------------------------------------------------------------------------------


def test_a_run_that_is_asked_for_brings_what_is_pending_to_exact(
    zipapp: list[str], shop: FakeShop, exact: FakeExact
) -> None:
    shop.offer("A", "B")
    exact.behaves("succeed", reject=["B"])
    config = exact.configure(shop)

    with agent_process(zipapp, config) as process:
        before = job_status(exact)
        assert (before["running"], before["last_run"], before["next_run_in_seconds"]) == (False, None, None)
        assert ask(exact, "start", job="products") == {"ok": True, "job": "products"}
        wait_until(lambda: job_status(exact)["last_run"], "the run has ended")

        after = job_status(exact)
        assert {key: after["last_run"][key] for key in ("outcome", "message", "counts")} == {
            "outcome": "done",
            "message": "",
            "counts": {"offered": 2, "imported": 1, "rejected": 1},
        }
        assert after["backlog"] == {"unposted_results": 0, "open_batches": 0, "refused_results": 0}
        assert shop.statuses() == {"A": "imported", "B": "rejected"}
        assert ask(exact, "jobs")["jobs"][0] == {
            "job": "products",
            "url": f"{shop.url}/products",
            "topics": ["Items", "ItemPrices"],
            "every_seconds": None,
            "batch": 1,
        }
        lines = ask(exact, "log", job="products", lines=3)["lines"]
        assert lines[-1].endswith("run ended: done, 2 offered, 1 imported, 1 rejected.")
        log = "\n".join(lines)
        assert "WARNING products: 1-2 rejected: Invalid reference: Assortment 999" in log
        process.terminate()
        assert process.wait(10) == 0
    assert TOKEN not in (exact.folder / "agent.err").read_text()


def test_it_runs_by_itself_in_its_turn(zipapp: list[str], shop: FakeShop, exact: FakeExact) -> None:
    with agent_process(zipapp, exact.configure(shop, every="1s")):
        wait_until(lambda: job_status(exact)["last_done_at"], "the first run")
        shop.offer("A")
        wait_until(lambda: shop.statuses() == {"A": "imported"}, "the second run")


def test_one_run_of_a_job_at_a_time_and_one_that_is_asked_to_stop_ends(
    zipapp: list[str], shop: FakeShop, exact: FakeExact
) -> None:
    exact.behaves("slow", seconds=0.5)
    shop.offer("A", "B", "C")

    with agent_process(zipapp, exact.configure(shop, jobs="products orders")):
        assert ask(exact, "stop", job="products") == {"ok": True, "job": "products", "was_running": False}
        ask(exact, "start", job="products")
        with pytest.raises(ProtocolError) as refused:
            ask(exact, "start", job="products")
        assert refused.value.code == "already_running"
        wait_until(lambda: exact.calls(), "it imports")
        assert ask(exact, "stop", job="products")["was_running"] is True

        wait_until(lambda: ask(exact, "status")["jobs"][0]["last_run"], "it ends")
        assert ask(exact, "status")["jobs"][0]["last_run"]["outcome"] == "stopped"
        assert shop.statuses() == {"A": "imported"}
        for wrong in ({"job": "stock"}, {}, {"job": ["products"]}):
            with pytest.raises(ProtocolError, match="The jobs here are products, orders"):
                ask(exact, "start", **wrong)
        with pytest.raises(ProtocolError, match="from 1 to 200"):
            ask(exact, "log", lines=10**9)


def test_stopping_the_agent_lets_the_import_at_work_end(
    zipapp: list[str], shop: FakeShop, exact: FakeExact
) -> None:
    exact.behaves("slow", seconds=1)
    shop.offer("A", "B")

    with agent_process(zipapp, exact.configure(shop)) as process:
        ask(exact, "start", job="products")
        wait_until(lambda: exact.calls(), "it imports")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0

    assert (exact.took(), shop.statuses()) == (["A"], {"A": "imported"})


def test_the_shop_being_away_is_survived(zipapp: list[str], exact: FakeExact) -> None:
    gone = FakeShop()
    with serving(gone):
        port = int(gone.url.split(":")[2].split("/")[0])
    config = exact.configure(gone)

    with agent_process(zipapp, config):
        ask(exact, "start", job="products")
        wait_until(lambda: job_status(exact)["failures_in_a_row"] == 1, "it fails")
        assert job_status(exact)["last_run"]["outcome"] == "shop_away"
        gone.offer("A")
        with serving(gone, port):
            ask(exact, "start", job="products")
            wait_until(lambda: gone.statuses() == {"A": "imported"}, "the shop is back")
            wait_until(lambda: job_status(exact)["failures_in_a_row"] == 0, "and all is well")


def test_a_second_agent_in_the_same_work_folder_or_on_the_same_port_gives_way(
    zipapp: list[str], shop: FakeShop, exact: FakeExact, tmp_path: Path
) -> None:
    config = exact.configure(shop)
    other = FakeExact(tmp_path / "other", port=0)

    with agent_process(zipapp, config):
        second = subprocess.run(
            [*zipapp, "--config", str(config)], capture_output=True, text=True, timeout=20
        )
        assert (second.returncode, second.stderr) == (
            75,
            f"Error: Another agent works in {exact.folder}/work.\n",
        )
        other.port = exact.port
        taken = subprocess.run(
            [*zipapp, "--config", str(other.configure(shop))], capture_output=True, text=True, timeout=20
        )
        assert (taken.returncode, "address already in use" in taken.stderr) == (78, True)


def test_a_thousand_idle_connections_keep_nobody_out(
    zipapp: list[str], shop: FakeShop, exact: FakeExact
) -> None:
    with agent_process(zipapp, exact.configure(shop, secret=SECRET)):
        with AgentClient("127.0.0.1", exact.port, SECRET, seconds=60) as patient:
            idle = [socket.create_connection(("127.0.0.1", exact.port), 10) for _ in range(1000)]
            assert ask(exact, "status", SECRET)["ok"]
            assert patient.ask("status")["ok"], "a known client gave way to strangers"
        for connection in idle:
            connection.close()


def test_the_configuration_can_be_checked_without_running(
    zipapp: list[str], shop: FakeShop, exact: FakeExact
) -> None:
    config = exact.configure(shop, program="/nowhere/AsImport.exe")

    done = subprocess.run([*zipapp, "--config", str(config), "--check"], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{config} is well.",
        f"Listens on 127.0.0.1:{exact.port}, without a secret.",
        f"Job products: when asked, from {shop.url}/products.",
        "Warning: /nowhere/AsImport.exe is not there or cannot be run: see [import] command.",
    ]
    config.write_text("[agent]\nport = 0\n", encoding="utf-8")
    done = subprocess.run([*zipapp, "--config", str(config), "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (78, "")
    assert "[agent] port must be a whole number from 1 to 65535.\n" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_any_bare_python_runs_it(zipapp: list[str], version: str) -> None:
    candidates = [f"python{version}", *sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))]
    python = next((found for one in candidates if (found := shutil.which(one)) and _works(found)), None)
    if python is None:
        pytest.skip(f"no Python {version} here")

    done = subprocess.run([python, *zipapp[1:], "--version"], capture_output=True, text=True, cwd="/")

    assert (done.returncode, done.stdout, done.stderr) == (0, "brekzsync-agent 0.1.0\n", "")


def _works(python: str) -> bool:
    return subprocess.run([python, "-c", ""], capture_output=True).returncode == 0


def test_the_same_sources_make_the_same_file(tmp_path: Path) -> None:
    assert build(tmp_path / "a.pyz").read_bytes() == build(tmp_path / "b.pyz").read_bytes()


# --- killed at any step ------------------------------------------------------------------------------------

# Counts every step that leaves a trace, before and after it, and dies at the one that is given.
_KILLABLE = """
import logging, os, sys, threading
from pathlib import Path
from brekzsync.agent import asimport, configuration, feed, files, jobs, results, workfolder
import subprocess, urllib.request

steps, last = 0, int(sys.argv[2])

def counted(function):
    def step(*given, **named):
        tick()
        try:
            return function(*given, **named)
        finally:
            tick()
    return step

def tick():
    global steps
    steps += 1
    if steps == last:
        os.kill(os.getpid(), 9)

for owner, name in ((os, "replace"), (os, "fsync"), (Path, "unlink"), (asimport, "_started"),
                    (subprocess.Popen, "wait"), (feed.Feed, "_ask")):
    setattr(owner, name, counted(getattr(owner, name)))

read = configuration.load(Path(sys.argv[1]))
plan = read.jobs[0]
job = jobs.Job(plan, workfolder.WorkFolder(read.work, plan.name), feed.Feed(read.shop, plan.path),
    asimport.AsImport(read.importing, threading.Event()), [results.messages], logging.getLogger())
outcome = job.run(threading.Event())
print(outcome.ending, steps)
"""


def _run_killable(config: Path, last: int) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", _KILLABLE, str(config), str(last)],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )
    return done.returncode, done.stdout


def _killed_at(last: int, folder: Path, *, claims: bool) -> bool:
    """Kill the second run of two at a step and let others finish; whether it got as far as that step."""
    exact = FakeExact(folder)
    with serving(FakeShop(claims=claims)) as shop:
        shop.offer("A", "B", "C")
        config = exact.configure(shop, batch=2)

        was_killed = _run_killable(config, last)[0] == -9
        wait_until(lambda: _finishes(config), "the next runs do the rest")

        assert shop.pending == [], (last, "lost")
        told = shop.statuses()
        for code in "ABC":
            times = exact.took().count(code)
            # Killed just before AsImport starts nobody knows whether it did: that is told as it is.
            assert times == 1 or (times, told[code]) == (0, "handed_over"), (last, code, times, told)
        assert list((exact.folder / "work/products/results").iterdir()) == []
    return was_killed


def _finishes(config: Path) -> bool:
    code, said = _run_killable(config, 0)
    assert code == 0
    return said.startswith("done")


def _steps(folder: Path) -> int:
    exact = FakeExact(folder)
    with serving(FakeShop()) as shop:
        shop.offer("A", "B", "C")
        return int(_run_killable(exact.configure(shop, batch=2), 0)[1].split()[1])


def test_killed_at_some_steps_it_loses_and_repeats_nothing(tmp_path: Path) -> None:
    steps = _steps(tmp_path / "count")
    assert steps > 40

    # The rest of them: the test below.
    for last in range(3, steps - 10, 9):
        assert _killed_at(last, tmp_path / f"at {last}", claims=last % 2 == 0)


@pytest.mark.long
@pytest.mark.parametrize("claims", [False, True])
def test_killed_at_any_step_it_loses_and_repeats_nothing(tmp_path: Path, claims: bool) -> None:
    last = 1
    while _killed_at(last, tmp_path / f"at {last}", claims=claims):
        last += 1
    assert last > 40
