"""Secrets of Standard Webhooks, as they are handed from one person to another."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64

_PREFIX = "whsec_"
_LEAST = 16  # bytes; the specification asks for 24 to 64


def secret_bytes(secret: str) -> bytes:
    """The bytes a secret of Standard Webhooks stands for. Raises ValueError, which does not repeat it."""
    try:
        plain = b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (NotBase64, ValueError):
        raise ValueError(f'must be "{_PREFIX}" and base64') from None
    if len(plain) < _LEAST:
        raise ValueError(f"must stand for at least {_LEAST} bytes")
    return plain
