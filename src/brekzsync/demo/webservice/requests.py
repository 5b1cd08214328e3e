"""What the demo's webservice answers to a request: keys, rights, and the shop's records."""

from __future__ import annotations

from collections.abc import Mapping

from brekzsync.agent.untrusted_xml import NotXml, read_xml
from brekzsync.demo.local_service import Asked, Reply
from brekzsync.demo.webservice.answers import (
    PLAIN,
    XML,
    api_document,
    errors_document,
    key_of,
    links_document,
    rows_document,
)
from brekzsync.demo.webservice.records import RESOURCES, Records, Resource, Row, ShopRefuses

_KEY_LENGTH = 32
_NOT_FOUND_RESOURCE = 'Resource of type "{}" does not exists.'
Rights = Mapping[str, str]
"""Methods, parted by blanks, by resource."""


class Answering:
    """A webservice over a shop's records. A key without rights may do everything."""

    def __init__(self, records: Records, keys: Mapping[str, Rights | None], address: str) -> None:
        self.switched_off = False
        self._records = records
        self._keys = keys
        self._address = address

    def answer(self, asked: Asked, authorization: str) -> Reply:
        """What a shop says to it."""
        try:
            return self._answer(asked, authorization)
        except ShopRefuses as refused:
            if refused.errors:
                return _xml(refused.status, errors_document(refused.errors))
            return Reply(refused.status, b"", PLAIN if refused.is_html else XML)

    def _answer(self, asked: Asked, authorization: str) -> Reply:
        id_shop = asked.query.get("id_shop", "1")
        if id_shop != "all" and not self._records.is_shop(id_shop):
            return Reply(302, b"", PLAIN, {"Location": f"{self._address.removesuffix('/api')}/"})
        if self.switched_off:
            off = "The PrestaShop webservice is disabled. Please activate it in the PrestaShop Back Office"
            raise ShopRefuses(503, 22, off)
        key = asked.query.get("ws_key") or key_of(authorization)
        if key not in self._keys:
            return _unknown_key(key)
        rights = self._keys[key]
        if not asked.resource:
            return _xml(200, api_document(self._allowed(rights)))
        resource = RESOURCES.get(asked.resource)
        _check_rights(asked, resource, rights)
        if resource is None:
            raise ShopRefuses(400, 27, _NOT_FOUND_RESOURCE.format(asked.resource))
        if asked.method not in resource.methods:
            what = f"Method {asked.method} is not allowed for the resource {resource.name}"
            raise ShopRefuses(405, 101, what)
        if asked.method == "GET":
            return self._read(asked, resource, id_shop)
        return self._write(asked, resource, id_shop)

    def _allowed(self, rights: Rights | None) -> dict[str, str]:
        return {
            name: " ".join(resource.methods) if rights is None else rights[name]
            for name, resource in RESOURCES.items()
            if rights is None or name in rights
        }

    def _read(self, asked: Asked, resource: Resource, id_shop: str) -> Reply:
        if asked.record:
            row = self._records.one(resource, asked.record, id_shop)
            return _xml(200, rows_document(resource, [row], single=True))
        filters = {
            name.removeprefix("filter[").removesuffix("]"): value
            for name, value in asked.query.items()
            if name.startswith("filter[")
        }
        rows = self._records.listed(resource, filters, id_shop)
        if "limit" in asked.query:
            offset, _, count = asked.query["limit"].rpartition(",")
            rows = rows[int(offset or 0) :][: int(count)]
        display = asked.query.get("display", "")
        if not display:
            return _xml(200, links_document(resource, rows, self._address))
        if display != "full":
            wanted = display.strip("[]").split(",")
            rows = [{name: row[name] for name in row if name in wanted} for row in rows]
        return _xml(200, rows_document(resource, rows, single=False))

    def _write(self, asked: Asked, resource: Resource, id_shop: str) -> Reply:
        given = _given(asked.body, resource)
        if asked.method == "POST":
            return _xml(201, rows_document(resource, [self._records.add_state(given)], single=True))
        row = self._records.changed(resource, given, id_shop, whole=asked.method == "PUT")
        return _xml(200, rows_document(resource, [row], single=True))


def _check_rights(asked: Asked, resource: Resource | None, rights: Rights | None) -> None:
    if rights is None:
        return
    if asked.resource not in rights:
        what = f'Resource of type "{asked.resource}" is not allowed with this authentication key'
        raise ShopRefuses(401, 26, what)
    if asked.method not in rights[asked.resource].split():
        what = f"Method {asked.method} is not allowed for the resource {asked.resource}"
        raise ShopRefuses(405, 25, f"{what} with this authentication key")


def _unknown_key(key: str) -> Reply:
    challenge = {"WWW-Authenticate": 'Basic realm="Welcome to PrestaShop Webservice"'}
    if not key:
        return Reply(401, b"401 Unauthorized", PLAIN, challenge)
    errors = [(18, "Invalid authentication key format")]
    if len(key) == _KEY_LENGTH:
        errors = [
            (20, "Authentification key is not active"),
            (21, "No permission for this authentication key"),
        ]
    return Reply(401, errors_document(errors), XML, challenge)


def _xml(status: int, content: bytes) -> Reply:
    return Reply(status, content, XML)


def _given(body: bytes, resource: Resource) -> Row:
    try:
        root = read_xml(body)
    except NotXml:
        raise ShopRefuses(500, 127, "XML error : it cannot be read") from None
    element = root.find(resource.element)
    return {} if element is None else {field.tag: field.text or "" for field in element}
