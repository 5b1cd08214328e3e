"""Catalogues of N combinations to measure on, two to a product, every tenth product with a special price.

Where the third-party data is at hand (``../shared``, or ``$BREKZSYNC_SHARED``) it is PrestaShop's own fixture
database with the project's benchmark catalogue added; elsewhere the same is made from ``schema.py``.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.schema import ddl
from tests.services.mariadb import MariaDB

HERE = Path(__file__).resolve().parent
# What the third-party catalogue is written for; another size is had by other bounds of its sequences.
GIVEN_COMBINATIONS = 100_000


class CatalogueFailed(RuntimeError):
    """The catalogue did not become what the measures assume."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """One database. ``combinations`` is the asked size, ``rows`` what the reference query reads of it."""

    server: MariaDB
    name: str
    combinations: int
    rows: int
    reference_query: Path

    def url(self, driver: str) -> str:
        return self.server.url(self.name, driver=driver)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueSource:
    """How catalogues are made; ``origin`` says it to the reader of the results."""

    shared: Path | None
    reference_query: Path

    @property
    def origin(self) -> str:
        if self.shared:
            return "PrestaShop 8.2.1's fixture database with the benchmark catalogue added"
        return "a catalogue of our own, on tables as wide as PrestaShop 8.2's and with their keys"

    def create(self, server: MariaDB, combinations: int) -> Catalogue:
        """A database ``bench_<combinations>``. Raises CatalogueFailed when it is not as large as asked."""
        name = f"bench_{combinations}"
        server.create_database(name)
        for text in self._statements(combinations):
            _run(server, name, text)
        query = _text(self.reference_query).strip().rstrip(";")
        rows = int(server.execute(name, f"SELECT COUNT(*) FROM ({query}) AS reference_query")[0][0])
        if rows < combinations:
            raise CatalogueFailed(f"{combinations:,} combinations were asked for, {rows:,} are there.")
        return Catalogue(
            server=server,
            name=name,
            combinations=combinations,
            rows=rows,
            reference_query=self.reference_query,
        )

    def _statements(self, combinations: int) -> list[str]:
        if self.shared is None:
            own = _text(HERE / "own_catalogue.sql").replace("{combinations}", str(combinations))
            return [ddl(), own.replace("{products}", str(combinations // 2))]
        folder = self.shared / "data/prestashop"
        given = _resized(_text(folder / "benchmark-catalogue.sql"), combinations)
        return [_text(folder / "fixtures-8.2.1.sql"), given]


def find_source(environ: Mapping[str, str] = os.environ) -> CatalogueSource:
    """The third-party data when it is at hand, else our own."""
    shared = Path(environ.get("BREKZSYNC_SHARED") or HERE.parents[1] / "shared")
    query = shared / "data/prestashop/benchmark-join.sql"
    if query.is_file():
        return CatalogueSource(shared=shared, reference_query=query)
    return CatalogueSource(shared=None, reference_query=HERE / "reference_query.sql")


def _resized(given: str, combinations: int) -> str:
    sizes = {
        f"seq_1_to_{GIVEN_COMBINATIONS}": f"seq_1_to_{combinations}",
        f"seq_1_to_{GIVEN_COMBINATIONS // 2}": f"seq_1_to_{combinations // 2}",
    }
    if set(re.findall(r"\bseq_\w+", given)) != set(sizes):
        raise CatalogueFailed("benchmark-catalogue.sql is not written as this benchmark expects.")
    return re.sub(r"\bseq_\w+", lambda found: sizes[found[0]], given)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _run(server: MariaDB, database: str, statements: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".sql", encoding="utf-8", dir=server.folder) as file:
        file.write(statements)
        file.flush()
        server.load(database, Path(file.name))
