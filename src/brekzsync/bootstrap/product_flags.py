"""Products: what ``force-sync``, ``exclude`` and ``include`` are put together from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from brekzsync.bootstrap.products import item_mapping, product_run, shop_options
from brekzsync.bootstrap.state import utc_now
from brekzsync.domain.keys import ProductKey, WantedId
from brekzsync.exact.outbox import Outbox
from brekzsync.flows.products.flags import ProductFlags
from brekzsync.flows.products.force_sync import ForceSync
from brekzsync.flows.products.run import FLOW
from brekzsync.flows.products.still_blocked import BlockingRules
from brekzsync.flows.products.withdrawal import Withdrawal, withdraw
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.shop import OpenShop, Shop
from brekzsync.state.database import State

if TYPE_CHECKING:
    from brekzsync.settings import Settings


@contextmanager
def force_sync(settings: Settings, target: str, state: State) -> Iterator[ForceSync]:
    """Forcing for one target."""
    own = settings.for_target(target)
    with _shop(own) as shop:
        yield ForceSync(
            target=target,
            sends_files=own.products.channel == "files",
            flow_is_on=state.switches.is_enabled(FLOW, target),
            clock=utc_now,
            ledger=state.ledger(FLOW, target),
            exclusions=state.exclusions.all,
            open_shop=cast(Any, shop.open),  # its catalogue takes its own records back, not any
            mapping=lambda opened: item_mapping(own, cast(OpenShop, opened)),
            rules=_rules(own),
        )


@contextmanager
def product_flags(settings: Settings, state: State) -> Iterator[ProductFlags]:
    """Excluding and including. The list is one for all targets; evidence is by the first one's rules."""
    own = settings.for_target(settings.target_names()[0])
    with _shop(own) as shop:
        yield ProductFlags(
            clock=utc_now,
            exclusions=state.exclusions,
            open_shop=cast(Any, shop.open),
            rules=_rules(own),
        )


def withdraw_excluded(
    settings: Settings,
    state: State,
    ids: Sequence[WantedId],
    keys: Collection[ProductKey],
    *,
    dry_run: bool,
) -> list[Withdrawal]:
    """Take back what lies unread of them, in the outbox of every target that has one."""
    withdrawals = []
    for target in settings.target_names():
        own = settings.for_target(target).products
        if own.channel != "files":
            continue
        with product_run(settings, target, state, None) as run:
            withdrawals.append(withdraw(run, Outbox(own.output), ids, keys, dry_run=dry_run))
    return withdrawals


@contextmanager
def _shop(settings: Settings) -> Iterator[Shop]:
    shop = Shop(ShopDatabase(settings.shop.database.get_secret_value()), shop_options(settings))
    try:
        yield shop
    finally:
        shop.dispose()


def _rules(settings: Settings) -> BlockingRules:
    return BlockingRules(settings.products.exclude_column, settings.products.bundle_components == "export")
