"""What a webhook is about, and when one that failed is tried again."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Final, NamedTuple

_DELAYS: Final = (1, 5, 30, 120, 300, 600)  # minutes, as Standard Webhooks grow theirs
_GUID: Final = re.compile(r"\{?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?", re.IGNORECASE)

# Topics of Exact Online whose webhooks say nothing of what is in stock. All others may (facts/exact-globe.md 7.2).
_NOT_STOCK: Final = frozenset(
    {
        "Accounts",
        "BankAccounts",
        "Contacts",
        "Documents",
        "DocumentAttachments",
        "FinancialTransactions",
        "Quotations",
        "SalesInvoices",
    }
)


class Meaning(NamedTuple):
    """What a record is about: an item, everything there is (``code`` empty), or nothing to do with stock."""

    code: str
    is_about_stock: bool = True


EVERYTHING: Final = Meaning("")
NO_STOCK: Final = Meaning("", is_about_stock=False)


def delay_after(attempts: int) -> timedelta:
    """How long a record waits that was tried ``attempts`` times in vain."""
    return timedelta(minutes=_DELAYS[min(max(attempts, 1), len(_DELAYS)) - 1])


def is_guid(record: str) -> bool:
    """Whether it is a key of Exact Online, not an item code."""
    return _GUID.fullmatch(record) is not None


def is_about_stock(topic: str) -> bool:
    """Whether a webhook of Exact's may mean that stock changed; one of a topic nobody knows may."""
    return topic not in _NOT_STOCK


def exact_division(body: str) -> int | None:
    """The division a webhook of Exact's is about, from a body whose signature was right; None where it says none."""
    try:
        division = json.loads(body)["Content"]["Division"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return int(division) if str(division).isdecimal() else None
