"""The ERP's price lists."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Date, Engine, Select, and_, bindparam, or_, select, type_coerce
from sqlalchemy.types import NullType

from brekzsync.domain.erp_prices import PriceLine, PriceTier
from brekzsync.domain.texts import normalise_code
from brekzsync.exact.codes import among, batches
from brekzsync.exact.connection import erp_errors
from brekzsync.exact.statements import fixed
from brekzsync.exact.tables import GlobeTables, globe_tables
from brekzsync.exact.values import PRICE_DECIMALS, day, quantity, rounded, text

NEEDED = "price lists (tables staffl and stfoms)"


class PriceListRepository:
    """Reads ``staffl`` and ``stfoms``, which the demo's ERP lacks; raises the errors of ``erp_errors``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tables = globe_tables(engine.dialect.name)

    def valid_on(self, today: date, codes: Collection[str]) -> Iterator[PriceLine]:
        """The lines of sales price lists for these items that hold on a day of the ERP's, in no order.

        Lines of item groups and prices agreed with one customer are not among them.
        """
        days = {"today": today, "tomorrow": today + timedelta(days=1)}
        with erp_errors(self._engine.url, NEEDED), self._engine.connect() as connection:
            statement = valid_lines(self._tables)
            for batch in batches(codes):
                for row in connection.execute(statement, {"codes": batch.spellings, **days}):
                    line = _line(row)
                    if line.code in batch.wanted:
                        yield line


def valid_lines(tables: GlobeTables) -> Select[Any]:
    """Price lines for the parameters ``codes``, ``today`` and ``tomorrow`` (both days, without a time)."""
    line, head = tables.staffl.c, tables.stfoms.c
    lists = and_(head.prijslijst == line.prijslijst, head.type == fixed("S"))
    return (
        select(
            line.prijslijst,
            line.artcode,
            line.prijs83,
            line.kort_pbn,
            line.aantal1,
            line.bedr1,
            line.aantal2,
            line.bedr2,
            line.unitcode,
            line.unitfactor,
            # Read as the driver gives them: SQLite keeps them as text of one form or another.
            type_coerce(line.validfrom, NullType()).label("validfrom"),
            type_coerce(line.validto, NullType()).label("validto"),
            head.valcode,
        )
        .join_from(tables.staffl, tables.stfoms, lists)
        .where(
            among(line.artcode, tables.dialect),
            line.LineType == fixed(1),
            line.AccountID.is_(None),
            # Before tomorrow, not up to today: a first day may carry a time, and SQLite compares text.
            or_(line.validfrom.is_(None), line.validfrom < bindparam("tomorrow", type_=Date)),
            or_(line.validto.is_(None), line.validto >= bindparam("today", type_=Date)),
        )
    )


def _line(row: Any) -> PriceLine:
    price_list, code, price, kind, *tiers, unit, factor, starts, ends, currency = row
    pairs = ((tiers[0], tiers[1]), (tiers[2], tiers[3]))
    return PriceLine(
        text(price_list),
        normalise_code(text(code)),
        rounded(price, PRICE_DECIMALS),
        text(kind),
        tuple(PriceTier(quantity(of), rounded(value, PRICE_DECIMALS)) for of, value in pairs if of),
        text(unit),
        quantity(factor),
        day(starts),
        day(ends),
        text(currency),
    )
