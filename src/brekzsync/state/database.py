"""Open the state database: the door through which everything else of ``state/`` is reached."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import URL

from brekzsync.errors import AccessDenied, ConfigurationError
from brekzsync.state import schema
from brekzsync.state.connection import Database, in_memory, parse_url
from brekzsync.state.exclusions import ExclusionList
from brekzsync.state.ledger import Ledger
from brekzsync.state.locks import Locks
from brekzsync.state.runs import Runs
from brekzsync.state.schema import Upgrade
from brekzsync.state.scopes import Scope
from brekzsync.state.status_tasks import StatusTasks
from brekzsync.state.switches import FlowSwitches
from brekzsync.state.sync_log import SyncLog


class State:
    """An open state database. Safe to share between threads; close it when done, or use it in ``with``.

    ``created`` says that this opening made it: nothing it could remember is lost, there was nothing.
    ``is_missing`` says that there is none, and this one, empty and in memory, stands in for it.
    """

    def __init__(self, database: Database, *, created: bool, is_missing: bool = False) -> None:
        self.database = database
        self.created = created
        self.is_missing = is_missing
        self.runs = Runs(database)
        self.locks = Locks(database, self.runs)
        self.exclusions = ExclusionList(database)
        self.sync_log = SyncLog(database)
        self.switches = FlowSwitches(database)

    @property
    def engine(self) -> Engine:
        """For diagnosis; work on it raises SQLAlchemy's errors, ``database.read`` and ``write`` do not."""
        return self.database.engine

    def ledger(self, flow: str, target: str) -> Ledger:
        """The ledger of a flow and target; nothing is written until the first row is."""
        return Ledger(self.database, Scope(self.database, flow, target))

    def status_tasks(self, flow: str, target: str) -> StatusTasks:
        """The operations on their way of a flow and target, whose ledger they are written with."""
        return StatusTasks(self.database, Scope(self.database, flow, target))

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> State:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_state(url: str, *, create: bool, missing_ok: bool = False, read_only: bool = False) -> State:
    """Open the state database at ``url``.

    One that does not exist is created only with ``create``. With ``read_only`` the database refuses every
    write. ``missing_ok`` is for dry runs: read only, and a missing one is opened as an empty state in memory.

    An older SQLite schema is migrated on the way, unless read only; one on a server is not, because other
    hosts may still run the older release.

    Raises ``ConfigurationError`` (``state_missing``, ``state_outdated``, ``state_newer``, ``state_url`` and
    other codes), ``Unavailable`` or ``AccessDenied``.
    """
    parsed = parse_url(url)
    if _is_missing_file(parsed):
        if missing_ok:
            return _empty_state()
        if not create:
            raise _missing(Database(parsed).name)
        _make_directory(parsed)
    database = Database(parsed, read_only=read_only or missing_ok)
    try:
        return State(database, created=_ready(database, create=create, missing_ok=missing_ok))
    except _MissingInDryRun:
        database.close()
        return _empty_state()
    except BaseException:
        database.close()
        raise


def upgrade(url: str) -> Upgrade:
    """Create the state database's tables, or migrate them to this release (``brekzsync db upgrade``).

    An SQLite file is created too; the database on a server must exist, and may be empty.
    """
    parsed = parse_url(url)
    if _is_missing_file(parsed):
        _make_directory(parsed)
    database = Database(parsed)
    try:
        return _bring_up(database)
    finally:
        database.close()


def planned_upgrade(url: str) -> Upgrade:
    """What ``upgrade`` would do; nothing is written."""
    parsed = parse_url(url)
    if _is_missing_file(parsed):
        return Upgrade(None, schema.HEAD)
    database = Database(parsed, read_only=True)
    try:
        found = schema.current(database)
        if found is not None:
            schema.check_not_newer(database, found)
        return Upgrade(found, schema.HEAD)
    finally:
        database.close()


class _MissingInDryRun(Exception):
    """A dry run found a database without our tables."""


def _ready(database: Database, *, create: bool, missing_ok: bool) -> bool:
    """Make sure that the schema is this release's; returns whether it was created now."""
    found = schema.current(database)
    if found == schema.HEAD:
        if database.backend == "sqlite" and not database.read_only:
            database.prepare_file()
        return False
    if found is None:
        if missing_ok:
            raise _MissingInDryRun
        if not create:
            raise _missing(database.name)
        return _bring_up(database).created
    schema.check_not_newer(database, found)
    if database.read_only or database.backend != "sqlite":
        raise ConfigurationError(
            f"{database.name} has schema {found}, this release needs {schema.HEAD}.",
            hint="Run `brekzsync db upgrade`.",
            code="state_outdated",
        )
    _bring_up(database)
    return False


def _bring_up(database: Database) -> Upgrade:
    if schema.is_blank_file(database):
        database.prepare_file()
    return schema.bring_up(database)


def _empty_state() -> State:
    database = Database(parse_url("sqlite://"))
    schema.bring_up(database)
    database.read_only = True
    return State(database, created=False, is_missing=True)


def _is_missing_file(url: URL) -> bool:
    """Whether the SQLite file does not exist, or holds nothing (a crash between making and filling it)."""
    if url.get_backend_name() != "sqlite":
        return False
    if in_memory(url):
        return True
    path = Path(url.database or "")
    try:
        return not path.is_dir() and (not path.exists() or path.stat().st_size == 0)
    except PermissionError as error:
        raise AccessDenied(
            f"The state database {path} may not be read by this user.",
            hint="Let the user who runs brekzsync own the file and the directory it lies in.",
            code="state_not_writable",
        ) from error


def _make_directory(url: URL) -> None:
    if in_memory(url):
        return
    directory = Path(url.database or "").parent
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigurationError(
            f"The state database cannot lie in {directory}: that is not a directory.",
            hint="Correct `[state] database`.",
            code="state_not_a_directory",
        ) from error
    except OSError as error:
        raise AccessDenied(
            f"The directory {directory} for the state database cannot be made: {error.strerror}.",
            hint="Make it, and let the user who runs brekzsync own it.",
            code="state_not_writable",
        ) from error


def _missing(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} does not exist yet, or holds no brekzsync state.",
        hint="Run `brekzsync db upgrade` to create it; if it was lost, put its backup back first.",
        code="state_missing",
    )
