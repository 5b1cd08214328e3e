"""What Shopping Feed's answers mean: pure functions from JSON to the domain's words (facts/shoppingfeed.md section 1).

Ids come as numbers or as text and are compared as integers. What an answer lacks is None or empty: the flow decides
what can be said without.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any, Final

from brekzsync.domain.marketplace import Ignored, RemoteOrder, Submission, Ticket

Resource = Mapping[str, Any]

LONGEST_WORDS: Final = 500
_LONGEST_DATA: Final = 200
_DEEPEST: Final = 6  # levels of validation messages; there are three


def resource(content: bytes) -> Resource | None:
    """An answer's JSON object; nothing at all is an empty one, None is something else."""
    if not content.strip():
        return {}
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def embedded(answer: Resource, name: str) -> list[Resource]:
    """The resources of a collection; HAL may give a single one without its list."""
    within = answer.get("_embedded")
    found = within.get(name) if isinstance(within, dict) else None
    listed = found if isinstance(found, list) else [found]
    return [one for one in listed if isinstance(one, dict)]


def next_page(answer: Resource) -> str | None:
    """Where the collection goes on, as the API wrote it."""
    links = answer.get("_links")
    link = links.get("next") if isinstance(links, dict) else None
    href = link.get("href") if isinstance(link, dict) else None
    return href if isinstance(href, str) and href else None


def stores(session: Resource) -> dict[int, str]:
    """Names of the stores a token is for, by id, the first one first."""
    listed = ((number(store.get("id")), store) for store in embedded(session, "store"))
    return {found: str(store.get("name") or found) for found, store in listed if found is not None}


def submission(answer: Resource) -> Submission:
    """An empty batch id is none: all orders were ignored (vector 17)."""
    report = answer.get("report")
    listed = report if isinstance(report, list) else [report]
    return Submission(
        batch_id=identifier(answer.get("id")),
        ignored=tuple(_ignored(one) for one in listed if isinstance(one, dict) and _is_of_ignored(one)),
    )


def _is_of_ignored(entry: Resource) -> bool:
    """``ignored`` is the one word the API documents; an order reported with another one still gets its ticket."""
    return (entry.get("state") or "ignored") == "ignored"


def _ignored(entry: Resource) -> Ignored:
    return Ignored(
        feed_id=number(entry.get("id")),
        reference=identifier(entry.get("reference")),
        channel=identifier(entry.get("channelName")),
        message=_plain(entry.get("message")) or "ignored, without a word",
    )


def ticket(row: Resource) -> Ticket:
    """A ticket, of a list or by itself."""
    payload = _object(row.get("payload"))
    channel = payload.get("channel", payload.get("channelName"))
    return Ticket(
        number=identifier(row.get("id")) or "",
        batch_id=identifier(row.get("batchId")),
        kind=identifier(row.get("type")) or "",
        state=identifier(row.get("state")) or "",
        feed_id=number(payload.get("id")),
        reference=identifier(payload.get("reference")),
        channel=identifier(channel.get("name") if isinstance(channel, dict) else channel),
        message=_result(_object(row.get("result"))),
        scheduled_at=_moment(row.get("scheduledAt")),
    )


def _result(result: Resource) -> str:
    """The marketplace's own words, and its data where that says more."""
    said = _plain(result.get("message"))
    data = result.get("data")
    more = _plain(data if isinstance(data, str) else json.dumps(data, ensure_ascii=False) if data else "")
    if not more or more in said:
        return said
    more = _cut(more, _LONGEST_DATA)
    return _cut(f"{said} ({more})" if said else more, LONGEST_WORDS)


def order(row: Resource, asked: int | None = None) -> RemoteOrder | None:
    """An order, of a list or by itself; ``asked`` is the id it was asked by. None for what has no id."""
    feed_id = number(row.get("id")) or asked
    if feed_id is None:
        return None
    channel = next(iter(embedded(row, "channel")), {})
    return RemoteOrder(
        feed_id=feed_id,
        reference=identifier(row.get("reference")) or "",
        channel=identifier(channel.get("name")) or "",
        status=identifier(row.get("status")) or "",
        is_fulfilled_by_channel=str(row.get("fulfilledBy") or "").casefold() == "channel",
    )


def refusal(content: bytes) -> str:
    """The words of a problem: title, detail and what validation says; empty when there are none."""
    problem = resource(content) or {}
    titles = [_plain(problem.get("title")), _plain(problem.get("detail"))]
    said = ": ".join(word for word in titles if word)
    details: list[str] = []
    for detail in _validation(problem.get("validationMessages"), (), _DEEPEST):
        details.append(detail)
        if sum(map(len, details)) > LONGEST_WORDS:
            break
    return _cut(": ".join(word for word in (said, "; ".join(details)) if word), LONGEST_WORDS)


def _validation(found: object, path: tuple[str, ...], depth: int) -> Iterator[str]:
    """Both forms: a list by element, and an object; the innermost name is that of a rule and tells nobody anything."""
    if depth < 0:
        return
    if isinstance(found, str):
        field = ".".join(path[:-1])
        yield f"{field}: {_plain(found)}" if field else _plain(found)
    elif isinstance(found, dict):
        for name, inner in found.items():
            yield from _validation(inner, (*path, str(name)), depth - 1)
    elif isinstance(found, list):
        for position, inner in enumerate(found, start=1):
            which = (f"element {position}",) if len(found) > 1 else ()
            yield from _validation(inner, (*path, *which), depth - 1)


def asked_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds an answer asks to wait: ``X-RateLimit-Wait``, else ``Retry-After``, which may be a date."""
    wait = _seconds(headers.get("X-RateLimit-Wait"))
    if wait is not None:
        return wait
    later = headers.get("Retry-After")
    wait = _seconds(later)
    if wait is not None or later is None:
        return wait
    try:
        moment = parsedate_to_datetime(later)
    except (ValueError, OverflowError):
        return None
    return max((_aware(moment) - now).total_seconds(), 0.0)


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if isfinite(seconds) and seconds >= 0 else None


def number(value: object) -> int | None:
    """An id as an integer, whatever it came as; None for what is none."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal():
        value = int(value) if len(value) <= 20 else 0
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def identifier(value: object) -> str | None:
    """A batch's or ticket's id, a reference or a name; None for nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    # JSON can spell halves of characters, which no database takes.
    return str(value).encode(errors="replace").decode().strip() or None


def _object(value: object) -> Resource:
    return value if isinstance(value, dict) else {}


def _moment(value: object) -> int | None:
    """Milliseconds, UTC, of an ISO 8601 date."""
    try:
        moment = datetime.fromisoformat(str(value or ""))
    except ValueError:
        return None
    return int(_aware(moment).timestamp() * 1000)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _plain(value: object) -> str:
    """Somebody else's words on one line."""
    words = value if isinstance(value, str) else ""
    return _cut(" ".join("".join(c if c.isprintable() else " " for c in words).split()), LONGEST_WORDS)


def _cut(words: str, longest: int) -> str:
    return words if len(words) <= longest else f"{words[: longest - 1].rstrip()}…"
