"""The private server and the fixture shop keep what the other tests build on."""

from __future__ import annotations

import pymysql
import pytest
from sqlalchemy import create_engine, text

from tests.services.mariadb import MariaDB
from tests.services.prestashop import PrestaShopDatabase, PrestaShopFixtures


def test_a_killed_server_comes_back_with_its_data_on_the_same_port(mariadb: MariaDB) -> None:
    mariadb.create_database("kept")
    mariadb.execute("kept", "CREATE TABLE t (n INT) ENGINE=InnoDB; INSERT INTO t VALUES (1), (2)")
    port = mariadb.port
    mariadb.kill()
    with pytest.raises(pymysql.err.OperationalError):
        mariadb.execute("kept", "SELECT 1")
    mariadb.start()
    assert (mariadb.port, mariadb.execute("kept", "SELECT n FROM t ORDER BY n")) == (port, [(1,), (2,)])


def test_the_url_reaches_the_database_over_the_network(mariadb: MariaDB) -> None:
    mariadb.create_database("reached", charset="latin1")
    with create_engine(mariadb.url("reached")).connect() as connection:
        row = connection.execute(text("SELECT DATABASE(), @@character_set_database")).one()
    assert tuple(row) == ("reached", "latin1")


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM ps_product",
        "UPDATE ps_product SET price = price + 1 WHERE id_product = 1",
        "INSERT INTO ps_tag (id_lang, name) VALUES (1, 'x'); DELETE FROM ps_tag WHERE name = 'x'",
        "ALTER TABLE ps_product ADD COLUMN hidden INT",
        "DROP TABLE ps_specific_price",
        "RENAME TABLE ps_product TO other_product",
        "CREATE TABLE ps_more (n INT)",
    ],
)
def test_a_fresh_shop_knows_nothing_of_the_test_before(
    prestashop_fixtures: PrestaShopFixtures, prestashop: PrestaShopDatabase, damage: str
) -> None:
    before = state_of(prestashop)
    prestashop.execute(damage)
    assert state_of(prestashop) != before
    assert state_of(prestashop_fixtures.fresh()) == before


def state_of(shop: PrestaShopDatabase) -> tuple[object, ...]:
    """Every table with its next auto-increment value and the sum over its rows."""
    tables = shop.execute(
        "SELECT table_name, auto_increment FROM information_schema.tables WHERE table_schema = DATABASE()"
        " ORDER BY table_name"
    )
    columns = shop.execute("SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()")
    sums = shop.execute("CHECKSUM TABLE " + ", ".join(name for name, _ in tables))
    return tables, columns, sums
