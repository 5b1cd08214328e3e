"""Results as they are posted, and the answer to them, each as JSON or as XML."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from brekzsync.domain.sync_flows import show_key
from brekzsync.exact.eexact.items import escape
from brekzsync.exact.eexact.messages import Message, read_messages, worst_of_each
from brekzsync.flows.results import Result, Taken, Told, Verdict
from brekzsync.web.asked import key_of
from brekzsync.web.errors import Problem

_VERSION = re.compile(r"([0-9a-f]{32})\.([0-9]{1,9})", re.ASCII)
_TOPICS = {"product": "items", "order": "orders", "refund": "orders"}
"""What Exact calls the records of a flow; a refund is an order to it."""


def is_xml(content_type: str, body: bytes) -> bool:
    """Which of the two forms it is: by its type, and where that says neither, by how it begins."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in ("text/xml", "application/xml") or kind.endswith("+xml"):
        return True
    if kind == "application/json" or kind.endswith("+json"):
        return False
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start in (b"<", b"{"):
        return start == b"<"
    raise Problem(
        415, "unknown_form", "The body is neither XML nor JSON.", "Send eExact's Messages or JSON results."
    )


def from_xml(body: bytes, flow: str) -> list[Result]:
    """From eExact ``Messages``; what is said of anything but the flow's topic names no record of ours."""
    return [_said(one, flow) for one in worst_of_each(read_messages(body))]


def _said(message: Message, flow: str) -> Result:
    """An order goes by its reference, which is never a number alone, or by its id."""
    code = message.code if message.topic.lower() == _TOPICS[flow] else ""
    key = None if flow == "product" else key_of(code, flow)
    verdict = Verdict.IMPORTED if message.is_imported else Verdict.REJECTED
    return Result(key, None, verdict, message.text, code)


def from_json(body: bytes, flow: str) -> list[Result]:
    """From ``{"results": [{"id", "version"?, "status", "message"?}]}``; nothing is taken of a body with a mistake."""
    try:
        content = json.loads(body)
    except RecursionError as error:
        raise Problem(400, "bad_json", "The body is nested too deep.") from error
    except ValueError as error:  # not JSON, or not UTF-8
        raise Problem(400, "bad_json", f"The body is not JSON: {error}.", "Send UTF-8 JSON.") from error
    results = content.get("results") if isinstance(content, dict) else None
    if not isinstance(results, list):
        raise _wrong('The body must be {"results": [...]}.')
    return [_result(one, f"results[{at}]", flow) for at, one in enumerate(results)]


def _result(one: Any, place: str, flow: str) -> Result:
    if not isinstance(one, dict):
        raise _wrong(f"{place} is not an object.")
    for name in ("id", "version", "status", "message"):
        if not isinstance(one.get(name, ""), str) and not (name != "id" and one.get(name) is None):
            raise _wrong(f"{place}.{name} is not a text.")
    status = one.get("status") or ""
    if status not in [*Verdict]:
        raise _wrong(f"{place}.status must be one of {', '.join(Verdict)}.")
    if not one.get("id"):
        raise _wrong(f"{place}.id is missing.")
    key, version = key_of(one["id"], flow), one.get("version") or ""
    match = _VERSION.fullmatch(version)
    if version and match is None:
        key = None  # no such version ever went out
    identity = (bytes.fromhex(match[1]), int(match[2])) if match else None
    return Result(key, identity, Verdict(status), one.get("message") or "", one["id"] if key is None else "")


def _wrong(message: str) -> Problem:
    return Problem(400, "bad_results", message, "See docs/reference/http.md for the form of results.")


def told_in_json(told: Sequence[Told], flow: str) -> bytes:
    """What came of each, in the order they were posted, and how many of each kind."""
    records = [{"id": _id(one, flow), "status": one.result.verdict, "outcome": one.taken} for one in told]
    return json.dumps({**_counts(told), "results": records}).encode()


def told_in_xml(told: Sequence[Told], flow: str) -> bytes:
    """The same as ``Results``."""
    counts = " ".join(f'{name}="{count}"' for name, count in _counts(told).items())
    lines = "".join(
        f'<Result id="{escape(_id(one, flow) if one.key else "")}" code="{escape(one.result.code)}"'
        f' status="{one.result.verdict}" outcome="{one.taken}"/>\n'
        for one in told
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Results {counts}>\n{lines}</Results>\n'.encode()


def _id(one: Told, flow: str) -> str:
    return one.result.code if one.key is None else show_key(flow, one.key)


def _counts(told: Sequence[Told]) -> dict[str, int]:
    counted = Counter(one.taken for one in told)
    return {taken.value: counted[taken] for taken in Taken}
