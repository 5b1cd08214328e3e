"""The measures of webhooks: how many a second are on the disk before they are answered, alone and beside an export."""

from __future__ import annotations

import hmac
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from benchmarks.catalogue import Catalogue
from benchmarks.measure import Measured, RunFailed, end, run
from benchmarks.product_export import CONFIGURATION, FULL_BULK, Case, plain_environment
from benchmarks.serving import Service, started

CLIENTS, WEBHOOKS, RECORDS = 8, 20_000, 5_000
LEAST, LEAST_BESIDE_AN_EXPORT = 4_000.0, 1_500.0  # a second
MOST_LATENCY = 0.015  # seconds, of 99 in 100
_SECRET = "benchmark"
_PATH = "/api/webhooks/exact/stock"
_BEGIN = 0.5  # seconds an export has to be under way


class Receiving:
    """An installation that takes webhooks of Exact Online, and exports its products to files."""

    def __init__(self, catalogue: Catalogue, driver: str, parent: Path) -> None:
        self._folder = parent / f"webhooks-{catalogue.combinations}"
        self._folder.mkdir()
        text = CONFIGURATION.format(url=catalogue.url(driver))
        text += f'\n[inbox]\nexact_secret = "{_SECRET}"\nmax_per_minute = 1000000000\n'
        (self._folder / "brekzsync.toml").write_text(text, encoding="utf-8")
        self._program: list[str | Path] = [
            Path(sys.executable).with_name("brekzsync"),
            "--config",
            "brekzsync.toml",
        ]
        self._latency = 0.0

    def alone(self) -> Measured:
        """Seconds for each webhook."""
        with self._service() as service:
            done = _load(service)
        self._latency = done["p99_seconds"]
        return Measured(seconds=done["seconds"] / done["answers"])

    def latency(self) -> Measured:
        """What 99 of 100 were answered within when it was measured last."""
        return Measured(seconds=self._latency)

    def beside_an_export(self) -> Measured:
        """The same while everything is exported, over and over."""
        with self._service() as service, self._exporting():
            done = _load(service)
        return Measured(seconds=done["seconds"] / done["answers"])

    @contextmanager
    def _service(self) -> Iterator[Service]:
        for left in self._folder.glob("brekzsync-state*.db*"):
            left.unlink()
        run([*self._program, "db", "upgrade"], folder=self._folder, environ=plain_environment())
        process = subprocess.Popen(
            [*self._program, "serve", "--port", "0"],
            cwd=self._folder,
            env=plain_environment(),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield started(process)
        finally:
            end(process)

    @contextmanager
    def _exporting(self) -> Iterator[None]:
        over, failures = Event(), []

        def export() -> None:
            while not over.is_set():
                try:
                    command = [*self._program, "products", "export", *FULL_BULK]
                    run(command, folder=self._folder, environ=plain_environment(), accepted=(0, 3))
                except RunFailed as error:
                    failures.append(error)
                    return
                for document in (self._folder / "outbox").glob("*.xml"):
                    document.unlink()

        exporting = Thread(target=export)
        exporting.start()
        over.wait(_BEGIN)
        try:
            yield
        finally:
            over.set()
            exporting.join()
        if failures:
            raise failures[0]


def webhook_cases(catalogue: Catalogue, driver: str, folder: Path) -> Iterator[Case]:
    """Alone, how long one waits, and beside an export."""
    receiving = Receiving(catalogue, driver, folder)
    yield Case(name="webhooks alone", run=lambda _: receiving.alone(), has_memory=False)
    yield Case(name="webhooks latency", run=lambda _: receiving.latency(), has_memory=False)
    yield Case(name="webhooks export", run=lambda _: receiving.beside_an_export(), has_memory=False)


def _load(service: Service) -> dict[str, Any]:
    asked = {
        "host": service.host,
        "port": service.port,
        "token": "",
        "paths": [_PATH],
        "bodies": [_body(number) for number in range(RECORDS)],
        "clients": CLIENTS,
        "warm_up": 2_000,
        "answers": WEBHOOKS,
        "counted": "",
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        cwd=Path(__file__).resolve().parents[1],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RunFailed(f"The load generator ended with {done.returncode}:\n{done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _body(number: int) -> str:
    content = (
        '{"Topic":"StockPositions","ClientId":"00000000-0000-0000-0000-000000000000","Division":123456,'
        f'"Action":"Update","Key":"00000000-0000-0000-0000-{number:012d}","ExactOnlineEndpoint":'
        '"https://start.exactonline.nl/api/v1/123456/read/logistics/StockPosition"}'
    )
    signature = hmac.digest(_SECRET.encode(), content.encode(), "sha256").hex().upper()
    return f'{{"Content":{content},"HashCode":"{signature}"}}'
