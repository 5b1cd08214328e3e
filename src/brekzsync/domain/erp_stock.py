"""How much of an item the ERP has, and where; codes are trimmed and upper-cased, quantities in pieces."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple


class StockQuantity(NamedTuple):
    """So many of an item in, or still to leave, a warehouse; ``warehouse`` is empty where the ERP names none."""

    code: str
    warehouse: str
    quantity: Decimal


LevelRow = tuple[str, bool | None, bool | None, bool | None, str | None, str, int | Decimal, int | Decimal]
"""An item with what it has in one warehouse, as read by the million: code, whether it is for sale, stocked, exploded
(None where the administration does not say) and its type, as in ``stock.ErpStockItem``; then warehouse, on hand, open
sales, whole quantities as int. An item without any has one row with an empty warehouse and zeros; one that has some
may have several rows of a warehouse, which are to be added up. A row without a type is of an open order that names no
item the ERP has, or stands beside the item's own rows."""


class StockLevel(NamedTuple):
    """What lies in a warehouse and what of it is already sold."""

    code: str
    warehouse: str
    on_hand: Decimal
    open_sales: Decimal

    @property
    def sellable(self) -> Decimal:
        """What can still be sold; negative where more was sold than lies there."""
        return self.on_hand - self.open_sales
