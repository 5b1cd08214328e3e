"""The kinds of value a configuration key can hold, each with a sentence for a value that does not fit.

A sentence continues "[section] key …" and never repeats the value: ``explain.py`` adds it unless it is
a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    SecretStr,
    ValidationInfo,
)

from brekzsync.settings.database_urls import resolve_url
from brekzsync.settings.durations import (
    format_duration,
    format_percentage,
    parse_duration,
    parse_percentage,
)

Parsed = TypeVar("Parsed")


class Section(BaseModel):
    """One table of the configuration file."""

    # validate_default: a default path is anchored to the file's folder like a written one.
    # coerce_numbers_to_str: warehouses = [1, 2] and data_shop = 1 mean the codes "1", "2".
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,
    )


class OptionalSection(Section):
    """One that may be left empty: what it is about is then not done."""

    @property
    def is_in_use(self) -> bool:
        """Whether the configuration says anything of it."""
        return bool(self.model_fields_set)


def _folder(info: ValidationInfo) -> Path | None:
    """The folder relative paths start from: the configuration file's (none when built in code)."""
    return info.context.get("folder") if isinstance(info.context, dict) else None


def _database(*backends: str, optional: bool = False) -> AfterValidator:
    def resolve(value: SecretStr, info: ValidationInfo) -> SecretStr:
        url = value.get_secret_value().strip()
        if not url and optional:
            return SecretStr("")
        return SecretStr(resolve_url(url, backends, _folder(info)))

    return AfterValidator(resolve)


def _anchor(value: Path, info: ValidationInfo) -> Path:
    folder = _folder(info)
    value = value.expanduser()
    return folder / value if folder is not None else value


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def matching(pattern: str, sentence: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise ValueError(sentence)
        return value

    return AfterValidator(check)


def _parsed_by(parse: Callable[[str], Parsed], kind: type[Parsed]) -> BeforeValidator:
    def read(value: Any) -> Parsed:
        return value if isinstance(value, kind) else parse(str(value))

    return BeforeValidator(read)


def _check_networks(values: list[str]) -> list[str]:
    from ipaddress import ip_network  # only where networks are listed

    for value in values:
        try:
            ip_network(value)
        except ValueError:
            raise ValueError(
                f'holds "{value}", which is no network such as 192.0.2.0/24 or 192.0.2.10'
            ) from None
    return values


ShopDatabase = Annotated[SecretStr, _database("mysql", "mariadb", "sqlite")]
OptionalShopDatabase = Annotated[SecretStr, _database("mysql", "mariadb", "sqlite", optional=True)]
ErpDatabase = Annotated[SecretStr, _database("mssql", "sqlite", optional=True)]
StateDatabase = Annotated[SecretStr, _database("sqlite", "mysql", "mariadb", "postgresql")]
OptionalStateDatabase = Annotated[
    SecretStr, _database("sqlite", "mysql", "mariadb", "postgresql", optional=True)
]
FilePath = Annotated[Path, AfterValidator(_anchor)]
OptionalPath = Annotated[FilePath | None, BeforeValidator(_none_if_empty)]
TablePrefix = Annotated[str, matching(r"[A-Za-z0-9_]*", "may hold only letters, digits and underscores")]
_MAILBOX = r"[^\s<>@,;:\"()\\]+@[^\s<>@,;:\"()\\]+"
# No line break can get into a mail's headers this way.
_ADDRESS = rf"(?:{_MAILBOX}|[^<>@,;:\"()\\\x00-\x1f\x7f]* <{_MAILBOX}>)"
_NO_ADDRESS = "must be a mail address such as orders@example.com, or Orders <orders@example.com>"
MailAddress = Annotated[str, matching(_ADDRESS, _NO_ADDRESS)]
OptionalMailAddress = Annotated[str, matching(f"{_ADDRESS}?", _NO_ADDRESS)]
WebAddress = Annotated[str, matching(r"(?:https?://[^\s/]+\S*)?", "must start with http:// or https://")]
LanguageCode = Annotated[str, matching(r"(?:[A-Za-z]{2})?", "must be a two-letter language code such as nl")]
CurrencyCode = Annotated[str, matching(r"(?:[A-Z]{3})?", "must be a three-letter currency code such as EUR")]
Duration = Annotated[
    timedelta, _parsed_by(parse_duration, timedelta), PlainSerializer(format_duration, when_used="json")
]
Percentage = Annotated[
    Decimal, _parsed_by(parse_percentage, Decimal), PlainSerializer(format_percentage, when_used="json")
]
Networks = Annotated[list[str], AfterValidator(_check_networks)]
