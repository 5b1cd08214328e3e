"""What a MySQL or MariaDB account may do, read from the lines of ``SHOW GRANTS``.

The lines hold password hashes and are never shown. Their forms, roles and partial revokes included:
https://mariadb.com/kb/en/show-grants/, https://dev.mysql.com/doc/refman/8.4/en/show-grants.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

# Everything else, also what a later server invents, is more than reading needs.
_READING = frozenset(
    {
        "USAGE",
        "SELECT",
        "SHOW VIEW",
        "SHOW DATABASES",
        "SHOW CREATE ROUTINE",
        "LOCK TABLES",
        "PROCESS",
        "REPLICATION CLIENT",
        "BINLOG MONITOR",
        "SLAVE MONITOR",
        "CREATE TEMPORARY TABLES",
    }
)
_NAME = r"(?:\*|`(?:[^`]|``)*`)"
_GRANT = re.compile(
    rf"GRANT (?P<privileges>.+?) ON (?:(?:TABLE|PROCEDURE|FUNCTION|PACKAGE(?: BODY)?) )?"
    rf"(?P<database>{_NAME})\.(?P<table>{_NAME}) TO (?P<rest>.*)",
    re.DOTALL,
)
_ROLES = re.compile(r"GRANT (?P<roles>`.+?) TO ", re.DOTALL)
_ROLE = re.compile(r"`((?:[^`]|``)*)`(?:@`((?:[^`]|``)*)`)?")


class Grant(NamedTuple):
    """Privileges on a database (``*`` is all of them, else a LIKE pattern) or on one table of it."""

    privileges: frozenset[str]
    database: str
    table: str

    def concerns(self, database: str) -> bool:
        """Whether it reaches into ``database``."""
        if self.database == "*":
            return True
        if self.table != "*":  # the name of a table's database is no pattern
            return self.database == database
        return re.fullmatch(_as_expression(self.database), database) is not None


def parse_grants(lines: Iterable[str]) -> list[Grant]:
    """The grants among the lines; roles, proxies and revokes are none."""
    return [
        Grant(
            _privileges(match["privileges"], match["rest"]), _bare(match["database"]), _bare(match["table"])
        )
        for line in lines
        if (match := _GRANT.match(line))
    ]


def granted_roles(lines: Iterable[str]) -> list[tuple[str, str]]:
    """The roles the account was given, as name and host; MariaDB's roles have no host."""
    return [
        (name.replace("``", "`"), host.replace("``", "`"))
        for line in lines
        if " ON " not in line and (match := _ROLES.match(line))
        for name, host in _ROLE.findall(match["roles"])
    ]


def beyond_reading(grants: Sequence[Grant], database: str, needed: Sequence[Grant] = ()) -> list[str]:
    """What they allow in ``database`` besides reading and what is ``needed``, as ``UPDATE on shop.*``."""
    found = []
    for grant in grants:
        spare = grant.privileges - _READING
        for need in needed:
            if (grant.database, grant.table) == (need.database, need.table):
                spare -= need.privileges
        if spare and grant.concerns(database):
            found.append(f"{_shown(spare)} on {grant.database}.{grant.table}")
    return list(dict.fromkeys(found))


def allows(grants: Sequence[Grant], privilege: str, database: str, table: str) -> bool:
    """Whether one of them gives ``privilege`` on the whole of that table."""
    return any(
        grant.concerns(database)
        and grant.table in ("*", table)
        and not grant.privileges.isdisjoint({privilege, "ALL PRIVILEGES"})
        for grant in grants
    )


def _privileges(text: str, rest: str) -> frozenset[str]:
    """Without the columns some are limited to: writing one column is writing."""
    names = {name.strip().upper() for name in re.sub(r"\([^)]*\)", "", text).split(",")}
    return frozenset(names | ({"GRANT OPTION"} if rest.endswith("WITH GRANT OPTION") else set()))


def _shown(privileges: Iterable[str]) -> str:
    names = sorted(privileges)
    more = f" and {len(names) - 4} more" if len(names) > 5 else ""
    return ", ".join(names[:4] if more else names) + more


def _bare(name: str) -> str:
    return name if name == "*" else name[1:-1].replace("``", "`")


def _as_expression(pattern: str) -> str:
    """A LIKE pattern with ``\\_`` and ``\\%`` for the signs themselves."""
    signs = {"%": ".*", "_": "."}
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    return "".join(
        re.escape(part[1]) if len(part) == 2 else signs.get(part, re.escape(part)) for part in parts
    )
