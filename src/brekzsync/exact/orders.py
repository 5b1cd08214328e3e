"""The ERP's sales orders, found by the reference we gave them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Engine, Select, and_, func, select, type_coerce
from sqlalchemy.types import NullType

from brekzsync.domain.erp_orders import ErpOrder
from brekzsync.domain.texts import normalise_code
from brekzsync.exact.codes import among, batches
from brekzsync.exact.connection import erp_errors
from brekzsync.exact.statements import fixed, is_goods
from brekzsync.exact.tables import GlobeTables, globe_tables
from brekzsync.exact.values import flag, quantity, text

NEEDED = "tables orkrg and orsrg as they are read"


class OrderRepository:
    """Reads ``orkrg`` and ``orsrg``; raises the errors of ``erp_errors``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tables = globe_tables(engine.dialect.name)

    def by_docnumber(self, references: Collection[str]) -> dict[str, list[ErpOrder]]:
        """The sales orders with these references, by reference as given; those of no order are missing.

        One reference may have several orders: the ERP does not keep people from typing it twice.
        """
        found: dict[str, list[ErpOrder]] = {}
        with erp_errors(self._engine.url, NEEDED), self._engine.connect() as connection:
            statement = orders_by_docnumber(self._tables)
            for batch in batches(references):
                for row in connection.execute(statement, {"references": batch}):
                    order = _order(row)
                    found.setdefault(normalise_code(order.reference), []).append(order)
        given = {reference: normalise_code(reference) for reference in references}
        return {reference: found[wanted] for reference, wanted in given.items() if wanted in found}


def orders_by_docnumber(tables: GlobeTables) -> Select[Any]:
    """Orders with what their goods lines add up to, for the parameter ``references``.

    An order without goods lines is an order too: taken for absent, it would be sent a second time.
    """
    header, line = tables.orkrg.c, tables.orsrg.c
    goods = and_(line.ordernr == header.ordernr, is_goods(line.ar_soort))
    # Read as the driver gives them: what is no 0 or 1 is no error here.
    completed = type_coerce(header.afgehandld, NullType()).label("afgehandld")
    return (
        select(
            header.ordernr,
            header.docnumber,
            completed,
            header.fiattering,
            func.sum(line.esr_aantal).label("ordered"),
            func.sum(line.aant_gelev).label("delivered"),
            func.sum(line.aant_fakt).label("invoiced"),
        )
        .select_from(tables.orkrg.outerjoin(tables.orsrg, goods))
        .where(header.ord_soort == fixed("V"), among(header.docnumber, tables.dialect, "references"))
        .group_by(header.ordernr, header.docnumber, header.afgehandld, header.fiattering)
        .order_by(header.ordernr)
    )


def _order(row: Any) -> ErpOrder:
    number, reference, completed, authorised, ordered, delivered, invoiced = row
    return ErpOrder(
        text(number),
        text(reference),
        bool(flag(completed)),
        text(authorised) == "J",
        quantity(ordered),
        quantity(delivered),
        quantity(invoiced),
    )
