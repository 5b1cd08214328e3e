"""The ERP's delivery notes, with how far the orders they belong to have come.

A note is a row of ``orhkrg`` with its lines in ``orhsrg``; an order has several when it was delivered in parts, and
none before the first (facts/exact-globe.md section 6).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from itertools import groupby
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Date,
    Engine,
    MetaData,
    Select,
    String,
    Table,
    and_,
    bindparam,
    case,
    func,
    select,
    type_coerce,
)
from sqlalchemy.types import NullType

from brekzsync.domain.erp_deliveries import DeliveryNote, ErpShipment
from brekzsync.domain.texts import normalise_code
from brekzsync.errors import ConfigurationError
from brekzsync.exact.codes import among, batches, compared
from brekzsync.exact.columns import missing_columns
from brekzsync.exact.connection import erp_errors, named
from brekzsync.exact.statements import fixed, in_pages, is_goods
from brekzsync.exact.tables import FREE_LENGTH, GlobeTables, globe_tables
from brekzsync.exact.values import day, quantity, text

NEEDED = "tables orkrg, orsrg, orhkrg and orhsrg as they are read"


class DeliveryRepository:
    """Reads delivery notes and orders; raises the errors of ``erp_errors``, also in mid-stream.

    ``tracking`` names the column that holds tracking numbers, as ``orkrg.freefield1`` (one for all of an order's
    notes) or ``orhkrg.ExternalNumber``; empty: none are read. One that this administration lacks raises
    ``ConfigurationError``.
    """

    def __init__(self, engine: Engine, tracking: str = "") -> None:
        self._engine = engine
        self._tables, self._tracking = tables_with(globe_tables(engine.dialect.name), tracking)

    def deliveries(self, since: date | None = None) -> Iterator[ErpShipment]:
        """Every order that has a delivery note, each reference once, in no order; complete or an error.

        Memory stays flat. With ``since`` only orders with a note of that day or later, then with all their notes;
        orders without a reference are left out.
        """
        statement = deliveries(self._tables, self._tracking, since=since is not None)
        with self._asked() as connection:
            pages = connection.execute(in_pages(statement), {"since": since} if since else {}).partitions()
            yield from _shipments(row for page in pages for row in page)

    def of(self, references: Collection[str]) -> list[ErpShipment]:
        """Those of the orders with these references; no order without a delivery note is among them."""
        statement = deliveries(self._tables, self._tracking, some=True)
        found: list[ErpShipment] = []
        with self._asked() as connection:
            for batch in batches(references):
                rows = connection.execute(statement, {"references": batch.spellings})
                found += (one for one in _shipments(rows) if one.reference in batch.wanted)
        return found

    def check_tracking(self) -> None:
        """Raise ``ConfigurationError`` where the tracking numbers' column is not there."""
        with self._asked():
            pass

    @contextmanager
    def _asked(self) -> Iterator[Connection]:
        with erp_errors(self._engine.url, NEEDED), self._engine.connect() as connection:
            column = self._tracking
            if column is not None and column.name in missing_columns(connection, column.table):
                erp = named(self._engine.url)
                raise ConfigurationError(
                    f"{erp[0].upper()}{erp[1:]} has no column {column.name} in {column.table.name}, which is to hold"
                    " the tracking numbers.",
                    hint="Correct tracking under [shipments], or leave it empty: then none are taken over.",
                    code="tracking_column_missing",
                )
            yield connection


def tables_with(tables: GlobeTables, tracking: str) -> tuple[GlobeTables, Column[str] | None]:
    """The tables, declared with the column that ``tracking`` names, and that column; None when it names none."""
    if not tracking:
        return tables, None
    table_name, _, name = tracking.partition(".")
    declared: Table = getattr(tables, table_name)
    for column in declared.c:
        if column.name.lower() == name.lower():
            return tables, column
    table = declared.to_metadata(MetaData(schema=declared.schema))
    table.append_column(Column(name, String(FREE_LENGTH)))
    extended = replace(tables, orkrg=table) if table_name == "orkrg" else replace(tables, orhkrg=table)
    return extended, table.c[name]


def deliveries(
    tables: GlobeTables, tracking: Column[str] | None, *, since: bool = False, some: bool = False
) -> Select[Any]:
    """Reference, note, day, tracking, quantity, ordered, delivered, whether the order is open; a reference's rows one
    after the other. The last three are NULL for an order that was put away.

    Parameter ``since`` or ``references``, where it is narrowed to them.
    """
    given = tables.orhkrg.c.docnumber.is_not(None), tables.orhkrg.c.docnumber != fixed("")
    notes = _notes(tables, tracking).where(
        *given, *_wanted(tables, tables.orhkrg.c.docnumber, since=since, some=some)
    )
    progress = _progress(tables).where(*_wanted(tables, tables.orkrg.c.docnumber, since=since, some=some))
    note, order = notes.subquery("notes"), progress.subquery("progress")
    return (
        select(*note.c, order.c.ordered, order.c.delivered, order.c.is_open)
        .select_from(note.outerjoin(order, order.c.reference == note.c.reference))
        .order_by(note.c.reference)
    )


def _notes(tables: GlobeTables, tracking: Column[str] | None) -> Select[Any]:
    note, line, order = tables.orhkrg, tables.orhsrg, tables.orkrg
    own = and_(line.c.pakbon_nr == note.c.pakbon_nr, line.c.ordernr == note.c.ordernr)
    source = note.join(line, own)
    if tracking is not None and tracking.table is order:
        source = source.outerjoin(order, order.c.ordernr == note.c.ordernr)
    reference: ColumnElement[Any] = compared(note.c.docnumber, tables.dialect)
    number: ColumnElement[Any] = fixed("") if tracking is None else func.max(tracking)
    return (
        select(
            reference.label("reference"),
            note.c.pakbon_nr.label("number"),
            type_coerce(func.max(note.c.pakbon_dat), NullType()).label("day"),
            number.label("tracking"),
            func.sum(line.c.aant_gelev).label("quantity"),
        )
        .select_from(source)
        .where(note.c.ord_soort == fixed("V"), line.c.aant_gelev != fixed(0))
        .group_by(reference, note.c.pakbon_nr)
    )


def _progress(tables: GlobeTables) -> Select[Any]:
    """Per reference what was ordered and what of that was delivered."""
    header, line = tables.orkrg.c, tables.orsrg.c
    sold = and_(line.ordernr == header.ordernr, is_goods(line.ar_soort), line.esr_aantal > fixed(0))
    reference: ColumnElement[Any] = compared(header.docnumber, tables.dialect)
    of_line = case((line.aant_gelev > line.esr_aantal, line.esr_aantal), else_=line.aant_gelev)
    return (
        select(
            reference.label("reference"),
            func.sum(line.esr_aantal).label("ordered"),
            func.sum(of_line).label("delivered"),
            func.max(case((header.afgehandld == fixed(0), fixed(1)), else_=fixed(0))).label("is_open"),
        )
        .select_from(tables.orkrg.outerjoin(tables.orsrg, sold))
        .where(header.ord_soort == fixed("V"))
        .group_by(reference)
    )


def _wanted(
    tables: GlobeTables, docnumber: Column[str], *, since: bool, some: bool
) -> Iterable[ColumnElement[bool]]:
    if some:
        yield among(docnumber, tables.dialect, "references")
    if since:
        late = tables.orhkrg.alias("late").c
        yield compared(docnumber, tables.dialect).in_(
            select(compared(late.docnumber, tables.dialect)).where(
                late.ord_soort == fixed("V"), late.pakbon_dat >= bindparam("since", type_=Date)
            )
        )


def _shipments(rows: Iterable[Sequence[Any]]) -> Iterator[ErpShipment]:
    for reference, group in groupby(rows, key=lambda row: normalise_code(text(row[0]))):
        if not reference:
            continue
        several = list(group)
        notes = tuple(
            DeliveryNote(text(number), day(moment), text(tracking), quantity(pieces))
            for _, number, moment, tracking, pieces, *_ in several
        )
        *_, ordered, delivered, is_open = several[0]
        if is_open is None:
            pieces = sum(note.quantity for note in notes)
            yield ErpShipment(reference, quantity(pieces), quantity(pieces), True, notes)
        else:
            yield ErpShipment(reference, quantity(ordered), quantity(delivered), not is_open, notes)
