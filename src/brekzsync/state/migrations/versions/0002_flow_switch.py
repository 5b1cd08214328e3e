"""A table of the flows that a person switched off or on."""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, String, Text

revision = "0002"
down_revision = "0001"

_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    op.create_table(
        "flow_switch",
        Column("flow", String(40), primary_key=True),
        Column("target", String(100), primary_key=True),
        Column("enabled", Integer, nullable=False),
        Column("by_whom", String(100), nullable=False),
        Column("reason", Text, nullable=False),
        Column("at", BigInteger, nullable=False),
        if_not_exists=True,  # MariaDB keeps the table of an upgrade that was killed before it said so
        **_OPTIONS,
    )
