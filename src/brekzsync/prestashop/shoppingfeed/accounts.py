"""Which shops sell on the marketplace, and through which accounts: the module's tokens and the configured one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select

from brekzsync import logs
from brekzsync.domain.marketplace import Account
from brekzsync.prestashop.connection import Snapshot, number, text
from brekzsync.prestashop.orders.repository import chosen_shops
from brekzsync.prestashop.shoppingfeed.tables import MarketplaceTables
from brekzsync.prestashop.shops import read_settings, time_zone_of
from brekzsync.prestashop.tables import ShopTables

SHIPMENT_SYNC = "SHOPPING_FLUX_STATUS_SHIPPED"
CANCELLATION_SYNC = "SHOPPING_FLUX_STATUS_CANCELED"
MODULE_SYNC = "SHOPPINGFEED_ORDER_SYNC_ENABLED"
_SETTINGS = ("PS_TIMEZONE", "PS_SHOP_NAME", SHIPMENT_SYNC, CANCELLATION_SYNC, MODULE_SYNC)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketplaceOptions:
    """What the configuration says. ``shops`` are names or ids, empty for those that have an account; ``token``, when
    set, replaces those of the module; ``store_id`` is for accounts whose store the module does not know."""

    table_prefix: str
    shops: Sequence[str] = ()
    token: str = field(default="", repr=False)
    store_id: int | None = None


class SellingShop(NamedTuple):
    """A shop whose marketplace orders count; ``settings`` are those it has or inherits, of those read here."""

    id_shop: int
    name: str
    time_zone: ZoneInfo
    settings: Mapping[str, str]

    @property
    def own_carrier(self) -> str:
        """What PrestaShop shows for a carrier named ``0``: the shop's name without the characters it forbids."""
        name = self.settings.get("PS_SHOP_NAME") or self.name
        return name.replace("#", "").replace(";", "").strip()


class _Shop(NamedTuple):
    name: str
    id_shop_group: int
    is_open: bool


def read_accounts(
    snapshot: Snapshot,
    tables: MarketplaceTables,
    shop_tables: ShopTables,
    options: MarketplaceOptions,
    has: set[str],
) -> tuple[dict[int, SellingShop], list[Account]]:
    """The shops in play by id, and every account, also of other shops: what was sent through one is asked for there.

    ``has`` are the columns of the token table, none where the module has no such table. Not in raw mode.
    """
    shops = _read_shops(snapshot, shop_tables)
    accounts = _read_tokens(snapshot, tables, options, has) if has else []
    ids = chosen_shops(
        {id_shop: shop.name for id_shop, shop in shops.items()}, options.shops, "[marketplace] shops"
    )
    if not ids:
        ids = {account.id_shop for account in accounts if account.is_active} & shops.keys()
    if not ids and not accounts and options.token.strip():
        ids = {id_shop for id_shop, shop in shops.items() if shop.is_open}
    if not accounts and options.token.strip():
        accounts = [
            Account(id=0, id_shop=id_shop, token=options.token.strip(), store_id=options.store_id)
            for id_shop in sorted(ids)
        ]
    # The module keeps its tokens in clear: the log must not.
    logs.hide(account.token for account in accounts)
    selling = {id_shop: _selling(snapshot, shop_tables, id_shop, shops[id_shop]) for id_shop in sorted(ids)}
    return selling, accounts


def _read_shops(snapshot: Snapshot, tables: ShopTables) -> dict[int, _Shop]:
    """Every shop, deleted ones too: their orders are still there."""
    shop = tables.shop.c
    statement = select(shop.id_shop, shop.name, shop.id_shop_group, shop.active, shop.deleted)
    return {
        number(row[0]): _Shop(text(row[1]), number(row[2]), bool(number(row[3])) and not number(row[4]))
        for row in snapshot.rows(statement.order_by(shop.id_shop))
    }


def _selling(snapshot: Snapshot, tables: ShopTables, id_shop: int, shop: _Shop) -> SellingShop:
    settings = read_settings(snapshot, tables, id_shop, shop.id_shop_group, _SETTINGS)
    return SellingShop(id_shop, shop.name, time_zone_of(settings.get("PS_TIMEZONE") or "UTC"), settings)


def _read_tokens(
    snapshot: Snapshot, tables: MarketplaceTables, options: MarketplaceOptions, has: set[str]
) -> list[Account]:
    token = tables.token.c
    names = ["id_shoppingfeed_token", "id_shop", "content", "active"]
    names += ["shoppingfeed_store_id"] * ("shoppingfeed_store_id" in has)
    statement = select(*(token[name] for name in names)).order_by(token.id_shoppingfeed_token)
    return [_account(*row, options=options) for row in snapshot.rows(statement)]


def _account(
    id_token: Any,
    id_shop: Any,
    content: Any,
    active: Any,
    store_id: Any = None,
    *,
    options: MarketplaceOptions,
) -> Account:
    own = options.token.strip()
    value = own or text(content).strip()
    return Account(
        id=whole(id_token),
        id_shop=whole(id_shop),
        token=value,
        store_id=whole(store_id) or options.store_id,
        is_active=bool(
            own or (value and whole(active))
        ),  # with a token of ours the rows only map stores and shops
    )


def whole(value: Any) -> int:
    """A raw id as an integer; what is none, as NULL, counts as 0: the module writes either where it has none."""
    digits = text(value).strip()
    return int(digits) if digits.isascii() and digits.isdecimal() else 0
