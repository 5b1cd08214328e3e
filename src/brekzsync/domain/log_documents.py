"""What the logs tell of the documents that stock, shipments and order statuses leave in the state.

All are JSON: of stock ``{"code", "shops": [{"name", "from", "to"}]}``, of a shipment ``{"your_ref", "state", "extent",
"tracking"}``, of an order's status what ``AcceptedStatus`` says, and whatever else a release adds. What cannot be read
is told as nothing, never as an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def stock_summary(document: str) -> str:
    """``2-202: NL 3 → 5, BE 1 → 0``; ``""`` for what cannot be read."""
    fields = json_fields(document)
    figures = [f"{name} {figure}" for name, figure in shop_figures(fields)]
    return _said(fields.get("code"), figures)


def shop_figures(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each shop's name and what its figure became: ``("NL", "3 → 5")``, without an arrow where it stayed."""
    shops = fields.get("shops")
    return [_figure(shop) for shop in shops if isinstance(shop, dict)] if isinstance(shops, list) else []


def _figure(shop: Mapping[str, Any]) -> tuple[str, str]:
    before, after = shop.get("from"), shop.get("to")
    figure = f"{after}" if before in (None, after) else f"{before} → {after}"
    return str(shop.get("name", "")), figure


def shipment_summary(document: str) -> str:
    """``KHWLILZLL-5: whole, state 4, 3SBREK001``; ``""`` for what cannot be read."""
    fields = json_fields(document)
    state, tracking = fields.get("state"), fields.get("tracking")
    numbers = tracking if isinstance(tracking, list) else [tracking]
    said = [str(fields["extent"])] if "extent" in fields else []
    said += [f"state {state}"] if state else []
    return _said(fields.get("your_ref"), said + [str(number) for number in numbers if number])


def status_summary(document: str) -> str:
    """``KHWLILZLL-5: Amazon 408-1, ship, 3SBREK001``: what was accepted of whose order; ``""`` for what cannot be
    read."""
    fields = json_fields(document)
    operations = fields.get("operations")
    named = " ".join(str(fields[name]) for name in ("marketplace", "reference") if name in fields)
    said = [named, *map(str, operations if isinstance(operations, list) else ()), fields.get("tracking")]
    return _said(fields.get("order"), [str(one) for one in said if one])


def _said(name: object, details: list[str]) -> str:
    return ": ".join(filter(None, (str(name or ""), ", ".join(details))))


def json_fields(document: str | None) -> dict[str, Any]:
    """Every field that says something; none of what is no JSON object."""
    try:
        fields = json.loads(document or "")
    except ValueError:
        return {}
    if not isinstance(fields, dict):
        return {}
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}
