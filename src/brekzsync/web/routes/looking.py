"""Addresses that are read: by GET, and by HEAD for who wants to know only whether they are there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

Answering = Callable[..., Awaitable[Response]]


def reads(router: APIRouter, path: str, summary: str) -> Callable[[Answering], Answering]:
    """Answers at ``path`` by both methods; the description of the addresses names the first."""

    def add(answering: Answering) -> Answering:
        given: dict[str, Any] = {"summary": summary, "response_class": Response}
        router.add_api_route(path, answering, methods=["GET"], **given)
        router.add_api_route(path, answering, methods=["HEAD"], include_in_schema=False, **given)
        return answering

    return add
