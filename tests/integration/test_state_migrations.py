"""How a state database comes to the schema of this release, and when it is refused."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Connection, QueuePool, inspect
from sqlalchemy.schema import CreateTable

from brekzsync.errors import AccessDenied, ConfigurationError
from brekzsync.state import schema
from brekzsync.state.connection import Database, parse_url
from brekzsync.state.database import State, open_state, upgrade
from brekzsync.state.ledger import Ledger
from brekzsync.state.scopes import Scope
from brekzsync.state.tables import metadata, version
from tests.integration.state_rows import NOON, RUN, acknowledgement, entry, later, mark

NEXT_REVISION = """
from alembic import op
from sqlalchemy import Column, Integer

revision = "0099"
down_revision = "HEAD"


def upgrade() -> None:
    op.add_column("exclusion", Column("colour", Integer))
""".replace("HEAD", schema.HEAD)
HEAD = schema.HEAD  # before a test makes it another


def tables(database: Database) -> dict[str, Any]:
    """Every table but the version's, as the database itself writes it down."""
    with database.read() as connection:
        if database.backend == "sqlite":
            rows = connection.exec_driver_sql(
                "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE tbl_name <> 'brekzsync_version'"
            )
            return {f"{row.type} {row.name}": (row.tbl_name, _plain(row.sql)) for row in rows}
        names = [name for name in inspect(connection).get_table_names() if name != version.name]
        return {
            name: connection.exec_driver_sql(f"SHOW CREATE TABLE `{name}`").one()[1] for name in sorted(names)
        }


def _plain(sql: str | None) -> str:
    return "".join((sql or "").split())


def test_the_migrations_and_the_tables_give_the_same_schema(state_url: str) -> None:
    with open_state(state_url, create=True) as created:
        expected = tables(created.database)
        created.database.write(lambda connection: metadata.drop_all(connection), durable=True)
    migrated = Database(parse_url(state_url))

    def migrate(connection: Connection) -> None:
        version.create(connection)
        schema._migrate(connection)

    migrated.write(migrate, durable=True)
    assert tables(migrated) == expected
    assert schema.current(migrated) == schema.HEAD
    migrated.close()
    assert len(expected) > 5


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
def test_a_state_of_an_earlier_schema_gets_what_is_new_and_keeps_what_it_knew(
    state_url: str, revision: str, killed: bool
) -> None:
    _make_schema(state_url, revision)
    database = Database(parse_url(state_url))
    Ledger(database, Scope(database, "product", "exact")).acknowledge(
        [acknowledgement()], run_id=RUN, at=NOON
    )
    _hand_out(database)
    if killed and database.backend == "mariadb":  # which keeps what an upgrade made that was killed
        database.write(lambda connection: _made_before_the_end(connection, revision), durable=True)
    database.close()
    assert tuple(upgrade(state_url)) == (revision, schema.HEAD)
    with open_state(state_url, create=False) as state:
        assert entry(state.ledger("product", "exact")).fingerprint == mark("first")
        assert state.switches.set("product", ["exact"], enabled=False, at=NOON) == ["exact"]
        (claim,) = state.ledger("order", "exact").claims.open()
        assert (claim.key, claim.claimed_by) == ((12, 0), None)
        assert list(state.status_tasks("order_status", "shoppingfeed").batches()) == []
        with state.database.read() as connection:
            (index,) = inspect(connection).get_indexes("status_task")
        assert index["name"] == "status_task_due"


def _hand_out(database: Database) -> None:
    """A version without a result, as the releases did it that knew no claims."""
    scope_id = Scope(database, "order", "exact").id()
    columns = "scope_id, key_major, key_minor, fingerprint, `force`, served_at, lease_until"
    values = f"{scope_id}, 12, 0, '{mark('first').decode()}', 0, 0, 0"
    statement = f"INSERT INTO served ({columns}) VALUES ({values})"
    database.write(lambda connection: connection.exec_driver_sql(statement), durable=True)


def _made_before_the_end(connection: Connection, revision: str) -> None:
    if revision == "0001":
        metadata.tables["flow_switch"].create(connection)
    elif revision == "0002":
        connection.exec_driver_sql("ALTER TABLE served ADD COLUMN claimed_by VARCHAR(64)")
    else:
        connection.execute(CreateTable(metadata.tables["status_task"]))  # and not its index yet


def _make_schema(url: str, revision: str) -> None:
    """A state as an earlier release made it."""
    from alembic import command
    from alembic.config import Config

    def migrate(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(schema.MIGRATIONS))
        config.attributes["connection"] = connection
        version.create(connection)
        command.upgrade(config, revision)

    database = Database(parse_url(url))
    database.write(migrate, durable=True)
    database.close()


def test_the_head_named_in_the_code_is_the_newest_migration() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


def test_a_first_opening_creates_and_a_second_finds(state_url: str) -> None:
    for created in (True, False):
        with open_state(state_url, create=True) as state:
            assert state.created is created


def test_db_upgrade_creates_and_then_has_nothing_to_do(state_url: str) -> None:
    assert [tuple(upgrade(state_url)) for _ in range(2)] == [
        (None, schema.HEAD),
        (schema.HEAD, schema.HEAD),
    ]


def test_a_missing_state_is_not_made_unless_asked(state_url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_state(state_url, create=False)
    assert refused.value.code == "state_missing"
    assert "brekzsync db upgrade" in refused.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_takes_a_missing_state_for_an_empty_one_and_makes_nothing(
    state_url: str, tmp_path: Path
) -> None:
    with open_state(state_url, create=False, missing_ok=True) as state:
        ledger = state.ledger("product", "exact")
        assert (list(ledger.rows()), ledger.is_empty(), state.created) == ([], True, False)
        assert state.exclusions.all().products == {}
        assert state.runs.previous("product", "exact") is None
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigurationError):
        open_state(state_url, create=False)


def test_the_database_refuses_what_a_dry_run_tries_to_write(state_url: str) -> None:
    with open_state(state_url, create=True) as state:
        state.ledger("product", "exact").acknowledge([acknowledgement()], run_id=RUN, at=NOON)
    with open_state(state_url, create=False, missing_ok=True) as state:
        ledger = state.ledger("product", "exact")
        second = acknowledgement(version="second", prior="first")
        attempts: list[Callable[[], object]] = [
            lambda: ledger.acknowledge([second], run_id=8, at=NOON),
            lambda: ledger.request_force([(1, 10)], at=NOON),
            lambda: state.runs.open("product", "exact", "", NOON),
            lambda: state.exclusions.add(1, at=NOON),
        ]
        for attempt in attempts:
            with pytest.raises(AccessDenied):
                attempt()
        assert entry(ledger).fingerprint == mark("first")


@pytest.fixture
def next_release(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make this the release after, with one migration more; gives the folder of its migrations."""
    folder = tmp_path_factory.mktemp("release") / "100% migrations"
    shutil.copytree(schema.MIGRATIONS, folder)
    (folder / "versions" / "0099_colour.py").write_text(NEXT_REVISION)
    monkeypatch.setattr(schema, "MIGRATIONS", folder)
    monkeypatch.setattr(schema, "HEAD", "0099")
    return folder


@pytest.fixture
def older_state(state_url: str) -> str:
    with open_state(state_url, create=True) as state:
        state.ledger("product", "exact").acknowledge([acknowledgement()], run_id=RUN, at=NOON)
    return state_url


def test_older_sqlite_state_is_migrated_on_the_way_and_server_state_on_request(
    older_state: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("next_release")
    if not older_state.startswith("sqlite"):
        with pytest.raises(ConfigurationError) as refused:
            open_state(older_state, create=True)
        assert (refused.value.code, refused.value.hint) == ("state_outdated", "Run `brekzsync db upgrade`.")
        assert tuple(upgrade(older_state)) == (HEAD, "0099")
    with open_state(older_state, create=False) as state:
        assert not state.created
        assert entry(state.ledger("product", "exact")).fingerprint == mark("first")
        with state.database.read() as connection:
            columns = [column["name"] for column in inspect(connection).get_columns("exclusion")]
        assert "colour" in columns


def test_a_dry_run_does_not_migrate(older_state: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("next_release")
    with pytest.raises(ConfigurationError) as refused:
        open_state(older_state, create=False, missing_ok=True)
    assert refused.value.code == "state_outdated"


def test_a_migration_that_fails_leaves_an_sqlite_state_as_it_was(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    with open_state(url, create=True) as state:
        before = tables(state.database)
    folder: Path = request.getfixturevalue("next_release")
    broken = NEXT_REVISION + '    op.execute("SELECT nonsense")\n'
    (folder / "versions" / "0099_colour.py").write_text(broken)
    with pytest.raises(Exception, match="nonsense"):
        open_state(url, create=False)
    database = Database(parse_url(url))
    assert (tables(database), schema.current(database)) == (before, HEAD)
    database.close()


def test_a_state_of_a_later_release_is_refused(older_state: str) -> None:
    database = Database(parse_url(older_state))
    newer = version.update().values(version_num="9999")
    database.write(lambda connection: connection.execute(newer), durable=True)
    database.close()
    openings: list[Callable[[], object]] = [
        lambda: open_state(older_state, create=True),
        lambda: open_state(older_state, create=False, missing_ok=True),
        lambda: upgrade(older_state),
    ]
    for opening in openings:
        with pytest.raises(ConfigurationError) as refused:
            opening()
        assert refused.value.code == "state_newer"
        assert "9999" in refused.value.message


def _open(url: str) -> bool:
    with open_state(url, create=True) as state:
        state.runs.open("product", "exact", "", NOON)
        return state.created


def test_of_several_processes_that_open_a_new_state_one_creates_it(state_url: str) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as processes:
        created = list(processes.map(_open, [state_url] * 4, timeout=100))
    assert sorted(created) == [False, False, False, True]
    with open_state(state_url, create=False) as state, state.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM run").scalar() == 4


def test_a_creation_broken_off_is_completed(state_url: str) -> None:
    # What is left on MariaDB, which commits each table by itself, when the first opening is killed.
    database = Database(parse_url(state_url))

    def half(connection: Connection) -> None:
        version.create(connection)
        connection.execute(version.insert().values(version_num=schema._UNFINISHED))
        metadata.tables["scope"].create(connection)

    database.write(half, durable=True)
    database.close()
    with pytest.raises(ConfigurationError) as refused:
        open_state(state_url, create=False)
    assert refused.value.code == "state_missing"
    with open_state(state_url, create=True) as state:
        assert state.created
        assert set(tables(state.database))
        state.runs.open("product", "exact", "", later(hours=1))


def test_an_sqlite_file_left_empty_by_a_crash_is_as_good_as_missing(tmp_path: Path) -> None:
    (tmp_path / "state.db").touch()
    url = f"sqlite:///{tmp_path / 'state.db'}"
    with pytest.raises(ConfigurationError, match="does not exist yet"):
        open_state(url, create=False)
    with open_state(url, create=True) as state:
        assert state.created


def test_a_new_sqlite_state_uses_wal_and_a_restored_one_is_given_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "state.db"
    open_state(f"sqlite:///{path}", create=True).close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA page_size").fetchone() == (16_384,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    with open_state(f"sqlite:///{path}", create=False) as state, state.database.read() as reading:
        assert reading.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


OPENS = """
import sys
from brekzsync.state.database import open_state
for _ in range(2):
    open_state(sys.argv[1], create=True).close()
print([name for name in ("alembic", "MySQLdb", "psycopg", "pydantic", "rich") if name in sys.modules])
"""


def test_creating_and_opening_a_state_of_this_release_does_without_alembic(state_url: str) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", OPENS, state_url], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_migrations_lie_in_the_package() -> None:
    import brekzsync.state

    package = Path(brekzsync.state.__path__[0])
    assert package in schema.MIGRATIONS.parents
    assert (schema.MIGRATIONS / "env.py").is_file()


def test_a_state_is_a_context_that_closes_itself(state_url: str) -> None:
    with open_state(state_url, create=True) as state:
        assert isinstance(state, State)
        state.runs.open("product", "exact", "", NOON)
    assert cast(QueuePool, state.engine.pool).checkedin() == 0
