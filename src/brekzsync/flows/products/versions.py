"""What is to be delivered of a record, and whether it may go under its item code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brekzsync.domain.items import Item
from brekzsync.domain.keys import ProductKey
from brekzsync.domain.ledger import LedgerEntry, LedgerRow
from brekzsync.domain.products import Refusal
from brekzsync.domain.texts import normalise_code
from brekzsync.flows.ports import SourceRecord, Version

Known = LedgerRow | LedgerEntry


def version_of(
    record: SourceRecord, known: Known | None, item: Item, document: str, print_: bytes, now: int
) -> Version:
    """What would be delivered of a record; ``now`` in ms since epoch is when it was first seen different."""
    fields = (
        *record.key,
        print_,
        known.force_requested if known else 0,
        record.digest,
        normalise_code(item.code),
        document,
        known.fingerprint if known else None,
        known.force_acknowledged if known else 0,
        known is not None,
        (known.different_at if known and known.status != "synced" else None) or now,
        item,
        known.reason if known else None,
    )
    return tuple.__new__(Version, fields)  # half of what its own constructor costs


def changed_code(version: Version, before: Item | None) -> Refusal | None:
    """A changed code would make a second item in the ERP: it is held until forced. None when it may go."""
    if before is None or normalise_code(before.code) == version.code or version.force > version.prior_force:
        return None
    return Refusal(
        "item_code_changed",
        f"The item code was {before.code!r} and is now {version.item.code!r}; the ERP would get a second item:"
        f" change it back, or force it (brekzsync products force-sync).",
    )


def newcomers(versions: Sequence[Version], previous: Mapping[ProductKey, Item]) -> Sequence[Version]:
    """Those whose item code the ERP does not know as theirs; the others hold it and keep it."""
    if not previous:
        return versions
    return [
        version
        for version in versions
        if (before := previous.get(version.key)) is None or normalise_code(before.code) != version.code
    ]
