"""The configuration: a TOML file, overridable from the environment, checked before anything runs."""

from __future__ import annotations

from brekzsync.settings.loading import load_settings
from brekzsync.settings.sections import DEFAULT_TARGET, Settings

__all__ = ["DEFAULT_TARGET", "Settings", "load_settings"]
