"""The state database's tables.

``migrations/versions`` builds the same tables step by step; a test holds the two together. A new database
is built from here, because importing Alembic costs more than everything else a first run does to it.

There are no foreign keys: rows are written 100,000 a run, a scope is never deleted, and a check of the
parent for each of them costs a fifth of the write.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql

# Codes and reasons are compared byte by byte on every database, and text is complete UTF-8 whatever the
# server's defaults are.
SERVER_OPTIONS: Final[dict[str, Any]] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}

DIGEST: Final = LargeBinary(16).with_variant(mysql.BINARY(16), "mysql", "mariadb")
SERIAL: Final = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up only an INTEGER key

metadata = MetaData()

scope = Table(
    "scope",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("flow", String(40), nullable=False),
    Column("target", String(100), nullable=False),
    UniqueConstraint("flow", "target", name="scope_name"),
    **SERVER_OPTIONS,
)

# The columns the comparison reads stand first and the long text last: SQLite decodes a row only as far as
# the last column asked for. WITHOUT ROWID keeps the row inside its key's tree instead of beside it.
ledger = Table(
    "ledger",
    metadata,
    Column("scope_id", Integer, primary_key=True, autoincrement=False),
    Column("key_major", BigInteger, primary_key=True, autoincrement=False),
    Column("key_minor", BigInteger, primary_key=True, autoincrement=False),
    Column("source_digest", DIGEST),
    Column("fingerprint", DIGEST),  # NULL: the target has acknowledged nothing, or it was cleared
    Column("force_acknowledged", Integer, nullable=False),
    Column("force_requested", Integer, nullable=False),
    Column("status", String(8), nullable=False),  # pending, synced, failed
    Column("reason", String(64)),
    Column("next_attempt_at", BigInteger),
    Column("different_at", BigInteger),  # first seen different from what is acknowledged
    Column("run_id", BigInteger),  # the run that delivered the acknowledged version
    Column("code", String(255)),  # normalised item code of the acknowledged version
    Column("attempts", Integer, nullable=False),  # failed ones since the last acknowledgement
    Column("created_at", BigInteger, nullable=False),
    Column("synced_at", BigInteger),
    Column("updated_at", BigInteger, nullable=False),
    Column("message", Text),
    Column("document", Text),  # the acknowledged version itself, as Item.stored() gives it
    Index("ledger_code", "scope_id", "code"),
    sqlite_with_rowid=False,
    **SERVER_OPTIONS,
)

# Versions handed out and not yet acknowledged. ``id`` is the order of handing out.
served = Table(
    "served",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("scope_id", Integer, nullable=False),
    Column("key_major", BigInteger, nullable=False),
    Column("key_minor", BigInteger, nullable=False),
    Column("fingerprint", DIGEST, nullable=False),
    Column("force", Integer, nullable=False),
    Column("code", String(255)),
    Column("source_digest", DIGEST),
    Column("document", Text),
    Column("run_id", BigInteger),
    Column("served_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),  # left out of index and bulk until then
    Column("rejected_at", BigInteger),  # NULL: no result yet
    Column("claimed_by", String(64)),  # what the reader of a claim calls itself; NULL: it gave no name
    UniqueConstraint("scope_id", "key_major", "key_minor", "fingerprint", "force", name="served_version"),
    sqlite_autoincrement=True,
    **SERVER_OPTIONS,
)

run = Table(
    "run",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("name", String(40), nullable=False),
    Column("flow", String(40), nullable=False),
    Column("target", String(100), nullable=False),
    Column("command", String(255), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("heartbeat_at", BigInteger, nullable=False),
    Column("summarised_at", BigInteger),  # when cron's daily summary was printed by this run
    Column("status", String(12), nullable=False),  # running, done, failed, interrupted
    Column("host", String(255), nullable=False),
    Column("error_code", String(64)),
    Column("error_message", Text),
    Column("counts", Text),
    Column("reasons", Text),
    Column("output", Text),
    Column("failures", DIGEST),  # signature of what failed, to tell a new failure from a repeated one
    UniqueConstraint("name", name="run_name"),
    Index("run_flow", "flow", "target", "id"),
    sqlite_autoincrement=True,
    **SERVER_OPTIONS,
)

attempt = Table(
    "attempt",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("scope_id", Integer, nullable=False),
    Column("key_major", BigInteger, nullable=False),
    Column("key_minor", BigInteger, nullable=False),
    Column("run_id", BigInteger),
    Column("at", BigInteger, nullable=False),
    Column("outcome", String(8), nullable=False),
    Column("reason", String(64)),
    Column("message", Text),
    Index("attempt_record", "scope_id", "key_major", "key_minor"),
    **SERVER_OPTIONS,
)

exclusion = Table(
    "exclusion",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("id_product", BigInteger, nullable=False),
    Column("id_product_attribute", BigInteger),  # NULL: the whole product, future combinations too
    Column("reference", String(255)),  # normalised
    Column("reason", Text, nullable=False),
    Column("by_whom", String(100), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("exclusion_product", "id_product"),
    **SERVER_OPTIONS,
)

# Operations on their way to the marketplace, one an order. Only one that was sent has a batch: for all others the
# index is in the order of their keys, with the time each waits for beside it. Neither begins with the scope, of which
# there is one: SQLite takes what a key begins with for rare, and would read all of the wrong one.
status_task = Table(
    "status_task",
    metadata,
    Column("key_major", BigInteger, primary_key=True, autoincrement=False),
    Column("key_minor", BigInteger, primary_key=True, autoincrement=False),
    Column("scope_id", Integer, primary_key=True, autoincrement=False),
    Column("operation", String(8), nullable=False),  # ship, cancel, refund, deliver
    Column("status", String(8), nullable=False),  # waiting, sending, sent, dead
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
    Column("is_told", Integer, nullable=False),  # 1 or 0
    Column("tracking", Text, nullable=False),
    Column("reason", String(64)),
    Column("message", Text),
    Index("status_task_due", "status", "batch_id", "key_major", "not_before"),
    sqlite_with_rowid=False,
    **SERVER_OPTIONS,
)

# Only what a person switched has a row: a flow without one is on.
flow_switch = Table(
    "flow_switch",
    metadata,
    Column("flow", String(40), primary_key=True),
    Column("target", String(100), primary_key=True),
    Column("enabled", Integer, nullable=False),  # 1 or 0
    Column("by_whom", String(100), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    **SERVER_OPTIONS,
)

# The name is our own, so that another Alembic program can share a server database with us.
version = Table(
    "brekzsync_version",
    metadata,
    Column("version_num", String(32), primary_key=True),
    **SERVER_OPTIONS,
)
