"""The addresses of webhooks."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from brekzsync.web.webhooks import EXACT_STOCK, STANDARD, STANDARD_PREFIX, Webhooks

router = APIRouter(tags=["webhooks"])


@router.post(EXACT_STOCK, summary="A webhook of Exact Online, stored before it is answered.")
async def exact_stock(request: Request) -> Response:
    return await _answered(request)


@router.post(
    STANDARD, summary="A webhook after the Standard Webhooks specification, stored before it is answered."
)
async def standard(request: Request) -> Response:
    return await _answered(request)


async def _answered(request: Request) -> Response:
    webhooks: Webhooks = request.app.state.webhooks
    body = await webhooks.take(request.scope, request.receive)
    return Response(body, media_type="application/json")


class WebhookDoor:
    """Takes webhooks without the layers that find a route and look for what it might want: over a thousand times a
    second they take longer than all the rest."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks
        self._exact, self._standard = _Route(EXACT_STOCK), _Route(STANDARD)

    def is_for(self, scope: Scope) -> bool:
        """Whether this takes the request."""
        path: str = scope["path"]
        return scope["method"] == "POST" and (
            path == EXACT_STOCK or (path.startswith(STANDARD_PREFIX) and path.count("/") == 4)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self._exact if scope["path"] == EXACT_STOCK else self._standard
        body = await self._webhooks.take(scope, receive)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class _Route:
    """What the figures call an address."""

    def __init__(self, path: str) -> None:
        self.path = path
