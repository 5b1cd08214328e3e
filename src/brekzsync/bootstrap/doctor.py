"""Doctor: which checks there are for a configuration, system by system."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from brekzsync.bootstrap.marketplace_checks import marketplace_checks
from brekzsync.bootstrap.notify import mail_server
from brekzsync.bootstrap.orders import order_channel
from brekzsync.bootstrap.products import shop_options
from brekzsync.bootstrap.state import utc_now
from brekzsync.domain.findings import Check, Finding, passed, skipped, warning
from brekzsync.errors import BrekzsyncError
from brekzsync.exact.health import ErpHealth
from brekzsync.host.cron import CronPlaces, look_for
from brekzsync.host.folders import readable, space, writable
from brekzsync.notify.health import MailHealth
from brekzsync.prestashop.health import ShopHealth, slots
from brekzsync.prestashop.stock_health import stock_check, writer_check
from brekzsync.prestashop.webservice_health import FOR_SHIPMENTS, FOR_STOCK, webservice
from brekzsync.state.connection import in_memory, parse_url
from brekzsync.state.health import StateHealth

if TYPE_CHECKING:
    from brekzsync.settings import Settings

CRON_PLACES = CronPlaces()


@contextmanager
def examination(settings: Settings) -> Iterator[list[Check]]:
    """The checks of a configuration; connections they opened are closed afterwards."""
    names = settings.target_names()
    with ExitStack() as opened:
        checks = [Check(system="configuration", name="file", look=partial(_configuration, settings))]
        checks += _state(settings, opened)
        of_shop, of_marketplace = marketplace_checks(settings)
        checks += _shop(settings, names, opened) + of_shop
        for name in names:
            checks += _erp(settings.for_target(name), _told(name, names), opened)
        checks += of_marketplace
        checks += MailHealth(mail_server(settings)).checks()
        for name in names:
            checks += _outbox(settings.for_target(name), _told(name, names))
        yield checks + _cron()


def without_configuration(error: BrekzsyncError) -> list[Check]:
    """What is left to look at when the configuration cannot be read."""

    def fail() -> Finding:
        raise error

    return [Check(system="configuration", name="file", look=fail), *_cron()]


def _told(name: str, names: list[str]) -> str:
    """The target's name where there are several; the only one goes without saying."""
    return name if len(names) > 1 else ""


def _configuration(settings: Settings) -> Finding:
    source = settings.source
    targets = settings.target_names()
    text = f"{source} is in order" + (f"; targets: {', '.join(targets)}." if len(targets) > 1 else ".")
    if source.stat().st_mode & stat.S_IROTH and _holds_secret(source, settings):
        return warning(
            f"{source} holds a password or token, and everybody on this machine may read it.",
            f"chmod o= {source}",
        )
    return passed(text)


def _holds_secret(source: Path, settings: Settings) -> bool:
    content = source.read_text(encoding="utf-8", errors="replace")
    return any(secret in content for secret in settings.secrets())


def _state(settings: Settings, opened: ExitStack) -> list[Check]:
    url = settings.state.database.get_secret_value()
    health = StateHealth(url)
    opened.callback(health.dispose)
    address = parse_url(url)
    checks = health.checks()
    if address.get_backend_name() == "sqlite" and not in_memory(address):
        look = partial(space, Path(address.database or "").parent)
        checks.append(Check(system="state", name="disk space", look=look))
    return checks


def _shop(settings: Settings, names: list[str], opened: ExitStack) -> list[Check]:
    url = settings.shop.database.get_secret_value()
    stock = [own.stock for name in names if (own := settings.for_target(name)).stock.is_in_use]
    writing = [one for one in stock if one.write_via == "database"]
    writers = {one.database.get_secret_value(): bool(one.movement_employee) for one in writing}
    health = ShopHealth(
        url,
        shop_options(settings),
        utc_now,
        writes_stock="" in writers,
        passes_hooks=bool(writing),
        records_movements=writers.get("", False),
        reads_orders=any(settings.for_target(name).orders.is_in_use for name in names),
    )
    opened.callback(health.dispose)
    checks = health.checks()
    prefix = settings.shop.table_prefix
    checks.append(stock_check(url, prefix, is_read=bool(stock)))
    checks += [writer_check(one, url, prefix, movements=writers[one]) for one in writers if one]
    checks.append(Check(system="shop", name="webservice", look=partial(_webservice, settings, names)))
    for name in names:
        own = settings.for_target(name)
        of_target = f" of {name}" if len(names) > 1 else ""
        look = partial(slots, url, shop_options(own), utc_now)
        checks.append(
            Check(system="shop", name=f"language slots{of_target}", look=look, needs=("data shop",))
        )
        checks.append(Check(system="shop", name=f"images{of_target}", look=partial(_images, own)))
    return checks


def _webservice(settings: Settings, names: list[str]) -> Finding:
    """What is written through it, by any target."""
    targets = [settings.for_target(name) for name in names]
    writes_stock = any(own.stock.is_in_use and own.stock.write_via == "webservice" for own in targets)
    needed: dict[str, tuple[str, ...]] = {**FOR_STOCK} if writes_stock else {}
    if any(own.shipments.is_in_use for own in targets):
        needed |= FOR_SHIPMENTS
    return webservice(settings.shop.webservice_url, settings.shop.webservice_key.get_secret_value(), needed)


def _images(own: Settings) -> Finding:
    """Where embedded images come from; without one a document holds an image's name alone."""
    if not own.exact_xml.embed_images:
        return skipped("Not configured: [exact_xml] embed_images is off.")
    if own.shop.image_dir is not None:
        return readable(own.shop.image_dir, "[shop] image_dir", "items are sent without their image")
    if own.shop.url:
        return passed(f"Fetched one by one from {own.shop.url}.")
    return warning(
        "[exact_xml] embed_images is on, and there is no place to take images from.",
        "Set [shop] image_dir to the shop's img/p, or [shop] url to its address.",
    )


def _erp(own: Settings, target: str, opened: ExitStack) -> list[Check]:
    url = own.erp.database.get_secret_value()
    if not url:
        look = partial(skipped, "Not configured: [erp] database is empty.")
        return [Check(system="erp", name="connection", look=look, target=target)]
    health = ErpHealth(url, target, own.shipments.tracking)
    opened.callback(health.dispose)
    return health.checks()


def _outbox(own: Settings, target: str) -> list[Check]:
    folder = own.products.output
    if own.products.channel == "files":
        checks = _folder(folder, "", "[products] output", target)
    else:
        look = partial(skipped, "Not configured: [products] channel is not files.")
        checks = [Check(system="outbox", name="folder", look=look, target=target)]
    of_orders = own.orders.output or folder
    is_there = own.products.channel == "files" and of_orders == folder
    if own.orders.is_in_use and order_channel(own) == "files" and not is_there:
        setting = "[orders] output" if own.orders.output else "[products] output"
        checks += _folder(of_orders, " of orders", setting, target)
    return checks


def _folder(folder: Path, whose: str, setting: str, target: str) -> list[Check]:
    looks = {"folder": partial(writable, folder, setting), "disk space": partial(space, folder)}
    return [
        Check(system="outbox", name=name + whose, look=look, target=target) for name, look in looks.items()
    ]


def _cron() -> list[Check]:
    scripts = {"every five minutes": "cron_every_05_mins.sh", "every night": "cron_nightly.sh"}
    return [
        Check(system="cron", name=name, look=partial(look_for, script, CRON_PLACES))
        for name, script in scripts.items()
    ]
