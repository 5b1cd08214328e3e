"""The tables of an Exact Globe administration that are read, column by column; never reflected.

Reflection may change the case of names (facts/exact-globe.md section 9). A SQLite ERP has the same tables
without the schema.
"""

from __future__ import annotations

from sqlalchemy import Column, MetaData, String, Table


def items_table(dialect: str) -> Table:
    """``Items``, one row per item; ``ItemCode`` may carry trailing blanks and either case."""
    return Table(
        "Items",
        MetaData(schema="dbo" if dialect == "mssql" else None),
        Column("ItemCode", String(30), primary_key=True),
    )
