"""The inbox's tables, and how a database gets them.

They have a version of their own: on SQLite the inbox is a file beside the state's, so that an export, which
writes for a while, never delays a webhook; on a server the tables stand beside the state's.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
    inspect,
    select,
)
from sqlalchemy.dialects import mysql

from brekzsync.errors import ConfigurationError, Unavailable
from brekzsync.state.connection import Database
from brekzsync.state.locks import session_lock
from brekzsync.state.tables import SERIAL, SERVER_OPTIONS

VERSION: Final = 1
_WAIT_SECONDS: Final = 30

LONGEST_SOURCE: Final = 100
LONGEST_ID: Final = 200
LONGEST_TOPIC: Final = 100
LONGEST_RECORD: Final = 200

metadata = MetaData()

# What waits is found, and grouped by record, in the index alone: the bodies are not read for it. The body stands
# last, because SQLite decodes a row only as far as the last column asked for.
delivery = Table(
    "inbox_delivery",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("source", String(LONGEST_SOURCE), nullable=False),
    Column("delivery_id", String(LONGEST_ID), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("topic", String(LONGEST_TOPIC), nullable=False),
    Column("record", String(LONGEST_RECORD), nullable=False),
    Column("status", String(4), nullable=False),  # new, done, dead
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", BigInteger, nullable=False),  # 0: at once
    Column("processed_at", BigInteger),
    Column("error", Text),
    Column("body", Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb"), nullable=False),
    UniqueConstraint("source", "delivery_id", name="inbox_delivery_id"),
    Index("inbox_waiting", "status", "source", "record", "next_attempt_at", "attempts"),
    sqlite_autoincrement=True,
    **SERVER_OPTIONS,
)

# ``open_source`` is the source while it is open: being unique it keeps two processes from opening one twice.
# ``closing_at``: from then on nobody begins to refuse; ``closed_at``: nobody who had not heard of it refuses either.
shed = Table(
    "inbox_shed",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("source", String(LONGEST_SOURCE), nullable=False),
    Column("open_source", String(LONGEST_SOURCE)),
    Column("opened_at", BigInteger, nullable=False),
    Column("closing_at", BigInteger),
    Column("closed_at", BigInteger),
    Column("reason", String(20), nullable=False),  # rate, backlog
    Column("refused", BigInteger, nullable=False),
    Column("compared_at", BigInteger),
    UniqueConstraint("open_source", name="inbox_shed_open"),
    Index("inbox_shed_compared", "compared_at"),
    sqlite_autoincrement=True,
    **SERVER_OPTIONS,
)

# How much came to each process in the last minute, so that they count together.
pace = Table(
    "inbox_pace",
    metadata,
    Column("source", String(LONGEST_SOURCE), primary_key=True),
    Column("worker", String(40), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("knocks", BigInteger, nullable=False),
    **SERVER_OPTIONS,
)

version = Table(
    "inbox_version", metadata, Column("version_num", Integer, primary_key=True, autoincrement=False)
)


def bring_up(database: Database) -> None:
    """Create the tables where there are none; safe to repeat and to run from several processes at once.

    Raises ConfigurationError ``inbox_newer`` for tables of a later release.
    """
    if _is_ready(database):
        return
    if database.backend == "sqlite":
        database.write(_create, durable=True)
        return
    with session_lock(database, "inbox schema", wait=_WAIT_SECONDS) as held:
        if held is None:
            raise Unavailable(
                f"{database.name} is being set up by another process.",
                hint="Wait for it to end, then run the same command again.",
                code="state_busy",
            )
        database.write(_create, durable=True)


def exists(database: Database) -> bool:
    """Whether the tables are there."""
    with database.read() as connection:
        return inspect(connection).has_table(version.name)


def _is_ready(database: Database) -> bool:
    with database.read() as connection:
        if not inspect(connection).has_table(version.name):
            return False
        found = connection.scalar(select(version.c.version_num))
    if found is not None and found > VERSION:
        raise ConfigurationError(
            f"{database.name} has version {found}, this release knows {VERSION}: a later brekzsync wrote it.",
            hint="Install that release again (`pip install --upgrade brekzsync`).",
            code="inbox_newer",
        )
    return found is not None


def _create(connection: Connection) -> None:
    """On MariaDB this is no transaction: the version comes last, so that what was broken off goes on."""
    metadata.create_all(connection)
    if connection.scalar(select(version.c.version_num)) is None:
        connection.execute(insert(version).values(version_num=VERSION))
