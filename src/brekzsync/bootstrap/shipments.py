"""Shipments: what a run of ``shipments import`` is put together from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from brekzsync.bootstrap.state import utc_now
from brekzsync.bootstrap.webservice import webservice_of
from brekzsync.domain.shipments import ShipmentRules
from brekzsync.errors import ConfigurationError
from brekzsync.exact.connection import connect_erp
from brekzsync.exact.deliveries import DeliveryRepository
from brekzsync.flows.shipments.importing import FLOW
from brekzsync.flows.shipments.run import ShipmentFlow
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.order_writer import OrderWriter
from brekzsync.prestashop.orders.shipments import ShopShipments

if TYPE_CHECKING:
    from brekzsync.settings import Settings
    from brekzsync.state.database import State


@contextmanager
def shipment_flow(settings: Settings, target: str, state: State) -> Iterator[ShipmentFlow]:
    """A run for one target, put together. Raises what is wrong with the ERP, which is asked at once."""
    own = settings.for_target(target)
    deliveries = _deliveries(own, target)
    with ExitStack() as opened:
        shop = ShopShipments(ShopDatabase(own.shop.database.get_secret_value()), own.shop.table_prefix)
        opened.callback(shop.dispose)

        def connect_writer() -> OrderWriter:
            writer = order_writer(own)
            opened.callback(writer.close)
            return writer

        yield ShipmentFlow(
            target=target,
            clock=utc_now,
            locks=state.locks,
            runs=state.runs,
            ledger=state.ledger(FLOW, target),
            erp=deliveries,
            shop=shop,
            rules=shipment_rules(own),
            connect_writer=connect_writer,
            send_email=own.shipments.send_email,
            first_run_limit=own.shipments.first_run_limit,
        )


def shipment_rules(settings: Settings) -> ShipmentRules:
    """What the configuration says of order states; ``settings`` are those for the target."""
    own = settings.shipments
    return ShipmentRules(
        shipped_state=own.shipped_state,
        partial_state=own.partial_state,
        beyond_states=frozenset(own.beyond_states),
        dead_states=frozenset(settings.orders.dead_states),
    )


def order_writer(settings: Settings) -> OrderWriter:
    """The shop's webservice, to write orders. Raises ConfigurationError where it is not configured."""
    rights = "GET orders, POST order_histories, GET and PUT order_carriers"
    return OrderWriter(webservice_of(settings, "Order states and tracking numbers are written", rights))


def _deliveries(settings: Settings, target: str) -> DeliveryRepository:
    url = settings.erp.database.get_secret_value()
    if not url:
        raise ConfigurationError(
            f"Shipments of target {target} are read from the ERP, and [erp] database is empty.",
            hint="Set [erp] database to the administration's database.",
            code="erp_not_configured",
        )
    return DeliveryRepository(connect_erp(url), settings.shipments.tracking)
