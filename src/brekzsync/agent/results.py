"""What became of each record, read from what AsImport wrote.

What AsImport's log looks like is not documented (facts/exact-globe.md 3.1), so reading it is a list of
*recognisers*: functions from a log's bytes to messages, None for a log that is not theirs. What none of them
recognises is ``handed_over``: Exact was given it, and nobody can say more here.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from brekzsync.agent.untrusted_xml import NotXml, decoded, read_xml

Status: TypeAlias = Literal["imported", "rejected", "handed_over"]

MAX_MESSAGE: Final = 1000
_LAST_LINES: Final = 10
_IMPORTED_TYPES: Final = ("1", "2")  # updated with a warning, created or updated


class LogMessage(NamedTuple):
    """What a log says of one record, called by the code that Exact knows it by."""

    code: str
    is_imported: bool
    text: str


Recogniser: TypeAlias = Callable[[bytes], Sequence[LogMessage] | None]


class Verdict(NamedTuple):
    status: Status
    message: str


class BadRecogniser(Exception):
    """[import] recognisers names something that is not there or does not work."""


def messages(log: bytes) -> list[LogMessage] | None:
    """The ``Messages`` of an eExact document, in the schema's form and in that of Exact Online."""
    try:
        root = read_xml(log)
    except NotXml:
        return None
    if root.tag != "eExact" or root.find("Messages") is None:
        return None
    found = []
    for message in root.iterfind("Messages/Message"):
        is_imported = message.get("type", "").strip() in _IMPORTED_TYPES
        text = " ".join((message.findtext("Description") or "").split())
        codes = [one.get("code") or one.text or "" for one in message.iterfind("Topic/DataKey")]
        codes += [one.get("keyAlt") or one.get("key") or "" for one in message.iterfind("Topic/Data")]
        found += [LogMessage(code, is_imported, text) for code in codes if code]
    return found


RECOGNISERS: Final[dict[str, Recogniser]] = {"messages": messages}


def recognisers_of(names: Iterable[str], folder: Path) -> list[Recogniser]:
    """The named recognisers; ``my_log.py`` is a file beside the configuration with a function ``recognise``.

    Raises BadRecogniser.
    """
    return [RECOGNISERS.get(name) or _from_file(folder / name) for name in names]


def _from_file(path: Path) -> Recogniser:
    known = ", ".join(RECOGNISERS)
    if path.suffix != ".py" or not path.is_file():
        raise BadRecogniser(f"[import] recognisers: {path} is no Python file; built in are: {known}.")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        recognise: Recogniser = module.recognise
    except Exception as error:
        raise BadRecogniser(f"[import] recognisers: {path} does not work: {error!r}.") from None
    return recognise


def recognised(log: bytes, recognisers: Iterable[Recogniser]) -> Sequence[LogMessage] | None:
    """What the first recogniser that knows this kind of log reads in it. Never raises: they may be anybody's."""
    for recognise in recognisers:
        try:
            read = recognise(log)
            if read is not None:
                return [LogMessage(str(code), bool(good), str(text)) for code, good, text in read]
        except Exception:  # a recogniser that breaks recognises nothing
            continue
    return None


def verdicts(
    codes: Sequence[str], logs: Sequence[Sequence[LogMessage] | None], otherwise: str
) -> list[Verdict]:
    """What became of the records of these codes; ``otherwise`` is what is known of one that no log tells of.

    A record is rejected when any message rejects it, imported when one says so and every log was recognised.
    """
    said: dict[str, list[LogMessage]] = {}
    for message in (message for log in logs if log is not None for message in log):
        said.setdefault(_normal(message.code), []).append(message)
    is_sure = bool(logs) and all(log is not None for log in logs)
    return [_verdict(said.get(_normal(code), []) if code else [], is_sure, otherwise) for code in codes]


def _verdict(said: Sequence[LogMessage], is_sure: bool, otherwise: str) -> Verdict:
    rejected = [one.text for one in said if not one.is_imported]
    if rejected:
        return Verdict(
            "rejected", shortened("; ".join(text for text in rejected if text) or "Rejected by Exact.")
        )
    if said and is_sure:
        return Verdict("imported", shortened("; ".join(one.text for one in said if one.text)))
    return Verdict("handed_over", shortened(otherwise))


def last_lines(log: bytes) -> str:
    """The end of a log that nobody can read, as one line of text."""
    lines = [line.strip() for line in decoded(log).splitlines() if line.strip()]
    return " | ".join(lines[-_LAST_LINES:])


def shortened(text: str) -> str:
    """Printable, and no longer than a message may be."""
    clean = "".join(character if character.isprintable() else " " for character in text)
    return clean if len(clean) <= MAX_MESSAGE else clean[: MAX_MESSAGE - 1] + "…"


def _normal(code: str) -> str:
    return code.strip().upper()
