"""Errors as answers: a status, and a body in the form of the part of the service that was asked."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from json import dumps

from starlette.exceptions import HTTPException
from starlette.responses import Response

from brekzsync.errors import (
    AccessDenied,
    BrekzsyncError,
    ConfigurationError,
    InvalidInput,
    LockHeld,
    Unavailable,
)
from brekzsync.exact.eexact.items import escape
from brekzsync.exact.eexact.messages import UnreadableMessages
from brekzsync.logs import redact

EXACT = "/exact"
API = "/api"
XML = "text/xml; charset=utf-8"
_SOON = {"Retry-After": "10"}
_CONFLICTS = frozenset({"other_channel", "not_configured", "needs_baseline"})
_REQUESTS = frozenset({"unknown_target"})
_logger = logging.getLogger("brekzsync.web")


class Problem(Exception):
    """An answer that is not what was asked for."""

    def __init__(
        self, status: int, code: str, message: str, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.headers = dict(headers or {})


def is_exact(path: str) -> bool:
    """Whether the path is in the part that Exact asks, where errors are XML and a token is needed."""
    return path == EXACT or path.startswith(f"{EXACT}/")


def answer(path: str, error: Exception) -> Response:
    """The answer to a request for ``path`` that ended with ``error``."""
    problem = problem_of(error)
    if is_exact(path):
        return Response(xml_error(problem), problem.status, problem.headers, media_type=XML)
    if path == API or path.startswith(f"{API}/"):
        body = _envelope(problem)
    else:
        body = {"error": {"code": problem.code, "message": problem.message, "hint": problem.hint}}
    return Response(dumps(body), problem.status, problem.headers, media_type="application/json")


def _envelope(problem: Problem) -> dict[str, object]:
    """An error under ``/api``: facts/products-sync-api.md A0, with a code and a hint beside it."""
    return {
        "success": False,
        "error": problem.message,
        "data": None,
        "code": problem.code,
        "hint": problem.hint,
    }


def xml_error(problem: Problem) -> bytes:
    """The ``Error`` element."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Error code="{escape(problem.code)}"><Message>{escape(problem.message)}</Message>'
        f"<Hint>{escape(problem.hint)}</Hint></Error>\n"
    ).encode()


def problem_of(error: Exception) -> Problem:
    """Any exception as an answer, without secrets."""
    match error:
        case Problem():
            return error
        case HTTPException():
            return _http(error)
        case UnreadableMessages():
            return Problem(
                400, error.reason, error.message, "Send an eExact document with Messages, in UTF-8."
            )
        case BrekzsyncError():
            return Problem(
                _status(error),
                error.code,
                redact(error.message),
                redact(error.hint),
                _SOON if _status(error) == 503 else None,
            )
        case _:
            _logger.error("unexpected error", exc_info=error)
            return Problem(
                500,
                "unexpected",
                f"Unexpected {type(error).__name__}.",
                "This is a fault in brekzsync; its log file ([log] file) has the details.",
            )


def _status(error: BrekzsyncError) -> int:
    match error:
        case InvalidInput():
            return 400
        case ConfigurationError() if error.code in _CONFLICTS:
            return 409
        case ConfigurationError() if error.code in _REQUESTS:
            return 400
        case ConfigurationError() | Unavailable() | AccessDenied() | LockHeld():
            return 503
        case _:
            return 500


def _http(error: HTTPException) -> Problem:
    headers = dict(error.headers or {})
    if error.status_code == 404:
        return Problem(404, "not_found", "There is nothing under this address.", headers=headers)
    if error.status_code == 405:
        allowed = headers.get("Allow", "")
        return Problem(405, "method_not_allowed", f"This address takes {allowed}.", headers=headers)
    return Problem(error.status_code, "refused", str(error.detail), headers=headers)
