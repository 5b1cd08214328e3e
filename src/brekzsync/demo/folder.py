"""The demo's folder: built aside, then renamed into place, and never in a folder that is somebody else's."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy.exc import DBAPIError

from brekzsync.demo.erp import seed_erp
from brekzsync.demo.marketplace.seed import FILE as MARKETPLACE
from brekzsync.demo.marketplace.seed import seed_marketplace
from brekzsync.demo.seed import data_file, exclusions, read, seed_shop
from brekzsync.errors import ConfigurationError, InvalidInput, LockHeld, PermanentError
from brekzsync.state.database import open_state

_MARKER = ".brekzsync-demo"  # who finds it knows that everything here may be made anew
_LOCK = ".brekzsync-demo.lock"
_BUILDING = ".building"
IMPORTING = "importing"  # where the demo's importer puts what it took out of the outbox
_SQLITE_COMPANIONS = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What was made. ``refreshed``: a demo was here before; ``kept_configuration``: with a changed file."""

    directory: Path
    shops: list[str]
    products: int
    combinations: int
    orders: int
    refunds: int
    refreshed: bool
    kept_configuration: bool

    @property
    def configuration(self) -> Path:
        return self.directory / "brekzsync.toml"


def make_demo(directory: Path, now: datetime, *, dry_run: bool = False) -> Demo:
    """Make the demo in ``directory``, or put the one there back to its beginning. Safe to repeat.

    Raises InvalidInput when the folder holds something else, LockHeld while brekzsync is at work in it.
    """
    kept = False
    try:
        refreshed = _is_demo(directory)
        if not dry_run:
            _mark(directory)
            with _alone(directory):
                kept = _make(directory, now)
    except OSError as error:
        raise _cannot(directory, error.strerror or str(error)) from error
    except DBAPIError as error:
        raise _cannot(directory, str(error.orig)) from error
    products, sales = read("catalogue.toml")["product"], read("orders.toml")
    return Demo(
        directory=directory,
        shops=[shop["name"] for shop in read("shop.toml")["shop"]],
        products=len(products),
        combinations=sum(len(product.get("combination", ["itself"])) for product in products),
        orders=len(sales["order"]),
        refunds=len(sales["slip"]),
        refreshed=refreshed,
        kept_configuration=kept,
    )


@contextmanager
def demo_at_rest(directory: Path) -> Iterator[None]:
    """The demo in ``directory``, while nobody makes it anew. Raises InvalidInput where there is none."""
    if not _is_demo(directory) or not (directory / "erp.db").is_file():
        raise InvalidInput(
            f"There is no demo in {directory}.",
            hint="Make one: brekzsync demo up --dir FOLDER",
            code="no_demo",
        )
    try:
        with FileLock(directory / _LOCK, timeout=0, preserve_lock_file=True):
            yield
    except Timeout:
        raise LockHeld(
            f"Another `brekzsync demo` is at work in {directory}.", hint="Wait until it has ended."
        ) from None


def _is_demo(directory: Path) -> bool:
    """Whether a demo is there already; a folder with anything else in it is refused."""
    if (directory / _MARKER).is_file():
        _refuse_real_use(directory / "brekzsync.toml")
        return True
    if directory.exists() and not directory.is_dir():
        raise _refusal(f"{directory} is not a folder.")
    if directory.exists() and any(directory.iterdir()):
        raise _refusal(f"{directory} holds something that is not a brekzsync demo.")
    return False


def _refuse_real_use(configuration: Path) -> None:
    """A demo whose configuration was turned to a real shop has a real state, not to be thrown away."""
    try:
        current = tomllib.loads(configuration.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return  # deleted, or not usable with anything
    for section, ours in read("brekzsync.toml").items():
        for key in ("database", "output"):
            if key in ours and current.get(section, {}).get(key, ours[key]) != ours[key]:
                raise _refusal(f"{configuration} is no longer the demo's: [{section}] {key} was changed.")


def _mark(directory: Path) -> None:
    """Before anything is made, so that what an interruption leaves is known as a demo's."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / _MARKER).write_text("`brekzsync demo up` made this folder.\n", encoding="utf-8")


def _refusal(sentence: str) -> InvalidInput:
    return InvalidInput(
        sentence,
        hint="Name a new or empty folder: brekzsync demo up --dir FOLDER",
        code="not_a_demo",
    )


def _cannot(directory: Path, reason: str) -> PermanentError:
    return PermanentError(
        f"The demo cannot be made in {directory}: {reason}.",
        hint="Name a folder you can write to: brekzsync demo up --dir FOLDER",
        code="demo_not_made",
    )


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Neither another `demo up` nor a run of the demo's is at work in the folder meanwhile."""
    try:
        with FileLock(directory / _LOCK, timeout=0, preserve_lock_file=True), _no_run(directory / "state.db"):
            yield
    except Timeout:
        raise LockHeld(
            f"Another `brekzsync demo up` is at work in {directory}.", hint="Wait until it has ended."
        ) from None


@contextmanager
def _no_run(state_file: Path) -> Iterator[None]:
    """Hold the export's lock of the state that is about to be replaced."""
    if not state_file.exists():
        yield
        return
    try:
        state = open_state(f"sqlite:///{state_file}", create=False)
    except (ConfigurationError, PermanentError):  # damaged, or of a later release: no run of ours uses it
        yield
        return
    try:
        with state.locks.hold("product", "exact"):
            yield
    finally:
        state.close()


def _make(directory: Path, now: datetime) -> bool:
    """Build everything aside and put it in place; whether a changed configuration was kept."""
    building = directory / _BUILDING
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir()
    try:
        seed_shop(building / "shop.db", now)
        seed_erp(building / "erp.db", now)
        seed_marketplace(building / MARKETPLACE, building / "shop.db")
        _make_state(building / "state.db", now)
        (building / "brekzsync.toml").write_text(data_file("brekzsync.toml"), encoding="utf-8")
        return _put_in_place(building, directory)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _make_state(path: Path, now: datetime) -> None:
    """A state that remembers what people excluded, and nothing delivered."""
    with open_state(f"sqlite:///{path}", create=True) as state:
        for exclusion in exclusions():
            product, _, combination = exclusion["key"].partition("-")
            state.exclusions.add(
                int(product),
                int(combination) if combination else None,
                reference=exclusion.get("reference", ""),
                reason=exclusion["reason"],
                by_whom=exclusion["by"],
                at=now,
            )


def _put_in_place(building: Path, directory: Path) -> bool:
    # Unread items belong to the old state; the new one would neither replace nor withdraw all of them.
    shutil.rmtree(directory / "outbox", ignore_errors=True)
    shutil.rmtree(directory / IMPORTING, ignore_errors=True)
    for name in ("state.db", "shop.db", "erp.db", MARKETPLACE):
        # An old write-ahead log must not meet a new database: SQLite would replay it.
        (directory / name).unlink(missing_ok=True)
        for suffix in _SQLITE_COMPANIONS:
            (directory / (name + suffix)).unlink(missing_ok=True)
        (building / name).replace(directory / name)
    configuration = directory / "brekzsync.toml"
    if configuration.exists():
        return configuration.read_bytes() != (building / "brekzsync.toml").read_bytes()
    (building / "brekzsync.toml").replace(configuration)
    return False
