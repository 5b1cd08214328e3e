"""The configuration: the starter file, and what the check of a file is put together from."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from shlex import quote
from tempfile import mkstemp
from typing import TYPE_CHECKING, Any, cast

from brekzsync.bootstrap.products import shop_options
from brekzsync.bootstrap.state import state_of, utc_now
from brekzsync.bootstrap.stock import stock_options
from brekzsync.domain.exclusions import Exclusions
from brekzsync.errors import BrekzsyncError, InvalidInput
from brekzsync.exact.connection import connect_erp
from brekzsync.exact.health import TIMEOUT
from brekzsync.exact.items import ItemRepository
from brekzsync.exact.warehouses import moved_warehouses
from brekzsync.flows.configuration.check import ConfigurationCheck
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.mapping_facts import read_order_facts
from brekzsync.prestashop.shop import Shop
from brekzsync.prestashop.stock.repository import ShopStockRepository

if TYPE_CHECKING:
    from brekzsync.domain.erp_items import ErpItem
    from brekzsync.settings import Settings


@contextmanager
def configuration_check(
    settings: Settings, commands: Callable[[], Collection[str]]
) -> Iterator[ConfigurationCheck]:
    """The check of a file that loads, put together; ``commands`` names all commands there are."""
    database = ShopDatabase(settings.shop.database.get_secret_value())
    try:
        yield ConfigurationCheck(
            settings=settings,
            open_shop=cast(Any, lambda own: Shop(database, shop_options(own)).open(utc_now())),
            order_facts=lambda id_lang: read_order_facts(database, settings.shop.table_prefix, id_lang),
            erp_items=_erp_items,
            moved_warehouses=_moved_warehouses,
            stock_places=lambda own: _stock_places(own, database),
            exclusions=lambda: _exclusions(settings),
            commands=commands,
        )
    finally:
        database.dispose()


def _erp_items(own: Settings, codes: Collection[str]) -> Mapping[str, ErpItem]:
    engine = connect_erp(own.erp.database.get_secret_value(), TIMEOUT, attempts=2)
    try:
        return ItemRepository(engine).some(codes)
    finally:
        engine.dispose()


def _moved_warehouses(own: Settings, codes: Collection[str]) -> Collection[str]:
    engine = connect_erp(own.erp.database.get_secret_value(), TIMEOUT, attempts=2)
    try:
        return moved_warehouses(engine, codes)
    finally:
        engine.dispose()


def _stock_places(own: Settings, database: ShopDatabase) -> Mapping[str, object]:
    # Shops that only [orders] misnames are told of where they stand.
    options = replace(stock_options(own), order_shops=())
    places = ShopStockRepository(database, options).places
    return {place.name: place[1:] for place in places}


def _exclusions(settings: Settings) -> Exclusions:
    """What people excluded; nothing where the state cannot be read, which is for others to tell."""
    with suppress(BrekzsyncError), state_of(settings, writes=False) as state:
        return state.exclusions.all()
    return Exclusions()


def write_starter(path: Path, *, force: bool, dry_run: bool) -> bool:
    """Write the starter file, whole or not at all, for its owner only; whether it replaces one.

    Raises InvalidInput where a file is in the way and not to be replaced, or the folder cannot take one.
    """
    from brekzsync.settings.starter import starter

    path = path.expanduser()
    replaces = path.exists() or path.is_symlink()
    if path.is_dir():
        raise InvalidInput(
            f"{path} is a folder.", hint=f"Name a file: brekzsync config init {path}/brekzsync.toml"
        )
    if replaces and not force:
        raise _in_the_way(path)
    if not path.parent.is_dir():
        raise InvalidInput(
            f"There is no folder {path.parent} to write {path.name} in.",
            hint=f"Make it first: mkdir -p {quote(str(path.parent))}",
        )
    if not dry_run:
        try:
            _write_whole(path.resolve() if force else path, starter().encode(), force=force)
        except FileExistsError:
            raise _in_the_way(path) from None
        except OSError as error:
            raise InvalidInput(
                f"Cannot write {path}: {(error.strerror or str(error)).lower()}.",
                hint="Name a file in a folder this user may write to, or run it as a user who may.",
            ) from error
    return replaces


def _in_the_way(path: Path) -> InvalidInput:
    return InvalidInput(
        f"{path} is there already; nothing was written.",
        hint=f"`brekzsync --config {quote(str(path))} config check` checks it as it is; --force replaces it.",
    )


def _write_whole(path: Path, content: bytes, *, force: bool) -> None:
    """Aside first. A link, unlike a rename, never replaces a file that appeared in between."""
    descriptor, name = mkstemp(prefix=f".{path.name}.", dir=path.parent)  # for its owner only: 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if force:
            os.replace(name, path)
        else:
            os.link(name, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)
