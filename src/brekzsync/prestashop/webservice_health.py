"""Whether the shop's webservice takes our key and lets it do what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping

from brekzsync.domain.findings import Finding, passed, skipped
from brekzsync.errors import AccessDenied, ConfigurationError
from brekzsync.prestashop.webservice import Webservice

FOR_STOCK: Mapping[str, tuple[str, ...]] = {"stock_availables": ("GET", "PUT")}
FOR_SHIPMENTS: Mapping[str, tuple[str, ...]] = {
    "orders": ("GET",),
    "order_histories": ("POST",),
    "order_carriers": ("GET", "PUT"),
}
READ_TIMEOUT = 5.0  # seconds; people wait for it


def webservice(address: str, key: str, needed: Mapping[str, tuple[str, ...]]) -> Finding:
    """``needed``: methods by resource; nothing when nobody writes through it. It changes nothing."""
    if not needed:
        return skipped("Not needed: neither stock nor shipments are written through the webservice.")
    if not address or not key:
        raise ConfigurationError(
            f"[shop] {'webservice_key' if address else 'webservice_url'} is empty, and"
            f" {', '.join(needed)} are written through the webservice.",
            hint="Make a key in the back office, Advanced Parameters > Webservice, and set both in [shop].",
        )
    asked = Webservice(address, key, read_timeout=READ_TIMEOUT)
    try:
        found = asked.permissions()
    finally:
        asked.close()
    missing = [
        f"{' and '.join(lacking)} {resource}"
        for resource, methods in needed.items()
        if (lacking := [one for one in methods if one not in found.methods.get(resource, ())])
    ]
    if missing:
        raise AccessDenied(
            f"The key of the webservice at {asked.address} may not {', '.join(missing)}.",
            hint="Tick them for that key in the back office, Advanced Parameters > Webservice.",
        )
    version = f"PrestaShop {found.version}" if found.version.strip("0") else "The shop"
    return passed(f"{version} takes the key at {asked.address}; it may use {', '.join(needed)}.")
