"""A table of the operations on their way to the marketplace."""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, String, Text, inspect

revision = "0004"
down_revision = "0003"

_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}
_INDEX = "status_task_due"


def upgrade() -> None:
    op.create_table(
        "status_task",
        Column("key_major", BigInteger, primary_key=True, autoincrement=False),
        Column("key_minor", BigInteger, primary_key=True, autoincrement=False),
        Column("scope_id", Integer, primary_key=True, autoincrement=False),
        Column("operation", String(8), nullable=False),
        Column("status", String(8), nullable=False),
        Column("seen_at", BigInteger, nullable=False),
        Column("not_before", BigInteger, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("shop_reference", String(255), nullable=False),
        Column("feed_id", BigInteger),
        Column("reference", String(255), nullable=False),
        Column("channel", String(255), nullable=False),
        Column("id_account", BigInteger),
        Column("store_id", BigInteger),
        Column("batch_id", String(255)),
        Column("ticket", String(255)),
        Column("sent_at", BigInteger),
        Column("is_told", Integer, nullable=False),
        Column("tracking", Text, nullable=False),
        Column("reason", String(64)),
        Column("message", Text),
        sqlite_with_rowid=False,
        if_not_exists=True,  # MariaDB keeps the table of an upgrade that was killed before it said so
        **_OPTIONS,
    )
    known = {index["name"] for index in inspect(op.get_bind()).get_indexes("status_task")}
    if _INDEX not in known:
        op.create_index(_INDEX, "status_task", ["status", "batch_id", "key_major", "not_before"])
