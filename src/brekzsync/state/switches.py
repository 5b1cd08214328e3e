"""Which flows a person switched off, for which target, and who did it when and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from brekzsync.domain.sync_flows import FlowSwitch
from brekzsync.state.bulk import insert_missing
from brekzsync.state.connection import Database
from brekzsync.state.tables import flow_switch
from brekzsync.state.times import from_milliseconds, to_milliseconds


class FlowSwitches:
    """The switches in the state database. A flow nobody ever switched has none and is on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_enabled(self, flow: str, target: str) -> bool:
        """Whether runs of this flow to this target may do anything."""
        switch = self.find(flow, target)
        return switch is None or switch.is_enabled

    def find(self, flow: str, target: str) -> FlowSwitch | None:
        """How it was last switched, None when it never was."""
        statement = select(flow_switch).where(flow_switch.c.flow == flow, flow_switch.c.target == target)
        with self._database.read() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else _switch(row)

    def all(self) -> dict[tuple[str, str], FlowSwitch]:
        """Every switch by flow and target, those of targets that are no longer configured included."""
        with self._database.read() as connection:
            rows = connection.execute(select(flow_switch)).all()
        return {(row.flow, row.target): _switch(row) for row in rows}

    def set(
        self,
        flow: str,
        targets: Sequence[str],
        *,
        enabled: bool,
        by_whom: str = "",
        reason: str = "",
        at: datetime,
    ) -> list[str]:
        """Switch a flow for all these targets at once, returning those that were not so already.

        A target that is switched so already keeps who did it, when and why.
        """
        values = {
            "enabled": int(enabled),
            "by_whom": by_whom[:100],
            "reason": reason,
            "at": to_milliseconds(at),
        }

        def work(connection: Connection) -> list[str]:
            changed = _switched_otherwise(connection, flow, targets, enabled)
            for target in changed:
                _store(connection, {"flow": flow, "target": target, **values})
            return changed

        return self._database.write(work, durable=True)


def _switched_otherwise(
    connection: Connection, flow: str, targets: Sequence[str], enabled: bool
) -> list[str]:
    statement = select(flow_switch.c.target, flow_switch.c.enabled).where(flow_switch.c.flow == flow)
    known = {row.target: bool(row.enabled) for row in connection.execute(statement)}
    return [target for target in targets if known.get(target, True) is not enabled]


def _store(connection: Connection, values: dict[str, Any]) -> None:
    """Insert or update, so that two people switching at once do not meet a duplicate key."""
    row = {name: bindparam(f"the_{name}", type_=flow_switch.c[name].type) for name in values}
    given = {f"the_{name}": value for name, value in values.items()}
    connection.execute(insert_missing(connection.dialect, flow_switch, row), given)
    key = {"flow", "target"}
    statement = (
        update(flow_switch)
        .where(flow_switch.c.flow == row["flow"], flow_switch.c.target == row["target"])
        .values({name: value for name, value in row.items() if name not in key})
    )
    connection.execute(statement, given)


def _switch(row: Row[Any]) -> FlowSwitch:
    return FlowSwitch(
        flow=row.flow,
        target=row.target,
        is_enabled=bool(row.enabled),
        by_whom=row.by_whom,
        reason=row.reason,
        at=from_milliseconds(row.at),
    )
