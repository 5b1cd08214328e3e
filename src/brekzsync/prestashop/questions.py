"""One statement about one product, asked a thousand times a second: on connections that stay open, without a
transaction, and prepared where the server can. So it costs one way there and back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import SQLAlchemyError

from brekzsync.errors import Unavailable

_PREPARED = "brekzsync_question"


class Question(NamedTuple):
    """A statement's text with a number, always the same, in some places: ``%d``, which lets in nothing else."""

    text: str
    places: int

    @classmethod
    def made_of(cls, statement: Any, dialect: Dialect) -> Question:
        """Of a statement whose parameters are numbers, and one of them ``id_product``."""
        compiled = statement.compile(dialect=dialect)
        given = {
            name: "%d" if name == "id_product" else int(value) for name, value in compiled.params.items()
        }
        ordered = (
            None if compiled.positiontup is None else tuple(given[name] for name in compiled.positiontup)
        )
        text = compiled.string % (given if ordered is None else ordered)
        return cls(text, text.count("%d"))

    def filled_in(self, number: int) -> str:
        """What asks it at once."""
        return self.text % ((number,) * self.places)

    def executed(self, number: int) -> str:
        """What asks it where it is prepared: a third of its time goes into reading the text."""
        return f"EXECUTE {_PREPARED} USING {', '.join([f'{number:d}'] * self.places)}"


class Questions:
    """Connections kept for questions; threads may share them. ``connect`` opens one whose rows are raw and that
    begins no transactions, ``errors`` translates the driver's errors."""

    def __init__(
        self, connect: Callable[[], Connection], errors: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._connect = connect
        self._errors = errors
        self._kept: deque[Connection] = deque()  # the last one used is the next, so that the others may end

    def ask(self, question: Question, number: int) -> Sequence[tuple[Any, ...]]:
        """All its rows, as they are at one moment."""
        kept = self._one_that_is_kept()
        if kept is not None:
            with suppress(Unavailable):  # it was idle for too long, or the server was restarted
                return self._ask(kept, question, number)
        return self._ask(self._connect(), question, number)

    def close(self) -> None:
        """Close those that are kept."""
        while self._kept:
            _discard(self._kept.pop())

    def _one_that_is_kept(self) -> Connection | None:
        try:
            return self._kept.pop()
        except IndexError:
            return None

    def _ask(self, connection: Connection, question: Question, number: int) -> Sequence[tuple[Any, ...]]:
        try:
            with self._errors():
                rows = _rows(connection, question, number)
        except BaseException:
            _discard(connection)
            raise
        self._kept.append(connection)
        return rows


def _rows(connection: Connection, question: Question, number: int) -> Sequence[tuple[Any, ...]]:
    cursor = connection.connection.cursor()
    if not _takes_values_when_executed(connection.dialect):
        cursor.execute(question.filled_in(number))
    else:
        if connection.info.get(_PREPARED) != question:
            cursor.execute(f"PREPARE {_PREPARED} FROM %s", (question.text.replace("%d", "?"),))
            connection.info[_PREPARED] = question
        cursor.execute(question.executed(number))
    rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
    cursor.close()
    return rows


def _takes_values_when_executed(dialect: Any) -> bool:
    """MySQL prepares, too, but takes values from variables only, and to set those is another question."""
    return bool(dialect.is_mariadb) and dialect.server_version_info >= (10, 2, 3)


def _discard(connection: Connection) -> None:
    with suppress(SQLAlchemyError):  # it is gone already
        connection.invalidate()
        connection.close()
