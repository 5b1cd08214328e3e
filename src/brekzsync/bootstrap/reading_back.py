"""Products: reading back from the ERP what it did not report on."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.erp_prices import PriceLine
from brekzsync.errors import AccessDenied, ConfigurationError
from brekzsync.exact.connection import connect_erp
from brekzsync.exact.eexact.items import OPEN_START
from brekzsync.exact.items import ItemRepository
from brekzsync.exact.prices import PriceListRepository
from brekzsync.flows.products.reading_back import ReadingBack

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from brekzsync.settings import Settings
    from brekzsync.state.served import Served

_PATIENCE: Final = 5.0  # seconds: somebody waits for the page that is asked for meanwhile


def reading_back(settings: Settings, served: Served, lease: timedelta | None) -> ReadingBack | None:
    """For one target, whose ``settings`` these are; None where results are not awaited or there is no ERP to read."""
    url = settings.erp.database.get_secret_value()
    if not url or settings.products.acknowledged_by != "result":
        return None

    @contextmanager
    def open_erp() -> Iterator[_Reading]:
        engine = connect_erp(url, timeout=_PATIENCE, attempts=1)
        try:
            yield _Reading(engine, settings.exact_xml.special_price_list)
        finally:
            engine.dispose()

    return ReadingBack(served=cast(Any, served), open_erp=open_erp, lease=lease)


class _Reading:
    """The items and special prices of one administration."""

    def __init__(self, engine: Engine, special_price_list: str) -> None:
        self._items = ItemRepository(engine)
        self._prices = PriceListRepository(engine)
        self._list = special_price_list

    def items(self, codes: Collection[str]) -> dict[str, ErpItem]:
        return self._items.some(codes)

    def special_prices(self, codes: Collection[str], today: date) -> dict[str, list[PriceLine]] | None:
        found: dict[str, list[PriceLine]] = {}
        try:
            for line in self._prices.valid_on(today, codes):
                if line.price_list == self._list:
                    found.setdefault(line.code, []).append(_with_its_start(line))
        except (AccessDenied, ConfigurationError):  # tables that are not there, or not ours to read
            return None
        return found


def _with_its_start(line: PriceLine) -> PriceLine:
    """A line without a first day was given the same one as every other such line."""
    return line._replace(starts=None) if line.starts == date.fromisoformat(OPEN_START) else line
