"""What the demo's marketplace demands of a request before it looks at the orders in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from brekzsync.demo.marketplace.rules import Payload
from brekzsync.domain.order_status import Operation

_INVALID: Final = "Validation failed"
_EMPTY: Final = {"isEmpty": "Value is required and can't be empty"}
_NO_TEXT: Final = {"notString": "A text is expected"}
_LONGEST_TEXT: Final = 255
# As an address is sent: nothing in it that has to be encoded.
_LINK: Final = re.compile(r"https?://[^\s<>\"{}|\\^`/?#]+[^\s<>\"{}|\\^`]*")
LARGEST_ID: Final = 2**63 - 1
Messages = dict[str, dict[str, str]]


class Refusal(Exception):
    """An answer of 4xx; ``more`` are further members of its document."""

    def __init__(self, status: int, detail: str | None, **more: object) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.more = more


def read_elements(operation: Operation, body: bytes, most: int) -> Sequence[Payload]:
    """The orders of a request; refused as a whole (400) when one of them is not as it should be."""
    try:
        given = json.loads(body)
    except ValueError:
        raise Refusal(400, "JSON decoding error") from None
    elements = given.get("order") if isinstance(given, dict) else None
    if not isinstance(elements, list):
        raise Refusal(400, _INVALID, validationMessages={"order": _EMPTY})
    if not elements:
        told = {"minCount": "The minimum of 1 item(s) was not reached"}
        raise Refusal(400, _INVALID, validationMessages=told)
    if len(elements) > most:
        told = {"maxCount": f"The maximum of {most} item(s) was exceeded"}
        raise Refusal(400, _INVALID, validationMessages=told)
    messages = [_messages(operation, element) for element in elements]
    if any(messages):
        raise Refusal(400, _INVALID, validationMessages=messages)
    return elements


def read_paging(query: Mapping[str, str], largest: int) -> tuple[int, int]:
    """Page (from 1) and how many there are on each."""
    try:
        page, limit = int(query.get("page", 1)), int(query.get("limit", largest))
    except ValueError:
        page = limit = 0
    if page < 1 or limit < 1:
        raise Refusal(400, _INVALID, validationMessages={"page": {"notDigits": "A number is expected"}})
    return page, min(limit, largest)


def read_moment(query: Mapping[str, str], name: str) -> int | None:
    """A moment in milliseconds, UTC; None where it is not asked for."""
    if name not in query:
        return None
    try:
        moment = datetime.fromisoformat(query[name])
    except ValueError:
        told = {name: {"dateInvalid": "An ISO 8601 date is expected"}}
        raise Refusal(400, _INVALID, validationMessages=told) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _messages(operation: Operation, element: Any) -> Messages:
    if not isinstance(element, dict):
        return {"order": _EMPTY}
    found = _identity(element)
    match operation:
        case Operation.SHIP:
            found |= _shipment(element)
        case Operation.CANCEL if not isinstance(element.get("reason", ""), str):
            found["reason"] = _NO_TEXT
        case Operation.REFUND:
            found |= _refund(element.get("refund"))
    return found


def _identity(element: Payload) -> Messages:
    """By id, or as old orders are named, by reference and channel."""
    if "id" in element:
        number = element["id"]
        is_id = type(number) is int and abs(number) <= LARGEST_ID
        return {} if is_id else {"id": {"notInt": "The input does not appear to be an integer"}}
    return {
        name: _EMPTY
        for name in ("reference", "channelName")
        if not isinstance(element.get(name), str) or not element[name]
    }


def _shipment(element: Payload) -> Messages:
    found: Messages = {}
    for name in ("carrier", "trackingNumber", "trackingLink"):
        value = element.get(name, "")
        if not isinstance(value, str):
            found[name] = _NO_TEXT
        elif len(value) > _LONGEST_TEXT:
            found[name] = {"stringLengthTooLong": f"The input is more than {_LONGEST_TEXT} characters long"}
    link = element.get("trackingLink") or ""
    if "trackingLink" not in found and link and not _LINK.fullmatch(link):
        found["trackingLink"] = {"notUri": "The input does not appear to be a valid Uri"}
    if not isinstance(element.get("items", []), list):
        found["items"] = {"notArray": "A list is expected"}
    return found


def _refund(refund: object) -> Messages:
    if not isinstance(refund, dict):
        return {"refund": _EMPTY}
    products = refund.get("products", [])
    is_right = isinstance(refund.get("shipping", True), bool) and isinstance(products, list)
    is_right = is_right and all(
        isinstance(one, dict)
        and isinstance(one.get("reference"), str)
        and isinstance(one.get("quantity"), int)
        for one in products
    )
    return {} if is_right else {"refund": {"invalid": "Shipping and products are expected"}}
