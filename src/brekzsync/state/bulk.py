"""Statements over a batch of rows, each written once and run the fastest way a database has.

On SQLite a statement runs row by row through one prepared statement, without SQLAlchemy between the rows.
On a server that would be one round trip each, so the rows are staged in a temporary table and the same
statement runs over all of them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    FromClause,
    MetaData,
    Select,
    Table,
    bindparam,
    insert,
    select,
)
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql.dml import Insert, UpdateBase
from sqlalchemy.types import TypeEngine

from brekzsync.state.connection import Cursor
from brekzsync.state.tables import SERVER_OPTIONS

Key: TypeAlias = tuple[int, int]
Values: TypeAlias = Callable[[str], ColumnElement[Any]]
"""A field of the batch's row, as it stands in the statement."""

BATCH_ROWS: Final = 2_000
_MAJORS: Final = 400
_ROW: Final = "row_"


def constant(name: str, type_: TypeEngine[Any] | type[TypeEngine[Any]] = BigInteger) -> ColumnElement[Any]:
    """A value that is the same for the whole batch, given by name to ``Batch.run``."""
    return bindparam(f"the_{name}", type_=type_)


def insert_missing(dialect: Dialect, table: Table, values: Mapping[str, ColumnElement[Any]]) -> Insert:
    """Insert the batch's rows, leaving alone those whose key exists."""
    source = select(*values.values())
    if dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # half as slow to import as all of SQLAlchemy

        return postgresql.insert(table).from_select(list(values), source).on_conflict_do_nothing()
    # IGNORE hides no other error here: what is staged has already passed columns of the same types.
    statement = insert(table).prefix_with("OR IGNORE", dialect="sqlite")
    statement = statement.prefix_with("IGNORE", dialect="mysql").prefix_with("IGNORE", dialect="mariadb")
    if dialect.name == "sqlite" and all(getattr(value, "table", None) is None for value in values.values()):
        return statement.values(dict(values))  # a fifth faster than a select of parameters
    return statement.from_select(list(values), source)


class Statement:
    """One insert or update over a batch; ``build`` gets the dialect and the batch's fields."""

    def __init__(self, build: Callable[[Dialect, Values], UpdateBase]) -> None:
        self._build = build
        self._prepared: dict[tuple[str, tuple[str, ...]], tuple[str, Sequence[str], Mapping[str, Any]]] = {}
        self._set_wise: dict[tuple[str, str], UpdateBase] = {}

    def prepared(self, shape: Shape, dialect: Dialect) -> tuple[str, Sequence[str], Mapping[str, Any]]:
        """The statement over one row: its text, its parameters in order, the fixed ones among them."""
        key = (dialect.name, tuple(shape.types))
        if key not in self._prepared:
            row: Values = lambda name: bindparam(_ROW + name, type_=shape.types[name])  # noqa: E731
            compiled = self._build(dialect, row).compile(dialect=dialect)
            names = compiled.positiontup or []
            self._prepared[key] = (str(compiled), names, compiled.params)
        return self._prepared[key]

    def over(self, rows: FromClause, dialect: Dialect) -> UpdateBase:
        """The statement over all of ``rows``."""
        return self._build(dialect, lambda name: rows.c[name])

    def set_wise(self, shape: Shape, dialect: Dialect) -> UpdateBase:
        """The statement over all rows staged."""
        key = (dialect.name, shape.staging.name)
        if key not in self._set_wise:
            self._set_wise[key] = self._build(dialect, lambda name: shape.staging.c[name])
        return self._set_wise[key]


class Shape:
    """What a batch's rows hold: the fields of a NamedTuple, the first two being the record's key."""

    def __init__(self, name: str, types: Mapping[str, TypeEngine[Any] | type[TypeEngine[Any]]]) -> None:
        self.types = types
        # Without a key the server can only read these rows one by one and look each up in the ledger. Given
        # a key it went the other way round when its statistics were behind: the whole ledger, every batch.
        columns = [Column(field, type_) for field, type_ in types.items()]
        self.staging = Table(
            f"brekzsync_{name}", MetaData(), *columns, prefixes=["TEMPORARY"], **SERVER_OPTIONS
        )


class Batch:
    """Rows of one shape inside one writing transaction; keys are unique within them."""

    def __init__(self, connection: Connection, shape: Shape, rows: Sequence[tuple[Any, ...]]) -> None:
        self._connection = connection
        self._shape = shape
        self._rows = rows
        self._direct = connection.dialect.name == "sqlite"
        if rows and not self._direct:
            self._stage()

    def run(self, statement: Statement, **constants: Any) -> int:
        """Run it over the batch; returns how many rows it inserted or matched."""
        if not self._rows:
            return 0
        given = {f"the_{name}": value for name, value in constants.items()}
        if self._direct:
            return self._run_direct(statement, given)
        prepared = statement.set_wise(self._shape, self._connection.dialect)
        return self._connection.execute(prepared, given).rowcount

    def _run_direct(self, statement: Statement, given: Mapping[str, Any]) -> int:
        text, names, fixed = statement.prepared(self._shape, self._connection.dialect)
        fields = list(self._shape.types)
        others = [name for name in dict.fromkeys(names) if not name.startswith(_ROW)]
        values = tuple(given[name] if name in given else fixed[name] for name in others)
        places = {_ROW + field: position for position, field in enumerate(fields)}
        places |= {name: len(fields) + position for position, name in enumerate(others)}
        arrange = itemgetter(*[places[name] for name in names])
        parameters = [arrange(row + values) for row in self._rows]
        return self._connection.exec_driver_sql(text, parameters).rowcount

    def _stage(self) -> None:
        staging = self._shape.staging
        # It lives as long as the connection, and no transaction ends by making it.
        self._connection.execute(CreateTable(staging, if_not_exists=True))
        self._connection.execute(staging.delete())
        text = str(insert(staging).compile(dialect=self._connection.dialect))
        self._connection.exec_driver_sql(text, [tuple(row) for row in self._rows])


class KeyedSelect:
    """Rows of a few thousand given keys, by a statement of fixed text (compiling one a call costs more)."""

    def __init__(self, table: Table, columns: Sequence[Column[Any]]) -> None:
        majors = [bindparam(f"major_{position}", type_=BigInteger) for position in range(_MAJORS)]
        self._statement = (
            select(table.c.key_major, table.c.key_minor, *columns)
            .where(table.c.scope_id == bindparam("scope_id"), table.c.key_major.in_(majors))
            .where(table.c.key_minor.between(bindparam("least"), bindparam("most")))
            .order_by(table.c.key_major, table.c.key_minor)
        )
        self._prepared: dict[str, tuple[str, Sequence[str]]] = {}

    def rows(self, connection: Connection, scope_id: int, keys: Iterable[Key]) -> Iterator[tuple[Any, ...]]:
        """The rows that exist among ``keys``, in key order, as plain tuples."""
        for majors, chunk in _by_major(sorted(set(keys))):
            yield from self._chunk(connection, scope_id, majors, chunk)

    def _chunk(
        self, connection: Connection, scope_id: int, majors: list[int], chunk: set[Key]
    ) -> Iterator[tuple[Any, ...]]:
        text, names = self._compiled(connection.dialect)
        minors = [minor for _, minor in chunk]
        values: dict[str, int] = {"scope_id": scope_id, "least": min(minors), "most": max(minors)}
        padded = majors + majors[-1:] * (_MAJORS - len(majors))
        values |= {f"major_{position}": major for position, major in enumerate(padded)}
        result = connection.exec_driver_sql(text, tuple(values[name] for name in names))
        yield from (row for row in fetched(result.cursor) if (row[0], row[1]) in chunk)
        result.close()

    def _compiled(self, dialect: Dialect) -> tuple[str, Sequence[str]]:
        key = f"{dialect.name}+{dialect.driver}"
        if key not in self._prepared:
            compiled = self._statement.compile(dialect=dialect)
            self._prepared[key] = (str(compiled), compiled.positiontup or [])
        return self._prepared[key]


class PreparedSelect:
    """A statement without lists, made into text once for each driver."""

    def __init__(self, statement: Select[Any]) -> None:
        self._statement = statement
        self._prepared: dict[tuple[str, str], tuple[str, Sequence[str], Mapping[str, Any]]] = {}

    def rows(self, cursor: Cursor, given: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        """All its rows as plain tuples."""
        dialect = cursor.dialect
        key = (dialect.name, dialect.driver)
        if key not in self._prepared:
            compiled = self._statement.compile(dialect=dialect)
            self._prepared[key] = (str(compiled), compiled.positiontup or [], compiled.params)
        text, names, fixed = self._prepared[key]
        values = {**fixed, **given}
        cursor.driver.execute(text, tuple([values[name] for name in names]))
        rows: Sequence[tuple[Any, ...]] = cursor.driver.fetchall()
        return rows


def fetched(cursor: Any) -> Iterator[tuple[Any, ...]]:
    """A driver's rows as it gives them, a few thousand at a time."""
    while rows := cursor.fetchmany(BATCH_ROWS):
        yield from rows


def _by_major(keys: list[Key]) -> Iterator[tuple[list[int], set[Key]]]:
    """Sorted keys in pieces of at most ``_MAJORS`` different major keys and ``BATCH_ROWS`` keys."""
    majors: list[int] = []
    chunk: set[Key] = set()
    for key in keys:
        if not majors or majors[-1] != key[0]:
            if len(majors) == _MAJORS:
                yield majors, chunk
                majors, chunk = [], set()
            majors.append(key[0])
        chunk.add(key)
    if chunk:
        yield majors, chunk
