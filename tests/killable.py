"""Exports that are killed at any of their steps, and what must hold of them at every moment.

``Killable`` is an installation whose runs go through ``tests/steps.py``. It remembers every document that was
ever visible in the outbox, what the reader took, and which version each run acknowledged, and checks:

- what becomes visible is whole: nothing is added later, it is valid against Exact's schema;
- the index lists what lies there after a finished run;
- what the ledger acknowledges was visible, in the run that acknowledged it or before;
- the counts of a run add up;
- a killed run frees its lock, and the next run records it as killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from lxml import etree

from brekzsync.domain.items import Item
from brekzsync.domain.ledger import IN_DOUBT
from brekzsync.errors import ConfigurationError
from brekzsync.state.database import State, open_state
from tests.exports import NOW, ROOT, Document, Installation, SpecialPrice, number, parse
from tests.steps import Steps

KILLED = -9
FINISHED = (0, 3)
EVERYTHING = 1_000_000
Key = tuple[int, int]


class Stepper:
    """The process that forks the runs."""

    def __init__(self) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": "0"}
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(ROOT / "tests/steps.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def run(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Have one run made; how it ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        """End it; nothing of a run is left by then."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def stepper() -> Iterator[Stepper]:
    """One for the block."""
    started = Stepper()
    try:
        yield started
    finally:
        started.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended: its exit code (-9: killed), its JSON document, what it complained about."""

    number: int
    code: int
    document: Mapping[str, Any]
    complaint: str

    @property
    def finished(self) -> bool:
        """Whether it came to its end, failed records or not."""
        return self.code in FINISHED

    @property
    def delivered(self) -> int:
        """How many items it delivered."""
        count: int = self.document["counts"]["delivered"]
        return count

    @property
    def reasons(self) -> Mapping[str, int]:
        """What it counted beside."""
        reasons: Mapping[str, int] = self.document["reasons"]
        return reasons


class Remembered(NamedTuple):
    """One row of the ledger; ``item`` is the acknowledged one."""

    status: str
    reason: str | None
    run_id: int | None
    item: Item | None


class RunRecord(NamedTuple):
    """What is on record of a run."""

    id: int
    name: str
    status: str
    error_code: str | None


class Appearance(NamedTuple):
    """A document of one item as it was visible first, and in which run."""

    number: int
    inode: int
    document: Document


@dataclass(slots=True, kw_only=True)
class Killable:
    """An installation under the knife; ``seen`` is the folder of everything that was ever visible."""

    installed: Installation
    steps: Stepper
    seen: Path
    state_url: str
    number: int = 0
    killed: set[str] = field(default_factory=set)
    erp: dict[Key, Appearance] = field(default_factory=dict)
    cut_off: set[int] = field(default_factory=set)
    _appeared: dict[Key, list[Appearance]] = field(default_factory=dict)
    _by_inode: dict[int, list[Key]] = field(default_factory=dict)
    _taken: dict[int, set[str]] = field(default_factory=dict)
    _read: int = 0
    _runs: dict[int, int] = field(default_factory=dict)
    _whole: set[bytes] = field(default_factory=set)

    # --- runs ---------------------------------------------------------------------------------------------

    def export(
        self,
        *words: str,
        at: datetime = NOW,
        kill: int | None = None,
        kill_writer: int | None = None,
        visits: Mapping[int, int] | None = None,
        batch: int | None = None,
        drift: float = 0,
    ) -> Ended:
        """Run ``products export``, killed before its ``kill``-th step; then check everything that can be.

        ``visits`` maps steps to how many documents the reader takes there, ``batch`` makes batches small,
        ``drift`` is by how many seconds the clock moves each time it is asked.
        """
        self.number += 1
        self.seen.mkdir(exist_ok=True)
        out, err = self.installed.folder / "stdout", self.installed.folder / "stderr"
        answer = self.steps.run(
            {
                "words": ["--config", str(self.installed.config), "products", "export", "--json", *words],
                "folder": str(self.installed.folder),
                "environment": self.installed.process_environment,
                "outbox": str(self.installed.outbox),
                "seen": str(self.seen),
                "out": str(out),
                "err": str(err),
                "now": at.isoformat(),
                "number": self.number,
                "kill": kill,
                "kill_writer": kill_writer,
                "visits": dict(visits or {}),
                "batch": batch,
                "drift": drift,
            }
        )
        said, complaint = out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")
        assert (answer["orphans"], "Traceback" in complaint) == (False, False), complaint
        ended = Ended(
            number=self.number,
            code=answer["code"],
            document=json.loads(said) if said else {},
            complaint=complaint,
        )
        self._check(ended)
        return ended

    def begin(self, erp: Mapping[Key, Appearance]) -> None:
        """Take an installation that was at work before: what lies there, and what the ERP has, is known."""
        self.seen.mkdir()
        self.erp = dict(erp)
        self._eye().look()
        self._runs = {run.id: 0 for run in self.runs()}
        self._catch_up()

    def count_steps(self, *words: str, **options: Any) -> dict[str, int]:
        """How many steps an undisturbed run and its writer take."""
        assert self.export(*words, **options).finished
        notes = (line.split() for line in self._diary() if line.startswith("steps "))
        return {who: int(count) for _, who, count in notes}

    def read(self, most: int = EVERYTHING) -> None:
        """The reader imports the first few documents that lie there, and deletes them."""
        eye = self._eye()
        eye.visit(eye.look(), most)
        self._catch_up()

    def _eye(self) -> Steps:
        order = {"outbox": str(self.installed.outbox), "seen": str(self.seen), "number": self.number}
        return Steps(order | {"kill": None, "visits": {}}, "run")

    # --- what is known --------------------------------------------------------------------------------------

    def ledger(self) -> dict[Key, Remembered]:
        """What the ledger holds."""
        with self.state() as state:
            ledger = state.ledger("product", "exact")
            rows = list(ledger.rows())
            documents = ledger.documents([row.key for row in rows])
        return {
            row.key: Remembered(
                row.status,
                row.reason,
                row.run_id,
                Item.from_stored(documents[row.key]) if row.fingerprint not in (None, IN_DOUBT) else None,
            )
            for row in rows
        }

    def items(self) -> dict[Key, Item]:
        """What the ledger holds as acknowledged of what is in sync."""
        rows = self.ledger().items()
        return {key: row.item for key, row in rows if row.item is not None and row.status == "synced"}

    def runs(self) -> list[RunRecord]:
        """Every run on record, the latest first."""
        with self.state() as state, state.database.read() as connection:
            rows = connection.exec_driver_sql("SELECT id, name, status, error_code FROM run ORDER BY id DESC")
            return [RunRecord(*row) for row in rows]

    @property
    def runs_known(self) -> bool:
        """Whether a run left its mark, so that there is a state."""
        return bool(self._runs)

    @contextmanager
    def state(self, *, create: bool = False) -> Iterator[State]:
        """The state database, as another command would open it."""
        with open_state(self.state_url, create=create) as state:
            yield state

    def unread(self) -> list[str]:
        """The names of the documents lying there, bulk files first."""
        outbox = self.installed.outbox
        return [
            *sorted(path.name for path in outbox.glob("items-*.xml")),
            *sorted(path.name for path in outbox.glob("items/*-*.xml") if path.name[0] != "."),
        ]

    def hidden(self) -> set[str]:
        """What lies in the outbox beside documents and the index.

        Entries of a bulk file may outlive it: its reader comes when it likes, and the next run clears up.
        """
        names = {path.name for path in self.installed.outbox.rglob("*") if path.is_file()}
        return {name for name in names if not name.endswith(".entries")} - {*self.unread(), "index.xml"}

    # --- what must hold -------------------------------------------------------------------------------------

    def _check(self, ended: Ended) -> None:
        self._catch_up()
        runs = self._check_record(ended)
        if ended.finished:
            self._check_counts(ended)
            self._check_index(ended)
            assert self.hidden() == set(), "something unfinished was left"
        self._check_acknowledged()
        if not ended.finished:
            self.cut_off.add(ended.number)
        if ended.code == KILLED:
            self.killed |= {run.name for run in runs if run.status == "running"}

    def _check_record(self, ended: Ended) -> list[RunRecord]:
        """The run is on record as what it was, and so is the one that was killed before it."""
        try:
            runs = self.runs()
        except ConfigurationError:
            assert ended.code == KILLED, "only a first run killed early leaves no state"
            return []
        for run in runs:
            self._runs.setdefault(run.id, ended.number)
        if ended.code != KILLED:
            assert ended.code != 75, "a killed run kept its lock"
            assert runs[0].status == ("done" if ended.finished else "failed")
            dead = {run.name for run in runs if (run.status, run.error_code) == ("failed", "killed")}
            assert dead == self.killed, "a killed run is to be recorded as killed by the next"
        return runs

    @staticmethod
    def _check_counts(ended: Ended) -> None:
        counts = ended.document["counts"]
        left = ended.reasons.get("queued", 0)
        assert counts["read"] == counts["eligible"] + counts["skipped"], ended
        assert counts["eligible"] == counts["pending"] + counts["unchanged"], ended
        assert counts["pending"] == counts["delivered"] + counts["failed"] + left, ended
        assert (ended.code == 3) == (counts["failed"] > 0), ended

    def _check_index(self, ended: Ended) -> None:
        """What the index lists is what lies there: bulk files first, oldest first, then items in key order.

        What the reader took while the run was at work may be listed or not.
        """
        outbox = self.installed.outbox
        root = etree.parse(outbox / "index.xml").getroot()
        listed = [(entry.get("href"), entry.get("id")) for entry in root]
        expected = []
        for path in sorted(outbox.glob("items-*.xml")):
            keys = self._by_inode[path.stat().st_ino]
            expected += [(path.name, f"{key[0]}-{key[1]}") for key in keys]
        keys = sorted(_key(path.stem) for path in outbox.glob("items/*-*.xml") if path.name[0] != ".")
        expected += [(f"items/{key[0]}-{key[1]}.xml", f"{key[0]}-{key[1]}") for key in keys]
        assert root.get("count") == str(len(listed))
        still = {href for href, _ in expected}
        taken = {href for href, _ in listed} - still
        assert taken <= self._taken.get(ended.number, set())
        assert [entry for entry in listed if entry[0] in still] == expected

    def _check_acknowledged(self) -> None:
        """Whatever run acknowledged a version had shown its document, or found one that a killed run showed."""
        if not self._runs:
            return
        for key, row in self.ledger().items():
            if row.item is None:
                continue
            assert row.run_id is not None
            number = self._runs[row.run_id]
            if number == 0:  # it was acknowledged before we looked
                continue
            shown = [one.document for one in self._appeared.get(key, ()) if one.number <= number]
            assert any(says(document, row.item) for document in shown), (key, row, shown)

    # --- what was seen --------------------------------------------------------------------------------------

    def _diary(self) -> list[str]:
        path = self.seen / "diary"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def _catch_up(self) -> None:
        """Take note of what the steps and readers wrote down since the last time."""
        lines = self._diary()
        for line in lines[self._read :]:
            kind, *words = line.split()
            if kind == "appeared":
                self._appear(int(words[0]), int(words[1]), int(words[2]), words[3])
            elif kind == "taken":
                number, inode, path = int(words[0]), int(words[1]), words[2]
                self._taken.setdefault(number, set()).add(path)
                for key in self._by_inode[inode]:
                    self.erp[key] = next(one for one in self._appeared[key] if one.inode == inode)
        self._read = len(lines)

    def _appear(self, number: int, inode: int, size: int, name: str) -> None:
        path = self.seen / f"{inode}.xml"
        content = path.read_bytes()
        assert len(content) == size, f"{name} grew after it was visible"
        root = etree.fromstring(content) if content in self._whole else self.installed.validated(path)
        self._whole.add(content)
        documents = parse(root)
        if name.startswith("items-"):
            entries = (self.seen / f"{inode}.entries").read_text(encoding="utf-8").splitlines()
            keys = [_key(etree.fromstring(line).get("id")) for line in entries]
        else:
            keys = [_key(name.removesuffix(".xml"))]
        assert len(keys) == len(documents), f"{name} holds {len(documents)} items for {keys}"
        self._by_inode[inode] = keys
        for key, document in zip(keys, documents, strict=True):
            self._appeared.setdefault(key, []).append(Appearance(number, inode, document))


def killable(installed: Installation, steps: Stepper) -> Killable:
    """The installation with its SQLite state beside its configuration."""
    url = installed.sections["state"]["database"].replace("sqlite:///", f"sqlite:///{installed.folder}/")
    return Killable(installed=installed, steps=steps, seen=installed.folder / "seen", state_url=url)


def says(document: Document, item: Item) -> bool:
    """Whether a document tells the ERP of this item. A special price of another may end in it."""
    expected = (item.code, item.description, number(item.price), number(item.weight), item.image, item.gtin)
    grouping = (item.brand, item.category_code, item.category, item.vat_code, number(item.tax_rate))
    found = (document.code, document.description, document.price, document.weight, document.image)
    grouped = (document.brand, document.category_code, document.category)
    if (*found, document.gtin, *grouped, document.vat_code, document.tax_rate) != (*expected, *grouping):
        return False
    if not item.special_price:
        return all(line.last for line in document.specials)
    first = item.special_from or "2000-01-01"
    return document.specials == (
        SpecialPrice(item.code, number(item.special_price), first, item.special_until),
    )


def differences(found: Mapping[Key, Item], expected: Mapping[Key, Item]) -> Sequence[tuple[Any, ...]]:
    """Where two ledgers differ, few at a time, for a message one can read."""
    keys = [key for key in {**found, **expected} if found.get(key) != expected.get(key)]
    return [(key, found.get(key), expected.get(key)) for key in sorted(keys)[:3]]


def _key(text: str | None) -> Key:
    major, _, minor = (text or "").partition("-")
    return int(major), int(minor)
