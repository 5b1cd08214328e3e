"""The service's processes: one socket, one or several processes that answer on it, and an orderly end."""

from __future__ import annotations

import errno
import os
import signal
import socket
from contextlib import suppress
from multiprocessing import parent_process
from tempfile import TemporaryDirectory
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from uvicorn import Config, Server
from uvicorn.supervisors import Multiprocess

from brekzsync.errors import ConfigurationError, Interrupted, Unavailable

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from brekzsync.settings import Settings

_CONFIGURATION = "BREKZSYNC_CONFIG"  # where a process finds what to read
_WAITING = 512  # connections that were not taken yet
_CONNECTIONS = 1000  # a process holds at once
_IDLE_SECONDS = 30


class Listening:
    """A socket that listens, and closes again. Raises what is wrong with the address."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = _bound(host.strip("[]"), port)
        bound_to = self.socket.getsockname()
        shown = f"[{bound_to[0]}]" if ":" in bound_to[0] else bound_to[0]
        self.address = f"http://{shown}:{bound_to[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def serve(self, settings: Settings, workers: int) -> None:
        """Answer until a signal says stop; every process reads the configuration again by itself."""
        os.environ[_CONFIGURATION] = str(settings.source.absolute())
        with suppress(Interrupted, KeyboardInterrupt):  # being told to stop is how a service ends
            if workers == 1:
                Server(configured(settings, workers)).run(sockets=[self.socket])
            else:
                self._several(settings, workers)

    def _several(self, settings: Settings, workers: int) -> None:
        from brekzsync.web.app import lend_handlers

        with TemporaryDirectory(prefix="brekzsync-metrics-") as folder:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
            lend_handlers()
            Multiprocess(configured(settings, workers), sockets=[self.socket]).run()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def configured(
    settings: Settings, workers: int, application: str | ASGIApp = "brekzsync.web.app:create"
) -> Config:
    """uvicorn's configuration; ``application`` is one, or names what makes one in each process."""
    options: dict[str, Any] = {
        "workers": workers,
        "http": "brekzsync.web.limits:BoundedHttp",
        "ws": "none",
        "log_config": None,
        "access_log": False,  # it would hold tokens; ours is written by the application
        "proxy_headers": False,  # anybody could send them, past the networks that are allowed
        "server_header": False,
        "limit_concurrency": _CONNECTIONS,
        "timeout_keep_alive": _IDLE_SECONDS,
        "timeout_graceful_shutdown": int(settings.serve.request_timeout.total_seconds()),
    }
    return Config(application, factory=isinstance(application, str), **options)


def end_with_parent() -> None:
    """Have this process stop, in order, when the one that started it is gone.

    One that was killed cannot tell it to: it would hold the port, and answer by an old configuration, for ever.
    """
    parent = parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        signal.raise_signal(signal.SIGTERM)

    Thread(target=wait, name="parent", daemon=True).start()


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(_WAITING)
            listening.setblocking(False)
            listening.set_inheritable(True)
        except BaseException:
            listening.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Unavailable(
                f"Port {port} at {host} is taken by another program.",
                hint="Stop it, or choose another with --port or [serve] port.",
                code="port_taken",
            ) from error
        raise ConfigurationError(
            f"brekzsync cannot listen at {host} port {port}: {error.strerror or error}.",
            hint="Correct [serve] host and port (or --host and --port); a port below 1024 needs a right of its own.",
            code="cannot_listen",
        ) from error
    return listening
