"""Whether the marketplace's API takes our token.

``GET /v1/me`` is the token check (facts/shoppingfeed.md section 1.2); it changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx2

from brekzsync.domain.findings import Check, Finding, passed, skipped, warning
from brekzsync.errors import AccessDenied, ConfigurationError, Unavailable

TIMEOUT = 5.0  # seconds to connect, and again for every part of the answer
_SETTING = "[marketplace] base_url"


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
        if _is_overheard(self._base_url):
            return warning(
                f"The token is not sent to {self._base_url}: anybody on the way could read it.",
                f"Let {_SETTING} begin with https://.",
            )
        if not (self._token.isascii() and self._token.isprintable()):
            raise ConfigurationError(
                "[marketplace] token holds a character that no token has.",
                hint="Copy the API token from Shopping Feed's settings again, with nothing around it.",
            )
        session = self._session()
        stores = {
            int(store["id"]): str(store.get("name") or store["id"])
            for store in _listed(session.get("_embedded"), "store")
            if str(store.get("id", "")).isdecimal()
        }
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

    def _session(self) -> Mapping[str, Any]:
        try:
            # Redirects are not followed: the token is for this host alone.
            with httpx2.Client(timeout=TIMEOUT, follow_redirects=False) as client:
                answer = client.get(
                    f"{self._base_url}/v1/me",
                    headers={"Authorization": f"Bearer {self._token}", "Accept": "application/json"},
                )
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, UnicodeError) as error:
            raise ConfigurationError(
                f"{self._base_url} is no address that can be asked.", hint=f"Correct {_SETTING}."
            ) from error
        except httpx2.TimeoutException as error:
            raise _unavailable(self._base_url, "did not answer in time") from error
        except httpx2.HTTPError as error:
            raise _unavailable(self._base_url, f"cannot be reached ({error})") from error
        _judge(answer, self._base_url)
        return _read(answer, self._base_url)


def _judge(answer: httpx2.Response, base_url: str) -> None:
    status = answer.status_code
    if status in (401, 403):
        raise AccessDenied(
            f"{base_url} refused the token (HTTP {status}).",
            hint="Copy the API token from Shopping Feed's settings into [marketplace] token.",
        )
    if status == 429 or status >= 500:
        raise _unavailable(base_url, f"answered HTTP {status}")
    if status != 200:
        raise _other_address(base_url, f"answered HTTP {status} to /v1/me")


def _read(answer: httpx2.Response, base_url: str) -> Mapping[str, Any]:
    try:
        session = answer.json()
    except ValueError as error:
        raise _other_address(base_url, "did not answer JSON") from error
    if not isinstance(session, dict):
        raise _other_address(base_url, "answered something else than a session")
    return session


def _listed(embedded: object, name: str) -> list[Mapping[str, Any]]:
    """Embedded resources; HAL may give a single one without its list."""
    found = embedded.get(name) if isinstance(embedded, dict) else None
    listed = found if isinstance(found, list) else [found]
    return [one for one in listed if isinstance(one, dict)]


def _is_overheard(base_url: str) -> bool:
    """Whether it goes unencrypted over a network; a test's server on this machine does not."""
    try:
        parts = urlsplit(base_url)
    except ValueError:  # asking will tell that it is no address
        return False
    if parts.scheme != "http" or parts.hostname == "localhost":
        return False
    try:
        return not ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return True


def _unavailable(base_url: str, what: str) -> Unavailable:
    return Unavailable(
        f"{base_url} {what}.",
        hint="Check the network from here; Shopping Feed tells of outages on its pages.",
    )


def _other_address(base_url: str, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"{base_url} {what}: it is not Shopping Feed's API.",
        hint=f"Correct {_SETTING}; it is normally https://api.shopping-feed.com.",
    )
