"""Reading XML that may be anything: no document types, so no entities, no bombs and nothing from elsewhere."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError, fromstring

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class NotXml(Exception):
    """It is no XML, or more than XML needs to be."""


def read_xml(content: bytes) -> Element:
    """The root element. Raises NotXml, also for whatever has a document type."""
    text = decoded(content).lstrip()
    if "<!DOCTYPE" in text.upper():
        raise NotXml("it has a document type")
    try:
        return fromstring(text)  # without a document type there are no entities
    except (ParseError, ValueError, RecursionError) as error:
        raise NotXml(str(error)) from None


def decoded(content: bytes) -> str:
    """Text as Windows programs write it: by its byte order mark, else UTF-8, else the Western code page."""
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")
