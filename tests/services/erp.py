"""An Exact Globe administration for tests: a SQLite file, or empty tables in a SQL Server of yours.

``BREKZSYNC_TEST_ERP_URL`` names the latter: a database that may be thrown away, with a user who may create
tables in its schema dbo. One that holds a table of an administration already is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, inspect
from sqlalchemy.pool import NullPool

from brekzsync.exact.tables import GlobeTables, globe_tables


class NotEmpty(RuntimeError):
    """The database holds what could be a real administration."""


class Administration:
    """Globe's tables, for the test to fill; ``url`` is what a configuration would say."""

    def __init__(self, url: str, engine: Engine) -> None:
        self.url = url
        self.tables: GlobeTables = globe_tables(engine.dialect.name)
        self._engine = engine

    @classmethod
    @contextmanager
    def created(cls, url: str) -> Iterator[Administration]:
        """One with empty tables, which are gone afterwards. Raises ``NotEmpty``."""
        engine = create_engine(url, poolclass=NullPool)
        made = cls(url, engine)
        metadata = made.tables.metadata
        there = set(inspect(engine).get_table_names(schema=metadata.schema))
        if taken := sorted(there & {table.name for table in metadata.tables.values()}):
            raise NotEmpty(
                f"BREKZSYNC_TEST_ERP_URL names a database that holds {', '.join(taken)}: give it an empty one."
            )
        metadata.create_all(engine, checkfirst=False)
        try:
            yield made
        finally:
            metadata.drop_all(engine)

    def add(self, name: str, *rows: dict[str, Any]) -> None:
        """Rows of a table, each with whichever columns it names."""
        table = getattr(self.tables, name)
        with self._engine.begin() as connection:
            for row in rows:
                connection.execute(table.insert(), row)
