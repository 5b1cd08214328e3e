"""Whatever is wrong: the right exit code, one sentence, what to do about it, and never a traceback."""

from __future__ import annotations

import ctypes
import json
import resource
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brekzsync.cli import main
from tests.exports import NOW, Installation, installation
from tests.services.prestashop import PrestaShopDatabase

EXPORT = ("products", "export")
SECRET = "s3cret-w0rd"


@pytest.fixture
def installed(prestashop: PrestaShopDatabase, shared: Path, tmp_path: Path) -> Installation:
    """brekzsync on the fixture shop, as it should be; each test spoils one thing."""
    return installation(tmp_path, shared, prestashop.url(driver=""))


class Refused:
    """A failed command, as a person and as a program saw it."""

    def __init__(self, installed: Installation, capfd: pytest.CaptureFixture[str], *words: str) -> None:
        self.said = installed.cli(*words)
        capfd.readouterr()
        self.json_code = main(["--config", str(installed.config), *words, "--json"])
        document = json.loads(capfd.readouterr().out)
        assert "error" in document, (self.json_code, document, self.said)
        self.error = document["error"]

    def expect(self, code: int, sentence: str, hint: str, error: str | None = None) -> None:
        """Both forms say the same: this exit code, a sentence with this in it, a hint with that."""
        assert (self.said.code, self.json_code, self.said.traceback) == (code, code, False), self.said.err
        assert self.said.err.count("Error: ") == self.said.err.count("Hint: ") == 1
        told, advised = self.said.err.partition("Error: ")[2].split("\nHint: ")
        assert sentence in told
        assert hint in advised
        assert told.endswith((".", ")"))
        assert "\n" not in told
        assert sentence in self.error["message"]
        assert hint in self.error["hint"]
        assert error in (None, self.error["code"])
        assert SECRET not in self.said.err + self.said.out + str(self.error)


Run = Callable[..., Refused]


@pytest.fixture
def refused(installed: Installation, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command that is to fail; ``products export`` unless words are given."""
    return lambda *words: Refused(installed, capfd, *(words or EXPORT))


def url_of(shop: PrestaShopDatabase, user: str = "reader", password: str = SECRET, **parts: str) -> str:
    """The shop's URL for another user, at another host, or of another database."""
    url = shop.url(driver="", user=user, password=password)
    for old, new in parts.items():
        url = url.replace({"host": f"127.0.0.1:{shop.server.port}", "database": shop.name}[old], new)
    return url


def create_reader(shop: PrestaShopDatabase, *grants: str) -> None:
    """A user of the database server with these rights and no others."""
    shop.execute(
        f"DROP USER IF EXISTS reader@'127.0.0.1'; CREATE USER reader@'127.0.0.1' IDENTIFIED BY '{SECRET}';"
        + "".join(f"GRANT {grant} TO reader@'127.0.0.1';" for grant in grants)
    )


# --- the way to the shop's database ------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1:1", "no-such-host.invalid"])
def test_a_server_that_is_not_there_is_unavailable(
    installed: Installation, refused: Run, prestashop: PrestaShopDatabase, host: str
) -> None:
    installed.set("shop", database=url_of(prestashop, host=host))

    refused().expect(69, "does not answer", "Check that the server", "unavailable")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("no url", "[shop] database"),
        ("postgresql://localhost/shop", "[shop] database"),
        ("mysql+nothing://localhost/shop", "'nothing'"),
        ("sqlite:///no-such-file.db", "unable to open"),
    ],
)
def test_a_url_that_cannot_be_meant_is_a_configuration_error(
    installed: Installation, refused: Run, url: str, sentence: str
) -> None:
    installed.set("shop", database=url)

    refused().expect(78, sentence, "")


def test_a_wrong_password_is_refused_without_repeating_it(
    installed: Installation, refused: Run, prestashop: PrestaShopDatabase
) -> None:
    create_reader(prestashop, "SELECT ON prestashop.*")
    installed.set("shop", database=url_of(prestashop, password=f"{SECRET}!"))

    refused().expect(77, "Access denied for user 'reader'", "Check user, password", "access_denied")


@pytest.mark.parametrize("grant", ["USAGE ON *.*", "INSERT ON prestashop.*"])
def test_a_user_that_may_not_select_is_refused(
    installed: Installation, refused: Run, prestashop: PrestaShopDatabase, grant: str
) -> None:
    create_reader(prestashop, grant)
    installed.set("shop", database=url_of(prestashop))

    refused().expect(77, "refused us", "SELECT right", "access_denied")


def test_a_user_that_may_only_select_is_enough(
    installed: Installation, prestashop: PrestaShopDatabase
) -> None:
    create_reader(prestashop, "SELECT ON prestashop.*")
    installed.set("shop", database=url_of(prestashop))

    said = installed.cli(*EXPORT, "--json")

    assert (said.code, said.document["counts"]["delivered"], said.err.count("\n")) == (0, 45, 0)


def test_a_database_that_does_not_exist(
    installed: Installation, refused: Run, prestashop: PrestaShopDatabase
) -> None:
    installed.set("shop", database=url_of(prestashop, user="root", password="", database="not_there"))

    refused().expect(78, "not_there", "Check the name", "configuration")


def test_a_database_that_is_no_prestashop(
    installed: Installation, refused: Run, prestashop: PrestaShopDatabase
) -> None:
    prestashop.server.create_database("empty")
    installed.set("shop", database=prestashop.server.url("empty", driver=""))

    refused().expect(78, "ps_configuration", "table_prefix", "configuration")


def test_a_missing_table_is_named(
    installed: Installation, refused: Run, prestashop: PrestaShopDatabase
) -> None:
    prestashop.execute("DROP TABLE ps_tax_rule")

    refused().expect(78, "lacks ps_tax_rule", "Check [shop] database", "configuration")


def test_a_missing_column_is_named(
    installed: Installation, refused: Run, prestashop: PrestaShopDatabase
) -> None:
    prestashop.execute("ALTER TABLE ps_specific_price DROP COLUMN reduction_tax")

    refused().expect(78, "ps_specific_price.reduction_tax", "1.7.6 to 9.1", "configuration")


def test_a_wrong_prefix_is_answered_with_the_right_one(installed: Installation, refused: Run) -> None:
    installed.set("shop", table_prefix="shop_")

    refused().expect(78, "'shop_'", 'table_prefix = "ps_"', "configuration")


# --- the configuration -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "keys", "sentence", "hint"),
    [
        ("shop", {"data_shop": "Belgie"}, "'Belgie'", "'Voorbeeldwinkel' (1)"),
        ("shop", {"data_shop": 7}, "'7'", "'Voorbeeldwinkel' (1)"),
        ("shop", {"language": "fr"}, "'fr'", "nl"),
        ("exact_xml", {"language_slots": {"nl": 0, "fr": 1}}, "'fr'", "nl"),
        ("products", {"exclude_column": "product.not_there"}, "not_there", "reference"),
        ("products", {"item_cod": "reference"}, "item_cod", "item_code"),
        ("produkts", {"item_code": "reference"}, "produkts", "products"),
        ("products", {"item_code": "{colour}"}, "item_code", ""),
        ("exact_xml", {"vat_codes": {"high": "2"}}, "high", ""),
        ("exact_xml", {"price_decimals": 9}, "price_decimals", ""),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_a_setting_that_cannot_be_is_named_with_what_could(
    installed: Installation, refused: Run, section: str, keys: dict[str, Any], sentence: str, hint: str
) -> None:
    installed.set(section, **keys)
    failed = refused()

    failed.expect(78, sentence, "")
    assert hint in failed.said.err
    assert not list(installed.folder.glob("outbox/items/*"))


def test_a_time_zone_nobody_knows(
    installed: Installation, refused: Run, prestashop: PrestaShopDatabase
) -> None:
    prestashop.execute("UPDATE ps_configuration SET value = 'Europe/Nowhere' WHERE name = 'PS_TIMEZONE'")

    refused().expect(78, "'Europe/Nowhere'", "tzdata")


def test_products_over_http_are_not_written_to_files(installed: Installation, refused: Run) -> None:
    installed.set("products", channel="http")

    refused().expect(78, "over HTTP", "brekzsync serve", "other_channel")
    assert not installed.outbox.exists()


def test_a_target_nobody_configured(installed: Installation, refused: Run) -> None:
    refused(*EXPORT, "--target", "belgium").expect(78, "belgium", "", "unknown_target")


# --- ids -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence", "error"),
    [
        (("999",), "999", "unknown_id"),
        (("6", "9-1"), "9-1", "unknown_id"),
        (("--by", "ean13", "123"), "ean13 123", "unknown_id"),
        (("6-a",), "'6-a' is not an id", "malformed_id"),
        (("99999999999999999999",), "is not an id", "malformed_id"),
        (("4294967296",), "4294967296", "unknown_id"),
    ],
)
def test_an_unknown_or_malformed_id_writes_nothing(
    installed: Installation, refused: Run, words: tuple[str, ...], sentence: str, error: str
) -> None:
    refused(*EXPORT, *words).expect(2, sentence, "", error)
    assert installed.unread() == set()


@pytest.mark.parametrize(
    "words",
    [("--by", "reference"), ("--limit", "-1"), ("--limit", "x"), ("--baseline", "--bulk"), ("--nope",)],
)
def test_a_line_that_cannot_be_meant_is_a_usage_error(
    installed: Installation, refused: Run, words: tuple[str, ...]
) -> None:
    refused(*EXPORT, *words).expect(2, "", "", "usage")


# --- the outbox and the disk -------------------------------------------------------------------------------


def obey_file_modes() -> None:
    """In the child: root gives up the right to ignore them, as it takes effect with the next program."""
    libc = ctypes.CDLL(None)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def limited_to(size: int) -> Callable[[], None]:
    """In the child: no file grows beyond this, so that the disk looks full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def run(installed: Installation, *words: str, before: Callable[[], None]) -> subprocess.CompletedProcess[str]:
    """``products export`` in a process that prepares itself first."""
    return subprocess.run(
        installed.command(*EXPORT, *words),
        cwd=installed.folder,
        # Compiled modules would be cut off at the limit as well, and stay so for everybody.
        env=installed.process_environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=before,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("mode", [0o500, 0o300], ids=["unwritable", "unreadable"])
@pytest.mark.parametrize("inner", [False, True], ids=["the folder", "its items"])
def test_an_outbox_this_user_may_not_use(installed: Installation, mode: int, inner: bool) -> None:
    folder = installed.outbox / "items" if inner else installed.outbox
    folder.mkdir(parents=True)
    folder.chmod(mode)
    try:
        done = run(installed, before=obey_file_modes)
    finally:
        folder.chmod(0o700)

    assert (done.returncode, "Traceback" in done.stderr) == (78, False)
    assert f"Error: Cannot write {folder}: permission denied.\nHint: Give this user" in done.stderr
    assert len(installed.export().keys) == 45


@pytest.mark.parametrize("beneath", ["", "/outbox"], ids=["itself", "a folder above it"])
def test_an_outbox_that_is_a_file(installed: Installation, refused: Run, beneath: str) -> None:
    (installed.folder / "taken").write_text("mine")

    failed = refused(*EXPORT, "--output", f"{installed.folder}/taken{beneath}")

    failed.expect(78, "Cannot write", "Choose another folder", "output_unusable")
    assert (installed.folder / "taken").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "room"),
    [
        pytest.param((), 1250, id="files"),
        pytest.param(("--bulk",), 30_000, id="bulk"),
        pytest.param(("--bulk",), 15_000, id="bulk, temporary files too"),
    ],
)
def test_a_full_disk_leaves_nothing_half_written_and_loses_nothing(
    installed: Installation, prestashop: PrestaShopDatabase, words: tuple[str, ...], room: int
) -> None:
    prestashop.server.create_database("state")
    installed.set("state", database=prestashop.server.url("state", driver=""))
    if not words:  # the twentieth item is the first that does not fit
        prestashop.execute("UPDATE ps_product_lang SET name = REPEAT('long ', 25) WHERE id_product = 4")
        prestashop.execute("UPDATE ps_category_lang SET name = REPEAT('long ', 25) WHERE id_category = 9")

    done = run(installed, *words, before=limited_to(room))

    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert "Error: Cannot write" in done.stderr
    assert "Hint: Free some space there and run the same command again" in done.stderr
    for path in installed.outbox.rglob("*.xml"):
        installed.validated(path) if path.name != "index.xml" else installed.indexed()
    assert not list(installed.outbox.rglob("*.part"))
    delivered = set(installed.take())
    rest = installed.export().keys
    assert (len(rest) + len(delivered - rest), len(installed.export().keys)) == (45, 0)


def test_a_full_disk_under_the_state_is_told_as_such(installed: Installation) -> None:
    done = run(installed, before=limited_to(30_000))

    assert (done.returncode in (1, 69), "Traceback" in done.stderr) == (True, False), done.stderr
    assert "Error: " in done.stderr
    assert "Hint: " in done.stderr
    assert "Unexpected" not in done.stderr
    (installed.folder / "state.db").unlink(missing_ok=True)
    assert len(installed.export().keys) == 45


# --- a server that goes away -------------------------------------------------------------------------------

MANY = """
INSERT INTO ps_product (id_product, id_tax_rules_group, reference, date_add, date_upd)
  SELECT seq, 1, CONCAT('N', seq), NOW(), NOW() FROM seq_1001_to_6000;
INSERT INTO ps_product_shop (id_product, id_shop, id_tax_rules_group, active, price, date_add, date_upd)
  SELECT seq, 1, 1, 1, 5, NOW(), NOW() FROM seq_1001_to_6000;
INSERT INTO ps_product_lang (id_product, id_shop, id_lang, name, link_rewrite)
  SELECT seq, 1, 1, CONCAT('Product ', seq), '' FROM seq_1001_to_6000;
"""


def test_a_database_killed_in_mid_stream_judges_nothing_deleted(
    installed: Installation, prestashop: PrestaShopDatabase
) -> None:
    prestashop.execute(MANY)
    assert installed.run(baseline=True).baselined == 5045
    prestashop.execute(
        "DELETE FROM ps_product WHERE id_product IN (6, 1500, 5999);"
        "UPDATE ps_product_lang SET name = CONCAT(name, '!')"
    )
    started = subprocess.Popen(
        installed.command(*EXPORT, "--json"),
        cwd=installed.folder,
        env=installed.process_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    items = installed.outbox / "items"
    give_up = time.monotonic() + 60
    while not (items.is_dir() and next(items.glob("*.xml"), None)) and time.monotonic() < give_up:
        time.sleep(0.002)
    prestashop.server.kill()
    out, err = started.communicate(timeout=60)
    document = json.loads(out)

    assert (started.returncode, document["error"]["code"], "Traceback" in err) == (69, "unavailable", False)
    assert "what is left is exported next run" in document["error"]["hint"]
    first = installed.unread()
    assert 0 < len(first) < 5042
    assert installed.remembered((6, 0), (1500, 0), (5999, 0)) == [("synced", None, True)] * 3
    assert set(installed.indexed()) == first
    installed.take()

    prestashop.server.start()
    rest = installed.export(NOW)
    assert (rest.keys & first, len(rest.keys) + len(first)) == (set(), 5042)
    assert rest.tally.reasons["deleted"] == 3


def test_a_second_run_at_the_same_time_is_turned_away(installed: Installation, refused: Run) -> None:
    with installed.state() as state, state.locks.hold("product", "exact"):
        refused().expect(75, "product", "", "lock_held")
        silent = installed.cli(*EXPORT, "--cron")

    assert silent == (75, "", "")
    assert installed.cli(*EXPORT).code == 0


# --- what may lie in a shop's tables ------------------------------------------------------------------------


def test_an_empty_catalogue_is_nothing_to_do(installed: Installation, prestashop: PrestaShopDatabase) -> None:
    prestashop.execute("DELETE FROM ps_product")

    said = installed.cli(*EXPORT, "--json")

    assert (said.code, said.document["counts"]["read"], said.document["indexed"]) == (0, 0, 0)
    assert installed.indexed() == []


def test_a_catalogue_emptied_after_an_export_is_all_deleted(
    installed: Installation, prestashop: PrestaShopDatabase
) -> None:
    installed.export()
    prestashop.execute("DELETE FROM ps_product")

    said = installed.cli(*EXPORT, "--json")

    assert (said.code, said.document["reasons"]) == (0, {"deleted": 45})


READ = [
    "product",
    "product_shop",
    "product_attribute",
    "product_attribute_shop",
    "product_lang",
    "image_shop",
    "category_lang",
    "manufacturer",
]


def test_nulls_wherever_a_column_takes_one(installed: Installation, prestashop: PrestaShopDatabase) -> None:
    rows = prestashop.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE()"
        f" AND is_nullable = 'YES' AND table_name IN ({', '.join(repr(f'ps_{name}') for name in READ)})"
    )
    for table, column in rows:
        key = "id_manufacturer = 1" if table == "ps_manufacturer" else "id_category = 4"
        if "product" in table or "image" in table:
            key = "id_product IN (1, 6, 15)"
        prestashop.execute(f"UPDATE {table} SET `{column}` = NULL WHERE {key}")
    prestashop.execute(
        "UPDATE ps_configuration SET value = NULL"
        " WHERE name IN ('PS_SPECIFIC_PRICE_PRIORITIES', 'PS_UNIDENTIFIED_GROUP', 'PS_TIMEZONE')"
    )

    said = installed.cli(*EXPORT, "--json")

    assert len(rows) > 15
    assert (said.code, said.traceback, said.document["reasons"]["missing_item_code"]) == (3, False, 10)
    assert (said.document["counts"]["delivered"], len(installed.take())) == (35, 35)


def test_zero_dates_are_dates_like_any_other(installed: Installation, prestashop: PrestaShopDatabase) -> None:
    zero = "'0000-00-00 00:00:00'"
    prestashop.execute(
        f"SET sql_mode = ''; UPDATE ps_product SET date_add = {zero}, date_upd = {zero}, available_date = {zero};"
        f"UPDATE ps_product_shop SET date_add = {zero}, date_upd = {zero}, available_date = {zero};"
        f"UPDATE ps_specific_price SET `from` = '2026-00-00 10:00:00', `to` = {zero} WHERE id_product = 1;"
        f"UPDATE ps_specific_price SET `from` = {zero}, `to` = '2027-02-00 10:00:00' WHERE id_product = 2"
    )

    said = installed.cli(*EXPORT, "--json")

    assert (said.code, said.document["counts"]["delivered"], said.traceback) == (0, 45, False), said
    documents = installed.take()
    assert [one.specials[0].first for key, one in documents.items() if key.startswith("1-")] == [
        "2000-01-01"
    ] * 8
    assert not documents["2-9"].specials


def test_latin1_columns_arrive_as_what_they_mean(
    installed: Installation, prestashop: PrestaShopDatabase
) -> None:
    prestashop.execute(
        "ALTER TABLE ps_product_lang MODIFY name VARCHAR(128) CHARACTER SET latin1 NOT NULL;"
        "ALTER TABLE ps_manufacturer MODIFY name VARCHAR(64) CHARACTER SET latin1 NOT NULL;"
        "UPDATE ps_product_lang SET name = 'Café à la crème' WHERE id_product = 6;"
        "UPDATE ps_manufacturer SET name = 'Bröd & Söner'"
    )

    said = installed.cli(*EXPORT)
    document = installed.take()["6-0"]

    assert said.code == 0
    assert (document.description, document.brand) == ("Café à la crème", "Bröd & Söner")


def test_bytes_that_are_no_text_are_replaced_and_stop_nothing(
    installed: Installation, prestashop: PrestaShopDatabase
) -> None:
    prestashop.execute(
        "ALTER TABLE ps_product_lang MODIFY name VARBINARY(128) NOT NULL;"
        "ALTER TABLE ps_product MODIFY reference VARBINARY(64), MODIFY ean13 VARBINARY(13);"
        "ALTER TABLE ps_attribute_lang MODIFY name VARBINARY(128) NOT NULL;"
        "ALTER TABLE ps_category_lang MODIFY name VARBINARY(128) NOT NULL;"
        "UPDATE ps_product_lang SET name = X'4D6F6B20E920FF' WHERE id_product = 6;"
        "UPDATE ps_product SET reference = X'80', ean13 = X'C3' WHERE id_product = 6;"
        "UPDATE ps_attribute_lang SET name = X'F0' WHERE id_attribute = 1;"
        "UPDATE ps_category_lang SET name = X'0041FE' WHERE id_category = 8"
    )

    said = installed.cli(*EXPORT, "--json")
    documents = installed.take()

    assert (said.code, said.traceback, len(documents)) == (0, False, 45)
    document = documents["6-0"]
    assert (document.code, document.description, document.gtin) == ("\ufffd-0", "Mok \ufffd \ufffd", "\ufffd")
    assert documents["1-1"].description == "Hummingbird printed t-shirt \ufffd White"
    assert {one.category for one in documents.values() if one.category_code == "8"} == {"A\ufffd"}


def test_prices_below_zero_fail_and_long_ones_go_out_digit_for_digit(
    installed: Installation, prestashop: PrestaShopDatabase
) -> None:
    prestashop.execute(
        "UPDATE ps_product_shop SET price = -0.01 WHERE id_product = 6;"
        "UPDATE ps_product_shop SET price = 99999999999999.999949 WHERE id_product = 8;"
        "UPDATE ps_product_shop SET price = 0.000050 WHERE id_product = 19;"
        "UPDATE ps_specific_price SET id_product = 8, reduction = 0.333333 WHERE id_product = 1"
    )

    said = installed.cli(*EXPORT, "--json")
    documents = installed.take()

    assert (said.code, said.document["error"]["code"]) == (3, "records_failed")
    assert [(one["key"], one["reason"]) for one in said.document["failures"]] == [("6-0", "missing_price")]
    assert "-0.01" in said.document["failures"][0]["message"]
    assert (documents["8-0"].price, documents["19-0"].price) == ("99999999999999.9999", "0.0001")
    assert documents["8-0"].special == "66666700000000"


def test_characters_xml_forbids_are_removed_and_counted(
    installed: Installation, prestashop: PrestaShopDatabase
) -> None:
    prestashop.execute(
        "UPDATE ps_product_lang SET name = CONCAT('<b>&\"', CHAR(1), CHAR(11), ']]>', CHAR(9), 'é 🐾')"
        " WHERE id_product = 6"
    )

    said = installed.cli(*EXPORT, "6", "--json")

    assert said.document["warnings"]["control_characters_removed"] == 1
    assert installed.take()["6-0"].description == '<b>&"]]> é 🐾'
