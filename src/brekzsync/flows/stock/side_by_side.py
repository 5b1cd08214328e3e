"""Two streams in the order of item codes, read in pieces of the same codes; flat in memory, their order checked.

In pieces, because a step of Python for each of a million rows of either side is what a look at everything cannot
afford (``look.py``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice, pairwise
from operator import gt, itemgetter, lt
from typing import Any, Final, TypeVar

from brekzsync.domain.keys import ProductKey
from brekzsync.flows.converge import OutOfOrder, out_of_order

CHUNK: Final = 5000
"""Rows of a piece, about."""
_key_of = _code_of = itemgetter(0)

Value = TypeVar("Value")


def ascending_pages(
    stream: Iterable[tuple[ProductKey, Value]], name: str
) -> Iterator[Sequence[tuple[ProductKey, Value]]]:
    """The stream in pages, its order checked."""
    stream, last = iter(stream), (-1, -1)
    while page := list(islice(stream, CHUNK)):
        keys = [last, *map(_key_of, page)]
        if not all(map(lt, keys, keys[1:])):
            raise next(out_of_order(name, key, before) for before, key in pairwise(keys) if key <= before)
        last = keys[-1]
        yield page


class _Side:
    """One side's rows in the order of their codes, some of them read."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._rows = iter(rows)
        self._has_ended = False
        self.read: list[tuple[Any, ...]] = []

    def read_on(self) -> None:
        """Until there are many, not all of one code, or it ends."""
        while not self._has_ended and (len(self.read) < CHUNK or self.read[0][0] == self.read[-1][0]):
            more = list(islice(self._rows, CHUNK))
            codes = [*map(_code_of, self.read[-1:]), *map(_code_of, more)]
            if any(map(gt, codes, codes[1:])):
                raise next(_unsorted(code, before) for before, code in pairwise(codes) if code < before)
            self.read += more
            self._has_ended = not more

    @property
    def complete_below(self) -> str | None:
        """All rows of lower codes have been read; None: of any code."""
        return None if self._has_ended else self.read[-1][0]

    def take(self, below: str | None) -> list[tuple[Any, ...]]:
        """What was read of lower codes."""
        end = len(self.read) if below is None else bisect_left(self.read, below, key=_code_of)
        taken, self.read = self.read[:end], self.read[end:]
        return taken


def side_by_side(
    theirs: Iterable[tuple[Any, ...]], mine: Iterable[tuple[Any, ...]]
) -> Iterator[tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]]:
    """Both in pieces of the same codes."""
    sides = _Side(theirs), _Side(mine)
    while True:
        for side in sides:
            side.read_on()
        bounds = [side.complete_below for side in sides]
        below = min((bound for bound in bounds if bound is not None), default=None)
        yield sides[0].take(below), sides[1].take(below)
        if below is None:
            return


def _unsorted(code: str, before: str) -> OutOfOrder:
    return OutOfOrder(
        f"Item code {code!r} came after {before!r}: the order cannot be trusted, so nothing was compared.",
        hint="Check that nothing but Exact writes its Items; then run it again.",
    )


def grouped(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """Rows in the order of their first field, those of one value together."""
    return (list(group) for _, group in groupby(rows, _code_of))


def of_several(rows: Sequence[tuple[Any, ...]]) -> set[str]:
    """The codes of several rows each."""
    codes = list(map(_code_of, rows))
    return {code for code, following in pairwise(codes) if code == following}
