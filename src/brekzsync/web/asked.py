"""What a request asks for, read from its query and path; whatever is wrong with it is said as 400 or 404."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64

from starlette.requests import Request

from brekzsync.domain.keys import BEFORE_ALL, ProductKey, parse_id
from brekzsync.domain.sync_flows import show_key
from brekzsync.web.errors import Problem

MOST_ENTRIES = 5000
USUAL_BULK = 500
_CURSORS = {"product": "products:", "order": "orders:", "refund": "refunds:"}
"""What is in front of a key, so that a cursor of one index is no use in another."""
_ID = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)
_CLAIM = re.compile(r"[!-~]{1,64}", re.ASCII)
_YES, _NO = frozenset({"1", "true", "yes"}), frozenset({"", "0", "false", "no"})


def limit(request: Request, usual: int) -> int:
    """``?limit=``, cut to what a page may hold."""
    text = _one(request, "limit")
    if text is None:
        return usual
    if not re.fullmatch(r"[0-9]{1,40}", text, re.ASCII) or int(text) < 1:
        raise _bad("limit", "a whole number from 1 on")
    return min(int(text), MOST_ENTRIES)


def after(request: Request, flow: str = "product") -> ProductKey:
    """Where ``?next=`` goes on."""
    text = _one(request, "next")
    if not text:
        return BEFORE_ALL
    key = _key_of_cursor(text, flow)
    if key is None:
        raise _bad("next", "what the page before gave as next")
    return key


def cursor(key: ProductKey, flow: str = "product") -> str:
    """What asks for the page after ``key``."""
    return urlsafe_b64encode(f"{_CURSORS[flow]}{show_key(flow, key)}".encode()).decode().rstrip("=")


def is_preview(request: Request) -> bool:
    """Whether nothing may be noted or acknowledged: HEAD, a Range, or ``?preview=1``."""
    text = (_one(request, "preview") or "").lower()
    if text not in _YES | _NO:
        raise _bad("preview", "1 or 0")
    return text in _YES or request.method == "HEAD" or "range" in request.headers


def target(request: Request) -> str | None:
    """``?target=``, the ERP administration meant."""
    return _one(request, "target") or None


def claim(request: Request) -> str | None:
    """The reader's own word for what it claims, ``X-Claim``."""
    words = request.headers.getlist("x-claim")
    if not words:
        return None
    if len(words) > 1 or not _CLAIM.fullmatch(words[0]):
        raise Problem(
            400,
            "bad_claim",
            "X-Claim must be 1 to 64 visible ASCII characters, given once.",
            "Make a new one for each batch, such as a UUID.",
        )
    return words[0]


def key(request: Request, flow: str = "product") -> ProductKey:
    """The key in the path, in the one form it has."""
    text = request.path_params["key"]
    found = key_of(text, flow)
    if found is None:
        form = (
            "a combination's key such as 12-34" if flow == "product" else f"the id of one {flow} such as 12"
        )
        raise unknown_key(text, f"It is not {form}.")
    return found


def key_of(text: str, flow: str = "product") -> ProductKey | None:
    """``12-34`` of a product, ``12`` of an order or refund as a key; None for anything else."""
    if flow != "product":
        return (int(text), 0) if _ID.fullmatch(text) else None
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


def _key_of_cursor(text: str, flow: str) -> ProductKey | None:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", text, re.ASCII):
        return None
    try:
        plain = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except (NotBase64, UnicodeDecodeError):
        return None
    start = _CURSORS[flow]
    found = key_of(plain.removeprefix(start), flow) if plain.startswith(start) else None
    return found if found is not None and cursor(found, flow) == text else None


def _one(request: Request, name: str) -> str | None:
    values = request.query_params.getlist(name)
    if len(values) > 1:
        raise Problem(400, "bad_parameter", f"{name} is given more than once.", "Give it once.")
    return values[0] if values else None


def _bad(name: str, wanted: str) -> Problem:
    return Problem(400, "bad_parameter", f"{name} must be {wanted}.", "Correct the address.")
