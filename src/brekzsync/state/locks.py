"""One run of a flow at a time, on this machine and on every machine that shares the state database.

Nothing here is a mark somebody must remember to remove. On SQLite it is a kernel lock on a file beside the
state file, on MariaDB and PostgreSQL a lock of a database session: whatever ends the process, ``kill -9``
included, closes the file or the session and frees it.

A SQLite state file on a network drive is not supported (WAL needs shared memory), so a kernel lock reaches
everyone who can have it open. A MariaDB cluster with several writable nodes does not share GET_LOCK
(https://mariadb.com/kb/en/get_lock/): point every host at the same node.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, func, literal, select, text
from sqlalchemy.exc import SQLAlchemyError

from brekzsync.errors import (
    AccessDenied,
    BrekzsyncError,
    ConfigurationError,
    LockHeld,
    PermanentError,
    Unavailable,
)
from brekzsync.state.connection import Database, in_memory
from brekzsync.state.runs import Runs

# A session silent for this long is closed by the server, which frees the lock of a host that lost its
# power. ``still_held`` breaks the silence, so it is to be called more often than that.
SILENCE_SECONDS: Final = 3_600
# Looking whether a lock file is held takes it for an instant; a run must not be turned away by a look.
_LOOK_SECONDS: Final = 0.1
_NAME_LENGTH: Final = 64  # MySQL's limit; MariaDB takes more


class HeldLock:
    """A lock this process took."""

    def __init__(self, what: str, check: Callable[[], bool]) -> None:
        self._what = what
        self._check = check
        self._lost = False

    def still_held(self) -> bool:
        """Whether nobody else can have it. Once lost it stays lost, even if nobody took it."""
        if not self._lost:
            self._lost = not self._check()
        return not self._lost

    def verify(self) -> None:
        """Raise ``Unavailable`` when the lock was lost; to be called before every commit of a run.

        A run whose lock is lost must acknowledge nothing more: another one may be at work. What it already
        acknowledged stays right, since that is compare-and-set.
        """
        if not self.still_held():
            raise Unavailable(
                f"The lock of {self._what} was lost in the middle of the run.",
                hint="Run the same command again: it finishes what is left.",
                code="lock_lost",
            )


class Locks:
    """The locks of the flows."""

    def __init__(self, database: Database, runs: Runs) -> None:
        self._database = database
        self._runs = runs

    @contextmanager
    def hold(self, flow: str, target: str) -> Iterator[HeldLock]:
        """Take the lock of a flow and target, ``LockHeld`` at once when another run has it.

        It is not reentrant: taking it twice in one process is refused too.
        """
        what = f'the flow "{flow}" to "{target}"'
        with self._take(f"{flow}-{target}") as check:
            if check is None:
                raise self._held(what, flow, target)
            yield HeldLock(what, check)

    def is_held(self, flow: str, target: str) -> bool:
        """Whether a run is at work now, of any host: asked of the lock itself, which stays as it is."""
        name = f"{flow}-{target}"
        if in_memory(self._database.url):
            return False
        if self._database.backend == "sqlite":
            return _is_file_locked(_lock_path(Path(self._database.url.database or ""), name))
        with self._database.read() as connection:
            return _session(self._database, connection, name).is_taken()

    @contextmanager
    def _take(self, name: str) -> Iterator[Callable[[], bool] | None]:
        if in_memory(self._database.url):
            yield lambda: True  # no other process can see this state
        elif self._database.backend == "sqlite":
            with _file_lock(Path(self._database.url.database or ""), name) as check:
                yield check
        else:
            with session_lock(self._database, name) as check:
                yield check

    def _held(self, what: str, flow: str, target: str) -> LockHeld:
        run = self._runs.running(flow, target)
        since = f" (run {run.name} on {run.host}, since {run.started_at:%Y-%m-%d %H:%M} UTC)" if run else ""
        return LockHeld(
            f"Another run of {what} is at work{since}.",
            hint="Wait for it to end; under cron the next run follows by itself.",
        )


@contextmanager
def _file_lock(state: Path, name: str) -> Iterator[Callable[[], bool] | None]:
    from filelock import FileLock, Timeout

    path = _lock_path(state, name)
    # Where the kernel has no flock, filelock would fall back to a file that kill -9 leaves behind.
    lock = FileLock(path, timeout=_LOOK_SECONDS, fallback_to_soft=False, preserve_lock_file=True)
    try:
        lock.acquire(poll_interval=_LOOK_SECONDS / 5)
    except Timeout:
        yield None
        return
    except OSError as error:
        raise _cannot_lock(path, error) from error
    identity = _file_identity(path)
    try:
        yield lambda: lock.is_locked and identity is not None and _file_identity(path) == identity
    finally:
        lock.release()


def _lock_path(state: Path, name: str) -> Path:
    whole = state.resolve()
    return whole.with_name(f"{whole.name}.{_file_part(name)}.lock")


def _is_file_locked(path: Path) -> bool:
    """Whether somebody holds the lock of this file. Reading it is enough, and none is made."""
    import fcntl

    try:
        with path.open("rb") as file:
            # Shared, so that two who look do not see each other.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:  # no run ever took it
        return False
    except OSError as error:
        raise _cannot_lock(path, error) from error
    return False


def _file_part(name: str) -> str:
    """The lock's name as part of a file's, which may hold 255 bytes in all."""
    quoted = quote(name, safe="")
    return quoted if len(quoted) <= 100 else blake2b(name.encode(), digest_size=20).hexdigest()


def _file_identity(path: Path) -> tuple[int, int] | None:
    """Which file the path names: one that was removed and made again would let a second run in."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino)


def _cannot_lock(path: Path, error: OSError) -> BrekzsyncError:
    if isinstance(error, PermissionError):
        return AccessDenied(
            f"The lock file {path} may not be written by this user.",
            hint="Run brekzsync as the user who owns the state database.",
            code="state_not_writable",
        )
    if isinstance(error, FileNotFoundError):
        return ConfigurationError(
            f"The directory of the lock file {path} does not exist.",
            hint="Correct `[state] database`.",
            code="state_missing",
        )
    return PermanentError(
        f"The lock file {path} cannot be used: {error.strerror}.",
        hint="Keep the state database on a local disk of this machine.",
        code="state_lock",
    )


@contextmanager
def session_lock(database: Database, name: str, wait: int = 0) -> Iterator[Callable[[], bool] | None]:
    """A lock held by a database session of its own, None when another session has it after ``wait`` seconds.

    The session is outside the pool's reach while it is held: nothing else runs on it, and a new connection
    would not hold the lock, so a broken one counts as lost.
    """
    connection = database.connect()
    lock = _session(database, connection, name)
    try:
        with database.translated():
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()
            taken = lock.take(wait)
        yield lock.is_held if taken else None
    finally:
        with suppress(SQLAlchemyError, database.driver_error):
            # Ending the session frees the lock too, but only once the server has come round to ending it: whoever
            # follows at once would be turned away.
            lock.release()
        with suppress(SQLAlchemyError, database.driver_error):
            connection.close()  # the connection is detached: this ends the session, and with it the lock


def _session(database: Database, connection: Connection, name: str) -> _MariaDBSession | _PostgreSQLSession:
    session = _MariaDBSession if database.backend == "mariadb" else _PostgreSQLSession
    return session(connection, database.url.database or "", name)


class _MariaDBSession:
    def __init__(self, connection: Connection, schema: str, name: str) -> None:
        self._connection = connection
        self._name = _lock_name(schema, name)

    def take(self, wait: int) -> bool:
        self._connection.exec_driver_sql(f"SET SESSION wait_timeout = {SILENCE_SECONDS:d}")
        return bool(self._connection.scalar(select(func.get_lock(self._name, wait))) == 1)

    def is_held(self) -> bool:
        return _answers_true(self._connection, select(func.is_used_lock(self._name) == func.connection_id()))

    def is_taken(self) -> bool:
        return self._connection.scalar(select(func.is_used_lock(self._name))) is not None

    def release(self) -> None:
        """Give it back; nothing happens when this session does not hold it."""
        self._connection.execute(select(func.release_lock(self._name)))


class _PostgreSQLSession:
    def __init__(self, connection: Connection, schema: str, name: str) -> None:
        self._connection = connection
        self._number = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), signed=True)

    def take(self, wait: int) -> bool:
        if wait:
            self._connection.exec_driver_sql(f"SET lock_timeout = {wait * 1000:d}")
            self._connection.execute(select(func.pg_advisory_lock(self._number)))
            return True
        return bool(self._connection.scalar(select(func.pg_try_advisory_lock(self._number))))

    def release(self) -> None:
        """Give it back; a warning of the server's when this session does not hold it."""
        self._connection.execute(select(func.pg_advisory_unlock(self._number)))

    def is_held(self) -> bool:
        return _answers_true(self._connection, select(literal(1)))

    def is_taken(self) -> bool:
        # https://www.postgresql.org/docs/current/view-pg-locks.html: the key's halves, objsubid 1 for a bigint
        question = text(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND (classid::bigint << 32) | objid::bigint = :number"
        )
        return bool(self._connection.scalar(question, {"number": self._number}))


def _answers_true(connection: Connection, question: Any) -> bool:
    """Ask the session; one that is gone holds nothing."""
    if connection.closed or connection.invalidated:
        return False
    try:
        return bool(connection.scalar(question))
    except SQLAlchemyError:
        return False


def _lock_name(schema: str, name: str) -> str:
    """Names are server-wide, so the database's is part of ours; a long one is cut to its digest."""
    whole = f"brekzsync:{schema}:{name}"
    if len(whole) <= _NAME_LENGTH:
        return whole
    return f"brekzsync:{blake2b(whole.encode(), digest_size=20).hexdigest()}"
