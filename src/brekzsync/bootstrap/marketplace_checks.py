"""Whether the shop lets its orders be told to the marketplace: for ``doctor``, and before the flow is switched on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from brekzsync.bootstrap.order_status import marketplace_orders, push_rules, status_rules
from brekzsync.domain.findings import Check, Finding, Verdict, passed, skipped, warning
from brekzsync.domain.marketplace import Account
from brekzsync.errors import AccessDenied, BrekzsyncError, ConfigurationError, Unavailable
from brekzsync.flows.configuration.orders import order_states
from brekzsync.flows.order_status.refusals import refuse_conflicts
from brekzsync.marketplace.health import MarketplaceHealth
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.health import CONNECT_TIMEOUT
from brekzsync.prestashop.mapping_facts import read_order_facts
from brekzsync.prestashop.shoppingfeed.repository import OpenMarketplaceOrders

if TYPE_CHECKING:
    from brekzsync.settings import Settings

_NOT_CONFIGURED = "Not configured: [marketplace] says nothing."
_MAP = "Set [marketplace] shipped_states = [4] and its siblings to the states (id_order_state) that mean it."
_MODULE = "marketplace module"


def refuse_other_modules(settings: Settings) -> None:
    """Raises ConfigurationError while another module of the shop tells the marketplace, as every run does."""
    rules = push_rules(settings)
    with _opened(settings) as shop:
        refuse_conflicts(
            shop.syncs(),
            allow_when_absent=rules.allow_when_absent,
            allow_module_sync=rules.allow_module_sync,
        )


def marketplace_checks(settings: Settings) -> tuple[list[Check], list[Check]]:
    """Those of the shop, and those of the marketplace's API."""
    own = settings.marketplace
    of_shop = [
        Check(system="shop", name=_MODULE, look=partial(_module, settings), needs=("tables",)),
        Check(system="shop", name="other modules", look=partial(_others, settings), needs=(_MODULE,)),
        Check(system="shop", name="marketplace states", look=partial(_states, settings), needs=("tables",)),
    ]
    health = MarketplaceHealth(own.base_url, own.token.get_secret_value(), own.store_id)
    accounts = Check(system="marketplace", name="accounts", look=partial(_api, settings), needs=("token",))
    return of_shop, [*health.checks(), accounts]


def _module(settings: Settings) -> Finding:
    """The shoppingfeed module is there, with an account; its orders and their parcels can be read."""
    is_in_use = settings.marketplace.is_in_use
    try:
        with _opened(settings) as shop:
            active = _active(shop)
            order = next(iter(shop.orders()), None) if is_in_use else None
            shop.parcels([order.id_order] if order else [])
    except (AccessDenied, ConfigurationError):
        if is_in_use:
            raise
        return skipped(_NOT_CONFIGURED)
    count = "1 active account" if len(active) == 1 else f"{len(active)} active accounts"
    if active and status_rules(settings).is_empty:
        text = f"The module shoppingfeed has {count}, and [marketplace] names no order state: the marketplace is told"
        return warning(f"{text} of nothing.", f"{_MAP} If something else tells it, all is well.")
    if not is_in_use:
        return skipped(_NOT_CONFIGURED)
    if not active:
        raise ConfigurationError(
            "The module shoppingfeed has no active account in the shops that count, and [marketplace] token is empty.",
            hint="Add the account in the shoppingfeed module, or set [marketplace] token.",
            code="no_marketplace_account",
        )
    found = "its orders and their parcels can be read" if order else "there are no orders of it yet"
    return passed(f"The module shoppingfeed has {count}; {found}.")


def _others(settings: Settings) -> Finding:
    if not settings.marketplace.is_in_use:
        return skipped(_NOT_CONFIGURED)
    refuse_other_modules(settings)
    return passed("No other module tells the marketplace of order statuses.")


def _states(settings: Settings) -> Finding:
    """The states that mean something are states of this shop."""
    if not settings.marketplace.is_in_use:
        return skipped(_NOT_CONFIGURED)
    rules = status_rules(settings)
    if rules.is_empty:
        return warning("[marketplace] names no order state, so no run begins.", _MAP)
    database = ShopDatabase(settings.shop.database.get_secret_value(), connect_timeout=CONNECT_TIMEOUT)
    try:
        facts = read_order_facts(database, settings.shop.table_prefix, 0)
    finally:
        database.dispose()
    if facts.states is None:
        return warning(
            "Which order states the shop has cannot be looked up.",
            "GRANT SELECT on its tables order_state and order_state_lang to the shop's user.",
        )
    wrong = [one for one in order_states(settings, facts) if one.section == "marketplace"]
    if wrong:
        raise ConfigurationError(
            " ".join(f"[marketplace] {one.key}: {one.message}" for one in wrong),
            hint="`brekzsync config check` lists the states there are.",
            code="unknown_order_state",
        )
    named = sorted(frozenset().union(*rules))
    return passed(f"All states that [marketplace] names are there: {', '.join(map(str, named))}.")


def _api(settings: Settings) -> Finding:
    """The API takes the token of every account, for its store."""
    if not settings.marketplace.is_in_use:
        return skipped(_NOT_CONFIGURED)
    try:
        with _opened(settings) as shop:
            accounts = _active(shop)
    except BrekzsyncError:
        return skipped(f'The accounts cannot be read; "{_MODULE}" says why.')
    if not accounts:
        return skipped("There is no active account.")
    return _together([_taken(settings, account) for account in _different(accounts)])


def _active(shop: OpenMarketplaceOrders) -> list[Account]:
    """The accounts that orders of the shops in play can be told through."""
    ids = {one.id_shop for one in shop.syncs()}
    return [account for account in shop.accounts() if account.is_active and account.id_shop in ids]


def _different(accounts: Sequence[Account]) -> list[Account]:
    """One of several that come to the same."""
    return list({(account.token, account.store_id): account for account in reversed(accounts)}.values())[::-1]


def _taken(settings: Settings, account: Account) -> Finding:
    address = settings.marketplace.base_url
    try:
        return MarketplaceHealth(address, account.token, account.store_id).token()
    except Unavailable as error:
        if urlsplit(address).hostname not in ("localhost", "127.0.0.1", "::1"):
            raise
        return warning(
            error.message, "If this is the demo: it answers while `brekzsync demo marketplace` runs."
        )
    except BrekzsyncError as error:
        if account.id:
            error.message = f"Account {account.id} of the module shoppingfeed: {error.message}"
        raise


def _together(findings: Sequence[Finding]) -> Finding:
    worse = next((one for one in findings if one.verdict is not Verdict.PASSED), None)
    if worse is not None or len(findings) == 1:
        return worse or findings[0]
    return passed(f"{len(findings)} accounts: {' '.join(one.detail for one in findings)}")


@contextmanager
def _opened(settings: Settings) -> Iterator[OpenMarketplaceOrders]:
    orders = marketplace_orders(settings)
    try:
        with orders.open() as opened:
            yield opened
    finally:
        orders.dispose()
