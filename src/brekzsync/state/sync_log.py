"""The ledgers of all flows read as logs: page by page by time, or whole in key order, flat in memory.

There are two places to look (``log_places.py``), and what they give is merged.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select

from brekzsync.domain.keys import WantedId
from brekzsync.domain.log_records import LogQuery, LogRow, LogStatus
from brekzsync.domain.sync_flows import FLOWS
from brekzsync.state.bulk import Key
from brekzsync.state.connection import Database
from brekzsync.state.log_places import (
    PLACES,
    LogPosition,
    Place,
    Scopes,
    counted,
    following,
    latest,
    under,
    with_combinations,
)
from brekzsync.state.tables import ledger, scope

PAGE_ROWS: Final = 1_000
_OF_ONE_PRODUCT: Final = 1_000


class LogPage(NamedTuple):
    """Some rows, last updated first; ``next`` is None when they are the last."""

    rows: list[LogRow]
    next: LogPosition | None


class _Found(NamedTuple):
    position: LogPosition
    row: LogRow


class SyncLog:
    """All records of all flows this release knows. Reading takes no lock and leaves no trace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def targets(self) -> set[str]:
        """The targets anything is remembered of."""
        return {target for _, target in self._scopes(LogQuery()).values()}

    def page(self, query: LogQuery, *, after: tuple[int, int, int, int] | None, limit: int) -> LogPage:
        """The last updated records first, ``limit`` of them, behind the position ``after``."""
        behind = None if after is None else LogPosition._make(after)
        scopes = self._scopes(query)
        with self._reading(query) as connection:
            found = [
                _found(place, scopes, row)
                for place in PLACES
                for row in connection.execute(latest(place, query, scopes, behind, limit + 1))
            ]
        found.sort(key=lambda one: (-one.position.updated_at, one.position[1:]))
        following = found[limit - 1].position if len(found) > limit > 0 else None
        return LogPage([one.row for one in found[:limit]], following)

    def stream(self, query: LogQuery) -> Iterator[LogRow]:
        """Every record in the order of its key, flow by flow; each page read in a transaction of its own."""
        scopes = self._scopes(query)
        for scope_id in sorted(scopes, key=lambda one: scopes[one]):
            one = {scope_id: scopes[scope_id]}
            places = [self._stream(place, query, one) for place in PLACES]
            yield from heapq.merge(*places, key=lambda row: row.entry.key)

    def record(self, query: LogQuery, wanted: WantedId) -> list[LogRow]:
        """What is remembered under a key, in every flow and target that fits; under all of a product's keys,
        and under the orders of that number, when ``wanted`` is one number."""
        scopes = self._scopes(query)
        with self._reading(query) as connection:
            found = [
                _found(place, scopes, row)
                for place in PLACES
                for row in connection.execute(under(place, query, scopes, wanted).limit(_OF_ONE_PRODUCT))
            ]
        found.sort(key=lambda one: (scopes[one.position.scope_id], one.position[2:]))
        return [one.row for one in found]

    def backlog(self, flow: str, target: str) -> dict[str, int]:
        """How many records of one flow and target wait or failed, as the logs tell them."""
        known = self._scopes(LogQuery(target=target))
        scopes = {number: names for number, names in known.items() if names[0] == flow}
        with self._database.read() as connection:
            return {
                status: sum(connection.scalar(counted(place, status, scopes)) or 0 for place in PLACES)
                for status in (LogStatus.PENDING, LogStatus.FAILED)
            }

    def near(self, query: LogQuery, wanted: WantedId, limit: int) -> list[Key]:
        """Keys of combinations somebody may have meant who typed one that is not there: of the same product,
        else of the same combination."""
        products = with_combinations(self._scopes(query))
        same = WantedId(wanted.id_product, None)
        found = (row for row in self.record(query, same) if FLOWS[row.flow].has_combinations)
        of_product = [row.entry.key for row in islice(found, limit)]
        own = wanted.id_product if wanted.id_product_attribute is None else wanted.id_product_attribute
        if of_product or not own:
            return sorted(set(of_product))
        statement = (
            select(ledger.c.key_major, ledger.c.key_minor)
            .where(ledger.c.scope_id.in_(products), ledger.c.key_minor == own)
            .order_by(ledger.c.key_major)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [(row.key_major, row.key_minor) for row in connection.execute(statement)]

    def _stream(self, place: Place, query: LogQuery, scopes: Scopes) -> Iterator[LogRow]:
        after: Key = (-1, -1)
        while True:
            with self._reading(query) as connection:
                page = connection.execute(following(place, query, scopes, after, PAGE_ROWS)).all()
            found = [_found(place, scopes, row) for row in page]
            yield from (one.row for one in found)
            if len(found) < PAGE_ROWS:
                return
            after = found[-1].row.entry.key

    def _scopes(self, query: LogQuery) -> Scopes:
        """Flow and target by their number, of those that are asked for."""
        with self._database.read() as connection:
            rows = connection.execute(select(scope)).all()
        return {
            row.id: (row.flow, row.target)
            for row in rows
            if row.flow in FLOWS
            and query.log_type in (None, FLOWS[row.flow].log_type)
            and query.target in (None, row.target)
        }

    @contextmanager
    def _reading(self, query: LogQuery) -> Iterator[Connection]:
        with self._database.read() as connection:
            if query.search and self._database.backend == "sqlite":
                # SQLite's own lower() knows no letters but a to z.
                driver = connection.connection.driver_connection
                assert driver is not None
                driver.create_function("lower", 1, _lower, deterministic=True)
            yield connection


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def _found(place: Place, scopes: Scopes, row: Sequence[Any]) -> _Found:
    scope_id, *values = row
    entry, document, in_flight = place.entry(values)
    return _Found(
        LogPosition(entry.updated_at, scope_id, *entry.key),
        LogRow(*scopes[scope_id], entry, document, in_flight),
    )
