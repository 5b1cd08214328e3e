"""What becomes of the operations the demo's marketplace took, once their time has come."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from brekzsync.demo.marketplace.rules import FAILED, Behaviour, DemoOrder, verdict, words_for
from brekzsync.demo.marketplace.tables import MILLISECONDS, ORDER, TICKET
from brekzsync.domain.order_status import Operation

_AT_ONCE = 5_000
_END = (
    update(TICKET)
    .where(TICKET.c.number == bindparam("ended"))
    .values(state=bindparam("in_state"), message=bindparam("words"), finished_at=bindparam("at"))
)
_CHANGE = update(ORDER).where(ORDER.c.id == bindparam("changed")).values(status=bindparam("to"))


def settle(connection: Connection, behaviour: Behaviour, at: int) -> None:
    """Let the tickets whose time has come end, in the order in which they were taken."""
    after: int | None = 0
    while after is not None:
        after = _settle_some(connection, behaviour, at, after)


def _settle_some(connection: Connection, behaviour: Behaviour, at: int, after: int) -> int | None:
    """The number of the last one it looked at; None when there are no more."""
    due = (
        select(TICKET.c.number, TICKET.c.operation, TICKET.c.payload, *ORDER.c)
        .join(ORDER, ORDER.c.id == TICKET.c.id_order)
        .where(
            TICKET.c.finished_at.is_(None),  # as the index says it
            TICKET.c.number > after,
            TICKET.c.scheduled_at <= at - behaviour.ticket_delay * MILLISECONDS,
            TICKET.c.looks >= behaviour.hidden_looks + behaviour.ticket_looks,
        )
        .order_by(TICKET.c.number)
        .limit(_AT_ONCE)
    )
    ended: list[dict[str, Any]] = []
    statuses: dict[int, str] = {}
    failures: Counter[tuple[int, str]] = Counter()
    found = connection.execute(due).all()
    for number, name, payload, *columns in found:
        order = DemoOrder._make(columns)
        if words_for(order, behaviour.stuck):
            continue
        order = order._replace(status=statuses.get(order.id, order.status))
        failed_before = failures[order.id, name]
        if behaviour.failures is not None and words_for(order, behaviour.failing):
            failed_before += _failed_before(connection, order.id, name)
        end = verdict(order, Operation(name), json.loads(payload), behaviour, failed_before)
        failures[order.id, name] += end.state == FAILED
        if end.status != order.status:
            statuses[order.id] = end.status
        ended.append({"ended": number, "in_state": end.state, "words": end.message, "at": at})
    if ended:
        connection.execute(_END, ended)
    if statuses:
        connection.execute(_CHANGE, [{"changed": order, "to": to} for order, to in statuses.items()])
    return found[-1].number if len(found) == _AT_ONCE else None


def _failed_before(connection: Connection, order: int, operation: str) -> int:
    return (
        connection.scalar(
            select(func.count()).where(
                TICKET.c.id_order == order, TICKET.c.operation == operation, TICKET.c.state == FAILED
            )
        )
        or 0
    )
