"""Where the stock of a shop stands: in rows of its own, or in those of its group (facts/prestashop.md section 2).

A group that shares keeps the old rows of its shops, with quantity 0: they are never looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import select

from brekzsync.domain.shop_stock import Place
from brekzsync.errors import ConfigurationError
from brekzsync.prestashop.connection import Snapshot, number, text
from brekzsync.prestashop.stock.tables import StockTables
from brekzsync.prestashop.tables import ShopTables


class Shop(NamedTuple):
    """A shop that is not deleted."""

    name: str
    id_shop_group: int


class Shops(NamedTuple):
    """Shops by id, and the names of the groups whose shops share their stock."""

    shops: Mapping[int, Shop]
    sharing: Mapping[int, str]

    def place_of(self, id_shop: int, name: str) -> Place:
        """Where this shop's stock stands."""
        id_shop_group = self.shops[id_shop].id_shop_group
        return Place(name, 0, id_shop_group) if id_shop_group in self.sharing else Place(name, id_shop, 0)

    def at(self, place: Place) -> list[int]:
        """The shops that sell from a place."""
        if place.id_shop:
            return [place.id_shop]
        return [one for one, shop in self.shops.items() if shop.id_shop_group == place.id_shop_group]


def read_shops(snapshot: Snapshot, shop_tables: ShopTables, stock_tables: StockTables) -> Shops:
    """The shops and sharing groups as they are now; not in raw mode."""
    shop, group = shop_tables.shop.c, stock_tables.shop_group.c
    names = shop_tables.shop_group.c
    shops = snapshot.rows(
        select(shop.id_shop, shop.name, shop.id_shop_group).where(shop.deleted == 0).order_by(shop.id_shop)
    )
    sharing = {
        number(row[0])
        for row in snapshot.rows(select(group.id_shop_group, group.share_stock))
        if number(row[1])
    }
    groups = snapshot.rows(select(names.id_shop_group, names.name).order_by(names.id_shop_group))
    return Shops(
        {number(row[0]): Shop(text(row[1]), number(row[2])) for row in shops},
        {number(row[0]): text(row[1]) for row in groups if number(row[0]) in sharing},
    )


def find_places(known: Shops, wanted: Collection[str], data_shop: int) -> Sequence[Place]:
    """One for each of ``wanted``, under that name; the data shop's where nothing is wanted.

    Raises ConfigurationError for a name that is unknown, and for two that mean the same rows.
    """
    if not wanted:
        return (known.place_of(data_shop, known.shops[data_shop].name),)
    places = [_find(known, name) for name in wanted]
    named: dict[tuple[int, int], str] = {}
    for place in places:
        first = named.setdefault(place[1:], place.name)
        if first != place.name:
            raise ConfigurationError(
                f"[stock] shops names {first!r} and {place.name!r}, which have one stock.",
                hint="Name it once: shops of a group that shares its stock show the same quantity.",
            )
    return tuple(places)


def _find(known: Shops, name: str) -> Place:
    wanted = name.strip().casefold()
    ids = [one for one, shop in known.shops.items() if shop.name.strip().casefold() == wanted]
    if len(ids) > 1:
        raise ConfigurationError(
            f"[stock] shops names {name!r}, and {len(ids)} shops of this PrestaShop are called so.",
            hint=f"Name it by its id: {', '.join(map(str, ids))}.",
        )
    if not ids and wanted.isdecimal() and int(wanted) in known.shops:
        ids = [int(wanted)]
    if ids:
        return known.place_of(ids[0], name)
    groups = [one for one, group in known.sharing.items() if group.strip().casefold() == wanted]
    if len(groups) == 1:
        return Place(name, 0, groups[0])
    raise ConfigurationError(
        f"[stock] shops names {name!r}, which is no shop of this PrestaShop, nor a group that shares its stock.",
        hint=_names(known),
    )


def _names(known: Shops) -> str:
    shops = ", ".join(f"{shop.name!r} ({one})" for one, shop in known.shops.items()) or "none"
    groups = ", ".join(map(repr, known.sharing.values()))
    return f"Name shops by name or id: {shops}" + (f"; or a group: {groups}." if groups else ".")
