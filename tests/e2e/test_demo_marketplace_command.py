"""``demo marketplace``: the demo's orders on the marketplace, which answers until it is told to stop."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep
from typing import Any

import httpx2
import pytest

from brekzsync import cli
from brekzsync.demo.marketplace.server import Behaviour, demo_marketplace
from brekzsync.domain.order_status import Operation

PROGRAM = [sys.executable, "-m", "brekzsync"]
SHIP, CANCEL, _, DELIVER = Operation
STORE = "/v1/store/1276"


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("untouched") / "demo"
    assert cli.main(["demo", "up", "-q", "--dir", str(folder)]) == 0
    return folder


@pytest.fixture
def folder(untouched: Path, tmp_path: Path) -> Path:
    return shutil.copytree(untouched, tmp_path / "demo")


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


class Served:
    """The program at work, and once it ended, what it said."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        words = ["demo", "marketplace", "--dir", str(folder), "--port", str(self.port), *options]
        self.process = subprocess.Popen(
            [*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        headers = {"Authorization": "Bearer demo-token"}
        self.http = httpx2.Client(base_url=self.url, headers=headers, verify=False)

    def wait(self) -> None:
        """Until it listens; the program needs a moment to start."""
        for _ in range(300):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            sleep(0.1)
        raise AssertionError("nobody listens")

    def tell(self, operation: str, *orders: int) -> dict[str, Any]:
        elements = [{"id": order, "trackingNumber": "T1"} for order in orders]
        answer = self.http.post(f"{STORE}/order/{operation}", json={"order": elements})
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    def states(self, batch: str) -> list[tuple[int, str]]:
        listed = self.http.get(f"{STORE}/ticket", params={"batchId": batch}).json()
        return [(one["payload"]["id"], one["state"]) for one in listed["_embedded"]["ticket"]]

    def orders(self) -> list[int]:
        return [one["id"] for one in self.http.get(f"{STORE}/order").json()["_embedded"]["order"]]

    def end(self, with_signal: signal.Signals) -> tuple[int, str, str]:
        """Exit code, and what was said."""
        self.http.close()
        self.process.send_signal(with_signal)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


@contextmanager
def served(folder: Path, *options: str) -> Iterator[Served]:
    program = Served(folder, *options)
    try:
        program.wait()
        yield program
    finally:
        if program.process.poll() is None:
            program.process.kill()
            program.process.communicate()


def test_it_answers_until_it_is_told_to_stop_and_forgets_nothing(folder: Path) -> None:
    with served(folder, "--ticket-delay", "0") as first:
        order = first.orders()[0]
        batch = first.tell("ship", order)["id"]
        code, out, err = first.end(signal.SIGTERM)

    assert (code, out) == (0, "")
    assert err == f"The demo's marketplace is at {first.url} until it is told to stop.\n"

    with served(folder, "--json") as second:
        states = second.states(batch)
        code, out, err = second.end(signal.SIGINT)

    document = json.loads(out)
    assert (code, err, states) == (0, "", [(order, "succeed")])
    assert (document["address"], document["accepted"]) == (second.url, {str(order): ["ship"]})


def test_options_let_orders_fail_be_canceled_and_be_ignored(folder: Path) -> None:
    with served(folder, "--ticket-delay", "0") as plain:
        orders = plain.orders()
        plain.end(signal.SIGTERM)
    fails, is_canceled, is_ignored, good = orders[:4]
    options = ["--fail", str(fails), "--cancel", str(is_canceled), "--ignore", str(is_ignored)]

    with served(folder, "--ticket-delay", "0", *options) as program:
        answer = program.tell("ship", fails, is_canceled, is_ignored, good)

        assert [one["id"] for one in answer["report"]] == [is_ignored]
        assert program.states(answer["id"]) == [
            (fails, "failed"),
            (is_canceled, "canceled"),
            (good, "succeed"),
        ]


def test_a_slow_and_busy_one(folder: Path) -> None:
    with served(folder, "--ticket-delay", "3600", "--rate", "0.5") as program:
        assert program.http.get("/v1/ping").status_code == 200
        answer = program.http.get("/v1/ping")

    assert answer.status_code == 429
    assert 1 < float(answer.headers["X-RateLimit-Wait"]) <= 2


def test_without_a_demo_it_says_how_to_make_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "marketplace", "--dir", str(tmp_path)]) == 2
    assert "brekzsync demo up --dir FOLDER" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        code = cli.main(["demo", "marketplace", "--dir", str(folder), "--port", str(port)])

    assert (code, f"port {port}" in capsys.readouterr().err) == (69, True)


def test_a_damaged_file_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "marketplace.db").write_bytes(b"not a database at all" * 100)

    assert cli.main(["demo", "marketplace", "--dir", str(folder), "--port", "0"]) == 1
    said = capsys.readouterr().err
    assert ("marketplace.db cannot be used" in said, "demo up" in said, "Traceback" in said) == (
        True,
        True,
        False,
    )


def test_the_how_to_page_shows_the_whole_life_of_an_operation(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BREKZSYNC_CONFIG", str(folder / "brekzsync.toml"))
    monkeypatch.setenv("BREKZSYNC_MARKETPLACE__SHIPPED_DELAY", "0s")

    def run(command: str) -> dict[str, Any]:
        cli.main(["--json", *command.split()])
        return dict(json.loads(capsys.readouterr().out))

    behaviour = Behaviour(failing={9066: "Unable to update order."})
    with demo_marketplace(folder, 0, behaviour) as marketplace:
        monkeypatch.setenv("BREKZSYNC_MARKETPLACE__BASE_URL", marketplace.url)
        sent = run("orders push-status")
        checked = run("tickets check")
        listed = run("logs list --type order")
        again = run("orders push-status")
        accepted = marketplace.accepted()

    records = {one["key"]: (one["status"], one["reason"]) for one in listed["records"]}
    assert [one["counts"]["delivered"] for one in (sent, checked, again)] == [4, 3, 1]
    assert records == {
        "41": ("synced", None),
        "70": ("synced", None),
        "78": ("synced", None),
        "66": ("failed", "ticket_failed"),
        "64": ("pending", "no_tracking_yet"),
        "65": ("failed", "operation_not_of_channel"),
    }
    assert accepted == {9041: [SHIP, DELIVER], 9070: [CANCEL], 900078: [SHIP]}
