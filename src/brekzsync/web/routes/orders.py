"""Routes for Exact: orders and refunds, each with an index, one document, one for many, and what became of them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from brekzsync.bootstrap.serve import Service
from brekzsync.domain.items import moment_text, version_text
from brekzsync.exact.eexact.items import DOCUMENT_END, DOCUMENT_START
from brekzsync.exact.index import index_line, page_of_index
from brekzsync.flows.orders.feed import Document, OrderFeed, Withheld
from brekzsync.flows.orders.kinds import KINDS, Kind
from brekzsync.flows.orders.ports import OrderVersion
from brekzsync.web import asked
from brekzsync.web.errors import Problem
from brekzsync.web.routes.common import in_thread, pieces, refuse_if_off, take_results
from brekzsync.web.routes.looking import reads
from brekzsync.web.sending import SentWhole

router = APIRouter(prefix="/exact", tags=["exact"])
_NOTHING = f"{DOCUMENT_START}{DOCUMENT_END}".encode()  # the schema knows no empty Orders


def _add(kind: Kind[Any]) -> None:
    """The addresses of one kind."""
    many, flow = f"{kind.noun}s", kind.flow

    @router.post(f"/{many}/results", summary=f"What became of {many}: eExact Messages or JSON.")
    async def results(request: Request) -> Response:
        service: Service = request.app.state.service
        target = asked.target(request)
        return await take_results(request, flow, lambda: service.orders_of(flow, target).results)

    @reads(router, f"/{many}", f"Index of {many} that are due, page by page.")
    async def index(request: Request) -> Response:
        limit, after = asked.limit(request, asked.MOST_ENTRIES), asked.after(request, flow)
        preview, target = asked.is_preview(request), asked.target(request)
        suffix = "" if target is None else f"?target={target}"

        def work() -> bytes:
            page = _feed(request, kind, target, preview).index(after=after, limit=limit, preview=preview)
            return page_of_index(
                [_line(many, version, suffix) for version in page.versions],
                generated=page.generated,
                following="" if page.stopped_at is None else asked.cursor(page.stopped_at, flow),
                topic=kind.topic,
            )

        return _whole(request, await in_thread(request, work))

    @reads(router, f"/{many}.xml", f"One document for many {many} that are due.")
    async def bulk(request: Request) -> Response:
        limit, preview = asked.limit(request, asked.USUAL_BULK), asked.is_preview(request)
        target, claimed_by = asked.target(request), asked.claim(request)

        def work() -> bytes:
            feed = _feed(request, kind, target, preview)
            return feed.bulk(limit=limit, claimed_by=claimed_by, preview=preview) or _NOTHING

        return _whole(request, await in_thread(request, work))

    @reads(router, f"/{many}/{{key}}", f"One {kind.noun}'s complete document.")
    async def one(request: Request) -> Response:
        key, preview = asked.key(request, flow), asked.is_preview(request)
        target, claimed_by = asked.target(request), asked.claim(request)

        def work() -> Document:
            found = _feed(request, kind, target, preview).one(key[0], claimed_by=claimed_by, preview=preview)
            if found is None:
                raise asked.unknown_key(str(key[0]), f"The shop has no {kind.noun} {key[0]}.")
            if isinstance(found, Withheld):
                hint = f"`brekzsync logs show {key[0]} --type {flow}` says more."
                raise Problem(409, found.reason, found.message, hint)
            return found

        document = await in_thread(request, work)
        version = version_text(document.fingerprint, document.force)
        return _whole(request, document.content, {"X-Version": version})


def _feed(request: Request, kind: Kind[Any], target: str | None, preview: bool) -> OrderFeed:
    """The target's feed. Raises Problem 409 when its flow is switched off; a look at it still works then."""
    service: Service = request.app.state.service
    feed = service.orders_of(kind.flow, target).feed
    if not preview:
        refuse_if_off(feed.switch(), kind.flow)
    return feed


def _line(many: str, version: OrderVersion, suffix: str) -> str:
    return index_line(
        str(version.key_major),
        version.order.your_ref,
        moment_text(version.different_at),
        version_text(version.fingerprint, version.force),
        f"{many}/{version.key_major}{suffix}",
    )


def _whole(request: Request, content: bytes, headers: dict[str, str] | None = None) -> Response:
    return SentWhole(pieces(content), length=len(content), gzip=asked.accepts_gzip(request), headers=headers)


for _kind in KINDS.values():
    _add(_kind)
