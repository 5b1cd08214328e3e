"""A small Shopping Feed over the demo's orders: what order statuses ask of one, answered as it is documented.

It listens on this machine only. Tests make it fail in the ways real ones do (``plan``), or behave as marketplaces do
(``Behaviour``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final

from sqlalchemy.exc import DBAPIError

from brekzsync.demo.local_service import Asked, Fault, LocalService, Reply, port_may_be_taken
from brekzsync.demo.marketplace.answers import Answering
from brekzsync.demo.marketplace.documents import problem
from brekzsync.demo.marketplace.records import MarketplaceRecords
from brekzsync.demo.marketplace.rules import Behaviour, DemoOrder, Taken
from brekzsync.demo.marketplace.seed import DEMO_STORE, DEMO_TOKEN, FILE, shop_orders, shop_tokens
from brekzsync.domain.order_status import Operation
from brekzsync.errors import InvalidInput, PermanentError

_PLAIN: Final = Behaviour()


class DemoMarketplace(LocalService):
    """Shopping Feed's API from ``with`` to its end, for [marketplace] base_url = ``url``.

    ``orders`` (and those of ``add``) are what customers ordered there; ``file`` keeps them, and all that becomes of
    them, beyond the end (SQLite; None: in memory). ``tokens``: the stores of each token. ``behaviour`` may be replaced
    at any time. ``clock`` is that of the tickets; requests are counted by the real one.
    """

    def __init__(
        self,
        orders: Iterable[DemoOrder] = (),
        *,
        file: Path | None = None,
        behaviour: Behaviour = _PLAIN,
        tokens: Mapping[str, Collection[int]] | None = None,
        login: tuple[str, str] | None = None,
        port: int = 0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seed: Callable[[], Iterable[DemoOrder]] = tuple,
    ) -> None:
        super().__init__(port)
        self.behaviour = behaviour
        self._clock = clock
        self._records = MarketplaceRecords(file, seed)
        self._answering = Answering(self._records, tokens or {DEMO_TOKEN: (DEMO_STORE,)}, login, self._now)
        self._allowance = 1.0  # requests that may come at once; it grows with time
        self._counted_at = monotonic()
        self.add(orders)

    @property
    def url(self) -> str:
        """For [marketplace] base_url."""
        return self.origin

    # --- what a test asks of it ---------------------------------------------------------------------------

    def add(self, orders: Iterable[DemoOrder]) -> None:
        """Orders that customers placed; one it knows stays as it is."""
        with self._one_at_a_time:
            self._records.add(orders)

    def taken(self) -> list[Taken]:
        """Every operation it answered with a ticket (202), in the order in which they came; repeated ones too."""
        with self._one_at_a_time:
            self._records.settle(self.behaviour, self._now())
            return self._records.taken()

    def accepted(self) -> dict[int, list[Operation]]:
        """The operations whose tickets succeeded, in the order in which they came, by order id; repeated ones too."""
        found: defaultdict[int, list[Operation]] = defaultdict(list)
        with self._one_at_a_time:
            self._records.settle(self.behaviour, self._now())
            for order, operation in self._records.accepted():
                found[order].append(operation)
        return dict(found)

    def status(self, order: int, store: int = DEMO_STORE) -> str:
        """In which an order is now."""
        with self._one_at_a_time:
            self._records.settle(self.behaviour, self._now())
            return self._records.by_ids(store, [order])[order].status

    def finish(self) -> None:
        """Let every ticket come to its end now, however long it was to take."""
        with self._one_at_a_time:
            at_once = replace(self.behaviour, ticket_delay=0.0, ticket_looks=0, hidden_looks=0)
            self._records.settle(at_once, self._now())

    def plan(self, fault: Fault | Reply, method: str = "", path: str = "", times: int = 1) -> None:
        """The next ``times`` requests of this method whose path holds ``path`` go wrong. A ``Reply`` (``problem(409)``,
        ``limited(1.5)``) is given instead of the true answer, with nothing done."""
        self._plan(fault, lambda asked: asked.method.startswith(method) and path in asked.path, times)

    # --- what is answered ---------------------------------------------------------------------------------

    @property
    def headers(self) -> Mapping[str, str]:
        """None of its own."""
        return {}

    def failure(self, fault: Fault, reply: Reply) -> Reply:
        """As the API, or a proxy before it, words it."""
        match fault:
            case Fault.BUSY:
                return Reply(503, b"<html><body>503 Service Unavailable</body></html>", "text/html")
            case Fault.GARBLED_AFTER:
                return reply._replace(content=reply.content[: len(reply.content) // 2])
        return problem(500)

    def _answer(self, asked: Asked, authorization: str) -> Reply:
        wait = self._wait()
        if wait:
            return limited(wait)
        try:
            if asked.method == "GET":
                self._records.settle(self.behaviour, self._now())
            return self._answering.answer(asked, authorization, self.behaviour)
        except DBAPIError as error:
            return problem(500, f"The demo's {FILE} cannot be used: {error.orig}")

    def _wait(self) -> float:
        """How long a request has to wait for its turn, in seconds."""
        rate = self.behaviour.requests_per_second
        if not rate:
            return 0.0
        now = monotonic()
        self._allowance = min(max(1.0, rate), self._allowance + (now - self._counted_at) * rate)
        self._counted_at = now
        if self._allowance < 1.0:
            return (1.0 - self._allowance) / rate
        self._allowance -= 1.0
        return 0.0

    def _now(self) -> int:
        return int(self._clock().timestamp() * 1000)

    def _close(self) -> None:
        self._records.close()


def limited(wait: float | None = None) -> Reply:
    """HTTP 429, with the seconds to wait where it tells them."""
    headers = {} if wait is None else {"X-RateLimit-Wait": str(round(wait, 3))}
    return problem(429)._replace(headers=headers)


def demo_marketplace(directory: Path, port: int, behaviour: Behaviour) -> DemoMarketplace:
    """That of the demo in ``directory``. Raises InvalidInput where there is none."""
    shop = directory / "shop.db"
    if not shop.is_file():
        raise InvalidInput(
            f"There is no demo in {directory}.",
            hint="Make one: brekzsync demo up --dir FOLDER",
            code="no_demo",
        )
    try:
        with port_may_be_taken(port):
            return DemoMarketplace(
                file=directory / FILE,
                behaviour=behaviour,
                tokens=shop_tokens(shop),
                port=port,
                seed=lambda: shop_orders(shop),
            )
    except DBAPIError as error:
        raise PermanentError(
            f"{directory / FILE} cannot be used: {error.orig}.",
            hint="Let the demo be made anew: brekzsync demo up",
            code="no_demo_marketplace",
        ) from error
