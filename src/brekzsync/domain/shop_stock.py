"""What a shop shows of its stock, what was ordered of it, and what is to be changed."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from brekzsync.domain.keys import ProductKey


class Place(NamedTuple):
    """Where stock is written: the rows of a shop (``id_shop``, 0), or of a group that shares (0, ``id_shop_group``)."""

    name: str
    id_shop: int
    id_shop_group: int


class Level(NamedTuple):
    """What the shop holds of one combination at one place. ``id_stock_available`` names the row; ``reserved`` is how
    many the shop knows to be ordered and not sent, which ``quantity`` is already without."""

    id_stock_available: int
    quantity: int
    depends_on_stock: bool
    reserved: int = 0


class Since(NamedTuple):
    """Which orders may have to reach the ERP: those placed at ``start`` (aware) or later, and ``older`` ones that are
    on their way, by ``id_order``."""

    start: datetime
    older: frozenset[int] = frozenset()


class OrderedLine(NamedTuple):
    """A product line of a shop order that may have to reach the ERP; ``reference`` is the order's ``YourRef``."""

    reference: str
    key: ProductKey
    quantity: int


class Change(NamedTuple):
    """A figure to write where ``before`` still stands; ``place`` is an index into the shop's places."""

    key: ProductKey
    place: int
    id_stock_available: int
    before: int
    after: int


class Outcome(StrEnum):
    """What became of a change."""

    WRITTEN = "written"
    MOVED = "moved"  # something else than ``before`` stands there: nothing was written
    FAILED = "failed"


class Written(NamedTuple):
    """The outcome of a change, and of a failure its reason (a stable code) and a sentence with the remedy."""

    change: Change
    outcome: Outcome
    reason: str = ""
    message: str = ""
