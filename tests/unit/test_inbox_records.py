"""What a webhook is about, and when one that failed is tried again."""

from __future__ import annotations

import pytest

from brekzsync.domain.inbox_records import delay_after, exact_division, is_about_stock, is_guid


def test_the_delays_grow_and_then_stay() -> None:
    minutes = [int(delay_after(attempts).total_seconds() // 60) for attempts in range(1, 9)]

    assert minutes == [1, 5, 30, 120, 300, 600, 600, 600]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("00000000-0000-0000-0000-000000000002", True),
        ("{8C6C4CF4-6EA7-4D9B-9E2C-3C3F6D1B7C11}", True),
        ("DOG-123", False),
        ("00000000-0000-0000-0000-00000000000", False),
        ("", False),
    ],
)
def test_a_key_of_exact_online_is_told_from_an_item_code(record: str, expected: bool) -> None:
    assert is_guid(record) is expected


def test_only_what_cannot_change_stock_is_left_out() -> None:
    assert [
        topic for topic in ("StockPositions", "SalesOrders", "Accounts", "New") if is_about_stock(topic)
    ] == [
        "StockPositions",
        "SalesOrders",
        "New",
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"Content":{"Division":123456},"HashCode":"A"}', 123456),
        ('{"Content":{"Division":"123456"},"HashCode":"A"}', 123456),
        ('{"Content":{"Division":null}}', None),
        ('{"Content":{}}', None),
        ('{"Content":[]}', None),
        ("[]", None),
        ("", None),
        ("[" * 100_000, None),
    ],
)
def test_the_division_is_read_where_there_is_one(body: str, expected: int | None) -> None:
    assert exact_division(body) == expected
