"""The measures of ``products export``, each beside what it is compared with."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.catalogue import Catalogue
from benchmarks.measure import Measured, RunFailed, run

SINGLE_FILES = 10_000
FULL_BULK = ("--full", "--bulk")

CONFIGURATION = """\
[shop]
database = "{url}"
data_shop = 1

[products]
# The catalogue repeats references across combinations.
item_code = "{{reference}}-{{id_product_attribute}}"

[exact_xml.vat_codes]
21 = "2"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Something to run in every round. ``watch`` asks for its memory instead of a time to be trusted."""

    name: str
    run: Callable[[bool], Measured]
    has_memory: bool = True


class Export:
    """``brekzsync products export`` of one catalogue through one driver, in a folder of its own."""

    def __init__(self, catalogue: Catalogue, driver: str, parent: Path) -> None:
        self.catalogue = catalogue
        self._folder = parent / f"{catalogue.name}-{driver}"
        self._folder.mkdir()
        self._configuration = self._folder / "brekzsync.toml"
        self._configuration.write_text(CONFIGURATION.format(url=catalogue.url(driver)), encoding="utf-8")
        self.outbox = self._folder / "outbox"

    def first(self, watch: bool = False) -> Measured:
        """Everything, into one document, by somebody who never exported before."""
        self._forget()
        return self._exported(self.catalogue.combinations, watch, *FULL_BULK)

    def again(self, watch: bool = False) -> Measured:
        """Everything once more: the ledger knows each of them. Wants ``first`` before."""
        self._empty_outbox()
        return self._exported(self.catalogue.combinations, watch, *FULL_BULK)

    def unchanged(self, watch: bool = False) -> Measured:
        """A run that finds nothing to do. Wants ``first`` before."""
        self._empty_outbox()
        return self._exported(0, watch)

    def single_files(self, watch: bool = False) -> Measured:
        """Everything, one document each, by somebody who never exported before."""
        self._forget()
        return self._exported(self.catalogue.combinations, watch)

    def command(self, *options: str, python: tuple[str, ...] = ()) -> list[str | Path]:
        """The command line; ``python`` are options for the interpreter, such as a profiler."""
        program: list[str | Path] = [Path(sys.executable).with_name("brekzsync")]
        if python:
            program = [sys.executable, *python, "-m", "brekzsync"]
        return [*program, "--config", self._configuration, "products", "export", *options]

    def run(self, command: list[str | Path], watch: bool = False) -> Measured:
        """Run a ``command`` as an ordinary user's shell would."""
        return run(command, folder=self._folder, environ=plain_environment(), watch=watch)

    def _exported(self, at_least: int, watch: bool, *options: str) -> Measured:
        measured = self.run(self.command(*options), watch)
        # A run that did less than it should is no measure; the index is what the ERP's side reads too.
        with (self.outbox / "index.xml").open(encoding="utf-8") as index:
            found = re.search(r'count="(\d+)"', index.read(1000))
        count = int(found[1]) if found else -1
        if not (count >= at_least if at_least else count == 0):
            what = " ".join(["products export", *options])
            raise RunFailed(f"{what} exported {count:,} items, not {at_least:,}.")
        return measured

    def _forget(self) -> None:
        for path in self._folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != self._configuration:
                path.unlink()

    def _empty_outbox(self) -> None:
        shutil.rmtree(self.outbox)


def plain_environment() -> dict[str, str]:
    """Ours without what would change Python (no bytecode, say) or brekzsync."""
    changing = ("PYTHON", "BREKZSYNC_")
    return {name: value for name, value in os.environ.items() if not name.startswith(changing)}


# --- what it is compared with ----------------------------------------------------------------------------


def client(catalogue: Catalogue, output: str) -> Measured:
    """The ``mariadb`` client writing the reference query's rows to /dev/null, connected as brekzsync is."""
    server = catalogue.server
    return run(
        [
            *(server.client, "--no-defaults", "--protocol=tcp", "--host=127.0.0.1", f"--port={server.port}"),
            *("--user=root", "--default-character-set=utf8mb4", "--quick", output, catalogue.name),
        ],
        folder=server.folder,
        stdin=catalogue.reference_query,
    )


def plain_writes(documents: Path, target: Path) -> Measured:
    """Write, fsync, rename: the same files one by one, from memory, into a folder of the same file system."""
    contents = [(path.name, path.read_bytes()) for path in sorted(documents.glob("*.xml"))]
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    started = time.perf_counter()
    for name, content in contents:
        part = target / f".{name}.part"
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target / name)
    return Measured(seconds=time.perf_counter() - started)


# --- all of them -----------------------------------------------------------------------------------------


def catalogue_cases(
    catalogue: Catalogue, drivers: tuple[str, ...], folder: Path, *, again: bool = True
) -> Iterator[Case]:
    """The references and, for each driver, the runs, in the order in which they need each other."""
    size = catalogue.combinations
    for output, name in (("--xml", "xml"), ("-B", "batch")):

        def reference(_watch: bool, output: str = output) -> Measured:
            return client(catalogue, output)

        yield Case(name=f"{name} {size}", run=reference, has_memory=False)
    for driver in drivers:
        export = Export(catalogue, driver, folder)
        yield Case(name=f"first {driver} {size}", run=export.first)
        if again:
            yield Case(name=f"again {driver} {size}", run=export.again)
        yield Case(name=f"unchanged {driver} {size}", run=export.unchanged)


def single_file_cases(catalogue: Catalogue, driver: str, folder: Path) -> Iterator[Case]:
    """The outbox, and its files written plainly."""
    parent = folder / "single"
    parent.mkdir()
    export = Export(catalogue, driver, parent)

    def plainly(_watch: bool) -> Measured:
        return plain_writes(export.outbox / "items", parent / "plain")

    yield Case(name="single", run=export.single_files)
    yield Case(name="plain", run=plainly, has_memory=False)
