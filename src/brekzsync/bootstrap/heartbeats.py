"""Heartbeats: which command has one, from the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from brekzsync.notify.heartbeat import Heartbeat
    from brekzsync.settings import Settings


def heartbeat_of(settings: Settings, command: str) -> Heartbeat | None:
    """The calls for a run of this command; None where it has no address."""
    url = settings.notify.heartbeats.get(command)
    if not url:
        return None
    from brekzsync.notify.heartbeat import Heartbeat  # imports httpx2, which few runs need

    return Heartbeat(url, command)
