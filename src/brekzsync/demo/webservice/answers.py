"""The documents of the demo's webservice, and the key of a request."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence

from brekzsync.demo.webservice.records import Resource, Row

XML = "text/xml;charset=utf-8"
PLAIN = "text/html; charset=utf-8"
_METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE", "HEAD")


def rows_document(resource: Resource, rows: Sequence[Row], *, single: bool) -> bytes:
    """Records with their fields, of a list or the one that was asked for."""
    records = "".join(f"<{resource.element}>\n{_fields(row)}</{resource.element}>\n" for row in rows)
    return _document(records if single else f"<{resource.name}>\n{records}</{resource.name}>\n")


def links_document(resource: Resource, rows: Sequence[Row], address: str) -> bytes:
    """A list of ids alone."""
    records = "".join(
        f'<{resource.element} id="{row["id"]}" xlink:href="{address}/{resource.name}/{row["id"]}"/>\n'
        for row in rows
    )
    return _document(f"<{resource.name}>\n{records}</{resource.name}>\n")


def api_document(allowed: Mapping[str, str]) -> bytes:
    """What a key may do: methods, parted by blanks, by resource."""
    resources = "".join(f"<{name}{_flags(methods.split())}/>\n" for name, methods in allowed.items())
    return _document(f"<api>\n{resources}</api>\n")


def errors_document(errors: Sequence[tuple[int, str]]) -> bytes:
    """What was refused, and why."""
    listed = "".join(
        f"<error>\n<code>{_data(str(code))}</code>\n<message>{_data(message)}</message>\n</error>\n"
        for code, message in errors
    )
    return _document(f"<errors>\n{listed}</errors>\n")


def key_of(authorization: str) -> str:
    """The key of an ``Authorization`` header; empty when there is none."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return b64decode(encoded, validate=True).decode().partition(":")[0]
    except ValueError:
        return ""


def _document(content: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<prestashop xmlns:xlink="http://www.w3.org/1999/xlink">\n{content}</prestashop>\n'
    ).encode()


def _fields(row: Row) -> str:
    return "".join(f"\t<{name}>{_data(value)}</{name}>\n" for name, value in row.items())


def _data(text: str) -> str:
    return f"<![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]>"


def _flags(methods: Sequence[str]) -> str:
    flags = {method.lower(): "true" if method in methods else "false" for method in _METHODS}
    return "".join(f' {name}="{flag}"' for name, flag in flags.items())
