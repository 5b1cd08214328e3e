"""What Exact answers to an import: ``Messages``, in the form of Globe's schema and in that of Exact Online.

Read from strangers: a document type, an entity, deep nesting or a wrong encoding is refused before anything is
made of it. Nothing outside the document is ever looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from xml.parsers import expat

IMPORTED: Final = frozenset({"1", "2"})
"""``Message@type`` of a record that is in: 2 created or updated, 1 with a warning (facts/exact-globe.md 3.2)."""

_DEPTH: Final = 20


class UnreadableMessages(Exception):
    """A document that is not one of messages; ``reason`` is a stable code."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Message(NamedTuple):
    """What was said of one record; ``code`` is ``""`` for what was said of none."""

    topic: str
    code: str
    is_imported: bool
    text: str


def read_messages(content: bytes) -> list[Message]:
    """The messages of an ``eExact`` document, or of ``Messages`` alone. Raises UnreadableMessages."""
    reading = _Reading()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.buffer_text = True
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise UnreadableMessages("bad_xml", f"The body is not XML: {error}.") from error
    except (LookupError, ValueError) as error:
        raise UnreadableMessages("bad_xml", "The body is in an encoding brekzsync does not know.") from error
    if not reading.has_messages:
        raise UnreadableMessages("no_messages", "The document holds no Messages.")
    return reading.messages


def worst_of_each(messages: Iterable[Message]) -> list[Message]:
    """One message a record: an error says that all of it was refused, whatever else is said of it."""
    found: dict[tuple[str, str], Message] = {}
    loose = []
    for one in messages:
        if not one.code:
            loose.append(one)
            continue
        place = (one.topic, one.code)
        before = found.get(place)
        if before is None or (before.is_imported and not one.is_imported):
            found[place] = one
        elif before.is_imported == one.is_imported and one.text not in before.text:
            found[place] = before._replace(text=f"{before.text}; {one.text}")
    return [*found.values(), *loose]


@dataclass(slots=True)
class _Reading:
    messages: list[Message] = field(default_factory=list)
    has_messages: bool = False
    _path: list[str] = field(default_factory=list)
    _type: str = ""
    _topic: str = ""
    _codes: list[str] = field(default_factory=list)
    _key: str | None = None
    _text: list[str] = field(default_factory=list)
    _said: str = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if not self._path and name not in ("eExact", "Messages"):
            raise UnreadableMessages("not_eexact", f"The document is a {name[:40]}, not eExact.")
        self._path.append(name)
        if len(self._path) > _DEPTH:
            raise UnreadableMessages("bad_xml", "The document is nested too deep.")
        if name == "Messages":
            self.has_messages = True
        elif name == "Message":
            self._type, self._topic, self._codes, self._said = attributes.get("type", "").strip(), "", [], ""
        elif name == "Topic" and self._is_within("Message"):
            self._topic = attributes.get("code", "")
        elif name in ("DataKey", "Data") and self._is_within("Topic"):
            self._key = attributes.get("code") or attributes.get("keyAlt") or ""
            self._text = []
        elif name == "Description" and self._is_within("Message"):
            self._text = []

    def text(self, text: str) -> None:
        self._text.append(text)

    def end(self, name: str) -> None:
        name = self._path.pop()
        if name in ("DataKey", "Data") and self._key is not None:
            # One attribute beside the text names the record; Exact Online has only the attribute.
            self._codes.append((self._key or "".join(self._text)).strip())
            self._key = None
        elif name == "Description" and self._path[-1] == "Message":
            self._said = "".join(self._text).strip()
        elif name == "Message":
            for code in [code for code in self._codes if code] or [""]:
                self.messages.append(Message(self._topic, code, self._type in IMPORTED, self._said))

    def _is_within(self, parent: str) -> bool:
        return len(self._path) > 1 and self._path[-2] == parent


def _refuse_doctype(*_: object) -> None:
    raise UnreadableMessages("doctype", "The document declares a document type, which is not accepted.")
