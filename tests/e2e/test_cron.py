"""The cron scripts, run by the machine's own sh in the bare environment cron gives, from the user's home."""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DROP_IN = ROOT / "scripts/cron/cron.d/brekzsync"
EVERY_05_MINS = "scripts/cron/cron_every_05_mins.sh"
NIGHTLY = "scripts/cron/cron_nightly.sh"
START_PRODUCTS = "scripts/cron/every_05_mins/exact/start_products.sh"
START_ORDERS = "scripts/cron/every_05_mins/exact/start_orders.sh"
IMPORT_SHIPMENTS = "scripts/cron/every_05_mins/exact/import_shipments.sh"
CHECK_TICKETS = "scripts/cron/every_05_mins/marketplace/check_tickets.sh"
PUSH_STATUSES = "scripts/cron/every_05_mins/marketplace/push_order_statuses.sh"
PROCESS_INBOX = "scripts/cron/every_05_mins/inbox/process.sh"

Outcome = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Cron:
    """A checkout under a path with spaces, and cron running commands for a user with an empty home."""

    checkout: Path
    home: Path

    def run(self, command: str, **environment: str) -> Outcome:
        """As cron runs a line of a crontab: exit code, stdout, stderr."""
        bare = {"HOME": str(self.home), "LOGNAME": "shop", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            env=bare | environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def script(self, path: str, **environment: str) -> Outcome:
        return self.run(shlex.quote(str(self.checkout / path)), **environment)

    def program(self, path: str, text: str) -> Path:
        """An executable shell script in the checkout."""
        file = self.checkout / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        file.chmod(0o755)
        return file

    def without_orders(self) -> None:
        """Leave the one script that calls one command."""
        for script in (START_ORDERS, IMPORT_SHIPMENTS, CHECK_TICKETS, PUSH_STATUSES, PROCESS_INBOX):
            (self.checkout / script).unlink(missing_ok=True)

    def fake(self, text: str) -> str:
        """A stand-in for brekzsync, to be named by $BREKZSYNC."""
        return str(self.program("fake programs/brekzsync", text))


@pytest.fixture
def cron(tmp_path: Path) -> Cron:
    checkout = tmp_path / "a checkout, with spaces"
    shutil.copytree(ROOT / "scripts/cron", checkout / "scripts/cron")
    home = tmp_path / "home"
    home.mkdir()
    return Cron(checkout, home)


# --- one script -------------------------------------------------------------------------------------------


def test_start_products_asks_the_agent_as_cron_wants_it(cron: Cron) -> None:
    fake = cron.fake('echo "$@"')

    asked = "--cron agent start products --if-configured\n"
    assert cron.script(START_PRODUCTS, BREKZSYNC=fake) == (0, asked, "")


def test_start_products_exports_to_the_outbox_where_there_is_no_agent(cron: Cron) -> None:
    fake = cron.fake('[ "$2" != agent ] || exit 4; echo "$@"; exit 3')

    assert cron.script(START_PRODUCTS, BREKZSYNC=fake) == (3, "--cron products export\n", "")


def test_start_orders_settles_then_asks_the_agent_for_orders_and_refunds(cron: Cron) -> None:
    code, said, errors = cron.script(START_ORDERS, BREKZSYNC=cron.fake('echo "$@"'))

    assert (code, errors) == (0, "")
    assert said.splitlines() == [
        "--cron orders settle",
        "--cron agent start orders --if-configured",
        "--cron agent start refunds --if-configured",
    ]


def test_start_orders_exports_to_the_outbox_where_there_is_no_agent(cron: Cron) -> None:
    fake = cron.fake('[ "$2" != agent ] || exit 4; echo "$@"')

    code, said, errors = cron.script(START_ORDERS, BREKZSYNC=fake)

    assert (code, errors) == (0, "")
    assert said.splitlines() == ["--cron orders settle", "--cron orders export", "--cron refunds export"]


@pytest.mark.parametrize(
    ("settle", "orders", "refunds", "worst"),
    [(0, 3, 75, 3), (78, 0, 0, 78), (0, 1, 69, 1), (3, 0, 69, 69), (0, 0, 75, 75), (0, 75, 0, 75)],
)
@pytest.mark.parametrize("has_agent", [True, False])
def test_one_failing_of_orders_and_refunds_never_stops_the_other(
    cron: Cron, has_agent: bool, settle: int, orders: int, refunds: int, worst: int
) -> None:
    agent = "" if has_agent else "exit 4"
    fake = cron.fake(
        f"""case "$*" in
        *settle*) exit {settle} ;;
        *agent*) {agent} ;;
        esac
        case "$*" in
        *orders*) echo orders; exit {orders} ;;
        *refunds*) echo refunds; exit {refunds} ;;
        esac"""
    )

    assert cron.script(START_ORDERS, BREKZSYNC=fake) == (worst, "orders\nrefunds\n", "")


@pytest.mark.parametrize(
    ("script", "command"), [(CHECK_TICKETS, "tickets check"), (PUSH_STATUSES, "orders push-status")]
)
def test_the_marketplace_is_asked_and_told_by_a_command_each(cron: Cron, script: str, command: str) -> None:
    assert cron.script(script, BREKZSYNC=cron.fake('echo "$@"; exit 3')) == (3, f"--cron {command}\n", "")


@pytest.mark.parametrize("code", [0, 3, 75, 78])
@pytest.mark.parametrize("script", [START_PRODUCTS, EVERY_05_MINS])
def test_what_the_command_says_and_how_it_ends_is_passed_on_and_nothing_added(
    cron: Cron, script: str, code: int
) -> None:
    cron.without_orders()
    fake = cron.fake(f"echo said; echo complained >&2; exit {code}")

    assert cron.script(script, BREKZSYNC=fake) == (code, "said\n", "complained\n")


@pytest.mark.parametrize("code", [0, 75])
def test_nothing_is_printed_when_all_is_well_or_another_run_is_at_work(cron: Cron, code: int) -> None:
    assert cron.script(EVERY_05_MINS, BREKZSYNC=cron.fake(f"exit {code}")) == (code, "", "")


# --- the program ------------------------------------------------------------------------------------------


def test_the_program_is_the_named_one_else_the_checkouts_else_the_one_on_the_path(cron: Cron) -> None:
    cron.without_orders()
    on_the_path = cron.program("bin/brekzsync", "echo path").parent
    path = f"/usr/bin:/bin:{on_the_path}"
    assert cron.script(EVERY_05_MINS, PATH=path) == (0, "path\n", "")

    cron.program(".venv/bin/brekzsync", "echo checkout")
    assert cron.script(EVERY_05_MINS, PATH=path) == (0, "checkout\n", "")

    assert cron.script(EVERY_05_MINS, PATH=path, BREKZSYNC=cron.fake("echo named")) == (0, "named\n", "")


def test_the_program_may_be_named_without_its_folder(cron: Cron) -> None:
    cron.without_orders()
    folder = cron.program("bin/brekzsync-test", "echo found").parent

    outcome = cron.script(EVERY_05_MINS, PATH=f"/usr/bin:/bin:{folder}", BREKZSYNC="brekzsync-test")

    assert outcome == (0, "found\n", "")


@pytest.mark.parametrize("script", [START_PRODUCTS, START_ORDERS, EVERY_05_MINS])
def test_a_missing_program_is_one_sentence_and_a_configuration_error(cron: Cron, script: str) -> None:
    assert cron.script(script) == (
        78,
        "",
        "brekzsync is neither in the checkout's .venv nor on the PATH (/usr/bin:/bin): install it, or set"
        " BREKZSYNC in the crontab.\n",
    )


@pytest.mark.parametrize("named", ["/nowhere/brekzsync", "/tmp", "brekzsync-nowhere"])
def test_a_wrongly_named_program_is_not_replaced_by_another(cron: Cron, named: str) -> None:
    cron.program(".venv/bin/brekzsync", "echo checkout")

    outcome = cron.script(EVERY_05_MINS, BREKZSYNC=named)

    assert outcome == (78, "", f"BREKZSYNC names {named}, which is not a program.\n")


# --- the runner -------------------------------------------------------------------------------------------


def test_scripts_run_in_the_documented_order_then_those_of_the_users_own(cron: Cron) -> None:
    for name in (
        "zzz_own.sh",
        "aaa own/script.sh",
        "inbox/process.sh",
        "marketplace/push_order_statuses.sh",
        "marketplace/check_tickets.sh",
        "exact/import_shipments.sh",
        "exact/start_orders.sh",
    ):
        cron.program(f"scripts/cron/every_05_mins/{name}", f"echo {shlex.quote(name)}")

    code, output, errors = cron.script(EVERY_05_MINS, BREKZSYNC=cron.fake("echo exact/start_products.sh"))

    assert (code, errors) == (0, "")
    assert output.splitlines() == [
        "exact/start_products.sh",
        "exact/start_orders.sh",
        "exact/import_shipments.sh",
        "marketplace/check_tickets.sh",
        "marketplace/push_order_statuses.sh",
        "inbox/process.sh",
        "zzz_own.sh",
        "aaa own/script.sh",
    ]


def test_a_script_that_lost_its_executable_bit_is_run_all_the_same(cron: Cron) -> None:
    cron.without_orders()
    (cron.checkout / START_PRODUCTS).chmod(0o644)

    assert cron.script(EVERY_05_MINS, BREKZSYNC=cron.fake("echo ran")) == (0, "ran\n", "")


@pytest.mark.parametrize(
    ("first", "second", "worst"),
    [
        (0, 75, 75),
        (75, 3, 3),
        (69, 3, 69),
        (69, 143, 143),
        (143, 77, 77),
        (78, 69, 78),
        (78, 1, 1),
        (1, 0, 1),
    ],
)
def test_one_failing_never_stops_the_next_and_the_worst_exit_code_is_reported(
    cron: Cron, first: int, second: int, worst: int
) -> None:
    cron.without_orders()
    cron.program("scripts/cron/every_05_mins/exact/start_orders.sh", f"echo second; exit {second}")

    outcome = cron.script(EVERY_05_MINS, BREKZSYNC=cron.fake(f"echo first; exit {first}"))

    assert outcome == (worst, "first\nsecond\n", "")


def test_a_killed_script_is_named_since_it_cannot_speak_for_itself(cron: Cron) -> None:
    cron.without_orders()
    cron.program("scripts/cron/every_05_mins/exact/start_orders.sh", "echo second; exit 1")

    code, output, errors = cron.script(EVERY_05_MINS, BREKZSYNC=cron.fake("kill -9 $$"))

    assert (code, output) == (137, "second\n")
    # The shell may have said "Killed" before.
    assert errors.endswith("every_05_mins/exact/start_products.sh broke off with exit code 137.\n")


def test_it_works_through_a_symbolic_link_and_from_another_folder(cron: Cron) -> None:
    cron.without_orders()
    links = cron.home / "links with spaces"
    links.mkdir()
    (links / "every five").symlink_to(cron.checkout / EVERY_05_MINS)
    (links / "products").symlink_to(cron.checkout / START_PRODUCTS)
    (links / "again").symlink_to("every five")
    fake = cron.fake("echo ran")

    for command in (
        "'links with spaces/every five'",
        "cd links*; ./again",
        "cd 'links with spaces' && ./products",
    ):
        assert cron.run(command, BREKZSYNC=fake) == (0, "ran\n", ""), command
    assert cron.run(
        f"cd {shlex.quote(str(cron.checkout))}/scripts/cron && sh cron_every_05_mins.sh", BREKZSYNC=fake
    ) == (
        0,
        "ran\n",
        "",
    )


def test_the_night_sweeps_the_stock_prunes_the_logs_and_runs_scripts_put_there(cron: Cron) -> None:
    both = "--cron stock sweep\n--cron logs prune\n"
    assert cron.script(NIGHTLY, BREKZSYNC=cron.fake('echo "$@"')) == (0, both, "")

    for name in ("own.sh", "logs/prune.sh", "stock/sweep.sh"):
        cron.program(f"scripts/cron/nightly/{name}", f"echo {name}")

    assert cron.script(NIGHTLY, BREKZSYNC=cron.fake("")) == (0, "stock/sweep.sh\nlogs/prune.sh\nown.sh\n", "")


# --- the drop-in for /etc/cron.d --------------------------------------------------------------------------


def _read_drop_in() -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    """Environment settings, and (schedule, user, command) per entry, as cron reads them."""
    settings: dict[str, str] = {}
    entries = []
    for line in DROP_IN.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if equals and name.isidentifier():
            settings[name] = value
        else:
            *schedule, user, command = line.split(maxsplit=6)
            entries.append((" ".join(schedule), user, command))
    return settings, entries


def test_debians_cron_would_read_the_drop_in() -> None:
    content = DROP_IN.read_text(encoding="utf-8")
    _, entries = _read_drop_in()

    assert "." not in DROP_IN.name
    assert content.endswith("\n")
    assert "%" not in content  # cron makes a line end of it
    assert [(schedule, user) for schedule, user, _ in entries] == [
        ("*/5 * * * *", "brekzsync"),
        ("30 2 * * *", "brekzsync"),
    ]


def test_the_command_lines_of_the_drop_in_run_what_they_name(cron: Cron) -> None:
    settings, entries = _read_drop_in()
    environment = settings | {
        "CHECKOUT": str(cron.checkout),
        "BREKZSYNC": cron.fake('echo "$BREKZSYNC_CONFIG: $*"'),
    }

    outcomes = [cron.run(command, **environment) for _, _, command in entries]

    assert outcomes == [
        (
            0,
            "/etc/brekzsync/brekzsync.toml: --cron agent start products --if-configured\n"
            "/etc/brekzsync/brekzsync.toml: --cron orders settle\n"
            "/etc/brekzsync/brekzsync.toml: --cron agent start orders --if-configured\n"
            "/etc/brekzsync/brekzsync.toml: --cron agent start refunds --if-configured\n"
            "/etc/brekzsync/brekzsync.toml: --cron shipments import\n"
            "/etc/brekzsync/brekzsync.toml: --cron tickets check\n"
            "/etc/brekzsync/brekzsync.toml: --cron orders push-status\n"
            "/etc/brekzsync/brekzsync.toml: --cron inbox process\n",
            "",
        ),
        (
            0,
            "/etc/brekzsync/brekzsync.toml: --cron stock sweep\n"
            "/etc/brekzsync/brekzsync.toml: --cron logs prune\n",
            "",
        ),
    ]


# --- brekzsync itself -------------------------------------------------------------------------------------


@pytest.fixture
def demo(cron: Cron) -> Callable[..., Outcome]:
    """Runs the five-minute script with the real program on a new demo folder, ``home/demo``."""
    command = f"exec {shlex.quote(sys.executable)} -m brekzsync"
    program = cron.program("real/brekzsync", f'PYTHONPATH={shlex.quote(str(ROOT / "src"))} {command} "$@"')
    made = cron.run(f"{shlex.quote(str(program))} demo up")
    assert made[0] == 0, made
    _execute(cron.home / "demo/shop.db", "DELETE FROM ps_shoppingfeed_order")  # its marketplace does not run

    def run() -> Outcome:
        config = str(cron.home / "demo/brekzsync.toml")
        return cron.script(EVERY_05_MINS, BREKZSYNC=str(program), BREKZSYNC_CONFIG=config)

    return run


def test_a_run_without_failures_exports_in_silence_and_so_does_the_next(
    cron: Cron, demo: Callable[..., Outcome]
) -> None:
    items, orders = cron.home / "demo/outbox/items", cron.home / "demo/outbox/orders"
    _keep_only_what_can_be_exported(cron.home / "demo/shop.db")

    assert demo() == (0, "", "")
    delivered = sorted(os.listdir(items))
    assert "1-101.xml" in delivered
    claimed = sorted(os.listdir(orders))
    assert "61.xml" in claimed

    for name in delivered:
        (items / name).unlink()
    assert demo() == (0, "", "")
    assert os.listdir(items) == []
    assert sorted(os.listdir(orders)) == claimed


def test_the_same_failures_are_mailed_once(cron: Cron, demo: Callable[..., Outcome]) -> None:
    code, output, errors = demo()
    assert code == 3
    assert "missing_price" in output + errors

    assert demo() == (3, "", "")


def _keep_only_what_can_be_exported(shop: Path) -> None:
    """Products 1 and 2 of the demo: several combinations, one of them excluded, none incomplete. Of the orders those
    that show how it goes well."""
    _execute(
        shop,
        "DELETE FROM ps_product WHERE id_product > 2",
        "DELETE FROM ps_product_shop WHERE id_product > 2",
        "DELETE FROM ps_product_attribute WHERE id_product > 2",
        "DELETE FROM ps_product_attribute_shop WHERE id_product > 2",
        "DELETE FROM ps_orders WHERE id_order > 70",
    )


def _execute(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
