"""What passes between a flow and the ledger: rows it remembers, and what a run has found to record.

A version is (fingerprint, force): a record is in sync when the ledger acknowledges its fingerprint and
``force_acknowledged`` equals ``force_requested``.
"""

from __future__ import annotations

from typing import NamedTuple


class LedgerRow(NamedTuple):
    """What the comparison needs of a row; times are milliseconds since the epoch, UTC."""

    key_major: int
    key_minor: int
    source_digest: bytes | None
    fingerprint: bytes | None
    force_acknowledged: int
    force_requested: int
    status: str
    reason: str | None
    next_attempt_at: int | None
    different_at: int | None
    run_id: int | None

    @property
    def key(self) -> tuple[int, int]:
        """The record's key."""
        return self[:2]


class LedgerEntry(NamedTuple):
    """A row with all but its document; the fields of ``LedgerRow`` come first."""

    key_major: int
    key_minor: int
    source_digest: bytes | None
    fingerprint: bytes | None
    force_acknowledged: int
    force_requested: int
    status: str
    reason: str | None
    next_attempt_at: int | None
    different_at: int | None
    run_id: int | None
    code: str | None
    attempts: int
    created_at: int
    synced_at: int | None
    updated_at: int
    message: str | None

    @property
    def key(self) -> tuple[int, int]:
        """The record's key."""
        return self[:2]


class Acknowledgement(NamedTuple):
    """The version the target now has, and the one the ledger held when this one was compared with it.

    ``known`` says that a row existed then; without one ``prior_fingerprint`` is None and ``prior_force`` 0.
    """

    key_major: int
    key_minor: int
    fingerprint: bytes
    force: int
    source_digest: bytes | None
    code: str | None
    document: str | None
    prior_fingerprint: bytes | None
    prior_force: int
    known: bool


IN_DOUBT = bytes(16)
"""The fingerprint of a record while another version than the acknowledged one may be on its way out.

Written before that version can be seen: whatever happens then, no later comparison finds the record in sync
until something is acknowledged.
"""


class Failure(NamedTuple):
    """A record that could not go; ``next_attempt_at`` in milliseconds, None for "when it changes"."""

    key_major: int
    key_minor: int
    reason: str
    message: str
    next_attempt_at: int | None = None


class Clearing(NamedTuple):
    """A record that became ineligible or was deleted, with the version the ledger held when that was seen."""

    key_major: int
    key_minor: int
    reason: str
    prior_fingerprint: bytes | None
    prior_force: int


class Unchanged(NamedTuple):
    """A record that is what the target acknowledged, with the digest of the source row it has now."""

    key_major: int
    key_minor: int
    fingerprint: bytes
    force: int
    source_digest: bytes | None


class Remark(NamedTuple):
    """What people should know of a record that the target has; it stays synced."""

    key_major: int
    key_minor: int
    reason: str
    message: str


class Serving(NamedTuple):
    """A version about to be handed out, whose result is to come."""

    key_major: int
    key_minor: int
    fingerprint: bytes
    force: int
    source_digest: bytes | None
    code: str | None
    document: str | None
