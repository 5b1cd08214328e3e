"""The one idea: walk the source and the ledger side by side, in key order, and say where they differ.

Both sides are streams ordered by key, so memory does not grow with either. A key that is not strictly
greater than the one before it stops the run: a wrong order would make records look deleted.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from brekzsync.domain.keys import ProductKey, format_key
from brekzsync.errors import PermanentError


class Keyed(Protocol):
    """Anything with the key of its record."""

    @property
    def key(self) -> ProductKey: ...


Source = TypeVar("Source", bound=Keyed)
Known = TypeVar("Known", bound=Keyed)


class OutOfOrder(PermanentError):
    """A stream was not in strictly ascending key order; nothing may be judged absent."""

    default_code = "out_of_order"


def merge_join(
    source: Iterable[Source], ledger: Iterable[Known]
) -> Iterator[tuple[Source | None, Known | None]]:
    """Pairs of what the source and the ledger hold under one key, in key order; None on the side without.

    Raises OutOfOrder when either side is not strictly ascending. A pair without a source record means
    absence only once the whole join has been read.
    """
    known_rows = ascending(ledger, "ledger")
    known, known_key = next(known_rows, _END)
    for record, key in ascending(source, "source"):
        while known_key < key:
            yield None, known
            known, known_key = next(known_rows, _END)
        if known_key == key:
            yield record, known
            known, known_key = next(known_rows, _END)
        else:
            yield record, None
    while known is not None:
        yield None, known
        known, known_key = next(known_rows, _END)


_END: tuple[None, ProductKey] = (None, (sys.maxsize, sys.maxsize))


def ascending(stream: Iterable[Source], name: str) -> Iterator[tuple[Source, ProductKey]]:
    """The stream's records with their keys, checked."""
    last: ProductKey = (-1, -1)
    for record in stream:
        key = record.key
        if key <= last:
            raise out_of_order(name, key, last)
        last = key
        yield record, key


def out_of_order(name: str, key: ProductKey, last: ProductKey) -> OutOfOrder:
    """The error for a stream that gave ``key`` after ``last``."""
    return OutOfOrder(
        f"The {name} gave {format_key(key)} after {format_key(last)}: its order cannot be trusted, so"
        " nothing was judged deleted.",
        hint="Check that id columns are integers and that no second run changes the same database.",
    )
