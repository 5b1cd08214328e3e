"""The agent as a whole: its jobs, its log, what it answers, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from typing import Any, Final

from brekzsync.agent.asimport import AsImport, ImporterMissing
from brekzsync.agent.configuration import Configuration, JobPlan
from brekzsync.agent.feed import Feed
from brekzsync.agent.files import lock
from brekzsync.agent.jobs import Job
from brekzsync.agent.protocol import PROTOCOL, Message, ProtocolError
from brekzsync.agent.results import recognisers_of
from brekzsync.agent.schedule import JobThread, stamp
from brekzsync.agent.server import AgentServer
from brekzsync.agent.version import VERSION
from brekzsync.agent.workfolder import WorkFolder

LOGGER: Final = "brekzsync.agent"
# Stopping waits this long for the import at work before it ends AsImport.
PATIENCE: Final = 20.0
_KEPT_LINES: Final = 1000
_MOST_LINES: Final = 200
_LONGEST_LINE: Final = 800  # so that a reply of so many lines is never too long, however they are escaped
_FORMAT: Final = "%(asctime)s %(levelname)s %(job)s: %(message)s"


class Service:
    """Everything of one agent process. Raises BadRecogniser when made."""

    def __init__(self, configuration: Configuration, patience: float = PATIENCE) -> None:
        self.configuration = configuration
        self._patience = patience
        self._started_at = datetime.now(UTC)
        self._kill = threading.Event()
        self._lines = _LastLines()
        folder = configuration.source.parent
        self._recognisers = recognisers_of(configuration.importing.recognisers, folder)
        self._importer = AsImport(configuration.importing, self._kill)
        self._threads = {plan.name: self._thread(plan) for plan in configuration.jobs}
        answers = {
            "status": self._status,
            "jobs": self._jobs,
            "start": self._start,
            "stop": self._stop,
            "log": self._log,
        }
        self._server = AgentServer(answers, configuration.secret)

    def summary(self) -> list[str]:
        """What the configuration comes to, for a person."""
        configuration = self.configuration
        url = configuration.shop.url
        lines = [
            f"{configuration.source} is well.",
            f"Listens on {configuration.host}:{configuration.port},"
            f" {'with' if configuration.secret else 'without'} a secret.",
            *(f"Job {plan.name}: {_when(plan)}, from {url}/{plan.path}." for plan in configuration.jobs),
        ]
        try:
            self._importer.check()
        except ImporterMissing as error:
            lines.append(f"Warning: {error}")
        return lines

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the work folder for this process. Raises Locked, OSError."""
        work = self.configuration.work
        work.mkdir(parents=True, exist_ok=True)
        with open(work / "agent.lock", "a+b") as file:
            lock(file)
            yield

    async def serve(self, told: asyncio.Event) -> None:
        """Listen and run the jobs until ``told``; then end them in order. Raises OSError."""
        self._configure_log()
        logger = self._logger("agent")
        host, port = self.configuration.host, self.configuration.port
        server = await self._server.listen(host, port)
        logger.info("version %s listens on %s:%s", VERSION, host, port)
        for thread in self._threads.values():
            thread.begin()
        await told.wait()
        logger.info("stopping")
        server.close()
        self._server.close_all()
        await asyncio.to_thread(self._end_jobs)
        logger.info("stopped")

    def _end_jobs(self) -> None:
        """Let imports at work end; after a while end AsImport, which the next start tells the shop."""
        deadline = time.monotonic() + self._patience
        for thread in self._threads.values():
            thread.end()
        for thread in self._threads.values():
            thread.join(deadline - time.monotonic())
        self._kill.set()
        for thread in self._threads.values():
            thread.join(15)

    def _thread(self, plan: JobPlan) -> JobThread:
        folder = WorkFolder(self.configuration.work, plan.name)
        logger = self._logger(plan.name)
        feed = Feed(self.configuration.shop, plan.path)
        return JobThread(Job(plan, folder, feed, self._importer, self._recognisers, logger), logger)

    # --- the log --------------------------------------------------------------------------------------------

    @staticmethod
    def _logger(job: str) -> Any:
        return logging.LoggerAdapter(logging.getLogger(LOGGER), {"job": job})

    def _configure_log(self) -> None:
        logger = logging.getLogger(LOGGER)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        handlers: list[logging.Handler] = [self._lines]
        if sys.stderr is not None:  # a Windows service may have none
            handlers.append(logging.StreamHandler(sys.stderr))
        if self.configuration.log_file is not None:
            self.configuration.log_file.parent.mkdir(parents=True, exist_ok=True)
            handlers.append(
                RotatingFileHandler(
                    self.configuration.log_file, maxBytes=5_000_000, backupCount=5, encoding="utf-8"
                )
            )
        formatter = logging.Formatter(_FORMAT, "%Y-%m-%dT%H:%M:%SZ")
        formatter.converter = time.gmtime
        for handler in handlers:
            handler.setFormatter(formatter)
        logger.handlers = handlers

    # --- answers --------------------------------------------------------------------------------------------

    def _status(self, request: Message) -> Message:
        return {
            "protocol": PROTOCOL,
            "version": VERSION,
            "host": socket.gethostname(),
            "python": platform.python_version(),
            "pid": os.getpid(),
            "started_at": stamp(self._started_at),
            "now": stamp(datetime.now(UTC)),
            "jobs": [thread.status() for thread in self._threads.values()],
        }

    def _jobs(self, request: Message) -> Message:
        return {
            "jobs": [
                {
                    "job": plan.name,
                    "url": f"{self.configuration.shop.url}/{plan.path}",
                    "topics": list(plan.topics),
                    "every_seconds": plan.every,
                    "batch": plan.batch,
                }
                for plan in self.configuration.jobs
            ]
        }

    def _start(self, request: Message) -> Message:
        thread = self._named(request)
        thread.start()
        self._logger(thread.job.plan.name).info("a run was asked for")
        return {"job": thread.job.plan.name}

    def _stop(self, request: Message) -> Message:
        thread = self._named(request)
        return {"job": thread.job.plan.name, "was_running": thread.stop()}

    def _log(self, request: Message) -> Message:
        job, lines = request.get("job"), request.get("lines", 50)
        if job is not None and job != "agent":
            job = self._named(request).job.plan.name
        if type(lines) is not int or not 1 <= lines <= _MOST_LINES:
            raise ProtocolError("bad_request", f"lines must be a whole number from 1 to {_MOST_LINES}.")
        return {"lines": self._lines.last(lines, job)}

    def _named(self, request: Message) -> JobThread:
        job = request.get("job")
        thread = self._threads.get(job) if isinstance(job, str) else None
        if thread is None:
            raise ProtocolError("unknown_job", f"The jobs here are {', '.join(self._threads)}.")
        return thread


def _when(plan: JobPlan) -> str:
    return "when asked" if plan.every is None else f"every {plan.every:g} seconds"


class _LastLines(logging.Handler):
    """The end of the log, for whoever asks over the network."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: deque[tuple[str, str]] = deque(maxlen=_KEPT_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        self._kept.append((getattr(record, "job", ""), self.format(record)[:_LONGEST_LINE]))

    def last(self, count: int, job: str | None) -> list[str]:
        """At most ``count`` lines, of one job or of all."""
        return [line for of, line in list(self._kept) if job in (None, of)][-count:]
