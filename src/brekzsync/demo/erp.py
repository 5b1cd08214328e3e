"""Fills the demo's ERP: ``data/erp.toml`` becomes the rows an Exact Globe administration would hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import URL, Table, create_engine
from sqlalchemy.pool import NullPool

from brekzsync.demo.debtors import seed_debtors
from brekzsync.demo.rows import Record
from brekzsync.demo.seed import read
from brekzsync.exact.tables import WAREHOUSE_LENGTH, GlobeTables, globe_tables

_STOCK_ACCOUNT = "     3000"
_NUMBER_LENGTH = 8


def seed_erp(path: Path, now: datetime) -> None:
    """Create the demo's ERP as a new SQLite file; days count from ``now`` (aware)."""
    tables = globe_tables("sqlite")
    rows = _ErpRows(tables, now.astimezone(ZoneInfo(read("shop.toml")["timezone"])))
    given = read("erp.toml")
    for item in given["item"]:
        rows.add_item(item)
    for movement in given["movement"]:
        rows.add_movement(movement)
    for order in given["order"]:
        rows.add_order(order)
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool)
    tables.metadata.create_all(engine, tables.everywhere())
    with engine.begin() as connection:
        for table, values in rows.by_table.items():
            connection.execute(table.insert(), values)
        seed_debtors(connection, given.get("debtor", []))


class _ErpRows:
    """Rows by table; numbers and warehouses are padded with blanks as Globe pads them."""

    def __init__(self, tables: GlobeTables, local_now: datetime) -> None:
        self.by_table: defaultdict[Table, list[dict[str, Any]]] = defaultdict(list)
        self._tables = tables
        self._now = local_now.replace(tzinfo=None, microsecond=0)
        self._today = self._now.replace(hour=0, minute=0, second=0)
        self._versions = count(1)

    def add_item(self, item: Record) -> None:
        self._add(
            self._tables.items,
            ItemCode=item["code"],
            Description=item["description"],
            Type="S",
            Condition=item.get("condition", "A"),
            IsSalesItem=True,
            IsStockItem=item.get("stock", True),
            SalesPackagePrice=item["price"],
            SalesVatCode=item.get("vat", "2"),
            GTIN=item.get("gtin"),
            GLAccountDistribution=_STOCK_ACCOUNT,
            sysmodified=self._now,
            timestamp=self._version(),
        )

    def add_movement(self, movement: Record) -> None:
        self._add(
            self._tables.gbkmut,
            artcode=movement["item"],
            aantal=movement["quantity"],
            warehouse=_warehouse(movement["warehouse"]),
            datum=self._day(movement["day"]),
            reknr=_STOCK_ACCOUNT,
            transtype=movement.get("kind", "N"),
            timestamp=self._version(),
        )

    def add_order(self, order: Record) -> None:
        header = {
            "ordernr": order["number"].rjust(_NUMBER_LENGTH),
            "ord_soort": "V",
            "docnumber": order["reference"],
        }
        self._add(
            self._tables.orkrg,
            **header,
            afgehandld=order.get("completed", False),
            fiattering="J",
            ordbv_afgd=1,
            sysmodified=self._now,
            timestamp=self._version(),
        )
        for line in order["lines"]:
            self._add_line(header["ordernr"], line, self._day(order["day"]))
        self._add_delivery(header, order)

    def _add_line(self, number: str, line: Record, day: datetime) -> None:
        self._add(
            self._tables.orsrg,
            ordernr=number,
            ar_soort="V",
            artcode=line["item"],
            magcode=_warehouse(line["warehouse"]),
            esr_aantal=line["ordered"],
            aant_gelev=line["delivered"],
            aant_fakt=line["invoiced"],
            afldat=day,
            sysmodified=self._now,
            timestamp=self._version(),
        )

    def _add_delivery(self, header: Record, order: Record) -> None:
        """The delivery note of what was delivered."""
        note = order["delivery_note"].rjust(_NUMBER_LENGTH)
        self._add(
            self._tables.orhkrg,
            **header,
            pakbon_nr=note,
            pakbon_dat=self._day(order["day"] + 1),
            levwijze="PNL",
            colli=1,
            timestamp=self._version(),
        )
        for number, line in _delivered(order):
            self._add(
                self._tables.orhsrg,
                ordernr=header["ordernr"],
                pakbon_nr=note,
                regel=str(number).rjust(4),
                artcode=line["item"],
                aant_gelev=line["delivered"],
                magcode=_warehouse(line["warehouse"]),
            )

    def _add(self, table: Table, **values: object) -> None:
        self.by_table[table].append(values)

    def _day(self, days: int) -> datetime:
        return self._today + timedelta(days=days)

    def _version(self) -> bytes:
        """The next rowversion."""
        return next(self._versions).to_bytes(8)


def _delivered(order: Record) -> Iterator[tuple[int, Record]]:
    return ((number, line) for number, line in enumerate(order["lines"], 1) if line["delivered"])


def _warehouse(code: str) -> str:
    return code.ljust(WAREHOUSE_LENGTH)
