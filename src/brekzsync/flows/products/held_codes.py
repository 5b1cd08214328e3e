"""The item codes the ERP holds, for a baseline: millions are looked up without being kept in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from brekzsync.flows.scratch import Scratch


class HeldCodes:
    """Whether the ERP holds a code; every code when there is no ERP to ask (``codes`` is None)."""

    def __init__(self, codes: Iterator[str] | None) -> None:
        self._codes = codes
        self._scratch: Scratch | None = None

    def __enter__(self) -> Self:
        if self._codes is not None:
            self._scratch = Scratch()
            self._scratch.run("CREATE TABLE held (code TEXT PRIMARY KEY) WITHOUT ROWID")
            self._scratch.fill("INSERT OR IGNORE INTO held VALUES (?)", ((code,) for code in self._codes))
        return self

    def __exit__(self, *_failure: object) -> None:
        if self._scratch is not None:
            self._scratch.close()

    def __contains__(self, code: object) -> bool:
        if self._scratch is None:
            return True
        return bool(self._scratch.run("SELECT 1 FROM held WHERE code = ?", (code,)))
