"""What the routes of products and of orders have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from brekzsync.bootstrap.serve import Service
from brekzsync.domain.sync_flows import FlowSwitch
from brekzsync.flows.results import Results, Told
from brekzsync.web import results as outcomes
from brekzsync.web.errors import XML, Problem
from brekzsync.web.limits import Threads, body_of
from brekzsync.web.sending import PIECE

Result = TypeVar("Result")


async def in_thread(request: Request, work: Callable[[], Result]) -> Result:
    """Do what waits for databases."""
    threads: Threads = request.app.state.threads
    return await threads.run(work)


async def take_results(request: Request, flow: str, results: Callable[[], Results]) -> Response:
    """Take what became of what was fetched, as eExact Messages or JSON; the answer has the same form."""
    service: Service = request.app.state.service
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "encoded_body", "The body is compressed.", "Send it as it is.")
    body = await body_of(request, service.settings.serve.max_body)
    is_xml = outcomes.is_xml(request.headers.get("content-type", ""), body)

    def work() -> list[Told]:
        read = outcomes.from_xml if is_xml else outcomes.from_json
        return results().take(read(body, flow))

    told = await in_thread(request, work)
    if is_xml:
        return Response(outcomes.told_in_xml(told, flow), media_type=XML)
    return Response(outcomes.told_in_json(told, flow), media_type="application/json")


def refuse_if_off(switch: FlowSwitch | None, flow: str) -> None:
    """Raises Problem 409 when somebody switched the flow off."""
    if switch is not None and not switch.is_enabled:
        why = f": {switch.reason}" if switch.reason else "."
        raise Problem(
            409,
            "flow_disabled",
            f"{switch.by_whom} switched the flow {flow} off{why}",
            f"`brekzsync flows enable {flow}` switches it on; ?preview=1 works meanwhile.",
        )


def pieces(content: bytes) -> Iterator[bytes]:
    """A body in pieces."""
    for start in range(0, len(content), PIECE):
        yield content[start : start + PIECE]
