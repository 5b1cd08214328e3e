"""``config check`` and ``doctor`` on what a configuration says of stock and shipments, on the demo and on MariaDB."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from brekzsync.exact.connection import connect_erp
from brekzsync.exact.warehouses import moved_warehouses
from tests.demos import Demos, FreshDemo
from tests.services.prestashop import PrestaShopDatabase

WEBSERVICE = {
    "BREKZSYNC_SHOP__WEBSERVICE_URL": "http://127.0.0.1:1/api",
    "BREKZSYNC_SHOP__WEBSERVICE_KEY": "K",
}


class Demo(FreshDemo):
    """A demo whose configuration is laid over by the environment."""

    def found(self) -> dict[str, list[tuple[str, str]]]:
        """Section, key and message of what is wrong with stock and shipments, by severity."""
        document: dict[str, Any] = self.run("config", "check", "--json").document
        sections = ("stock", "shipments", "erp", "shop", "inbox", "exact_online")
        found: dict[str, list[tuple[str, str]]] = {"error": [], "warning": []}
        for one in document["findings"]:
            if one["section"].rpartition(".")[2] in sections:
                found[one["severity"]].append((f"{one['section']}.{one['key']}", one["message"]))
        return found


@pytest.fixture
def demo(demos: Demos, monkeypatch: pytest.MonkeyPatch) -> Demo:
    for name, value in WEBSERVICE.items():
        monkeypatch.setenv(name, value)
    return demos.fresh(Demo, columns=100)


def test_stock_and_shipments_that_fit_shop_and_erp_have_nothing_to_be_told(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREKZSYNC_STOCK__QUANTITY", "sellable")
    monkeypatch.setenv("BREKZSYNC_SHIPMENTS__SHIPPED_STATE", "4")
    monkeypatch.setenv("BREKZSYNC_ERP__WAREHOUSES", "1")

    assert demo.found() == {"error": [], "warning": []}


def test_shops_warehouses_and_states_that_are_not_there_are_found(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREKZSYNC_STOCK__SHOPS", json.dumps({"XX": {"warehouses": ["1", "77"]}}))
    monkeypatch.setenv("BREKZSYNC_SHIPMENTS__SHIPPED_STATE", "444")

    found = demo.found()

    assert [where for where, _ in found["error"]] == ["shipments.shipped_state", "stock.shops"]
    assert found["error"][1][1].startswith("[stock] shops names 'XX', which is no shop of this PrestaShop")
    assert found["warning"] == [
        ("stock.shops", "Exact never moved anything in warehouse 77: nothing there is for sale.")
    ]


def test_two_administrations_that_write_one_shop_are_an_error_by_whatever_name(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo.configure(
        '[targets.nl.products]\noutput = "nl"\n[targets.nl.orders]\noutput = "nl"\n'
        "[targets.nl.stock]\nshops = { 1 = {} }\n"
        '[targets.be.products]\noutput = "be"\n[targets.be.orders]\noutput = "be"\n'
        "[targets.be.stock]\nshops = { NL = {} }\n"
    )

    (error,) = demo.found()["error"]

    assert error[0] == "targets.be.stock.shops"
    assert error[1].endswith("would both be written to NL: neither sweep begins.")


def test_the_warehouses_are_looked_for_as_a_sweep_looks(demo: Demo) -> None:
    engine = connect_erp(f"sqlite:///{demo.folder}/demo/erp.db")
    try:
        demo.sql("UPDATE gbkmut SET warehouse = ' a1 ' WHERE rowid = 1", database="erp")
        assert moved_warehouses(engine, ["1", "A1", "77"]) == {"1", "A1"}
    finally:
        engine.dispose()


def test_doctor_looks_at_the_tables_of_stock_and_at_their_writer(
    prestashop: PrestaShopDatabase, demo: Demo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    prestashop.execute(
        "CREATE OR REPLACE USER stockuser IDENTIFIED BY 'pw'; GRANT SELECT ON prestashop.* TO stockuser;"
        " GRANT UPDATE ON prestashop.ps_stock_available TO stockuser"
    )
    monkeypatch.setenv("BREKZSYNC_SHOP__DATABASE", prestashop.url(driver=""))
    monkeypatch.setenv("BREKZSYNC_SHOP__DATA_SHOP", "1")
    monkeypatch.setenv("BREKZSYNC_STOCK__WRITE_VIA", "database")
    monkeypatch.setenv(
        "BREKZSYNC_STOCK__DATABASE", prestashop.url(driver="", user="stockuser", password="pw")
    )

    checks = {
        one["name"]: (one["status"], one["detail"])
        for one in demo.run("doctor", "--json").document["checks"]
        if one["system"] == "shop"
    }

    prestashop.execute("DROP USER stockuser")
    assert checks["stock"] == ("passed", "All 6 tables of stock can be read, with their columns.")
    assert checks["stock writer"] == ("passed", "The user can write ps_stock_available, and nothing else.")
    assert checks["stock hooks"][0] in ("passed", "warning")
