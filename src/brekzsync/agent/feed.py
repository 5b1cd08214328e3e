"""The shop's HTTP feed (docs/reference/http.md on the shop's side): index, documents, results."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any, Final, Literal, NamedTuple, TypeAlias
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

from brekzsync.agent.configuration import ShopAddress
from brekzsync.agent.untrusted_xml import NotXml, read_xml
from brekzsync.agent.version import VERSION

Kind: TypeAlias = Literal["index", "document", "results"]

PAGE: Final = 500
MAX_BODY: Final = 64 * 1024 * 1024
_MAX_ERROR_BODY: Final = 64 * 1024
_BLOCK: Final = 64 * 1024
# A result the shop will never take, however often it is posted.
_NEVER_TAKEN: Final = (400, 413, 415, 422)


class ShopAway(Exception):
    """The shop does not answer, or answers that it cannot now: the same is tried again later."""


class SwitchedOff(Exception):
    """Somebody switched this flow off on the shop's side; the message tells who and why."""


class BrokenDocument(Exception):
    """The shop cannot make this one document; others may be well."""


class ShopRefused(Exception):
    """The shop does not let us in, or is not what the configuration says; a person must look."""


class NotOffered(Exception):
    """The shop has no such document (any more); the message is the shop's."""


class ResultsRefused(Exception):
    """The shop understood the results and will never take them."""


class Entry(NamedTuple):
    """A pending record as the index tells of it; ``href`` is absolute."""

    id: str
    code: str
    version: str
    href: str


class Document(NamedTuple):
    """A complete eExact document and the version the shop calls it by."""

    content: bytes
    version: str


class Feed:
    """One topic of the shop's feed, such as ``…/exact/products``."""

    def __init__(self, shop: ShopAddress, path: str) -> None:
        self._shop = shop
        self._base = f"{shop.url}/{quote(path)}"
        self._opener = _opener(shop)

    def pages(self) -> Iterator[list[Entry]]:
        """What is pending, page by page. Raises SwitchedOff, ShopAway, ShopRefused."""
        following: str | None = ""
        while following is not None:
            query = {"limit": str(PAGE)} | ({"next": following} if following else {})
            body, _ = self._ask(_reading(f"{self._base}?{urlencode(query)}"), of="index")
            entries, then = self._read_index(body)
            yield entries
            following = then if entries and then != following else None

    def document(self, entry: Entry, claim: str) -> Document:
        """One record's document; asking again is always right, with the same ``claim``: an order is given to
        one reader only.

        Raises NotOffered, BrokenDocument, SwitchedOff, ShopAway, ShopRefused.
        """
        request = _reading(entry.href)
        if claim:
            request.add_header("X-Claim", claim)
        body, headers = self._ask(request, of="document")
        try:
            root = read_xml(body)
        except NotXml as error:
            raise BrokenDocument(f"its document is no XML: {error}") from None
        if root.tag != "eExact":
            raise BrokenDocument(f"its document is no eExact but <{root.tag}>")
        return Document(body, headers.get("X-Version") or entry.version)

    def post(self, results: Sequence[dict[str, str]]) -> list[str]:
        """Tell what became of records; safe to repeat. The ids the shop says it does not know.

        Raises ResultsRefused, ShopAway, ShopRefused.
        """
        body = json.dumps({"results": list(results)}).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        answer, _ = self._ask(Request(f"{self._base}/results", body, headers, method="POST"), of="results")
        return _unknown_ids(answer)

    def _ask(self, request: Request, *, of: Kind) -> tuple[bytes, http.client.HTTPMessage]:
        request.add_header("Authorization", f"Bearer {self._shop.token}")
        request.add_header("User-Agent", f"brekzsync-agent/{VERSION}")
        try:
            with self._opener.open(request, timeout=self._shop.timeout) as response:
                return _body(response, self._shop.timeout), response.headers
        except HTTPError as error:
            with error:
                raise _meant(error, of) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise ShopAway(f"{self._shop.url} does not answer: {reason or type(error).__name__}.") from None

    def _read_index(self, body: bytes) -> tuple[list[Entry], str | None]:
        try:
            root = read_xml(body)
        except NotXml as error:
            raise ShopAway(f"The index of {self._base} did not arrive whole: {error}.") from None
        if root.tag != "Index":
            raise ShopRefused(f"{self._base} is not an index but <{root.tag}>: is [shop] url right?")
        entries = [
            Entry(id_, one.get("code", ""), one.get("version", ""), self._absolute(one.get("href", "")))
            for one in root.iter("Entry")
            if (id_ := one.get("id", ""))
        ]
        return entries, (root.get("next") or None) if root.get("more") == "1" else None

    def _absolute(self, href: str) -> str:
        """An address of the index; it must be the shop's own, since it is sent the token."""
        url = urljoin(self._base, href)
        if urlsplit(url)[:2] != urlsplit(self._base)[:2]:
            raise ShopRefused(f"The index leads to another place than the shop: {url[:200]}.")
        return url


class _NoRedirects(HTTPRedirectHandler):
    """The token must not follow to wherever a page leads."""

    def redirect_request(self, *arguments: Any) -> None:
        return None


def _opener(shop: ShopAddress) -> OpenerDirector:
    context = ssl.create_default_context(cafile=str(shop.ca_file) if shop.ca_file else None)
    return build_opener(_NoRedirects, HTTPSHandler(context=context))


def _body(response: http.client.HTTPResponse, seconds: float) -> bytes:
    """The whole body, within bounds of size and time. Raises ShopAway when it is cut."""
    deadline = time.monotonic() + max(seconds, 1) * 10
    body = bytearray()
    while block := response.read1(_BLOCK):
        body += block
        if len(body) > MAX_BODY:
            raise ShopAway(f"An answer of the shop is larger than {MAX_BODY // 1024 // 1024} MiB.")
        if time.monotonic() > deadline:
            raise ShopAway("An answer of the shop came too slowly.")
    expected = response.headers.get("Content-Length", "")
    if expected.isdigit() and int(expected) != len(body):
        raise ShopAway(f"An answer of the shop broke off after {len(body)} of {expected} bytes.")
    return bytes(body)


def _reading(url: str) -> Request:
    return Request(url, headers={"Accept": "text/xml, application/xml"})


def _meant(error: HTTPError, of: Kind) -> Exception:
    """What an HTTP status means for us; of a document some mean nothing for the others."""
    said = _words_of(error)
    if error.code == 409 and "flow_disabled" in said:
        return SwitchedOff(said)
    if of == "results" and error.code in _NEVER_TAKEN:
        return ResultsRefused(said)
    if of == "document":
        if error.code in (404, 410) or (error.code == 409 and "other_channel" not in said):
            return NotOffered(said)
        if error.code == 500:
            return BrokenDocument(said)
    if error.code in (408, 425, 429) or error.code >= 500:
        return ShopAway(said)
    return ShopRefused(said)


def _words_of(error: HTTPError) -> str:
    try:
        body = error.read(_MAX_ERROR_BODY)
    except (OSError, http.client.HTTPException):
        body = b""
    name = next((one.phrase for one in HTTPStatus if one == error.code), "")
    said = f"{error.code} {name}".strip()
    try:
        root = read_xml(body)
        parts = [root.get("code"), *(one.text for one in root.iter() if one is not root)]
        words = ": ".join(part.strip() for part in parts if part and part.strip())
    except NotXml:
        words = " ".join(body.decode("utf-8", "replace").split()) if body[:1] == b"{" else ""
    return f"{said}, {words[:500]}" if words else said


def _unknown_ids(answer: bytes) -> list[str]:
    """Of the shop's answer per record, those it could not place; an answer of another form says nothing."""
    try:
        records = json.loads(answer)["results"]
        return [str(one["id"]) for one in records if one.get("outcome", one.get("status")) == "unknown"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
