"""A shop with marketplace orders, a marketplace that speaks HTTP, the runs between them, and a clock that is moved.

An order has the same number on both sides but for ``FEED``: order 101 of the shop is 5101 of Shopping Feed, and
``MP-101`` of its channel. The shop is an embedded one or the genuine fixture database; the state a SQLite file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Self

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.pool import NullPool

from brekzsync.bootstrap.order_status import order_status_flow
from brekzsync.bootstrap.state import state_of
from brekzsync.demo.marketplace.server import Behaviour, DemoMarketplace, DemoOrder, Taken
from brekzsync.domain.marketplace import StatusTask
from brekzsync.domain.notices import FailedNotice
from brekzsync.domain.order_status import Operation, accepted_of
from brekzsync.errors import BrekzsyncError
from brekzsync.flows.order_status.book import FLOW
from brekzsync.flows.order_status.ports import Marketplace
from brekzsync.flows.order_status.run import TARGET, PushRequest, StatusFlow, StatusOutcome
from brekzsync.marketplace.shoppingfeed import ShoppingFeed
from brekzsync.prestashop.shoppingfeed.tables import MarketplaceTables
from brekzsync.settings import Settings, load_settings
from brekzsync.state.database import State
from tests.exports import NOW, ROOT
from tests.services.prestashop import PrestaShopDatabase
from tests.shoppingfeed_tables import MODULE_TABLES
from tests.shops import make_shop

FEED = 5000
USUAL = "usual"
PAID, PREPARED, SHIPPED, DELIVERED, CANCELED, REFUNDED = 2, 3, 4, 5, 6, 7
TOKEN, STORE = "demo-token", 1276
OTHER_TOKEN, OTHER_STORE = "other-token", 2001
POSTNL, URL = 2, "https://track.example.com/?nr=@"
STATES: Mapping[str, Any] = {
    "shipped_states": [SHIPPED],
    "canceled_states": [CANCELED],
    "refunded_states": [REFUNDED],
    "delivered_states": [DELIVERED],
    "implies_shipped": [DELIVERED],
    "conflict": "allow_when_absent",
}
"""What ``[marketplace]`` says unless a test says otherwise."""
_LENIENT = "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'"  # columns that are not read need no values


class Told(NamedTuple):
    """What the ledger says of an order."""

    status: str
    reason: str | None
    message: str | None


@dataclass(slots=True)
class Mailbox:
    """A notifier that keeps what it tells; with ``error`` it fails."""

    mails: list[list[FailedNotice]] = field(default_factory=list)
    error: BrekzsyncError | None = None

    def tell(self, failures: Any) -> None:
        if self.error is not None:
            raise self.error
        self.mails.append(list(failures))


@dataclass(kw_only=True)
class MarketplaceWorld:
    """What ``[marketplace]`` says may be changed at any time (``set``), and how it behaves (``behave``); ``more`` are
    other sections. ``around_client`` wraps the client of a run, ``adjust`` the run. Nobody waits for long."""

    folder: Path
    shop: Engine
    server: DemoMarketplace
    now: datetime = NOW
    marketplace: dict[str, Any] = field(default_factory=lambda: dict(STATES))
    more: str = ""
    mailbox: Mailbox | None = field(default_factory=Mailbox)
    read_timeout: float = 5.0
    around_client: Callable[[Marketplace], Any] = lambda client: client
    adjust: Callable[[StatusFlow], StatusFlow] = lambda flow: flow
    slept: list[float] = field(default_factory=list)

    # --- beginnings -------------------------------------------------------------------------------------------

    @classmethod
    @contextmanager
    def embedded(cls, folder: Path, now: datetime = NOW, **values: Any) -> Iterator[Self]:
        """One whose shop is a SQLite file."""
        (folder / "shop.db").write_bytes(_template())
        engine = create_engine(
            f"sqlite:///{folder / 'shop.db'}", connect_args={"timeout": 30}, poolclass=NullPool
        )
        _quick(engine)
        with cls._made(folder, engine, now, values) as world:
            yield world

    @classmethod
    @contextmanager
    def genuine(
        cls, folder: Path, database: PrestaShopDatabase, now: datetime = NOW, **values: Any
    ) -> Iterator[Self]:
        """One on the genuine fixture database, without the orders it comes with."""
        engine = create_engine(database.url(), poolclass=NullPool)
        event.listen(engine, "connect", lambda connection, _: connection.cursor().execute(_LENIENT))
        with engine.begin() as connection:
            for name in ("orders", "order_carrier", "carrier"):
                connection.execute(text(f"DELETE FROM ps_{name}"))
            connection.execute(text("DELETE FROM ps_shop WHERE id_shop > 1"))
            for statement in MODULE_TABLES:
                connection.execute(text(statement))
        try:
            with cls._made(folder, engine, now, values) as world:
                _furnish(engine)
                yield world
        finally:  # it is put back more quickly when its tables are those it had
            with engine.begin() as connection:
                connection.execute(text("DROP TABLE ps_shoppingfeed_order"))
                connection.execute(text("DROP TABLE ps_shoppingfeed_token"))

    @classmethod
    @contextmanager
    def _made(cls, folder: Path, shop: Engine, now: datetime, values: Mapping[str, Any]) -> Iterator[Self]:
        tokens = {TOKEN: (STORE,), OTHER_TOKEN: (OTHER_STORE,)}
        with DemoMarketplace(tokens=tokens, clock=lambda: world.now) as server:
            world = cls(folder=folder, shop=shop, server=server, now=now, **values)
            try:
                yield world
            finally:
                shop.dispose()

    # --- configuration ----------------------------------------------------------------------------------------

    def set(self, **values: Any) -> None:
        """Change what ``[marketplace]`` says; None takes a line away."""
        for name, value in values.items():
            if value is None:
                self.marketplace.pop(name, None)
            else:
                self.marketplace[name] = value

    def configure(self) -> Path:
        """Write the configuration."""
        path = self.folder / "brekzsync.toml"
        path.write_text(self._written(), encoding="utf-8")
        return path

    def _written(self) -> str:
        lines = "\n".join(f"{name} = {_toml(value)}" for name, value in self.marketplace.items())
        return f"""[shop]
database = "{self.shop.url.render_as_string(hide_password=False)}"
data_shop = 1
[state]
database = "sqlite:///{self.folder}/state.db"
[marketplace]
base_url = "{self.server.url}"
{lines}
{self.more}
"""

    @property
    def settings(self) -> Settings:
        """The configuration as it is now."""
        return _settings(self.folder / "brekzsync.toml", self._written())

    # --- runs -------------------------------------------------------------------------------------------------

    def push(self, *orders: int, **request: Any) -> StatusOutcome:
        """``orders push-status``."""
        wanted = PushRequest(orders=orders, **request)
        with self.flow(writes=not wanted.dry_run) as flow:
            return flow.push(wanted, _silent)

    def check(self, *, dry_run: bool = False) -> StatusOutcome:
        """``tickets check``."""
        with self.flow(writes=not dry_run) as flow:
            return flow.check_tickets(dry_run, _silent)

    def cron(self, **time: float) -> StatusOutcome:
        """What cron does, after some time: tickets first, then what is to be sent."""
        self.after(**time)
        self.check()
        return self.push()

    @contextmanager
    def flow(self, *, writes: bool = True) -> Iterator[StatusFlow]:
        """A run's parts, under this clock."""
        settings = self.settings
        with state_of(settings, writes=writes) as state, order_status_flow(settings, state) as flow:
            own = replace(
                flow,
                clock=lambda: self.now,
                connect=self.connect,
                notifier=self.mailbox,
                pause=self.slept.append,
            )
            yield self.adjust(own)

    def connect(self, token: str) -> Marketplace:
        """The client of a token."""
        client = ShoppingFeed(
            self.server.url,
            token,
            read_timeout=self.read_timeout,
            first_wait=0.01,
            clock=lambda: self.now,
            sleep=self.slept.append,
        )
        return self.around_client(client)

    def cli(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The program itself, in a process of its own, with the real clock."""
        return subprocess.run(
            self.command(*words),
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")} | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def command(self, *words: str) -> list[str]:
        """How the program is called."""
        return [sys.executable, "-P", "-m", "brekzsync", "--config", str(self.configure()), *words]

    def after(self, **time: float) -> Self:
        """Let time pass."""
        self.now += timedelta(**time)
        return self

    # --- the shop ---------------------------------------------------------------------------------------------

    def sql(self, statement: str, **values: object) -> list[Any]:
        """One statement of the shop's, committed; its rows."""
        with self.shop.begin() as connection:
            result = connection.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    def add_order(
        self,
        id_order: int,
        state: int = PAID,
        *,
        channel: str = "Leroy Merlin",
        tracking: str | None = None,
        feed_id: int | str | None = USUAL,
        reference: str | None = None,
        payment: str = "-",
        shop: int = 1,
        token: int | None = 1,
        store: int = STORE,
        on_marketplace: bool = True,
        fulfilled_by: str = "store",
    ) -> int:
        """An order of a marketplace, in the shop and there; ``feed_id`` is what the shop knows of its id there."""
        known = FEED + id_order if feed_id == USUAL else feed_id
        reference = f"MP-{id_order}" if reference is None else reference
        self._insert(
            "orders", id_order=id_order, id_shop=shop, current_state=state, reference=f"REF{id_order}",
            date_add=_moment(self.now),
        )  # fmt: skip
        self._insert(
            "shoppingfeed_order", id_shoppingfeed_order=id_order, id_order=id_order,
            id_internal_shoppingfeed=None if known is None else str(known), id_order_marketplace=reference,
            name_marketplace=channel, id_shoppingfeed_token=token, payment_method=payment,
            date_marketplace_creation=_moment(self.now),
        )  # fmt: skip
        if tracking is not None:
            self.add_parcel(id_order, tracking)
        if on_marketplace:
            placed_at = int(self.now.timestamp() * 1000)
            number = known if isinstance(known, int) and known else FEED + id_order
            there = DemoOrder(number, reference, channel, store, fulfilled_by=fulfilled_by)
            self.server.add([there._replace(placed_at=placed_at)])
        return id_order

    def add_orders(self, count: int, state: int = PAID, **values: Any) -> list[int]:
        """So many, from 101 on."""
        return [self.add_order(101 + place, state, **values) for place in range(count)]

    def set_state(self, id_order: int, state: int) -> None:
        """The order comes into a state, without any trace but the state."""
        statement = "UPDATE ps_orders SET current_state = :state WHERE id_order = :one"
        self.sql(statement, state=state, one=id_order)

    def add_parcel(self, id_order: int, tracking: str | None = "", carrier: int = POSTNL) -> None:
        """A row of ``order_carrier``."""
        last = self.sql("SELECT COALESCE(MAX(id_order_carrier), 0) FROM ps_order_carrier")[0][0]
        ids = {"id_order_carrier": int(last) + 1, "id_order": id_order, "id_carrier": carrier}
        self._insert("order_carrier", tracking_number=tracking, **ids)

    def set_tracking(self, id_order: int, tracking: str) -> None:
        """Somebody types the number into every parcel of an order; into a new one where there is none."""
        statement = "SELECT COUNT(*) FROM ps_order_carrier WHERE id_order = :one"
        if not self.sql(statement, one=id_order)[0][0]:
            self.add_parcel(id_order, tracking)
        statement = "UPDATE ps_order_carrier SET tracking_number = :number WHERE id_order = :one"
        self.sql(statement, number=tracking, one=id_order)

    def add_account(
        self, id_token: int, *, token: str = OTHER_TOKEN, store: int | None = OTHER_STORE, shop: int = 1,
        active: int = 1,
    ) -> None:  # fmt: skip
        """Another row of the module's tokens."""
        self._insert(
            "shoppingfeed_token", id_shoppingfeed_token=id_token, id_shop=shop, content=token, active=active,
            shoppingfeed_store_id=store,
        )  # fmt: skip

    def add_module(self, name: str, *, shops: tuple[int, ...] = (1,), active: int = 1) -> None:
        """An installed module, enabled in these shops."""
        found = self.sql("SELECT COALESCE(MAX(id_module), 0) + 1 FROM ps_module")
        self._insert("module", id_module=int(found[0][0]), name=name, active=active)
        for shop in shops:
            self._insert("module_shop", id_module=int(found[0][0]), id_shop=shop)

    def set_value(self, name: str, value: str | None, shop: int | None = None) -> None:
        """A row of the shop's configuration, for one shop or for all."""
        found = self.sql("SELECT COALESCE(MAX(id_configuration), 0) + 1 FROM ps_configuration")
        ids = {"id_configuration": int(found[0][0]), "id_shop_group": None, "id_shop": shop}
        self._insert("configuration", name=name, value=value, **ids)

    def _insert(self, table: str, **values: object) -> None:
        names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
        self.sql(f"INSERT INTO ps_{table} ({names}) VALUES ({places})", **values)

    # --- what the marketplace has -------------------------------------------------------------------------------

    def behave(self, **values: Any) -> None:
        """The marketplace behaves so from now on, and otherwise plainly."""
        self.server.behaviour = Behaviour(**values)

    def taken(self, id_order: int | None = None) -> list[Taken]:
        """Every operation it took, of all orders or of one; those that failed and those repeated, too."""
        return [one for one in self.server.taken() if id_order in (None, one.order - FEED)]

    def accepted(self) -> dict[int, list[Operation]]:
        """What it did, by the shop's ``id_order``: the operations whose tickets succeeded, repeated ones too."""
        return {order - FEED: operations for order, operations in self.server.accepted().items()}

    def posts(self) -> list[tuple[str, int]]:
        """(path, status) of every request that carried orders."""
        return [(path, status) for method, path, status in self.server.requests if method == "POST"]

    def gets(self) -> Counter[str]:
        """How often each path was asked for."""
        return Counter(path for method, path, _ in self.server.requests if method == "GET")

    # --- what the state has -------------------------------------------------------------------------------------

    @contextmanager
    def state(self) -> Iterator[State]:
        with state_of(self.settings) as opened:
            yield opened

    def told(self, id_order: int) -> Told | None:
        """What the ledger says of an order; None where it has no row."""
        with self.state() as state:
            rows = state.ledger(FLOW, TARGET).rows_for([(id_order, 0)])
        return Told(rows[0].status, rows[0].reason, rows[0].message) if rows else None

    def known(self) -> dict[int, frozenset[Operation]]:
        """What the ledger says that the marketplace accepted, by ``id_order``."""
        with self.state() as state:
            rows = list(state.ledger(FLOW, TARGET).rows())
        return {row.key[0]: accepted_of(row.fingerprint) for row in rows if row.fingerprint is not None}

    def tasks(self) -> dict[int, StatusTask]:
        """The operations on their way, by ``id_order``."""
        with self.state() as state:
            return {task.id_order: task for task in state.status_tasks(FLOW, TARGET).rows()}

    def records(self) -> dict[int, tuple[Told | None, frozenset[Operation], StatusTask | None]]:
        """All three, by ``id_order``, read at once."""
        with self.state() as state:
            tasks = {task.id_order: task for task in state.status_tasks(FLOW, TARGET).rows()}
            rows = list(state.ledger(FLOW, TARGET).rows())
            entries = state.ledger(FLOW, TARGET).rows_for([row.key for row in rows])
        told = {row.key_major: Told(row.status, row.reason, row.message) for row in entries}
        known = {row.key[0]: accepted_of(row.fingerprint) for row in rows}
        return {
            id_order: (told.get(id_order), known.get(id_order, frozenset()), tasks.get(id_order))
            for id_order in sorted({*tasks, *known})
        }

    def lose_state(self) -> None:
        """As if there had never been a run."""
        for path in self.folder.glob("state.db*"):
            path.unlink()


def by_operation(taken: list[Taken]) -> dict[Operation, list[int]]:
    """The shop's orders each operation was taken of."""
    found: defaultdict[Operation, list[int]] = defaultdict(list)
    for one in taken:
        found[one.operation].append(one.order - FEED)
    return dict(found)


def _silent(_total: int | None) -> Any:
    return nullcontext(lambda _count: None)


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f'"{name}" = {_toml(one)}' for name, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return (
        str(value).lower()
        if isinstance(value, bool)
        else str(value)
        if isinstance(value, int)
        else f'"{value}"'
    )


@cache
def _settings(path: Path, written: str) -> Settings:
    path.write_text(written, encoding="utf-8")
    return load_settings(path, {})


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


@cache
def _template() -> bytes:
    """An embedded shop without orders."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "shop.db"
        make_shop(path, products=1)
        engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
        MarketplaceTables("ps_").orders.metadata.create_all(engine)
        _furnish(engine)
        return path.read_bytes()


def _furnish(engine: Engine) -> None:
    """One carrier, one account."""
    with engine.begin() as connection:
        carrier = "INSERT INTO ps_carrier (id_carrier, name, url) VALUES (:id, 'PostNL', :url)"
        connection.execute(text(carrier), {"id": POSTNL, "url": URL})
        account = (
            "INSERT INTO ps_shoppingfeed_token (id_shoppingfeed_token, id_shop, content, active, shoppingfeed_store_id)"
            " VALUES (1, 1, :token, 1, :store)"
        )
        connection.execute(text(account), {"token": TOKEN, "store": STORE})


def _quick(engine: Engine) -> None:
    """Nothing here has to survive a power cut."""
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
