"""An item as the ERP holds it."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple


class ErpItem(NamedTuple):
    """A row of ``Items`` (facts/exact-globe.md section 4.2); None where this administration has no such column.

    ``code`` is trimmed, in the case the ERP keeps it in. ``price`` is the sales price, rounded to 4 decimals.
    ``condition`` is A active, B blocked, D discontinued, E inactive or F future.
    """

    code: str
    description: str | None
    price: Decimal | None
    vat_code: str | None
    gtin: str | None
    condition: str | None
    is_sales_item: bool | None

    @property
    def is_blocked(self) -> bool | None:
        """Whether Exact refuses to sell it; None when that is not known."""
        return None if self.condition is None else self.condition == "B"
