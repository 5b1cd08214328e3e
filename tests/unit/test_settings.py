from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brekzsync.errors import ConfigurationError
from brekzsync.settings import Settings, load_settings, loading, places
from brekzsync.settings.database_urls import fastest_mysql_driver, resolve_url
from brekzsync.settings.durations import (
    format_duration,
    format_percentage,
    parse_duration,
    parse_percentage,
)

ENVIRON = {**os.environ, "PYTHONPATH": str(Path(loading.__file__).parents[2])}
SHOP = '[shop]\ndatabase = "sqlite:///shop.db"\ndata_shop = "NL"\n'

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(text: str) -> Path:
        file = tmp_path / "brekzsync.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write_file


def refusal(file: Path | None, environ: dict[str, str] | None = None) -> tuple[str, str]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(file, environ or {})
    return caught.value.message.replace(str(file), "FILE"), caught.value.hint.replace(str(file), "FILE")


# --- what a file may say -------------------------------------------------------------------------------


def test_two_keys_are_enough_and_every_path_starts_at_the_file(write: Write, tmp_path: Path) -> None:
    settings = load_settings(write(SHOP), {})

    assert settings.shop.database.get_secret_value() == f"sqlite:///{tmp_path}/shop.db"
    assert settings.state.database.get_secret_value() == f"sqlite:///{tmp_path}/brekzsync-state.db"
    assert settings.products.output == tmp_path / "outbox"
    assert settings.shop.data_shop == "NL"
    assert settings.shop.table_prefix == "ps_"
    assert settings.source == tmp_path / "brekzsync.toml"
    assert not settings.erp.database
    assert settings.target_names() == ["exact"]
    assert settings.for_target("exact") is settings


def test_a_file_may_hold_every_key_of_the_contract(write: Write) -> None:
    settings = load_settings(
        write(
            """
[shop]
database = "mysql+pymysql://u:p@localhost/prestashop"
table_prefix = "shop1_"
data_shop = 2
language = "nl"
image_dir = "/var/www/img"
url = "https://shop.example"
webservice_url = "https://shop.example/api"
webservice_key = "KEY"
[erp]
database = "mssql+pyodbc://r:s@globe/500?driver=ODBC+Driver+18+for+SQL+Server"
warehouses = ["1", 2]
safety_margin = 3
[exact_xml]
special_price_list = "WEB"
special_price = "none"
unit = "stuk"
price_decimals = 2
vat_codes = { "21" = 2, "NL:9" = "1", "BE:21.000:7" = "B2" }
language_slots = { nl = 0, de = 2 }
category_class = 2
brand_field = 3
ownership = "always"
embed_images = true
condition = "F"
assortment_number = 10
assortment_code = "SHOP"
currency = "EUR"
flags = { IsPurchaseItem = true, IsStockItem = false }
[products]
item_code = "{reference}-{id_product_attribute}"
bundle_components = "export"
exclude_column = "product.not_for_erp"
allow_zero_price = true
channel = "http"
output = "/srv/outbox"
[orders]
ready_states = [2, 11]
dead_states = [6]
shops = ["NL"]
result_timeout = "2h"
debtor = "collective"
shipping_item = "SHIPPING"
wrapping_item = "WRAP"
discount_item = "DISC"
refund_item = "REF"
rounding_item = "ROUND"
discount_form = "negative_price"
first_run_limit = 10
[stock]
quantity = "on_hand"
write_via = "database"
max_change = "12.5%"
shops = { NL = { warehouses = ["1"], share = "80%" } }
[shipments]
[marketplace]
base_url = "https://api.example"
token = "T"
store_id = 5
shipped_states = [4]
canceled_states = [6]
refunded_states = [7]
delivered_states = [5]
implies_shipped = [5]
shipped_delay = "5m"
tracking_wait = "24h"
conflict = "allow_when_absent"
allow_module_sync = true
[inbox]
[serve]
host = "0.0.0.0"
port = 8080
exact_token = "E"
allowed_networks = ["192.0.2.0/24", "2001:db8::/32"]
lease = "30m"
[agent]
host = "globe"
[notify]
[targets.be.exact_xml]
currency = "EUR"
[state]
database = "postgresql+psycopg://b:c@db/state"
[log]
file = "brekzsync.log"
level = "DEBUG"
"""
        ),
        {},
    )

    assert settings.shop.data_shop == 2
    assert settings.erp.warehouses == ["1", "2"]
    assert settings.exact_xml.vat_codes == {"21": "2", "NL:9": "1", "BE:21.000:7": "B2"}
    assert settings.exact_xml.flags == {"IsSalesItem": True, "IsPurchaseItem": True, "IsStockItem": False}
    assert settings.products.acknowledged_by == "result"
    assert settings.orders.result_timeout == timedelta(hours=2)
    assert settings.stock.max_change == Decimal("0.125")
    assert settings.stock.shops["NL"].share == Decimal("0.8")
    assert settings.log.file == settings.source.parent / "brekzsync.log"
    assert settings.secrets() == ["p", "p", "KEY", "s", "s", "T", "E", "c", "c"]


@pytest.mark.parametrize(
    ("channel", "acknowledge", "acknowledged_by"),
    [("files", "", "delivery"), ("http", "", "result"), ("files", "result", "result")],
)
def test_acknowledging_follows_the_channel_unless_it_is_set(
    write: Write, channel: str, acknowledge: str, acknowledged_by: str
) -> None:
    lines = f'[products]\nchannel = "{channel}"\nacknowledge = "{acknowledge}"\n'
    assert load_settings(write(SHOP + lines), {}).products.acknowledged_by == acknowledged_by


def test_secrets_do_not_show_when_settings_are_printed(write: Write) -> None:
    text = '[shop]\ndatabase = "mysql://u:hunter2@h/d"\ndata_shop = 1\nwebservice_key = "WSKEY"\n'
    settings = load_settings(write(text), {})
    shown = repr(settings) + str(settings) + settings.model_dump_json()
    assert "hunter2" not in shown
    assert "WSKEY" not in shown


# --- what it may not say -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            SHOP + 'databse = "x"',
            "[shop] databse is not a known key. Did you mean 'database'? (in FILE)",
            "Rename it to database, or remove it.",
        ),
        (
            SHOP + 'item_code = "key"',
            "[shop] item_code is not a known key. (in FILE)",
            "It is a key of [products]: move it there.",
        ),
        (
            SHOP + "[notify]\nmail = 1",
            "[notify] mail is not a known key. Did you mean 'mail_to'? (in FILE)",
            "Rename it to mail_to, or remove it.",
        ),
        (
            SHOP + "[prodcuts]",
            "[prodcuts] is not a known section. Did you mean [products]? (in FILE)",
            "Rename it to products, or remove it.",
        ),
        (
            "verbose = true\n" + SHOP,
            "verbose stands outside any section. (in FILE)",
            "Move it under its [section].",
        ),
        (
            '[shop]\ndata_shop = "NL"',
            "[shop] database is missing. (in FILE)",
            'Add database = "mysql://brekzsync:secret@localhost/prestashop" under [shop] in FILE. '
            "SQLAlchemy URL of the shop's database; a read-only user is enough for products.",
        ),
        (
            SHOP + 'table_prefix = "ps\'"',
            '[shop] table_prefix may hold only letters, digits and underscores; it is "ps\'". (in FILE)',
            'What the names of the shop\'s tables start with. For example: table_prefix = "ps_"',
        ),
        (
            SHOP + '[products]\nchannel = "ftp"',
            '[products] channel must be "files" or "http"; it is "ftp". (in FILE)',
            "How documents reach the ERP: an outbox folder, or fetched from `serve`. "
            'For example: channel = "files"',
        ),
        (
            SHOP + "[serve]\nlease = 30",
            "[serve] lease must be a number with a unit, such as 30s, 5m, 24h or 7d; it is 30. (in FILE)",
            'How long a served version waits for its result before it returns. For example: lease = "30m"',
        ),
        (
            SHOP + '[orders]\nready_states = [2, "paid"]',
            '[orders] ready_states[1] must be a whole number; it is "paid". (in FILE)',
            "An order is due once its history held one of these (id_order_state). "
            "For example: ready_states = [2]",
        ),
        (
            SHOP + '[targets.be.erp]\ndatabase = "mysql://u:hunter2@h/d"',
            "[targets.be.erp] database must start with one of mssql://, sqlite://, not mysql://. (in FILE)",
            "SQLAlchemy URL of the administration's database; empty: no ERP is read. For example: "
            'database = "mssql+pyodbc://reader:secret@globe/500?driver=ODBC+Driver+18+for+SQL+Server"',
        ),
        (
            SHOP + "[serve]\nport = 99999",
            "[serve] port must be at most 65535; it is 99999. (in FILE)",
            "Port to listen on. For example: port = 8000",
        ),
        ('shop = "x"', '[shop] must be a table; it is "x". (in FILE)', ""),
    ],
)
def test_a_mistake_is_named_with_its_remedy(write: Write, text: str, message: str, hint: str) -> None:
    assert refusal(write(text)) == (message, hint)


@pytest.mark.parametrize(
    ("section", "line", "sentence"),
    [
        ("products", 'item_code = "sku"', 'must be "reference", "ean13", "key" or a template'),
        ("products", 'item_code = "{sku}"', "may only hold {reference}, {product_reference}, {ean13}, {key}"),
        ("products", 'item_code = "{reference!r}"', "may only hold"),
        ("products", 'item_code = "{reference"', "unbalanced"),
        ("products", 'exclude_column = "ps_product.x; drop"', "without the table prefix"),
        ("exact_xml", 'vat_codes = { 5.5 = "3" }', "needs quotes around a rate with a point"),
        ("exact_xml", 'vat_codes = { "21%" = "3" }', 'holds "21%"'),
        ("exact_xml", 'vat_codes = { "21:3" = "3" }', 'holds "21:3"'),
        ("exact_xml", 'vat_codes = { "21" = "3", "21.0" = "4" }', "the same rate twice"),
        ("exact_xml", "language_slots = { nl = 0, de = 0 }", "two languages the same slot"),
        ("exact_xml", "language_slots = { nl = 5 }", "slots 0 to 4"),
        ("exact_xml", "flags = { IsSaleItem = true }", 'holds "IsSaleItem"'),
        ("exact_xml", 'currency = "euro"', "three-letter currency code"),
        ("stock", 'max_change = "0.3"', "must be a percentage"),
        ("stock", 'max_change = "130%"', "must be a percentage"),
        ("serve", 'allowed_networks = ["192.0.2.1/24"]', 'holds "192.0.2.1/24"'),
        ("targets", "'b e' = {}", 'holds "b e"'),
        ("orders", f'shipping_item = "{"x" * 31}"', "at most 30 characters"),
        ("state", 'database = "oracle://u:p@h/d"', "must start with one of sqlite://"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(write: Write, section: str, line: str, sentence: str) -> None:
    message, _ = refusal(write(f"{SHOP}[{section}]\n{line}\n"))
    assert message.startswith(f"[{section}]")
    assert sentence in message


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://u:hun/ter2@h/d", "has a port that is not a number"),
        ("mysql://u:hunter2@h", "must end with the name of the database"),
        ("hunter2", "must be a database URL"),
        ("sqlite://hunter2.db", "needs three slashes"),
    ],
)
def test_a_wrong_database_url_is_refused_without_repeating_it(write: Write, url: str, sentence: str) -> None:
    message, hint = refusal(write(f'[shop]\ndatabase = "{url}"\ndata_shop = 1\n'))
    assert message.startswith(f"[shop] database {sentence}")
    assert "hunter2" not in message + hint
    assert "ter2" not in message


def test_all_mistakes_are_told_at_once(write: Write) -> None:
    message, hint = refusal(write("[shop]\ndatabse = 1\n[serve]\nport = 0\n"))
    assert message.splitlines() == [
        "FILE has 4 problems:",
        '  [shop] database is missing. Add database = "mysql://brekzsync:secret@localhost/prestashop" under '
        "[shop] in FILE. SQLAlchemy URL of the shop's database; a read-only user is enough for products.",
        '  [shop] data_shop is missing. Add data_shop = "NL" under [shop] in FILE. '
        "The shop all product data is read from, by name or by id_shop.",
        "  [shop] databse is not a known key. Did you mean 'database'? Rename it to database, or remove it.",
        "  [serve] port must be at least 1; it is 0. Port to listen on. For example: port = 8000",
    ]
    assert hint == "Correct these lines and run the same command again."


def test_two_targets_may_not_share_an_outbox(write: Write, tmp_path: Path) -> None:
    message, _ = refusal(write(SHOP + "[targets.nl]\n[targets.be]\n"))
    assert message == (
        f'[targets] gives "nl" and "be" the same outbox {tmp_path}/outbox; '
        "give each its own [targets.be.products] output. (in FILE)"
    )


def test_invalid_toml_names_the_line(write: Write) -> None:
    message, _ = refusal(write(SHOP + "table_prefix = ps_\n"))
    assert message.startswith("FILE is not valid TOML: ")
    assert "line 4" in message


def test_a_file_that_is_not_utf8_names_the_line(write: Write) -> None:
    file = write("")
    file.write_bytes(SHOP.encode() + b"url = '\xe9'")
    assert refusal(file) == ("FILE, line 4, is not UTF-8 text.", "Save the file as UTF-8.")


def test_a_byte_order_mark_is_harmless(write: Write) -> None:
    assert load_settings(write("\ufeff" + SHOP), {}).shop.data_shop == "NL"


# --- where it is looked for ----------------------------------------------------------------------------


def test_without_any_file_every_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(places, "SYSTEM_FILE", tmp_path / "etc" / "brekzsync.toml")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(None, {})
    assert caught.value.code == "no_configuration"
    assert caught.value.message == (
        f"There is no configuration. Looked for: {tmp_path}/brekzsync.toml, {tmp_path}/etc/brekzsync.toml."
    )
    assert "brekzsync config init" in caught.value.hint
    assert "brekzsync demo up" in caught.value.hint


def test_files_are_looked_for_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(places, "SYSTEM_FILE", tmp_path / "system.toml")
    named = {"BREKZSYNC_CONFIG": str(tmp_path / "named.toml")}
    for name in ("system", "brekzsync", "named", "given"):
        (tmp_path / f"{name}.toml").write_text(SHOP.replace("NL", name))

    assert load_settings(tmp_path / "given.toml", named).shop.data_shop == "given"
    assert load_settings(None, named).shop.data_shop == "named"
    assert load_settings(None, {}).shop.data_shop == "brekzsync"
    (tmp_path / "brekzsync.toml").unlink()
    assert load_settings(None, {}).shop.data_shop == "system"


def test_a_named_file_that_is_missing_is_not_replaced_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "brekzsync.toml").write_text(SHOP)
    missing = tmp_path / "missing.toml"
    assert refusal(missing)[0] == "There is no configuration. Looked for: FILE."
    assert refusal(None, {"BREKZSYNC_CONFIG": str(missing)})[0].endswith(f"Looked for: {missing}.")


def test_an_unreadable_file_is_said_to_be_so(tmp_path: Path) -> None:
    assert refusal(tmp_path)[0] == "Cannot read the configuration FILE: Is a directory."


# --- the environment -----------------------------------------------------------------------------------


def test_the_environment_overrides_any_key(write: Write, tmp_path: Path) -> None:
    environ = {
        "BREKZSYNC_SHOP__DATA_SHOP": "3",
        "BREKZSYNC_ORDERS__READY_STATES": "[2, 12]",
        "BREKZSYNC_ERP__WAREHOUSES": "1,magazijn",
        "BREKZSYNC_EXACT_XML__VAT_CODES": '{"NL:21": "2"}',
        "BREKZSYNC_LOG__FILE": "here.log",
        "BREKZSYNC_SERVE__LEASE": "1h",
        "BREKZSYNC_TARGETS__BE__ERP__DATABASE": "sqlite:///be.db",
        "BREKZSYNC_SHARED": "not an override",
        "BREKZSYNC": "/usr/bin/brekzsync",
        "HOME": "/root",
    }
    settings = load_settings(write(SHOP + "[targets.BE.products]\nitem_code = 'key'\n"), environ)

    assert settings.shop.data_shop == 3
    assert settings.orders.ready_states == [2, 12]
    assert settings.erp.warehouses == ["1", "magazijn"]
    assert settings.exact_xml.vat_codes == {"NL:21": "2"}
    assert settings.log.file == tmp_path / "here.log"
    assert settings.serve.lease == timedelta(hours=1)
    assert settings.target_names() == ["BE"]
    assert settings.for_target("BE").erp.database.get_secret_value() == f"sqlite:///{tmp_path}/be.db"
    assert settings.for_target("BE").products.item_code == "key"


def test_a_list_of_one_is_written_in_the_environment_without_brackets(write: Write) -> None:
    environ = {"BREKZSYNC_ORDERS__READY_STATES": "2", "BREKZSYNC_ERP__WAREHOUSES": "9100"}
    settings = load_settings(write(SHOP), environ)

    assert settings.orders.ready_states == [2]
    assert settings.erp.warehouses == ["9100"]


def test_an_override_can_supply_a_required_key(write: Write) -> None:
    environ = {"BREKZSYNC_SHOP__DATABASE": "sqlite:////srv/shop.db"}
    settings = load_settings(write("[shop]\ndata_shop = 1\n"), environ)
    assert settings.shop.database.get_secret_value() == "sqlite:////srv/shop.db"


def test_a_secret_is_read_from_a_file(write: Write, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("T0ken\n")
    environ = {"BREKZSYNC_SERVE__EXACT_TOKEN_FILE": str(secret)}
    assert load_settings(write(SHOP), environ).serve.exact_token.get_secret_value() == "T0ken"


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"BREKZSYNC_SHOP__DATABSE": "x"},
            "BREKZSYNC_SHOP__DATABSE is not a known override. "
            "Did you mean 'BREKZSYNC_SHOP__DATABASE'? (in FILE)",
        ),
        (
            {"BREKZSYNC_SHOP__DATABASE__X": "s3cret"},
            "BREKZSYNC_SHOP__DATABASE__X must be text in quotes. (in FILE)",
        ),
        (
            {"BREKZSYNC_TARGETS__BE__ERPP__DATABASE": "s3cret"},
            "BREKZSYNC_TARGETS__BE__ERPP__DATABASE is not a known override. "
            "Did you mean 'BREKZSYNC_TARGETS__BE__ERP__DATABASE'? (in FILE)",
        ),
        (
            {"BREKZSYNC_SHPO__DATABASE": "x"},
            "BREKZSYNC_SHPO__DATABASE names no known section. Did you mean [shop]?",
        ),
        (
            {"BREKZSYNC_SHOP__TABLE_PREFIX": "a-b"},
            "BREKZSYNC_SHOP__TABLE_PREFIX may hold only letters, digits and underscores; "
            'it is "a-b". (in FILE)',
        ),
        (
            {"BREKZSYNC_SHOP__TABLE_PREFIX_FILE": "/x"},
            "BREKZSYNC_SHOP__TABLE_PREFIX_FILE is set, but only secrets can be read from a file.",
        ),
        (
            {"BREKZSYNC_SHOP__DATABASE_FILE": "/nonexistent/secret"},
            "Cannot read /nonexistent/secret, which BREKZSYNC_SHOP__DATABASE_FILE names: "
            "No such file or directory.",
        ),
        (
            {"BREKZSYNC_SHOP__DATABASE_FILE": "/x", "BREKZSYNC_SHOP__DATABASE": "y"},
            "Both BREKZSYNC_SHOP__DATABASE and BREKZSYNC_SHOP__DATABASE_FILE are set.",
        ),
        (
            {"BREKZSYNC_ORDERS__READY_STATES": "[2,"},
            "BREKZSYNC_ORDERS__READY_STATES holds a list or table that is not valid JSON.",
        ),
    ],
)
def test_a_wrong_override_is_named(write: Write, environ: dict[str, str], message: str) -> None:
    assert refusal(write(SHOP), environ)[0] == message


def test_a_variable_of_an_unknown_section_is_renamed_whole(write: Write) -> None:
    assert refusal(write(SHOP), {"BREKZSYNC_SHPO__DATABASE": "x"})[1] == (
        "Rename it to BREKZSYNC_SHOP__DATABASE, or remove it."
    )


# --- targets -------------------------------------------------------------------------------------------


def test_a_target_replaces_only_what_it_sets(write: Write, tmp_path: Path) -> None:
    settings = load_settings(
        write(
            SHOP
            + '[exact_xml]\nunit = "st"\ncurrency = "EUR"\n[products]\nitem_code = "key"\n'
            + '[targets.nl]\n[targets.be.exact_xml]\ncurrency = "USD"\n[targets.be.products]\noutput = "be"\n'
        ),
        {},
    )
    belgian = settings.for_target("be")

    assert settings.target_names() == ["nl", "be"]
    assert (belgian.exact_xml.unit, belgian.exact_xml.currency) == ("st", "USD")
    assert (belgian.products.item_code, belgian.products.output) == ("key", tmp_path / "be")
    assert settings.for_target("nl").products == settings.products
    assert belgian.source == settings.source


def test_an_unknown_target_names_the_known_ones(write: Write) -> None:
    settings = load_settings(write(SHOP), {})
    with pytest.raises(ConfigurationError, match=r'There is no target "fr" in .*; there are: exact'):
        settings.for_target("fr")


# --- values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        (
            "mysql://u:p@h:3306/d?charset=utf8mb4",
            f"mysql+{fastest_mysql_driver()}://u:p@h:3306/d?charset=utf8mb4",
        ),
        ("mariadb://u:p%40@[::1]/d", f"mysql+{fastest_mysql_driver()}://u:p%40@[::1]/d"),
        ("mysql+pymysql://u@h/d", "mysql+pymysql://u@h/d"),
        ("sqlite:///a/b.db?timeout=5", "sqlite:////conf/a/b.db?timeout=5"),
        ("sqlite:////abs/b.db", "sqlite:////abs/b.db"),
        ("sqlite:///file:b.db?mode=ro&uri=true", "sqlite:///file:/conf/b.db?mode=ro&uri=true"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite://", "sqlite://"),
    ],
)
def test_database_urls_are_made_ready(url: str, resolved: str) -> None:
    assert resolve_url(url, ("mysql", "mariadb", "sqlite"), Path("/conf")) == resolved


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=9999)))
def test_a_written_duration_reads_back(duration: timedelta) -> None:
    whole = timedelta(seconds=int(duration.total_seconds()))
    assert parse_duration(format_duration(whole)) == whole


@given(st.decimals(min_value=0, max_value=1, places=4))
def test_a_written_percentage_reads_back(share: Decimal) -> None:
    assert parse_percentage(format_percentage(share)) == share


@pytest.mark.parametrize("text", ["30", "", "5 minutes", "-5m", "1.5h", "5m30s"])
def test_an_ambiguous_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="30s, 5m, 24h or 7d"):
        parse_duration(text)


def test_every_key_is_described() -> None:
    """The reference and the starter file are written from these descriptions."""
    undescribed = [
        f"{name}.{key}"
        for name, section in Settings.model_fields.items()
        if hasattr(section.annotation, "model_fields")
        for key, field in section.annotation.model_fields.items()
        if not (field.description or "").endswith(".")
    ]
    assert undescribed == []


def test_reading_a_file_without_overrides_loads_nothing_heavy(write: Write) -> None:
    """pydantic-settings costs 45 ms more (it brings asyncio): only overrides are worth it."""
    program = (
        "import sys; from pathlib import Path; from brekzsync.settings import load_settings;"
        f"load_settings(Path({str(write(SHOP))!r}), {{}});"
        "heavy = ('pydantic_settings', 'asyncio', 'sqlalchemy', 'MySQLdb', 'rich');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=ENVIRON
    )
    assert done.stdout == "[]\n"
