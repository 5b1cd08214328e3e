"""Which addresses may ask."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network


class AllowedNetworks:
    """``serve.allowed_networks``; with none listed everybody may ask.

    Judged by who is connected, whatever headers say.
    """

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ip_network(network) for network in networks]
        self.allows = lru_cache(maxsize=1024)(self._allows)

    def _allows(self, host: str | None) -> bool:
        if not self._networks:
            return True
        try:
            address = ip_address((host or "").partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped  # a socket for both kinds shows an IPv4 address so
        return any(address in network for network in self._networks)
