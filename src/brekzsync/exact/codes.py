"""Item codes, warehouses and references as the ERP keeps them, and as they are asked for.

Codes are single-byte text in a collation that ignores case and trailing blanks (facts/exact-globe.md section
4.1), so SQL Server finds ``demo-1  `` for ``DEMO-1`` by itself, through the index. A function around the
column (``UPPER``, ``TRIM``) or a parameter of another type (``nvarchar``) would make it read the whole table;
so the column stays bare and the parameter is a ``varchar``, which is what SQLAlchemy's ``String`` binds.
SQLite compares byte for byte; there the function is the only way, and an ERP on SQLite is small.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, String, bindparam, func

from brekzsync.domain.texts import normalise_code

BATCH: Final = 500  # parameters in one statement; SQL Server takes 2,100


def compared(column: ColumnElement[str], dialect: str) -> ColumnElement[str]:
    """``column`` as it can be compared with another one or with ``spellings``."""
    return column if dialect == "mssql" else func.upper(func.trim(column))


def among(column: ColumnElement[str], dialect: str, name: str = "codes") -> ColumnElement[bool]:
    """The rows of a batch of ``spellings``, given as the parameter ``name``."""
    return compared(column, dialect).in_(_list_of(name))


def _list_of(name: str) -> BindParameter[Any]:
    return bindparam(name, expanding=True, type_=String())


class Batch(NamedTuple):
    """Codes to ask for in one statement: as they are compared, and in each way the ERP may have written them."""

    wanted: frozenset[str]
    spellings: list[str]


def batches(codes: Iterable[str]) -> Iterator[Batch]:
    """``codes`` in statements of at most ``BATCH`` parameters; each code, normalised, is in one of them only.

    What comes back must be compared again, with ``wanted`` of its own batch: a character the ERP's code page lacks
    became a question mark on its way, and a collation that takes two codes for one would else give a row twice.
    """
    wanted: dict[str, dict[str, None]] = {}
    for code in codes:
        if normalised := normalise_code(code):
            wanted.setdefault(normalised, {}).update(dict.fromkeys(_spellings(code)))
    several: list[str] = []
    spellings: dict[str, None] = {}
    for normalised, ways in wanted.items():
        if len(spellings) + len(ways) > BATCH and several:
            yield Batch(frozenset(several), list(spellings))
            several, spellings = [], {}
        several.append(normalised)
        spellings.update(ways)
    if several:
        yield Batch(frozenset(several), list(spellings))


def _spellings(code: str) -> Iterator[str]:
    """How to ask for a code: nearly always one way.

    Beyond ASCII also with its own letters, and with small ones: the ERP may not take ``SS`` for ``ß``, and
    SQLite's UPPER, which knows only A to Z, leaves an ``ä`` of the ERP small.
    """
    yield normalise_code(code)
    if not code.isascii():
        yield _upper_ascii(code.strip())
        yield _upper_ascii(code.strip().lower())


def _upper_ascii(text: str) -> str:
    return "".join(character.upper() if character.isascii() else character for character in text)


def paddings(codes: Iterable[str], width: int) -> list[str]:
    """Every form in which a ``char`` column may hold one of ``codes``: bare, right- or left-aligned."""
    forms = (form for code in codes for form in (code, code.rjust(width), code.ljust(width)))
    return list(dict.fromkeys(forms))
