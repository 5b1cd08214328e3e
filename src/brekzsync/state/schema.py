"""Which schema the state database has, and how it gets the one this release needs.

One statement answers that. Alembic is imported only when the answer is "an older one".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy import Connection, insert, inspect, select, update
from sqlalchemy.exc import DatabaseError

from brekzsync.errors import ConfigurationError, Unavailable
from brekzsync.state.connection import Database, in_memory
from brekzsync.state.locks import session_lock
from brekzsync.state.tables import metadata, version
from brekzsync.state.translation import describe

HEAD = "0004"  # the newest file in migrations/versions
MIGRATIONS = Path(__file__).parent / "migrations"
_UNFINISHED: Final = "creating"
_UPGRADE_WAIT_SECONDS: Final = 30


class Upgrade(NamedTuple):
    """What ``upgrade`` did: the schema found (None when there was none) and the one there now."""

    before: str | None
    after: str

    @property
    def created(self) -> bool:
        return self.before is None


def current(database: Database) -> str | None:
    """The schema's version, None where brekzsync has no tables yet (or not all of them)."""
    with database.read() as connection:
        try:
            found = connection.scalar(select(version.c.version_num))
        except DatabaseError as error:
            if not _says_no_table(error):
                raise
            found = None
    return None if found in {None, _UNFINISHED} else str(found)


def is_blank_file(database: Database) -> bool:
    """Whether it is an SQLite file without any table, ours to set up."""
    if database.backend != "sqlite" or in_memory(database.url):
        return False
    with database.read() as connection:
        return not inspect(connection).get_table_names()


def check_not_newer(database: Database, found: str) -> None:
    """Refuse a schema this release does not know: it was written by a later one."""
    if found > HEAD:
        raise ConfigurationError(
            f"{database.name} has schema {found}, this release knows {HEAD}: a later brekzsync wrote it.",
            hint="Install that release again (`pip install --upgrade brekzsync`).",
            code="state_newer",
        )


def bring_up(database: Database) -> Upgrade:
    """Create the tables, or migrate older ones; safe to repeat and to run from several processes at once."""
    found = current(database)
    if found == HEAD:
        return Upgrade(found, HEAD)
    if found is not None:
        check_not_newer(database, found)
    if database.backend == "sqlite":
        return database.write(_bring_up_within, durable=True)
    with _alone(database):
        return database.write(_bring_up_within, durable=True)


def _bring_up_within(connection: Connection) -> Upgrade:
    before = _within(connection)
    if before is None:
        _create(connection)
    elif before != HEAD:
        _migrate(connection)
    return Upgrade(before, HEAD)


def _within(connection: Connection) -> str | None:
    """The version as the one who may change it sees it: another process may just have done the work."""
    if not inspect(connection).has_table(version.name):
        return None
    found = connection.scalar(select(version.c.version_num))
    return None if found in {None, _UNFINISHED} else str(found)


def _create(connection: Connection) -> None:
    """All tables from ``tables.py``, marked while unfinished: on MariaDB they cannot be one transaction."""
    resumed = inspect(connection).has_table(version.name)
    if not resumed:
        _refuse_others_tables(connection)
        version.create(connection)
        connection.execute(insert(version).values(version_num=_UNFINISHED))
    others = [table for table in metadata.sorted_tables if table is not version]
    metadata.create_all(connection, tables=others, checkfirst=resumed)
    connection.execute(update(version).values(version_num=HEAD))


def _refuse_others_tables(connection: Connection) -> None:
    """Without our mark, tables are not ours: on a server those of our names, in an SQLite file all of them.

    Such a file is the demo's shop, or another program's; a server's database may have to be shared.
    """
    names = set(inspect(connection).get_table_names())
    foreign = names if connection.dialect.name == "sqlite" else names & set(metadata.tables)
    if foreign:
        some = ", ".join(sorted(foreign)[:3])
        raise ConfigurationError(
            f"{describe(connection.engine.url)} holds another program's tables ({some}).",
            hint="Give brekzsync a database of its own in `[state] database`.",
            code="state_other_tables",
        )


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    # Alembic reads its options through configparser, where a percent sign must be doubled.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextmanager
def _alone(database: Database) -> Iterator[None]:
    with session_lock(database, "schema", wait=_UPGRADE_WAIT_SECONDS) as held:
        if held is None:
            raise Unavailable(
                f"{database.name} is being upgraded by another process.",
                hint="Wait for it to end, then run the same command again.",
                code="state_busy",
            )
        yield


def _says_no_table(error: DatabaseError) -> bool:
    original = error.orig
    if getattr(original, "sqlstate", None) == "42P01":
        return True
    arguments = original.args if original is not None else ()
    return bool(arguments) and (arguments[0] == 1146 or str(arguments[0]).startswith("no such table"))
