"""What is in effect, where it comes from, and that nothing secret is told."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from brekzsync.bootstrap.state import upgrade_state
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.settings import Settings, load_settings
from brekzsync.settings.database_urls import passwords_in, without_password
from brekzsync.settings.effective import Origin, Value, effective, shown, toml_lines

FILE = """
[shop]
database = "mysql://reader:hush-shop@db/prestashop"
data_shop = "NL"
url = "https://staff:hush-web@shop.example"
webservice_key = "hush-key"

[erp]
database = "mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BPWD%3Dhush-erp"

[exact_xml.vat_codes]
"5.5" = "3"

[stock.shops.NL]
share = "80%"

[targets.be.products]
output = "be"

[targets.nl.exact_xml]
unit = "stuk"
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "brekzsync.toml"
    file.write_text(FILE, encoding="utf-8")
    secret = tmp_path / "secret"
    secret.write_text("hush-token", encoding="utf-8")
    variables = {
        "BREKZSYNC_SHOP__LANGUAGE": "nl",
        "BREKZSYNC_SERVE__EXACT_TOKEN_FILE": str(secret),
        "BREKZSYNC_TARGETS__BE__PRODUCTS__ITEM_CODE": "ean13",
    }
    return load_settings(file, variables)


def values(settings: Settings, table: str, target: str | None = None) -> dict[str, Value]:
    (found,) = (one for one in effective(settings, target) if one.name == table)
    return {value.key: value for value in found.values}


def test_each_value_tells_where_it_comes_from(settings: Settings) -> None:
    shop = values(settings, "shop")

    assert shop["data_shop"] == ("data_shop", "NL", Origin.FILE, "")
    assert shop["table_prefix"] == ("table_prefix", "ps_", Origin.DEFAULT, "")
    assert shop["language"] == ("language", "nl", Origin.ENVIRONMENT, "BREKZSYNC_SHOP__LANGUAGE")
    token = values(settings, "serve")["exact_token"]
    assert token == ("exact_token", "***", Origin.ENVIRONMENT, "BREKZSYNC_SERVE__EXACT_TOKEN_FILE")


def test_every_key_is_told(settings: Settings) -> None:
    told = {table.name: [value.key for value in table.values] for table in effective(settings)}

    general = {name: table for name, table in told.items() if "." not in name}
    models = {name: type(getattr(settings, name)) for name in Settings.model_fields if name != "targets"}
    assert general == {name: list(model.model_fields) for name, model in models.items() if model.model_fields}


def test_of_a_target_only_what_it_sets_itself_is_told(settings: Settings, tmp_path: Path) -> None:
    told = {table.name: table.values for table in effective(settings) if "." in table.name}

    variable = "BREKZSYNC_TARGETS__BE__PRODUCTS__ITEM_CODE"
    assert told == {
        "targets.be.products": [
            ("item_code", "ean13", Origin.ENVIRONMENT, variable),
            ("output", str(tmp_path / "be"), Origin.FILE, ""),
        ],
        "targets.nl.exact_xml": [("unit", "stuk", Origin.FILE, "")],
    }


def test_for_a_target_the_sections_are_as_its_runs_see_them(settings: Settings, tmp_path: Path) -> None:
    products = values(settings, "products", "be")

    assert products["output"] == ("output", str(tmp_path / "be"), Origin.FILE, "[targets.be.products]")
    assert products["item_code"].value == "ean13"
    assert products["channel"] == ("channel", "files", Origin.DEFAULT, "")
    assert values(settings, "exact_xml", "be")["unit"] == ("unit", "pc", Origin.DEFAULT, "")
    assert values(settings, "exact_xml", "nl")["unit"] == (
        "unit",
        "stuk",
        Origin.FILE,
        "[targets.nl.exact_xml]",
    )


def test_no_secret_is_told(settings: Settings) -> None:
    text = "\n".join(toml_lines(effective(settings)))

    assert "hush" not in text
    assert 'url = "https://staff:***@shop.example"' in text


def test_the_text_reads_back_as_what_is_told(settings: Settings) -> None:
    tables = effective(settings)
    told = tomllib.loads("\n".join(toml_lines(tables)))

    for table in tables:
        found = told
        for part in table.name.split("."):
            found = found[part]
        own = {key: value for key, value in found.items() if key in {one.key for one in table.values}}
        assert own == {value.key: value.value for value in table.values if value.value is not None}
    assert told["stock"]["shops"] == {"NL": {"warehouses": [], "share": "80%"}}


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://u:p@h/db", "mysql://u:***@h/db"),
        ("mysql://u:p@ss?w@h:3306/db?charset=utf8mb4", "mysql://u:***@h:3306/db?charset=utf8mb4"),
        ("mysql://u@h/db", "mysql://u@h/db"),
        (
            "mssql+pyodbc://u:p@h/500?driver=ODBC+Driver+18",
            "mssql+pyodbc://u:***@h/500?driver=ODBC+Driver+18",
        ),
        ("mssql+pyodbc:///?odbc_connect=PWD%3Dp", "mssql+pyodbc:///?odbc_connect=***"),
        (
            "postgresql://h/db?user=u&password=p&sslmode=require",
            "postgresql://h/db?user=u&password=***&sslmode=require",
        ),
        ("sqlite:////srv/shop.db", "sqlite:////srv/shop.db"),
    ],
)
def test_a_url_is_told_without_its_password(url: str, told: str) -> None:
    assert without_password(url, "***") == told


def test_a_secret_that_is_empty_is_told_to_be(settings: Settings) -> None:
    assert (shown(settings.agent.secret), shown(settings.shop.webservice_key)) == ("", "***")


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("mysql://u:p%40ss@h/db", {"p%40ss", "p@ss"}),
        ("postgresql://h/db?user=u&password=p%2Bw&sslmode=require", {"p%2Bw", "p+w"}),
        ("mysql://u:one@h/db?passwd=two", {"one", "two"}),
        ("mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BPWD%3Dhush%3BSERVER%3Dh", {"hush"}),
        (
            "mssql+pyodbc:///?odbc_connect=Password={a;b}}c};UID=u",
            {"a;b}}c", "a;b}c", "a%3Bb%7D%7Dc"},
        ),
        ("mssql+pyodbc://h/500?driver=FreeTDS&trusted_connection=yes", set()),
        ("sqlite:////srv/shop.db", set()),
    ],
)
def test_every_password_of_a_url_is_known_wherever_it_stands(url: str, secret: set[str]) -> None:
    assert set(passwords_in(url)) == secret


def test_what_must_never_be_logged_includes_a_password_within_a_query(settings: Settings) -> None:
    assert {"hush-shop", "hush-erp", "hush-key", "hush-token"} <= set(settings.secrets())


def test_a_token_is_hidden_whole_though_it_looks_like_an_address(tmp_path: Path) -> None:
    file = tmp_path / "brekzsync.toml"
    file.write_text(FILE, encoding="utf-8")
    odd = load_settings(file, {"BREKZSYNC_MARKETPLACE__TOKEN": "hush://hush"})

    assert values(odd, "marketplace")["token"].value == "***"
    assert "hush://hush" in odd.secrets()


def test_neither_the_shop_nor_the_state_is_named_with_a_password_in_its_query(tmp_path: Path) -> None:
    shop = ShopDatabase("mysql://u:one@h/shop?password=two")
    file = tmp_path / "brekzsync.toml"
    file.write_text(FILE, encoding="utf-8")
    state = {"BREKZSYNC_STATE__DATABASE": f"sqlite:///{tmp_path}/state.db?password=two"}

    assert shop.shown == "mysql://u:***@h/shop?password=***"
    assert "two" not in upgrade_state(load_settings(file, state), dry_run=True).url_shown
