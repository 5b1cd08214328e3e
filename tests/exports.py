"""An installation of brekzsync for one test: its folder and configuration, its runs, what it wrote.

``export`` runs in this process at a time the test chooses, ``cli`` as people and cron do. Documents are
read as the ERP would: parsed, checked against Exact's own schema, deleted once taken.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from lxml import etree

from brekzsync.bootstrap.products import product_run
from brekzsync.bootstrap.state import state_of
from brekzsync.domain.outcomes import Tally
from brekzsync.domain.products import plain
from brekzsync.flows.products.run import ExportOutcome, ExportRequest
from brekzsync.settings import Settings, load_settings
from brekzsync.state.database import State
from brekzsync.state.ledger import Ledger

ROOT = Path(__file__).resolve().parents[1]
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)  # 13:00 in the fixture shop
CODE_AND_ID = "{reference}-{id_product_attribute}"  # the demo catalogue repeats references


class SpecialPrice(NamedTuple):
    """An ``ItemPrice`` line; ``last`` is ``""`` when it is open-ended."""

    code: str
    price: str
    first: str
    last: str


class Document(NamedTuple):
    """What an item document says, ``""`` for what it leaves out and numbers without trailing zeros."""

    code: str
    description: str
    translations: tuple[tuple[str, str], ...]
    price: str
    currency: str
    vat_code: str
    tax_rate: str
    weight: str
    image: str
    brand: str
    category_code: str
    category: str
    gtin: str
    specials: tuple[SpecialPrice, ...]

    @property
    def special(self) -> str:
        """The special price, ``""`` without one."""
        return self.specials[0].price if self.specials else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What one run did: its counts, and the documents it wrote by the record's key."""

    outcome: ExportOutcome
    documents: Mapping[str, Document]

    @property
    def tally(self) -> Tally:
        """The run's counts."""
        return self.outcome.tally

    @property
    def keys(self) -> set[str]:
        """The keys of what was exported."""
        return set(self.documents)

    @property
    def failed(self) -> dict[str, str]:
        """The reason of each failed record."""
        return {failure.shown: failure.reason for failure in self.tally.failures}

    @property
    def messages(self) -> dict[str, str]:
        """The sentence of each failed record."""
        return {failure.shown: failure.message for failure in self.tally.failures}


@dataclass(slots=True, kw_only=True)
class Installation:
    """One ``brekzsync.toml`` in a folder of its own; ``sections`` may be changed between runs."""

    folder: Path
    schema: Path
    sections: dict[str, dict[str, Any]]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """The configuration, written anew."""
        path = self.folder / "brekzsync.toml"
        lines = []
        for name, keys in self.sections.items():
            lines += [f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in keys.items())]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    @property
    def outbox(self) -> Path:
        """Where documents go unless a test says otherwise."""
        return self.folder / "outbox"

    @property
    def settings(self) -> Settings:
        """The configuration as the program reads it."""
        return load_settings(self.config, {})

    def set(self, section: str, **keys: Any) -> None:
        """Change the configuration."""
        self.sections.setdefault(section, {}).update(keys)

    # --- runs ---------------------------------------------------------------------------------------------

    def export(self, at: datetime = NOW, *, target: str = "exact", **request: Any) -> Exported:
        """One run at a time of the test's choosing; then everything in the outbox is read and deleted."""
        outcome = self.run(at, target=target, **request)
        return Exported(
            outcome=outcome, documents=self.take(self.settings.for_target(target).products.output)
        )

    def run(self, at: datetime = NOW, *, target: str = "exact", **request: Any) -> ExportOutcome:
        """One run; what it wrote lies unread."""
        wanted = ExportRequest(**request)
        settings = self.settings
        with (
            state_of(settings, writes=not wanted.dry_run) as state,
            product_run(settings, target, state, None) as run,
        ):
            return replace(run, clock=lambda: at).execute(
                wanted, lambda _total: nullcontext(lambda _count: None)
            )

    def cli(self, *arguments: str, timeout: float = 60) -> Said:
        """The program itself, in a process of its own: ``brekzsync --config FILE …``."""
        words = ("--config", str(self.config), *arguments)
        return brekzsync(self.folder, *words, environment=self.environment, timeout=timeout)

    def command(self, *arguments: str) -> list[str]:
        """The words of that command line."""
        return [sys.executable, "-m", "brekzsync", "--config", str(self.config), *arguments]

    @property
    def process_environment(self) -> dict[str, str]:
        """What a process of the program is given."""
        return bare_environment(self.folder) | self.environment

    # --- what came of it ----------------------------------------------------------------------------------

    def take(self, outbox: Path | None = None) -> dict[str, Document]:
        """Every unread document by key, valid against Exact's schema; afterwards the outbox is empty."""
        outbox = outbox or self.outbox
        documents: dict[str, Document] = {}
        for path in sorted(outbox.glob("items-*.xml")):
            documents |= parse_all(self.validated(path), outbox / "index.xml")
            path.unlink()
            path.with_name(f".{path.stem}.entries").unlink()
        for path in sorted(outbox.glob("items/*.xml")):
            (documents[path.stem],) = parse(self.validated(path))
            path.unlink()
        return documents

    def unread(self, outbox: Path | None = None) -> set[str]:
        """The keys of the item files lying there."""
        return {path.stem for path in (outbox or self.outbox).glob("items/*.xml")}

    def indexed(self, outbox: Path | None = None) -> list[str]:
        """The ids the index lists, in its order."""
        return [entry.get("id", "") for entry in etree.parse((outbox or self.outbox) / "index.xml").getroot()]

    def validated(self, path: Path) -> Any:
        """The document's root; fails with the schema's complaint."""
        root = etree.parse(path).getroot()
        schema = _schema(self.schema)
        assert schema.validate(root), f"{path.name}: {schema.error_log.last_error}"
        return root

    @contextmanager
    def state(self) -> Iterator[State]:
        """The state database, as another command would open it."""
        with state_of(self.settings) as opened:
            yield opened

    @contextmanager
    def ledger(self, target: str = "exact") -> Iterator[Ledger]:
        """The ledger of products."""
        with self.state() as opened:
            yield opened.ledger("product", target)

    def remembered(self, *keys: tuple[int, int], target: str = "exact") -> list[tuple[str, str | None, bool]]:
        """(status, reason, whether a version is acknowledged) of each key's row."""
        with self.ledger(target) as ledger:
            return [(row.status, row.reason, row.fingerprint is not None) for row in ledger.rows_for(keys)]

    def force(self, *keys: tuple[int, int]) -> None:
        """What ``products force-sync`` does."""
        with self.ledger() as ledger:
            ledger.request_force(keys, at=NOW)


class Said(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout; nothing else was said."""
        assert self.err == ""
        return json.loads(self.out)

    @property
    def document_beside_warnings(self) -> Any:
        """The one JSON document on stdout, where stderr warns of something as well."""
        assert self.err != ""
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """The cells of every table on stdout, line by line."""
        lines = [line for line in self.out.splitlines() if line.startswith("│")]
        return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]

    @property
    def traceback(self) -> bool:
        """Whether a person was shown one."""
        return "Traceback" in self.out + self.err


def brekzsync(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None, timeout: float = 60
) -> Said:
    """The program itself, in a process of its own: ``brekzsync …``, typed in this folder."""
    done = subprocess.run(
        [sys.executable, "-m", "brekzsync", *arguments],
        cwd=folder,
        env=bare_environment(folder) | dict(environment or {}),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def bare_environment(folder: Path) -> dict[str, str]:
    """Only what the program needs, so that nothing of this machine decides a test."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "HOME": str(folder)}


def installation(folder: Path, shared: Path, database: str, **products: Any) -> Installation:
    """A new installation on a shop's database; ``products`` are keys of ``[products]``."""
    return Installation(
        folder=folder,
        schema=shared / "data/exact/eExact-Schema.xsd",
        sections={
            "shop": {"database": database, "data_shop": 1},
            "products": {"item_code": CODE_AND_ID, "output": "outbox"} | products,
            "exact_xml": {"vat_codes": {"21": "2", "9": "1"}},
            "state": {"database": "sqlite:///state.db"},
        },
    )


def parse(root: Any) -> list[Document]:
    """The items of an eExact document."""
    specials: dict[str, list[SpecialPrice]] = {}
    for line in root.iterfind("ItemPrices/ItemPrice"):
        assert (line.find("PriceList").get("code"), line.findtext("Factor")) == ("SALESPRICE", "1")
        code = line.find("Item").get("code")
        specials.setdefault(code, []).append(
            SpecialPrice(
                code,
                number(line.findtext("Value")),
                line.findtext("Availability/DateStart", ""),
                line.findtext("Availability/DateEnd", ""),
            )
        )
    return [
        _document(item, tuple(specials.get(item.get("code"), ()))) for item in root.iterfind("Items/Item")
    ]


def parse_all(root: Any, index: Path) -> dict[str, Document]:
    """The items of a bulk document by the key its index gives their code."""
    ids = {entry.get("code"): entry.get("id") for entry in etree.parse(index).getroot()}
    return {ids[document.code]: document for document in parse(root)}


def number(text: str | None) -> str:
    """A number as text without trailing zeros."""
    return plain(Decimal(text)) if text else ""


def _document(item: Any, specials: tuple[SpecialPrice, ...]) -> Document:
    vat, category, currency = (
        item.find("Sales/Price/VAT"),
        item.find("ItemCategory"),
        item.find(".//Currency"),
    )
    return Document(
        code=item.get("code"),
        description=item.findtext("Description", ""),
        translations=tuple(
            (one.get("number"), one.text or "") for one in item.iterfind(".//MultiDescription")
        ),
        price=number(item.findtext("Sales/Price/Value")),
        currency=currency.get("code") if currency is not None else "",
        vat_code=vat.get("code") if vat is not None else "",
        tax_rate=number(vat.findtext("Percentage")) if vat is not None else "",
        weight=number(item.findtext("Dimension/WeightNet")),
        image=item.findtext("Image/Name", ""),
        brand=item.findtext("FreeFields/FreeTexts/FreeText", ""),
        category_code=category.get("code") if category is not None else "",
        category=category.findtext("Description", "") if category is not None else "",
        gtin=item.findtext("GTIN", ""),
        specials=specials,
    )


@cache
def _schema(path: Path) -> Any:
    return etree.XMLSchema(etree.parse(path))


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(entry)}" for key, entry in value.items()) + " }"
    return json.dumps(value)
