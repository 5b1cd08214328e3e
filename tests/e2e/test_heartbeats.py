"""What a monitoring service hears of commands, and what people hear when it does not answer."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.demos import CONFIG, Demos, FreshDemo
from tests.monitors import Monitor


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    made = Monitor()
    yield made
    made.close()


@pytest.fixture
def demo(demos: Demos) -> FreshDemo:
    return demos.fresh(FreshDemo, columns=100)


def watch(demo: FreshDemo, url: str, *commands: str) -> None:
    lines = "".join(f'"{command}" = "{url}/{number}"\n' for number, command in enumerate(commands))
    demo.configure(f"\n[notify.heartbeats]\n{lines}")


def test_a_run_is_told_when_it_begins_and_when_it_succeeds(demo: FreshDemo, monitor: Monitor) -> None:
    watch(demo, monitor.url, "orders settle", "logs prune")

    assert demo.run("logs", "prune").code == 0
    assert monitor.heard == ["/1/start", "/1"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("products", "diagnose", "--all"), 4),
        (("products", "diagnose", "--all", "--json"), 4),
        (("products", "export", "--target", "nowhere"), 78),
        (("products", "export"), 3),  # the demo's catalogue has some that are incomplete
    ],
)
def test_a_failure_is_told_with_its_exit_code(
    demo: FreshDemo, monitor: Monitor, arguments: tuple[str, ...], code: int
) -> None:
    watch(demo, monitor.url, "products diagnose", "products export")

    said = demo.run(*arguments)

    number = 0 if "diagnose" in arguments else 1
    assert (said.code, monitor.heard) == (code, [f"/{number}/start", f"/{number}/{code}"])


def test_a_run_that_gives_way_tells_no_end(demo: FreshDemo, monitor: Monitor) -> None:
    watch(demo, monitor.url, "products export")
    with demo.state() as state, state.locks.hold("product", "exact"):
        assert demo.run("products", "export").code == 75

    assert monitor.heard == ["/0/start"]


def test_a_dry_run_is_not_heard_of(demo: FreshDemo, monitor: Monitor) -> None:
    watch(demo, monitor.url, "products export")

    demo.run("products", "export", "--dry-run")

    assert monitor.heard == []


def test_what_is_not_understood_never_began(demo: FreshDemo, monitor: Monitor) -> None:
    watch(demo, monitor.url, "products export")

    assert demo.run("products", "export", "--no-such-option").code == 2
    assert demo.run("products", "export", "--help").code == 0
    assert monitor.heard == []


def test_an_outage_is_a_warning_and_changes_no_exit_code(demo: FreshDemo, monitor: Monitor) -> None:
    monitor.statuses = [404]
    watch(demo, f"{monitor.url}/secret-uuid", "logs prune", "products diagnose")

    pruned = demo.run("logs", "prune", "--json")
    diagnosed = demo.run("products", "diagnose", "--all")

    assert (pruned.code, diagnosed.code) == (0, 4)
    assert pruned.document_beside_warnings["ok"] is True
    warning = "Warning: The heartbeat of `logs prune` was not heard: 127.0.0.1 answered HTTP 404.\n"
    assert pruned.err == 2 * warning
    assert "secret-uuid" not in diagnosed.err


def test_cron_hears_nothing_of_an_outage(demo: FreshDemo, monitor: Monitor) -> None:
    monitor.statuses = [404]
    watch(demo, monitor.url, "inbox process")
    demo.configure(f'[log]\nfile = "{demo.folder}/log"\n')

    said = demo.run("inbox", "process", "--cron")

    assert (said.code, said.out, said.err) == (0, "", "")
    assert "was not heard: 127.0.0.1 answered HTTP 404." in (demo.folder / "log").read_text()


def test_an_interrupted_run_is_told_as_such_and_who_insists_is_not_kept_waiting(
    demo: FreshDemo, monitor: Monitor
) -> None:
    watch(demo, monitor.url, "logs prune")
    monitor.released.clear()
    command = [sys.executable, "-m", "brekzsync", "--config", CONFIG, "logs", "prune"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for heard in (["/0/start"], ["/0/start", "/0/143"]):
            monitor.wait_for(heard)
            process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=4)  # a call would be waited for longer

    assert (process.returncode, out) == (143, "")
    assert err == (
        "Error: Interrupted before the run was complete.\n"
        "Hint: Run the same command again: it finishes what is left.\n"
    )


def test_a_command_without_an_address_does_not_load_what_calls(demo: FreshDemo, monitor: Monitor) -> None:
    watch(demo, monitor.url, "products export")
    program = (
        "import sys; from brekzsync.cli import main\n"
        f"code = main(['--config', '{CONFIG}', 'logs', 'list', '-q'])\n"
        "print(code, [name for name in ('httpx2', 'smtplib', 'jinja2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "0 []"
    assert monitor.heard == []


def test_the_check_of_the_configuration_names_the_nearest_command(demo: FreshDemo, monitor: Monitor) -> None:
    watch(demo, monitor.url, "orders push-statuses", "Stock Sweep", "stock sweep", "xyzzy")

    found = demo.run("config", "check", "--json").document["findings"]

    assert [one for one in found if one["section"] == "notify"] == [
        {
            "severity": "warning",
            "section": "notify",
            "key": "heartbeats",
            "message": f'There is no command "{name}", so its heartbeat is never heard.',
            "remedy": remedy,
        }
        for name, remedy in (
            ("orders push-statuses", 'Write "orders push-status".'),
            ("Stock Sweep", 'Write "stock sweep".'),
            ("xyzzy", "Name one that `brekzsync --help` leads to."),
        )
    ]


@pytest.mark.parametrize(
    ("lines", "keys"),
    [
        ("smtp_host = 'mail.example'", ["mail_to"]),
        ("mail_to = ['a@b.example']", []),
        ("mail_to = ['a@b.example']\nsmtp_user = 'me'", ["smtp_security", "smtp_password"]),
        ("mail_to = ['a@b.example']\nsmtp_password = 'mine'", ["smtp_user"]),
        ("mail_to = ['a@b.example']\nsmtp_user = 'me'\nsmtp_password = 'mine'\nsmtp_security = 'tls'", []),
    ],
)
def test_mails_that_could_not_be_sent_are_findings(demo: FreshDemo, lines: str, keys: list[str]) -> None:
    demo.configure(f"\n[notify]\n{lines}\n")

    said = demo.run("config", "check", "--json")

    found = [one for one in said.document["findings"] if one["section"] == "notify"]
    assert [one["key"] for one in found] == keys
    assert all(one["message"] and one["remedy"] for one in found)
