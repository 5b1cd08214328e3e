"""What the shop's own modules do about order statuses (facts/shoppingfeed.md section 2.3)."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from brekzsync.domain.order_status import ShopSync
from brekzsync.prestashop.connection import Snapshot, number, text
from brekzsync.prestashop.shoppingfeed.accounts import (
    CANCELLATION_SYNC,
    MODULE_SYNC,
    SHIPMENT_SYNC,
    SellingShop,
)
from brekzsync.prestashop.shoppingfeed.tables import MarketplaceTables

_OLD, _MODULE = "shoppingfluxexport", "shoppingfeed"


def read_syncs(snapshot: Snapshot, tables: MarketplaceTables, shops: Iterable[SellingShop]) -> list[ShopSync]:
    """One for each of these shops, in their order; not in raw mode."""
    enabled = _enabled_in(snapshot, tables)
    return [_sync(shop, enabled) for shop in shops]


def _sync(shop: SellingShop, enabled: dict[str, set[int]]) -> ShopSync:
    old = enabled.get(_OLD)
    # An absent row says nothing, and the module's settings may be there: better asked for than told twice.
    is_module_on = shop.id_shop in enabled.get(_MODULE, {shop.id_shop})
    return ShopSync(
        id_shop=shop.id_shop,
        name=shop.name,
        old_module=None if old is None else shop.id_shop in old,
        old_sync=any(shop.settings.get(name) for name in (SHIPMENT_SYNC, CANCELLATION_SYNC)),
        module_sync=is_module_on and shop.settings.get(MODULE_SYNC, "").strip() not in ("", "0"),
    )


def _enabled_in(snapshot: Snapshot, tables: MarketplaceTables) -> dict[str, set[int]]:
    """The shops each installed module is active in: disabling one in a shop leaves ``active`` as it is."""
    module, enabled = tables.module.c, tables.module_shop.c
    rows = snapshot.rows(
        select(module.name, module.active, enabled.id_shop)
        .select_from(tables.module)
        .outerjoin(tables.module_shop, enabled.id_module == module.id_module)
        .where(module.name.in_((_OLD, _MODULE)))
    )
    found: dict[str, set[int]] = {}
    for name, active, id_shop in rows:
        ids = found.setdefault(text(name).lower(), set())
        if number(active) and id_shop is not None:
            ids.add(number(id_shop))
    return found
