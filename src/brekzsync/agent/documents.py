"""Several eExact documents as one, so that AsImport starts once for many records."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, register_namespace, tostring

from brekzsync.agent.untrusted_xml import read_xml

_ACCOUNTS = "Accounts"

register_namespace("xsi", "http://www.w3.org/2001/XMLSchema-instance")


def merged(documents: Sequence[bytes]) -> bytes:
    """One document with what all of them hold, in their order; one alone stays byte for byte what it is.

    An account that several of them bring is in it once, as the last one has it.
    """
    if len(documents) == 1:
        return documents[0]
    roots = [read_xml(document) for document in documents]
    holders: dict[str, Element] = {}
    order: list[str] = []
    for root in roots:
        _place(order, [child.tag for child in root])
        for child in root:
            if child.tag in holders:
                holders[child.tag].extend(list(child))
            else:
                holders[child.tag] = child
    if _ACCOUNTS in holders:
        _each_once(holders[_ACCOUNTS])
    whole = Element("eExact", dict(roots[0].attrib))
    whole.extend([holders[tag] for tag in order])
    content: bytes = tostring(whole, encoding="utf-8", xml_declaration=True)
    return content


def _each_once(accounts: Element) -> None:
    """Orders of one new customer each come with the account: AsImport would import it as often."""
    newest = {(one.get("code", "").strip().upper() or id(one)): one for one in accounts}
    for one in list(accounts):
        accounts.remove(one)
    accounts.extend(newest.values())


def topics_in(document: bytes, wanted: Sequence[str]) -> list[str]:
    """Those of the ``wanted`` topics that a document has something of, in the order they are wanted."""
    held = {child.tag for child in read_xml(document) if len(child)}
    return [topic for topic in wanted if topic in held]


def _place(order: list[str], tags: Sequence[str]) -> None:
    """Add tags to the common order, each before the one it stands before in its own document."""
    for position, tag in reversed(list(enumerate(tags))):
        if tag not in order:
            follower = tags[position + 1] if position + 1 < len(tags) else None
            order.insert(order.index(follower) if follower else len(order), tag)
