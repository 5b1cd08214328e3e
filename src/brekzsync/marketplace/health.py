"""Whether the marketplace's API takes our token.

``GET /v1/me`` is the token check (facts/shoppingfeed.md section 1.2); it changes nothing.
"""

from __future__ import annotations

from contextlib import closing

from brekzsync.domain.findings import Check, Finding, passed, skipped, warning
from brekzsync.errors import ConfigurationError
from brekzsync.marketplace.addresses import is_overheard
from brekzsync.marketplace.shoppingfeed import ShoppingFeed

TIMEOUT = 5.0  # seconds to connect, and again for every part of the answer


class MarketplaceHealth:
    """The check of one Shopping Feed account."""

    def __init__(self, base_url: str, token: str, store_id: int | None) -> None:
        self._base_url = base_url.rstrip("/")
        self._token = token.strip()
        self._store_id = store_id

    def checks(self) -> list[Check]:
        """Only the token: there is nothing more to it."""
        return [Check(system="marketplace", name="token", look=self.token)]

    def token(self) -> Finding:
        """The API knows the token, and the token is for the store."""
        if not self._token:
            return skipped("Not configured: [marketplace] token is empty.")
        if is_overheard(self._base_url):
            return warning(
                f"The token is not sent to {self._base_url}: anybody on the way could read it.",
                "Let [marketplace] base_url begin with https://.",
            )
        # Somebody waits for the finding: nothing is tried again.
        with closing(ShoppingFeed(self._base_url, self._token, read_timeout=TIMEOUT, sends=1)) as api:
            stores = api.stores()
        if self._store_id is not None and self._store_id not in stores:
            known = ", ".join(f"{number} ({name})" for number, name in stores.items()) or "none"
            raise ConfigurationError(
                f"The marketplace's token is not for store {self._store_id}.",
                hint=f"Set [marketplace] store_id to one of its stores: {known}.",
                code="unknown_store",
            )
        shown = stores if self._store_id is None else {self._store_id: stores[self._store_id]}
        names = ", ".join(f"{name} ({number})" for number, name in shown.items())
        return passed(f"{self._base_url} takes the token; store: {names or 'none'}.")
