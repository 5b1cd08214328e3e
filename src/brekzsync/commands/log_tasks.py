"""How an operation on its way to the marketplace is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from brekzsync.commands.log_reports import at
from brekzsync.commands.times import moment, stamp

if TYPE_CHECKING:
    from brekzsync.domain.marketplace import StatusTask


def task_document(task: StatusTask) -> dict[str, Any]:
    """As JSON holds it."""
    return {
        "operation": str(task.operation),
        "status": str(task.status),
        "order": task.shop_reference,
        "marketplace": task.identity.channel,
        "reference": task.identity.reference,
        "marketplace_id": task.identity.feed_id,
        "seen_at": stamp(at(task.seen_at)),
        "not_before": stamp(at(task.not_before)),
        "attempts": task.attempts,
        "sent_at": stamp(at(task.sent_at)),
        "account": task.id_account,
        "store": task.store_id,
        "batch": task.batch_id,
        "ticket": task.ticket,
        "tracking": task.tracking,
    }


def task_rows(task: StatusTask) -> list[tuple[str, str]]:
    """Names and what stands beside them; empty where there is nothing to say."""
    store = "" if task.store_id is None else f"{task.store_id}, account {task.id_account}"
    return [
        ("Operation", f"{task.operation}: {_STANDS[task.status]}"),
        ("Marketplace", " ".join(filter(None, (task.identity.channel, task.identity.reference)))),
        ("Its id there", str(task.identity.feed_id or "")),
        ("Seen", moment_of(task.seen_at)),
        ("Not before", moment_of(task.not_before) if task.status == "waiting" else ""),
        ("Sent", moment_of(task.sent_at)),
        ("Store", store),
        ("Batch", task.batch_id or ""),
        ("Ticket", task.ticket or ""),
        ("Tracking", task.tracking),
        ("Try again", f"brekzsync logs retry {task.id_order} --type order" if task.status == "dead" else ""),
    ]


def moment_of(milliseconds: int | None) -> str:
    """A time as the state keeps it, for a person; blank for none."""
    when = at(milliseconds)
    return "" if when is None else moment(when)


_STANDS = {
    "waiting": "waits to be sent",
    "sending": "was sent, the answer is not known",
    "sent": "was taken, its ticket is awaited",
    "dead": "was given up",
}
