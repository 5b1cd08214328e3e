"""One run of a job: post what waits, finish what was left, then fetch, import and post what the shop offers."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias

from brekzsync.agent.asimport import AsImport, Ended, ImporterMissing
from brekzsync.agent.configuration import JobPlan
from brekzsync.agent.documents import merged, topics_in
from brekzsync.agent.feed import (
    BrokenDocument,
    Document,
    Entry,
    Feed,
    NotOffered,
    ResultsRefused,
    ShopAway,
    ShopRefused,
    SwitchedOff,
)
from brekzsync.agent.results import Recogniser, Verdict, last_lines, recognised, verdicts
from brekzsync.agent.workfolder import Batch, WorkFolder

Ending: TypeAlias = Literal[
    "done",
    "stopped",
    "switched_off",
    "shop_away",
    "shop_refused",
    "importer_missing",
    "import_at_work",
    "failed",
]

_CRASHED: Final = "The agent was stopped while AsImport was at work: what it did by then is unknown."
# One record the shop cannot make a document of is passed over; several in a row are the shop's own trouble.
_BROKEN_IN_A_ROW: Final = 3
_UNREAD: Final = "Nothing in its log tells what became of this record."


class _ImportAtWork(Exception):
    """An import that a killed agent left behind still runs."""


class _Stopped(Exception):
    """Somebody asked the run to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended; ``message`` tells why it did not come to its end."""

    ending: Ending
    message: str = ""
    counts: dict[str, int] = field(default_factory=dict)


class _Fetched(NamedTuple):
    entry: Entry  # with the version the shop named last
    document: Document


class Job:
    """A kind of record. ``run`` may be called again and again, by one thread at a time."""

    def __init__(
        self,
        plan: JobPlan,
        folder: WorkFolder,
        feed: Feed,
        importer: AsImport,
        recognisers: Sequence[Recogniser],
        logger: logging.Logger,
    ) -> None:
        self.plan = plan
        self.folder = folder
        self._feed = feed
        self._importer = importer
        self._recognisers = recognisers
        self._log = logger
        self._counts: Counter[str] = Counter()
        self._broken_in_a_row = 0

    def run(self, stop: threading.Event) -> Outcome:
        """Never raises: whatever goes wrong is the outcome, and the next run goes on from there."""
        self._counts = Counter()
        self._broken_in_a_row = 0
        try:
            self._run(stop)
            return self._outcome("done", "")
        except _Stopped:
            return self._outcome("stopped", "It was asked to stop.")
        except SwitchedOff as error:
            return self._outcome("switched_off", str(error))
        except ShopAway as error:
            return self._outcome("shop_away", str(error))
        except ShopRefused as error:
            return self._outcome("shop_refused", str(error))
        except ImporterMissing as error:
            return self._outcome("importer_missing", str(error))
        except _ImportAtWork as error:
            return self._outcome("import_at_work", str(error))
        except OSError as error:
            return self._outcome("failed", f"The work folder cannot be used: {error}.")
        except Exception as error:
            self._log.exception("unexpected error")
            return self._outcome("failed", f"Unexpected {type(error).__name__}: {error}.")

    def _outcome(self, ending: Ending, message: str) -> Outcome:
        return Outcome(ending=ending, message=message, counts=dict(self._counts))

    def _run(self, stop: threading.Event) -> None:
        self.folder.prepare()
        left = self._settle_what_was_importing()
        # Nothing new is fetched while a result waits: the shop could offer again what is imported already.
        self._post()
        self._importer.check()
        resumed = {entry.id for batch in left for entry in batch.entries}
        for batch in left:
            self._goes_on(stop)
            self._carry_out(batch)
        for page in self._feed.pages():
            fresh = [entry for entry in page if entry.id not in resumed]
            self._counts["offered"] += len(fresh)
            for entries in _chunks(fresh, self.plan.batch):
                self._goes_on(stop)
                self._carry_out(self.folder.open(entries))

    @staticmethod
    def _goes_on(stop: threading.Event) -> None:
        if stop.is_set():
            raise _Stopped

    # --- what an earlier run left ---------------------------------------------------------------------------

    def _settle_what_was_importing(self) -> list[Batch]:
        """Settle the imports whose end nobody saw; the batches left that never got so far."""
        left = []
        for batch in self.folder.batches():
            if batch.state == "asked":
                left.append(batch)
                continue
            file = self.folder.document(batch.number)
            if self._importer.is_still_at_work(file):
                raise _ImportAtWork(
                    f"AsImport is still at work on {file.name}, which an agent that is gone began."
                )
            name = self.folder.name(batch.number)
            logs = self._importer.logs_after_crash(file, batch.topics, name)
            self._settle(batch, [Ended(False, _CRASHED, log) for log in logs])
        return left

    # --- one batch ------------------------------------------------------------------------------------------

    def _carry_out(self, batch: Batch) -> None:
        """Fetch, import, keep the result, post it. A batch that was asked for before is asked for again."""
        fetched = self._fetch(batch)
        content = merged([one.document.content for one in fetched]) if fetched else b""
        topics = topics_in(content, self.plan.topics) if fetched else []
        if not topics:
            for one in fetched:
                self._log.warning("%s holds none of %s", one.entry.id, ", ".join(self.plan.topics))
            self.folder.close(batch.number)
            return
        file = self.folder.write_document(batch.number, content)
        begun = self.folder.begin_import(batch, [one.entry for one in fetched], topics)
        name = self.folder.name(batch.number)
        endings: list[Ended] = []
        for topic in topics:
            try:
                ending = self._importer.run(file, topic, name)
            except ImporterMissing:
                if endings:
                    self._settle(
                        begun, [*endings, Ended(False, "AsImport could not be started again.", None)]
                    )
                else:
                    self.folder.back_to_asked(begun)
                raise
            endings.append(ending)
            if not ending.is_regular:
                break
        self._settle(begun, endings)
        self._post()

    def _fetch(self, batch: Batch) -> list[_Fetched]:
        fetched = []
        for entry in batch.entries:
            try:
                document = self._feed.document(entry, batch.claim)
            except NotOffered as error:
                self._counts["not_offered"] += 1
                self._log.info("%s is not offered: %s", entry.id, error)
                continue
            except BrokenDocument as error:
                self._pass_over(entry, error)
                continue
            self._broken_in_a_row = 0
            fetched.append(_Fetched(entry._replace(version=document.version), document))
        return fetched

    def _pass_over(self, entry: Entry, error: BrokenDocument) -> None:
        self._counts["broken"] += 1
        self._broken_in_a_row += 1
        self._log.warning("%s is passed over: %s", entry.id, error)
        if self._broken_in_a_row >= _BROKEN_IN_A_ROW:
            raise ShopAway(f"The shop cannot make its documents: {error}.")

    def _settle(self, batch: Batch, endings: Sequence[Ended]) -> None:
        """Decide what became of each record and keep it for the shop."""
        logs = [recognised(one.log, self._recognisers) if one.log else None for one in endings]
        logs += [None] * (len(batch.topics) - len(endings))  # topics that were not reached
        codes = [entry.code for entry in batch.entries]
        decided = verdicts(codes, logs, _otherwise(endings, is_read=None not in logs))
        for entry, verdict in zip(batch.entries, decided, strict=True):
            self._counts[verdict.status] += 1
            level = logging.WARNING if verdict.status == "rejected" else logging.INFO
            self._log.log(level, "%s %s: %s", entry.id, verdict.status, verdict.message)
        results = [_result(*pair) for pair in zip(batch.entries, decided, strict=True)]
        self.folder.settle(batch, results)

    def _post(self) -> None:
        """Post what waits, in its order. Raises ShopAway, ShopRefused; what is not posted stays."""
        for path, results in self.folder.results():
            try:
                for unknown in self._feed.post(results):
                    self._counts["unknown_to_shop"] += 1
                    self._log.warning("%s: the shop does not know what this result is for", unknown)
            except ResultsRefused as error:
                self._log.error("the shop will not take %s, which is put aside: %s", path.name, error)
                self.folder.refuse(path)
            else:
                self.folder.posted(path)


def _result(entry: Entry, verdict: Verdict) -> dict[str, str]:
    version = {"version": entry.version} if entry.version else {}
    return {"id": entry.id, **version, "status": verdict.status, "message": verdict.message}


def _otherwise(endings: Sequence[Ended], *, is_read: bool) -> str:
    """What is said of a record that no log tells of."""
    last = endings[-1]
    tail = "" if is_read or last.log is None else last_lines(last.log)
    said = f" Its log ends with: {tail}" if tail else (f" {_UNREAD}" if is_read else " It left no log.")
    return last.sentence + said


def _chunks(entries: Sequence[Entry], size: int) -> Iterator[Sequence[Entry]]:
    return (entries[start : start + size] for start in range(0, len(entries), size))
