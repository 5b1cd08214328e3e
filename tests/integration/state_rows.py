"""Short ways to say what is in a ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from brekzsync.domain.ledger import Acknowledgement, LedgerEntry
from brekzsync.state.database import State
from brekzsync.state.ledger import Ledger

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NOON_MS = 1_795_262_400_000
RUN = 7


def later(**delta: float) -> datetime:
    return NOON + timedelta(**delta)


def mark(text: str) -> bytes:
    """A fingerprint that reads like what it stands for."""
    return text.encode().ljust(16, b".")


def acknowledgement(
    key: tuple[int, int] = (1, 10),
    version: str = "first",
    *,
    force: int = 0,
    prior: str | None = None,
    prior_force: int = 0,
    known: bool | None = None,
    code: str = "A-1",
) -> Acknowledgement:
    """An acknowledgement of ``version`` by a writer that compared it with ``prior``."""
    return Acknowledgement(
        *key,
        fingerprint=mark(version),
        force=force,
        source_digest=mark("row " + version),
        code=code,
        document=f"document of {version}",
        prior_fingerprint=None if prior is None else mark(prior),
        prior_force=prior_force,
        known=prior is not None if known is None else known,
    )


def entry(ledger: Ledger, key: tuple[int, int] = (1, 10)) -> LedgerEntry:
    (found,) = ledger.rows_for([key])
    return found


def attempts(state: State) -> list[tuple[int, int, int | None, str, str]]:
    """Failed attempts kept: key, run, reason and message, oldest first."""
    with state.database.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT key_major, key_minor, run_id, reason, message FROM attempt ORDER BY id"
        ).all()
    return [tuple(row) for row in rows]
