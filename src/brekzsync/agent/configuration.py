"""The agent's own configuration file: read, checked, all of its mistakes told at once."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from brekzsync.agent.protocol import MIN_SECRET, is_loopback

PLACEHOLDERS: Final = ("file", "topic", "server", "database", "name")
# Which topics of a document are imported, in this order, one call of AsImport each.
TOPICS: Final = {
    "products": ("Items", "ItemPrices"),
    "orders": ("Accounts", "Orders"),
    "refunds": ("Accounts", "Orders"),
}

_DURATION = re.compile(r"(\d{1,6})\s*(s|m|h)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_JOB_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class BadConfiguration(Exception):
    """The file cannot be used; ``problems`` are sentences, one a mistake."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        super().__init__(f"{path}: " + " ".join(problems))
        self.path = path
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopAddress:
    """Where the shop serves documents: ``url`` ends in ``/exact``."""

    url: str
    token: str = field(repr=False)
    timeout: float
    ca_file: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCommand:
    """How AsImport is called, and where it says what became of a document."""

    command: tuple[str, ...]
    server: str
    database: str
    time_limit: float
    log: str
    recognisers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """One kind of record; ``every`` is seconds, None for "only when asked"."""

    name: str
    path: str
    topics: tuple[str, ...]
    every: float | None
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything the agent is told; relative paths are relative to the file."""

    source: Path
    host: str
    port: int
    secret: str = field(repr=False)
    work: Path
    log_file: Path | None
    shop: ShopAddress
    importing: ImportCommand
    jobs: tuple[JobPlan, ...]


def load(path: Path) -> Configuration:
    """Read a configuration file. Raises BadConfiguration with all of its mistakes."""
    path = path.absolute()
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise BadConfiguration(path, ["There is no such file."]) from None
    except OSError as error:
        raise BadConfiguration(path, [f"It cannot be read: {error.strerror}."]) from None
    except ValueError as error:
        raise BadConfiguration(path, [f"It is not TOML: {error}."]) from None
    return _Reader(path, tables).configuration()


def filled(template: str, values: Mapping[str, str]) -> str:
    """A template with its placeholders replaced; they were checked when the file was read."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), template)


class _Key(NamedTuple):
    table: Mapping[str, Any]
    name: str  # the table's, for sentences
    known: set[str]


class _Reader:
    """Takes keys out of tables, noting what is wrong instead of stopping at it."""

    def __init__(self, path: Path, tables: Mapping[str, Any]) -> None:
        self._path = path
        self._tables = tables
        self._problems: list[str] = []

    def configuration(self) -> Configuration:
        agent, shop = self._table("agent"), self._table("shop")
        importing, jobs = self._table("import"), self._table("jobs")
        for name in self._tables.keys() - {"agent", "shop", "import", "jobs"}:
            self._problems.append(f"[{name}] is no table of this file.")
        log_file = self._text(agent, "log", "")
        read = Configuration(
            source=self._path,
            host=self._text(agent, "host", "127.0.0.1"),
            port=self._number(agent, "port", 6666, 1, 65535),
            secret=self._secret(agent, "secret", "BREKZSYNC_AGENT_SECRET"),
            work=self._anchored(self._text(agent, "work", "work")),
            log_file=self._anchored(log_file) if log_file else None,
            shop=self._shop(shop),
            importing=self._import(importing),
            jobs=tuple(self._job(name, jobs) for name in jobs.table),
        )
        self._check_whole(read)
        for key in (agent, shop, importing):
            self._check_unknown(key)
        if self._problems:
            raise BadConfiguration(self._path, self._problems)
        return read

    def _shop(self, key: _Key) -> ShopAddress:
        ca_file = self._text(key, "ca_file", "")
        url = self._text(key, "url").rstrip("/")
        parts = urlsplit(url)
        if url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query):
            self._problems.append("[shop] url must be an address such as https://shop.example.com/exact.")
        return ShopAddress(
            url=url,
            token=self._secret(key, "token", "BREKZSYNC_SHOP_TOKEN", required=True),
            timeout=self._duration(key, "timeout", "60s") or 60.0,
            ca_file=self._anchored(ca_file) if ca_file else None,
        )

    def _import(self, key: _Key) -> ImportCommand:
        command = self._texts(key, "command")
        log = self._text(key, "log", "")
        for template in (*command, log):
            for name in _PLACEHOLDER.findall(template):
                if name not in PLACEHOLDERS:
                    self._problems.append(
                        f"[import] uses {{{name}}}; there are {', '.join(f'{{{one}}}' for one in PLACEHOLDERS)}."
                    )
        if command and not any("{file}" in argument for argument in command):
            self._problems.append(
                "[import] command must hold {file}, or AsImport would not know what to read."
            )
        return ImportCommand(
            command=command,
            server=self._text(key, "server", ""),
            database=self._text(key, "database", ""),
            time_limit=self._duration(key, "time_limit", "10m") or 600.0,
            log=str(self._anchored(log)) if log else "",
            recognisers=self._texts(key, "recognisers", ("messages",)),
        )

    def _job(self, name: str, jobs: _Key) -> JobPlan:
        table = jobs.table[name]
        key = _Key(table if isinstance(table, dict) else {}, f"jobs.{name}", set())
        if not isinstance(table, dict) or not _JOB_NAME.fullmatch(name):
            self._problems.append(
                f"[jobs.{name}] must be a table with a name of lower-case letters and digits."
            )
        topics = self._texts(key, "topics", TOPICS.get(name, ()))
        if not topics:
            self._problems.append(f'[jobs.{name}] topics must name what is imported, such as ["Items"].')
        path = self._text(key, "path", name).strip("/")
        plan = JobPlan(
            name=name,
            path=path,
            topics=topics,
            every=self._duration(key, "every", "5m"),
            batch=self._number(key, "batch", 1, 1, 500),
        )
        self._check_unknown(key)
        return plan

    def _check_whole(self, read: Configuration) -> None:
        if not read.jobs:
            self._problems.append("There is no job: add a table [jobs.products].")
        if read.secret and len(read.secret) < MIN_SECRET:
            self._problems.append(f"[agent] secret must have at least {MIN_SECRET} characters.")
        if not read.secret and not is_loopback(read.host):
            self._problems.append(
                f"[agent] secret must be set to listen on {read.host}: without one only 127.0.0.1 is safe."
            )

    # --- one key --------------------------------------------------------------------------------------------

    def _table(self, name: str) -> _Key:
        table = self._tables.get(name, {})
        if not isinstance(table, dict):
            self._problems.append(f"{name} must be a table: [{name}].")
            table = {}
        return _Key(table, name, set())

    def _take(self, key: _Key, name: str) -> Any:
        key.known.add(name)
        return key.table.get(name)

    def _text(self, key: _Key, name: str, default: str | None = None) -> str:
        value = self._take(key, name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or (default is None and not value):
            self._problems.append(f"[{key.name}] {name} must be a text.")
            return default or ""
        return value

    def _texts(self, key: _Key, name: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        value = self._take(key, name)
        if value is None and default is not None:
            return default
        if isinstance(value, list) and value and all(isinstance(one, str) and one for one in value):
            return tuple(value)
        self._problems.append(f"[{key.name}] {name} must be a list of texts, none of them empty.")
        return default or ()

    def _number(self, key: _Key, name: str, default: int, least: int, most: int) -> int:
        value = self._take(key, name)
        if value is None:
            return default
        if type(value) is not int or not least <= value <= most:
            self._problems.append(f"[{key.name}] {name} must be a whole number from {least} to {most}.")
            return default
        return value

    def _duration(self, key: _Key, name: str, default: str) -> float | None:
        """Seconds; None for "off"."""
        value = self._take(key, name)
        text = default if value is None else value
        if text == "off" and name == "every":
            return None
        match = _DURATION.fullmatch(text) if isinstance(text, str) else None
        if match is None or int(match[1]) == 0:
            also = ', or "off"' if name == "every" else ""
            self._problems.append(f"[{key.name}] {name} must be a duration such as 30s, 5m or 1h{also}.")
            return 1.0
        return float(int(match[1]) * _SECONDS[match[2]])

    def _secret(self, key: _Key, name: str, variable: str, *, required: bool = False) -> str:
        """Of the environment, else of the file that ``<name>_file`` names, else as it stands."""
        written, file = self._text(key, name, ""), self._text(key, f"{name}_file", "")
        value = os.environ.get(variable, "")
        if not value and file:
            try:
                value = self._anchored(file).read_text(encoding="utf-8-sig").strip()
            except (OSError, ValueError):
                self._problems.append(f"[{key.name}] {name}_file cannot be read: {self._anchored(file)}.")
                return ""
        value = value or written
        if required and not value:
            self._problems.append(f"[{key.name}] {name} must be set, or {name}_file, or ${variable}.")
        if name == "token" and not (value.isascii() and value.isprintable()):
            self._problems.append("[shop] token may hold printable ASCII characters only.")
        return value

    def _check_unknown(self, key: _Key) -> None:
        for name in key.table.keys() - key.known:
            self._problems.append(f"[{key.name}] has no key {name}; it has {', '.join(sorted(key.known))}.")

    def _anchored(self, path: str) -> Path:
        return self._path.parent / Path(path).expanduser()
