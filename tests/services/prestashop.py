"""The genuine PrestaShop 8.2.1 fixture database, fresh for every test without loading it every time.

Loading the dump takes most of a second. Instead the previous test's database is put back: tables whose
checksum or next auto-increment value moved are filled again from an untouched template. A test that
changed the structure (a renamed prefix, an added column, another charset) costs the next one a full load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.services.mariadb import MariaDB

TEMPLATE = "prestashop_template"

# Per table: a checksum of its rows, and the next auto-increment value.
Contents = dict[str, tuple[object, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrestaShopDatabase:
    """One shop's database, table prefix ``ps_``, to read and to change at will."""

    server: MariaDB
    name: str

    def url(self, driver: str = "pymysql", user: str = "root", password: str = "") -> str:
        return self.server.url(self.name, driver=driver, user=user, password=password)

    def execute(self, sql: str, parameters: Sequence[object] | None = None) -> list[tuple[Any, ...]]:
        """As ``MariaDB.execute``, in this database."""
        return self.server.execute(self.name, sql, parameters)


@dataclass(slots=True, kw_only=True)
class PrestaShopFixtures:
    """Hands out fresh copies of one dump."""

    server: MariaDB
    dump: Path
    # The template never changes, so it is looked at once.
    _structure: list[object] = field(default_factory=list)
    _contents: Contents = field(default_factory=dict)

    def fresh(self, name: str = "prestashop") -> PrestaShopDatabase:
        """A database of this name exactly as the dump makes it; an earlier one is overwritten."""
        self.server.start()  # The test before may have taken it away.
        database = PrestaShopDatabase(server=self.server, name=name)
        if not self._contents:
            self._load(TEMPLATE)
            self._structure = self._structure_of(TEMPLATE)
            self._contents = self._contents_of(TEMPLATE)
        if self._exists(name) and self._structure_of(name) == self._structure:
            self._put_back(name)
        else:
            self._load(name)
        return database

    def _load(self, name: str) -> None:
        self.server.create_database(name)
        self.server.load(name, self.dump)

    def _exists(self, name: str) -> bool:
        query = "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s"
        return bool(self.server.execute("", query, [name]))

    def _structure_of(self, name: str) -> list[object]:
        queries = (
            "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata"
            " WHERE schema_name = %s",
            "SELECT table_name, table_type, engine, table_collation FROM information_schema.tables"
            " WHERE table_schema = %s ORDER BY 1",
            "SELECT table_name, ordinal_position, column_name, column_type, is_nullable, column_default,"
            " extra, collation_name FROM information_schema.columns WHERE table_schema = %s ORDER BY 1, 2",
            "SELECT table_name, index_name, seq_in_index, column_name, non_unique, sub_part"
            " FROM information_schema.statistics WHERE table_schema = %s ORDER BY 1, 2, 3",
            "SELECT trigger_name, action_statement FROM information_schema.triggers"
            " WHERE trigger_schema = %s ORDER BY 1",
        )
        return [self.server.execute("", query, [name]) for query in queries]

    def _put_back(self, name: str) -> None:
        before, now = self._contents, self._contents_of(name)
        statements = [
            f"TRUNCATE {table}; INSERT INTO {table} SELECT * FROM {TEMPLATE}.{table};"
            + (f"ALTER TABLE {table} AUTO_INCREMENT = {before[table][1]};" if before[table][1] else "")
            for table in before
            if now[table] != before[table]
        ]
        if statements:
            # Rows with id 0 and dates of zeros are genuine, and stay as they are.
            lenient = "SET foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO';"
            self.server.execute(name, lenient + "".join(statements))

    def _contents_of(self, name: str) -> Contents:
        query = "SELECT table_name, auto_increment FROM information_schema.tables WHERE table_schema = %s"
        next_values = dict(self.server.execute("", query, [name]))
        tables = ", ".join(f"`{name}`.`{table}`" for table in next_values)
        sums = self.server.execute("", f"CHECKSUM TABLE {tables}")
        return {
            f"`{table}`": (checksum, next_values[table])
            for qualified, checksum in sums
            for table in [qualified.split(".", 1)[1]]
        }
