"""The configuration as it is in effect: every value and where it comes from, no secret in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel, SecretStr

from brekzsync.settings.database_urls import is_database_url, without_password
from brekzsync.settings.schema import Location
from brekzsync.settings.sections import Settings
from brekzsync.settings.toml_text import toml_key, toml_value

HIDDEN = "***"


class Origin(StrEnum):
    """Who decided a value."""

    FILE = "file"
    ENVIRONMENT = "environment"
    DEFAULT = "default"


class Value(NamedTuple):
    """A key's value as it may be shown (plain JSON types); ``source`` says more where the origin does not.

    ``source`` is the environment variable's name, or the target's table that the value stands in.
    """

    key: str
    value: Any
    origin: Origin
    source: str


class Table(NamedTuple):
    """One table of the configuration, its keys in the models' order."""

    name: str
    values: list[Value]


def effective(settings: Settings, target: str | None = None) -> list[Table]:
    """Every section, then what each target sets for itself; with ``target`` the sections as they are for it."""
    own = settings if target is None else settings.for_target(target)
    tables = [_section(settings, own, name, target) for name in Settings.model_fields if name != "targets"]
    if target is None:
        tables += _targets(settings)
    return [table for table in tables if table.values]


def toml_lines(tables: list[Table]) -> Iterator[str]:
    """The tables as TOML that can be read again, but for what is hidden; each origin as a comment."""
    for number, table in enumerate(tables):
        if number:
            yield ""
        yield f"[{'.'.join(map(toml_key, table.name.split('.')))}]"
        lines = [(_line(value), _told(value)) for value in table.values]
        width = max((len(line) for line, _ in lines if len(line) <= _ALIGNED), default=0)
        for line, told in lines:
            yield f"{line:<{width}}  # {told}"


_ALIGNED = 56  # longer lines do not push the comments of the others out of sight


def _section(settings: Settings, own: Settings, name: str, target: str | None) -> Table:
    general, mine = getattr(settings, name), getattr(own, name)
    table = settings.targets.get(target or "")
    of_target: BaseModel | None = getattr(table, name, None)
    values = []
    for key in type(general).model_fields:
        value = shown(getattr(mine, key))
        if of_target is not None and key in of_target.model_fields_set:
            path: Location = ("targets", str(target), name, key)
            origin, source = _origin(settings, of_target, path)
            values.append(Value(key, value, origin, source or f"[targets.{target}.{name}]"))
        else:
            values.append(Value(key, value, *_origin(settings, general, (name, key))))
    return Table(name, values)


def _targets(settings: Settings) -> Iterator[Table]:
    for name, target in settings.targets.items():
        for section in type(target).model_fields:
            table = getattr(target, section)
            values = [
                Value(
                    key,
                    shown(getattr(table, key)),
                    *_origin(settings, table, ("targets", name, section, key)),
                )
                for key in type(table).model_fields
                if key in table.model_fields_set
            ]
            yield Table(f"targets.{name}.{section}", values)


def _origin(settings: Settings, table: BaseModel, path: Location) -> tuple[Origin, str]:
    variable = _variable(settings, path)
    if variable:
        return Origin.ENVIRONMENT, variable
    return (Origin.FILE if path[-1] in table.model_fields_set else Origin.DEFAULT), ""


def _variable(settings: Settings, path: Location) -> str:
    """The environment variable that set this key, a part of it, or the whole table it stands in."""
    wanted = tuple(str(part).lower() for part in path)
    for given, variable in settings.overrides.items():
        depth = min(len(given), len(wanted))
        if given[:depth] == wanted[:depth]:
            return variable
    return ""


def shown(value: Any) -> Any:
    """A value in plain JSON types, without secrets; None where the key is not set."""
    match value:
        case SecretStr():
            text = value.get_secret_value()
            if is_database_url(text):
                return without_password(text, HIDDEN)
            return HIDDEN if text else ""
        case str():
            return without_password(value, HIDDEN) if "://" in value else value
        case BaseModel():
            return {key: shown(getattr(value, key)) for key in type(value).model_fields}
        case Mapping():
            return {str(key): shown(entry) for key, entry in value.items()}
        case list() | tuple():
            return [shown(entry) for entry in value]
        case None | bool() | int():
            return value
        case _:  # durations, percentages, paths: as they are written in a file
            return json.loads(toml_value(value))


def _line(value: Value) -> str:
    if value.value is None:
        return f"# {value.key} is not set"
    return f"{toml_key(value.key)} = {toml_value(value.value)}"


def _told(value: Value) -> str:
    if value.origin is Origin.FILE:
        return f"file, {value.source}" if value.source else "file"
    return value.source or str(value.origin)
