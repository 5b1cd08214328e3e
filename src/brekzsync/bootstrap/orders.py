"""Orders and refunds: what a run of ``orders export`` or ``refunds export`` is put together from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from brekzsync.bootstrap.state import utc_now
from brekzsync.domain.items import moment_text, version_text
from brekzsync.domain.orders.rules import OrderRules, folded
from brekzsync.domain.orders.sales_orders import LineKind, SalesOrder
from brekzsync.domain.orders.stored import StoredOrder
from brekzsync.domain.products import vat_key
from brekzsync.errors import Unavailable
from brekzsync.exact.connection import connect_erp
from brekzsync.exact.eexact.accounts import AccountWriter
from brekzsync.exact.eexact.orders import SalesOrderWriter
from brekzsync.exact.items import ItemRepository
from brekzsync.exact.order_outbox import OrderEntry, OrderOutbox
from brekzsync.exact.orders import OrderRepository
from brekzsync.flows.frame import milliseconds
from brekzsync.flows.orders.erp import AskedErp
from brekzsync.flows.orders.kinds import ORDERS, Kind
from brekzsync.flows.orders.run import OrderFlow
from brekzsync.flows.orders.settlement import NoOutbox, Served, Settlement
from brekzsync.flows.products.run import FLOW as PRODUCT
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.orders.repository import OrderOptions, ShopOrders

if TYPE_CHECKING:
    from brekzsync.settings import Settings
    from brekzsync.state.claims import Claims
    from brekzsync.state.database import State

DEBTOR = "debtor"
"""The ledger of debtors the ERP has: the state's own, no flow people know of."""


def order_channel(settings: Settings) -> Literal["files", "http"]:
    """How orders and refunds of a target reach its ERP."""
    return settings.orders.channel or settings.products.channel


def order_folder(settings: Settings, kind: Kind[Any]) -> Path:
    """Where their documents go in the files channel."""
    return (settings.orders.output or settings.products.output) / f"{kind.noun}s"


@contextmanager
def order_flow(settings: Settings, target: str, state: State, kind: Kind[Any]) -> Iterator[OrderFlow]:
    """A run of one kind for one target, put together."""
    own = settings.for_target(target)
    shop = ShopOrders(ShopDatabase(own.shop.database.get_secret_value()), order_options(own))
    try:
        yield assembled(own, target, state, kind, shop, lambda: erp_of(own))
    finally:
        shop.dispose()


def assembled(
    settings: Settings,
    target: str,
    state: State,
    kind: Kind[Any],
    shop: ShopOrders,
    ask_erp: Callable[[], AskedErp],
) -> OrderFlow:
    """The flow over what is open already; ``settings`` are those for the target."""
    ledger = state.ledger(kind.flow, target)
    folder = OrderOutbox(order_folder(settings, kind), kind.topic)
    outbox = folder if order_channel(settings) == "files" else None

    def entries(ids: Sequence[int]) -> dict[int, OrderEntry]:
        return _entries(ledger.claims, ids)

    return OrderFlow(
        kind=kind,
        target=target,
        clock=utc_now,
        locks=state.locks,
        runs=state.runs,
        ledger=ledger,
        orders=state.ledger(ORDERS.flow, target),
        claims=ledger.claims,
        items=state.ledger(PRODUCT, target),
        settlement=settlement_of(settings, target, state, kind),
        open_shop=cast(Any, shop.open),
        rules=lambda opened: order_rules(settings, cast(Any, opened).home_country),
        ask_erp=ask_erp,
        document_of=document_of,
        outbox=outbox,
        write_index=lambda now: folder.write_index(entries, now),
        dead_states=frozenset(settings.orders.dead_states),
        watched_for=settings.orders.watch_changes,
        first_run_limit=settings.orders.first_run_limit,
    )


def settlement_of(settings: Settings, target: str, state: State, kind: Kind[Any]) -> Settlement:
    """What ends claims; ``settings`` are those for the target."""
    ledger = state.ledger(kind.flow, target)
    is_files = order_channel(settings) == "files"
    return Settlement(
        kind=kind,
        claims=cast(Any, ledger.claims),  # takes outcomes of its own making, field by field the same
        served=Served(ledger.served.renew, ledger.served.versions_of_codes),
        ledger=ledger,
        debtors=state.ledger(DEBTOR, target),
        clock=utc_now,
        timeout=settings.orders.result_timeout,
        outbox=OrderOutbox(order_folder(settings, kind), kind.topic) if is_files else NoOutbox(),
    )


def erp_of(settings: Settings) -> AskedErp:
    """The ERP, to be asked within one run. Raises what is wrong with its configuration; one that is away has
    ``trouble``."""
    url = settings.erp.database.get_secret_value()
    if not url:
        return AskedErp(None, None)
    try:
        engine = connect_erp(url)
    except Unavailable as error:
        return AskedErp.away(error)
    return AskedErp(OrderRepository(engine), ItemRepository(engine))


def document_of(order: SalesOrder) -> bytes:
    """The complete document of an order, its debtor's account first where it has one."""
    account = AccountWriter().element(order.account) if order.account else ""
    return SalesOrderWriter().document(order, account)


def _entries(claims: Claims, ids: Sequence[int]) -> dict[int, OrderEntry]:
    """What the index says of unread documents."""
    found = {}
    for (id_, _), claim in claims.of([(one, 0) for one in ids]).items():
        reference = ""
        with suppress(ValueError):  # what another release wrote
            reference = StoredOrder.from_stored(claim.document or "{}").order.your_ref
        seen = moment_text(milliseconds(claim.served_at))
        found[id_] = OrderEntry(reference, seen, version_text(claim.fingerprint, claim.force))
    return found


def order_rules(settings: Settings, home_country: str) -> OrderRules:
    """How orders are mapped; ``home_country`` is the data shop's ISO code."""
    orders = settings.orders
    return OrderRules(
        items={
            LineKind.SHIPPING: orders.shipping_item,
            LineKind.WRAPPING: orders.wrapping_item,
            LineKind.DISCOUNT: orders.discount_item,
            LineKind.REFUND: orders.refund_item,
            LineKind.ROUNDING: orders.rounding_item,
        },
        vat_codes={vat_key(key): code for key, code in settings.exact_xml.vat_codes.items()},
        home_country=home_country,
        rounding_vat_code=orders.rounding_vat_code,
        price_decimals=settings.exact_xml.price_decimals,
        discount_form=orders.discount_form,
        debtor=orders.debtor,
        collective_debtor=orders.collective_debtor,
        debtor_prefix=orders.debtor_prefix,
        payment_methods={folded(name): code for name, code in orders.payment_methods.items()},
        payment_conditions={folded(name): code for name, code in orders.payment_conditions.items()},
        delivery_methods={folded(name): code for name, code in orders.delivery_methods.items()},
        countries=orders.countries,
        warehouse=orders.warehouse,
        costcenter=orders.costcenter,
        selection=orders.selection,
    )


def order_options(settings: Settings) -> OrderOptions:
    """Which orders are read."""
    return OrderOptions(
        table_prefix=settings.shop.table_prefix,
        data_shop=settings.shop.data_shop,
        language=settings.shop.language,
        ready_states=settings.orders.ready_states,
        dead_states=settings.orders.dead_states,
        shops=settings.orders.shops,
    )
