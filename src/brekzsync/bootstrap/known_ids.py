"""Ids a shell may complete: from the state the configuration names, without what else either is made of."""

from __future__ import annotations

import os
from pathlib import Path

from brekzsync.settings.places import state_file
from brekzsync.state.known_keys import beginning_with


def known_ids(text: str, config: Path | None, flow: str) -> list[str]:
    """Keys of the ledger that begin with ``text``; none where there is no SQLite state to look into.

    Raises OSError, ValueError or sqlite3.Error when the configuration or the state cannot be read.
    """
    file = state_file(config, os.environ)
    return beginning_with(text, file, flow) if file is not None and file.is_file() else []
