"""The ERP's values as the rest of brekzsync wants them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

PRICE_DECIMALS = Decimal("0.0001")
QUANTITY_DECIMALS = Decimal("0.001")
_WIDE = Context(prec=330, rounding=ROUND_HALF_UP)  # any float, written out, has fewer digits


def text(value: Any) -> str:
    """Without the blanks of a ``char`` column, on either side; NULL is empty.

    SQLite keeps what it was given, whatever the column says: a code or GTIN of digits may come as a number.
    """
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    return "" if value is None else str(value).strip()


def rounded(value: Any, decimals: Decimal) -> Decimal:
    """A float as a person reads it, not as the machine keeps it: 0.1 + 0.2 is 0.3. NULL is zero."""
    return _WIDE.plus(Decimal(str(value or 0)).quantize(decimals, context=_WIDE))  # plus: never "-0"


def price(value: Any) -> Decimal | None:
    """To 4 decimals; None for NULL, which is no price at all, and for what SQLite holds that is no number."""
    try:
        return None if text(value) == "" else rounded(value, PRICE_DECIMALS)
    except InvalidOperation:
        return None


def quantity(value: Any) -> Decimal:
    """To 3 decimals."""
    return rounded(value, QUANTITY_DECIMALS)


def flag(value: Any) -> bool | None:
    """A ``bit``, which SQLite may keep as text; None for NULL."""
    return None if value is None else bool(value) and value != "0"


def day(value: Any) -> date | None:
    """The day of a ``datetime``, which SQLite keeps as text."""
    if isinstance(value, datetime):
        return value.date()
    return date.fromisoformat(str(value)[:10]) if value else None
