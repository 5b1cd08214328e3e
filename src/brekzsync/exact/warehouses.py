"""Which warehouses there is anything to know of."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Engine, select

from brekzsync.exact.codes import among, paddings
from brekzsync.exact.connection import erp_errors
from brekzsync.exact.tables import WAREHOUSE_LENGTH, globe_tables
from brekzsync.exact.values import text


def moved_warehouses(engine: Engine, warehouses: Collection[str]) -> set[str]:
    """Those of these warehouses that stock was ever moved in, trimmed and in capitals.

    Raises the errors of ``erp_errors``. The table of warehouses itself is not read: logins that may read stock
    need not be allowed to, and a code with a warehouse behind it may still hold nothing.
    """
    dialect = engine.dialect.name
    entry = globe_tables(dialect).gbkmut
    named = select(entry.c.warehouse).where(among(entry.c.warehouse, dialect, "warehouses")).distinct()
    spellings = (*warehouses, *(code.strip().upper() for code in warehouses))
    with erp_errors(engine.url, "table gbkmut with a warehouse"), engine.connect() as connection:
        rows = connection.execute(named, {"warehouses": paddings(spellings, WAREHOUSE_LENGTH)})
        return {text(row[0]).strip().upper() for row in rows}
