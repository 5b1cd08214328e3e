"""Signatures of webhooks: over the bytes as they came, compared in constant time.

Exact Online: facts/exact-globe.md 7.1, facts/stock-sync.md C5. Standard Webhooks: https://www.standardwebhooks.com,
facts/pains-and-anchors.md F4.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from hmac import compare_digest, digest

from brekzsync.web.errors import Problem

_CONTENT = re.compile(rb'\s*\{"Content":(.*),"HashCode":"([^"]*)"\}\s*', re.DOTALL)
_TIME = re.compile(rb"[0-9]{1,12}", re.ASCII)
_MOST_SIGNATURES = 20


class ExactSignature:
    """Exact Online's: the last member of the body, over the text of the first."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def content_of(self, body: bytes) -> bytes:
        """The signed part of ``body``, exactly as it came. Raises Problem 401."""
        found = _CONTENT.fullmatch(body)
        if found is None:
            raise unsigned('A webhook of Exact Online is {"Content":…,"HashCode":"…"}.')
        content: bytes = found[1]
        # Upper-case hexadecimal only: Exact sends nothing else.
        expected = digest(self._secret, content, "sha256").hex().upper()
        if not compare_digest(expected.encode(), found[2]):
            raise wrong()
        return content


class StandardSignature:
    """Standard Webhooks': any of several signatures, made with any of several secrets."""

    def __init__(self, secrets: Sequence[bytes], tolerance: float) -> None:
        self._secrets = secrets
        self._tolerance = tolerance

    def check(self, webhook_id: bytes, timestamp: bytes, signatures: bytes, body: bytes, now: float) -> None:
        """Raises Problem 401. ``now`` is seconds since 1970."""
        if not webhook_id or not timestamp or not signatures:
            raise unsigned("webhook-id, webhook-timestamp and webhook-signature are needed.")
        offered = [one[3:] for one in signatures.split(b" ")[:_MOST_SIGNATURES] if one.startswith(b"v1,")]
        signed = b"%b.%b.%b" % (webhook_id, timestamp, body)
        if not any(
            compare_digest(b64encode(digest(secret, signed, "sha256")), one)
            for secret in self._secrets
            for one in offered
        ):
            raise wrong()
        if not _TIME.fullmatch(timestamp) or abs(now - int(timestamp)) > self._tolerance:
            raise Problem(
                401,
                "webhook_too_old",
                "The time it was signed at is too far from the time it is here.",
                "Set both clocks, or raise [inbox] tolerance.",
            )


def unsigned(message: str) -> Problem:
    """401 for what brings no signature."""
    return Problem(401, "signature_missing", message, "Sign it with the secret in [inbox].")


def wrong() -> Problem:
    """401 for a signature made with another secret, or over another body."""
    return Problem(
        401,
        "signature_wrong",
        "The signature is wrong.",
        "Sign the bytes that are sent, with the secret in [inbox].",
    )
