"""The debtors of the demo's ERP: the table Globe keeps them in, which brekzsync itself never reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import CHAR, Column, Connection, MetaData, String, Table

from brekzsync.demo.rows import Record

_CODE_LENGTH: Final = 20
_NUMBER_LENGTH: Final = 6
_NAME_LENGTH: Final = 50

# facts/exact-globe.md 4.6; codes are right-aligned.
DEBTORS: Final = Table(
    "cicmpy",
    MetaData(),
    Column("cmp_code", CHAR(_CODE_LENGTH), primary_key=True),
    Column("debnr", CHAR(_NUMBER_LENGTH)),
    Column("cmp_name", String(_NAME_LENGTH)),
)


def padded(code: str) -> str:
    """A debtor's code as the table holds it."""
    return code.strip().rjust(_CODE_LENGTH)


def debtor_row(code: str, name: str) -> dict[str, str]:
    """The row of one debtor."""
    return {
        "cmp_code": padded(code),
        "debnr": code.strip()[:_NUMBER_LENGTH].rjust(_NUMBER_LENGTH),
        "cmp_name": name[:_NAME_LENGTH],
    }


def seed_debtors(connection: Connection, given: Iterable[Record]) -> None:
    """Make the table, with the debtors (``code``, ``name``) the administration has had all along."""
    DEBTORS.create(connection, checkfirst=True)
    rows = [debtor_row(debtor["code"], debtor["name"]) for debtor in given]
    if rows:
        connection.execute(DEBTORS.insert(), rows)
