"""Whether the shop's database can be read as exports read it, and whether its user can do no more than that."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from time import perf_counter
from typing import Any, cast

from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    TextClause,
    false,
    func,
    select,
    text,
)
from sqlalchemy.engine import make_url

from brekzsync.domain.findings import Check, Finding, passed, skipped, warning
from brekzsync.errors import AccessDenied, ConfigurationError, Unavailable
from brekzsync.prestashop.clocks import server_clock, time_zone
from brekzsync.prestashop.connection import ShopDatabase, Snapshot
from brekzsync.prestashop.connection import text as shown
from brekzsync.prestashop.grants import Grant, allows, beyond_reading, granted_roles, parse_grants
from brekzsync.prestashop.orders.tables import order_tables
from brekzsync.prestashop.shop import Shop, ShopOptions
from brekzsync.prestashop.shops import OPTIONAL_COLUMNS, DataShop, check_tables, read_data_shop
from brekzsync.prestashop.tables import shop_tables

CONNECT_TIMEOUT = 3  # seconds; asked three times, so that a dead host is known to be dead within ten
_OLDEST, _NEWEST = (1, 7, 6), (9, 1)
_HOW_TO = "docs/how-to/read-only-database-user.md"
_STOCK_HOOKS = ("actionupdatequantity", "updatequantity")  # the second is its name of long ago


class ShopHealth:
    """The checks of one PrestaShop database; ``dispose`` when they are done.

    ``writes_stock``: its own user does, ``passes_hooks``: some user writes it into the database,
    ``records_movements``: with the movements.
    """

    def __init__(
        self,
        url: str,
        options: ShopOptions,
        clock: Callable[[], datetime],
        *,
        writes_stock: bool,
        passes_hooks: bool | None = None,
        records_movements: bool = False,
        reads_orders: bool = False,
    ) -> None:
        self._url = url
        self._database = ShopDatabase(url, connect_timeout=CONNECT_TIMEOUT)
        self._is_file = make_url(url).get_backend_name() == "sqlite"
        self._name = make_url(url).database or ""
        self._options = options
        self._clock = clock
        self._writes_stock = writes_stock
        self._passes_hooks = writes_stock if passes_hooks is None else passes_hooks
        self._records_movements = records_movements
        self._tables = shop_tables(options.table_prefix)
        self._reads_orders = reads_orders
        self._order_tables = order_tables(options.table_prefix)

    def checks(self) -> list[Check]:
        """From the connection to what an export would read."""
        looks: dict[str, tuple[Callable[[], Finding], tuple[str, ...]]] = {
            "connection": (self.connection, ()),
            "may read": (self.read_rights, ("connection",)),
            "may not write": (self.write_rights, ("connection",)),
            "tables": (self.tables, ("connection", "may read")),
            "orders": (self.orders, ("tables",)),
            "data shop": (self.data_shop, ("tables",)),
            "currency": (self.currency, ("data shop",)),
            "tax country": (self.tax_country, ("data shop",)),
            "time zone": (self.time_zone, ("data shop",)),
            "clock": (self.clock, ("connection",)),
            "stock hooks": (self.stock_hooks, ("connection",)),
        }
        return [
            Check(system="shop", name=name, look=look, needs=needs) for name, (look, needs) in looks.items()
        ]

    def dispose(self) -> None:
        """Close what is open."""
        self._database.dispose()

    def connection(self) -> Finding:
        """The server answers and lets us in."""
        begun = perf_counter()
        with self._database.snapshot() as snapshot:
            version = func.sqlite_version() if self._is_file else func.version()
            number = shown(snapshot.rows(select(version))[0][0])
        took = round((perf_counter() - begun) * 1000)
        server = number if "MariaDB" in number else f"{'SQLite' if self._is_file else 'MySQL'} {number}"
        return passed(f"{self._database.shown} answered in {took} ms ({server}).")

    def read_rights(self) -> Finding:
        """Every column that is read may be read; asked of each table, since rights may come from anywhere."""
        if self._is_file:
            return skipped("A SQLite file has no grants.")
        with self._database.snapshot() as snapshot:
            self._refuse_unreadable(snapshot, self._tables.all())
        return passed(f"SELECT on all {len(self._tables.all())} tables that are read.")

    def write_rights(self) -> Finding:
        """The user can do no more than it has to."""
        if self._is_file:
            return skipped("A SQLite file has no grants; it is opened for reading only.")
        database = ShopDatabase(self._url, connect_timeout=CONNECT_TIMEOUT)  # its session takes on roles
        try:
            with database.snapshot() as snapshot:
                grants = parse_grants(grant_lines(snapshot))
        finally:
            database.dispose()
        stock = f"{self._options.table_prefix}stock_available"
        needed = (
            stock_rights(self._options.table_prefix, self._name, movements=self._records_movements)
            if self._writes_stock
            else []
        )
        spare = beyond_reading(grants, self._name, needed)
        if spare:
            return warning(
                f"The shop's user may do more than it has to: {'; '.join(spare)}.",
                f"Make one that may only read and name it in [shop] database: {_HOW_TO}.",
            )
        if needed and not allows(grants, "UPDATE", self._name, stock):
            return warning(
                f'[stock] write_via is "database", and the shop\'s user may not write {stock}.',
                f"GRANT SELECT, UPDATE ON `{self._name}`.`{stock}` TO that user,"
                ' or set write_via = "webservice".',
            )
        return passed("The user can write nothing" + (f" but {stock}." if needed else "."))

    def tables(self) -> Finding:
        """It is a PrestaShop of a version that is supported."""
        with self._database.snapshot() as snapshot:
            check_tables(snapshot, self._tables, self._options.table_prefix)
            version = self._version(snapshot)
        found = f"all {len(self._tables.all())} tables with their columns are there"
        if not version:
            return passed(f"{found[0].upper()}{found[1:]}; the shop does not say its version.")
        if _numbers(version) >= _OLDEST and _numbers(version)[:2] <= _NEWEST:
            return passed(f"PrestaShop {version}; {found}.")
        return warning(
            f"PrestaShop {version} was never tried with brekzsync, though {found}.",
            "Releases 1.7.6 to 9.1 are supported; compare a dry run with the shop before you export.",
        )

    def orders(self) -> Finding:
        """Orders and credit slips with all that belongs to them, where they are exported."""
        if not self._reads_orders:
            return skipped("Not configured: [orders] says nothing, so none are exported.")
        tables = self._order_tables
        with self._database.snapshot() as snapshot:
            if not self._is_file:
                self._refuse_unreadable(snapshot, tables.all())
            check_tables(snapshot, tables, self._options.table_prefix)
        return passed(
            f"All {len(tables.all())} tables of orders and refunds can be read, with their columns."
        )

    def data_shop(self) -> Finding:
        """The shop that everything is read from exists, with its language."""
        with self._snapshot_of_data_shop() as (snapshot, shop):
            table = self._tables.shop
            is_active = snapshot.rows(select(table.c.active).where(table.c.id_shop == shop.id_shop))[0][0]
        text = f"{shop.name} (id_shop {shop.id_shop}), language {shop.language or shop.id_lang}"
        if is_active:
            return passed(f"{text}; of {len(shop.shops)} in all.")
        return warning(
            f"{text}, is switched off.", "Enable it in the back office, or name another data_shop."
        )

    def currency(self) -> Finding:
        """Prices have a currency."""
        with self._snapshot_of_data_shop() as (_, shop):
            if shop.currency:
                return passed(f"{shop.currency}, the default of {shop.name}.")
            return warning(
                f"{shop.name} has no default currency (PS_CURRENCY_DEFAULT is {shop.id_currency}).",
                'Set it in the back office, or [exact_xml] currency = "EUR".',
            )

    def tax_country(self) -> Finding:
        """Tax rates are looked up for a country."""
        with self._snapshot_of_data_shop() as (_, shop):
            if shop.country:
                return passed(f"{shop.country}, the default of {shop.name}.")
            return warning(
                f"{shop.name} has no default country (PS_COUNTRY_DEFAULT is {shop.id_country}): no item gets VAT.",
                "Set it under International > Localization in the back office.",
            )

    def time_zone(self) -> Finding:
        """The shop's dates mean what they are taken for."""
        with self._snapshot_of_data_shop() as (snapshot, shop):
            prefix = self._options.table_prefix
            return time_zone(snapshot, self._tables, prefix, shop.time_zone, self._clock())

    def clock(self) -> Finding:
        """The database server knows the time."""
        if self._is_file:
            return skipped("A SQLite file has no clock of its own.")
        with self._database.snapshot() as snapshot:
            return server_clock(snapshot, self._clock())

    def stock_hooks(self) -> Finding:
        """Who would not hear of stock that is written past PrestaShop."""
        if not self._passes_hooks:
            return skipped("Stock goes through the webservice, which tells every module.")
        with self._database.snapshot() as snapshot:
            try:
                modules = [
                    shown(row[0]) for row in snapshot.rows(_modules_on_stock(self._options.table_prefix))
                ]
            except (AccessDenied, ConfigurationError) as error:
                return warning(
                    f"Which modules listen to stock cannot be looked up: {error.message}",
                    "GRANT SELECT on the tables hook, hook_module and module of the shop to its user.",
                )
        if not modules:
            return passed("No active module listens to stock.")
        return warning(
            f"Modules that would not notice stock written into the database: {', '.join(modules)}.",
            '[stock] write_via = "webservice" tells them; or make sure that none of them matters.',
        )

    def _refuse_unreadable(self, snapshot: Snapshot, tables: Sequence[Table]) -> None:
        refused = [table.name for table in tables if is_refused(snapshot, table)]
        if refused:
            raise AccessDenied(
                f"The shop's user may not read {', '.join(refused[:5])}{_more(refused)}.",
                hint=f"As an administrator: GRANT SELECT ON `{self._name}`.`{refused[0]}` TO that user;"
                f" for every table: {_HOW_TO}.",
            )

    def _version(self, snapshot: Snapshot) -> str:
        table = self._tables.configuration
        rows = snapshot.rows(select(table.c.value).where(table.c.name == "PS_VERSION_DB"))
        return shown(rows[0][0]) if rows else ""

    @contextmanager
    def _snapshot_of_data_shop(self) -> Iterator[tuple[Snapshot, DataShop]]:
        options = self._options
        with self._database.snapshot() as snapshot:
            yield (
                snapshot,
                read_data_shop(snapshot, self._tables, wanted=options.data_shop, language=options.language),
            )


def stock_rights(prefix: str, database: str, *, movements: bool) -> list[Grant]:
    """What a user who writes stock may do besides reading."""
    rights = {"stock_available": {"INSERT", "UPDATE"}} | ({"stock_mvt": {"INSERT"}} if movements else {})
    return [Grant(frozenset(some), database, f"{prefix}{table}") for table, some in rights.items()]


def slots(url: str, options: ShopOptions, clock: Callable[[], datetime]) -> Finding:
    """An export to one target can begin: its language slots and its excluding column are there as well."""
    shop = Shop(ShopDatabase(url, connect_timeout=CONNECT_TIMEOUT), options)
    try:
        with shop.open(clock()) as opened:
            present = set(opened.data_shop.languages)
    finally:
        shop.dispose()
    filled = [f"{slot} with {iso.lower()}" for iso, slot in options.slots.items() if iso.lower() in present]
    return passed(f"Slots that are filled: {', '.join(filled) or 'none'}.")


def is_refused(snapshot: Snapshot, table: Table) -> bool:
    columns = [column for column in table.columns if column.name not in OPTIONAL_COLUMNS]
    try:
        snapshot.rows(select(*columns).where(false()))
    except AccessDenied:
        return True
    except ConfigurationError:  # not there: "tables" says so
        return False
    return False


def grant_lines(snapshot: Snapshot) -> list[str]:
    """``SHOW GRANTS`` with those of every role the user could take on, which the session then may have."""
    lines = _shown_lines(snapshot, text("SHOW GRANTS"))
    for name, host in granted_roles(lines):
        lines += _role_lines(snapshot, name, host)
    return lines


def _role_lines(snapshot: Snapshot, name: str, host: str) -> list[str]:
    """MySQL, whose roles have a host, tells of a role that is named; MariaDB of the one that is taken on."""
    try:
        if host:
            statement = text("SHOW GRANTS FOR CURRENT_USER() USING :name@:host")
            return _shown_lines(snapshot, statement.bindparams(name=name, host=host))
        _shown_lines(snapshot, text("SET ROLE :name").bindparams(name=name))
        return _shown_lines(snapshot, text("SHOW GRANTS"))
    except (AccessDenied, ConfigurationError, Unavailable):  # the role of a role, or the server will not tell
        return []


def _shown_lines(snapshot: Snapshot, statement: TextClause) -> list[str]:
    return [shown(row[0]) for row in snapshot.rows(cast("Select[Any]", statement))]


def _modules_on_stock(prefix: str) -> Select[Any]:
    metadata = MetaData()
    hook = Table(f"{prefix}hook", metadata, Column("id_hook", Integer), Column("name", String))
    hooked = Table(f"{prefix}hook_module", metadata, Column("id_hook", Integer), Column("id_module", Integer))
    module = Table(
        f"{prefix}module",
        metadata,
        Column("id_module", Integer),
        Column("name", String),
        Column("active", Integer),
    )
    return (
        select(module.c.name)
        .join(hooked, hooked.c.id_module == module.c.id_module)
        .join(hook, hook.c.id_hook == hooked.c.id_hook)
        .where(func.lower(hook.c.name).in_(_STOCK_HOOKS), module.c.active == 1)
        .distinct()
        .order_by(module.c.name)
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - 5} more" if len(names) > 5 else ""
