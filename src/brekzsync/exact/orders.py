"""The ERP's sales orders, found by the reference we gave them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import Engine, Select, Table, and_, func, select, type_coerce
from sqlalchemy.types import NullType

from brekzsync.domain.erp_orders import ErpOrder
from brekzsync.domain.texts import normalise_code
from brekzsync.exact.codes import among, batches
from brekzsync.exact.connection import erp_errors
from brekzsync.exact.statements import fixed, in_pages, is_goods
from brekzsync.exact.tables import GlobeTables, globe_tables
from brekzsync.exact.values import flag, quantity, text

NEEDED = "tables orkrg and orsrg as they are read"
NEEDED_NOTES = "tables orkrg and orhkrg as they are read"


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
                for row in connection.execute(statement, {"references": batch.spellings}):
                    order = _order(row)
                    if (reference := normalise_code(order.reference)) in batch.wanted:
                        found.setdefault(reference, []).append(order)
        given = {reference: normalise_code(reference) for reference in references}
        return {reference: found[wanted] for reference, wanted in given.items() if wanted in found}

    def references(self) -> Iterator[str]:
        """The reference of every sales order, open or completed, and of every delivery note, normalised.

        In no order, several times where several have it, none that is empty; complete or an error.
        """
        with erp_errors(self._engine.url, NEEDED_NOTES), self._engine.connect() as connection:
            for table in self._referring():
                statement = in_pages(all_references(table))
                for page in connection.execute(statement).scalars().partitions():
                    for reference in page:
                        if normalised := normalise_code(text(reference)):
                            yield normalised

    def present(self, references: Collection[str]) -> set[str]:
        """Which of these references a sales order or delivery note has, as given."""
        found: set[str] = set()
        with erp_errors(self._engine.url, NEEDED_NOTES), self._engine.connect() as connection:
            for batch in batches(references):
                for table in self._referring():
                    statement = some_references(table, self._tables.dialect)
                    rows = connection.execute(statement, {"references": batch.spellings}).scalars()
                    found |= {normalise_code(text(reference)) for reference in rows} & batch.wanted
        return {reference for reference in references if normalise_code(reference) in found}

    def _referring(self) -> tuple[Table, Table]:
        """Orders first: one that is completed and put away meanwhile is then found among the notes."""
        return self._tables.orkrg, self._tables.orhkrg


def all_references(table: Table) -> Select[Any]:
    """The references of a table's sales orders."""
    return select(table.c.docnumber).where(
        table.c.ord_soort == fixed("V"), table.c.docnumber.is_not(None), table.c.docnumber != fixed("")
    )


def some_references(table: Table, dialect: str) -> Select[Any]:
    """Those of a batch of references, the parameter ``references``."""
    return (
        select(table.c.docnumber)
        .distinct()
        .where(table.c.ord_soort == fixed("V"), among(table.c.docnumber, dialect, "references"))
    )


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
