"""Webhooks: their signature is looked at, they are stored, the sender is told so. What they mean is found out later."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from starlette.types import Receive, Scope

from brekzsync.bootstrap.inbox import EXACT, open_the_inbox, receives_webhooks, webhook_senders
from brekzsync.bootstrap.state import utc_now
from brekzsync.domain.shedding import FloodLimits
from brekzsync.domain.texts import normalise_code
from brekzsync.state.inbox import Inbox, NewDelivery
from brekzsync.state.inbox_schema import LONGEST_ID, LONGEST_RECORD, LONGEST_TOPIC
from brekzsync.web.committing import GroupCommit, OpenedLater
from brekzsync.web.errors import Problem
from brekzsync.web.shedding import Shedding
from brekzsync.web.signatures import ExactSignature, StandardSignature, unsigned

if TYPE_CHECKING:
    from brekzsync.settings import Settings

EXACT_STOCK = "/api/webhooks/exact/stock"
STANDARD = "/api/webhooks/standard/{source}"
STANDARD_PREFIX = STANDARD.partition("{")[0]
_WEBHOOK_ID = re.compile(rb"[!-~]{1,%d}" % LONGEST_ID)
_USUAL_PLACES = (("data", "code"), ("data", "sku"), ("code",), ("sku",))
_STORED = b'{"success": true, "data": {"stored": true}, "error": null}'
_NOT_STORED = b'{"success": true, "data": {"stored": false}, "error": null}'

Headers = Mapping[bytes, bytes]


class Webhooks:
    """What takes the webhooks of one process. The inbox is opened when it is first needed.

    Raises ConfigurationError for sources that cannot be.
    """

    def __init__(
        self,
        settings: Settings,
        open_inbox: Callable[[], Inbox] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        inbox = settings.inbox
        secret, tolerance = inbox.exact_secret.get_secret_value(), inbox.tolerance.total_seconds()
        self._exact = _ExactOnline(ExactSignature(secret)) if secret else None
        self._sources = {
            name: _Standard(name, StandardSignature(secrets, tolerance), inbox.sources[name].item_code)
            for name, secrets in webhook_senders(settings).items()
        }
        self._are_taken = receives_webhooks(settings)
        self._most = inbox.max_body
        self._clock = clock
        self._opened = OpenedLater(open_inbox or (lambda: open_the_inbox(settings)))
        self._commit = GroupCommit(self._opened)
        limits = FloodLimits(
            per_minute=inbox.max_per_minute, backlog=inbox.max_backlog, cool_down=inbox.cool_down
        )
        self._shedding = Shedding(limits, self._opened.get, clock)

    def start(self) -> None:
        """Begin to look for floods, where anybody's webhooks are taken."""
        if self._are_taken:
            self._shedding.start()

    def close(self) -> None:
        """Store what waits, and let go of the inbox."""
        self._commit.close()
        self._shedding.close()
        self._opened.close()

    async def take(self, scope: Scope, receive: Receive) -> bytes:
        """The body of the answer, which is 200: the webhook is on the disk. Raises Problem for every other."""
        sender = self._sender(scope["path"])
        headers = dict(scope["headers"])
        body = await _body(headers, receive, self._most)
        if sender is self._exact and not body:
            # Exact's check that somebody is there; it is not signed, and says nothing.
            return _NOT_STORED
        now = self._clock()
        delivery = sender.delivery(headers, body, now)
        # Only now: who cannot sign may not have another refused.
        self._shedding.knock(delivery.source)
        return _STORED if await self._commit.store(delivery) else _NOT_STORED

    def _sender(self, path: str) -> _ExactOnline | _Standard:
        """Raises Problem: 404 for a source nobody configured, 401 for Exact's without a secret, which would let in
        anybody. That holds for its empty check too: a subscription nobody can receive must not come about."""
        if path == EXACT_STOCK:
            if self._exact is None:
                raise unsigned("Webhooks of Exact Online are not taken here: [inbox] exact_secret is empty.")
            return self._exact
        source = self._sources.get(path.removeprefix(STANDARD_PREFIX))
        if source is None:
            raise Problem(
                404, "unknown_source", "There is no such source of webhooks.", "Name it in [inbox.sources]."
            )
        return source


class _ExactOnline:
    """Facts: exact-globe.md 7.1. The webhook is thin: it says which entity changed, not what it is now."""

    def __init__(self, signature: ExactSignature) -> None:
        self._signature = signature
        self._process, self._numbers = uuid4().hex, count(1)

    def delivery(self, _headers: Headers, body: bytes, now: datetime) -> NewDelivery:
        content = _object(self._signature.content_of(body), "Content")
        # It has no id of its own, and two changes of one entity are told in the same words: every receipt is a
        # delivery. One that was sent twice costs nothing, as all deliveries of a record are one comparison.
        own_id = f"{self._process}-{next(self._numbers):010d}"
        record = _text(content.get("Key"), LONGEST_RECORD)
        topic = _text(content.get("Topic"), LONGEST_TOPIC)
        return NewDelivery(EXACT, own_id, now, topic, normalise_code(record), _decoded(body))


class _Standard:
    """Standard Webhooks of one source; its JSON is its own, and ``item_code`` says where the code stands in it."""

    def __init__(self, name: str, signature: StandardSignature, item_code: str) -> None:
        self._name = name
        self._signature = signature
        self._places: Sequence[Sequence[str]] = (item_code.split("."),) if item_code else _USUAL_PLACES

    def delivery(self, headers: Headers, body: bytes, now: datetime) -> NewDelivery:
        own_id = headers.get(b"webhook-id", b"")
        timestamp, signatures = headers.get(b"webhook-timestamp", b""), headers.get(b"webhook-signature", b"")
        self._signature.check(own_id, timestamp, signatures, body, now.timestamp())
        if not _WEBHOOK_ID.fullmatch(own_id):
            raise _malformed(f"webhook-id must be 1 to {LONGEST_ID} visible ASCII characters.")
        content = _object(body, "The body")
        code = next(filter(None, (_at(content, place) for place in self._places)), "")
        topic = _text(content.get("type"), LONGEST_TOPIC)
        return NewDelivery(self._name, own_id.decode(), now, topic, normalise_code(code), _decoded(body))


async def _body(headers: Headers, receive: Receive, most: int) -> bytes:
    """The body as it came. Raises Problem 413 as soon as it is known to be too long, 400 for half a one."""
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length[:19]) > most:
        raise _too_long(most)
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "body_incomplete", "The body broke off.")
        part, more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        if size > most:
            raise _too_long(most)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_long(most: int) -> Problem:
    return Problem(
        413,
        "body_too_large",
        f"The body is longer than {most} bytes.",
        "Raise [inbox] max_body for such webhooks.",
    )


def _malformed(message: str) -> Problem:
    return Problem(400, "webhook_malformed", message, "Send what the sender's description says.")


def _object(text: bytes, what: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text.decode())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _malformed(f"{what} is not a JSON object in UTF-8.")
    return found


def _decoded(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise _malformed("The body is not UTF-8.") from None


def _at(content: Mapping[str, Any], place: Sequence[str]) -> str:
    found: Any = content
    for name in place:
        found = found.get(name) if isinstance(found, dict) else None
    return _text(found, LONGEST_RECORD)


def _text(value: object, longest: int) -> str:
    """A name or number as it is compared; nothing for what cannot be one, which then stands for everything."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if -(10**longest) < value < 10**longest else ""
    if not isinstance(value, str):
        return ""
    # What is longer in upper case is no code: not a character of an item code is.
    text = value.strip()
    return text if text.isprintable() and len(text.upper()) <= longest else ""
