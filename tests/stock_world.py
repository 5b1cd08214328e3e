"""A shop that sells, an Exact that receives and delivers, and what is truly free to be sold at every moment.

``World`` changes both databases as PrestaShop and Exact do, step by step where they take several, and keeps by itself,
without asking either, what must be true: which pieces lie there, and which are promised to somebody. The shop is the
genuine fixture database on MariaDB or an embedded one, the ERP a SQLite file; items are known by their key.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.pool import NullPool

from brekzsync.agent.untrusted_xml import read_xml
from brekzsync.demo.debtors import DEBTORS, padded
from brekzsync.demo.exact_import import TOPICS, ExactImport, open_erp
from brekzsync.exact.tables import WAREHOUSE_LENGTH, globe_tables
from brekzsync.prestashop.orders.tables import order_tables
from brekzsync.prestashop.stock.tables import stock_tables
from tests.services.prestashop import PrestaShopDatabase
from tests.shops import make_shop

Key = tuple[int, int]
AWAITING, PAID, SHIPPED, CANCELED = 10, 2, 4, 6
HOME_ZONE = ZoneInfo("Europe/Amsterdam")  # of both shops
LENIENT = "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'"  # columns nobody reads need no values
_STOCK_ACCOUNT = "     3000"
_NOT_STOCK = "     7000"
_ITEM, _LINE = 100, 10  # price of a piece


def code_of(key: Key) -> str:
    """The item code that ``[products] item_code = "key"`` makes."""
    return f"{key[0]}-{key[1]}"


@dataclass(slots=True)
class Sale:
    """An order of the shop, and how far it got in Exact. Pieces are ``held`` from the moment the shop takes them off
    its quantity until it puts them back."""

    id: int
    reference: str
    lines: Mapping[Key, int]
    held: set[Key] = field(default_factory=set)
    is_canceled: bool = False
    ordernr: str = ""
    delivered: Counter[Key] = field(default_factory=Counter)
    is_closed: bool = False

    @property
    def your_ref(self) -> str:
        """What Exact knows it by."""
        return f"{self.reference}-{self.id}"

    def undelivered(self, key: Key) -> int:
        """Pieces of an item that did not leave the warehouse yet."""
        return self.lines.get(key, 0) - self.delivered[key]


@dataclass
class World:
    """Both systems, and the truth about them."""

    folder: Path
    shop: Engine
    erp_file: Path
    keys: list[Key]
    now: datetime
    place: tuple[int, int] = (1, 0)
    item_code: str = "key"
    sales: list[Sale] = field(default_factory=list)
    lying: Counter[str] = field(default_factory=Counter)
    phoned: Counter[str] = field(default_factory=Counter)
    moved: Counter[Key] = field(default_factory=Counter)  # by what the shop itself changed its figures
    _of_key: dict[Key, list[Sale]] = field(default_factory=lambda: defaultdict(list))
    _open: Connection | None = None
    _open_erp: sqlite3.Connection | None = None
    _orders: int = 100
    _numbers: int = 0

    # --- beginnings -------------------------------------------------------------------------------------------

    @classmethod
    @contextmanager
    def embedded(
        cls, folder: Path, now: datetime, *, products: int = 2, combinations: int = 0
    ) -> Iterator[World]:
        """One on two SQLite files."""
        make_shop(folder / "shop.db", products=products, combinations=combinations)
        engine = create_engine(f"sqlite:///{folder / 'shop.db'}", connect_args={"timeout": 30})
        _quick(engine)
        with closing(sqlite3.connect(folder / "shop.db")) as shop:
            keys = shop.execute(
                "SELECT p.id_product, COALESCE(a.id_product_attribute, 0) FROM ps_product p"
                " LEFT JOIN ps_product_attribute a ON a.id_product = p.id_product ORDER BY 1, 2"
            ).fetchall()
        order_tables("ps_").metadata.create_all(engine)
        _add_stock_tables(engine)
        with engine.begin() as connection:
            _add_parties(connection)
        with cls._made(folder, engine, keys, now) as world:
            yield world

    @contextmanager
    def copied(self, folder: Path) -> Iterator[World]:
        """Another embedded one that is as this one is now; nobody is at work here."""
        for name in ("shop.db", "erp.db", "state.db"):
            if (self.folder / name).exists():
                shutil.copyfile(self.folder / name, folder / name)
        engine = create_engine(f"sqlite:///{folder / 'shop.db'}", connect_args={"timeout": 30})
        _quick(engine)
        world = World(folder, engine, folder / "erp.db", list(self.keys), self.now)
        world.lying, world.phoned = self.lying.copy(), self.phoned.copy()
        try:
            yield world
        finally:
            world.dispose()

    def dispose(self) -> None:
        """Let go of both databases."""
        if self._open is not None:
            self._open.close()
            self._open = None
        if self._open_erp is not None:
            self._open_erp.close()
            self._open_erp = None
        self.shop.dispose()

    @classmethod
    @contextmanager
    def genuine(cls, folder: Path, database: PrestaShopDatabase, now: datetime) -> Iterator[World]:
        """One on the genuine fixture database, without the orders it comes with."""
        engine = create_engine(database.url(), pool_pre_ping=True, connect_args={"ssl_disabled": True})
        for table in ("orders", "order_detail", "order_history", "order_carrier"):
            database.execute(f"DELETE FROM ps_{table}")
        keys = database.execute(
            "SELECT p.id_product, COALESCE(a.id_product_attribute, 0) FROM ps_product p"
            " LEFT JOIN ps_product_attribute a ON a.id_product = p.id_product ORDER BY 1, 2"
        )
        with cls._made(folder, engine, [(int(one), int(other)) for one, other in keys], now) as world:
            yield world

    @classmethod
    @contextmanager
    def _made(cls, folder: Path, shop: Engine, keys: list[Key], now: datetime) -> Iterator[World]:
        world = cls(folder, shop, folder / "erp.db", [tuple(key) for key in keys], now)
        with world._shopping() as connection:
            connection.execute(text("DELETE FROM ps_stock_available"))
        tables = globe_tables("sqlite")
        engine = create_engine(f"sqlite:///{world.erp_file}", poolclass=NullPool)
        tables.metadata.create_all(engine, tables.everywhere())
        with engine.begin() as connection:
            DEBTORS.create(connection)
            connection.execute(DEBTORS.insert(), {"cmp_code": padded("0"), "debnr": "     0"})
        for key in world.keys:
            world.add_stock_row(key, 0)
            world.add_item(code_of(key))
        try:
            yield world
        finally:
            world.dispose()

    @property
    def shop_url(self) -> str:
        """What a configuration would say."""
        return self.shop.url.render_as_string(hide_password=False)

    def configure(self, stock: str = "", more: str = "", shop: str = "") -> Path:
        """Write the configuration; ``stock`` and ``shop`` are lines of these sections, ``more`` are others."""
        path = self.folder / "brekzsync.toml"
        path.write_text(
            f"""{more}
[shop]
database = "{self.shop_url}"
data_shop = 1
{shop}
[erp]
database = "sqlite:///{self.erp_file}"
[products]
item_code = "{self.item_code}"
output = "outbox"
[exact_xml.vat_codes]
0 = "0"
"FR:0" = "0"
"US:0" = "0"
[orders]
payment_methods = {{ ps_wirepayment = "B" }}
delivery_methods = {{ 2 = "PNL" }}
[stock]
{stock or 'write_via = "database"'}
[state]
database = "sqlite:///{self.folder}/state.db"
""",
            encoding="utf-8",
        )
        return path

    # --- the shop ---------------------------------------------------------------------------------------------

    def sell(self, lines: Mapping[Key, int], state: int = AWAITING) -> Sale:
        """A customer orders."""
        *_, sale = self.selling(lines, state)
        return sale

    def selling(self, lines: Mapping[Key, int], state: int = AWAITING) -> Iterator[Sale]:
        """The same in the steps PrestaShop takes, each of them visible to others at once.

        The order comes first, then for each line the quantity drops before the line is there, then the state.
        """
        self._orders += 1
        sale = Sale(self._orders, f"ORD{self._orders:06}", dict(lines))
        self.sales.append(sale)
        for key in lines:
            self._of_key[key].append(sale)
        self._add_order(sale)
        yield sale
        for place, (key, pieces) in enumerate(lines.items()):
            self._move_shown(key, -pieces)
            sale.held.add(key)
            yield sale
            self._add_line(sale, place, key, pieces)
            yield sale
        self._set_state(sale, state)
        yield sale

    def pay(self, sale: Sale) -> None:
        """The money came."""
        self._set_state(sale, PAID)

    def cancel(self, sale: Sale) -> None:
        """The shop cancels, which puts back what was not cancelled before."""
        for _ in self.canceling(sale):
            pass

    def canceling(self, sale: Sale) -> Iterator[None]:
        """The same in steps: the quantities rise first."""
        for key, pieces in sale.lines.items():
            self._move_shown(key, pieces)
            sale.held.discard(key)
            yield
        sale.is_canceled = True
        self._set_state(sale, CANCELED)
        yield

    def reinject(self, key: Key, pieces: int) -> None:
        """Somebody puts returned pieces back into the shop's stock."""
        self._move_shown(key, pieces)

    def shown(self, key: Key) -> int:
        """What the shop shows."""
        with self.shop.connect() as connection:
            rows = connection.execute(_ROW, self._at(key)).all()
        (found,) = rows
        return int(found[0])

    def all_shown(self) -> dict[Key, int]:
        """What the shop shows of every combination."""
        with self.shop.connect() as connection:
            rows = connection.execute(
                text(
                    "SELECT id_product, id_product_attribute, quantity FROM ps_stock_available"
                    " WHERE id_shop = :shop AND id_shop_group = :group"
                ),
                {"shop": self.place[0], "group": self.place[1]},
            ).all()
        held = {(int(one), int(other)): int(quantity) for one, other, quantity in rows}
        return {key: held[key] for key in self.keys if key in held}

    def totals(self) -> dict[int, int]:
        """The total rows of products with combinations."""
        with self.shop.connect() as connection:
            rows = connection.execute(
                text(
                    "SELECT id_product, quantity FROM ps_stock_available"
                    " WHERE id_product_attribute = 0 AND id_shop = :shop AND id_shop_group = :group"
                ),
                {"shop": self.place[0], "group": self.place[1]},
            ).all()
        composite = {product for product, combination in self.keys if combination}
        return {int(product): int(quantity) for product, quantity in rows if product in composite}

    def show(self, key: Key, quantity: int) -> None:
        """Somebody types a quantity."""
        with self._shopping() as connection:
            connection.execute(_SET, {**self._at(key), "quantity": quantity})
            self._total(connection, key)

    def add_stock_row(self, key: Key, quantity: int, place: tuple[int, int] | None = None) -> None:
        """A stock row, with that of the total where there is none."""
        with self._shopping() as connection:
            for one in {key, (key[0], 0)}:
                at = self._at(one, place)
                if connection.execute(_ROW, at).first() is None:
                    connection.execute(_ADD, {**at, "quantity": quantity})
            self._total(connection, key, place)

    def shop_sql(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """Whatever else happens there."""
        with self._shopping() as connection:
            done = connection.execute(text(statement), values)
            return [tuple(row) for row in done] if done.returns_rows else []

    # --- Exact ------------------------------------------------------------------------------------------------

    def add_item(self, code: str, **columns: object) -> None:
        """An item that is sold from stock unless ``columns`` say otherwise."""
        row = {
            "ItemCode": code,
            "Description": code,
            "Type": "S",
            "Condition": "A",
            "IsSalesItem": 1,
            "IsStockItem": 1,
            "GLAccountDistribution": _STOCK_ACCOUNT,
        } | columns
        names = ", ".join(row)
        marks = ", ".join("?" * len(row))
        self.erp_sql(f"INSERT INTO Items ({names}) VALUES ({marks})", *row.values())

    def receive(self, code: str, pieces: int, warehouse: str = "1", days: int = 0) -> None:
        """Goods come in; negative: a count found less. ``days`` from now, and then they do not lie there yet."""
        self._move(code, pieces, warehouse, days)
        if days <= 0:
            self.lying[code] += pieces

    def phone(self, code: str, pieces: int) -> str:
        """Somebody orders by telephone: an order that no shop knows."""
        number = self._next_number()
        with self._exact() as erp:
            _add_erp_order(erp, number, "by telephone", {code: pieces})
        self.phoned[code] += pieces
        return number

    def enter(self, sale: Sale) -> None:
        """Exact gets the order."""
        number = self._next_number()
        with self._exact() as erp:
            lines = {code_of(key): pieces for key, pieces in sale.lines.items()}
            _add_erp_order(erp, number, sale.your_ref, lines)
        sale.ordernr = number

    def deliver(self, sale: Sale, pieces: Mapping[Key, int] | None = None) -> None:
        """Goods of an order leave, all or so many, and the delivery note is written: one transaction."""
        going = dict(pieces) if pieces is not None else {key: sale.undelivered(key) for key in sale.lines}
        note = self._next_number()
        with self._exact() as erp:
            erp.execute(
                "INSERT INTO orhkrg (ordernr, ord_soort, docnumber, pakbon_nr, pakbon_dat) VALUES (?, 'V', ?, ?, ?)",
                (sale.ordernr, sale.your_ref, note, self._day()),
            )
            for place, (key, leaving) in enumerate(going.items(), 1):
                code = code_of(key)
                erp.execute(_MOVEMENT, (code, -leaving, "1".ljust(4), self._day(), _STOCK_ACCOUNT))
                erp.execute(_MOVEMENT, (code, leaving, "1".ljust(4), self._day(), _NOT_STOCK))
                erp.execute(
                    "UPDATE orsrg SET aant_gelev = aant_gelev + ? WHERE ordernr = ? AND artcode = ?",
                    (leaving, sale.ordernr, code),
                )
                erp.execute(
                    "INSERT INTO orhsrg (ordernr, pakbon_nr, regel, artcode, aant_gelev, magcode)"
                    " VALUES (?, ?, ?, ?, ?, '1   ')",
                    (sale.ordernr, note, str(place), code, leaving),
                )
            sale.delivered.update(going)
            self.lying.subtract({code_of(key): leaving for key, leaving in going.items()})
            if not any(sale.undelivered(key) for key in sale.lines):
                erp.execute("UPDATE orkrg SET afgehandld = 1 WHERE ordernr = ?", (sale.ordernr,))
                sale.is_closed = True

    def close(self, sale: Sale) -> None:
        """Somebody completes the order in Exact: what was not delivered will not be."""
        with self._exact() as erp:
            erp.execute("UPDATE orkrg SET afgehandld = 1 WHERE ordernr = ?", (sale.ordernr,))
        sale.is_closed = True

    def archive(self, sale: Sale) -> None:
        """Exact clears a completed order away; its delivery notes stay."""
        with self._exact() as erp:
            for table in ("orkrg", "orsrg"):
                erp.execute(f"DELETE FROM {table} WHERE ordernr = ?", (sale.ordernr,))

    def take_back(self, sale: Sale, key: Key, pieces: int) -> None:
        """A customer returns goods: they lie in the warehouse, then the shop may sell them again."""
        self.receive(code_of(key), pieces)
        self.reinject(key, pieces)

    def erp_sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Whatever else happens there."""
        with self._exact() as erp:
            return erp.execute(statement, values).fetchall()

    # --- brekzsync's documents on their way ---------------------------------------------------------------------

    def take(self) -> list[bytes]:
        """Exact's reader takes every unread order out of the outbox."""
        taken = []
        folder = self.folder / "outbox/orders"
        for path in sorted(folder.glob("*.xml")):
            if path.stem.isdecimal():
                taken.append(path.read_bytes())
                path.unlink()
        return taken

    def import_(self, documents: list[bytes]) -> list[str]:
        """Exact imports them; what it says of each."""
        importing, said = ExactImport(open_erp(self.erp_file), self.now), []
        for document in documents:
            root = read_xml(document)
            for topic in TOPICS:
                said += [one.words for one in importing.topic(root, topic) if topic == "Orders"]
        self._note_imports()
        return said

    def _note_imports(self) -> None:
        numbers = {
            reference.strip(): number
            for number, reference in self.erp_sql("SELECT ordernr, docnumber FROM orkrg")
        }
        for sale in self.sales:
            if not sale.ordernr and sale.your_ref in numbers:
                sale.ordernr = numbers[sale.your_ref]
        self._numbers = max(self._numbers, *map(int, numbers.values()), 0)

    # --- the truth --------------------------------------------------------------------------------------------

    def free(self, key: Key) -> int:
        """Pieces that lie there and are promised to nobody; negative where more was promised than there is."""
        code = code_of(key)
        promised = sum(
            sale.undelivered(key) for sale in self._of_key[key] if key in sale.held and not sale.is_closed
        )
        return self.lying[code] - self.phoned[code] - promised

    def settled(self, key: Key, margin: int = 0) -> int:
        """What the shop is to show once nothing happens any more: what Exact has open counts, also for an order the
        shop has cancelled, until somebody completes it."""
        code = code_of(key)
        still = sum(sale.undelivered(key) for sale in self._of_key[key] if self._counts(sale))
        return max(0, self.lying[code] - self.phoned[code] - still - margin)

    def all_settled(self) -> dict[Key, int]:
        """The same of every combination."""
        return {key: self.settled(key) for key in self.keys}

    def _counts(self, sale: Sale) -> bool:
        return not sale.is_closed if sale.ordernr else not sale.is_canceled

    # --- how --------------------------------------------------------------------------------------------------

    @contextmanager
    def _shopping(self) -> Iterator[Connection]:
        """Every statement is seen by others at once, as PrestaShop writes."""
        if self.shop.dialect.name == "sqlite":
            if self._open is None:
                self._open = self.shop.connect().execution_options(isolation_level="AUTOCOMMIT")
            yield self._open
            return
        with self.shop.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(LENIENT)
            yield connection

    @contextmanager
    def _exact(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        if self._open_erp is None:
            self._open_erp = sqlite3.connect(self.erp_file, timeout=30, check_same_thread=False)
            self._open_erp.execute("PRAGMA synchronous = OFF")
        with self._open_erp:
            yield self._open_erp

    def _at(self, key: Key, place: tuple[int, int] | None = None) -> dict[str, object]:
        id_shop, id_shop_group = place or self.place
        return {"product": key[0], "combination": key[1], "shop": id_shop, "group": id_shop_group}

    def _move_shown(self, key: Key, pieces: int) -> None:
        with self._shopping() as connection:
            connection.execute(_MOVE, {**self._at(key), "pieces": pieces})
            self.moved[key] += pieces
            self._total(connection, key)

    def _total(self, connection: Connection, key: Key, place: tuple[int, int] | None = None) -> None:
        """PrestaShop adds up a product's combinations anew."""
        if key[1] == 0:
            return
        at = self._at(key, place)
        total = connection.execute(_SUM, at).scalar_one()
        connection.execute(_SET, {**self._at((key[0], 0), place), "quantity": int(total)})

    def _local_now(self) -> str:
        return self.now.astimezone(HOME_ZONE).strftime("%Y-%m-%d %H:%M:%S")

    def _day(self, days: int = 0) -> str:
        return (self.now.astimezone(HOME_ZONE) + timedelta(days=days)).strftime("%Y-%m-%d 00:00:00.000000")

    def _add_order(self, sale: Sale) -> None:
        """As ``PaymentModule::createOrderFromCart`` adds it: without a state."""
        total = f"{_LINE * sum(sale.lines.values())}.000000"
        row: dict[str, object] = {
            "id_order": sale.id,
            "reference": sale.reference,
            "id_shop": 1,
            "id_carrier": 2,
            "id_lang": 1,
            "id_customer": 2,
            "id_currency": 1,
            "id_address_delivery": 2,
            "id_address_invoice": 2,
            "current_state": 0,
            "module": "ps_wirepayment",
            "date_add": self._local_now(),
            "date_upd": self._local_now(),
            "total_paid_tax_excl": total,
            "total_paid_tax_incl": total,
        }
        zeros = ("discounts", "shipping", "wrapping")
        row |= {f"total_{what}_tax_{how}": "0.000000" for what in zeros for how in ("excl", "incl")}
        row["carrier_tax_rate"] = "0.000"
        self._insert("ps_orders", row)

    def _add_line(self, sale: Sale, place: int, key: Key, pieces: int) -> None:
        total = f"{_LINE * pieces}.000000"
        self._insert(
            "ps_order_detail",
            {
                "id_order_detail": sale.id * 100 + place,
                "id_order": sale.id,
                "product_id": key[0],
                "product_attribute_id": key[1],
                "product_quantity": pieces,
                "id_tax_rules_group": 0,
                "total_price_tax_excl": total,
                "total_price_tax_incl": total,
                "tax_rate": "0.000",
                "product_name": code_of(key),
                "product_reference": code_of(key),
            },
        )

    def _set_state(self, sale: Sale, state: int) -> None:
        with self._shopping() as connection:
            connection.execute(
                text("UPDATE ps_orders SET current_state = :state, date_upd = :now WHERE id_order = :id"),
                {"state": state, "now": self._local_now(), "id": sale.id},
            )
            connection.execute(
                text(
                    "INSERT INTO ps_order_history (id_order_history, id_order, id_order_state)"
                    " SELECT COALESCE(MAX(id_order_history), 0) + 1, :id, :state FROM ps_order_history"
                ),
                {"state": state, "id": sale.id},
            )

    def _insert(self, table: str, row: Mapping[str, object]) -> None:
        names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
        with self._shopping() as connection:
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), dict(row))

    def _move(self, code: str, pieces: float, warehouse: str, days: int) -> None:
        self.erp_sql(
            _MOVEMENT, code, pieces, warehouse.ljust(WAREHOUSE_LENGTH), self._day(days), _STOCK_ACCOUNT
        )

    def _next_number(self) -> str:
        self._numbers += 1
        return str(self._numbers).rjust(8)


_WHERE = (
    " WHERE id_product = :product AND id_product_attribute = :combination"
    " AND id_shop = :shop AND id_shop_group = :group"
)
_ROW = text("SELECT quantity FROM ps_stock_available" + _WHERE)
_SET = text("UPDATE ps_stock_available SET quantity = :quantity" + _WHERE)
_MOVE = text("UPDATE ps_stock_available SET quantity = quantity + :pieces" + _WHERE)
_SUM = text(
    "SELECT SUM(quantity) FROM ps_stock_available WHERE id_product = :product AND id_product_attribute <> 0"
    " AND id_shop = :shop AND id_shop_group = :group"
)
_ADD = text(
    "INSERT INTO ps_stock_available (id_product, id_product_attribute, id_shop, id_shop_group, quantity,"
    " physical_quantity, reserved_quantity, depends_on_stock, out_of_stock, location)"
    " VALUES (:product, :combination, :shop, :group, :quantity, 0, 0, 0, 2, '')"
)
_MOVEMENT = (
    "INSERT INTO gbkmut (artcode, aantal, warehouse, datum, reknr, transtype) VALUES (?, ?, ?, ?, ?, 'N')"
)


def _add_erp_order(erp: sqlite3.Connection, number: str, reference: str, lines: Mapping[str, int]) -> None:
    erp.execute(
        "INSERT INTO orkrg (ordernr, ord_soort, docnumber, afgehandld, fiattering, ordbv_afgd)"
        " VALUES (?, 'V', ?, 0, 'J', 0)",
        (number, reference),
    )
    erp.executemany(
        "INSERT INTO orsrg (ordernr, ar_soort, artcode, magcode, esr_aantal, aant_gelev, aant_fakt)"
        " VALUES (?, 'V', ?, '1   ', ?, 0, 0)",
        [(number, code, pieces) for code, pieces in lines.items()],
    )


def _quick(engine: Engine) -> None:
    """Nothing here has to survive a power cut."""

    @event.listens_for(engine, "connect")
    def careless(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")


def _add_stock_tables(engine: Engine) -> None:
    """What an embedded shop of ``make_shop`` lacks."""
    tables = stock_tables("ps_")
    tables.metadata.create_all(engine)
    with engine.begin() as connection:
        for table in tables.metadata.tables.values():
            there = {column["name"] for column in inspect(engine).get_columns(table.name)}
            for column in table.columns:
                if column.name not in there:
                    kind = column.type.compile(engine.dialect)
                    connection.exec_driver_sql(
                        f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind} DEFAULT 0"
                    )


def _add_parties(connection: Connection) -> None:
    """Who orders in an embedded shop, with the ids of the genuine one."""
    for statement in (
        "INSERT INTO ps_customer (id_customer, company, firstname, lastname, email)"
        " VALUES (2, '', 'John', 'Doe', 'pub@example.com')",
        "INSERT INTO ps_address (id_address, id_country, company, firstname, lastname, address1, address2, postcode,"
        " city, phone, phone_mobile, vat_number)"
        " VALUES (2, 13, '', 'John', 'Doe', 'Kade 1', '', '3511 AB', 'Utrecht', '', '', '')",
        "INSERT INTO ps_carrier (id_carrier, id_reference, name) VALUES (2, 2, 'PostNL')",
    ):
        connection.execute(text(statement))
