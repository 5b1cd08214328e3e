"""What the stock flows need of the outside, as Protocols; ``bootstrap/stock.py`` chooses who fulfils them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import NamedTuple, Protocol

from brekzsync.domain.erp_stock import LevelRow, StockQuantity
from brekzsync.domain.keys import BEFORE_ALL, ProductKey
from brekzsync.domain.shop_stock import Change, Level, OrderedLine, Outcome, Place, Since, Written
from brekzsync.domain.stock import ErpStockItem, Finding

__all__ = [
    "Change",
    "Codes",
    "ErpStock",
    "LeftAlone",
    "Level",
    "LevelRow",
    "LevelsAside",
    "OpenStock",
    "OrderedLine",
    "Outcome",
    "Place",
    "ShopStock",
    "Since",
    "StockWriter",
    "Written",
]


class OpenStock(Protocol):
    """The shop's stock and orders within one snapshot: what it says later is not seen."""

    def levels(
        self, after: ProductKey = BEFORE_ALL, *, unsifted: bool = False
    ) -> Iterator[tuple[ProductKey, Sequence[int | None]]]:
        """The quantity at each place, in the order of the places, of every combination that has a row at one of
        them, in key order. Not the total rows of products with combinations, nor rows of what no longer exists;
        these too when ``unsifted``, for half of the time."""

    def some(self, keys: Collection[ProductKey]) -> dict[ProductKey, Sequence[Level | None]]:
        """The rows of these combinations, by key; those without any row are missing."""

    def ordered_since(self, since: Since) -> Iterator[OrderedLine]:
        """The lines of every order that may have to reach the ERP and is not dead."""

    def ordered_of(self, keys: Collection[ProductKey], since: Since) -> Sequence[OrderedLine]:
        """Those of these combinations."""

    def being_placed(self, since: datetime) -> set[int]:
        """``id_order`` of the orders begun at about ``since`` or later that have no state yet: quantities may have been
        lowered for them whose lines are not there."""

    def newest_order(self) -> int:
        """The highest ``id_order``; 0 where there are no orders."""

    def ours(self, references: Collection[str]) -> set[str]:
        """Those of these normalised references that are the ``YourRef`` of an order of the shop, dead ones too."""

    def pack_conflicts(self) -> set[ProductKey]:
        """Combinations whose stock the shop computes from others, or lowers when others are sold: packs whose
        ``pack_stock_type`` takes components along, and their components. ``(id_product, -1)`` stands for all
        combinations of a product."""


class ShopStock(Protocol):
    """The shop, read in snapshots."""

    @property
    def places(self) -> Sequence[Place]: ...

    def open(self) -> AbstractContextManager[OpenStock]: ...


class LevelsAside(Protocol):
    """What ``ErpStock.levels`` gives, being read while something else is done."""

    def rows(self) -> tuple[Iterator[LevelRow], bool]:
        """All of it, and whether in the order of codes; waits until it has been read, and raises what the reading
        failed with. Quantities that are no whole numbers may be their digits."""

    def close(self) -> None:
        """Read no further, and forget what was read."""


class ErpStock(Protocol):
    """The ERP's stock; codes are normalised, streams are complete or an error. ``codes`` narrows to these items."""

    def stock_items(self, codes: Collection[str] | None = None) -> Iterator[ErpStockItem]: ...

    def levels(self, today: date, warehouses: Collection[str] = ()) -> Iterator[LevelRow]:
        """Every item and, in each warehouse where it ever was or is to leave, what it has: for a look at everything."""

    def levels_by_code(self, today: date, warehouses: Collection[str] = ()) -> Iterator[LevelRow] | None:
        """The same in the order of codes; None where this ERP cannot sort them as they are compared."""

    def levels_aside(self, today: date, warehouses: Collection[str] = ()) -> LevelsAside | None:
        """Begin to read either of them beside whatever else is done; None where nothing can be."""

    def on_hand(
        self, today: date, warehouses: Collection[str] = (), codes: Collection[str] | None = None
    ) -> Iterator[StockQuantity]: ...

    def open_sales(
        self, warehouses: Collection[str] = (), codes: Collection[str] | None = None
    ) -> Iterator[StockQuantity]: ...

    def open_sales_by_order(
        self, warehouses: Collection[str] = (), codes: Collection[str] | None = None
    ) -> Iterator[tuple[str, StockQuantity]]:
        """The same with the order's reference (``docnumber``), which may be empty."""

    def references(self) -> Iterator[str]:
        """Every sales order's reference, of open and completed orders and of delivery notes, normalised."""

    def present(self, references: Collection[str]) -> set[str]:
        """Which of these references some sales order or delivery note has, as given."""

    def last_moved(self, codes: Collection[str], today: date) -> Mapping[str, date]:
        """The day of the newest movement of each of these items that has one."""


class StockWriter(Protocol):
    """Writes what the shop shows."""

    def write(self, changes: Sequence[Change]) -> Iterable[Written]:
        """Write what can be written, telling of each change as it is done. Safe to repeat: a change that is there
        already is MOVED. Raises Unavailable, AccessDenied, ConfigurationError when nothing more can be written."""

    def close(self) -> None: ...


class Codes(Protocol):
    """By which item code the ERP knows each combination: the acknowledged one, else the current one, normalised."""

    def stream(self) -> Iterator[tuple[ProductKey, str]]:
        """Every combination of the data shop in key order; an empty code for one without."""

    def of(self, keys: Collection[ProductKey]) -> Mapping[ProductKey, str]:
        """Those of these combinations that are in the data shop."""

    def holders(self, codes: Collection[str]) -> Mapping[str, Sequence[ProductKey]]:
        """The combinations that have each of these codes; a code that nobody has is missing."""


class LeftAlone(NamedTuple):
    """An item that is not compared, and why. ``key`` is None for an item of the ERP that no product is."""

    finding: Finding
    code: str
    key: ProductKey | None
