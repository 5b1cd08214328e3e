"""Values as they stand in a configuration file: what the starter, ``config show`` and the reference print."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from brekzsync.settings.durations import format_duration, format_percentage

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml_value(value: Any) -> str:
    """A value as it would stand in the file, secrets in plain text; a relative path begins with ``./``."""
    match value:
        case SecretStr():
            return toml_value(value.get_secret_value())
        case timedelta():
            return toml_value(format_duration(value))
        case Decimal():
            return toml_value(format_percentage(value))
        case Path():
            return toml_value(str(value) if value.is_absolute() else f"./{value}")
        case BaseModel():
            return toml_value({name: getattr(value, name) for name in type(value).model_fields})
        case Mapping():
            inner = ", ".join(f"{toml_key(name)} = {toml_value(entry)}" for name, entry in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case list() | tuple():
            return f"[{', '.join(map(toml_value, value))}]"
        case _:
            # TOML escapes as JSON does, and the DEL character as well.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_key(name: str) -> str:
    """A key as it would stand in the file: a rate such as ``5.5`` needs quotes, ``21`` none."""
    return name if _BARE_KEY.fullmatch(name) else toml_value(name)
