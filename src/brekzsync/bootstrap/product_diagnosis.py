"""Products: what ``products diagnose`` is put together from."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from brekzsync.bootstrap.products import item_mapping, shop_options
from brekzsync.bootstrap.state import spare_the_garbage_collector, utc_now
from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.keys import ProductKey
from brekzsync.exact.connection import connect_erp
from brekzsync.exact.items import ItemRepository
from brekzsync.exact.outbox import Outbox
from brekzsync.flows.products.diagnosis import ProductDiagnosis
from brekzsync.flows.products.run import FLOW
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.shop import OpenShop, Shop
from brekzsync.state.database import State

if TYPE_CHECKING:
    from brekzsync.settings import Settings

_ERP_PATIENCE = 10.0
"""Seconds: a person waits for the answer, and an ERP that is away is part of it."""


@contextmanager
def product_diagnosis(settings: Settings, target: str, state: State) -> Iterator[ProductDiagnosis]:
    """A diagnosis for one target; the ERP is reached when it is first asked."""
    own = settings.for_target(target)
    shop = Shop(ShopDatabase(own.shop.database.get_secret_value()), shop_options(own))
    ledger = state.ledger(FLOW, target)
    outbox = Outbox(own.products.output)
    erp_url = own.erp.database.get_secret_value()

    spare_the_garbage_collector()

    def unread(keys: Collection[ProductKey]) -> dict[ProductKey, str]:
        return {key: _from_here(path) for key, path in outbox.where_unread(keys).items()}

    try:
        yield ProductDiagnosis(
            clock=utc_now,
            open_shop=cast(Any, shop.open),  # its catalogue takes its own records back, not any
            mapping=lambda opened: item_mapping(own, cast(OpenShop, opened)),
            ledger=ledger,
            in_flight=lambda keys: ledger.served.awaiting_result(list(keys)),
            exclusions=state.exclusions.all,
            erp=_ErpWhenAsked(erp_url) if erp_url else None,
            unread=unread,
            exclude_column=own.products.exclude_column,
            bundle_components_too=own.products.bundle_components == "export",
            sends_files=own.products.channel == "files",
            flow_is_on=state.switches.is_enabled(FLOW, target),
        )
    finally:
        shop.dispose()


def _from_here(path: Path) -> str:
    """As one would type it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


class _ErpWhenAsked:
    """The ERP's items; the first question connects."""

    def __init__(self, url: str) -> None:
        self._url = url

    @cached_property
    def _items(self) -> ItemRepository:
        return ItemRepository(connect_erp(self._url, timeout=_ERP_PATIENCE, attempts=1))

    def some(self, codes: Collection[str]) -> dict[str, ErpItem]:
        return self._items.some(codes)

    def held_codes(self) -> Iterator[str]:
        yield from self._items.held_codes()
