"""What an account may do, from the lines a server gives for ``SHOW GRANTS``."""

from __future__ import annotations

import pytest

from brekzsync.prestashop.grants import Grant, allows, beyond_reading, granted_roles, parse_grants

STOCK = Grant(frozenset({"INSERT", "UPDATE"}), "shop", "ps_stock_available")


def spare(*lines: str, needed: list[Grant] | None = None) -> list[str]:
    return beyond_reading(parse_grants(lines), "shop", needed or [])


@pytest.mark.parametrize(
    "line",
    [
        "GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9'",
        "GRANT SELECT ON `shop`.* TO `u`@`%`",
        "GRANT SELECT, SHOW VIEW, LOCK TABLES ON `shop`.* TO `u`@`%`",
        "GRANT SELECT (`name`, `value`) ON `shop`.`ps_configuration` TO `u`@`%`",
        "GRANT PROCESS, REPLICATION CLIENT ON *.* TO `u`@`%`",
        "GRANT ALL PRIVILEGES ON `brekzsync`.* TO `u`@`%`",
        "GRANT `reader` TO `u`@`%`",
        "SET DEFAULT ROLE `reader` FOR `u`@`%`",
    ],
)
def test_reading_and_what_concerns_other_databases_is_nothing_to_warn_of(line: str) -> None:
    assert spare(line) == []


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION",
            "ALL PRIVILEGES, GRANT OPTION on *.*",
        ),
        ("GRANT SELECT, UPDATE ON `shop`.* TO `u`@`%`", "UPDATE on shop.*"),
        ("GRANT SELECT, UPDATE (`quantity`) ON `shop`.`ps_product` TO `u`@`%`", "UPDATE on shop.ps_product"),
        ("GRANT INSERT ON `sh%`.* TO `u`@`%`", "INSERT on sh%.*"),
        ("GRANT INSERT ON `s_op`.* TO `u`@`%`", "INSERT on s_op.*"),
        ("GRANT EXECUTE ON PROCEDURE `shop`.`tidy` TO `u`@`%`", "EXECUTE on shop.tidy"),
        (
            "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER ON `shop`.* TO `u`@`%`",
            "ALTER, CREATE, DELETE, DROP and 3 more on shop.*",
        ),
    ],
)
def test_more_than_reading_is_told_with_where(line: str, shown: str) -> None:
    assert spare(line) == [shown]


def test_an_escaped_sign_of_a_pattern_stands_for_itself() -> None:
    grants = parse_grants([r"GRANT INSERT ON `my\_shop`.* TO `u`@`%`"])

    assert beyond_reading(grants, "my_shop") == [r"INSERT on my\_shop.*"]
    assert beyond_reading(grants, "my2shop") == []


def test_the_same_right_from_two_roles_is_told_once() -> None:
    assert spare(*["GRANT DELETE ON `shop`.* TO `writer`"] * 2) == ["DELETE on shop.*"]


def test_what_writing_stock_needs_is_not_spare() -> None:
    lines = [
        "GRANT SELECT ON `shop`.* TO `u`@`%`",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON `shop`.`ps_stock_available` TO `u`@`%`",
    ]

    assert spare(*lines, needed=[STOCK]) == ["DELETE on shop.ps_stock_available"]
    assert spare(*lines) == ["DELETE, INSERT, UPDATE on shop.ps_stock_available"]


def test_a_right_is_had_by_table_database_or_all() -> None:
    def has(line: str) -> bool:
        return allows(parse_grants([line]), "UPDATE", "shop", "ps_stock_available")

    assert has("GRANT UPDATE ON `shop`.`ps_stock_available` TO `u`@`%`")
    assert has("GRANT ALL PRIVILEGES ON `shop`.* TO `u`@`%`")
    assert not has("GRANT UPDATE ON `shop`.`ps_product` TO `u`@`%`")
    assert not has("GRANT SELECT ON *.* TO `u`@`%`")


def test_roles_are_found_in_the_form_of_each_server() -> None:
    mariadb = ["GRANT `writer` TO `u`@`%`", "GRANT USAGE ON *.* TO `u`@`%`"]
    mysql = ["GRANT `reader`@`%`,`writer`@`localhost` TO `u`@`%`"]

    assert granted_roles(mariadb) == [("writer", "")]
    assert granted_roles(mysql) == [("reader", "%"), ("writer", "localhost")]
