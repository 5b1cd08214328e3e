"""A price list line as the ERP holds it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple


class PriceTier(NamedTuple):
    """From ``quantity`` pieces on; what ``value`` means is the line's ``kind``."""

    quantity: Decimal
    value: Decimal


class PriceLine(NamedTuple):
    """One item's price on a sales price list (facts/exact-globe.md section 1.5).

    ``code`` is trimmed and upper-cased. ``kind`` says what the tiers hold: P a percentage, B an amount, N a
    new price, M a margin. ``starts`` and ``ends`` are its first and last day, None for no limit.
    """

    price_list: str
    code: str
    price: Decimal
    kind: str
    tiers: tuple[PriceTier, ...]
    unit: str
    factor: Decimal
    starts: date | None
    ends: date | None
    currency: str
