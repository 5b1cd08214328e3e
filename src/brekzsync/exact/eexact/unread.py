"""What a document still says that nobody has read, when a newer version is about to replace it.

The newer version is written against the last one *acknowledged*, which for files is the last one delivered.
If the reader never took that one, what only it said would be lost: that the item is new, that a field became
empty, that a special price ended.
"""

from __future__ import annotations

from typing import NamedTuple

from brekzsync.domain.items import Item
from brekzsync.exact.eexact.items import PRICES_END, PRICES_START

_SAID = {
    "description": "<Description>",
    "translations": "<MultiDescriptions>",
    "image": "<Image>",
    "brand": "<FreeText ",
    "category_code": "<ItemCategory ",
    "category": "<ItemCategory ",
    "gtin": "<GTIN>",
}
"""Fields that can be sent empty, and how a document that mentions them says so."""
_CREATES = "<Unit unit="  # in Sales only where the item is new, or always written
_SOME = "?"


class Unread(NamedTuple):
    """The unread document of one item."""

    text: str

    def before(self, previous: Item | None, *, always: bool) -> Item | None:
        """The version to write against instead of ``previous``: None where the ERP has yet to make the item.

        ``always`` says that every document carries what is otherwise said of new items only.
        """
        element = self.text.partition(PRICES_START)[0]
        if previous is None or (_CREATES in element and not always):
            return None
        said = {
            name: _SOME for name, mark in _SAID.items() if mark in element and not getattr(previous, name)
        }
        return previous._replace(**said)

    def lines(self, own: str) -> str:
        """The price lines of the newer document, which has ``own`` by itself."""
        return own or self.prices

    @property
    def prices(self) -> str:
        """Its price lines."""
        return self.text.partition(PRICES_START)[2].partition(PRICES_END)[0]
