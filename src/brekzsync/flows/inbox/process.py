"""Webhooks are processed: what they are about is compared, exactly as a sweep would.

A webhook says *that* something changed, never what is right; so all that arrived for an item is one job, and
deliveries that came twice, late or in the wrong order do no harm. Done are those that were there before the
comparison began: what came while it ran is another job.

What tells no item is answered by comparing everything, and that no more often than the configuration allows:
a sweep that began after a delivery came has answered it, whatever it was about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Final, NamedTuple

from brekzsync.domain.call_budget import Later
from brekzsync.domain.inbox_records import EVERYTHING, NO_STOCK, Meaning, delay_after
from brekzsync.errors import BrekzsyncError, GuardStopped, PermanentError, Unavailable
from brekzsync.flows.inbox.asking import PAGE, Told, asked
from brekzsync.flows.inbox.comparing import together
from brekzsync.flows.inbox.outcome import Failure, InboxOutcome, InboxRequest, InboxRules
from brekzsync.flows.inbox.ports import Answers, Compared, Inbox, Meanings, Shed, Stock, Waiting
from brekzsync.flows.ports import Clock

GATHER: Final = 5.0  # seconds
MANY: Final = 200  # records that must wait to be asked about: comparing everything is quicker then


class _Postponed(NamedTuple):
    """Records of a source that may not be asked about now, and the newest delivery of them."""

    later: Later
    records: int
    newest: int


class InboxProcess:
    """One run over the inbox; ``meanings`` gives each source its own way to be understood."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        answers: Answers,
        stock: Stock,
        meanings: Callable[[str], Meanings],
        rules: InboxRules,
        clock: Clock,
    ) -> None:
        self.inbox = inbox
        self.answers = answers
        self.stock = stock
        self.rules = rules
        self.clock = clock
        self._meanings = meanings

    def run(self, request: InboxRequest, outcome: InboxOutcome) -> None:
        """Process what waits, ``outcome`` telling of it also when this raises.

        Raises LockHeld, and what the shop or the ERP raise: nothing is lost then, and no attempt is counted, for
        it is not the fault of any record. What stopped the asking of one source is in the outcome.
        """
        jobs = _Jobs(self, request, outcome)
        sources, now = self.inbox.sources(), self.clock()
        with asked(self.inbox, sources, self._meanings, now, request.limit) as all_told:
            for told in all_told:
                if told is not None:
                    jobs.take(told)
                if jobs.is_ripe:
                    jobs.compare()
            jobs.compare()
        jobs.compare_all()


class _Jobs:
    """What was told, gathered into comparisons."""

    def __init__(self, process: InboxProcess, request: InboxRequest, outcome: InboxOutcome) -> None:
        self._inbox = process.inbox
        self._stock = process.stock
        self._rules = process.rules
        self._clock = process.clock
        self._answers = process.answers
        self._request = request
        self._outcome = outcome
        self._page: dict[str, list[Waiting]] = {}
        self._settled: list[Waiting] = []  # done, and not noted yet
        self._since = 0.0
        # Of each source the newest of the deliveries that only comparing everything can answer.
        self._newest: dict[str, int] = {}
        self._later: dict[str, _Postponed] = {}

    @property
    def is_ripe(self) -> bool:
        """Whether there is enough to compare, or the first of it has waited for long: every comparison costs a look
        at the catalogue, so a source that tells an item now and then is let gather some."""
        return max(len(self._page), len(self._settled)) >= PAGE or (
            bool(self._page) and monotonic() - self._since > GATHER
        )

    def take(self, told: Told) -> None:
        """One more record."""
        waiting, meaning = told
        report = self._outcome.of(waiting.source)
        report.records += 1
        report.deliveries += waiting.count
        match meaning:
            case Meaning() if meaning == NO_STOCK:
                report.not_stock += 1
                self._settled.append(waiting)
            case Meaning() if meaning == EVERYTHING:
                self._with_all(waiting)
            case Meaning():
                self._since = self._since if self._page else monotonic()
                self._page.setdefault(meaning.code, []).append(waiting)
            case Later():
                self._wait(waiting, meaning)
            case Unavailable():
                report.left += 1
                report.trouble = meaning
            case _:  # it will not answer before a person has mended something, and stock cannot wait for that
                report.trouble = meaning
                self._with_all(waiting)

    def compare(self) -> None:
        """Compare the items there are by now, and note what became of the records."""
        page, self._page = self._page, {}
        if page:
            self._compare(page)
        settled, self._settled = self._settled, []
        if settled and not self._request.dry_run:
            self._answers.done(settled, self._clock())

    def _compare(self, page: Mapping[str, Sequence[Waiting]]) -> None:
        compared = self._compared(list(page))
        self._outcome.codes += len(page)
        self._outcome.left_alone.update(compared.left_alone)
        for code, jobs in page.items():
            for waiting in jobs:
                if code in compared.failed:
                    self._failed(waiting, compared.failed[code])
                else:
                    self._outcome.of(waiting.source).done += 1
                    self._settled.append(waiting)

    def _compared(self, codes: Sequence[str]) -> Compared:
        """One item that cannot be compared at all is found, and does not keep the others back."""
        try:
            return self._stock.update(codes, dry_run=self._request.dry_run)
        except PermanentError as error:
            if len(codes) == 1:
                return Compared({codes[0]: error.message}, {})
        middle = len(codes) // 2
        return together([self._compared(codes[:middle]), self._compared(codes[middle:])])

    # --- what only a comparison of everything can answer --------------------------------------------------

    def compare_all(self) -> None:
        """Compare everything once, for records that tell no item and for sources that were told to wait."""
        self._not_wait_in_vain()
        sheds = [shed for shed in self._inbox.sheds() if shed.closed_at is not None]
        self._outcome.sheds_open = len(self._inbox.sheds()) - len(sheds)
        if not (self._newest or sheds):
            return
        if not self._may_compare_all(sheds):
            self._outcome.sheds_waiting = len(sheds)
            self._leave()
            return
        began = self._clock()
        try:
            self._outcome.not_written = 0 if self._request.dry_run else self._stock.sweep()
        except GuardStopped as error:
            self._outcome.trouble = error
            self._outcome.sheds_waiting = len(sheds)
            self._leave()
            return
        self._outcome.compared_all = True
        self._answered(sheds, began)

    def _not_wait_in_vain(self) -> None:
        """Records whose source may be asked too late, or too many to ask, are compared with everything else."""
        for source, postponed in self._later.items():
            report = self._outcome.of(source)
            is_long = postponed.later.at - self._clock() > self._rules.compare_all_every
            if is_long or postponed.records > MANY:
                report.left -= postponed.records
                report.with_all += postponed.records
                self._newest[source] = max(self._newest.get(source, 0), postponed.newest)
            else:
                report.later = postponed.later.message

    def _may_compare_all(self, sheds: Sequence[Shed]) -> bool:
        """Not again so soon; but after a flood at once, unless that was tried already."""
        last = self._stock.last_sweep()
        if last is None or any(shed.closed_at is not None and shed.closed_at > last for shed in sheds):
            return True
        self._outcome.all_waits_until = last + self._rules.compare_all_every
        if self._clock() < self._outcome.all_waits_until:
            return False
        self._outcome.all_waits_until = None
        return True

    def _answered(self, sheds: Sequence[Shed], began: datetime) -> None:
        for source in self._newest:
            report = self._outcome.of(source)
            report.done += report.with_all
        self._outcome.sheds_compared = len(sheds)
        if self._request.dry_run:
            return
        for source, newest in self._newest.items():
            self._answers.everything(source, newest, self._clock())
        for shed in sheds:
            self._inbox.compared(shed.id, began)

    def _leave(self) -> None:
        for source in self._newest:
            report = self._outcome.of(source)
            report.left, report.with_all = report.left + report.with_all, 0

    def _with_all(self, waiting: Waiting) -> None:
        self._outcome.of(waiting.source).with_all += 1
        self._newest[waiting.source] = max(self._newest.get(waiting.source, 0), waiting.last_id)

    # --- one record ---------------------------------------------------------------------------------------

    def _wait(self, waiting: Waiting, later: Later) -> None:
        self._outcome.of(waiting.source).left += 1
        before = self._later.get(waiting.source)
        count, newest = (before.records, before.newest) if before else (0, 0)
        self._later[waiting.source] = _Postponed(later, count + 1, max(newest, waiting.last_id))

    def _failed(self, waiting: Waiting, message: str) -> None:
        now, attempts = self._clock(), waiting.attempts + 1
        again_at = now + delay_after(attempts) if attempts < self._rules.attempts else None
        self._outcome.fail(Failure(waiting.source, waiting.record, message, again_at))
        if self._request.dry_run:
            return
        which = (waiting.source, waiting.record, waiting.last_id, now)
        if again_at is None:
            self._inbox.dead(*which, message)
        else:
            self._inbox.failed(*which, again_at, message)


def worst_of(errors: Sequence[BrekzsyncError]) -> BrekzsyncError | None:
    """What the run should end with: what a person must mend before what passes by itself."""
    passing = [error for error in errors if isinstance(error, Unavailable)]
    return next((error for error in errors if error not in passing), next(iter(passing), None))
