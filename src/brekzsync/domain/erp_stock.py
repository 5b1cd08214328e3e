"""How much of an item the ERP has, and where; codes are trimmed and upper-cased, quantities in pieces."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple


class StockQuantity(NamedTuple):
    """So many of an item in, or still to leave, a warehouse; ``warehouse`` is empty where the ERP names none."""

    code: str
    warehouse: str
    quantity: Decimal


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
