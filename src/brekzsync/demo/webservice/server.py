"""A small PrestaShop webservice over the demo's shop: what stock and shipments ask of one, answered as it was seen.

It listens on this machine only. Tests make it fail in the ways real ones do (``fail``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from brekzsync.demo.local_service import Asked, Fault, LocalService, Reply, port_may_be_taken
from brekzsync.demo.webservice.answers import PLAIN, XML, errors_document
from brekzsync.demo.webservice.records import Records
from brekzsync.demo.webservice.requests import Answering, Rights
from brekzsync.errors import ConfigurationError, InvalidInput
from brekzsync.settings import load_settings

VERSION = "8.2.1"


class DemoWebservice(LocalService):
    """A webservice over the shop's database at ``url`` (SQLite, MariaDB), from ``with`` to its end.

    ``keys``: what further keys may do; ``key`` may do everything. ``before_each`` is called with every request before
    it is looked at: what happens in the shop meanwhile.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str,
        port: int = 0,
        prefix: str = "ps_",
        keys: Mapping[str, Rights] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(port)
        self.key = key
        # A file may be made anew at any time (`demo up`): nobody keeps it open.
        is_file = url.startswith("sqlite")
        self._engine = (
            create_engine(url, poolclass=NullPool) if is_file else create_engine(url, pool_pre_ping=True)
        )
        records = Records(self._engine, prefix, clock)
        self._answering = Answering(records, {key: None, **(keys or {})}, self.address)

    @property
    def address(self) -> str:
        """For [shop] webservice_url."""
        return f"{self.origin}/api"

    @property
    def headers(self) -> Mapping[str, str]:
        """The shop's version."""
        return {"PSWS-Version": VERSION}

    def switch_off(self) -> None:
        """As the switch of the back office's page does."""
        self._answering.switched_off = True

    def fail(self, fault: Fault, method: str = "", resource: str = "", times: int = 1) -> None:
        """The next ``times`` requests of this kind go wrong."""
        self._plan(
            fault, lambda asked: method in ("", asked.method) and resource in ("", asked.resource), times
        )

    def failure(self, fault: Fault, reply: Reply) -> Reply:
        """As a shop, or a proxy before it, words it."""
        match fault:
            case Fault.BUSY:
                return Reply(503, b"<html>Service Unavailable</html>", PLAIN)
            case Fault.MAIL_FAILED:
                return Reply(500, errors_document([(46, "Unable to save resource")]), XML)
        return Reply(500, b"", PLAIN)

    def _answer(self, asked: Asked, authorization: str) -> Reply:
        return self._answering.answer(asked, authorization)

    def _close(self) -> None:
        self._engine.dispose()


def demo_webservice(directory: Path, port: int) -> DemoWebservice:
    """That of the demo in ``directory``. Raises InvalidInput where there is none, ConfigurationError without a key."""
    configuration = directory / "brekzsync.toml"
    if not (directory / "shop.db").is_file() or not configuration.is_file():
        raise InvalidInput(
            f"There is no demo in {directory}.",
            hint="Make one: brekzsync demo up --dir FOLDER",
            code="no_demo",
        )
    key = load_settings(configuration).shop.webservice_key.get_secret_value()
    if not key:
        raise ConfigurationError(
            f"{configuration} has no key for the shop's webservice.",
            hint=f'Add to [shop]: webservice_url = "http://127.0.0.1:{port}/api" and a webservice_key of your own.',
        )
    with port_may_be_taken(port):
        return DemoWebservice(f"sqlite:///{directory / 'shop.db'}", key=key, port=port)
