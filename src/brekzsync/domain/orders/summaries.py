"""What the logs tell of a sales order that the state keeps."""

from __future__ import annotations

import json
from typing import Any

from brekzsync.domain.orders.stored import StoredOrder
from brekzsync.domain.orders.totals import globe_totals

_NOT_TOLD = ("id_customer", "account")


def order_of(document: str | None) -> StoredOrder | None:
    """The order behind a stored document; None for one this release cannot read."""
    try:
        return None if document is None else StoredOrder.from_stored(document)
    except (ValueError, TypeError, AttributeError, ArithmeticError):
        return None


def summary(document: str) -> str:
    """``KHWLILZLL-5: Anna de Vries, EUR 61.80``; ``""`` for what cannot be read."""
    stored = order_of(document)
    if stored is None:
        return ""
    order = stored.order
    total = f"{order.currency} {globe_totals(order.lines).incl:.2f}".strip() if order.lines else ""
    said = ", ".join(filter(None, (order.deliver_to.name, total)))
    return ": ".join(filter(None, (order.your_ref, said)))


def order_fields(document: str | None) -> dict[str, Any] | None:
    """Every field of a stored order that is not blank, as JSON holds it, and its total; None as ``order_of``."""
    stored = order_of(document)
    if stored is None or document is None:
        return None
    fields = {name: value for name, value in json.loads(document).items() if name not in _NOT_TOLD}
    told = {name: _filled(value) for name, value in fields.items()}
    told["debtor_is_new"] = stored.order.account is not None
    if stored.order.lines:
        told["total_incl"] = f"{globe_totals(stored.order.lines).incl:.2f}"
    return {name: value for name, value in told.items() if value not in ("", {}, [])}


def _filled(value: Any) -> Any:
    return {name: one for name, one in value.items() if one != ""} if isinstance(value, dict) else value
