"""Which keys this release acts on: a file may hold the others, which are checked and otherwise ignored."""

from __future__ import annotations

from pydantic import BaseModel

UNUSED_SECTIONS: tuple[str, ...] = ()
UNUSED_KEYS: dict[str, tuple[str, ...]] = {}
# Of an otherwise unused section, the keys that do matter.
USED_KEYS: dict[str, tuple[str, ...]] = {}


def used_keys(section: str, model: type[BaseModel]) -> list[str]:
    """The keys of a section that this release acts on."""
    if section in UNUSED_SECTIONS:
        return list(USED_KEYS.get(section, ()))
    return [key for key in model.model_fields if key not in UNUSED_KEYS.get(section, ())]
