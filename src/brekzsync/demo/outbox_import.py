"""What Exact's side does with the demo's outbox: take a document out, import it, delete it.

Taken in the order of the indexes, items before the orders that name them (docs/reference/outbox.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from shutil import rmtree
from typing import Final, NamedTuple
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from sqlalchemy.exc import DBAPIError

from brekzsync.agent.untrusted_xml import NotXml, read_xml
from brekzsync.demo.exact_import import TOPICS, ExactImport, ImportMessage, open_erp
from brekzsync.demo.folder import IMPORTING, demo_at_rest
from brekzsync.errors import PermanentError

_INDEXES: Final = ("index.xml", "orders/index.xml", "refunds/index.xml")


class ImportedRecord(NamedTuple):
    """What became of a record of a document; ``document`` is relative to the outbox."""

    document: str
    told: ImportMessage


class Unread(NamedTuple):
    """A document that lies in the outbox; ``records`` says how many of each topic it holds."""

    document: str
    records: dict[str, int]


def unread_documents(directory: Path) -> list[Unread]:
    """What ``import_outbox`` would import. Raises InvalidInput where there is no demo."""
    with demo_at_rest(directory), _told(directory):
        found = [*_left_over(directory / IMPORTING), *_listed(directory / "outbox")]
        return [
            Unread(name, {topic: _count(document, topic) for topic in TOPICS if _count(document, topic)})
            for name, path in found
            if (document := _read(path)) is not None
        ]


def import_outbox(directory: Path, now: datetime) -> Iterator[ImportedRecord]:
    """Import what lies unread in the demo's outbox, telling of each record; safe to break off and to repeat.

    Raises InvalidInput where there is no demo, LockHeld, PermanentError.
    """
    outbox, importing = directory / "outbox", directory / IMPORTING
    with demo_at_rest(directory), _told(directory):
        engine = open_erp(directory / "erp.db")
        for name, path in _left_over(importing):
            yield from _import(name, path, ExactImport(engine, now, again=True))
        for name, path in _listed(outbox):
            taken = importing / name
            taken.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.replace(
                    taken
                )  # taken out first: a run may put a newer version in its place at any moment
            except FileNotFoundError:
                continue
            yield from _import(name, taken, ExactImport(engine, now))
        rmtree(importing, ignore_errors=True)


def _import(name: str, path: Path, importing: ExactImport) -> Iterator[ImportedRecord]:
    try:
        document = read_xml(path.read_bytes())
    except NotXml as error:
        yield ImportedRecord(name, ImportMessage("", "", 0, f"It is not XML: {error}"))
    else:
        for topic in TOPICS:
            for told in importing.topic(document, topic):
                yield ImportedRecord(name, told)
    path.unlink()


def _listed(outbox: Path) -> Iterator[tuple[str, Path]]:
    """The documents the indexes name that still lie there, each once."""
    for index in _INDEXES:
        root = _read(outbox / index)
        entries = [] if root is None else root.iter("Entry")
        folder = Path(index).parent
        for href in dict.fromkeys(unquote(entry.get("href", "")) for entry in entries):
            name = (folder / href).as_posix()
            if href and ".." not in Path(href).parts and (outbox / name).is_file():
                yield name, outbox / name


def _left_over(importing: Path) -> Iterator[tuple[str, Path]]:
    """What an import that broke off had taken: items before orders, as ever."""
    found = [path.relative_to(importing) for path in importing.rglob("*.xml")]
    for path in sorted(found, key=lambda path: (path.parts[0] in ("orders", "refunds"), path)):
        yield path.as_posix(), importing / path


@contextmanager
def _told(directory: Path) -> Iterator[None]:
    """What the disk or the ERP refuses, in words."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
    except DBAPIError as error:
        reason = f"the ERP {directory / 'erp.db'} cannot be written to: {error.orig}"
    else:
        return
    raise PermanentError(
        f"The demo in {directory} cannot import: {reason}.",
        hint="Give yourself the right to write there, or make it anew: brekzsync demo up.",
        code="import_failed",
    )


def _read(path: Path) -> Element | None:
    try:
        return read_xml(path.read_bytes())
    except (FileNotFoundError, NotXml):
        return None


def _count(document: Element, topic: str) -> int:
    return len(document.findall(f"{topic}/{TOPICS[topic]}"))
