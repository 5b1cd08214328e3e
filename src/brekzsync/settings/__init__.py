"""The configuration: a TOML file, overridable from the environment, checked before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brekzsync.settings.loading import load_settings
    from brekzsync.settings.sections import DEFAULT_TARGET, Settings

__all__ = ["DEFAULT_TARGET", "Settings", "load_settings"]


def __getattr__(name: str) -> Any:
    """Import the models (pydantic: 140 ms) when one is asked for; ``places.py`` does without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from brekzsync.settings import loading, sections

    return loading.load_settings if name == "load_settings" else getattr(sections, name)
