"""Whether the shop's times mean what they are taken for.

PrestaShop writes ``date_upd`` in PS_TIMEZONE by its PHP's clock, without an offset (facts/prestashop.md
section 1). Only a date that lies in the future gives a wrong zone away: one in the past may just be old.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Column, MetaData, Select, String, Table, func, select

from brekzsync.domain.findings import Finding, passed, warning
from brekzsync.errors import AccessDenied, ConfigurationError
from brekzsync.prestashop.connection import Snapshot, text
from brekzsync.prestashop.tables import ShopTables

TOLERANCE = timedelta(minutes=2)
_QUARTER = timedelta(minutes=15)


def server_clock(snapshot: Snapshot, now: datetime) -> Finding:
    """The database server's clock against ours."""
    shown = text(snapshot.rows(select(func.utc_timestamp()))[0][0])
    ahead = datetime.fromisoformat(shown).replace(tzinfo=UTC) - now
    if abs(ahead) <= TOLERANCE:
        return passed("The database server's clock and this machine's agree.")
    direction = "ahead of" if ahead > timedelta() else "behind"
    return warning(
        f"The database server's clock is {spoken(abs(ahead))} {direction} this machine's.",
        "Let both be set over the network (timedatectl set-ntp true): special prices begin and end by them.",
    )


def time_zone(snapshot: Snapshot, tables: ShopTables, prefix: str, zone: ZoneInfo, now: datetime) -> Finding:
    """PS_TIMEZONE against the newest dates the shop wrote."""
    zones = _zones(snapshot, tables)
    if len(zones) > 1:
        return warning(
            f"The shops write their dates in several time zones ({', '.join(zones)}); {zone.key} is assumed.",
            "Set one time zone for all shops, under International > Localization in the back office.",
        )
    return judged(max(_newest(snapshot, tables, prefix), default=None), zone, now)


def judged(newest: datetime | None, zone: ZoneInfo, now: datetime) -> Finding:
    """What ``newest``, a naive time of the shop, says of its zone."""
    if newest is None:
        return passed(f"{zone.key}; the shop holds no date to compare it with.")
    moment = newest.replace(tzinfo=zone)
    ahead = moment.astimezone(UTC) - now
    if ahead <= TOLERANCE:
        return passed(f"{zone.key}; the newest change is dated {newest:%Y-%m-%d %H:%M}, {_ago(-ahead)}.")
    return warning(
        f"The newest change is dated {newest:%Y-%m-%d %H:%M}, which in {zone.key} is {spoken(ahead)} from now:"
        f" {_cause(ahead)}.",
        "Compare PS_TIMEZONE (International > Localization in the back office) and the clock of the shop's web"
        " server with what date_upd of a product saved now says.",
    )


def spoken(duration: timedelta) -> str:
    """A duration as a person would round it."""
    minutes = round(duration.total_seconds() / 60)
    if minutes < 90:
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    if minutes < 48 * 60:
        return f"{minutes / 60:.1f}".removesuffix(".0") + " hours"
    return f"{round(minutes / 1440)} days"


def _ago(age: timedelta) -> str:
    return "just now" if age <= TOLERANCE else f"{spoken(age)} ago"


def _cause(ahead: timedelta) -> str:
    """Zones differ by quarters of an hour; clocks drift by anything."""
    rest = ahead % _QUARTER
    if ahead <= timedelta(hours=14) and min(rest, _QUARTER - rest) <= TOLERANCE:
        return "the shop writes in another zone than its PS_TIMEZONE says"
    return "the clock of its web server is wrong, or something wrote a date of its own"


def _zones(snapshot: Snapshot, tables: ShopTables) -> Sequence[str]:
    table = tables.configuration
    rows = snapshot.rows(select(table.c.value).where(table.c.name == "PS_TIMEZONE").distinct())
    return sorted(text(row[0]) for row in rows if row[0])


def _newest(snapshot: Snapshot, tables: ShopTables, prefix: str) -> Iterator[datetime]:
    orders = Table(f"{prefix}orders", MetaData(), Column("date_add", String))
    dates = (tables.product.c.date_upd, tables.product_shop.c.date_upd, orders.c.date_add)
    for date in dates:
        if found := _one_date(snapshot, select(func.max(date))):
            yield found


def _one_date(snapshot: Snapshot, statement: Select[tuple[str]]) -> datetime | None:
    """None where there is none, where it is a date of zeros, and where orders may not be read."""
    try:
        value = snapshot.rows(statement)[0][0]
        return datetime.fromisoformat(text(value)[:19])
    except (AccessDenied, ConfigurationError, ValueError):
        return None
