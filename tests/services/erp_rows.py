"""Rows of an Exact Globe administration, as tests fill it: what they do not name is ordinary."""

from __future__ import annotations

from datetime import datetime
from typing import Any

ACCOUNT = "     3000"


def at(day: int, hour: int = 0) -> datetime:
    """A moment of this November, as the ERP writes it."""
    return datetime(2026, 11, day, hour)  # noqa: DTZ001


def item(code: str, **fields: Any) -> dict[str, Any]:
    return {
        "ItemCode": code,
        "Type": "S",
        "Condition": "A",
        "IsSalesItem": True,
        "GLAccountDistribution": ACCOUNT,
        **fields,
    }


def entry(code: str, pieces: float, **fields: Any) -> dict[str, Any]:
    return {
        "artcode": code,
        "aantal": pieces,
        "warehouse": "1",
        "datum": at(1),
        "reknr": ACCOUNT,
        "transtype": "N",
        **fields,
    }


def order(number: str, reference: str, **fields: Any) -> dict[str, Any]:
    return {
        "ordernr": number.rjust(8),
        "ord_soort": "V",
        "docnumber": reference,
        "afgehandld": False,
        "fiattering": "J",
        **fields,
    }


def line(
    number: str, code: str | None, ordered: float, delivered: float = 0, **fields: Any
) -> dict[str, Any]:
    return {
        "ordernr": number.rjust(8),
        "ar_soort": "V",
        "artcode": code,
        "magcode": "1",
        "esr_aantal": ordered,
        "aant_gelev": delivered,
        "aant_fakt": 0,
        **fields,
    }


def note(order: str, number: str, reference: str, **fields: Any) -> dict[str, Any]:
    """A delivery note of a sales order."""
    return {
        "ordernr": order.rjust(8),
        "ord_soort": "V",
        "docnumber": reference,
        "pakbon_nr": number.rjust(8),
        "pakbon_dat": at(3),
        **fields,
    }


def delivered(order: str, number: str, code: str, pieces: float, **fields: Any) -> dict[str, Any]:
    """A line of a delivery note."""
    return {
        "ordernr": order.rjust(8),
        "pakbon_nr": number.rjust(8),
        "artcode": code,
        "aant_gelev": pieces,
        "magcode": "1",
        **fields,
    }
