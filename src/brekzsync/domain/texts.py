"""Texts as a target can take them: no characters XML 1.0 forbids, no stray white space."""

from __future__ import annotations

import re

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> tuple[str, int]:
    """``text`` without forbidden characters and with white space folded, and how many were removed.

    Forbidden are the characters XML 1.0 has no way to write, not even escaped: most controls, lone
    surrogates, U+FFFE and U+FFFF.
    """
    if text.isprintable() and "  " not in text:  # nearly every text; every forbidden character fails this
        return text.strip(), 0
    kept, removed = _FORBIDDEN.subn("", text)
    return " ".join(kept.split()), removed


def normalise_code(code: str) -> str:
    """An item code as it is compared everywhere: trimmed and upper-cased."""
    return code.strip().upper()
