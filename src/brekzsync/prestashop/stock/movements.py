"""Movements as PrestaShop records them when an employee sets a quantity (facts/prestashop.md section 1, C1, K7, K8).

It records none for its webservice, nor when an order is placed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select

from brekzsync.domain.shop_stock import Change, Place
from brekzsync.errors import ConfigurationError
from brekzsync.prestashop.connection import ShopDatabase, Snapshot, number, text
from brekzsync.prestashop.shops import read_settings, time_zone_of
from brekzsync.prestashop.stock.tables import StockTables
from brekzsync.prestashop.tables import ShopTables, shop_tables

_MORE = ("PS_STOCK_MVT_INC_EMPLOYEE_EDITION", "PS_STOCK_MVT_INC_REASON_DEFAULT")
_LESS = ("PS_STOCK_MVT_DEC_EMPLOYEE_EDITION", "PS_STOCK_MVT_DEC_REASON_DEFAULT")


class _Custom(NamedTuple):
    """How movements are written at one place: reasons for more and for less, and the clock on the wall."""

    more: int
    less: int
    zone: ZoneInfo


class Movements:
    """Rows of ``stock_mvt``, in the name of one employee."""

    def __init__(self, employee: Mapping[str, Any], customs: Sequence[_Custom]) -> None:
        self._employee = employee
        self._customs = customs

    def rows(self, changes: Iterable[Change], now: datetime) -> Iterator[dict[str, Any]]:
        """One for each change; ``now`` is aware."""
        for change in changes:
            delta, custom = change.after - change.before, self._customs[change.place]
            yield {
                "id_stock": change.id_stock_available,
                "id_stock_mvt_reason": custom.more if delta > 0 else custom.less,
                **self._employee,
                "physical_quantity": abs(delta),
                "date_add": f"{now.astimezone(custom.zone):%Y-%m-%d %H:%M:%S}",
                "sign": 1 if delta > 0 else -1,
            }


def read_movements(
    database: ShopDatabase, prefix: str, places: Sequence[Place], id_employee: int, tables: StockTables
) -> Movements:
    """Raises ConfigurationError when there is no such employee."""
    employee, shops = tables.employee.c, shop_tables(prefix)
    with database.snapshot() as snapshot:
        found = snapshot.rows(
            select(employee.lastname, employee.firstname).where(employee.id_employee == id_employee)
        )
        if not found:
            raise ConfigurationError(
                f"[stock] movement_employee = {id_employee} is not an employee of this PrestaShop.",
                hint="Give the id of one (Advanced Parameters > Team in the back office), or 0 to record none.",
            )
        names = {"employee_lastname": text(found[0][0]), "employee_firstname": text(found[0][1])}
        customs = [_custom(snapshot, shops, place) for place in places]
    return Movements({"id_employee": id_employee, **names}, customs)


def _custom(snapshot: Snapshot, tables: ShopTables, place: Place) -> _Custom:
    id_shop_group = place.id_shop_group
    if place.id_shop:
        shop = tables.shop.c
        found = snapshot.rows(select(shop.id_shop_group).where(shop.id_shop == place.id_shop))
        id_shop_group = number(found[0][0]) if found else 0
    names = ("PS_TIMEZONE", *_MORE, *_LESS)
    settings = read_settings(snapshot, tables, place.id_shop, id_shop_group, names)
    return _Custom(
        _reason(settings, _MORE, 1),
        _reason(settings, _LESS, 2),
        time_zone_of(settings.get("PS_TIMEZONE") or "UTC"),
    )


def _reason(settings: Mapping[str, str], names: Sequence[str], otherwise: int) -> int:
    """``otherwise`` is what an installation starts with."""
    return next((int(settings[name]) for name in names if settings.get(name, "").isdecimal()), otherwise)
