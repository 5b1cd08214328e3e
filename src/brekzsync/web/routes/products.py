"""Routes for Exact: products: the index, one document, one for many, and what became of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from brekzsync.bootstrap.serve import ProductsOverHttp, Service
from brekzsync.domain.items import moment_text, version_text
from brekzsync.domain.keys import format_key
from brekzsync.domain.ledger import Serving
from brekzsync.exact.eexact.items import (
    DOCUMENT_END,
    DOCUMENT_START,
    ITEMS_END,
    ITEMS_START,
    PRICES_END,
    PRICES_START,
)
from brekzsync.exact.index import IndexEntry, page_of_index
from brekzsync.flows.ports import Version
from brekzsync.flows.products.feed import ProductFeed, Withheld
from brekzsync.flows.products.feed_documents import BulkDocument
from brekzsync.flows.products.run import FLOW
from brekzsync.web import asked
from brekzsync.web.errors import Problem
from brekzsync.web.routes.common import in_thread, pieces, refuse_if_off, take_results
from brekzsync.web.routes.looking import reads
from brekzsync.web.sending import PIECE, SentWhole

router = APIRouter(prefix="/exact", tags=["exact"])
ONE = "/exact/products/{key}"
_NOTHING = f"{DOCUMENT_START}{DOCUMENT_END}".encode()


@router.post("/products/results", summary="What became of what was fetched: eExact Messages or JSON.")
async def results(request: Request) -> Response:
    service: Service = request.app.state.service
    target = asked.target(request)
    return await take_results(request, FLOW, lambda: service.products_of(target).results)


@reads(router, "/products", "Index of what is pending, page by page.")
async def index(request: Request) -> Response:
    limit, after = asked.limit(request, asked.MOST_ENTRIES), asked.after(request)
    preview, target = asked.is_preview(request), asked.target(request)
    suffix = "" if target is None else f"?target={target}"

    def work() -> bytes:
        feed = _feed(request, target, preview)
        page = feed.index(after=after, limit=limit, preview=preview)
        entries = map(_entry, page.versions)
        return page_of_index(
            [one.line(f"products/{one.key_major}-{one.key_minor}{suffix}") for one in entries],
            generated=page.generated,
            following="" if page.stopped_at is None else asked.cursor(page.stopped_at),
        )

    content = await in_thread(request, work)
    return SentWhole(pieces(content), length=len(content), gzip=asked.accepts_gzip(request))


@reads(router, "/products.xml", "One document for many pending items.")
async def bulk(request: Request) -> Response:
    limit, preview = asked.limit(request, asked.USUAL_BULK), asked.is_preview(request)
    target = asked.target(request)

    def work() -> tuple[ProductFeed, BulkDocument]:
        feed = _feed(request, target, preview)
        return feed, feed.bulk(limit=limit, preview=preview)

    feed, document = await in_thread(request, work)
    return SentWhole(
        _whole(document),
        length=_length(document),
        gzip=asked.accepts_gzip(request),
        when_whole=_delivered(request, feed, document.versions, preview),
        at_end=document.close,
    )


@reads(router, "/products/{key}", "One item's complete document.")
async def one(request: Request) -> Response:
    key, preview, target = asked.key(request), asked.is_preview(request), asked.target(request)

    def work() -> tuple[ProductFeed, Version, bytes]:
        feed = _feed(request, target, preview)
        found = feed.one(key, preview=preview)
        if found is None:
            raise asked.unknown_key(format_key(key), f"The shop has no combination {format_key(key)}.")
        if isinstance(found, Withheld):
            hint = f"`brekzsync products diagnose {format_key(key)}` says what to do."
            raise Problem(409, found.reason, found.message, hint)
        return feed, found.version, found.content

    feed, version, content = await in_thread(request, work)
    return SentWhole(
        (content,),
        length=len(content),
        gzip=asked.accepts_gzip(request),
        headers={"X-Version": version_text(version.fingerprint, version.force)},
        when_whole=_delivered(request, feed, [Serving._make(version[: len(Serving._fields)])], preview),
    )


def _feed(request: Request, target: str | None, preview: bool) -> ProductFeed:
    """The target's feed. Raises Problem 409 when its flow is switched off; a look at it still works then."""
    service: Service = request.app.state.service
    products: ProductsOverHttp = service.products_of(target)
    if not preview:
        refuse_if_off(products.feed.switch(), FLOW)
    return products.feed


def _delivered(
    request: Request, feed: ProductFeed, versions: Sequence[Serving], preview: bool
) -> Callable[[], Awaitable[None]] | None:
    """What acknowledges these versions once they were sent, where sending is what acknowledges."""
    if preview or not feed.acknowledges_delivery:
        return None
    return lambda: in_thread(request, lambda: feed.delivered(versions))


def _entry(version: Version) -> IndexEntry:
    return IndexEntry(
        *version.key,
        version.item.code,
        moment_text(version.different_at),
        version_text(version.fingerprint, version.force),
    )


def _whole(document: BulkDocument) -> Iterator[bytes]:
    """The document around what was gathered; without an item it is the shortest the schema allows, because an
    ``Items`` must hold one."""
    if not document.versions:
        yield _NOTHING
        return
    yield (DOCUMENT_START + ITEMS_START).encode()
    part = "items"
    for name, piece in document.chunks(PIECE):
        if name != part:
            part = name
            yield (ITEMS_END + PRICES_START).encode()
        yield piece
    yield ((ITEMS_END if part == "items" else PRICES_END) + DOCUMENT_END).encode()


def _length(document: BulkDocument) -> int:
    if not document.versions:
        return len(_NOTHING)
    frame = len(DOCUMENT_START + ITEMS_START + ITEMS_END + DOCUMENT_END)
    items, prices = (file.seek(0, 2) for file in (document.items, document.prices))
    return frame + items + (prices + len(PRICES_START + PRICES_END) if prices else 0)
