"""A private MariaDB for tests and benchmarks: own folder, own port, gone when its owner is.

Nothing here needs a system service, a configuration file or root, and nothing touches a server that
already runs on the machine. Free of pytest, so that ``benchmarks/`` uses it too::

    with MariaDB.started() as server:
        server.create_database("shop")
        server.load("shop", Path("shop.sql"))
        engine = create_engine(server.url("shop"))
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pymysql
from pymysql.constants import CLIENT

# Durable enough for a server that is killed (what it wrote lies in the system's cache), not for a power cut.
SAFE_AND_QUICK = (
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-flush-method=nosync",
    "--skip-innodb-doublewrite",
    "--skip-innodb-file-per-table",
    "--skip-sync-frm",
    "--innodb-log-file-size=32M",
    "--innodb-buffer-pool-size=64M",
)
ALWAYS = (
    "--skip-log-bin",
    "--skip-name-resolve",
    "--skip-slave-start",
    "--performance-schema=OFF",
    "--innodb-buffer-pool-load-at-startup=OFF",
    "--innodb-buffer-pool-dump-at-shutdown=OFF",
    "--max-connections=200",
    "--max-allowed-packet=64M",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_general_ci",
)
START_SECONDS = 60.0
STOP_SECONDS = 30.0


class MariaDBMissing(RuntimeError):
    """This machine has no MariaDB server; the message says what to install."""


class MariaDBFailed(RuntimeError):
    """The private server did not start or did not take what it was given; the message holds its log's end."""


class MariaDB:
    """One private server over one folder; ``start`` after ``stop`` or ``kill``: same data, same port."""

    def __init__(self, folder: Path, *, options: Sequence[str] = SAFE_AND_QUICK) -> None:
        self.folder = folder
        self.server_binary, self.install_binary, self.client = binaries()
        self.socket = folder / "mariadb.sock"
        self.log = folder / "mariadb.log"
        self.port = 0
        self._data = folder / "data"
        self._options = tuple(options)
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    @contextlib.contextmanager
    def started(
        cls, *, options: Sequence[str] = SAFE_AND_QUICK, parent: Path | None = None
    ) -> Iterator[MariaDB]:
        """A running server in a new temporary folder (under ``parent``), both gone afterwards."""
        binaries()
        # A socket's path holds at most 107 bytes: a short name, and not in pytest's deep folders.
        folder = Path(tempfile.mkdtemp(prefix="brekzsync-db-", dir=parent))
        server = cls(folder, options=options)
        # Also when the program ends without leaving the block (a generator never resumed).
        atexit.register(server.remove)
        try:
            server.install()
            server.start()
            yield server
        finally:
            server.remove()
            atexit.unregister(server.remove)

    # --- the server ---------------------------------------------------------------------------------------

    def install(self) -> None:
        """Create the system tables; root may come in without a password."""
        command = [
            self.install_binary,
            "--no-defaults",
            f"--datadir={self._data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            *self._account(),
            *self._options,
            *ALWAYS,
        ]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise MariaDBFailed(f"mariadb-install-db failed:\n{_tail(done.stdout + done.stderr)}")

    def start(self) -> None:
        """Start and wait until it answers; the first start picks a free port, later ones keep it."""
        if self.running:
            return
        first = self.port == 0
        for attempt in range(5):
            if first:
                self.port = _free_port()
            self._launch()
            if self._answers():
                break
            # Somebody else may have taken the port between our look and the server's bind.
            if not (first and attempt < 4 and "in use" in self._log_tail()):
                raise MariaDBFailed(f"the private MariaDB did not start:\n{self._log_tail()}")
        if first:
            self._open_root_to_loopback()

    def stop(self) -> None:
        """Shut the server down in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Take the server away as a crash would (SIGKILL); committed data is there after ``start``."""
        self._end(signal.SIGKILL)

    def remove(self) -> None:
        """Stop the server and delete its folder; safe to repeat."""
        # What is deleted next need not be written out first.
        self._end(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The server's process, for measuring; 0 when it is stopped."""
        return self._process.pid if self._process is not None and self.running else 0

    # --- its databases ------------------------------------------------------------------------------------

    def url(self, database: str, driver: str = "pymysql", user: str = "root", password: str = "") -> str:
        """A SQLAlchemy URL; ``driver=""`` leaves the choice to the reader of the URL (``mysql://``)."""
        scheme = f"mysql+{driver}" if driver else "mysql"
        account = f"{user}:{password}" if password else user
        return f"{scheme}://{account}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, charset: str = "utf8mb4") -> None:
        """A new, empty database; one of that name is dropped first."""
        self.drop_database(name)
        self.execute("", f"CREATE DATABASE {_quoted(name)} CHARACTER SET {charset}")

    def drop_database(self, name: str) -> None:
        self.execute("", f"DROP DATABASE IF EXISTS {_quoted(name)}")

    def load(self, database: str, sql_file: Path) -> None:
        """Run a dump through the ``mariadb`` client, as a shop's administrator would."""
        with sql_file.open("rb") as source:
            self._client(["--binary-mode", database], source)

    def execute(
        self, database: str, sql: str, parameters: Sequence[object] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run one or several statements, commit, and return the rows of the last one that has any.

        With ``parameters`` every ``%s`` stands for one; without, ``%`` is just a per cent sign.
        """
        rows: list[tuple[Any, ...]] = []
        with contextlib.closing(self._connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            while True:
                if cursor.description is not None:
                    rows = list(cursor.fetchall())
                if not cursor.nextset():
                    return rows

    # --- how ----------------------------------------------------------------------------------------------

    def _connect(self, database: str) -> Any:
        return pymysql.connect(
            unix_socket=str(self.socket),
            user="root",
            database=database or None,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=10,
            client_flag=CLIENT.MULTI_STATEMENTS,
            ssl_disabled=True,  # preparing TLS takes 40 ms a connection, and a socket has no use for it
        )

    def _client(self, arguments: Sequence[str], source: IO[bytes]) -> None:
        command = [self.client, "--no-defaults", f"--socket={self.socket}", "--user=root", *arguments]
        done = subprocess.run(command, stdin=source, capture_output=True, check=False)
        if done.returncode:
            raise MariaDBFailed(f"the mariadb client said: {done.stderr.decode(errors='replace').strip()}")

    def _launch(self) -> None:
        command = [
            self.server_binary,
            "--no-defaults",
            f"--datadir={self._data}",
            f"--socket={self.socket}",
            f"--pid-file={self.folder / 'mariadb.pid'}",
            f"--log-error={self.log}",
            f"--tmpdir={self.folder}",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            *self._account(),
            *ALWAYS,
            *self._options,
        ]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Out of the terminal's group: Ctrl-C ends the tests, and they end the server.
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )

    def _answers(self) -> bool:
        give_up = time.monotonic() + START_SECONDS
        while self.running and time.monotonic() < give_up:
            try:
                self._connect("").close()
            except pymysql.err.OperationalError:
                time.sleep(0.02)
            else:
                return True
        self._end(signal.SIGKILL)
        return False

    def _open_root_to_loopback(self) -> None:
        # Names are not resolved (--skip-name-resolve), so root@localhost is the socket's root only.
        self.execute(
            "",
            "CREATE USER IF NOT EXISTS root@'127.0.0.1';"
            "GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;",
        )

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _account(self) -> list[str]:
        # As root the server refuses to run unless told which account. Root itself: the folder stays ours,
        # and the order to end with its parent survives only where the account does not change.
        return ["--user=root"] if os.geteuid() == 0 else []

    def _log_tail(self) -> str:
        return _tail(self.log.read_text(errors="replace")) if self.log.exists() else "(no log)"


@functools.cache
def binaries() -> tuple[str, str, str]:
    """Where server, installer and client lie; sbin is looked at too, it is on few people's PATH."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    found = []
    for names in (("mariadbd", "mysqld"), ("mariadb-install-db", "mysql_install_db"), ("mariadb", "mysql")):
        places = [place for name in names if (place := shutil.which(name, path=path))]
        if not places:
            raise MariaDBMissing(
                f"{names[0]} is not installed"
                " (Debian: apt-get install mariadb-server-core mariadb-client-core)"
            )
        found.append(places[0])
    version = subprocess.run(
        [found[0], "--no-defaults", "--version"], capture_output=True, text=True, check=False
    )
    if "MariaDB" not in version.stdout:
        raise MariaDBMissing(f"{found[0]} is not MariaDB")
    return found[0], found[1], found[2]


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1


def _end_with_parent() -> None:
    # In the child, between fork and exec: the kernel stops the server even when its owner dies of kill -9.
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _tail(text: str, lines: int = 15) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])
