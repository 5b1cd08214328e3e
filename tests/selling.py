"""A demo's orders on their way: the shop people order in, the runs that export, and an Exact that imports.

Exact imports what lies in the outbox when a test says so; an order it is given twice it has twice
(``brekzsync/demo/exact_import.py``). The clock stands still until a test moves it.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from brekzsync.agent.untrusted_xml import read_xml
from brekzsync.bootstrap.orders import order_flow
from brekzsync.bootstrap.state import state_of
from brekzsync.demo.exact_import import TOPICS, ExactImport, open_erp
from brekzsync.domain.ledger import LedgerEntry
from brekzsync.errors import Unavailable
from brekzsync.flows.orders.deciding import Decided, Deciding, Decision
from brekzsync.flows.orders.erp import AskedErp
from brekzsync.flows.orders.kinds import ORDERS, REFUNDS, Kind
from brekzsync.flows.orders.ports import Outcome, Settled
from brekzsync.flows.orders.run import OrderFlow, OrderOutcome, OrderRequest
from brekzsync.flows.orders.settlement import ReadBack
from brekzsync.settings import Settings, load_settings
from brekzsync.state.claims import Claim
from brekzsync.state.database import State
from tests.exports import NOW

AWAY = Unavailable("The ERP globe/500 does not answer.")
FIRST_SENT = [61, 62, 63, 64, 65, 66, 67, 68]
IN_EXACT = [41, 52]
FAILING = [71, 72, 73, 74, 75, 76, 77, 78]
_OF_AN_ORDER = ("ps_orders", "ps_order_detail", "ps_order_history")


@dataclass(slots=True, kw_only=True)
class Selling:
    """One demo in ``folder``; ``schema`` is Exact's own, None where documents are not checked against it."""

    folder: Path
    schema: etree.XMLSchema | None = None
    now: datetime = NOW
    adjust: Callable[[OrderFlow], OrderFlow] = field(default=lambda flow: flow)
    erp_is_away: bool = False

    # --- runs ---------------------------------------------------------------------------------------------

    def export(
        self, *ids: int, kind: Kind[Any] = ORDERS, target: str = "exact", **options: Any
    ) -> OrderOutcome:
        """One run."""
        request = OrderRequest(ids=ids, **options)
        with self.flow(kind, target, writes=not request.dry_run) as flow:
            return flow.execute(request, lambda _total: nullcontext(lambda _count: None))

    def refund(self, *ids: int, **options: Any) -> OrderOutcome:
        """One run of ``refunds export``."""
        return self.export(*ids, kind=REFUNDS, **options)

    def look(self, *, kind: Kind[Any] = ORDERS, dry_run: bool = False) -> ReadBack:
        """``orders settle`` without ids."""
        with self.flow(kind) as flow:
            return Deciding(flow).read_back(dry_run=dry_run)

    def settle(
        self, *ids: int, as_: Decision, kind: Kind[Any] = ORDERS, dry_run: bool = False
    ) -> list[Decided]:
        """``orders settle ID... --sent`` or ``--resend``."""
        with self.flow(kind) as flow:
            return Deciding(flow).decide(ids, as_, dry_run=dry_run)

    def post(self, claim: Claim | int, words: str = "", *, kind: Kind[Any] = ORDERS) -> Settled:
        """A result comes in: imported, or rejected with Exact's words."""
        key, version = ((claim, 0), None) if isinstance(claim, int) else (claim.key, claim[2:4])
        with self.flow(kind) as flow:
            outcome = Outcome(*key, version, imported=not words, reason="rejected", message=words)
            return flow.settlement.settle([outcome], at=self.now)

    def after(self, **time: float) -> Selling:
        """Let time pass."""
        self.now += timedelta(**time)
        return self

    @contextmanager
    def flow(
        self, kind: Kind[Any] = ORDERS, target: str = "exact", *, writes: bool = True
    ) -> Iterator[OrderFlow]:
        """A run's parts, under this clock."""
        settings = self.settings
        with (
            state_of(settings, writes=writes) as state,
            order_flow(settings, target, state, kind) as flow,
        ):
            clock = lambda: self.now  # noqa: E731
            if self.erp_is_away:
                flow = replace(flow, ask_erp=lambda: AskedErp.away(AWAY))
            yield self.adjust(replace(flow, clock=clock, settlement=replace(flow.settlement, clock=clock)))

    # --- the shop -------------------------------------------------------------------------------------------

    def sql(self, *statements: str, database: str = "shop") -> None:
        """Edit the shop as its back office would, or the ERP as Exact would."""
        with closing(sqlite3.connect(self.folder / f"{database}.db")) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    def state_of_order(self, id_order: int, state: int) -> None:
        """The order comes into a state."""
        self.sql(
            f"UPDATE ps_orders SET current_state = {state} WHERE id_order = {id_order}",
            "INSERT INTO ps_order_history (id_order_history, id_order, id_order_state)"
            f" SELECT MAX(id_order_history) + 1, {id_order}, {state} FROM ps_order_history",
        )

    def move(self, id_order: int) -> None:
        """The customer is delivered elsewhere."""
        self.sql(
            "UPDATE ps_address SET city = 'Rotterdam' WHERE id_address ="
            f" (SELECT id_address_delivery FROM ps_orders WHERE id_order = {id_order})"
        )

    def copy_order(self, id_order: int, *numbers: int) -> None:
        """Other orders like this one, with references of their own."""
        with closing(sqlite3.connect(self.folder / "shop.db")) as shop, shop:
            for number in numbers:
                for table in _OF_AN_ORDER:
                    _copy(shop, table, id_order, number)
                shop.execute(
                    "UPDATE ps_orders SET reference = ? WHERE id_order = ?", (f"COPY{number}", number)
                )

    # --- what lies in the outbox, and Exact ------------------------------------------------------------------

    def lying(self, noun: str = "orders") -> list[int]:
        """The ids of the unread documents."""
        folder = self.folder / "outbox" / noun
        return sorted(int(path.stem) for path in folder.glob("*.xml") if path.stem.isdecimal())

    def document(self, id_: int, noun: str = "orders") -> Any:
        """What an unread document says; valid where the schema is at hand."""
        root = etree.parse(self.folder / f"outbox/{noun}/{id_}.xml").getroot()
        if self.schema is not None:
            assert self.schema.validate(root), self.schema.error_log.last_error
        return root

    def indexed(self, noun: str = "orders") -> list[tuple[str, str]]:
        """(id, code) of what the index lists."""
        root = etree.parse(self.folder / f"outbox/{noun}/index.xml").getroot()
        return [(entry.get("id", ""), entry.get("code", "")) for entry in root]

    def take(self, *ids: int, noun: str = "orders") -> list[bytes]:
        """Exact's reader takes documents out of the outbox, all or these; they are not imported yet."""
        taken = []
        for id_ in ids or self.lying(noun):
            self.document(id_, noun)
            path = self.folder / f"outbox/{noun}/{id_}.xml"
            taken.append(path.read_bytes())
            path.unlink()
        return taken

    def import_(self, *documents: bytes) -> list[str]:
        """Exact imports them; what it says of each order."""
        said = []
        importing = ExactImport(open_erp(self.folder / "erp.db"), self.now)
        for document in documents:
            root = read_xml(document)
            for topic in TOPICS:
                said += [told.words for told in importing.topic(root, topic) if topic == "Orders"]
        return said

    def imports(self, *ids: int, noun: str = "orders") -> list[str]:
        """Exact takes documents and imports them."""
        return self.import_(*self.take(*ids, noun=noun))

    def in_exact(self) -> Counter[str]:
        """How often Exact has each order of the shop's, by YourRef."""
        with closing(sqlite3.connect(self.folder / "erp.db")) as erp:
            rows = erp.execute("SELECT TRIM(docnumber) FROM orkrg WHERE docnumber LIKE '%-%'")
            return Counter(row[0] for row in rows)

    # --- the state ------------------------------------------------------------------------------------------

    @property
    def config(self) -> Path:
        return self.folder / "brekzsync.toml"

    @property
    def settings(self) -> Settings:
        return _settings(self.config, self.config.read_text(encoding="utf-8"))

    def replace(self, old: str, new: str) -> None:
        """Edit the configuration."""
        text = self.config.read_text(encoding="utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new, 1), encoding="utf-8")

    def lose_state(self) -> None:
        """Delete the state database and its side files."""
        for path in self.folder.glob("state.db*"):
            path.unlink()

    @contextmanager
    def state(self) -> Iterator[State]:
        with state_of(self.settings) as opened:
            yield opened

    def row(self, id_: int, flow: str = "order", target: str = "exact") -> LedgerEntry:
        """What the ledger says of a record."""
        with self.state() as state:
            (row,) = state.ledger(flow, target).rows_for([(id_, 0)])
            return row

    def told(
        self, *ids: int, flow: str = "order", target: str = "exact"
    ) -> list[tuple[str, str | None, bool]]:
        """(status, reason, whether Exact has it) of each record there is a row of."""
        with self.state() as state:
            rows = state.ledger(flow, target).rows_for([(one, 0) for one in ids])
            return [(row.status, row.reason, row.fingerprint is not None) for row in rows]

    def claims(self, flow: str = "order", target: str = "exact") -> dict[int, Claim]:
        """What is out and has no result."""
        with self.state() as state:
            return {claim.key_major: claim for claim in state.ledger(flow, target).claims.open()}

    def debtors(self) -> list[int]:
        """The customers whose debtor Exact is known to have."""
        with self.state() as state:
            return [row.key_major for row in state.ledger("debtor", "exact").rows()]

    def files(self) -> dict[str, bytes]:
        """Everything there is but the index of the state's log, which reading it may write."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file() and "-shm" not in path.name
        }


def selling(folder: Path, copy_of: Path, **more: Any) -> Selling:
    """A demo of the test's own."""
    shutil.copytree(copy_of, folder)
    return Selling(folder=folder, **more)


def failed(outcome: OrderOutcome) -> dict[int, str]:
    """The reason of each failed record."""
    return {one.key[0]: one.reason for one in outcome.tally.failures}


def counts(outcome: OrderOutcome) -> tuple[int, ...]:
    """read, eligible, pending, delivered, unchanged, skipped, failed"""
    return tuple(outcome.tally.counts().values())


@cache
def _settings(config: Path, _text: str) -> Settings:
    """The configuration as the program reads it, read once."""
    return load_settings(config, {})


def _copy(shop: sqlite3.Connection, table: str, id_order: int, number: int) -> None:
    cursor = shop.execute(f"SELECT * FROM {table} WHERE id_order = {id_order}")
    names = [column[0] for column in cursor.description]
    own: Sequence[str] = () if table == "ps_orders" else (names[0],)
    for row in cursor.fetchall():
        values = dict(zip(names, row, strict=True)) | {"id_order": number}
        for name in own:
            (values[name],) = shop.execute(f"SELECT MAX({name}) + 1 FROM {table}").fetchone()
        if table == "ps_order_detail":
            shop.execute(
                "INSERT INTO ps_order_detail_tax (id_order_detail, id_tax)"
                " SELECT ?, id_tax FROM ps_order_detail_tax WHERE id_order_detail = ?",
                (values["id_order_detail"], dict(zip(names, row, strict=True))["id_order_detail"]),
            )
        marks = ", ".join("?" * len(values))
        shop.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values()))
