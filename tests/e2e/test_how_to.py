"""What the how-to pages tell people to type or to write works: their configuration, their grants."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

from brekzsync.settings import load_settings
from tests.demos import Demos, FreshDemo
from tests.exports import Said, brekzsync
from tests.services.mariadb import MariaDB
from tests.services.prestashop import PrestaShopDatabase
from tests.shoppingfeed_tables import MODULE_TABLES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PASSWORD = "change-me"


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


CONFIGURATIONS = [
    pytest.param(block, id=f"{page.relative_to(DOCS)}-{number}")
    for page in sorted(DOCS.rglob("*.md"))
    for number, block in enumerate(blocks(str(page.relative_to(DOCS)), "toml"), start=1)
    if not block.startswith("# agent.toml")  # the agent's own file, tested with the agent
]


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_every_configuration_on_a_page_is_valid(configuration: str, tmp_path: Path) -> None:
    shop = {"database": "sqlite:///shop.db", "data_shop": "NL"} | tomllib.loads(configuration).get("shop", {})
    without_shop = re.sub(r"^\[shop\]\n(?:[^\[\n].*\n|\n)*", "", configuration, flags=re.MULTILINE)
    lines = [f"{key} = {json.dumps(value)}" for key, value in shop.items()]
    file = tmp_path / "brekzsync.toml"
    file.write_text("\n".join(["[shop]", *lines, without_shop]), encoding="utf-8")

    assert load_settings(file, {}).shop.data_shop == shop["data_shop"]


def grant_all(prestashop: PrestaShopDatabase) -> None:
    """Every right of the page, in a shop that has the module they speak of."""
    for statement in MODULE_TABLES:
        prestashop.execute(statement)
    for grants in blocks("how-to/read-only-database-user.md", "sql"):
        grant(prestashop.server, grants)


def test_two_administrations_get_the_same_shop_each_in_its_own_way(tmp_path: Path) -> None:
    assert brekzsync(tmp_path, "demo", "up").code == 0
    (configuration,) = blocks("how-to/two-administrations.md", "toml")
    (tmp_path / "demo/brekzsync.toml").write_text(configuration, encoding="utf-8")
    arguments = ("--config", "demo/brekzsync.toml", "--json", "products", "export")

    done = brekzsync(tmp_path, *arguments)

    document: dict[str, Any] = done.document
    delivered = {part["target"]: part["counts"]["delivered"] for part in document["targets"]}
    outbox = tmp_path / "demo/outbox"
    dutch, belgian = ((outbox / name / "items/18-0.xml").read_text(encoding="utf-8") for name in ("nl", "be"))
    assert (done.code, delivered) == (3, {"exact": 31, "belgium": 34})  # and the bundle's components
    assert ('<VAT code="2"' in dutch, "<ItemPrice>" in dutch) == (True, True)
    assert ('<VAT code="B2"' in belgian, "<ItemPrice>" in belgian) == (True, False)
    again = brekzsync(tmp_path, *arguments, "--target", "belgium").document
    assert (again["target"], again["counts"]["delivered"]) == ("belgium", 0)


@pytest.mark.parametrize("user", ["brekzsync", "brekzsync_narrow"])
def test_the_read_only_user_of_the_page_can_export(
    prestashop: PrestaShopDatabase, tmp_path: Path, user: str
) -> None:
    grant_all(prestashop)

    done = export(tmp_path, prestashop.url(driver="", user=user, password=PASSWORD))

    assert (done.code, done.err) == (0, "")
    assert done.document["counts"]["delivered"] > 30


def test_a_table_the_narrow_user_may_not_read_is_named(
    prestashop: PrestaShopDatabase, tmp_path: Path
) -> None:
    narrow = blocks("how-to/read-only-database-user.md", "sql")[1]
    grant(prestashop.server, re.sub(r"^.*\.ps_pack .*\n", "", narrow, flags=re.MULTILINE))

    done = export(tmp_path, prestashop.url(driver="", user="brekzsync_narrow", password=PASSWORD))

    assert done.code == 78
    assert done.document["error"]["message"] == "The shop's database lacks ps_pack."


def test_the_narrow_user_of_products_needs_none_of_the_tables_of_orders(
    prestashop: PrestaShopDatabase, tmp_path: Path
) -> None:
    grant(prestashop.server, blocks("how-to/read-only-database-user.md", "sql")[1])
    url = prestashop.url(driver="", user="brekzsync_narrow", password=PASSWORD)

    assert export(tmp_path, url).code == 0
    assert orders_check(tmp_path)["status"] == "skipped"
    with (tmp_path / "brekzsync.toml").open("a", encoding="utf-8") as file:
        file.write('[orders]\nshipping_item = "S"\n')
    assert orders_check(tmp_path)["detail"].startswith("The shop's user may not read ps_orders, ")


def test_the_narrow_user_of_the_page_can_export_orders_and_have_them_checked(
    prestashop: PrestaShopDatabase, tmp_path: Path
) -> None:
    grant_all(prestashop)
    prestashop.execute("UPDATE ps_orders SET current_state = 2")
    prestashop.execute("UPDATE ps_order_history SET id_order_state = 2")
    url = prestashop.url(driver="", user="brekzsync_narrow", password=PASSWORD)
    assert export(tmp_path, url).code == 0
    with (tmp_path / "brekzsync.toml").open("a", encoding="utf-8") as file:
        file.write(f"[orders]\n{ORDERS}")

    exported = brekzsync(tmp_path, "--json", "orders", "export", "--dry-run")
    checked = brekzsync(tmp_path, "--json", "config", "check")

    assert orders_check(tmp_path)["status"] == "passed"
    assert (exported.code, exported.document["counts"]["read"]) == (3, 5)
    assert set(exported.document["reasons"]) <= {"unmapped_tax_rate", "missing_item_code"}
    assert [left["why"] for left in checked.document["not_checked"]] == ["[erp] database is empty"]


ORDERS = """
payment_methods = { ps_wirepayment = "B", ps_checkpayment = "C", ps_cashondelivery = "A" }
delivery_methods = { 1 = "PICK", 2 = "PNL" }
shipping_item = "S"
discount_item = "D"
"""


def orders_check(folder: Path) -> dict[str, Any]:
    """What doctor says of the tables of orders."""
    checks = brekzsync(folder, "--json", "doctor").document["checks"]
    return next(check for check in checks if (check["system"], check["name"]) == ("shop", "orders"))


def test_every_command_of_the_page_on_orders_can_be_typed_on_the_demo(
    demos: Demos,
) -> None:
    demo = demos.fresh(FreshDemo, columns=80)
    typed = [
        line.partition("#")[0].removeprefix("brekzsync ")
        for block in blocks("how-to/send-orders-to-exact.md", "sh")
        for line in block.splitlines()
    ]

    ended = {command: demo.run(*shlex.split(command)).code for command in typed}

    assert len(ended) == 12
    assert set(ended.values()) <= {0, 3}, ended


def test_every_command_of_the_page_on_stock_can_be_typed_on_the_demo(
    demos: Demos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREKZSYNC_STOCK__WRITE_VIA", "database")
    demo = demos.fresh(FreshDemo, columns=80)
    typed = [
        line.removeprefix("brekzsync ")
        for block in blocks("how-to/keep-stock-in-step.md", "sh")
        for line in block.splitlines()
    ]

    ended = {command: demo.run(*shlex.split(command)).code for command in typed}

    assert set(ended.values()) == {0}, ended
    assert len(ended) == 10


def test_the_narrow_user_of_the_page_can_tell_the_marketplace(
    prestashop: PrestaShopDatabase, tmp_path: Path
) -> None:
    grant_all(prestashop)
    prestashop.execute("UPDATE ps_orders SET current_state = 4 WHERE id_order = 1")
    prestashop.execute(
        "INSERT INTO ps_shoppingfeed_order (id_internal_shoppingfeed, id_order_marketplace, name_marketplace, id_order,"
        " payment_method, id_shoppingfeed_token) VALUES ('5', 'R-5', 'Amazon', 1, '-', 1)"
    )
    prestashop.execute(
        "INSERT INTO ps_shoppingfeed_token (id_shop, id_lang, id_currency, content, active, shoppingfeed_store_id)"
        " VALUES (1, 1, 1, 'token', 1, 1276)"
    )
    url = prestashop.url(driver="", user="brekzsync_narrow", password=PASSWORD)
    assert export(tmp_path, url).code == 0
    with (tmp_path / "brekzsync.toml").open("a", encoding="utf-8") as file:
        file.write('[marketplace]\nshipped_states = [4]\nconflict = "allow_when_absent"\n')

    told = brekzsync(tmp_path, "--json", "orders", "push-status", "--dry-run")

    assert (told.code, told.document["counts"]["pending"]) == (0, 1), told


def test_the_stock_user_of_the_page_can_write_stock_and_nothing_else(
    prestashop: PrestaShopDatabase, demos: Demos, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant_all(prestashop)
    monkeypatch.setenv("BREKZSYNC_SHOP__DATABASE", prestashop.url(driver=""))
    monkeypatch.setenv("BREKZSYNC_SHOP__DATA_SHOP", "1")
    monkeypatch.setenv("BREKZSYNC_STOCK__WRITE_VIA", "database")
    monkeypatch.setenv("BREKZSYNC_STOCK__MOVEMENT_EMPLOYEE", "1")
    user = prestashop.url(driver="", user="brekzsync_stock", password=PASSWORD)
    monkeypatch.setenv("BREKZSYNC_STOCK__DATABASE", user)
    demo = demos.fresh(FreshDemo, columns=80)
    demo.sql(
        "INSERT INTO Items (ItemCode, IsSalesItem, IsStockItem, Type, Condition) VALUES ('demo_11', 1, 1, 'S', 'A')",
        database="erp",
    )

    checks = demo.run("doctor", "--json").document["checks"]
    swept = demo.run("--json", "stock", "update", "demo_11")

    (writer,) = [check["status"] for check in checks if check["name"] == "stock writer"]
    assert (writer, swept.code) == ("passed", 0)
    assert swept.document["counts"]["delivered"] == 1
    shown = (
        "SELECT ps_stock_available.quantity FROM ps_stock_available JOIN ps_product USING (id_product)"
        " WHERE reference = 'demo_11' AND id_product_attribute = 0"
    )
    assert prestashop.execute(shown) == [(0,)]
    assert prestashop.execute("SELECT COUNT(*) FROM ps_stock_mvt WHERE id_employee = 1") == [(1,)]


def test_the_user_of_the_page_can_keep_the_state_on_mariadb(mariadb: MariaDB, tmp_path: Path) -> None:
    mariadb.drop_database("brekzsync")
    for grants in blocks("how-to/state-on-mariadb.md", "sql"):
        grant(mariadb, grants)
    assert brekzsync(tmp_path, "demo", "up").code == 0
    file = tmp_path / "demo/brekzsync.toml"
    url = mariadb.url("brekzsync", driver="", user="brekzsync_state", password=PASSWORD)
    text = file.read_text(encoding="utf-8").replace("sqlite:///state.db", url)
    file.write_text(text, encoding="utf-8")

    upgraded = brekzsync(tmp_path, "--config", str(file), "db", "upgrade")
    first = brekzsync(tmp_path, "--config", str(file), "--json", "products", "export")
    second = brekzsync(tmp_path, "--config", str(file), "--json", "products", "export")

    assert (upgraded.code, upgraded.err.split(" in ")[0]) == (0, "Created the state")
    counts = [done.document["counts"] for done in (first, second)]
    assert [(one["delivered"] > 30, one["unchanged"]) for one in counts] == [
        (True, 0),
        (False, counts[0]["delivered"]),
    ]


def grant(server: MariaDB, statements: str) -> None:
    """Run a page's statements as the server's administrator; its users are made anew."""
    for user in re.findall(r"CREATE USER ('\w+'@'%')", statements):
        server.execute("", f"DROP USER IF EXISTS {user}")
    server.execute("", statements)


def export(folder: Path, database: str) -> Said:
    """``products export`` of a shop, with a configuration that says as little as it may."""
    file = folder / "brekzsync.toml"
    item_code = '[products]\nitem_code = "{reference}-{id_product_attribute}"\n'
    file.write_text(f'[shop]\ndatabase = "{database}"\ndata_shop = 1\n{item_code}', encoding="utf-8")
    assert brekzsync(folder, "--config", str(file), "db", "upgrade").code == 0
    return brekzsync(folder, "--config", str(file), "--json", "products", "export")
