"""``tickets check``: what became of the operations the marketplace took."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from brekzsync.domain.marketplace import Batch, Refused, StatusTask, Ticket
from brekzsync.domain.order_status import StatusReason, plain
from brekzsync.errors import ConfigurationError
from brekzsync.flows.order_status.accounts import Accounts, Way
from brekzsync.flows.order_status.book import Book
from brekzsync.flows.order_status.lookup import SUCCEEDED, Lookup
from brekzsync.flows.order_status.ports import Marketplace

_CANCELED = ("canceled", "cancelled")


class _Decided(NamedTuple):
    """What the tickets of a batch decided of its orders."""

    done: list[StatusTask]
    failed: list[tuple[StatusTask, str, str]]
    numbers: list[tuple[int, str]]


@dataclass(slots=True)
class TicketCheck:
    """Asks for the tickets of every batch that still has orders waiting."""

    accounts: Accounts
    lookup: Lookup
    book: Book

    def run(self, advance: Callable[[int], None]) -> None:
        """Batch by batch; what was decided when it fails stays decided."""
        for batch in self.book.tasks.batches():
            tasks = self.book.tasks.of_batch(batch)
            self.book.tally.read += len(tasks)
            self.book.tally.eligible += len(tasks)
            self.book.tally.pending += len(tasks)
            self._batch(batch, tasks)
            advance(len(tasks))

    def _batch(self, batch: Batch, tasks: Sequence[StatusTask]) -> None:
        way = Way(batch.id_account, batch.store_id)
        try:
            client = self.accounts.client(way)
        except ConfigurationError as error:  # of one account; the others' tickets do not wait for it
            self.book.warnings.append(f"{error.message} {error.hint}")
            return
        found = _matched(tasks, self._listed(client, batch))
        decided = _Decided([], [], [])
        for task in tasks:
            ticket = found.get(task.id_order)
            if ticket is None:
                self._missing(client, way, task, decided)
            else:
                self._judge(task, ticket, decided)
        self._write(decided)

    def _listed(self, client: Marketplace, batch: Batch) -> list[Ticket]:
        """Nothing where the marketplace refuses to list them: each order is then looked up when its time has come."""
        try:
            return list(client.tickets(batch.store_id, batch.batch_id))
        except Refused as refused:
            self.book.warnings.append(f"The tickets of batch {batch.batch_id} are not known: {refused}")
            return []

    def _write(self, decided: _Decided) -> None:
        if not self.book.is_dry:
            self.book.tasks.note_tickets(decided.numbers)
        self.book.tally.delivered += len(decided.done)
        self.book.finish(decided.done)
        for task in decided.done:
            self.book.sent[task.operation] += 1
        self.book.fail(decided.failed, self.book.rows(task for task, _, _ in decided.failed))

    def _judge(self, task: StatusTask, ticket: Ticket, decided: _Decided) -> None:
        """A state nobody knows may be one that a later version of the API has for work that goes on."""
        decided.numbers.append((task.id_order, ticket.number))
        state = ticket.state.lower()
        words = ticket.message or "it gave no reason"
        if state in SUCCEEDED or (state in _CANCELED and self.book.rules.canceled_is_done):
            decided.done.append(task)
        elif state == "failed":
            message = f"{task.identity.channel or 'The marketplace'} refused {task.operation}: {words}"
            decided.failed.append((task, StatusReason.TICKET_FAILED, message))
        elif state in _CANCELED:
            message = f"The marketplace canceled {task.operation} of this order: {words}"
            decided.failed.append((task, StatusReason.TICKET_CANCELED, message))
        else:
            sentence = f"{task.operation}: ticket {ticket.number} is {ticket.state or 'without a state'}."
            self.book.wait(StatusReason.IN_FLIGHT, task.id_order, sentence)

    def _missing(self, client: Marketplace, way: Way, task: StatusTask, decided: _Decided) -> None:
        """A ticket may not be listed yet; after a while it is looked for elsewhere, and then the order itself."""
        since = self.book.now() - (task.sent_at or 0)
        if since < self.book.rules.ticket_wait:
            sentence = f"{task.operation}: its ticket is not listed yet."
            self.book.wait(StatusReason.IN_FLIGHT, task.id_order, sentence)
            return
        ticket = self.lookup.numbered(client, way.store_id, task)
        if ticket is None and task.identity.feed_id is not None:
            ticket = self.lookup.ticket(client, way.store_id, task.identity.feed_id, task)
        if ticket is not None:
            self._judge(task, ticket, decided)
            return
        remote = self.lookup.order(client, way.store_id, task)
        if remote is not None and remote.shows(task.operation):
            decided.done.append(task)
            return
        shown = "is not known there" if remote is None else f"is {remote.status or 'without a status'} there"
        message = (
            f"The marketplace took {task.operation} (batch {task.batch_id}) and has no ticket of it;"
            f" the order {shown}."
        )
        decided.failed.append((task, StatusReason.TICKET_LOST, message))


def _matched(tasks: Sequence[StatusTask], tickets: Iterable[Ticket]) -> dict[int, Ticket]:
    """Each order's ticket: by the marketplace's id; by reference and channel where a ticket has none, and by the
    reference alone only where nobody else could be meant."""
    by_id: dict[int, Ticket] = {}
    by_name: dict[tuple[str, str], Ticket] = {}
    for ticket in tickets:
        if ticket.feed_id is not None:
            by_id[ticket.feed_id] = ticket
        if ticket.reference:
            by_name[ticket.reference, plain(ticket.channel or "")] = ticket
    counts: dict[str, int] = {}
    for task in tasks:
        counts[task.identity.reference] = counts.get(task.identity.reference, 0) + 1
    found: dict[int, Ticket] = {}
    for task in tasks:
        identity = task.identity
        one = by_id.get(identity.feed_id) if identity.feed_id is not None else None
        if one is None:
            one = _by_reference(task, by_name, is_only=counts[identity.reference] == 1)
        if one is not None:
            found[task.id_order] = one
    return found


def _by_reference(
    task: StatusTask, by_name: dict[tuple[str, str], Ticket], *, is_only: bool
) -> Ticket | None:
    """A ticket that names another id is another order's, however alike the reference."""
    identity = task.identity
    exact = by_name.get((identity.reference, plain(identity.channel)))
    alike = [ticket for (reference, _), ticket in by_name.items() if reference == identity.reference]
    one = exact or (alike[0] if is_only and len(alike) == 1 else None)
    if one is not None and None not in (one.feed_id, identity.feed_id) and one.feed_id != identity.feed_id:
        return None
    return one
