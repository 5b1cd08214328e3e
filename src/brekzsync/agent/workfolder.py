"""What a job keeps on disk, so that ``kill -9`` at any step loses nothing and imports nothing twice.

``batches/<number>.json`` tells of records that were asked for: ``asked`` until AsImport is started, from then on
``importing``. ``results/<number>.json`` holds what became of them until the shop has taken it. A result is on the
disk before its batch goes. Numbers grow, so results are posted in the order they came about.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from brekzsync.agent.feed import Entry
from brekzsync.agent.files import PART, remove, write_aside, write_json

_DIGITS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Records that go to Exact in one document; ``claim`` is the word they are asked for by, again and again."""

    number: int
    state: Literal["asked", "importing"]
    entries: tuple[Entry, ...]
    claim: str = ""
    topics: tuple[str, ...] = ()


class WorkFolder:
    """One job's files below the agent's work folder."""

    def __init__(self, folder: Path, job: str) -> None:
        self._job = job
        self._batches, self._results = folder / job / "batches", folder / job / "results"
        self._documents, self._refused = folder / job / "documents", folder / job / "refused"
        self._last = 0

    def prepare(self) -> None:
        """Make the folders there are not, and clear away what was never finished."""
        for folder in (self._batches, self._results, self._documents, self._refused):
            folder.mkdir(parents=True, exist_ok=True)
            for part in folder.glob(f"*{PART}"):
                remove(part)

    # --- batches --------------------------------------------------------------------------------------------

    def open(self, entries: Sequence[Entry]) -> Batch:
        """Note that these records are about to be asked for, and by which word."""
        claim = uuid.uuid4().hex
        batch = Batch(number=self._next_number(), state="asked", entries=tuple(entries), claim=claim)
        self._write(batch)
        return batch

    def begin_import(self, batch: Batch, entries: Sequence[Entry], topics: Sequence[str]) -> Batch:
        """Note that from now on Exact may have these records, of the versions named here."""
        begun = replace(batch, state="importing", entries=tuple(entries), topics=tuple(topics))
        self._write(begun)
        return begun

    def back_to_asked(self, batch: Batch) -> None:
        """Note that the import did not begin after all."""
        self._write(replace(batch, state="asked"))

    def batches(self) -> Iterator[Batch]:
        """The batches that were left, oldest first; those whose result is on the disk are cleared away."""
        for path in _numbered(self._batches):
            batch = _read_batch(path)
            if batch is None or self._result(batch.number).exists():
                self.close(int(path.stem))
            else:
                yield batch

    def close(self, number: int) -> None:
        """Forget a batch: nothing is left to do, or its result is on the disk."""
        document = self.document(number)
        remove(self._batches / f"{number:0{_DIGITS}}.json")
        remove(document)
        remove(document.with_suffix(".out"))

    def document(self, number: int) -> Path:
        """Where a batch's document lies."""
        return self._documents / f"{self.name(number)}.xml"

    def name(self, number: int) -> str:
        """What a batch is called in file names and logs."""
        return f"{self._job}-{number:0{_DIGITS}}"

    def write_document(self, number: int, content: bytes) -> Path:
        path = self.document(number)
        write_aside(path, content)
        return path

    # --- results --------------------------------------------------------------------------------------------

    def settle(self, batch: Batch, results: Sequence[dict[str, str]]) -> None:
        """Keep what became of a batch for the shop, then forget the batch."""
        write_json(self._result(batch.number), {"results": list(results)})
        self.close(batch.number)

    def results(self) -> Iterator[tuple[Path, list[dict[str, str]]]]:
        """What waits to be posted, oldest first."""
        for path in _numbered(self._results):
            try:
                yield path, json.loads(path.read_bytes())["results"]
            except (ValueError, KeyError, TypeError):
                self.refuse(path)

    def posted(self, path: Path) -> None:
        """The shop has taken these results."""
        remove(path)

    def refuse(self, path: Path) -> None:
        """Put results aside that the shop will never take, for a person to look at."""
        path.replace(self._refused / path.name)

    def backlog(self) -> dict[str, int]:
        """How many results wait to be posted (files), how many batches are under way, how much was put aside."""
        return {
            "unposted_results": len(_numbered(self._results)),
            "open_batches": len(_numbered(self._batches)),
            "refused_results": len(_numbered(self._refused)),
        }

    def _result(self, number: int) -> Path:
        return self._results / f"{number:0{_DIGITS}}.json"

    def _write(self, batch: Batch) -> None:
        write_json(self._batches / f"{batch.number:0{_DIGITS}}.json", asdict(batch))

    def _next_number(self) -> int:
        """Microseconds since 1970, but always more than any number still in use: clocks are set back."""
        used = [
            int(path.stem) for folder in (self._batches, self._results) for path in _numbered(folder)[-1:]
        ]
        self._last = max(self._last + 1, time.time_ns() // 1000, *(number + 1 for number in used))
        return self._last


def _numbered(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".json" and path.stem.isdigit())
    except FileNotFoundError:
        return []


def _read_batch(path: Path) -> Batch | None:
    """A batch; None for a file that somebody else put there or spoilt."""
    try:
        kept: dict[str, Any] = json.loads(path.read_bytes())
        entries = tuple(Entry(*entry) for entry in kept["entries"])
        return Batch(
            number=kept["number"],
            state=kept["state"],
            entries=entries,
            claim=str(kept.get("claim", "")),
            topics=tuple(kept.get("topics", ())),
        )
    except (ValueError, KeyError, TypeError):
        return None
