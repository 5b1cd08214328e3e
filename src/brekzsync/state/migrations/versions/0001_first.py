"""The first tables. Frozen: what changes later gets a file of its own beside this one."""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}
_DIGEST = LargeBinary(16).with_variant(mysql.BINARY(16), "mysql", "mariadb")
_SERIAL = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    _scope()
    _ledger()
    _served()
    _run()
    _attempt()
    _exclusion()


def _scope() -> None:
    op.create_table(
        "scope",
        Column("id", Integer, primary_key=True),
        Column("flow", String(40), nullable=False),
        Column("target", String(100), nullable=False),
        UniqueConstraint("flow", "target", name="scope_name"),
        **_OPTIONS,
    )


def _ledger() -> None:
    op.create_table(
        "ledger",
        Column("scope_id", Integer, primary_key=True, autoincrement=False),
        Column("key_major", BigInteger, primary_key=True, autoincrement=False),
        Column("key_minor", BigInteger, primary_key=True, autoincrement=False),
        Column("source_digest", _DIGEST),
        Column("fingerprint", _DIGEST),
        Column("force_acknowledged", Integer, nullable=False),
        Column("force_requested", Integer, nullable=False),
        Column("status", String(8), nullable=False),
        Column("reason", String(64)),
        Column("next_attempt_at", BigInteger),
        Column("different_at", BigInteger),
        Column("run_id", BigInteger),
        Column("code", String(255)),
        Column("attempts", Integer, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("synced_at", BigInteger),
        Column("updated_at", BigInteger, nullable=False),
        Column("message", Text),
        Column("document", Text),
        sqlite_with_rowid=False,
        **_OPTIONS,
    )
    op.create_index("ledger_code", "ledger", ["scope_id", "code"])


def _served() -> None:
    op.create_table(
        "served",
        Column("id", _SERIAL, primary_key=True),
        Column("scope_id", Integer, nullable=False),
        Column("key_major", BigInteger, nullable=False),
        Column("key_minor", BigInteger, nullable=False),
        Column("fingerprint", _DIGEST, nullable=False),
        Column("force", Integer, nullable=False),
        Column("code", String(255)),
        Column("source_digest", _DIGEST),
        Column("document", Text),
        Column("run_id", BigInteger),
        Column("served_at", BigInteger, nullable=False),
        Column("lease_until", BigInteger, nullable=False),
        Column("rejected_at", BigInteger),
        UniqueConstraint("scope_id", "key_major", "key_minor", "fingerprint", "force", name="served_version"),
        sqlite_autoincrement=True,
        **_OPTIONS,
    )


def _run() -> None:
    op.create_table(
        "run",
        Column("id", _SERIAL, primary_key=True),
        Column("name", String(40), nullable=False),
        Column("flow", String(40), nullable=False),
        Column("target", String(100), nullable=False),
        Column("command", String(255), nullable=False),
        Column("started_at", BigInteger, nullable=False),
        Column("finished_at", BigInteger),
        Column("heartbeat_at", BigInteger, nullable=False),
        Column("summarised_at", BigInteger),
        Column("status", String(12), nullable=False),
        Column("host", String(255), nullable=False),
        Column("error_code", String(64)),
        Column("error_message", Text),
        Column("counts", Text),
        Column("reasons", Text),
        Column("output", Text),
        Column("failures", _DIGEST),
        UniqueConstraint("name", name="run_name"),
        sqlite_autoincrement=True,
        **_OPTIONS,
    )
    op.create_index("run_flow", "run", ["flow", "target", "id"])


def _attempt() -> None:
    op.create_table(
        "attempt",
        Column("id", _SERIAL, primary_key=True),
        Column("scope_id", Integer, nullable=False),
        Column("key_major", BigInteger, nullable=False),
        Column("key_minor", BigInteger, nullable=False),
        Column("run_id", BigInteger),
        Column("at", BigInteger, nullable=False),
        Column("outcome", String(8), nullable=False),
        Column("reason", String(64)),
        Column("message", Text),
        **_OPTIONS,
    )
    op.create_index("attempt_record", "attempt", ["scope_id", "key_major", "key_minor"])


def _exclusion() -> None:
    op.create_table(
        "exclusion",
        Column("id", _SERIAL, primary_key=True),
        Column("id_product", BigInteger, nullable=False),
        Column("id_product_attribute", BigInteger),
        Column("reference", String(255)),
        Column("reason", Text, nullable=False),
        Column("by_whom", String(100), nullable=False),
        Column("created_at", BigInteger, nullable=False),
        **_OPTIONS,
    )
    op.create_index("exclusion_product", "exclusion", ["id_product"])
