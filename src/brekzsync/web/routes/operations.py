"""Routes for who runs the service: is it alive, can it work, what does it do."""

from __future__ import annotations

import asyncio
from functools import partial
from json import dumps

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from brekzsync.bootstrap.inbox_looks import inbox_backlog
from brekzsync.web import metrics
from brekzsync.web.routes.looking import reads

router = APIRouter(tags=["operations"])
_PATIENCE = 5.0  # seconds a database may take to be called reachable


@reads(router, "/health", "Alive: this process answers.")
async def health() -> Response:
    return _json({"status": "ok"})


@reads(router, "/ready", "The state and the shop can be reached; 503 names which not.")
async def ready(request: Request) -> Response:
    service, threads = request.app.state.service, request.app.state.threads
    try:
        problems = await asyncio.wait_for(threads.run(service.problems), _PATIENCE)
    except TimeoutError:
        problems = ["no answer in time"]
    if problems:
        return _json({"status": "unavailable", "unavailable": problems}, 503)
    return _json({"status": "ok", "unavailable": []})


@reads(router, "/metrics", "Figures for Prometheus.")
async def figures(request: Request) -> Response:
    service, threads = request.app.state.service, request.app.state.threads
    inbox = partial(inbox_backlog, service.settings)
    text = await threads.run(lambda: metrics.exposition(service.backlog, inbox))
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _json(content: object, status: int = 200) -> Response:
    return Response(dumps(content), status, media_type="application/json")
