"""The measures of ``serve``: one document at a time, five hundred in one, and the index of everything.

What they are held against is what a PrestaShop 8.2 webservice does on a machine of two cores, load generator and
database included: it can be measured only where one runs, so these figures are constants.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.catalogue import Catalogue
from benchmarks.measure import Measured, RunFailed, end, run, watch_until_end
from benchmarks.product_export import Case, plain_environment

WEBSERVICE_REQUESTS, WEBSERVICE_PRODUCTS = 65.0, 360.0  # a second
REQUESTS, DOCUMENTS, ITEMS = 5_000, 20, 500
_TOKEN = "benchmark"
_PAGE = 5_000
_STARTED_WITHIN = 60.0

CONFIGURATION = """\
[shop]
database = "{url}"
data_shop = 1

[products]
# The catalogue repeats references across combinations.
item_code = "{{reference}}-{{id_product_attribute}}"
channel = "http"

[exact_xml.vat_codes]
21 = "2"

[serve]
exact_token = "{token}"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """An installation whose products are fetched, by somebody who never fetched before."""

    catalogue: Catalogue
    folder: Path
    keys: list[str]

    @classmethod
    def prepared(cls, catalogue: Catalogue, driver: str, parent: Path) -> Serving:
        folder = parent / f"serve-{catalogue.combinations}"
        folder.mkdir()
        text = CONFIGURATION.format(url=catalogue.url(driver), token=_TOKEN)
        (folder / "brekzsync.toml").write_text(text, encoding="utf-8")
        # Not in the order in which the tables lie on disk, and none of PrestaShop's own few.
        found = catalogue.server.execute(
            catalogue.name,
            "SELECT CONCAT(id_product, '-', id_product_attribute) FROM ps_product_attribute"
            f" WHERE id_product > 100 ORDER BY CRC32(id_product_attribute) LIMIT {4 * REQUESTS}",
        )
        return cls(catalogue=catalogue, folder=folder, keys=[str(row[0]) for row in found])

    def one_by_one(self, clients: int, workers: int) -> Measured:
        """So many documents, each asked for by itself."""
        with self._service(workers) as service:
            paths = [f"/exact/products/{key}" for key in self.keys]
            done = self._load(service, paths, clients, warm_up=1_000, answers=REQUESTS)
        return Measured(seconds=done["seconds"] / done["answers"])

    def bulk(self) -> Measured:
        """Documents of many items, one after the other; every item is served once."""
        with self._service(1) as service:
            path = f"/exact/products.xml?limit={ITEMS}"
            done = self._load(service, [path], 1, warm_up=3, answers=DOCUMENTS, counted=' searchcode="')
        if done["items"] != DOCUMENTS * ITEMS:
            raise RunFailed(f"{DOCUMENTS} documents held {done['items']:,} items.")
        return Measured(seconds=done["seconds"] / done["items"])

    def index(self, watched: bool) -> Measured:
        """Every page of the index, with everything pending; the memory is that of the service."""
        with self._service(1) as service, ThreadPoolExecutor(1) as aside:
            memory = aside.submit(watch_until_end, service.process) if watched else None
            started = time.perf_counter()
            listed = sum(_pages(service))
            seconds = time.perf_counter() - started
            end(service.process)
            if listed < self.catalogue.combinations:
                raise RunFailed(f"The index listed {listed:,} items of {self.catalogue.combinations:,}.")
            return Measured(seconds=seconds, memory=memory.result() if memory else None)

    @contextmanager
    def _service(self, workers: int) -> Iterator[Service]:
        for left in self.folder.glob("brekzsync-state.db*"):
            left.unlink()
        program: list[str | Path] = [
            Path(sys.executable).with_name("brekzsync"),
            "--config",
            "brekzsync.toml",
        ]
        run([*program, "db", "upgrade"], folder=self.folder, environ=plain_environment())
        process = subprocess.Popen(
            [*program, "serve", "--port", "0", "--workers", str(workers)],
            cwd=self.folder,
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

    def _load(
        self,
        service: Service,
        paths: Sequence[str],
        clients: int,
        *,
        warm_up: int,
        answers: int,
        counted: str = "",
    ) -> dict[str, Any]:
        """What came of it; the load is another process, so that it is not ours that is measured."""
        asked = {
            "host": service.host,
            "port": service.port,
            "token": _TOKEN,
            "paths": paths,
            "clients": clients,
            "warm_up": warm_up,
            "answers": answers,
            "counted": counted,
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


def serving_cases(catalogue: Catalogue, driver: str, folder: Path) -> Iterator[Case]:
    """One client, eight clients, documents of many, and the index."""
    serving = Serving.prepared(catalogue, driver, folder)
    size = catalogue.combinations
    yield Case(name=f"serve one {size}", run=lambda _: serving.one_by_one(1, 1), has_memory=False)
    yield Case(name=f"serve eight {size}", run=lambda _: serving.one_by_one(8, 2), has_memory=False)
    yield Case(name=f"serve bulk {size}", run=lambda _: serving.bulk(), has_memory=False)
    yield from index_cases(serving)


def index_cases(serving: Serving) -> Iterator[Case]:
    """The index alone, which is what grows with the catalogue."""
    yield Case(name=f"serve index {serving.catalogue.combinations}", run=serving.index)


class Service(NamedTuple):
    """A service that answers."""

    process: subprocess.Popen[str]
    host: str
    port: int


def started(process: subprocess.Popen[str]) -> Service:
    assert process.stderr is not None
    said = process.stderr.readline()
    found = re.search(r"http://([0-9.]+):([0-9]+)", said)
    if found is None:
        raise RunFailed(f"The service did not start: {said}{process.stderr.read()}")
    service = Service(process, found[1], int(found[2]))
    until = time.monotonic() + _STARTED_WITHIN
    while time.monotonic() < until:
        with suppress(OSError, HTTPException):
            if _get(service, "/health").status == 200:
                return service
        time.sleep(0.05)
    raise RunFailed("The service does not answer.")


def _get(service: Service, path: str) -> HTTPResponse:
    connection = HTTPConnection(service.host, service.port, timeout=600)
    connection.request("GET", path, headers={"Authorization": f"Bearer {_TOKEN}"})
    return connection.getresponse()


def _pages(service: Service) -> Iterator[int]:
    """How many entries each page of the index has."""
    following = ""
    while True:
        answer = _get(service, f"/exact/products?limit={_PAGE}&next={following}")
        page = answer.read()
        if answer.status != 200:
            raise RunFailed(f"The index answered {answer.status}: {page[:500]!r}")
        yield page.count(b"<Entry ")
        found = re.search(rb' more="1" next="([^"]+)"', page[:500])
        if found is None:
            return
        following = found[1].decode()
