"""A shop, its webservice over real HTTP, and an ERP that delivers: what ``shipments import`` is tested on.

The shop is the demo's (SQLite) or the genuine fixtures of PrestaShop 8.2.1 (MariaDB), with five orders of it left:
paid, in preparation, nothing sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from brekzsync.bootstrap.shipments import shipment_flow
from brekzsync.bootstrap.state import state_of
from brekzsync.demo.webservice.server import DemoWebservice
from brekzsync.domain.ledger import LedgerEntry
from brekzsync.flows.shipments.ports import OrderWriter
from brekzsync.flows.shipments.run import ShipmentFlow, ShipmentOutcome, ShipmentRequest
from brekzsync.prestashop.order_writer import OrderWriter as WebserviceWriter
from brekzsync.prestashop.webservice import Webservice
from brekzsync.settings import Settings, load_settings
from tests.exports import NOW
from tests.services.erp import Administration

KEY = "SHIPMENTSSHIPMENTSSHIPMENTSSHIPM"
PREPARED, SHIPPED, DELIVERED, CANCELED, PARTIAL = 3, 4, 5, 6, 10
DAY = date(2026, 11, 20)
_TABLES = ("orkrg", "orsrg", "orhkrg", "orhsrg")


class Note(NamedTuple):
    """A delivery note; ``day`` counts from ``DAY``."""

    number: str
    pieces: float = 5
    tracking: str = ""
    day: int = 0


@dataclass(slots=True, kw_only=True)
class Shipping:
    """One such world; ``ids`` are its orders. The clock stands still until a test moves it."""

    folder: Path
    shop: Engine
    erp: Administration
    webservice: DemoWebservice
    ids: Sequence[int] = ()
    now: datetime = NOW
    around_writer: Callable[[OrderWriter], OrderWriter] = field(default=lambda writer: writer)
    read_timeout: float = 5.0
    _references: dict[int, str] = field(default_factory=dict)

    def prepare(self) -> None:
        """Leave five orders, all alike."""
        rows = self.sql("SELECT id_order, reference FROM ps_orders ORDER BY id_order")
        kept = [row for row in rows if row[0] != 78][-5:]  # the demo's 78 has a reference that is too long
        self.ids = [row[0] for row in kept]
        self._references = {row[0]: str(row[1]).strip() for row in kept}
        given = ", ".join(map(str, self.ids))
        for table in ("ps_orders", "ps_order_history", "ps_order_carrier"):
            self.sql(f"DELETE FROM {table} WHERE id_order NOT IN ({given})")
        self.sql(f"UPDATE ps_orders SET current_state = {PREPARED}")
        self.sql(f"UPDATE ps_order_history SET id_order_state = {PREPARED}")
        self.sql("UPDATE ps_order_carrier SET tracking_number = ''")
        self.configure()

    def configure(self, more: str = "", **systems: str) -> None:
        """Write the configuration anew; ``more`` goes below [shipments]."""
        erp = systems.get("erp", self.erp.url)
        address = systems.get("webservice", self.webservice.address)
        key = systems.get("key", KEY)
        shop = self.shop.url.render_as_string(hide_password=False)
        self.config.write_text(
            f'[shop]\ndatabase = "{shop}"\ndata_shop = "NL"\nwebservice_url = "{address}"\n'
            f'webservice_key = "{key}"\n[erp]\ndatabase = "{erp}"\n'
            f'[state]\ndatabase = "sqlite:///{self.folder}/state.db"\n'
            f'[shipments]\ntracking = "orhkrg.ExternalNumber"\n{more}\n',
            encoding="utf-8",
        )

    # --- runs ---------------------------------------------------------------------------------------------

    def imports(self, *ids: int, **options: Any) -> ShipmentOutcome:
        """One run."""
        request = ShipmentRequest(ids=ids, **options)
        with self.flow(writes=not request.dry_run) as flow:
            return flow.execute(request, lambda _total: nullcontext(lambda _count: None))

    @contextmanager
    def flow(self, *, writes: bool = True) -> Iterator[ShipmentFlow]:
        """A run's parts, under this clock; the webservice is not waited for as long as in earnest."""
        settings = self.settings
        with state_of(settings, writes=writes) as state, shipment_flow(settings, "exact", state) as flow:
            yield replace(flow, clock=lambda: self.now, connect_writer=self._writer)

    def _writer(self) -> OrderWriter:
        shop = self.settings.shop
        webservice = Webservice(
            shop.webservice_url,
            shop.webservice_key.get_secret_value(),
            read_timeout=self.read_timeout,
            first_wait=0.01,
        )
        return self.around_writer(WebserviceWriter(webservice, pause=0.01))

    # --- the ERP ------------------------------------------------------------------------------------------

    def ship(
        self,
        id_order: int,
        *notes: Note,
        ordered: float = 5,
        completed: bool = False,
        reference: str | None = None,
    ) -> None:
        """All the ERP has of an order from now on."""
        number = f"{id_order:>8}"
        self.forget(id_order)
        docnumber = reference or f"{self._references[id_order]}-{id_order}"
        header = {"ordernr": number, "ord_soort": "V", "docnumber": docnumber}
        self.erp.add("orkrg", header | {"afgehandld": completed, "fiattering": "J"})
        delivered = sum(note.pieces for note in notes)
        self.erp.add(
            "orsrg",
            {
                "ordernr": number,
                "ar_soort": "V",
                "artcode": "A",
                "esr_aantal": ordered,
                "aant_gelev": delivered,
            },
        )
        for note in notes:
            moment = datetime.combine(DAY + timedelta(days=note.day), datetime.min.time())
            self.erp.add(
                "orhkrg",
                header
                | {
                    "pakbon_nr": f"{note.number:>8}",
                    "pakbon_dat": moment,
                    "ExternalNumber": note.tracking or None,
                },
            )
            line = {"ordernr": number, "pakbon_nr": f"{note.number:>8}", "regel": "   1", "artcode": "A"}
            self.erp.add("orhsrg", line | {"aant_gelev": note.pieces})

    def forget(self, id_order: int) -> None:
        """The ERP has nothing of it any more."""
        engine = create_engine(self.erp.url, poolclass=NullPool)
        with engine.begin() as connection:
            for table in _TABLES:
                connection.execute(text(f"DELETE FROM {table} WHERE ordernr = '{id_order:>8}'"))

    # --- the shop -----------------------------------------------------------------------------------------

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Edit the shop as its back office would, or look into it."""
        with self.shop.begin() as connection:
            result = connection.execute(text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []

    def move(self, id_order: int, *states: int) -> None:
        """A person brings an order into states."""
        for state in states:
            self.sql(f"UPDATE ps_orders SET current_state = {state} WHERE id_order = {id_order}")
            extra, values = ("", "")
            if self.shop.dialect.name != "sqlite":
                extra, values = (", id_employee, date_add", ", 1, NOW()")
            self.sql(
                f"INSERT INTO ps_order_history (id_order_history, id_order, id_order_state{extra})"
                f" SELECT MAX(id_order_history) + 1, {id_order}, {state}{values} FROM ps_order_history"
            )

    def type_tracking(self, id_order: int, number: str) -> None:
        """A person types a tracking number."""
        self.sql(f"UPDATE ps_order_carrier SET tracking_number = '{number}' WHERE id_order = {id_order}")

    def order(self, id_order: int) -> tuple[int, list[str], list[int]]:
        """Its state, its parcels' tracking numbers, and its history from where the test began."""
        ((state,),) = self.sql(f"SELECT current_state FROM ps_orders WHERE id_order = {id_order}")
        parcels = self.sql(
            f"SELECT tracking_number FROM ps_order_carrier WHERE id_order = {id_order} ORDER BY id_order_carrier"
        )
        history = self.sql(
            "SELECT id_order_state FROM ps_order_history"
            f" WHERE id_order = {id_order} ORDER BY id_order_history"
        )
        states = [row[0] for row in history]
        while states[:2] == [PREPARED, PREPARED]:
            del states[0]
        return state, [row[0] or "" for row in parcels], states

    @property
    def writes(self) -> list[tuple[str, str]]:
        """What the webservice was asked to write."""
        return [(asked.method, asked.resource) for asked in self.webservice.asked if asked.method != "GET"]

    # --- the state ----------------------------------------------------------------------------------------

    @property
    def config(self) -> Path:
        return self.folder / "brekzsync.toml"

    @property
    def settings(self) -> Settings:
        return load_settings(self.config, {})

    def lose_state(self) -> None:
        """Delete the state database and its side files."""
        for path in self.folder.glob("state.db*"):
            path.unlink()

    def row(self, id_order: int) -> LedgerEntry:
        """What the ledger says of a shipment."""
        with state_of(self.settings) as state:
            (row,) = state.ledger("shipment", "exact").rows_for([(id_order, 0)])
            return row

    def told(self, *ids: int) -> list[tuple[str, str | None, bool]]:
        """(status, reason, whether the shop was told) of each shipment there is a row of."""
        with state_of(self.settings) as state:
            rows = state.ledger("shipment", "exact").rows_for([(one, 0) for one in ids or self.ids])
            return [(row.status, row.reason, row.fingerprint is not None) for row in rows]

    def force(self, id_order: int) -> None:
        """A person asks to have it done again."""
        with state_of(self.settings) as state:
            state.ledger("shipment", "exact").request_force([(id_order, 0)], at=self.now)


@contextmanager
def shipping(folder: Path, shop_url: str) -> Iterator[Shipping]:
    """One over this shop."""
    with (
        Administration.created(f"sqlite:///{folder / 'exact.db'}") as erp,
        DemoWebservice(shop_url, key=KEY, clock=lambda: NOW) as webservice,
    ):
        engine = create_engine(shop_url, poolclass=NullPool)
        world = Shipping(folder=folder, shop=engine, erp=erp, webservice=webservice)
        world.prepare()
        yield world


def counts(outcome: ShipmentOutcome) -> tuple[int, ...]:
    """read, eligible, pending, delivered, unchanged, skipped, failed"""
    return tuple(outcome.tally.counts().values())


def failed(outcome: ShipmentOutcome) -> dict[int, str]:
    """The reason of each failed shipment."""
    return {one.key[0]: one.reason for one in outcome.tally.failures}
