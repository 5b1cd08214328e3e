"""What is wrong with a configuration, said so that a person knows what to change."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticUndefined

from brekzsync.errors import ConfigurationError
from brekzsync.settings.schema import Location, find_field, is_secret, nearest, split_location
from brekzsync.settings.sections import Settings

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_SENTENCES = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be text in quotes",
    "path_type": "must be a path in quotes",
    "list_type": "must be a list, such as [1, 2]",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must not be empty",
    "string_too_long": "must be at most {max_length} characters",
    "literal_error": "must be {expected}",
}
_LONGEST_VALUE = 60


class Problem(NamedTuple):
    """One thing that is wrong: a sentence, what to do about it, and the table and key it is about."""

    sentence: str
    remedy: str
    section: str = ""
    key: str = ""


class Mistakes(ConfigurationError):
    """A configuration that was read and does not fit; ``problems`` tells its mistakes apart."""

    def __init__(self, problems: Sequence[Problem], message: str, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)


def explain(error: ValidationError, source: Path, overrides: Mapping[Location, str]) -> Mistakes:
    """All problems in one error; ``overrides`` names the environment variable behind a path."""
    problems = [_located(details, source, overrides) for details in error.errors(include_url=False)]
    if len(problems) == 1:
        only = problems[0]
        return Mistakes(problems, f"{only.sentence} (in {source})", hint=only.remedy)
    lines = [f"{source} has {len(problems)} problems:"]
    lines += [f"  {problem.sentence} {problem.remedy}".rstrip() for problem in problems]
    return Mistakes(problems, "\n".join(lines), hint="Correct these lines and run the same command again.")


def unknown_section(name: str, variable: str | None = None) -> Problem:
    """A table, or the section part of an environment variable, that does not exist."""
    known = list(Settings.model_fields)
    meant = nearest(name, known)
    subject = f"{variable} names no known section" if variable else f"[{name}] is not a known section"
    if meant is None:
        return Problem(f"{subject}.", f"The sections are {', '.join(known)}.")
    new = _renamed(variable, name, meant) if variable else meant
    return Problem(f"{subject}. Did you mean [{meant}]?", f"Rename it to {new}, or remove it.")


def _located(details: ErrorDetails, source: Path, overrides: Mapping[Location, str]) -> Problem:
    location: Location = tuple(part for part in details["loc"] if part != "[key]")
    tables, _, rest = split_location(location)
    if not tables and isinstance(details["input"], dict):  # a section that does not exist
        tables, rest = rest[:1], rest[1:]
    problem = _problem(details, location, source, overrides)
    return problem._replace(section=_dotted(tables), key=str(rest[0]) if rest else "")


def _problem(
    details: ErrorDetails, location: Location, source: Path, overrides: Mapping[Location, str]
) -> Problem:
    variable = _variable_of(location, overrides)
    if details["type"] == "extra_forbidden":
        return _unknown(location, details["input"], variable)
    field = find_field(location)
    subject = variable or _subject(location)
    if details["type"] == "missing":
        return Problem(f"{subject} is missing.", _missing_remedy(location, source))
    sentence = f"{subject} {_sentence(details)}{_shown(details['input'], is_secret(field))}."
    return Problem(sentence, _remedy(location))


def _sentence(details: ErrorDetails) -> str:
    context: dict[str, Any] = details.get("ctx", {})
    if details["type"] == "value_error":
        return str(context["error"])
    if details["type"] == "literal_error":
        context = {"expected": str(context["expected"]).replace("'", '"')}
    known = _SENTENCES.get(details["type"])
    return known.format(**context) if known else f"does not fit: {details['msg']}"


def _unknown(location: Location, value: object, variable: str | None) -> Problem:
    tables, model, rest = split_location(location)
    name = str(rest[0])
    if not tables:
        if isinstance(value, dict) or variable:
            return unknown_section(name, variable)
        return Problem(f"{name} stands outside any section.", "Move it under its [section].")
    section = _dotted(tables)
    subject = f"{variable} is not a known override" if variable else f"[{section}] {name} is not a known key"
    meant = nearest(name, model.model_fields)
    if meant is not None:
        shown = _renamed(variable, name, meant) if variable else meant
        return Problem(f"{subject}. Did you mean '{shown}'?", f"Rename it to {shown}, or remove it.")
    return Problem(f"{subject}.", _where_it_belongs(name, section, model))


def _where_it_belongs(name: str, section: str, model: type[BaseModel]) -> str:
    for other, field in Settings.model_fields.items():
        table = field.annotation
        if isinstance(table, type) and issubclass(table, BaseModel) and name in table.model_fields:
            return f"It is a key of [{other}]: move it there."
    return f"The keys of [{section}] are {', '.join(model.model_fields)}."


def _missing_remedy(location: Location, source: Path) -> str:
    tables, _, _ = split_location(location)
    addition = f"Add {_example(location)} under [{_dotted(tables)}] in {source}."
    return f"{addition} {_description(location)}".rstrip()


def _remedy(location: Location) -> str:
    description = _description(location)
    example = _example(location)
    return f"{description} For example: {example}" if description and example else description


def _description(location: Location) -> str:
    field = find_field(location)
    return (field.description or "") if field is not None else ""


def _example(location: Location) -> str:
    """The key with its example, or else its default, as it would stand in the file."""
    field = find_field(location)
    if field is None:
        return ""
    key = split_location(location)[2][0]
    if field.examples:
        return f"{key} = {field.examples[0]}"
    if is_secret(field) or field.default is PydanticUndefined:
        return f'{key} = "…"'
    if isinstance(field.default, str | int | bool | list):
        return f"{key} = {json.dumps(field.default, ensure_ascii=False)}"
    return f'{key} = "{_default_text(field.default)}"'


def _default_text(value: object) -> str:
    from datetime import timedelta

    from brekzsync.settings.durations import format_duration

    return format_duration(value) if isinstance(value, timedelta) else str(value)


def _subject(location: Location) -> str:
    tables, _, rest = split_location(location)
    if not location:
        return "[targets]"  # the only check over several sections compares targets
    section = f"[{_dotted(tables)}]" if tables else ""
    key = ""
    for part in rest:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else part
    return f"{section} {key}".strip() if section else f"[{key}]"


def _dotted(location: Location) -> str:
    return ".".join(str(part) for part in location)


def _shown(value: object, secret: bool) -> str:
    """The value as it was written, unless it is a secret or a whole table."""
    if secret or isinstance(value, dict) or not isinstance(value, str | int | float | list):
        return ""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f"; it is {text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + '…'}"


def _variable_of(location: Location, overrides: Mapping[Location, str]) -> str | None:
    """The environment variable behind this key: the longest that leads to it, or one that goes on below."""
    path = tuple(str(part).lower() for part in location)
    for length in range(len(path), 1, -1):
        if path[:length] in overrides:
            return overrides[path[:length]]
    return next((variable for given, variable in overrides.items() if given[: len(path)] == path), None)


def _renamed(variable: str, name: str, meant: str) -> str:
    """An environment variable with one of its parts put right."""
    return re.sub(rf"(?<=_){re.escape(name)}(?=__|$)", meant.upper(), variable, count=1, flags=re.IGNORECASE)
