"""What every test may use, and the last lines of every run.

Fixtures: ``shared`` (the third-party data), ``mariadb`` (a private server), ``prestashop`` (the genuine
fixture database, fresh), ``prestashop_fixtures`` (more than one of them), ``database_url`` (an empty
SQLite, then an empty MariaDB database), ``administration`` (Globe's tables, empty, on SQLite and on the SQL
Server of BREKZSYNC_TEST_ERP_URL). Whoever uses one is marked accordingly without saying so.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from brekzsync import logs
from tests.services.erp import Administration
from tests.services.mariadb import MariaDB, MariaDBMissing
from tests.services.prestashop import PrestaShopDatabase, PrestaShopFixtures

ROOT = Path(__file__).resolve().parents[1]
MARKER_OF_FIXTURE = {
    "shared": "shared",
    "mariadb": "mariadb",
    "prestashop_fixtures": "mariadb",
    "prestashop": "mariadb",
}
COUNTED = ("shared", "mariadb")
NOTED = ("erp",)  # told as loudly, but no failure where the others would be one: nobody has a server to spare
NO_SHARED = "no third-party data"
NO_MARIADB = "no MariaDB"
NO_ERP = "no SQL Server"

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, database=None, print_blob=True)
hypothesis.settings.register_profile("long", hypothesis.settings.get_profile("ci"), max_examples=1000)
# Looks where no run looked before; what it finds becomes an @example.
hypothesis.settings.register_profile(
    "explore", deadline=None, database=None, print_blob=True, max_examples=1000
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


# --- the outside ---------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of third-party test data; tests only, nothing of it is copied into the project."""
    folder = Path(os.environ.get("BREKZSYNC_SHARED") or ROOT.parent / "shared")
    if not (folder / "data").is_dir():
        pytest.skip(f"{NO_SHARED}: {folder} is not there (BREKZSYNC_SHARED names another place)")
    return folder.resolve()


@pytest.fixture(scope="session")
def _mariadb_server() -> Iterator[MariaDB]:
    try:
        with MariaDB.started() as server:
            yield server
    except MariaDBMissing as error:
        pytest.skip(f"{NO_MARIADB}: {error}")


@pytest.fixture
def mariadb(_mariadb_server: MariaDB) -> MariaDB:
    """The run's private server, running, whatever the test before did to it. Databases are the test's own."""
    _mariadb_server.start()
    return _mariadb_server


@pytest.fixture(scope="session")
def prestashop_fixtures(shared: Path, _mariadb_server: MariaDB) -> PrestaShopFixtures:
    """For a test that needs two shops at once: ``prestashop_fixtures.fresh("second_shop")``."""
    return PrestaShopFixtures(server=_mariadb_server, dump=shared / "data/prestashop/fixtures-8.2.1.sql")


@pytest.fixture
def prestashop(prestashop_fixtures: PrestaShopFixtures) -> PrestaShopDatabase:
    """The genuine PrestaShop 8.2.1 fixture database, exactly as dumped, the test's to change."""
    return prestashop_fixtures.fresh()


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database on each backend: SQLite (no file yet), then MariaDB."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    server: MariaDB = request.getfixturevalue("mariadb")
    server.create_database("brekzsync")
    return server.url("brekzsync")


@pytest.fixture(params=["sqlite", pytest.param("sqlserver", marks=pytest.mark.erp)])
def administration(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Administration]:
    """An administration of Exact Globe that holds nothing, on each backend: SQLite, then SQL Server."""
    url = f"sqlite:///{tmp_path / 'erp.db'}"
    if request.param == "sqlserver":
        url = os.environ.get("BREKZSYNC_TEST_ERP_URL", "")
        if not url:
            pytest.skip(f"{NO_ERP}: BREKZSYNC_TEST_ERP_URL names none")
    with Administration.created(url) as created:
        yield created


@pytest.fixture(autouse=True)
def _no_secrets_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test's configuration calls a password may be an ordinary word of another's sentences."""
    monkeypatch.setattr(logs, "_known_secrets", [])


# --- the run -------------------------------------------------------------------------------------------

_skipped: dict[str, Counter[str]] = {marker: Counter() for marker in COUNTED + NOTED}
_modules_skipped: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    # A polite end of the run (timeout, docker stop) tidies up as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A shell lets what it starts in the background ignore Ctrl-C, and that would pass on to what the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if (marker := MARKER_OF_FIXTURE.get(fixture)) and not item.get_closest_marker(marker):
                item.add_marker(marker)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Called where the last lines are printed, also for the tests that another process ran."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    for marker, missing in zip(COUNTED + NOTED, (NO_SHARED, NO_MARIADB, NO_ERP), strict=True):
        if marker in report.keywords or missing in reason:
            _skipped[marker][reason.removeprefix("Skipped: ")] += 1


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped and report.nodeid not in _modules_skipped:  # each process collects everything
        _modules_skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if not os.environ.get("BREKZSYNC_CI"):
        return
    # A module skipped while it was collected may hold anything, so it counts as well.
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) and (
        any(_skipped[marker] for marker in COUNTED) or _modules_skipped
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    """The very last lines: what this run did not look at."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.option.collectonly:
        return
    strict = bool(os.environ.get("BREKZSYNC_CI"))
    for module in _modules_skipped:
        reporter.write_line(f"skipped as a whole: {module}", yellow=not strict, red=strict)
    for marker in COUNTED + NOTED:
        count = _skipped[marker].total()
        fails = count and strict and marker in COUNTED
        verdict = " (a failure here: BREKZSYNC_CI is set)" if fails else ""
        reporter.write_line(f"{marker} tests skipped: {count}{verdict}", yellow=bool(count), green=not count)
        for reason, times in _skipped[marker].items():
            reporter.write_line(f"  {times} x {reason}")
