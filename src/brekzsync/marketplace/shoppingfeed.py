"""Shopping Feed's API as the flow of order statuses needs it (facts/shoppingfeed.md section 1)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Unpack
from urllib.parse import quote

from brekzsync.domain.marketplace import Identity, Notice, Refused, RemoteOrder, Submission, Ticket
from brekzsync.domain.order_status import Operation, plain
from brekzsync.errors import ConfigurationError, Unavailable
from brekzsync.marketplace import answers, payloads
from brekzsync.marketplace.answers import Resource
from brekzsync.marketplace.requests import Connection, Options

PAGE_SIZE: Final = 200
MAX_PAGES: Final = 2000
LARGEST_REQUEST: Final = 100  # what the API's own client sends at most
_GONE: Final = (404, 410)
_log = logging.getLogger(__name__)

_KINDS: Final = {
    Operation.SHIP: "order.notify.shipment",
    Operation.CANCEL: "order.notify.cancellation",
    Operation.REFUND: "order.notify.refund",
}
"""What the API calls a ticket; how it calls one of a delivery is documented nowhere."""


class ShoppingFeed:
    """The API with one token; fulfils ``flows.order_status.ports.Marketplace``."""

    def __init__(
        self, base_url: str, token: str, *, page_size: int = PAGE_SIZE, **options: Unpack[Options]
    ) -> None:
        self._connection = Connection(base_url, token, **options)
        self._page_size = page_size

    def close(self) -> None:
        """Let go of its connections."""
        self._connection.close()

    def stores(self) -> Mapping[int, str]:
        """Names of the stores the token is for, by id. It changes nothing: it is the check of a token."""
        try:
            return answers.stores(self._connection.read("/v1/me"))
        except Refused as refused:
            raise self._no_session(str(refused)) from None

    def submit(self, store_id: int, operation: Operation, notices: Sequence[Notice]) -> Submission:
        """One request for whole orders. Whatever it raises but Unclear: it certainly was not carried out."""
        return self.post(store_id, operation, [payloads.element(operation, notice) for notice in notices])

    def post(self, store_id: int, operation: Operation, elements: Sequence[payloads.Element]) -> Submission:
        """One request with elements of ``payloads``. To repeat one of parts of an order is not known to be safe."""
        if len(elements) > LARGEST_REQUEST:
            raise ValueError(f"{len(elements)} orders in one request")
        answer = self._connection.write(f"/v1/store/{store_id}/order/{operation}", payloads.body(elements))
        return answers.submission(answer)

    def tickets(self, store_id: int, batch_id: str) -> Iterator[Ticket]:
        """Every ticket of a batch; none for a batch that is not known (yet)."""
        rows = self._rows(f"/v1/store/{store_id}/ticket", {"batchId": batch_id}, "ticket")
        return map(answers.ticket, rows)

    def ticket(self, store_id: int, number: str) -> Ticket | None:
        """One ticket; None when the API does not know it (any more)."""
        found = self._one(f"/v1/store/{store_id}/ticket/{quote(number, safe='')}") if number else None
        return None if found is None else answers.ticket({"id": number, **found})

    def tickets_of_order(self, store_id: int, feed_id: int, operation: Operation) -> Iterator[Ticket]:
        """The tickets of one order for one operation, whatever their batch."""
        kind = _KINDS.get(operation)
        filters = {"payloadId": str(feed_id), "type": kind or "order"}
        for row in self._rows(f"/v1/store/{store_id}/ticket", filters, "ticket"):
            ticket = answers.ticket(row)
            # A filter the API left out of account must not make another order's ticket ours.
            is_such = ticket.kind == kind if kind else ticket.kind.endswith((".deliver", ".delivery"))
            if is_such and ticket.feed_id == feed_id:
                yield ticket

    def order(self, store_id: int, identity: Identity) -> RemoteOrder | None:
        """The order itself; None when it is not there."""
        if identity.feed_id is None:
            return self._order_by_reference(store_id, identity)
        found = self._one(f"/v1/store/{store_id}/order/{identity.feed_id}")
        return None if found is None else answers.order(found, identity.feed_id)

    def fulfilled_by_channel(self, store_id: int, since: int) -> Iterator[int]:
        """The ids of orders placed since (milliseconds, UTC) that the channel sends itself."""
        moment = datetime.fromtimestamp(since // 1000, UTC).isoformat()
        filters = {"fulfilledBy": "channel", "since": moment}
        for row in self._rows(f"/v1/store/{store_id}/order", filters, "order"):
            order = answers.order(row)
            if order is not None and order.is_fulfilled_by_channel:
                yield order.feed_id

    def _order_by_reference(self, store_id: int, identity: Identity) -> RemoteOrder | None:
        """Two channels may use the same reference."""
        for row in self._rows(f"/v1/store/{store_id}/order", {"reference": identity.reference}, "order"):
            order = answers.order(row)
            if (
                order is not None
                and order.reference == identity.reference
                and plain(order.channel) == plain(identity.channel)
            ):
                return order
        return None

    def _one(self, path: str) -> Resource | None:
        return self._unless_gone(lambda: self._connection.read(path))

    def _rows(self, path: str, filters: Mapping[str, str], name: str) -> Iterator[Resource]:
        """Every row of a collection, over all pages; the pages' own links lead from one to the next."""
        paging = {"page": "1", "limit": str(self._page_size)}
        page = self._unless_gone(lambda: self._connection.read(path, {**filters, **paging}))
        seen: set[str] = set()
        while page is not None:
            yield from answers.embedded(page, name)
            href = answers.next_page(page)
            if href is None:
                return
            path = self._connection.beyond(path, href)
            if path in seen:
                _log.warning("%s comes after itself: the marketplace's list ends there.", href)
                return
            seen.add(path)
            if len(seen) >= MAX_PAGES:
                raise self._endless(name)
            page = self._connection.read(path)

    def _unless_gone(self, ask: Callable[[], Resource]) -> Resource | None:
        try:
            return ask()
        except Refused as refused:
            if refused.status in _GONE:
                return None
            raise

    def _endless(self, name: str) -> Unavailable:
        return Unavailable(
            f"The list of {name}s at {self._connection.base_url} has no end after {MAX_PAGES} pages.",
            hint="Run the same command again later; if that stays so, ask Shopping Feed.",
        )

    def _no_session(self, what: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self._connection.base_url} knows no /v1/me ({what}): it is not Shopping Feed's API.",
            hint="Correct [marketplace] base_url; it is normally https://api.shopping-feed.com.",
        )
