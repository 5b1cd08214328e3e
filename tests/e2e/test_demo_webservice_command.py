"""``demo webservice``: the demo's shop answers as a PrestaShop's webservice until it is told to stop."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import sleep

import pytest

from brekzsync import cli
from brekzsync.prestashop.order_writer import OrderWriter
from brekzsync.prestashop.webservice import Webservice
from tests.webservices import KEY

PROGRAM = [sys.executable, "-m", "brekzsync", "demo", "webservice"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert cli.main(["demo", "up", "-q", "--dir", str(tmp_path / "demo")]) == 0
    return tmp_path / "demo"


def with_key(folder: Path, key: str) -> None:
    """Give the demo's configuration this key."""
    configuration = folder / "brekzsync.toml"
    kept = [
        line
        for line in configuration.read_text(encoding="utf-8").splitlines()
        if not line.startswith("webservice_key")
    ]
    kept.insert(kept.index("[shop]") + 1, f'webservice_key = "{key}"')
    configuration.write_text("\n".join(kept), encoding="utf-8")


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def wait_for(port: int) -> None:
    """Until somebody listens there; the program needs a moment to start."""
    for _ in range(300):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        sleep(0.1)
    raise AssertionError("nobody listens")


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_until_it_is_told_to_stop(folder: Path, signal_number: signal.Signals) -> None:
    with_key(folder, KEY)
    port = free_port()
    address = f"http://127.0.0.1:{port}/api"
    options = ["--dir", str(folder), "--port", str(port)] + (
        ["--json"] if signal_number == signal.SIGINT else []
    )
    with subprocess.Popen(
        [*PROGRAM, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            wait_for(port)
            writer = OrderWriter(Webservice(address, KEY))
            before = writer.state_of(52)
            writer.set_state(52, 4)
            after = writer.state_of(52)
            writer.close()
        finally:
            process.send_signal(signal_number)
            out, told = process.communicate(timeout=20)

    assert (before, after, process.returncode) == (3, 4, 0)
    if signal_number == signal.SIGINT:
        assert (json.loads(out)["address"], told) == (address, "")
    else:
        assert (out, told) == ("", f"The demo's webservice is at {address} until it is told to stop.\n")


def test_without_a_key_it_says_what_to_add(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_key(folder, "")

    assert cli.main(["demo", "webservice", "--dir", str(folder)]) == 78
    assert "webservice_key of your own" in capsys.readouterr().err


def test_without_a_demo_it_says_how_to_make_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "webservice", "--dir", str(tmp_path)]) == 2
    assert "brekzsync demo up --dir FOLDER" in capsys.readouterr().err
