"""What the mail about failures says."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import html

from brekzsync.domain.notices import FailedNotice, grouped
from brekzsync.domain.order_status import StatusReason
from brekzsync.notify.messages import MOST_ROWS, MailStyle, failure_mail

RETRY_AT = 1_763_812_800_000
STYLE = MailStyle(
    "https://shop.example/admin?vieworder&id_order={id_order}", "brekzsync --config /srv/b.toml"
)


def notice(id_order: int, reason: str = "ticket_failed", **others: Any) -> FailedNotice:
    values: dict[str, Any] = {
        "id_order": id_order,
        "shop_reference": "ABCDEFGHI",
        "marketplace": "Amazon",
        "reference": f"403-{id_order}",
        "operation": "ship",
        "reason": reason,
        "message": "The carrier is unknown.",
        "attempts": 2,
        "retry_at": RETRY_AT,
    }
    return FailedNotice(**values | others)


def read(markup: str) -> str:
    """What a person reads of HTML, with single blanks."""
    body = html.fromstring(markup).find("body")
    return " ".join(" ".join(body.itertext()).split())


def test_the_text_says_everything_by_reason_the_most_frequent_first() -> None:
    mail = failure_mail(
        [
            notice(12, "no_tracking", message="There is no tracking number.", attempts=1),
            notice(14),
            notice(13, operation="refund", attempts=6, retry_at=None),
        ],
        STYLE,
    )

    assert mail.subject == "brekzsync: 3 orders were not accepted by the marketplace"
    assert mail.text == (
        "3 orders were not accepted by the marketplace\n"
        "1 was given up, and somebody must look at it; the rest is tried again by itself.\n"
        "\n"
        "Not carried out by the marketplace (2)\n"
        "--------------------------------------\n"
        "It took the request, and could not carry it out. Its words say what to change.\n"
        "\n"
        "Order 13 ABCDEFGHI: refund\n"
        "  Amazon 403-13\n"
        '  "The carrier is unknown."\n'
        "  6 attempts, given up\n"
        "  brekzsync --config /srv/b.toml logs retry 13 --target shoppingfeed\n"
        "  https://shop.example/admin?vieworder&id_order=13\n"
        "\n"
        "Order 14 ABCDEFGHI: shipment\n"
        "  Amazon 403-14\n"
        '  "The carrier is unknown."\n'
        "  2 attempts, again after 2025-11-22 12:00 UTC\n"
        "  https://shop.example/admin?vieworder&id_order=14\n"
        "\n"
        "No tracking number (1)\n"
        "----------------------\n"
        "Enter it in the shop's back office; the order is then sent with it.\n"
        "\n"
        "Order 12 ABCDEFGHI: shipment\n"
        "  Amazon 403-12\n"
        '  "There is no tracking number."\n'
        "  1 attempt, again after 2025-11-22 12:00 UTC\n"
        "  https://shop.example/admin?vieworder&id_order=12\n"
        "\n"
        "All that failed:\n"
        "  brekzsync --config /srv/b.toml logs list --target shoppingfeed --status failed\n"
        "\n"
        "Each failure is told once, and again when it changes or is given up.\n"
    )


def test_html_says_the_same_and_links_each_order() -> None:
    mail = failure_mail([notice(13, attempts=6, retry_at=None), notice(14)], STYLE)

    assert read(mail.html) == (
        "2 orders were not accepted by the marketplace"
        " 1 was given up, and somebody must look at it; the rest is tried again by itself."
        " Not carried out by the marketplace (2)"
        " It took the request, and could not carry it out. Its words say what to change."
        " Order 13 ABCDEFGHI shipment Amazon 403-13 The carrier is unknown. 6 attempts, given up"
        " brekzsync --config /srv/b.toml logs retry 13 --target shoppingfeed"
        " Order 14 ABCDEFGHI shipment Amazon 403-14 The carrier is unknown."
        " 2 attempts, again after 2025-11-22 12:00 UTC"
        " All that failed: brekzsync --config /srv/b.toml logs list --target shoppingfeed --status failed"
        " Each failure is told once, and again when it changes or is given up."
    )
    assert html.fromstring(mail.html).xpath("//a/@href") == [
        "https://shop.example/admin?vieworder&id_order=13",
        "https://shop.example/admin?vieworder&id_order=14",
    ]


def test_what_a_marketplace_says_is_text_wherever_it_stands() -> None:
    said = "<img src=x onerror=alert(1)> & {{ 7 * 7 }}\r\n\r\nBcc: all@example.com \x1b[31m\u202ered\ud800"
    mail = failure_mail(
        [notice(12, message=said, marketplace="<b>Amazon", reference='"><i>', shop_reference="\x00A\n")],
        MailStyle(),
    )

    words = "<img src=x onerror=alert(1)> & {{ 7 * 7 }} Bcc: all@example.com [31mred"
    assert f'  <b>Amazon "><i>\n  "{words}"\n' in mail.text
    assert f'Order 12 A shipment <b>Amazon "><i> {words} 2 attempts' in read(mail.html)
    assert html.fromstring(mail.html).xpath("//img | //b | //i | //script | //a") == []


def test_a_single_order_is_one_however_often_it_failed() -> None:
    mail = failure_mail([notice(12), notice(12, "refused", retry_at=None)], MailStyle())

    assert mail.subject == "brekzsync: 1 order was not accepted by the marketplace"


@pytest.mark.parametrize(
    ("dead", "said"),
    [
        (0, "All of it is tried again by itself."),
        (2, "2 were given up; the rest is tried again by itself."),
        (3, "Nothing of it is tried again by itself: somebody must look."),
    ],
)
def test_the_second_line_says_whether_anybody_is_needed(dead: int, said: str) -> None:
    failures = [notice(number, retry_at=None if number < dead else RETRY_AT) for number in range(3)]

    assert failure_mail(failures, MailStyle()).text.splitlines()[1] == said


def test_of_very_many_some_of_every_reason_are_shown() -> None:
    failures = [notice(number, "refused") for number in range(1000)]
    failures += [notice(number, "ignored") for number in range(2000, 2500)]
    failures += [notice(9000, "no_tracking")]

    mail = failure_mail(failures, STYLE)

    assert mail.text.count("\nOrder ") == MOST_ROWS
    assert mail.html.count("vieworder") == MOST_ROWS
    assert [line for line in mail.text.splitlines() if line.endswith(("more.", ")"))] == [
        "Refused by the marketplace (1000)",
        "… and 900 more.",
        "Ignored by the marketplace (500)",
        "… and 401 more.",
        "No tracking number (1)",
    ]


def test_long_words_are_cut_and_missing_ones_said() -> None:
    mail = failure_mail(
        [notice(12, message="x" * 5000), notice(13, message=" \n", marketplace="", reference="")],
        MailStyle(),
    )

    assert f'  "{"x" * 499}…"\n' in mail.text
    assert '  unknown marketplace\n  "No reason was given."\n' in mail.text


def test_a_reason_of_a_later_release_is_told_by_its_code() -> None:
    mail = failure_mail([notice(12, "out_of_patience")], MailStyle())

    assert "\nOut of patience (1)\n-------------------\n\nOrder 12" in mail.text


@pytest.mark.parametrize("reason", StatusReason)
def test_every_reason_makes_a_mail(reason: StatusReason) -> None:
    assert "Order 12" in failure_mail([notice(12, reason)], MailStyle()).text


def test_groups_keep_the_order_failures_came_in() -> None:
    one, two, three, four = notice(1, "b"), notice(2, "a"), notice(3, "c"), notice(4, "a")

    assert [(group.reason, group.failures) for group in grouped([one, two, three, four])] == [
        ("a", (two, four)),
        ("b", (one,)),
        ("c", (three,)),
    ]
