"""Where a token may be sent."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit


def is_overheard(base_url: str) -> bool:
    """Whether it goes unencrypted over a network; a server on this machine does not."""
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


def is_same_server(address: str, other: str) -> bool:
    """Whether both go to the same host and port, encrypted alike."""
    return _origin(address) is not None and _origin(address) == _origin(other)


def joined(address: str, link: str) -> str:
    """What a link on a page means; a link that is none is left as it is."""
    try:
        return urljoin(address, link)
    except ValueError:
        return link


def host(address: str) -> str:
    """For people; of an address that somebody else wrote."""
    try:
        return urlsplit(address).hostname or "no host"
    except ValueError:
        return "no host"


def _origin(address: str) -> tuple[str, str | None, int | None] | None:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    return parts.scheme, parts.hostname, port or {"http": 80, "https": 443}.get(parts.scheme)
