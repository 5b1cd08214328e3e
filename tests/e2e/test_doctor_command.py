"""``doctor`` as people, programs and cron meet it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from brekzsync.bootstrap import doctor as bootstrap
from brekzsync.host.cron import CronPlaces
from tests.demos import Demos, FreshDemo
from tests.exports import Said


class Demo(FreshDemo):
    """A demo on a machine whose cron the test chooses."""

    def doctor(self, *arguments: str) -> Said:
        return self.run("doctor", *arguments)

    def tell_marketplace(self, address: str) -> None:
        """With a token that the configuration names."""
        self.replace("[marketplace]\n", "[marketplace]\ntoken = 'abcdef-token'\n")
        self.replace('base_url = "http://127.0.0.1:8082"', f"base_url = '{address}'")

    def install_cron(self) -> None:
        script = self.folder / "cron"
        for name in ("cron_every_05_mins.sh", "cron_nightly.sh"):
            (script / name).write_text("#!/bin/sh\n")
            (script / name).chmod(0o755)
        lines = f"*/5 * * * * {script}/cron_every_05_mins.sh\n30 2 * * * {script}/cron_nightly.sh\n"
        (self.folder / "crontab").write_text(lines)


@pytest.fixture
def demo(demos: Demos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Demo:
    (tmp_path / "cron").mkdir()
    (tmp_path / "crontab").touch()
    places = CronPlaces(
        drop_ins=tmp_path / "cron",
        system=tmp_path / "none",
        own=(tmp_path / "crontab").read_text,
        owner=os.getuid(),
    )
    monkeypatch.setattr(bootstrap, "CRON_PLACES", places)
    return demos.fresh(Demo, columns=80)


def statuses(document: dict[str, Any]) -> dict[str, str]:
    return {f"{check['system']}: {check['name']}": check["status"] for check in document["checks"]}


EVERYTHING = {
    "configuration: file": "passed",
    "state: connection": "passed",
    "state: schema": "passed",
    "state: writable": "passed",
    "state: storage": "passed",
    "shop: connection": "passed",
    "shop: may read": "skipped",
    "shop: may not write": "skipped",
    "shop: tables": "passed",
    "shop: orders": "passed",
    "shop: data shop": "passed",
    "shop: currency": "passed",
    "shop: tax country": "passed",
    "shop: time zone": "passed",
    "shop: clock": "skipped",
    "shop: stock hooks": "passed",
    "shop: stock": "passed",
    "shop: marketplace module": "passed",
    "shop: other modules": "passed",
    "shop: marketplace states": "passed",
    "shop: webservice": "skipped",
    "shop: language slots": "passed",
    "shop: images": "skipped",
    "erp: driver": "passed",
    "erp: connection": "passed",
    "erp: tables": "passed",
    "erp: may not write": "skipped",
    "marketplace: token": "skipped",
    "marketplace: accounts": "warning",  # the demo's does not run
    "mail: server": "skipped",
    "outbox: folder": "passed",
    "cron: every five minutes": "passed",
    "cron: every night": "passed",
}
DISKS = {"state: disk space", "outbox: disk space"}  # whatever this machine has


def test_a_sound_machine_passes(demo: Demo) -> None:
    demo.install_cron()

    said = demo.doctor("--json")

    found = statuses(said.document)
    assert {name: found[name] for name in found if name not in DISKS} == EVERYTHING
    assert set(found) > DISKS
    assert (said.code, said.document["ok"], said.document["command"]) == (0, True, "doctor")
    assert sum(said.document["counts"].values()) == len(found)
    assert said.document["checks"][0] == {
        "system": "configuration",
        "target": None,
        "name": "file",
        "status": "passed",
        "detail": f"{demo.folder}/demo/brekzsync.toml is in order.",
        "remedy": "",
    }


def test_a_person_sees_a_table_with_remedies_and_a_last_line(demo: Demo) -> None:
    said = demo.doctor()

    assert said.code == 0
    assert "│   every night        │ WARNING │ Nothing runs cron_nightly.sh: neither" in said.out
    assert "→ Copy scripts/cron/cron.d/brekzsync to" in said.out
    assert max(map(len, said.out.splitlines())) == 80
    assert said.err.startswith("Nothing failed: ")
    assert ", 3 warnings, " in said.err


def test_quietly_only_what_is_wrong_is_shown(demo: Demo) -> None:
    demo.install_cron()
    demo.tell_marketplace("http://api.example")

    said = demo.doctor("-q")

    assert "token" in said.out
    assert "connection" not in said.out
    assert "abcdef-token" not in said.out


def count(demo: Demo) -> int:
    """How many checks there are."""
    return len(demo.doctor("--json").document["checks"])


def test_one_failure_is_the_exit_code_and_the_rest_is_still_looked_at(demo: Demo) -> None:
    demo.install_cron()
    demo.tell_marketplace("http://127.0.0.1:1")

    said = demo.doctor()

    assert said.code == 69
    assert "FAILED" in said.out
    assert "every night" in said.out
    assert said.err == (
        f"Error: 1 of {count(demo)} checks failed: Marketplace, token.\n"
        "Hint: Check the network from here; Shopping Feed tells of outages on its pages.\n"
    )


def test_the_worst_of_several_failures_is_the_exit_code(demo: Demo) -> None:
    demo.tell_marketplace("http://127.0.0.1:1")
    (demo.folder / "demo/state.db").unlink()

    said = demo.doctor("--json")

    found = statuses(said.document)
    assert (said.code, said.document["ok"]) == (78, False)
    assert [name for name, status in found.items() if status == "failed"] == [
        "state: connection",
        "marketplace: token",
    ]
    assert {found[f"state: {name}"] for name in ("schema", "writable", "storage")} == {"skipped"}
    assert said.document["error"] == {
        "code": "state_missing",
        "message": f"2 of {count(demo)} checks failed: State, connection; Marketplace, token.",
        "hint": "Run `brekzsync db upgrade` to create it; if it was lost, put its backup back first.",
    }
    assert not (demo.folder / "demo/state.db").exists()


def test_a_configuration_with_mistakes_is_a_finding_too(demo: Demo) -> None:
    demo.install_cron()
    demo.configure("\n[prodcuts]\n")

    said = demo.doctor("--json")

    assert said.code == 78
    assert statuses(said.document) == {
        "configuration: file": "failed",
        "cron: every five minutes": "passed",
        "cron: every night": "passed",
    }
    assert "prodcuts" in said.document["checks"][0]["detail"]


def test_a_password_everybody_may_read_is_warned_of(demo: Demo) -> None:
    demo.tell_marketplace("http://api.example")
    file = demo.config

    def look() -> dict[str, str]:
        check: dict[str, str] = demo.doctor("--json").document["checks"][0]
        return check

    file.chmod(0o644)
    assert look()["remedy"] == f"chmod o= {file}"
    file.chmod(0o640)
    assert look()["status"] == "passed"


def test_cron_hears_of_failures_only(demo: Demo) -> None:
    assert demo.doctor("--cron") == (0, "", "")

    (demo.folder / "demo/state.db").unlink()

    said = demo.doctor("--cron")
    assert (said.code, said.err) == (78, "")
    assert said.out == (
        f"doctor: State, connection: The state database {demo.folder}/demo/state.db does not exist yet."
        " Run `brekzsync db upgrade` to create it; if it was lost, put its backup back first.\n"
    )


@pytest.mark.parametrize(
    ("products", "orders", "checked"),
    [
        ("", 'output = "sold"\n', [("folder", "outbox"), ("folder of orders", "sold")]),
        ("", 'output = "outbox"\n', [("folder", "outbox")]),
        ("", 'channel = "http"\noutput = "sold"\n', [("folder", "outbox")]),
        ('channel = "http"\n', "", []),
        ('channel = "http"\n', 'channel = "files"\n', [("folder of orders", "outbox")]),
    ],
)
def test_the_outbox_of_orders_is_looked_at_where_it_is_another(
    demo: Demo, products: str, orders: str, checked: list[tuple[str, str]]
) -> None:
    demo.replace("[products]\n", f"[products]\n{products}")
    demo.replace("[orders]\n", f"[orders]\n{orders}")

    looked = [
        (check["name"], check["detail"])
        for check in demo.doctor("--json").document["checks"]
        if check["system"] == "outbox" and check["status"] == "passed" and "folder" in check["name"]
    ]

    assert looked == [
        (name, f"{demo.folder}/demo/{folder} will be made when first used.") for name, folder in checked
    ]


def test_tables_of_orders_are_looked_at_where_only_one_target_gets_them(demo: Demo) -> None:
    demo.replace("[orders]\n", "[targets.nl.products]\noutput = 'nl'\n[targets.be]\n[targets.nl.orders]\n")

    assert statuses(demo.doctor("--json").document)["shop: orders"] == "passed"


def test_every_target_has_its_own_erp_and_outbox(demo: Demo) -> None:
    demo.configure(
        "\n[targets.nl]\n[targets.be.products]\noutput = 'outbox-be'\n[targets.be.erp]\ndatabase = ''\n"
    )

    found = [
        (check["system"], check["target"], check["name"])
        for check in demo.doctor("--json").document["checks"]
        if check["system"] in ("erp", "outbox") or "slots" in check["name"]
    ]

    assert found == [
        ("shop", None, "language slots of nl"),
        ("shop", None, "language slots of be"),
        ("erp", "nl", "driver"),
        ("erp", "nl", "connection"),
        ("erp", "nl", "tables"),
        ("erp", "nl", "may not write"),
        ("erp", "be", "connection"),
        ("outbox", "nl", "folder"),
        ("outbox", "nl", "disk space"),
        ("outbox", "be", "folder"),
        ("outbox", "be", "disk space"),
    ]
    assert "ERP of nl" in demo.doctor().out


def test_images_are_looked_for_where_they_are_embedded(demo: Demo) -> None:
    demo.replace("[exact_xml]", "[exact_xml]\nembed_images = true")

    def look() -> tuple[str, str]:
        checks = demo.doctor("--json").document["checks"]
        return next((check["status"], check["detail"]) for check in checks if check["name"] == "images")

    assert look() == (
        "warning",
        "[exact_xml] embed_images is on, and there is no place to take images from.",
    )
    demo.replace("[shop]", "[shop]\nimage_dir = 'img'")
    assert look()[0] == "warning"
    (demo.folder / "demo/img").mkdir()
    assert look() == ("passed", f"{demo.folder}/demo/img can be read.")


def test_looking_writes_nothing(demo: Demo) -> None:
    before = demo.files()
    demo.doctor()

    assert demo.files() == before
