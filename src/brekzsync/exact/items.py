"""What the ERP holds of our items."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Engine, select

from brekzsync.exact.connection import erp_errors
from brekzsync.exact.tables import items_table

_PAGE = 2000


class ItemRepository:
    """Reads ``Items``; raises the errors of ``erp_errors``, also in mid-stream."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._items = items_table(engine.dialect.name)

    def held_codes(self) -> Iterator[str]:
        """Every item code, trimmed and upper-cased, in no order; memory stays flat.

        Complete or an error: a read that breaks off never looks like an ERP that holds less.
        """
        query = select(self._items.c.ItemCode).execution_options(yield_per=_PAGE)
        with erp_errors(self._engine.url), self._engine.connect() as connection:
            for page in connection.execute(query).scalars().partitions():
                for code in page:
                    if code and (normalised := code.strip().upper()):
                        yield normalised
