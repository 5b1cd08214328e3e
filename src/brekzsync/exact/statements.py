"""What the ERP's statements have in common."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BindParameter, Column, ColumnElement, Select, literal, or_

_PAGE: Final = 2000


def fixed(value: str | int) -> BindParameter[Any]:
    """A constant written into the statement: the server plans better with it than with a parameter."""
    return literal(value, literal_execute=True)


def in_pages(statement: Select[Any]) -> Select[Any]:
    """The statement, its rows fetched as they are wanted instead of all at once."""
    return statement.execution_options(yield_per=_PAGE)


def is_goods(kind: Column[str]) -> ColumnElement[bool]:
    """Whether an order line of this ``ar_soort`` is about goods: P is a text."""
    return or_(kind.is_(None), kind != fixed("P"))
