"""The shop's webservice, as configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brekzsync.errors import ConfigurationError
from brekzsync.prestashop.webservice import Webservice

if TYPE_CHECKING:
    from brekzsync.settings import Settings


def webservice_of(settings: Settings, what: str, rights: str, instead: str = "") -> Webservice:
    """The webservice through which ``what`` is written. Raises ConfigurationError where it is not configured, naming
    the ``rights`` its key needs and what could be done ``instead``."""
    shop = settings.shop
    said = {"webservice_url": shop.webservice_url, "webservice_key": shop.webservice_key.get_secret_value()}
    missing = [name for name, value in said.items() if not value]
    if missing:
        raise ConfigurationError(
            f"{what} through the shop's webservice, and [shop] {' and '.join(missing)}"
            f" {'is' if len(missing) == 1 else 'are'} empty.",
            hint=f"Set both: the address such as https://shop.example/api, and a key that may {rights}.{instead}",
            code="webservice_not_configured",
        )
    return Webservice(said["webservice_url"], said["webservice_key"])
