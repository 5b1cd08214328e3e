"""Who may ask for what Exact fetches: the token, in any of the three places a client can put it."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable
from hashlib import sha256
from hmac import compare_digest
from urllib.parse import parse_qsl

from starlette.types import Scope

from brekzsync.web.errors import Problem
from brekzsync.web.networks import AllowedNetworks

_MOST_PARAMETERS = 50


class ExactDoor:
    """Checks the network, then the token (Bearer, Basic password, ``?token=``); without a token nobody comes in."""

    def __init__(self, token: str, networks: AllowedNetworks) -> None:
        self._token = _digest(token.encode()) if token else None
        self._networks = networks

    def check(self, scope: Scope) -> None:
        """Raises Problem: 403 for the network, 401 for the token."""
        client = scope.get("client")
        if not self._networks.allows(client[0] if client else None):
            raise Problem(
                403,
                "network_not_allowed",
                "Requests from this address are not taken.",
                "List its network in [serve] allowed_networks.",
            )
        offered = [_digest(one) for one in _offered(scope)]
        # Digests have one length, so that comparing them takes the same time for every token.
        if self._token is None or not any(compare_digest(one, self._token) for one in offered):
            raise Problem(
                401,
                "token_wrong" if offered else "token_missing",
                "The token is wrong." if offered else "A token is needed.",
                "Send [serve] exact_token as Bearer token, as the password of Basic, or as ?token=.",
                {"WWW-Authenticate": 'Basic realm="brekzsync", charset="UTF-8", Bearer realm="brekzsync"'},
            )


def _offered(scope: Scope) -> Iterable[bytes]:
    """Every token the request brings."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, rest = value.partition(b" ")
            if scheme.lower() == b"bearer":
                yield rest.strip()
            elif scheme.lower() == b"basic":
                yield _password(rest.strip())
    query = scope.get("query_string", b"")
    if b"token" in query:
        try:
            pairs = parse_qsl(query, max_num_fields=_MOST_PARAMETERS)
        except ValueError:
            return
        yield from (value for name, value in pairs if name == b"token")


def _password(encoded: bytes) -> bytes:
    try:
        return b64decode(encoded, validate=True).partition(b":")[2]
    except (NotBase64, ValueError):
        return b""


def _digest(token: bytes) -> bytes:
    return sha256(token).digest()
