"""What was spent of an API's limits, shared by all processes that ask it: one row in the inbox's database."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy import Column, Connection, MetaData, String, Table, Text, insert, select, update
from sqlalchemy.schema import CreateTable

from brekzsync.domain.call_budget import CallBudget
from brekzsync.state.connection import Database
from brekzsync.state.tables import SERVER_OPTIONS

Told = TypeVar("Told")

metadata: Final = MetaData()
api_calls: Final = Table(
    "inbox_api_calls",
    metadata,
    Column("scope", String(190), primary_key=True),
    Column("spent", Text, nullable=False),
    **SERVER_OPTIONS,
)


class CallCounts:
    """The budget of one app and company. Its table is made when it is first needed."""

    def __init__(self, database: Database, scope: str) -> None:
        self._database = database
        self._scope = scope
        self._is_ready = False

    def change(self, work: Callable[[CallBudget], tuple[CallBudget, Told]]) -> Told:
        """Let ``work`` say what the budget becomes, nobody else changing it meanwhile; and what it tells.

        A power cut may take back the last of them: then a few calls more are made than were counted, which the
        API's own answers tell.
        """
        self._prepare()

        def changed(connection: Connection) -> Told:
            row = select(api_calls.c.spent).where(api_calls.c.scope == self._scope)
            stored = connection.scalar(row.with_for_update())
            after, told = work(CallBudget() if stored is None else CallBudget.from_stored(json.loads(stored)))
            spent = json.dumps(after.stored())
            if stored is None:
                connection.execute(insert(api_calls).values(scope=self._scope, spent=spent))
            elif spent != stored:
                this = update(api_calls).where(api_calls.c.scope == self._scope)
                connection.execute(this.values(spent=spent))
            return told

        return self._database.write(changed, durable=False)

    def _prepare(self) -> None:
        if not self._is_ready:
            made = CreateTable(api_calls, if_not_exists=True)
            self._database.write(lambda connection: connection.execute(made), durable=True)
            self._is_ready = True
