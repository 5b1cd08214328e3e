"""From a file and the environment to checked settings."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from pydantic import ValidationError

from brekzsync.errors import ConfigurationError
from brekzsync.settings.places import candidates
from brekzsync.settings.sections import Settings

OVERRIDE_PREFIX = "BREKZSYNC_"
OVERRIDE_SEPARATOR = "__"


def load_settings(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read ``path``, else ``$BREKZSYNC_CONFIG``, else ``./brekzsync.toml``, else the system's file.

    Raises ``ConfigurationError`` for everything that is wrong, all wrong keys at once. Measured in a
    new process on two cores: pydantic 70 ms, the models 70 ms, a file 1 ms; overrides add 45 ms.
    """
    environ = os.environ if environ is None else environ
    source, content = _read_first(path, environ)
    document = _parse(source, content)
    overrides = _lay_over(document, environ)
    for section in Settings.model_fields:  # a default path is anchored in a section that is there
        document.setdefault(section, {})
    try:
        settings = Settings.model_validate(document, context={"folder": source.parent})
    except ValidationError as error:
        from brekzsync.settings.explain import explain  # only for a file with mistakes

        raise explain(error, source, overrides) from None
    settings._source, settings._overrides = source, overrides
    return settings


def _lay_over(document: dict[str, Any], environ: Mapping[str, str]) -> dict[tuple[str | int, ...], str]:
    """Apply the environment's overrides in place; which variable set which path."""
    found = {
        name: value
        for name, value in environ.items()
        if name.startswith(OVERRIDE_PREFIX) and OVERRIDE_SEPARATOR in name
    }
    if not found:
        return {}
    from brekzsync.settings.environment import override  # with pydantic-settings, only where needed

    return override(document, found)


def _read_first(path: Path | None, environ: Mapping[str, str]) -> tuple[Path, bytes]:
    looked_at = candidates(path, environ)
    for candidate in looked_at:
        source = candidate.expanduser().absolute()
        try:
            return source, source.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise ConfigurationError(
                f"Cannot read the configuration {source}: {error.strerror}.",
                hint="Make it a file the user brekzsync runs as can read, or name another with --config.",
            ) from error
    looked = ", ".join(str(candidate.expanduser().absolute()) for candidate in looked_at)
    init = "brekzsync config init"
    if len(looked_at) == 1:  # a file that was named is made where it was looked for
        init += f" {quote(str(looked_at[0]))}"
    raise ConfigurationError(
        f"There is no configuration. Looked for: {looked}.",
        hint=f"Write a starter file with `{init}`, or try the demo with `brekzsync demo up`.",
        code="no_configuration",
    )


def _parse(source: Path, content: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"{source}, line {line}, is not UTF-8 text.", hint="Save the file as UTF-8."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{source} is not valid TOML: {error}.",
            hint='Every line is a [section], a comment or key = value, with text in quotes: key = "value".',
        ) from error
