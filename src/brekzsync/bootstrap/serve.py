"""The HTTP service: what its processes answer from, and what is checked before it listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from threading import local
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar, cast

from brekzsync.bootstrap.flows import targets_for
from brekzsync.bootstrap.inbox import check_receiving
from brekzsync.bootstrap.orders import order_channel
from brekzsync.bootstrap.products import item_mapping, shop_options
from brekzsync.bootstrap.reading_back import reading_back
from brekzsync.bootstrap.served_orders import OrderGateways, OrdersOverHttp
from brekzsync.bootstrap.state import utc_now
from brekzsync.domain.sync_flows import FLOWS, FlowSwitch
from brekzsync.errors import BrekzsyncError, ConfigurationError, LockHeld
from brekzsync.flows.orders.kinds import KINDS
from brekzsync.flows.products.code_index import CodeIndex
from brekzsync.flows.products.feed import ProductFeed
from brekzsync.flows.products.run import FLOW, ItemMapping
from brekzsync.flows.results import Results
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.images import NoImages, ShopImages
from brekzsync.prestashop.shop import OpenShop, Shop
from brekzsync.state.database import State, open_state

if TYPE_CHECKING:
    from brekzsync.settings import Settings

Read = TypeVar("Read")
Served = TypeVar("Served")
_RECENT: Final = 1.0  # seconds

Backlog = Mapping[tuple[str, str, str], int]
"""How many records wait or failed, by flow, target and status."""


class ProductsOverHttp(NamedTuple):
    """One target's products, to fetch and to report on."""

    feed: ProductFeed
    results: Results


@dataclass(frozen=True, slots=True)
class Service:
    """What one process of the service answers from; threads share it."""

    settings: Settings
    state: State
    products: Mapping[str, ProductsOverHttp]
    orders: Mapping[str, Mapping[str, OrdersOverHttp]]  # by flow and target
    shops: tuple[Shop, ...]
    gateways: tuple[OrderGateways, ...]

    def products_of(self, target: str | None) -> ProductsOverHttp:
        """The target's, or without a name those of the only one that fetches.

        Raises ConfigurationError (``unknown_target``, ``other_channel``).
        """
        return self._of(self.products, target, "products", "[products] channel")

    def orders_of(self, flow: str, target: str | None) -> OrdersOverHttp:
        """Orders or refunds, by the name of their flow; otherwise as ``products_of``.

        Raises ConfigurationError ``not_configured`` too, for a configuration that says nothing of orders.
        """
        names = [target] if target else self.settings.target_names()
        if not any(self.settings.for_target(name).orders.is_in_use for name in names):
            raise ConfigurationError(
                "[orders] is empty in the configuration, so no orders and refunds are served.",
                hint="`brekzsync config check` says what to fill in once something stands there.",
                code="not_configured",
            )
        return self._of(self.orders[flow], target, f"{KINDS[flow].noun}s", "[orders] channel")

    def _of(self, served: Mapping[str, Served], target: str | None, what: str, setting: str) -> Served:
        if target is None and len(served) > 1:
            raise ConfigurationError(
                f"There are several targets: {', '.join(served)}.",
                hint="Name one with ?target=NAME.",
                code="unknown_target",
            )
        name = target or next(iter(served), self.settings.target_names()[0])
        self.settings.for_target(name)  # which knows whether there is such a target
        if name not in served:
            raise ConfigurationError(
                f"Target {name} takes its {what} from files ({setting}), so none are served for it.",
                hint='Set channel = "http", or read the outbox.',
                code="other_channel",
            )
        return served[name]

    def problems(self) -> list[str]:
        """What cannot be reached: ``state``, ``shop``; nothing when all is well."""
        checks: list[tuple[str, Callable[[], object]]] = [("state", self.state.switches.all)]
        checks += [("shop", shop.ping) for shop in self.shops[:1]]
        return [name for name, check in checks if _fails(check)]

    def backlog(self) -> Backlog:
        """For all flows and targets."""
        return {
            (flow.name, target, status): count
            for flow in FLOWS.values()
            for target in targets_for(self.settings, flow)
            for status, count in self.state.sync_log.backlog(flow.name, target).items()
        }

    def close(self) -> None:
        """Let go of every connection."""
        for one in self.products.values():
            one.feed.codes.close()
        for shop in self.shops:
            shop.dispose()
        for gateway in self.gateways:
            gateway.close()
        self.state.close()


def open_service(settings: Settings) -> Service:
    """Open the state; the shop is reached when it is first asked. A missing state is ``state_missing``."""
    state = open_state(settings.state.database.get_secret_value(), create=False)
    shops, products, gateways = [], {}, []
    orders: dict[str, dict[str, OrdersOverHttp]] = {flow: {} for flow in KINDS}
    for target in settings.target_names():
        own = settings.for_target(target)
        database = ShopDatabase(own.shop.database.get_secret_value(), keeps_connections=True)
        shop = Shop(database, shop_options(own))
        shops.append(shop)
        if own.products.channel == "http":
            products[target] = _products(own, target, state, shop)
        if order_channel(own) == "http" and own.orders.is_in_use:
            gateway = OrderGateways(own)
            gateways.append(gateway)
            for flow, kind in KINDS.items():
                orders[flow][target] = gateway.over_http(kind, target, state, _switch(state, flow, target))
    return Service(settings, state, products, orders, tuple(shops), tuple(gateways))


def check_before_listening(settings: Settings, host: str) -> None:
    """Raises ConfigurationError for what would make a service that listens at ``host`` unsafe or useless.

    Runs of an earlier service that ended without a word are told as such.
    """
    if not settings.serve.exact_token.get_secret_value() and not is_loopback(host):
        raise ConfigurationError(
            f"Without a token nothing may be served beyond this machine, and {host} can be reached from others.",
            hint="Set [serve] exact_token (or BREKZSYNC_SERVE__EXACT_TOKEN), or listen at 127.0.0.1.",
            code="token_needed",
        )
    check_receiving(settings)
    service = open_service(settings)
    try:
        for flow, served in {FLOW: service.products, **service.orders}.items():
            for target in served:
                _bury_the_dead(service.state, flow, target)
    finally:
        service.close()


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect there."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _bury_the_dead(state: State, flow: str, target: str) -> None:
    try:
        with state.locks.hold(flow, target):
            state.runs.mark_dead(flow, target, utc_now())
    except LockHeld:
        return  # whoever holds it has done so


def _products(settings: Settings, target: str, state: State, shop: Shop) -> ProductsOverHttp:
    """``settings`` are those for the target."""
    ledger = state.ledger(FLOW, target)
    lease = settings.serve.lease

    def images() -> Any:
        xml, place = settings.exact_xml, settings.shop
        return ShopImages(place.image_dir, place.url) if xml.embed_images else NoImages()

    exclusions = _Recent(state.exclusions.all)
    reading = reading_back(settings, ledger.served, lease)
    feed = ProductFeed(
        target=target,
        clock=utc_now,
        runs=state.runs.of_looks(),
        ledger=ledger,
        served=cast(Any, ledger.served),  # takes outcomes of its own making, field by field the same
        exclusions=state.exclusions.all,
        recent_exclusions=exclusions,
        switch=_switch(state, FLOW, target),
        open_shop=cast(Any, shop.open),  # its catalogue takes its own records back, not any
        glance=cast(Any, shop.glance),
        mapping=_Mappings(settings),
        images=images,
        codes=CodeIndex(),
        lease=lease,
        acknowledges_delivery=settings.products.acknowledged_by == "delivery",
        bundle_components_too=settings.products.bundle_components == "export",
        read_back=reading.a_page if reading else lambda _now: 0,
    )
    return ProductsOverHttp(feed, Results(cast(Any, ledger.served), utc_now, lease))


def _switch(state: State, flow: str, target: str) -> Callable[[], FlowSwitch | None]:
    return _Recent(lambda: state.switches.find(flow, target))


class _Recent(Generic[Read]):
    """What a reading gave, for at most a second."""

    def __init__(self, read: Callable[[], Read]) -> None:
        self._read = read
        self._last: tuple[float, Read] | None = None

    def __call__(self) -> Read:
        last = self._last
        if last is None or monotonic() > last[0]:
            last = self._last = (monotonic() + _RECENT, self._read())
        return last[1]


class _Mappings:
    """The mapping of a data shop, made once for each thread: a mapper remembers the product it is at."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._own = local()

    def __call__(self, shop: Any) -> ItemMapping:
        known = getattr(self._own, "known", None)
        if known is None or known[0] is not shop.data_shop:
            known = (shop.data_shop, item_mapping(self._settings, cast(OpenShop, shop)))
            self._own.known = known
        mapping: ItemMapping = known[1]
        return mapping


def _fails(check: Callable[[], object]) -> bool:
    try:
        check()
    except BrekzsyncError:
        return True
    return False
