"""What the demo's marketplace answers to a request: tokens, stores, and the documents of its API."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from brekzsync.demo.local_service import Asked, Reply
from brekzsync.demo.marketplace.documents import (
    JSON,
    collection_document,
    document,
    moment,
    order_document,
    problem,
    session_document,
    shipments_document,
    ticket_document,
)
from brekzsync.demo.marketplace.records import MarketplaceRecords
from brekzsync.demo.marketplace.requests import (
    LARGEST_ID,
    Refusal,
    read_elements,
    read_moment,
    read_paging,
)
from brekzsync.demo.marketplace.rules import (
    KINDS,
    Behaviour,
    DemoOrder,
    Payload,
    words_for,
)
from brekzsync.domain.order_status import Operation

_NOT_THERE: Final = "Resource does not exist"
_IDENTITY: Final = ("id", "channelName", "reference")


class Answering:
    """An API over what a marketplace remembers. ``tokens``: the stores of each."""

    def __init__(
        self,
        records: MarketplaceRecords,
        tokens: Mapping[str, Collection[int]],
        login: tuple[str, str] | None,
        now: Callable[[], int],
    ) -> None:
        self._records = records
        self._tokens = tokens
        self._login = login
        self._now = now

    def answer(self, asked: Asked, authorization: str, behaviour: Behaviour) -> Reply:
        """What the API says to it."""
        try:
            return self._answer(asked, authorization, behaviour)
        except Refusal as refusal:
            return problem(refusal.status, refusal.detail, **refusal.more)

    def _answer(self, asked: Asked, authorization: str, behaviour: Behaviour) -> Reply:
        parts = asked.path.strip("/").split("/")
        match asked.method, parts:
            case "GET", ["v1", "ping"]:
                return document(200, {"timestamp": moment(self._now())}, JSON)
            case "POST", ["v1", "auth"]:
                return self._logged_in(asked.body)
        scheme, _, token = authorization.partition(" ")
        if scheme.casefold() != "bearer" or token.strip() not in self._tokens:
            raise Refusal(403, "Service not authorized")
        stores = self._tokens[token.strip()]
        match parts:
            case ["v1", "me"] if asked.method == "GET":
                return document(200, session_document(stores))
            case ["v1", "store", store, *rest] if store.isdecimal() and int(store) in stores:
                return self._of_store(asked, int(store), rest, behaviour)
        raise Refusal(404, _NOT_THERE)

    def _of_store(self, asked: Asked, store: int, rest: list[str], behaviour: Behaviour) -> Reply:
        match asked.method, rest:
            case "POST", ["order", word] if word in list(Operation):
                return self._take(store, Operation(word), asked.body, behaviour)
            case "GET", ["order"]:
                return self._orders(asked, store, behaviour)
            case "GET", ["order", number]:
                return document(200, self._shown(self._order(store, number)))
            case "GET", ["order", number, "shipment"]:
                order = self._order(store, number)
                return document(200, shipments_document(order, self._records.taken(order.id)))
            case "GET", ["ticket"]:
                return self._tickets(asked, store, behaviour)
            case "GET", ["ticket", number]:
                return self._ticket(store, number, behaviour)
        raise Refusal(404, _NOT_THERE)

    def _logged_in(self, body: bytes) -> Reply:
        try:
            given = json.loads(body)
        except ValueError:
            given = {}
        if not isinstance(given, dict) or given.get("grant_type") != "password":
            raise Refusal(400, "Invalid grant type")
        if self._login is None or (given.get("username"), given.get("password")) != self._login:
            raise Refusal(401, "Invalid username or password")
        return document(200, {"access_token": next(iter(self._tokens)), "token_type": "Bearer"}, JSON)

    # --- operations ---------------------------------------------------------------------------------------

    def _take(self, store: int, operation: Operation, body: bytes, behaviour: Behaviour) -> Reply:
        elements = read_elements(operation, body, behaviour.largest_request)
        orders = self._found(store, elements)
        refused = [words_for(order, behaviour.refusing) if order else None for order in orders]
        if any(refused):
            messages = [{"order": {"refused": words}} if words else {} for words in refused]
            raise Refusal(400, "Validation failed", validationMessages=messages)
        taken: list[tuple[DemoOrder, Payload]] = []
        report = []
        for element, order in zip(elements, orders, strict=True):
            words = words_for(order, behaviour.ignoring) if order else "Order not found"
            if order is None or words:
                identity = {name: element.get(name) for name in _IDENTITY}
                report.append({**identity, "state": "ignored", "message": words})
            else:
                taken.append((order, element))
        answer: dict[str, Any] = {"id": ""}
        if taken:
            batch = self._records.take(store, operation, taken, behaviour, self._now())
            href = f"/v1/store/{store}/ticket?batchId={batch}"
            answer = {"id": batch, "_links": {"ticket": {"href": href}}}
        return document(202, answer | ({"report": report} if report else {}), JSON)

    def _found(self, store: int, elements: Sequence[Payload]) -> list[DemoOrder | None]:
        known = self._records.by_ids(store, {element["id"] for element in elements if "id" in element})
        return [
            known.get(element["id"])
            if "id" in element
            else self._records.by_reference(store, element["reference"], element["channelName"])
            for element in elements
        ]

    # --- orders -------------------------------------------------------------------------------------------

    def _order(self, store: int, number: str) -> DemoOrder:
        found = self._records.by_ids(store, [int(number)]) if _is_number(number) else {}
        if not found:
            raise Refusal(404, _NOT_THERE)
        return found[int(number)]

    def _orders(self, asked: Asked, store: int, behaviour: Behaviour) -> Reply:
        columns = {"reference": "reference", "status": "status", "fulfilledBy": "fulfilled_by"}
        wanted = {
            column: asked.query[name].split(",") for name, column in columns.items() if name in asked.query
        }
        since, until = (read_moment(asked.query, name) for name in ("since", "until"))
        page, limit = read_paging(asked.query, behaviour.largest_page)
        total, orders = self._records.listed(store, wanted, since, until, page, limit)
        shown = [self._shown(order) for order in orders]
        return document(200, collection_document(asked, "order", shown, total, page, limit))

    def _shown(self, order: DemoOrder) -> dict[str, Any]:
        taken = self._records.taken(order.id)
        return order_document(order, taken)

    # --- tickets ------------------------------------------------------------------------------------------

    def _tickets(self, asked: Asked, store: int, behaviour: Behaviour) -> Reply:
        kinds = asked.query["type"].split(",") if "type" in asked.query else []
        states = asked.query["state"].split(",") if "state" in asked.query else []
        number = asked.query.get("payloadId")
        if number is not None and not any(kind.startswith("order") for kind in kinds):
            told = {"payloadId": {"notAllowed": "It needs a type of order"}}
            raise Refusal(400, "Validation failed", validationMessages=told)
        page, limit = read_paging(asked.query, behaviour.largest_page)
        order = None if number is None else int(number) if _is_number(number) else 0
        found = [
            ticket
            for ticket in self._records.tickets(
                store, behaviour, self._now(), batch=asked.query.get("batchId"), order=order
            )
            if (not states or ticket.state in states)
            and (not kinds or any(_is_kind(KINDS[ticket.operation], kind) for kind in kinds))
        ]
        shown = found[(page - 1) * limit : page * limit]
        self._records.seen(shown)
        documents = [ticket_document(ticket, store, behaviour) for ticket in shown]
        collection = collection_document(asked, "ticket", documents, len(found), page, limit)
        collection["meta"] = {"processing": any(ticket.finished_at is None for ticket in found)}
        return document(200, collection)

    def _ticket(self, store: int, number: str, behaviour: Behaviour) -> Reply:
        found = self._records.tickets(store, behaviour, self._now(), ticket=number)
        if not found:
            raise Refusal(404, _NOT_THERE, id=number)
        self._records.seen(found)
        return document(200, ticket_document(found[0], store, behaviour))


def _is_kind(kind: str, wanted: str) -> bool:
    return kind == wanted or kind.startswith(f"{wanted}.")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text) <= LARGEST_ID
