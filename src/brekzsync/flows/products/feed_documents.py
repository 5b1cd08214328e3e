"""What the feed of products makes of versions: a list of them, or one document that holds them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final, Protocol

from brekzsync.domain.items import Item
from brekzsync.domain.keys import ProductKey
from brekzsync.domain.ledger import Serving
from brekzsync.flows.ports import Version
from brekzsync.flows.products.delivery import DocumentWriter, Images, batched

SERVED: Final = len(Serving._fields)
"""With so many fields a version begins as what the state keeps of it."""
_HELD_IN_MEMORY: Final = 4 << 20  # bytes of a document; what is longer waits on disk for its reader


class UnsettledDocuments(Protocol):
    """What was handed out of records and has no result yet."""

    def unsettled_documents(self, keys: Sequence[ProductKey]) -> Mapping[ProductKey, Sequence[str]]: ...


@dataclass(slots=True)
class BulkDocument:
    """Many items as they are served: the ``Item`` elements and the price lines, each from its first byte on."""

    items: IO[bytes]
    prices: IO[bytes]
    versions: list[Serving]

    def chunks(self, size: int) -> Iterator[tuple[str, bytes]]:
        """Everything in pieces, first those of ``items``, then those of ``prices``, each named so."""
        for name, file in (("items", self.items), ("prices", self.prices)):
            file.seek(0)
            while piece := file.read(size):
                yield name, piece

    def close(self) -> None:
        """Give back what it takes on disk; safe to repeat."""
        self.items.close()
        self.prices.close()


class Listing:
    """A delivery that only lists: nothing leaves, nothing is acknowledged."""

    def __init__(self) -> None:
        self.versions: list[Version] = []

    def deliver(self, versions: Sequence[Version], _previous: Mapping[ProductKey, Item]) -> int:
        self.versions += versions
        return len(versions)

    def finish(self) -> None:
        """Nothing is staged."""


class Writing:
    """A delivery into one document."""

    def __init__(
        self, writer: DocumentWriter, images: Images, served: UnsettledDocuments, yesterday: date
    ) -> None:
        self._writer = writer
        self._images = images
        self._served = served
        self._yesterday = yesterday
        self.document = BulkDocument(_spool(), _spool(), [])

    def deliver(self, versions: Sequence[Version], previous: Mapping[ProductKey, Item]) -> int:
        earlier = self._served.unsettled_documents([version.key for version in versions])
        for some in batched(versions, self._images.batch):
            for one in some:
                before = previous.get(one.key)
                unsettled = minding(self._writer, one, before, earlier.get(one.key, ()), self._yesterday)
                image = self._images.load(one.item.image)
                item, prices = self._writer.parts(one.item, before, self._yesterday, image, unsettled)
                self.document.items.write(item.encode())
                if prices:
                    self.document.prices.write(prices.encode())
        self.document.versions += [Serving._make(version[:SERVED]) for version in versions]
        return len(versions)

    def finish(self) -> None:
        """Nothing is staged."""


def minding(
    writer: DocumentWriter,
    version: Version,
    previous: Item | None,
    earlier: Sequence[str],
    yesterday: date,
) -> Any:
    """What the document has to mind of other versions that are on their way; None for nothing."""
    others = [Item.from_stored(document) for document in earlier if document != version.document]
    return writer.unsettled(version.item, previous, others, yesterday) if others else None


def _spool() -> IO[bytes]:
    return SpooledTemporaryFile(_HELD_IN_MEMORY)
