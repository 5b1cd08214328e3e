"""What a request asks for, read from its query and path; whatever is wrong with it is said as 400 or 404."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64

from starlette.requests import Request

from brekzsync.domain.keys import BEFORE_ALL, ProductKey, format_key, parse_id
from brekzsync.web.errors import Problem

MOST_ENTRIES = 5000
USUAL_BULK = 500
_CURSOR = "products:"  # what is in front of the key, so that one of another index is no use here
_YES, _NO = frozenset({"1", "true", "yes"}), frozenset({"", "0", "false", "no"})


def limit(request: Request, usual: int) -> int:
    """``?limit=``, cut to what a page may hold."""
    text = _one(request, "limit")
    if text is None:
        return usual
    if not re.fullmatch(r"[0-9]{1,40}", text, re.ASCII) or int(text) < 1:
        raise _bad("limit", "a whole number from 1 on")
    return min(int(text), MOST_ENTRIES)


def after(request: Request) -> ProductKey:
    """Where ``?next=`` goes on."""
    text = _one(request, "next")
    if not text:
        return BEFORE_ALL
    key = _key_of_cursor(text)
    if key is None:
        raise _bad("next", "what the page before gave as next")
    return key


def cursor(key: ProductKey) -> str:
    """What asks for the page after ``key``."""
    return urlsafe_b64encode(f"{_CURSOR}{format_key(key)}".encode()).decode().rstrip("=")


def is_preview(request: Request) -> bool:
    """Whether nothing may be noted or acknowledged: HEAD, a Range, or ``?preview=1``."""
    text = (_one(request, "preview") or "").lower()
    if text not in _YES | _NO:
        raise _bad("preview", "1 or 0")
    return text in _YES or request.method == "HEAD" or "range" in request.headers


def target(request: Request) -> str | None:
    """``?target=``, the ERP administration meant."""
    return _one(request, "target") or None


def key(request: Request) -> ProductKey:
    """The key in the path, in the one form it has."""
    text = request.path_params["key"]
    found = key_of(text)
    if found is None:
        raise unknown_key(text, "It is not a combination's key such as 12-34.")
    return found


def key_of(text: str) -> ProductKey | None:
    """``12-34`` as a key, None for anything else."""
    try:
        wanted = parse_id(text)
    except ValueError:
        return None
    if wanted.id_product_attribute is None or wanted.shown != text:
        return None
    return (wanted.id_product, wanted.id_product_attribute)


def unknown_key(text: str, message: str) -> Problem:
    """404 for a key that names nothing."""
    return Problem(404, "unknown_key", message, f"Ask for what the index lists, not for {text[:40]!r}.")


def accepts_gzip(request: Request) -> bool:
    """Whether the client takes a compressed body."""
    for offer in request.headers.get("accept-encoding", "").lower().split(","):
        coding, _, weight = offer.partition(";")
        if coding.strip() in ("gzip", "*"):
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False


def _key_of_cursor(text: str) -> ProductKey | None:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", text, re.ASCII):
        return None
    try:
        plain = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except (NotBase64, UnicodeDecodeError):
        return None
    found = key_of(plain.removeprefix(_CURSOR)) if plain.startswith(_CURSOR) else None
    return found if found is not None and cursor(found) == text else None


def _one(request: Request, name: str) -> str | None:
    values = request.query_params.getlist(name)
    if len(values) > 1:
        raise Problem(400, "bad_parameter", f"{name} is given more than once.", "Give it once.")
    return values[0] if values else None


def _bad(name: str, wanted: str) -> Problem:
    return Problem(400, "bad_parameter", f"{name} must be {wanted}.", "Correct the address.")
