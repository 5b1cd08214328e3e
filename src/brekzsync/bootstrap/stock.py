"""Stock: what a run of ``stock sweep``, ``stock diff`` and ``stock update`` is put together from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any, cast

from brekzsync.bootstrap.products import shop_options
from brekzsync.bootstrap.state import spare_the_garbage_collector, utc_now
from brekzsync.bootstrap.webservice import webservice_of
from brekzsync.domain.item_codes import CodeTemplate
from brekzsync.domain.shop_stock import Place, Since
from brekzsync.domain.stock import StockRules
from brekzsync.errors import ConfigurationError
from brekzsync.exact.connection import connect_erp
from brekzsync.exact.stock import Aside, StockRepository
from brekzsync.flows.orders.kinds import ORDERS
from brekzsync.flows.products.run import FLOW as PRODUCT
from brekzsync.flows.stock.codes import ItemCodes, OpenCatalogue
from brekzsync.flows.stock.figures import PlaceRules, Policy
from brekzsync.flows.stock.journal import FLOW
from brekzsync.flows.stock.ports import StockWriter
from brekzsync.flows.stock.run import StockFlow
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.shop import Shop
from brekzsync.prestashop.stock.database_writer import DatabaseStockWriter
from brekzsync.prestashop.stock.repository import ShopStockRepository, StockOptions
from brekzsync.prestashop.stock.webservice_writer import WebserviceStockWriter
from brekzsync.settings.flows import StockShop
from brekzsync.stock_reader import StockOrder, StockReader

if TYPE_CHECKING:
    from brekzsync.settings import Settings
    from brekzsync.state.database import State

_PAGE, _PAGE_OF_REQUESTS = 500, 100
"""Codes read and written together; through the webservice a page takes seconds, and what was read grows old."""


@contextmanager
def stock_flow(settings: Settings, target: str, state: State, *, only: str = "") -> Iterator[StockFlow]:
    """The stock of one target, put together; ``only`` names the one place to write.

    Raises ConfigurationError without an ERP, for a place that is not configured, and for two targets that would
    write the same shop.
    """
    own = settings.for_target(target)
    if not own.erp.database.get_secret_value():
        raise ConfigurationError(
            "There is no ERP whose stock could be read: [erp] database is empty.",
            hint="Set [erp] database; `brekzsync doctor` then tests it.",
            code="erp_not_configured",
        )
    database = ShopDatabase(own.shop.database.get_secret_value())
    shop = Shop(database, shop_options(own))
    spare_the_garbage_collector()
    engine = connect_erp(own.erp.database.get_secret_value())
    try:
        stock = ShopStockRepository(database, stock_options(own))
        _refuse_rivals(settings, target, database, stock.places)
        yield StockFlow(
            target=target,
            clock=utc_now,
            locks=state.locks,
            runs=state.runs,
            ledger=state.ledger(FLOW, target),
            shop=stock,
            erp=StockRepository(engine, _aside(own)),
            codes=ItemCodes(_catalogue(shop), state.ledger(PRODUCT, target), _template(own)),
            policy=_policy(own, stock.places, only),
            since=orders_since(own, target, state),
            today=lambda: _today(shop),
            open_writer=lambda: _writer(own, stock.places),
            looks_again=own.stock.write_via == "webservice",
            page=_PAGE_OF_REQUESTS if own.stock.write_via == "webservice" else _PAGE,
        )
    finally:
        engine.dispose()
        database.dispose()


def stock_options(settings: Settings) -> StockOptions:
    """``settings`` are those for the target."""
    return StockOptions(
        table_prefix=settings.shop.table_prefix,
        data_shop=settings.shop.data_shop,
        language=settings.shop.language,
        dead_states=settings.orders.dead_states,
        shops=list(settings.stock.shops),
        order_shops=settings.orders.shops,
    )


def orders_since(settings: Settings, target: str, state: State) -> Since | None:
    """Which orders go to the target's ERP; None where none do, by configuration or because the flow is off.

    Those since the flow began, or took a baseline; and older ones that it sent or is to send: what the ERP has of them
    is asked of the ERP.
    """
    switch = state.switches.find(ORDERS.flow, target)
    if not settings.orders.is_in_use or (switch is not None and not switch.is_enabled):
        return None
    began = state.runs.began(ORDERS.flow, target)
    if began is None:
        return None
    ledger = state.ledger(ORDERS.flow, target)
    claimed = {claim.key[0] for claim in ledger.claims.open()}
    to_be_sent = {
        row.key_major for row in ledger.rows() if row.fingerprint is None and row.status != "synced"
    }
    return Since(began, frozenset(claimed | to_be_sent))


def _policy(settings: Settings, places: Sequence[Place], only: str) -> Policy:
    wanted = list(settings.stock.shops.values()) or [StockShop()]
    each = [
        PlaceRules(number, place, _warehouses(settings, shop), _rules(settings, shop))
        for number, (place, shop) in enumerate(zip(places, wanted, strict=True))
    ]
    chosen = [one for one in each if not only or _is_named(one.place, only)]
    if not chosen:
        names = ", ".join(
            f"{one.place.name} ({one.place.id_shop or one.place.id_shop_group})" for one in each
        )
        raise ConfigurationError(
            f"Stock is not written for a shop {only!r}; it is for: {names}.",
            hint="Name one of these with --shop, or add it under [stock.shops].",
            code="unknown_shop",
        )
    return Policy(chosen, settings.erp.safety_margin, settings.stock.quantity == "on_hand")


def _is_named(place: Place, name: str) -> bool:
    ids = {str(one) for one in (place.id_shop, place.id_shop_group) if one}
    return name.strip().casefold() == place.name.casefold() or name.strip() in ids


def _warehouses(settings: Settings, shop: StockShop) -> frozenset[str]:
    return frozenset(code.strip().upper() for code in shop.warehouses or settings.erp.warehouses)


def _rules(settings: Settings, shop: StockShop) -> StockRules:
    return StockRules(shop.share, settings.stock.fractions, settings.stock.negatives)


def _catalogue(shop: Shop) -> OpenCatalogue:
    @contextmanager
    def open_catalogue() -> Iterator[Any]:
        with shop.open(utc_now()) as opened:
            yield opened.catalogue(b"")

    return cast(OpenCatalogue, open_catalogue)


def _template(settings: Settings) -> CodeTemplate:
    return CodeTemplate(settings.products.item_code)


def _aside(settings: Settings) -> Aside:
    database = settings.erp.database.get_secret_value()
    return lambda today, warehouses: StockReader(StockOrder(database, today, warehouses))


def _today(shop: Shop) -> date:
    """The shop's day, which is taken for the ERP's."""
    with shop.open(utc_now()) as opened:
        return utc_now().astimezone(opened.time_zone).date()


def _writer(settings: Settings, places: Sequence[Place]) -> StockWriter:
    stock, shop = settings.stock, settings.shop
    if stock.write_via == "database":
        url = stock.database.get_secret_value() or shop.database.get_secret_value()
        return DatabaseStockWriter(url, shop.table_prefix, places, stock.movement_employee, utc_now)
    rights = "GET and PUT stock_availables"
    instead = ' Or write it with [stock] write_via = "database".'
    return WebserviceStockWriter(webservice_of(settings, "Stock is written", rights, instead), places)


def _refuse_rivals(settings: Settings, target: str, database: ShopDatabase, places: Sequence[Place]) -> None:
    """Two targets that fill the same place would undo each other's figures for ever."""
    mine = {place[1:]: place.name for place in places}
    for name in settings.target_names():
        own = settings.for_target(name)
        if name == target or not (own.stock.is_in_use and own.erp.database.get_secret_value()):
            continue
        theirs = {place[1:] for place in ShopStockRepository(database, stock_options(own)).places}
        both = [mine[ids] for ids in mine.keys() & theirs]
        if both:
            raise ConfigurationError(
                f"The targets {target} and {name} would both write the stock of {', '.join(sorted(both))}.",
                hint=f"Give each its own shops under [targets.{target}.stock.shops].",
                code="stock_of_two_targets",
            )
