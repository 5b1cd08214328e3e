"""Plays Exact Globe's import on the demo's ERP: the records of an eExact document become rows, one by one.

What Globe does with a document is known in parts only (facts/exact-globe.md sections 2 and 3). Where it is not,
this import does what would hurt most: a sales order whose ``YourRef`` is there already is written a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, NamedTuple
from xml.etree.ElementTree import Element

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, func, select
from sqlalchemy.pool import NullPool

from brekzsync.demo.debtors import DEBTORS, debtor_row, padded
from brekzsync.domain.texts import normalise_code
from brekzsync.exact.eexact.items import OPEN_START
from brekzsync.exact.tables import CODE_LENGTH, WAREHOUSE_LENGTH, GlobeTables, globe_tables

TOPICS: Final = {"Accounts": "Account", "Items": "Item", "ItemPrices": "ItemPrice", "Orders": "Order"}
"""What can be imported, in the order in which one needs the other, and the element of one record."""

CREATED, UPDATED, THERE_ALREADY = "Created", "Updated", "There already"
_REFUSED, _CHANGED, _DONE = 0, 1, 2  # Message@type, facts/exact-globe.md 3.2

_DESCRIPTION_LENGTH = 60
_REFERENCE_LENGTH = 30
_NUMBER_LENGTH = 8
_STOCK_ACCOUNT = "     3000"


class ImportMessage(NamedTuple):
    """What became of one record; ``code`` is what Exact knows it by."""

    topic: str
    code: str
    kind: int
    words: str

    @property
    def is_imported(self) -> bool:
        """Whether the record is in the ERP."""
        return self.kind != _REFUSED

    @property
    def node(self) -> str:
        """The element of such a record."""
        return TOPICS.get(self.topic, "")


class _Refused(Exception):
    """A record is not imported; the message is what Exact says of it."""


def open_erp(path: Path) -> Engine:
    """The demo's ERP, to write to. Raises FileNotFoundError where there is none."""
    if not path.is_file():
        raise FileNotFoundError(2, "there is no such file", str(path))
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": 30, "isolation_level": None})

    @event.listens_for(engine, "connect")
    def no_power_cuts(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")  # a demo: what a kill leaves is whole all the same

    @event.listens_for(engine, "begin")
    def alone(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # another import may be at work: numbers are given once

    return engine


class ExactImport:
    """Imports into one administration. With ``again``, what an import that broke off may have had is taken for
    such: sales orders that are there are passed over."""

    def __init__(self, engine: Engine, now: datetime, *, again: bool = False) -> None:
        self._engine = engine
        self._tables = globe_tables("sqlite")
        self._now = now.astimezone(UTC).replace(tzinfo=None, microsecond=0)
        self._again = again
        with engine.begin() as connection:
            for table in (DEBTORS, self._tables.staffl, self._tables.stfoms):
                table.create(connection, checkfirst=True)

    def topic(self, document: Element, topic: str) -> Iterator[ImportMessage]:
        """Import one topic of a document, record by record, each of them whole or not at all.

        Safe to break off; what was told of by then is in the ERP.
        """
        node = TOPICS[topic]
        for record in document.iterfind(f"{topic}/{node}"):
            code = _code_of(record, topic)
            try:
                with self._engine.begin() as connection:
                    kind, words = self._importers[topic](self, connection, record)
            except _Refused as refusal:
                kind, words = _REFUSED, str(refusal)
            yield ImportMessage(topic, code, kind, words)

    # --- items ------------------------------------------------------------------------------------------------

    def _item(self, connection: Connection, record: Element) -> tuple[int, str]:
        items = self._tables.items
        code = _needed(record.get("code"), "code")
        if len(code) > CODE_LENGTH:
            raise _Refused(f"Code {code} is longer than {CODE_LENGTH} characters")
        known = _held_item(connection, self._tables, code)
        values, changed = _item_values(record)
        values |= {"sysmodified": self._now, "timestamp": _next_version(connection, self._tables)}
        if known is not None:
            connection.execute(items.update().where(items.c.ItemCode == known).values(values))
            return (_CHANGED, f"{UPDATED}; {changed}") if changed else (_DONE, UPDATED)
        _needed(values.get("Description"), "Description")
        fresh = {"Type": "S", "Condition": "A", "IsSalesItem": True, "IsStockItem": False}
        connection.execute(
            items.insert(),
            {**fresh, "ItemCode": _lossy(code), "GLAccountDistribution": _STOCK_ACCOUNT, **values},
        )
        return (_CHANGED, f"{CREATED}; {changed}") if changed else (_DONE, CREATED)

    def _price(self, connection: Connection, record: Element) -> tuple[int, str]:
        """A line of a price list, known again by its list, item and first day."""
        lines, lists = self._tables.staffl, self._tables.stfoms
        code = _held_item(connection, self._tables, _attribute(record, "Item"))
        if code is None:
            raise _Refused(f"Invalid reference: Item {_attribute(record, 'Item')}")
        price_list = _needed(_attribute(record, "PriceList"), "PriceList")
        start = _day(record, "Availability/DateStart") or datetime.fromisoformat(OPEN_START)
        values = {
            "LineType": 1,
            "prijs83": float(_number(record, "Value")),
            "validto": _day(record, "Availability/DateEnd"),
            "unitcode": _attribute(record, "Unit", "unit"),
            "unitfactor": float(_number(record, "Factor")),
        }
        known = (lines.c.prijslijst == price_list) & (lines.c.artcode == code) & (lines.c.validfrom == start)
        if connection.execute(lines.update().where(known).values(values)).rowcount:
            return _DONE, UPDATED
        if connection.scalar(select(lists.c.prijslijst).where(lists.c.prijslijst == price_list)) is None:
            connection.execute(lists.insert(), {"prijslijst": price_list, "type": "S", "valcode": "EUR"})
        line = {"prijslijst": price_list, "artcode": code, "validfrom": start, **values}
        connection.execute(lines.insert(), line)
        return _DONE, CREATED

    # --- orders -----------------------------------------------------------------------------------------------

    def _account(self, connection: Connection, record: Element) -> tuple[int, str]:
        row = debtor_row(_needed(record.get("code"), "code"), _lossy(record.findtext("Name") or ""))
        known = DEBTORS.c.cmp_code == row["cmp_code"]
        if connection.execute(DEBTORS.update().where(known).values(row)).rowcount:
            return _DONE, UPDATED
        connection.execute(DEBTORS.insert(), row)
        return _DONE, CREATED

    def _order(self, connection: Connection, record: Element) -> tuple[int, str]:
        headers, reference = self._tables.orkrg, _code_of(record, "Orders")
        if record.get("type") != "V":
            raise _Refused(f"Invalid type: {record.get('type')}")
        if len(_needed(reference, "YourRef")) > _REFERENCE_LENGTH:
            raise _Refused(f"YourRef {reference} is longer than {_REFERENCE_LENGTH} characters")
        if self._again and _is_there(connection, headers, reference):
            return _DONE, THERE_ALREADY
        debtor = _attribute(record, "OrderedBy/Debtor")
        if connection.scalar(select(DEBTORS.c.debnr).where(DEBTORS.c.cmp_code == padded(debtor))) is None:
            raise _Refused(f"Invalid reference: Debtor {debtor}")
        number = _next_number(connection, headers)
        header = {
            "ordernr": number,
            "ord_soort": "V",
            "docnumber": _lossy(reference),
            "afgehandld": False,
            "fiattering": "J",
            "ordbv_afgd": 0,
            **self._change(connection),
        }
        lines = [self._order_line(connection, record, line, number) for line in record.iterfind("OrderLine")]
        connection.execute(headers.insert(), header)
        if lines:
            connection.execute(self._tables.orsrg.insert(), lines)
        return _DONE, CREATED

    def _order_line(
        self, connection: Connection, order: Element, line: Element, number: str
    ) -> dict[str, object]:
        wanted = _attribute(line, "Item")
        code = _held_item(connection, self._tables, wanted)
        if code is None:
            raise _Refused(f"Invalid reference: Item {wanted}")
        warehouse = _attribute(line, "Warehouse") or _attribute(order, "Warehouse") or "1"
        return {
            "ordernr": number,
            "ar_soort": "V",
            "artcode": code,
            "magcode": warehouse.ljust(WAREHOUSE_LENGTH),
            "esr_aantal": float(_number(line, "Quantity")),
            "aant_gelev": 0.0,
            "aant_fakt": 0.0,
            "afldat": self._now.replace(hour=0, minute=0, second=0),
            **self._change(connection),
        }

    def _change(self, connection: Connection) -> dict[str, object]:
        return {"sysmodified": self._now, "timestamp": _next_version(connection, self._tables)}

    _importers: Final[dict[str, Callable[[ExactImport, Connection, Element], tuple[int, str]]]] = {
        "Items": _item,
        "ItemPrices": _price,
        "Accounts": _account,
        "Orders": _order,
    }


def _item_values(record: Element) -> tuple[dict[str, object], str]:
    """The columns a document says something of, and what Exact changed in them by itself: elements that are
    not there leave what the ERP has."""
    values: dict[str, object] = {}
    changed = ""
    if (description := record.findtext("Description")) is not None:
        values["Description"] = _lossy(description)[:_DESCRIPTION_LENGTH]
        if len(description) > _DESCRIPTION_LENGTH:
            changed = f"Description was cut to {_DESCRIPTION_LENGTH} characters"
    if (condition := record.findtext("Condition")) is not None:
        values["Condition"] = condition
    for name in ("IsSalesItem", "IsStockItem"):
        if (told := record.findtext(name)) is not None:
            values[name] = told in ("1", "true")
    if record.find("Sales/Price/Value") is not None:
        values["SalesPackagePrice"] = float(_number(record, "Sales/Price/Value"))
    if record.find("Sales/Price/VAT") is not None:
        values["SalesVatCode"] = _attribute(record, "Sales/Price/VAT")
    if (gtin := record.findtext("GTIN")) is not None:
        values["GTIN"] = gtin
    return values, changed


def _code_of(record: Element, topic: str) -> str:
    """What Exact knows a record by, as its log names it."""
    if topic == "Orders":
        return (record.findtext("YourRef") or "").strip()
    if topic == "ItemPrices":
        return _attribute(record, "Item")
    return (record.get("code") or "").strip()


def _held_item(connection: Connection, tables: GlobeTables, code: str) -> str | None:
    """The code under which the ERP has an item, as it spells it."""
    column = tables.items.c.ItemCode
    wanted = normalise_code(_lossy(code))
    return connection.scalar(select(column).where(func.upper(func.trim(column)) == wanted).limit(1))


def _is_there(connection: Connection, headers: Table, reference: str) -> bool:
    column = headers.c.docnumber
    return connection.scalar(select(column).where(column == _lossy(reference)).limit(1)) is not None


def _next_number(connection: Connection, headers: Table) -> str:
    """The next order number, right-aligned with blanks before it."""
    last = connection.scalar(select(func.max(headers.c.ordernr)))
    return str(int(last or 0) + 1).rjust(_NUMBER_LENGTH)


def _next_version(connection: Connection, tables: GlobeTables) -> bytes:
    """The next rowversion of the whole database."""
    written = (tables.items, tables.gbkmut, tables.orkrg, tables.orsrg, tables.orhkrg)
    last = [connection.scalar(select(func.max(table.c.timestamp))) for table in written]
    return (max(int.from_bytes(version or b"") for version in last) + 1).to_bytes(8)


def _lossy(text: str) -> str:
    """As a single-byte column keeps it: what its code page lacks becomes a question mark, and two of them where it
    is beyond the first 65,536, which is two letters to SQL Server."""
    letters = (letter if letter <= "\uffff" else letter * 2 for letter in text)
    return "".join(letters).encode("cp1252", "replace").decode("cp1252")


def _needed(text: object, name: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise _Refused(f"Mandatory: {name}")
    return text.strip()


def _attribute(record: Element, path: str, name: str = "code") -> str:
    found = record.find(path)
    return "" if found is None else (found.get(name) or "").strip()


def _number(record: Element, path: str) -> Decimal:
    text = (record.findtext(path) or "").strip()
    try:
        return Decimal(text)
    except InvalidOperation:
        raise _Refused(f"Not a number: {path.rpartition('/')[2]} {text!r}") from None


def _day(record: Element, path: str) -> datetime | None:
    text = (record.findtext(path) or "").strip()
    try:
        return datetime.fromisoformat(text[:10]) if text else None
    except ValueError:
        raise _Refused(f"Not a day: {path.rpartition('/')[2]} {text!r}") from None
