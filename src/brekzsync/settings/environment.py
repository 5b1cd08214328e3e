"""Overrides from the environment: ``BREKZSYNC_<SECTION>__<KEY>`` and, for secrets, ``…_FILE``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from brekzsync.errors import ConfigurationError
from brekzsync.settings.explain import unknown_section
from brekzsync.settings.loading import OVERRIDE_PREFIX, OVERRIDE_SEPARATOR
from brekzsync.settings.schema import Location, find_field, is_secret
from brekzsync.settings.sections import Settings

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

PREFIX = OVERRIDE_PREFIX
SEPARATOR = OVERRIDE_SEPARATOR
_FILE = "_FILE"


def override(document: dict[str, Any], found: Mapping[str, str]) -> dict[Location, str]:
    """Lay the variables over what the file says, in place; which variable set which path."""
    variables = _with_secrets_read(found)
    _merge(document, _decoded(variables))
    return {location_of(name): name if name in found else name + _FILE for name in variables}


def _with_secrets_read(found: Mapping[str, str]) -> dict[str, str]:
    """The variables by the key they override, secrets read from the files ``…_FILE`` names."""
    values = {}
    for name, value in found.items():
        section = str(location_of(name)[0])
        if section not in Settings.model_fields:
            problem = unknown_section(section, name)
            raise ConfigurationError(problem.sentence, hint=problem.remedy)
        secret_name = _secret_read_from_file(name)
        if secret_name is None:
            values[name] = value
        elif secret_name in found:
            raise ConfigurationError(
                f"Both {secret_name} and {name} are set.", hint="Unset one of the two environment variables."
            )
        else:
            values[secret_name] = _read_secret(name, value)
    return values


def location_of(name: str) -> Location:
    """``BREKZSYNC_SHOP__DATABASE`` → ``("shop", "database")``."""
    return tuple(name[len(PREFIX) :].lower().split(SEPARATOR))


def _decoded(variables: Mapping[str, str]) -> dict[str, Any]:
    """The variables as nested tables, read by pydantic-settings (lists and tables as JSON).

    It is imported here because it brings asyncio and a command line parser with it, 45 ms on top of
    pydantic, and most runs override nothing.
    """
    from pydantic_settings import EnvSettingsSource, SettingsError

    class Overrides(EnvSettingsSource):
        """The variables given instead of ``os.environ``; a list may also be written ``2,3`` or ``2``."""

        def _load_env_vars(self) -> Mapping[str, str | None]:
            return {name.lower(): value for name, value in variables.items()}

        def decode_complex_value(self, field_name: str, field: Any, value: Any) -> Any:
            if isinstance(value, str) and value.lstrip()[:1] not in ("[", "{"):
                return [part.strip() for part in value.split(",") if part.strip()]
            return super().decode_complex_value(field_name, field, value)

    # The source only reads model_config and model_fields, which every pydantic model has.
    settings_class = cast("type[BaseSettings]", Settings)
    try:
        return Overrides(
            settings_class, case_sensitive=False, env_prefix=PREFIX, env_nested_delimiter=SEPARATOR
        )()
    except (SettingsError, json.JSONDecodeError) as error:
        raise ConfigurationError(
            f"{_undecodable(variables)} holds a list or table that is not valid JSON.",
            hint='Write a list as [2, 3] or 2,3 and a table as {"21": "2"}.',
        ) from error


def _merge(document: dict[str, Any], overlay: Mapping[str, Any]) -> None:
    """Variables know no letter case, so a name such as a target's keeps the file's spelling."""
    spelling = {key.lower(): key for key in document}
    for name, value in overlay.items():
        key = spelling.get(name.lower(), name)
        below = document.get(key)
        if isinstance(value, Mapping) and isinstance(below, dict):
            _merge(below, value)
        else:
            document[key] = value


def _undecodable(variables: Mapping[str, str]) -> str:
    for name, value in variables.items():
        if value.lstrip()[:1] in ("[", "{"):
            try:
                json.loads(value)
            except ValueError:
                return name
    return "An environment variable"


def _secret_read_from_file(name: str) -> str | None:
    """The variable a ``…_FILE`` variable stands for; ``None`` when it is a key's own name."""
    if not name.endswith(_FILE) or find_field(location_of(name)) is not None:
        return None
    base = name[: -len(_FILE)]
    field = find_field(location_of(base))
    if field is None:
        return None
    if not is_secret(field):
        raise ConfigurationError(
            f"{name} is set, but only secrets can be read from a file.",
            hint=f"Set {base} to the value itself.",
        )
    return base


def _read_secret(name: str, path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(
            f"Cannot read {path}, which {name} names: {reason}.",
            hint="Correct the path, or make the file readable for the user brekzsync runs as.",
        ) from error
