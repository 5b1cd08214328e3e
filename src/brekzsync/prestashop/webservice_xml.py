"""The XML of the shop's webservice: rows as field and text, what it refused, and what a key may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias
from xml.parsers.expat import ExpatError

import xmltodict

from brekzsync.agent.untrusted_xml import NotXml, decoded, read_xml

Row: TypeAlias = Mapping[str, str]
"""A record by the names the webservice gives its fields, without what it only computes."""

SINGULAR = {
    "stock_availables": "stock_available",
    "orders": "order",
    "order_histories": "order_history",
    "order_carriers": "order_carrier",
}
METHODS = ("get", "put", "post", "patch", "delete", "head")


_LISTED = ("error", *SINGULAR.values())

Node: TypeAlias = Mapping[str, Any]


class ShopError(NamedTuple):
    """An error as the shop tells it."""

    code: int
    message: str


def request_xml(resource: str, row: Row) -> bytes:
    """A record as a request's body."""
    return xmltodict.unparse({"prestashop": {SINGULAR[resource]: dict(row)}}).encode()


def parse(content: bytes) -> Node:
    """What an answer holds within its root. Raises NotXml, also for XML of somebody else."""
    read_xml(content)  # no document types, whatever the parser underneath makes of them
    try:
        document = xmltodict.parse(
            decoded(content), force_list=_LISTED, force_cdata=True, strip_whitespace=False
        )
    except ExpatError as error:
        raise NotXml(str(error)) from None
    if "prestashop" not in document:
        raise NotXml(f"its root is {next(iter(document))[:40]}")
    return _node(document["prestashop"])


def errors_in(content: bytes) -> list[ShopError] | None:
    """What the shop refused and why; None when the answer is not from the webservice."""
    try:
        root = parse(content)
    except NotXml:
        return None
    return [
        ShopError(int(code) if code.isdecimal() else 0, " ".join(_text(error.get("message")).split()))
        for error in map(_node, _node(root.get("errors")).get("error", ()))
        for code in [_text(error.get("code")).strip()]
    ]


def one_row(root: Node, resource: str) -> Row:
    """The record of an answer. Raises NotXml when there is none."""
    records = root.get(SINGULAR[resource])
    if not records:
        raise NotXml(f"it holds no {SINGULAR[resource]}")
    return _row(_node(records[0]))


def all_rows(root: Node, resource: str) -> Sequence[Row]:
    """The records of a list. Raises NotXml when it is none."""
    if resource not in root:
        raise NotXml(f"it holds no {resource}")
    return [_row(_node(record)) for record in _node(root[resource]).get(SINGULAR[resource], ())]


def methods_by_resource(root: Node) -> dict[str, frozenset[str]]:
    """What the key may do: methods in capitals by resource."""
    if "api" not in root:
        raise NotXml("it holds no api")
    return {
        resource: frozenset(name.upper() for name in METHODS if _node(may).get(f"@{name}") == "true")
        for resource, may in _node(root["api"]).items()
        if not resource.startswith(("@", "#"))
    }


def _row(record: Node) -> Row:
    """Fields that hold a text; those marked as computed are refused when they are sent back (code 93)."""
    return {
        name: _text(field)
        for name, field in record.items()
        if not name.startswith(("@", "#"))
        and not _has_children(field)
        and _node(field).get("@notFilterable") != "true"
    }


def _has_children(field: Any) -> bool:
    return any(not name.startswith(("@", "#")) for name in _node(field))


def _text(field: Any) -> str:
    return str(_node(field).get("#text") or "")


def _node(value: Any) -> Node:
    """An element's attributes (``@name``), children and text (``#text``); of an empty one nothing."""
    return value if isinstance(value, dict) else {}
