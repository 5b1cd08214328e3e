"""What agent and client say to each other: one JSON object a line (docs/reference/agent-protocol.md)."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final

PROTOCOL: Final = "brekzsync-agent/1"
VERBS: Final = ("challenge", "authenticate", "status", "jobs", "start", "stop", "log")

MAX_REQUEST: Final = 8 * 1024
MAX_REPLY: Final = 1024 * 1024
NONCE_SECONDS: Final = 30
MIN_SECRET: Final = 16

Message = dict[str, Any]


class ProtocolError(Exception):
    """A request that is refused, or a line that is none; ``code`` is stable, ``message`` a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def new_nonce() -> str:
    """128 random bits in hexadecimal."""
    return secrets.token_hex(16)


def client_mac(secret: str, nonce: str, client_nonce: str) -> str:
    """What a client that knows the secret answers to the agent's ``nonce``."""
    return _mac(secret, "client", nonce, client_nonce)


def agent_proof(secret: str, nonce: str, client_nonce: str) -> str:
    """What the agent that knows the secret answers to the client's nonce."""
    return _mac(secret, "agent", nonce, client_nonce)


def is_same(expected: str, given: object) -> bool:
    """Compare two codes in a time that tells nothing about where they differ."""
    return isinstance(given, str) and hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine can reach an address; of names only ``localhost`` is known to be."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def encode(message: Mapping[str, Any]) -> bytes:
    """A message as its line. Plain ASCII: no terminal or locale can misread it."""
    return json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"


def decode(line: bytes) -> Message:
    """A line as the message it is. Raises ProtocolError (``bad_json``)."""
    try:
        message = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ProtocolError("bad_json", "The line is not JSON in UTF-8.") from None
    if not isinstance(message, dict):
        raise ProtocolError("bad_json", "The line is JSON, but not an object.")
    return message


def refusal(error: ProtocolError) -> Message:
    """The reply that tells of an error."""
    return {"ok": False, "error": {"code": error.code, "message": error.message}}


def _mac(secret: str, side: str, nonce: str, client_nonce: str) -> str:
    text = f"{PROTOCOL} {side}\n{nonce}\n{client_nonce}"
    return hmac.new(secret.encode(), text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
