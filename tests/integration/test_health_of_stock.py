"""What doctor finds of the shop's stock tables, and of the user who writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from brekzsync.domain.findings import Finding, Verdict, passed, skipped
from brekzsync.errors import AccessDenied, ConfigurationError
from brekzsync.prestashop.stock_health import stock_check, writer_check
from tests.services.prestashop import PrestaShopDatabase

User = Callable[..., str]
READER = "GRANT SELECT ON prestashop.* TO stockuser"
WRITER = "GRANT UPDATE ON prestashop.ps_stock_available TO stockuser"
RECORDER = "GRANT INSERT ON prestashop.ps_stock_mvt TO stockuser"


@pytest.fixture
def user(prestashop: PrestaShopDatabase) -> Iterator[User]:
    """Makes a user with these grants and gives its URL."""

    def make(*grants: str) -> str:
        prestashop.execute("CREATE OR REPLACE USER stockuser IDENTIFIED BY 'secret-pw'")
        for grant in grants:
            prestashop.execute(grant)
        return prestashop.url(user="stockuser", password="secret-pw")

    yield make
    prestashop.execute("DROP USER IF EXISTS stockuser")


def looked(url: str, shop_url: str, *, movements: bool = False) -> Finding:
    return writer_check(url, shop_url, "ps_", movements=movements).look()


def test_the_tables_of_stock_are_looked_at_where_stock_is_kept(prestashop: PrestaShopDatabase) -> None:
    assert stock_check(prestashop.url(), "ps_", is_read=True).look() == passed(
        "All 6 tables of stock can be read, with their columns."
    )
    assert stock_check("sqlite:///nowhere.db", "ps_", is_read=False).look() == skipped(
        "Not configured: [stock] says nothing."
    )


def test_a_table_of_stock_that_may_not_be_read_is_named_with_its_grant(user: User) -> None:
    url = user(
        *(
            f"GRANT SELECT ON prestashop.ps_{table} TO stockuser"
            for table in ("shop_group", "product", "product_shop", "product_attribute", "pack")
        )
    )

    with pytest.raises(AccessDenied) as raised:
        stock_check(url, "ps_", is_read=True).look()

    assert raised.value.message == "The shop's user may not read ps_stock_available."
    assert "GRANT SELECT ON `prestashop`.`ps_stock_available` TO that user" in raised.value.hint


def test_a_table_of_stock_that_is_not_there_is_told(prestashop: PrestaShopDatabase) -> None:
    with pytest.raises(ConfigurationError):
        stock_check(prestashop.url(), "shop_", is_read=True).look()


def test_a_writer_that_may_do_what_it_has_to_and_no_more_is_right(
    prestashop: PrestaShopDatabase, user: User
) -> None:
    url = user(READER, WRITER)

    assert looked(url, prestashop.url()) == passed("The user can write ps_stock_available, and nothing else.")


def test_a_writer_that_may_not_write_is_told_what_to_grant(
    prestashop: PrestaShopDatabase, user: User
) -> None:
    with pytest.raises(AccessDenied) as raised:
        looked(user(READER), prestashop.url(), movements=True)

    assert raised.value.message == (
        "The user of [stock] database may not write ps_stock_available, ps_stock_mvt."
    )
    assert raised.value.hint == (
        "As an administrator: GRANT SELECT, UPDATE ON `prestashop`.`ps_stock_available` TO that user;"
        " GRANT SELECT, INSERT ON `prestashop`.`ps_stock_mvt` TO that user."
    )


def test_movements_are_written_by_a_right_of_their_own(prestashop: PrestaShopDatabase, user: User) -> None:
    url = user(READER, WRITER, RECORDER)

    assert looked(url, prestashop.url(), movements=True).verdict is Verdict.PASSED
    spare = looked(url, prestashop.url())
    assert (spare.verdict, spare.detail) == (
        Verdict.WARNING,
        "The user of [stock] database may do more than it has to: INSERT on prestashop.ps_stock_mvt.",
    )


def test_a_writer_of_another_database_is_warned_of(prestashop: PrestaShopDatabase) -> None:
    other = prestashop.url().replace("/prestashop", "/elsewhere")

    finding = looked(other, prestashop.url())

    assert finding.detail == "[stock] database names elsewhere, and [shop] database prestashop."


def test_a_file_has_no_grants() -> None:
    assert looked("sqlite:///shop.db", "sqlite:///shop.db").verdict is Verdict.SKIPPED
