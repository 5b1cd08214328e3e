"""What went out of an item and has no result yet, when a newer version goes out.

The ERP may have taken such a version in or not. The newer one is written for both cases: what only the earlier one
said is ended, and an item the ERP may not have is said to be new.
"""

from __future__ import annotations

from typing import NamedTuple

from brekzsync.domain.items import Item

_CAN_BE_EMPTIED = ("description", "translations", "image", "brand", "category_code", "category", "gtin")
_SOME = "?"


class Unsettled(NamedTuple):
    """Versions of one item, oldest first; ``prices`` ends their special prices and the acknowledged one's, where
    the newer version has none. Takes the place of ``Unread``."""

    code: str
    items: tuple[Item, ...]
    prices: str

    def lines(self, own: str) -> str:
        """The price lines of the newer document, which has ``own`` by itself."""
        return self.prices or own

    def before(self, previous: Item | None, *, always: bool) -> Item | None:
        """The version to write against instead of ``previous``, the acknowledged one."""
        if not self.items:
            return previous
        base = Item._make([self.code, *[""] * (len(Item._fields) - 1)]) if previous is None else previous
        said = {
            name: _SOME
            for name in _CAN_BE_EMPTIED
            if not getattr(base, name) and any(getattr(one, name) for one in self.items)
        }
        if previous is None and not said:
            return None
        return base._replace(**said)
