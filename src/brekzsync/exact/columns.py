"""Which columns a table of this administration has: releases differ, and a SQLite ERP has few."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Connection, MetaData, Select, String, Table, bindparam, func, select

_KEPT = "brekzsync: columns of "

_INFORMATION = Table(
    "COLUMNS",
    MetaData(schema="INFORMATION_SCHEMA"),
    Column("TABLE_SCHEMA", String(128), key="schema"),
    Column("TABLE_NAME", String(128), key="table"),
    Column("COLUMN_NAME", String(128), key="column"),
)


def missing_columns(connection: Connection, table: Table) -> frozenset[str]:
    """The columns of ``table`` that are not there; a table that is not there lacks them all.

    Asked once per connection, so that a long-lived program notices an update of the ERP when it reconnects.
    """
    there = connection.info.get(_KEPT + table.fullname)
    if there is None:
        rows = connection.execute(columns_of(connection.dialect.name), names_of(table)).scalars()
        there = frozenset(str(name).lower() for name in rows)
        connection.info[_KEPT + table.fullname] = there
    return frozenset(column.name for column in table.c if column.name.lower() not in there)


def columns_of(dialect: str) -> Select[Any]:
    """A plain SELECT of the names of a table's columns; its parameters are ``names_of`` the table."""
    if dialect == "mssql":
        there = _INFORMATION.c
        return select(there.column).where(
            there.schema == bindparam("schema"), there.table == bindparam("table")
        )
    return select(func.pragma_table_info(bindparam("table", type_=String)).table_valued("name").c.name)


def names_of(table: Table) -> dict[str, str]:
    """What ``columns_of`` is to be given to look at ``table``."""
    return {"table": table.name, **({"schema": table.schema} if table.schema else {})}
