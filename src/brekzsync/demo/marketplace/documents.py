"""The documents of the demo's marketplace: JSON, HAL, and problems as the API words them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from brekzsync.demo.local_service import Asked, Reply
from brekzsync.demo.marketplace.rules import FAILED, KINDS, SUCCEED, Behaviour, DemoOrder, Taken
from brekzsync.demo.marketplace.tables import DemoTicket
from brekzsync.domain.order_status import Operation

JSON: Final = "application/json"
HAL: Final = "application/hal+json"
PROBLEM: Final = "application/problem+json"
_RFC: Final = "http://www.w3.org/Protocols/rfc2616/rfc2616-sec10.html"
_TITLES: Final = {
    400: "Bad Request",
    401: "Not Authorized",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
    500: "Internal Server Error",
}


def document(status: int, content: Mapping[str, Any], content_type: str = HAL) -> Reply:
    """An answer in JSON."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Reply(status, text.encode(), content_type)


def problem(status: int, detail: str | None = None, **more: object) -> Reply:
    """A refusal, as the API words it."""
    told = {"detail": detail} if detail else {}
    content = {"type": _RFC, "title": _TITLES.get(status, "Error"), **told, "status": status, **more}
    return document(status, content, PROBLEM)


def session_document(stores: Collection[int]) -> dict[str, Any]:
    return {
        "login": "demo",
        "email": "demo@example.com",
        "token": "",
        "language": "en_US",
        "roles": ["user"],
        "_links": {"self": {"href": "/v1/me"}},
        "_embedded": {"account": [{"id": 1}], "store": [_store(store) for store in stores]},
    }


def _store(store: int) -> dict[str, Any]:
    links = {
        "self": f"/v1/store/{store}",
        "ticket": f"/v1/store/{store}/ticket",
        "inventory": f"/v1/catalog/{store}/inventory",
        "pricing": f"/v1/catalog/{store}/pricing",
        "channel": f"/v1/store/{store}/channel",
    }
    order = {"href": f"/v1/store/{store}/order{{/operation}}", "templated": True}
    return {
        "id": store,
        "name": f"demo-{store}",
        "country": "NL",
        "status": "active",
        "deletedAt": None,
        "organization": "demo",
        "_links": {**{name: {"href": href} for name, href in links.items()}, "order": order},
    }


def collection_document(
    asked: Asked, name: str, shown: Sequence[Mapping[str, Any]], total: int, page: int, limit: int
) -> dict[str, Any]:
    def href(number: int) -> dict[str, str]:
        return {"href": f"{asked.path}?{urlencode({**asked.query, 'page': number, 'limit': limit})}"}

    pages = max(1, -(-total // limit))
    links = {"self": href(page)} | ({"next": href(page + 1)} if page < pages else {})
    return {
        "total": total,
        "limit": limit,
        "pages": pages,
        "page": page,
        "count": len(shown),
        "meta": {},
        "_links": links,
        "_embedded": {name: shown},
    }


def ticket_document(ticket: DemoTicket, store: int, behaviour: Behaviour) -> dict[str, Any]:
    payload = {"id": ticket.order} if behaviour.names_ids else {}
    result = {"result": {"message": ticket.message, "data": None}} if ticket.finished_at is not None else {}
    return {
        "id": ticket.number,
        "batchId": ticket.batch,
        "type": KINDS[ticket.operation],
        "state": ticket.state,
        "scheduledAt": moment(ticket.scheduled_at),
        "startedAt": moment(ticket.started_at),
        "finishedAt": moment(ticket.finished_at),
        "payload": {**payload, "reference": ticket.reference, "channel": ticket.channel},
        **result,
        "_links": {"self": {"href": f"/v1/store/{store}/ticket/{ticket.number}"}},
    }


def order_document(order: DemoOrder, taken: Sequence[Taken]) -> dict[str, Any]:
    shipped = _shipped(taken)
    empty = {"carrier": "", "trackingNumber": "", "trackingLink": "", "returnInfo": None}
    return {
        "id": order.id,
        "reference": order.reference,
        "storeReference": None,
        "status": order.status,
        "isTest": False,
        "acknowledgedAt": None,
        "createdAt": moment(order.placed_at),
        "latestShipDate": None,
        "shipment": _shipment(shipped) if shipped else empty,
        "errors": [
            {
                "type": "ship" if one.operation is Operation.SHIP else "operation",
                "message": one.message,
                "occurredAt": moment(one.at),
            }
            for one in taken
            if one.state == FAILED
        ],
        "items": [],
        "itemsReferencesAliases": [],
        "fulfilledBy": order.fulfilled_by,
        "_links": {"self": {"href": f"/v1/store/{order.store_id}/order/{order.id}"}},
        "_embedded": {"channel": {"id": 1, "name": order.channel}},
    }


def shipments_document(order: DemoOrder, taken: Sequence[Taken]) -> dict[str, Any]:
    shipped = _shipped(taken)
    listed = []
    if shipped:
        listed = [
            {
                **_shipment(shipped),
                "items": shipped.payload.get("items", []),
                "createdAt": moment(shipped.at),
            }
        ]
    return {
        "count": len(listed),
        "_links": {"self": {"href": f"/v1/store/{order.store_id}/order/{order.id}/shipment"}},
        "_embedded": {"shipment": listed},
    }


def _shipped(taken: Sequence[Taken]) -> Taken | None:
    """The shipment that counts: the first that succeeded."""
    ships = (one for one in taken if one.operation is Operation.SHIP and one.state == SUCCEED)
    return next(ships, None)


def _shipment(shipped: Taken) -> dict[str, Any]:
    told = {name: shipped.payload.get(name, "") for name in ("carrier", "trackingNumber", "trackingLink")}
    return {**told, "returnInfo": shipped.payload.get("returnInfo")}


def moment(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")
