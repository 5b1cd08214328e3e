"""What the figures were measured on, without names."""

from __future__ import annotations

import math
import os
import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.services.mariadb import MariaDB

# SQLAlchemy's name of a driver, and the package that is it; the fastest first.
DRIVERS = {"mysqldb": "mysqlclient", "pymysql": "PyMySQL"}


def installed_drivers() -> tuple[str, ...]:
    """SQLAlchemy's names of the drivers that are here, the fastest first."""
    return tuple(driver for driver, package in DRIVERS.items() if _version(package))


def machine() -> str:
    """Such as ``2 cores, 24 GiB``."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    described = f"{cores} core{'s' if cores != 1 else ''}"
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return described
    total = next(int(line.split()[1]) for line in meminfo.read_text().splitlines() if "MemTotal" in line)
    # The kernel keeps some for itself before it counts.
    return f"{described}, {math.ceil(total / 1024**2)} GiB"


def versions(server: MariaDB) -> dict[str, str]:
    """Of everything that has a say in the figures."""
    mariadb = str(server.execute("", "SELECT VERSION()")[0][0])
    found = {
        "brekzsync": _version("brekzsync"),
        "Python": platform.python_version(),
        "MariaDB": mariadb.partition("-")[0],
        **{package: _version(package) for package in DRIVERS.values()},
        "SQLAlchemy": _version("SQLAlchemy"),
        "SQLite": sqlite3.sqlite_version,
    }
    return {name: one for name, one in found.items() if one}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
