"""Orders and refunds over HTTP: what a process of the service answers from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from brekzsync.bootstrap.orders import assembled, order_options
from brekzsync.bootstrap.state import utc_now
from brekzsync.domain.orders.sales_orders import SalesOrder
from brekzsync.domain.sync_flows import FlowSwitch
from brekzsync.domain.texts import normalise_code
from brekzsync.errors import BrekzsyncError
from brekzsync.exact.connection import connect_erp
from brekzsync.exact.eexact.accounts import AccountWriter
from brekzsync.exact.eexact.orders import SalesOrderWriter, order_document
from brekzsync.exact.items import ItemRepository
from brekzsync.exact.orders import OrderRepository
from brekzsync.flows.orders.erp import AskedErp
from brekzsync.flows.orders.feed import OrderFeed
from brekzsync.flows.orders.kinds import Kind
from brekzsync.flows.results import Results
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.orders.repository import ShopOrders

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from brekzsync.settings import Settings
    from brekzsync.state.database import State

_ERP_PATIENCE: Final = 5.0  # seconds: somebody waits for the answer meanwhile
_ERP_PAUSE: Final = 30.0  # seconds one that failed is not asked again
_logger = logging.getLogger("brekzsync.orders")


class OrdersOverHttp(NamedTuple):
    """One target's orders or refunds, to fetch and to report on."""

    feed: OrderFeed
    results: Results


class OrderGateways:
    """The shop's orders and the ERP of one target, for both kinds; ``settings`` are those for the target."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        database = ShopDatabase(settings.shop.database.get_secret_value(), keeps_connections=True)
        self._shop = ShopOrders(database, order_options(settings))
        self._erp = ServedErp(settings.erp.database.get_secret_value())

    def over_http(
        self, kind: Kind[Any], target: str, state: State, switch: Callable[[], FlowSwitch | None]
    ) -> OrdersOverHttp:
        """Orders or refunds, put together."""
        flow = assembled(self._settings, target, state, kind, self._shop, self._erp)
        feed = OrderFeed(flow=flow, switch=switch, document_of=document_of_all)
        return OrdersOverHttp(feed, Results(flow.settlement, utc_now, self._settings.orders.result_timeout))

    def close(self) -> None:
        """Let go of every connection."""
        self._shop.dispose()
        self._erp.close()


class ServedErp:
    """The ERP for requests that follow one another: one that failed is left alone for a while, so that they need
    not all wait for it. Threads may share it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: Engine | None = None
        self._asked: AskedErp | None = None
        self._lock = Lock()

    def __call__(self) -> AskedErp:
        with self._lock:
            asked = self._asked
            failed_at = None if asked is None else asked.failed_at
            if asked is None or (failed_at is not None and monotonic() - failed_at >= _ERP_PAUSE):
                asked = self._asked = self._connected()
            return asked

    def close(self) -> None:
        """Let go of its connections."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _connected(self) -> AskedErp:
        if not self._url:
            return AskedErp(None, None)
        self.close()
        try:
            self._engine = connect_erp(self._url, timeout=_ERP_PATIENCE, attempts=1)
        except BrekzsyncError as error:
            _logger.warning("Exact cannot be asked which orders it has: %s", error.message)
            return AskedErp.away(error)
        return AskedErp(OrderRepository(self._engine), ItemRepository(self._engine))


def document_of_all(orders: Sequence[SalesOrder]) -> bytes:
    """The complete document of these orders; a debtor several of them bring stands in it once, as the last has it."""
    accounts = {
        normalise_code(order.account.code): order.account for order in orders if order.account is not None
    }
    return order_document(
        map(SalesOrderWriter().element, orders), map(AccountWriter().element, accounts.values())
    ).encode()
