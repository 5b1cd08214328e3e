"""What ``doctor`` finds of a shop: the genuine PrestaShop database, and users with rights of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from brekzsync.demo.folder import make_demo
from brekzsync.domain.findings import passed, skipped
from brekzsync.errors import AccessDenied, ConfigurationError, Unavailable
from brekzsync.prestashop.health import ShopHealth, slots
from brekzsync.prestashop.shop import ShopOptions
from tests.services.prestashop import PrestaShopDatabase

# Of the fixtures' newest date, 08:03 shop time (Europe/Amsterdam) of that day.
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
Make = Callable[..., ShopHealth]


def options(**changes: Any) -> ShopOptions:
    given: dict[str, Any] = {
        "table_prefix": "ps_",
        "data_shop": 1,
        "language": "",
        "slots": {"nl": 0},
        "slots_wanted": False,
        "exclude_column": "",
    }
    return ShopOptions(**(given | changes))


@pytest.fixture
def health(prestashop: PrestaShopDatabase) -> Iterator[Make]:
    """Makes the checks of the shop for a user (root unless told) with these grants."""
    made: list[ShopHealth] = []

    def make(
        *grants: str,
        writes_stock: bool = False,
        reads_orders: bool = False,
        now: datetime = NOW,
        **changes: object,
    ) -> ShopHealth:
        url = prestashop.url()
        if grants:
            url = prestashop.url(user="checked", password="secret-pw")
            prestashop.execute("CREATE OR REPLACE USER checked IDENTIFIED BY 'secret-pw'")
            for grant in grants:
                prestashop.execute(grant)
        made.append(
            ShopHealth(
                url,
                options(**changes),
                lambda: now,
                writes_stock=writes_stock,
                reads_orders=reads_orders,
            )
        )
        return made[-1]

    yield make
    for one in made:
        one.dispose()
    prestashop.execute(
        "DROP USER IF EXISTS checked; DROP ROLE IF EXISTS writer; DROP ROLE IF EXISTS inner_writer"
    )


READER = "GRANT SELECT ON prestashop.* TO checked"


def grants_but(prestashop: PrestaShopDatabase, table: str) -> str:
    """SELECT on every table but one."""
    tables = [row[0] for row in prestashop.execute("SHOW TABLES")]
    return ";".join(f"GRANT SELECT ON prestashop.{one} TO checked" for one in tables if one != table)


def test_a_sound_shop_with_a_reader_passes_every_check(health: Make, prestashop: PrestaShopDatabase) -> None:
    made = health(READER)
    findings = {check.name: check.look() for check in made.checks()}

    connection, clock = findings.pop("connection"), findings.pop("clock")
    assert connection.detail.startswith("mysql+pymysql://checked:***@127.0.0.1:")
    assert "MariaDB" in connection.detail
    assert clock.verdict == "warning"  # the test's now is not the server's
    assert findings == {
        "may read": passed("SELECT on all 28 tables that are read."),
        "may not write": passed("The user can write nothing."),
        "tables": passed("PrestaShop 8.2.1; all 28 tables with their columns are there."),
        "orders": skipped("Not configured: [orders] says nothing, so none are exported."),
        "data shop": findings["data shop"],
        "currency": findings["currency"],
        "tax country": findings["tax country"],
        "time zone": findings["time zone"],
        "stock hooks": skipped("Stock goes through the webservice, which tells every module."),
    }
    assert {finding.verdict.value for finding in findings.values()} == {"passed", "skipped"}


# --- rights ------------------------------------------------------------------------------------------------


def test_a_table_that_may_not_be_read_is_named_with_the_grant(health: Make) -> None:
    made = health("GRANT SELECT ON prestashop.ps_product TO checked")

    with pytest.raises(AccessDenied) as raised:
        made.read_rights()

    assert raised.value.message == (
        "The shop's user may not read ps_configuration, ps_shop, ps_shop_group, ps_lang, ps_currency"
        " and 22 more."
    )
    assert raised.value.hint.startswith(
        "As an administrator: GRANT SELECT ON `prestashop`.`ps_configuration` TO that user;"
    )


def test_a_right_on_some_columns_only_is_not_enough_to_read_a_table(
    health: Make, prestashop: PrestaShopDatabase
) -> None:
    made = health(
        grants_but(prestashop, "ps_product"), "GRANT SELECT (id_product) ON prestashop.ps_product TO checked"
    )

    with pytest.raises(AccessDenied, match=r"^The shop's user may not read ps_product\.$"):
        made.read_rights()


def test_the_columns_that_are_read_are_enough(health: Make, prestashop: PrestaShopDatabase) -> None:
    made = health(
        grants_but(prestashop, "ps_configuration"),
        "GRANT SELECT (id_configuration, id_shop_group, id_shop, name, value)"
        " ON prestashop.ps_configuration TO checked",
    )

    assert made.read_rights() == passed("SELECT on all 28 tables that are read.")


def test_who_exports_orders_needs_their_tables_too(health: Make, prestashop: PrestaShopDatabase) -> None:
    lacking = grants_but(prestashop, "ps_order_slip")

    assert health(READER, reads_orders=True).orders() == passed(
        "All 15 tables of orders and refunds can be read, with their columns."
    )
    assert health(lacking).orders().verdict == "skipped"
    with pytest.raises(AccessDenied) as raised:
        health(lacking, reads_orders=True).orders()
    assert raised.value.message == "The shop's user may not read ps_order_slip."
    assert "GRANT SELECT ON `prestashop`.`ps_order_slip` TO that user" in raised.value.hint


def test_orders_of_a_shop_whose_tables_lack_a_column_are_a_failure(
    health: Make, prestashop: PrestaShopDatabase
) -> None:
    prestashop.execute("ALTER TABLE ps_orders RENAME COLUMN carrier_tax_rate TO other")
    try:
        with pytest.raises(ConfigurationError, match=r"lack columns brekzsync reads: ps_orders\.carrier_tax"):
            health(reads_orders=True).orders()
    finally:
        prestashop.execute("ALTER TABLE ps_orders RENAME COLUMN other TO carrier_tax_rate")


def test_a_user_who_may_write_is_warned_of(health: Make) -> None:
    finding = health(READER, "GRANT UPDATE, DELETE ON prestashop.ps_product TO checked").write_rights()

    assert (finding.verdict, finding.detail) == (
        "warning",
        "The shop's user may do more than it has to: DELETE, UPDATE on prestashop.ps_product.",
    )
    assert "docs/how-to/read-only-database-user.md" in finding.remedy


def test_root_is_warned_of(health: Make) -> None:
    assert "ALL PRIVILEGES" in health().write_rights().detail


def test_rights_over_another_database_do_not_matter(health: Make) -> None:
    made = health(READER, "GRANT ALL PRIVILEGES ON `elsewhere`.* TO checked")

    assert made.write_rights() == passed("The user can write nothing.")


def test_a_role_that_could_be_taken_on_counts_also_one_within_another(health: Make) -> None:
    finding = health(
        READER,
        "CREATE OR REPLACE ROLE inner_writer",
        "CREATE OR REPLACE ROLE writer",
        "GRANT INSERT ON prestashop.* TO inner_writer",
        "GRANT inner_writer TO writer",
        "GRANT writer TO checked",
    ).write_rights()

    assert finding.detail == "The shop's user may do more than it has to: INSERT on prestashop.*."


def test_a_default_role_counts_as_well(health: Make) -> None:
    finding = health(
        READER,
        "CREATE OR REPLACE ROLE writer",
        "GRANT DROP ON prestashop.* TO writer",
        "GRANT writer TO checked",
        "SET DEFAULT ROLE writer FOR checked",
    ).write_rights()

    assert finding.detail == "The shop's user may do more than it has to: DROP on prestashop.*."


def test_who_writes_stock_into_the_database_needs_that_one_table(health: Make) -> None:
    stock = "GRANT INSERT, UPDATE ON prestashop.ps_stock_available TO checked"

    assert health(READER, stock, writes_stock=True).write_rights() == passed(
        "The user can write nothing but ps_stock_available."
    )
    lacking = health(READER, writes_stock=True).write_rights()
    assert lacking.detail == (
        '[stock] write_via is "database", and the shop\'s user may not write ps_stock_available.'
    )
    assert health(READER, stock).write_rights().verdict == "warning"


# --- the shop itself ---------------------------------------------------------------------------------------


def test_a_wrong_prefix_is_told_with_the_right_one(health: Make) -> None:
    with pytest.raises(ConfigurationError) as raised:
        health(table_prefix="shop_").tables()

    assert raised.value.hint == 'Set [shop] table_prefix = "ps_".'


@pytest.mark.parametrize(
    ("version", "verdict"),
    [("1.7.6.0", "passed"), ("9.1.3", "passed"), ("1.6.1.24", "warning"), ("9.2.0", "warning")],
)
def test_a_version_nobody_tried_is_warned_of(
    health: Make, prestashop: PrestaShopDatabase, version: str, verdict: str
) -> None:
    prestashop.execute("UPDATE ps_configuration SET value = %s WHERE name = 'PS_VERSION_DB'", [version])

    finding = health().tables()

    assert finding.verdict == verdict
    assert f"PrestaShop {version}" in finding.detail


def test_a_data_shop_or_language_that_does_not_exist_fails(health: Make) -> None:
    with pytest.raises(ConfigurationError, match="is not a shop of this PrestaShop"):
        health(data_shop="Mars").data_shop()
    with pytest.raises(ConfigurationError, match="is not installed in this PrestaShop"):
        health(language="xx").data_shop()


def test_a_data_shop_that_is_switched_off_is_warned_of(health: Make, prestashop: PrestaShopDatabase) -> None:
    prestashop.execute("UPDATE ps_shop SET active = 0")

    finding = health().data_shop()

    assert finding.verdict == "warning"
    assert finding.detail.endswith(", is switched off.")


def test_a_shop_without_currency_or_country_is_warned_of(
    health: Make, prestashop: PrestaShopDatabase
) -> None:
    prestashop.execute(
        "DELETE FROM ps_configuration WHERE name IN ('PS_CURRENCY_DEFAULT', 'PS_COUNTRY_DEFAULT')"
    )

    assert "has no default currency" in health().currency().detail
    assert "has no default country" in health().tax_country().detail


def test_language_slots_are_looked_at_as_an_export_would(prestashop: PrestaShopDatabase) -> None:
    def look(**changes: object) -> object:
        return slots(prestashop.url(), options(**changes), lambda: NOW)

    iso = prestashop.execute("SELECT iso_code FROM ps_lang ORDER BY id_lang")[0][0]
    assert look(slots={iso: 0, "xx": 1}) == passed(f"Slots that are filled: 0 with {iso}.")
    with pytest.raises(ConfigurationError, match="language_slots names the language 'xx'"):
        look(slots={"xx": 1}, slots_wanted=True)
    with pytest.raises(ConfigurationError):
        look(exclude_column="product.no_such_column")


# --- time --------------------------------------------------------------------------------------------------


def test_a_shop_that_writes_in_another_zone_is_warned_of(
    health: Make, prestashop: PrestaShopDatabase
) -> None:
    assert health().time_zone().detail.startswith("Europe/Amsterdam; the newest change is dated 2026-11-21 ")

    prestashop.execute("UPDATE ps_orders SET date_add = '2026-11-21 14:00:30' LIMIT 1")

    finding = health().time_zone()
    assert finding.verdict == "warning"
    assert finding.detail.endswith("the shop writes in another zone than its PS_TIMEZONE says.")


def test_dates_of_orders_are_left_out_where_they_may_not_be_read(
    health: Make, prestashop: PrestaShopDatabase
) -> None:
    prestashop.execute("UPDATE ps_orders SET date_add = '2026-11-21 14:00:30' LIMIT 1")

    assert health(grants_but(prestashop, "ps_orders")).time_zone().verdict == "passed"


def test_shops_of_several_zones_are_warned_of(health: Make, prestashop: PrestaShopDatabase) -> None:
    prestashop.execute(
        "INSERT INTO ps_configuration (id_shop_group, id_shop, name, value, date_add, date_upd)"
        " VALUES (1, 2, 'PS_TIMEZONE', 'Europe/London', NOW(), NOW())"
    )

    assert health().time_zone().detail == (
        "The shops write their dates in several time zones (Europe/Amsterdam, Europe/London);"
        " Europe/Amsterdam is assumed."
    )


def test_the_servers_clock_is_compared_with_ours(health: Make) -> None:
    now = datetime.now(UTC)

    assert health(now=now).clock() == passed("The database server's clock and this machine's agree.")
    assert health(now=now + timedelta(minutes=7)).clock().detail == (
        "The database server's clock is 7 minutes behind this machine's."
    )
    assert health(now=now - timedelta(hours=1)).clock().detail == (
        "The database server's clock is 60 minutes ahead of this machine's."
    )


# --- stock -------------------------------------------------------------------------------------------------


def test_modules_that_would_not_hear_of_stock_are_listed(
    health: Make, prestashop: PrestaShopDatabase
) -> None:
    prestashop.execute("DELETE FROM ps_hook_module WHERE id_hook = 9")
    assert health(writes_stock=True).stock_hooks() == passed("No active module listens to stock.")

    prestashop.execute(
        "INSERT INTO ps_module (name, active, version) VALUES ('alerts', 1, '1'), ('asleep', 0, '1')"
    )
    prestashop.execute(
        "INSERT INTO ps_hook_module (id_module, id_shop, id_hook, position)"
        " SELECT id_module, id_shop, 9, 1 FROM ps_module JOIN ps_shop WHERE ps_module.name IN ('alerts', 'asleep')"
    )
    assert health(writes_stock=True).stock_hooks().detail == (
        "Modules that would not notice stock written into the database: alerts."
    )


def test_hooks_that_may_not_be_read_are_a_warning(health: Make) -> None:
    finding = health("GRANT SELECT ON prestashop.ps_product TO checked", writes_stock=True).stock_hooks()

    assert finding.verdict == "warning"
    assert finding.detail.startswith("Which modules listen to stock cannot be looked up: ")


# --- where there is none -----------------------------------------------------------------------------------


def test_a_shop_on_sqlite_has_neither_grants_nor_a_clock(tmp_path: Path) -> None:
    make_demo(tmp_path / "demo", NOW)
    made = ShopHealth(
        f"sqlite:///{tmp_path}/demo/shop.db", options(data_shop="NL"), lambda: NOW, writes_stock=False
    )

    verdicts = {check.name: check.look().verdict.value for check in made.checks()}

    made.dispose()
    skips = {"may read", "may not write", "orders", "clock", "stock hooks"}
    assert verdicts == {name: "skipped" if name in skips else "passed" for name in verdicts}


def test_a_wrong_password_is_denied_and_a_server_that_is_away_unavailable(
    prestashop: PrestaShopDatabase,
) -> None:
    wrong = ShopHealth(
        prestashop.url(user="nobody", password="wrong-pw"), options(), lambda: NOW, writes_stock=False
    )
    with pytest.raises(AccessDenied) as raised:
        wrong.connection()
    assert "wrong-pw" not in raised.value.message + raised.value.hint

    away = ShopHealth("mysql+pymysql://u:pw@127.0.0.1:1/shop", options(), lambda: NOW, writes_stock=False)
    with pytest.raises(Unavailable):
        away.connection()
