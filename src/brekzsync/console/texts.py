"""Texts that may quote shop data, made safe to print."""

from __future__ import annotations

# C0 but tab and newline, DEL, C1; marks that reorder text and so make it say something else; lone
# surrogates, which no terminal's encoding can take.
_UNPRINTABLE = (
    *range(0x09),
    *range(0x0B, 0x20),
    *range(0x7F, 0xA0),
    0x200E,
    0x200F,
    *range(0x2028, 0x202F),
    *range(0x2066, 0x206A),
)
_SHOWN = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _UNPRINTABLE}


def printable(text: object) -> str:
    """A text that only prints: what would steer the terminal is shown as an escape sequence instead."""
    shown = str(text).translate(_SHOWN)
    return shown.encode("utf-8", "replace").decode("utf-8")
