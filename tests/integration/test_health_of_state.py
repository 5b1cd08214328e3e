"""What ``doctor`` finds of a state database: SQLite and MariaDB, sound and not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from brekzsync.domain.findings import passed
from brekzsync.errors import AccessDenied, ConfigurationError, Unavailable
from brekzsync.state import health as health_module
from brekzsync.state import schema
from brekzsync.state.database import upgrade
from brekzsync.state.health import StateHealth
from tests.services.mariadb import MariaDB


@pytest.fixture
def health(database_url: str) -> Iterator[StateHealth]:
    """The checks of a state database that was just made."""
    upgrade(database_url)
    health = StateHealth(database_url)
    yield health
    health.dispose()


def test_a_new_state_passes_every_check(health: StateHealth, database_url: str) -> None:
    findings = {check.name: check.look() for check in health.checks()}

    is_file = database_url.startswith("sqlite")
    assert list(findings) == ["connection", "schema", "writable", "storage"]
    assert {finding.verdict.value for finding in findings.values()} == {"passed"}
    assert ("SQLite 3." if is_file else "MariaDB") in findings["connection"].detail
    assert findings["schema"] == passed(f"Schema {schema.HEAD}, the newest.")
    assert findings["writable"] == passed("This user may write to every table.")
    told = "Journal mode wal: readers and a writer do not wait for each other."
    assert findings["storage"] == passed(
        told if is_file else "Every table is InnoDB: what is undone is undone."
    )


def test_looking_leaves_the_state_as_it_is(health: StateHealth, database_url: str) -> None:
    engine = create_engine(database_url)

    def rows() -> list[object]:
        with engine.connect() as connection:
            return list(connection.execute(text("SELECT version_num FROM brekzsync_version")))

    with engine.begin() as connection:
        connection.execute(text("INSERT INTO scope (flow, target) VALUES ('product', 'exact')"))
    before = rows()
    for check in health.checks():
        check.look()

    assert rows() == before
    with engine.connect() as connection:
        assert connection.execute(text("SELECT flow, target FROM scope")).all() == [("product", "exact")]
    engine.dispose()


def test_a_state_that_does_not_exist_is_told_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        StateHealth(f"sqlite:///{tmp_path}/state.db").connection()

    assert raised.value.code == "state_missing"
    assert raised.value.message == f"The state database {tmp_path}/state.db does not exist yet."
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_our_tables_is_told(mariadb: MariaDB) -> None:
    mariadb.create_database("brekzsync")
    health = StateHealth(mariadb.url("brekzsync"))

    assert health.connection().verdict == "passed"
    with pytest.raises(ConfigurationError, match="holds no brekzsync state yet") as raised:
        health.schema()
    assert raised.value.code == "state_missing"
    health.dispose()


def test_a_state_in_memory_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="kept in memory"):
        StateHealth("sqlite://").connection()


def test_an_older_schema_is_brought_up_by_the_next_command_or_by_hand(
    health: StateHealth, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = schema.HEAD
    monkeypatch.setattr(schema, "HEAD", "0999")

    if database_url.startswith("sqlite"):
        finding = health.schema()
        assert (finding.verdict, finding.detail) == (
            "warning",
            f"Schema {found}; this release needs 0999. The next command that writes brings it up.",
        )
    else:
        with pytest.raises(ConfigurationError, match=f"Schema {found}; this release needs 0999") as raised:
            health.schema()
        assert (raised.value.code, raised.value.hint) == ("state_outdated", "Run `brekzsync db upgrade`.")
    assert health.writable().verdict == "passed"


def test_a_user_who_may_only_read_the_state_is_denied(mariadb: MariaDB) -> None:
    mariadb.create_database("brekzsync")
    upgrade(mariadb.url("brekzsync"))
    mariadb.execute("", "CREATE OR REPLACE USER state_reader IDENTIFIED BY 'pw'")
    mariadb.execute("", "GRANT SELECT ON brekzsync.* TO state_reader")
    health = StateHealth(mariadb.url("brekzsync", user="state_reader", password="pw"))

    assert health.schema().verdict == "passed"
    with pytest.raises(AccessDenied) as raised:
        health.writable()
    assert "pw" not in raised.value.message
    health.dispose()


def test_a_state_another_command_writes_to_is_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "_BUSY_MILLISECONDS", 20)
    upgrade(f"sqlite:///{tmp_path}/state.db")
    health = StateHealth(f"sqlite:///{tmp_path}/state.db")

    with closing(sqlite3.connect(tmp_path / "state.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        assert health.writable() == passed("Another command is writing to it just now.")
    health.dispose()


def test_a_file_that_lost_its_wal_is_warned_of(tmp_path: Path) -> None:
    upgrade(f"sqlite:///{tmp_path}/state.db")
    with closing(sqlite3.connect(tmp_path / "state.db")) as other:
        other.execute("PRAGMA journal_mode = DELETE")
    health = StateHealth(f"sqlite:///{tmp_path}/state.db")

    finding = health.storage()

    assert (finding.verdict, finding.detail) == (
        "warning",
        "Journal mode delete: a command that reads has to wait for one that writes.",
    )
    health.dispose()


def test_a_table_without_transactions_is_warned_of(mariadb: MariaDB) -> None:
    mariadb.create_database("brekzsync")
    upgrade(mariadb.url("brekzsync"))
    mariadb.execute("brekzsync", "ALTER TABLE exclusion ENGINE = MyISAM")
    health = StateHealth(mariadb.url("brekzsync"))

    finding = health.storage()

    assert finding.detail == "Not InnoDB, so that a run broken off is not undone: exclusion."
    assert finding.remedy == "For each of them: ALTER TABLE exclusion ENGINE = InnoDB;"
    health.dispose()


def test_a_server_that_is_away_is_given_up_at_once() -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        StateHealth("mysql+pymysql://u:secret@127.0.0.1:1/state").connection()
