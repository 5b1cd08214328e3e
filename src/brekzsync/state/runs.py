"""The record of every run: what it did, how it ended, and which ones never said so."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from sqlalchemy import Connection, Row, Select, and_, func, insert, not_, select, update

from brekzsync.domain.sync_flows import PARTIAL_RUN
from brekzsync.state.connection import Database
from brekzsync.state.tables import run
from brekzsync.state.times import from_milliseconds, to_milliseconds

Ending: TypeAlias = Literal["done", "failed", "interrupted"]

_KILLED: Final[dict[str, Any]] = {
    "status": "failed",
    "error_code": "killed",
    "error_message": "The run ended without a word: it was killed, or its machine stopped.",
}


WAS_BASELINE: Final = and_(
    run.c.status == "done",
    run.c.command.endswith(" --baseline", autoescape=True),  # of all records: a run of some ends otherwise
)
"""Whether a run took all there was as known."""


class RunHandle(NamedTuple):
    """A run that was opened; ``name`` is what people and log lines call it."""

    id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as it was recorded; ``status`` is running, done, failed or interrupted."""

    id: int
    name: str
    flow: str
    target: str
    command: str
    host: str
    status: str
    started_at: datetime
    heartbeat_at: datetime
    finished_at: datetime | None
    error_code: str | None
    error_message: str | None
    counts: dict[str, int]
    reasons: dict[str, int]
    output: str | None
    failures: bytes | None

    @property
    def if_dead(self) -> Run:
        """This run as it is to be told when it never ended and its flow's lock is free."""
        return replace(self, **_KILLED)


class Runs:
    """The runs of all flows; their beginnings and ends are durable unless ``durable`` is off. ``at`` is an aware
    time."""

    def __init__(
        self,
        database: Database,
        token: Callable[[], str] = lambda: secrets.token_hex(3),
        *,
        durable: bool = True,
    ) -> None:
        self._database = database
        self._token = token
        self._durable = durable

    def of_looks(self) -> Runs:
        """For runs that only look, many an hour: a power cut may take back the last of them, with all after it."""
        return Runs(self._database, self._token, durable=False)

    def open(self, flow: str, target: str, command: str, at: datetime) -> RunHandle:
        """Record that a run starts; its name begins with its UTC start time, so names sort by time."""
        name = f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{self._token()}"
        moment = to_milliseconds(at)
        values = {
            "name": name,
            "flow": flow,
            "target": target,
            "command": command[:255],
            "started_at": moment,
            "heartbeat_at": moment,
            "status": "running",
            "host": socket.gethostname()[:255],
        }

        def work(connection: Connection) -> int:
            key = connection.execute(insert(run).values(values)).inserted_primary_key
            return int(key[0]) if key else 0

        return RunHandle(self._database.write(work, durable=self._durable), name)

    def heartbeat(self, handle: RunHandle, at: datetime) -> None:
        """Note that the run is alive; cheap, once per batch is fine."""
        self._update(handle, {"heartbeat_at": to_milliseconds(at)}, durable=False)

    def finish(
        self,
        handle: RunHandle,
        status: Ending,
        *,
        at: datetime,
        counts: Mapping[str, int] | None = None,
        reasons: Mapping[str, int] | None = None,
        output: str | None = None,
        failures: bytes | None = None,
        error_code: str | None = None,
        error_message: str | None = None,
    ) -> None:
        """Record how the run ended; ``failures`` is a 16-byte signature of what failed, None for nothing.

        If durable, this commit also makes every earlier one of this process durable.
        """
        moment = to_milliseconds(at)
        values = {
            "status": status,
            "finished_at": moment,
            "heartbeat_at": moment,
            "counts": json.dumps(dict(counts or {})),
            "reasons": json.dumps(dict(reasons or {})),
            "output": output,
            "failures": failures,
            "error_code": error_code,
            "error_message": error_message,
        }
        self._update(handle, values, durable=self._durable)

    def mark_dead(self, flow: str, target: str, at: datetime) -> int:
        """Fail the runs that never ended, returning how many; to be called with the flow's lock just taken.

        Whoever holds the lock knows that no other run of this flow is alive.
        """
        statement = (
            update(run)
            .where(run.c.flow == flow, run.c.target == target, run.c.status == "running")
            .values(finished_at=to_milliseconds(at), **_KILLED)
        )
        if self.running(flow, target) is None:  # the usual case costs no write
            return 0
        return self._database.write(lambda connection: connection.execute(statement).rowcount, durable=True)

    def running(self, flow: str, target: str) -> Run | None:
        """The latest run that has not ended; whether it is alive only the flow's lock tells."""
        statement = select(run).where(run.c.flow == flow, run.c.target == target, run.c.status == "running")
        return self._one(statement)

    def previous(
        self, flow: str, target: str, *, before: RunHandle | None = None, command: str = ""
    ) -> Run | None:
        """The latest run that ended, killed ones included; ``before`` leaves out that run and later ones.

        With ``command`` only runs of it, whatever their options.
        """
        statement = select(run).where(run.c.flow == flow, run.c.target == target, run.c.status != "running")
        if command:
            statement = statement.where(run.c.command.startswith(command, autoescape=True))
        return self._one(statement.where(run.c.id < before.id) if before else statement)

    def latest(self, flow: str, target: str) -> Run | None:
        """The run that started last, whether it ended or not."""
        return self._one(select(run).where(run.c.flow == flow, run.c.target == target))

    def last_success(self, flow: str, target: str, *, command: str = "") -> Run | None:
        """The latest run of the whole flow that came to its end, though some of its records may have failed.

        With ``command`` only runs of it, whatever their options.
        """
        statement = select(run).where(run.c.flow == flow, run.c.target == target, run.c.status == "done")
        if command:
            statement = statement.where(run.c.command.startswith(command, autoescape=True))
        return self._one(statement.where(not_(run.c.command.endswith(PARTIAL_RUN, autoescape=True))))

    def began(self, flow: str, target: str) -> datetime | None:
        """Since when the flow takes care of what comes: its last whole baseline, else its first run; None before it."""
        of_flow = select(run).where(run.c.flow == flow, run.c.target == target)
        baseline = self._one(of_flow.where(WAS_BASELINE))
        if baseline is None:
            baseline = self._one(of_flow, first=True)
        return None if baseline is None else baseline.started_at

    def had_baseline(self, flow: str, target: str) -> bool:
        """Whether a baseline of the whole flow came to its end, whatever it found."""
        statement = select(run).where(run.c.flow == flow, run.c.target == target, WAS_BASELINE)
        return self._one(statement) is not None

    def summarise(self, handle: RunHandle, at: datetime) -> None:
        """Note that this run printed the summary of the day."""
        self._update(handle, {"summarised_at": to_milliseconds(at)}, durable=True)

    def last_summary_at(self, flow: str, target: str) -> datetime | None:
        """When a run of this flow last printed a summary, None when none ever did."""
        statement = select(func.max(run.c.summarised_at)).where(run.c.flow == flow, run.c.target == target)
        with self._database.read() as connection:
            moment = connection.scalar(statement)
        return None if moment is None else from_milliseconds(moment)

    def _update(self, handle: RunHandle, values: Mapping[str, Any], *, durable: bool) -> None:
        statement = update(run).where(run.c.id == handle.id).values(**values)
        self._database.write(lambda connection: connection.execute(statement).rowcount, durable=durable)

    def _one(self, statement: Select[Any], *, first: bool = False) -> Run | None:
        order = run.c.id if first else run.c.id.desc()
        with self._database.read() as connection:
            row = connection.execute(statement.order_by(order).limit(1)).one_or_none()
        return None if row is None else _run(row)


def _run(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        name=row.name,
        flow=row.flow,
        target=row.target,
        command=row.command,
        host=row.host,
        status=row.status,
        started_at=from_milliseconds(row.started_at),
        heartbeat_at=from_milliseconds(row.heartbeat_at),
        finished_at=None if row.finished_at is None else from_milliseconds(row.finished_at),
        error_code=row.error_code,
        error_message=row.error_message,
        counts=json.loads(row.counts or "{}"),
        reasons=json.loads(row.reasons or "{}"),
        output=row.output,
        failures=row.failures,
    )
