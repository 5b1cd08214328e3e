"""The number that stands for a flow and a target in every row."""

from __future__ import annotations

from sqlalchemy import Connection, String, bindparam, select

from brekzsync.state.bulk import insert_missing
from brekzsync.state.connection import Database
from brekzsync.state.tables import scope


class Scope:
    """One flow and target; the row is made at the first write, so that reading writes nothing."""

    def __init__(self, database: Database, flow: str, target: str) -> None:
        self.flow = flow
        self.target = target
        self._database = database
        self._id: int | None = None

    def find(self) -> int | None:
        """Its number, None while nothing was ever written for it."""
        if self._id is None:
            with self._database.read() as connection:
                self._id = self._select(connection)
        return self._id

    def id(self) -> int:
        """Its number, made now if need be."""
        found = self.find()
        if found is None:
            self._database.write(self._insert, durable=True)
            found = self.find()
        assert found is not None
        return found

    def _select(self, connection: Connection) -> int | None:
        statement = select(scope.c.id).where(scope.c.flow == self.flow, scope.c.target == self.target)
        return connection.scalar(statement)

    def _insert(self, connection: Connection) -> None:
        names = {name: bindparam(f"the_{name}", type_=String) for name in ("flow", "target")}
        statement = insert_missing(connection.dialect, scope, names)
        connection.execute(statement, {"the_flow": self.flow, "the_target": self.target})


def lock(connection: Connection, scope_id: int) -> None:
    """Nobody else who locks it works on this flow and target until the transaction ends (SQLite has one writer
    anyway)."""
    connection.execute(select(scope.c.id).where(scope.c.id == scope_id).with_for_update())
