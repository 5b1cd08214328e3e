"""What people and machines are shown. The only room that knows Rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brekzsync.console.documents import SCHEMA_VERSION, LongDocument, failure
from brekzsync.console.terminal import Advance, Console
from brekzsync.console.texts import printable

if TYPE_CHECKING:
    from brekzsync.console.cards import CardBlock, Tone

__all__ = [
    "SCHEMA_VERSION",
    "Advance",
    "CardBlock",
    "Console",
    "LongDocument",
    "Tone",
    "failure",
    "printable",
]
