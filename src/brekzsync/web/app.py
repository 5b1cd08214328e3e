"""The application: routes, and around every request the door, the limits, the log line and the figures."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from brekzsync import logs
from brekzsync.bootstrap.serve import Service, open_service
from brekzsync.errors import BrekzsyncError
from brekzsync.exact.eexact.messages import UnreadableMessages
from brekzsync.settings import load_settings
from brekzsync.web import metrics
from brekzsync.web.auth import ExactDoor
from brekzsync.web.errors import Problem, answer, is_exact
from brekzsync.web.limits import Threads, busy
from brekzsync.web.networks import AllowedNetworks
from brekzsync.web.routes import operations, orders, products, webhooks
from brekzsync.web.routes.webhooks import WebhookDoor
from brekzsync.web.running import end_with_parent
from brekzsync.web.webhooks import Webhooks

if TYPE_CHECKING:
    from brekzsync.settings import Settings

_logger = logging.getLogger("brekzsync.web")
UNSENT = 499
"""The status that is noted for a request whose client went away before there was an answer."""


def create() -> ASGIApp:
    """The application of one process, for the configuration the environment names."""
    settings = load_settings(None, os.environ)
    logs.hide(settings.secrets())
    logs.configure(settings.log.file, settings.log.level)
    lend_handlers()
    end_with_parent()
    return application(settings, open_service(settings))


def lend_handlers() -> None:
    """Have uvicorn's own lines, too, without secrets and in our log only."""
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = list(logging.getLogger(logs.ROOT).handlers)
        logger.propagate = False
        logger.setLevel(logging.WARNING)


def application(settings: Settings, service: Service) -> ASGIApp:
    """The routes over ``service``, which is closed when the application ends."""
    threads, receiver = Threads(settings.serve.max_requests), Webhooks(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        receiver.start()
        yield
        receiver.close()
        threads.close()
        service.close()

    shown = settings.serve.docs
    app = FastAPI(
        title="brekzsync",
        lifespan=lifespan,
        docs_url="/docs" if shown else None,
        openapi_url="/openapi.json" if shown else None,
        redoc_url=None,
    )
    app.state.service, app.state.threads, app.state.webhooks = service, threads, receiver
    app.include_router(products.router)
    app.include_router(orders.router)
    app.include_router(webhooks.router)
    app.include_router(operations.router)
    for kind in (Problem, BrekzsyncError, UnreadableMessages, HTTPException, Exception):
        app.add_exception_handler(kind, _handle)
    return Frame(Shortcut(app, WebhookDoor(receiver)), settings)


async def _handle(request: Request, error: Exception) -> Response:
    return answer(request.url.path, error)


class Shortcut:
    """Answers for one item, and takes webhooks, without the layers that find a route and look for what it might
    want: over a thousand times a second they take as long as all the rest."""

    def __init__(self, app: FastAPI, webhook_door: WebhookDoor) -> None:
        self._app = app
        self._webhook_door = webhook_door
        self._route = SimpleNamespace(path=products.ONE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._webhook_door.is_for(scope):
            await self._webhook_door(scope, receive, send)
            return
        found = _ONE_ITEM.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if found is None or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        scope.update(app=self._app, route=self._route, path_params={"key": found[1]})
        response = await products.one(Request(scope, receive))
        await response(scope, receive, send)


_ONE_ITEM = re.compile(products.ONE.replace("{key}", "([0-9]+-[0-9]+)"), re.ASCII)


class Frame:
    """Around every request. Plain ASGI: it costs little, and sees a body to its end."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        token = settings.serve.exact_token.get_secret_value()
        self._door = ExactDoor(token, AllowedNetworks(settings.serve.allowed_networks))
        self._seconds = settings.serve.request_timeout.total_seconds()
        self._most = settings.serve.max_requests
        self._at_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, watched = perf_counter(), _Watched(send)
        self._at_work += 1
        try:
            await self._answer(scope, receive, watched)
        finally:
            self._at_work -= 1
            _note(scope, watched, perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, send: _Watched) -> None:
        path = scope["path"]
        try:
            if is_exact(path):
                self._door.check(scope)
                if self._at_work > self._most:
                    raise busy()
            async with asyncio.timeout(self._seconds):
                await self._app(scope, receive, send)
        except TimeoutError:
            if send.status is not None:
                raise  # half an answer: the connection is closed, so that nobody takes it for a whole one
            late = Problem(503, "too_slow", "The answer took too long.", "Come again.", {"Retry-After": "10"})
            await answer(path, late)(scope, receive, send)
        except Exception as error:
            if send.status is not None:
                raise
            await answer(path, error)(scope, receive, send)


class _Watched:
    """``send``, remembering what was sent."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None
        self.sent = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.sent += len(message.get("body", b""))
        await self._send(message)


def _note(scope: Scope, sent: _Watched, seconds: float) -> None:
    """Count it, and log it without its query: that is where a token may stand."""
    status = sent.status or UNSENT
    method = scope["method"] if scope["method"] in _METHODS else "other"
    metrics.note(_route(scope), method, status, seconds)
    if _is_logged():
        client: Any = scope.get("client") or ("-", 0)
        _logger.info(
            "%s %s %s %d %d bytes %.1f ms",
            client[0],
            scope["method"],
            scope["path"],
            status,
            sent.sent,
            seconds * 1000,
        )


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _route(scope: Scope) -> str:
    """The address's pattern: keys would make a figure of each."""
    return getattr(scope.get("route"), "path", None) or "none"


def _is_logged() -> bool:
    handlers = logging.getLogger(logs.ROOT).handlers
    return _logger.isEnabledFor(logging.INFO) and any(
        not isinstance(handler, logging.NullHandler) for handler in handlers
    )
