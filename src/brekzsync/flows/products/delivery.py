"""The ways versions of items reach a target: one file each, one file a run, or (baseline, dry run) not at all.

A version is accepted (acknowledged, or noted as served) only after what carries it is durable. A crash in
between delivers it again; nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from brekzsync.domain.items import Item
from brekzsync.domain.keys import ProductKey
from brekzsync.flows.ports import ROW_FIELDS, Version

Accept = Callable[[Sequence[Version]], None]
"""Told of versions that are durable where the target finds them."""
Announce = Callable[[Sequence[Version], Mapping[ProductKey, Item]], None]
"""Told of versions, and of the acknowledged items of those that have one, before anybody can see them."""
AcceptStaged = Callable[[Path], None]
"""The same of the versions whose acknowledgements are in a staged file."""


class DocumentWriter(Protocol):
    """Writes items as eExact; ``yesterday`` is the day before today in the data shop's time zone."""

    def document(
        self,
        item: Item,
        previous: Item | None,
        yesterday: date,
        image_data: bytes | None = None,
        unread: Any = None,
    ) -> bytes: ...

    def parts(
        self,
        item: Item,
        previous: Item | None,
        yesterday: date,
        image_data: bytes | None = None,
        unread: Any = None,
    ) -> tuple[str, str]:
        """The item's element and its price lines, each with a line end or empty."""

    def unsettled(self, item: Item, previous: Item | None, earlier: Sequence[Item], yesterday: date) -> Any:
        """What ``parts`` and ``document`` take as ``unread`` for versions that went out and have no result yet."""


class ItemFolder(Protocol):
    """Takes one document per item, durably, replacing unread older ones."""

    def unread_document(self, key: ProductKey) -> object | None:
        """What lies there of the item and would be replaced, for ``DocumentWriter.document``."""

    def write_items(self, batch: Sequence[tuple[ProductKey, bytes]]) -> None: ...


class BulkWriter(Protocol):
    """Writes the one document of a run and shows it at the end, or never."""

    def send(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take versions: the first ``ROW_FIELDS`` of each, its acknowledged document, its image."""

    def finish(self) -> Path | None:
        """Show the document; the file with the acknowledgements it carries, None when it is empty."""


class Images(Protocol):
    """Gives the bytes of a cover image by its name, or None; ``batch`` is how many may be held at once."""

    @property
    def batch(self) -> int: ...

    @property
    def missing(self) -> int:
        """How many images were asked for and not found."""

    def load(self, name: str) -> bytes | None: ...


class FileDelivery:
    """One file per item; a batch is announced before its files can be seen, and accepted when they are durable."""

    def __init__(
        self,
        folder: ItemFolder,
        writer: DocumentWriter,
        images: Images,
        yesterday: date,
        announce: Announce,
        accept: Accept,
    ) -> None:
        self._folder = folder
        self._writer = writer
        self._images = images
        self._yesterday = yesterday
        self._announce = announce
        self._accept = accept

    def deliver(self, versions: Sequence[Version], previous: Mapping[ProductKey, Item]) -> int:
        """Write them, then accept them; few at a time when their images come along."""
        write, load, unread = self._writer.document, self._images.load, self._folder.unread_document
        for some in batched(versions, self._images.batch):
            documents = [
                (
                    one.key,
                    write(
                        one.item,
                        previous.get(one.key),
                        self._yesterday,
                        load(one.item.image),
                        unread(one.key) if one.known else None,
                    ),
                )
                for one in some
            ]
            self._announce(some, previous)
            self._folder.write_items(documents)
            self._accept(some)
        return len(versions)

    def finish(self) -> None:
        """Nothing is staged."""


class BulkDelivery:
    """One document per run, written by another process; its versions are accepted when it is in place."""

    def __init__(self, writer: BulkWriter, images: Images, accept: AcceptStaged) -> None:
        self._writer = writer
        self._images = images
        self._accept = accept

    def deliver(self, versions: Sequence[Version], previous: Mapping[ProductKey, Item]) -> int:
        """Hand them over."""
        load = self._images.load
        before = {key: item.stored() for key, item in previous.items()}
        for some in batched(versions, self._images.batch):
            self._writer.send(
                [
                    (*one[:ROW_FIELDS], before.get(one.key) if before else None, load(one.item.image))
                    for one in some
                ]
            )
        return len(versions)

    def finish(self) -> None:
        """Wait for the document to be in place, then accept everything in it."""
        staged = self._writer.finish()
        if staged is not None:
            self._accept(staged)
            staged.unlink(missing_ok=True)


def batched(versions: Sequence[Version], size: int) -> Iterator[Sequence[Version]]:
    """``versions`` in pieces of at most ``size``."""
    for start in range(0, len(versions), size):
        yield versions[start : start + size]


class Lease(Protocol):
    """A version handed out whose result is awaited."""

    @property
    def key_major(self) -> int: ...
    @property
    def key_minor(self) -> int: ...
    @property
    def fingerprint(self) -> bytes: ...
    @property
    def force(self) -> int: ...


class Leased(Lease, Protocol):
    """A lease, and the digest of what the version was made of."""

    @property
    def source_digest(self) -> bytes | None: ...


class Leases:
    """Which versions somebody is at work on (``acknowledge = "result"``); leases come in key order, and so do the
    questions."""

    def __init__(self, leases: Iterator[Leased]) -> None:
        self._leases = leases
        self._next = next(leases, None)
        self._asked_about: dict[
            ProductKey, list[Leased]
        ] = {}  # of records that changed and wait for ``free``

    def holds(self, key: ProductKey, source_digest: bytes, force: int) -> bool:
        """Whether somebody is at work on what a record is now: a version made of the same, for the same force."""
        while self._next is not None and (self._next.key_major, self._next.key_minor) < key:
            self._next = next(self._leases, None)
        own = []
        while self._next is not None and (self._next.key_major, self._next.key_minor) == key:
            own.append(self._next)
            self._next = next(self._leases, None)
        if any(one.source_digest == source_digest and one.force == force for one in own):
            return True
        if own:
            self._asked_about[key] = own
        return False

    def free(self, versions: Sequence[Version]) -> list[Version]:
        """Those without a lease, of versions whose records ``holds`` was asked about."""
        waiting = {
            (*key, one.fingerprint, one.force) for key, leases in self._asked_about.items() for one in leases
        }
        self._asked_about.clear()
        return [one for one in versions if (*one.key, one.fingerprint, one.force) not in waiting]


class BaselineDelivery:
    """Delivers nothing and accepts what the ERP already holds; ``accepted`` counts it."""

    def __init__(self, accept: Accept, held: Container[str]) -> None:
        self._accept = accept
        self._held = held
        self.accepted = 0

    def deliver(self, versions: Sequence[Version], _previous: Mapping[ProductKey, Item]) -> int:
        """Accept those whose item code the ERP holds; none counts as delivered."""
        held = [version for version in versions if version.code in self._held]
        self._accept(held)
        self.accepted += len(held)
        return 0

    def finish(self) -> None:
        """Nothing is staged."""


class Preview:
    """A dry run: takes everything, keeps nothing."""

    def deliver(self, versions: Sequence[Version], _previous: Mapping[ProductKey, Item]) -> int:
        """As many as would be delivered."""
        return len(versions)

    def finish(self) -> None:
        """Nothing is staged."""
