"""Whether the shop's stock can be read, and written where it is written into the database."""

from __future__ import annotations

from functools import partial

from sqlalchemy.engine import make_url

from brekzsync.domain.findings import Check, Finding, passed, skipped, warning
from brekzsync.errors import AccessDenied
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.grants import Grant, allows, beyond_reading, parse_grants
from brekzsync.prestashop.health import CONNECT_TIMEOUT, grant_lines, is_refused, stock_rights
from brekzsync.prestashop.shops import check_tables
from brekzsync.prestashop.stock.tables import stock_tables

_HOW_TO = "docs/how-to/read-only-database-user.md"


def stock_check(url: str, prefix: str, *, is_read: bool) -> Check:
    """The tables of stock, where it is kept in step."""
    look = partial(_tables, url, prefix)
    if not is_read:
        look = partial(skipped, "Not configured: [stock] says nothing.")
    return Check(system="shop", name="stock", look=look, needs=("tables",))


def writer_check(url: str, shop_url: str, prefix: str, *, movements: bool) -> Check:
    """The user of ``[stock] database``; that of the shop is looked at with the shop."""
    look = partial(_writer, url, shop_url, prefix, movements=movements)
    return Check(system="shop", name="stock writer", look=look)


def _tables(url: str, prefix: str) -> Finding:
    tables = stock_tables(prefix)
    address = make_url(url)
    database = ShopDatabase(url, connect_timeout=CONNECT_TIMEOUT)
    try:
        with database.snapshot() as snapshot:
            refused = [table.name for table in tables.all() if is_refused(snapshot, table)]
            if refused and address.get_backend_name() != "sqlite":
                raise AccessDenied(
                    f"The shop's user may not read {', '.join(refused)}.",
                    hint=f"As an administrator: GRANT SELECT ON `{address.database}`.`{refused[0]}` TO that user;"
                    f" for every table: {_HOW_TO}.",
                )
            check_tables(snapshot, tables, prefix)
    finally:
        database.dispose()
    return passed(f"All {len(tables.all())} tables of stock can be read, with their columns.")


def _writer(url: str, shop_url: str, prefix: str, *, movements: bool) -> Finding:
    """It may do what it has to, in the shop's own database, and nothing else."""
    address, shop = make_url(url), make_url(shop_url)
    if address.get_backend_name() == "sqlite":
        return skipped("A SQLite file has no grants.")
    if address.database != shop.database:
        return warning(
            f"[stock] database names {address.database}, and [shop] database {shop.database}.",
            "Let both name the shop's database, each with a user of its own.",
        )
    name = address.database or ""
    database = ShopDatabase(url, connect_timeout=CONNECT_TIMEOUT)
    try:
        with database.snapshot() as snapshot:
            grants = parse_grants(grant_lines(snapshot))
    finally:
        database.dispose()
    needed = stock_rights(prefix, name, movements=movements)
    missing = [grant for grant in _needed(prefix, name, movements=movements) if not _has(grants, grant)]
    if missing:
        lines = "; ".join(
            f"GRANT {_words(grant)} ON `{name}`.`{grant.table}` TO that user" for grant in missing
        )
        raise AccessDenied(
            f"The user of [stock] database may not write {', '.join(grant.table for grant in missing)}.",
            hint=f"As an administrator: {lines}.",
        )
    spare = beyond_reading(grants, name, needed)
    if spare:
        return warning(
            f"The user of [stock] database may do more than it has to: {'; '.join(spare)}.",
            f"Give it only what it needs: {_HOW_TO}.",
        )
    return passed(f"The user can write {' and '.join(grant.table for grant in needed)}, and nothing else.")


def _needed(prefix: str, database: str, *, movements: bool) -> list[Grant]:
    """Rows of stock are changed and never made."""
    return [
        grant._replace(privileges=grant.privileges - {"INSERT"}) if "UPDATE" in grant.privileges else grant
        for grant in stock_rights(prefix, database, movements=movements)
    ]


def _has(grants: list[Grant], wanted: Grant) -> bool:
    return all(allows(grants, one, wanted.database, wanted.table) for one in wanted.privileges)


def _words(grant: Grant) -> str:
    return ", ".join(("SELECT", *sorted(grant.privileges)))
