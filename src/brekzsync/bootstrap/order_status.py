"""Order statuses: what a run of ``orders push-status`` or ``tickets check`` is put together from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from brekzsync.bootstrap.notify import notifier_of
from brekzsync.bootstrap.state import utc_now
from brekzsync.domain.order_status import StatusRules, plain
from brekzsync.flows.order_status.book import FLOW
from brekzsync.flows.order_status.rules import PushRules
from brekzsync.flows.order_status.run import TARGET, StatusFlow
from brekzsync.marketplace.shoppingfeed import ShoppingFeed
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.shoppingfeed.accounts import MarketplaceOptions
from brekzsync.prestashop.shoppingfeed.repository import MarketplaceOrders

if TYPE_CHECKING:
    from brekzsync.settings import Settings
    from brekzsync.state.database import State


@contextmanager
def order_status_flow(settings: Settings, state: State) -> Iterator[StatusFlow]:
    """A run for all shops and accounts, put together; nothing is asked yet."""
    marketplace = settings.marketplace
    shop = marketplace_orders(settings)
    try:
        yield StatusFlow(
            clock=utc_now,
            locks=state.locks,
            runs=state.runs,
            ledger=state.ledger(FLOW, TARGET),
            tasks=state.status_tasks(FLOW, TARGET),
            shop=shop,
            connect=lambda token: ShoppingFeed(marketplace.base_url, token, token_name=_token_name(settings)),
            rules=push_rules(settings),
            notifier=notifier_of(settings),
            is_always_dry=marketplace.dry_run,
        )
    finally:
        shop.dispose()


def marketplace_orders(settings: Settings) -> MarketplaceOrders:
    """The shop's marketplace orders; close it with ``dispose``."""
    marketplace = settings.marketplace
    return MarketplaceOrders(
        ShopDatabase(settings.shop.database.get_secret_value()),
        MarketplaceOptions(
            table_prefix=settings.shop.table_prefix,
            shops=tuple(marketplace.shops),
            token=marketplace.token.get_secret_value(),
            store_id=marketplace.store_id,
        ),
    )


def status_rules(settings: Settings) -> StatusRules:
    """What the configuration says of order states."""
    own = settings.marketplace
    return StatusRules(
        shipped=frozenset(own.shipped_states),
        canceled=frozenset(own.canceled_states),
        refunded=frozenset(own.refunded_states),
        delivered=frozenset(own.delivered_states),
        implies_shipped=frozenset(own.implies_shipped),
    )


def _token_name(settings: Settings) -> str:
    """Where the tokens come from, for who must correct one."""
    is_configured = settings.marketplace.token.get_secret_value().strip()
    return "[marketplace] token" if is_configured else "the account in the shoppingfeed module"


def push_rules(settings: Settings) -> PushRules:
    """What the configuration says of telling the marketplace."""
    own = settings.marketplace
    return PushRules(
        states=status_rules(settings),
        shipped_delay=_milliseconds(own.shipped_delay),
        tracking_wait=_milliseconds(own.tracking_wait),
        sends_without_tracking=own.without_tracking == "send",
        joins_parcels=own.parcels == "joined",
        fulfilled_by_channel=frozenset(map(plain, own.fulfilled_by_channel)),
        channel_operations=own.channel_operations,
        canceled_is_done=own.canceled_tickets == "done",
        ticket_wait=_milliseconds(own.ticket_wait),
        attempts=own.attempts,
        allow_when_absent=own.conflict == "allow_when_absent",
        allow_module_sync=own.allow_module_sync,
        first_run_limit=own.first_run_limit,
    )


def _milliseconds(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)
