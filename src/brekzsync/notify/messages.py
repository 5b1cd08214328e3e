"""The mail about operations that the marketplace did not accept: what it says, as text and as HTML.

Words of a marketplace, and references, are data: control characters and marks that reorder text are taken out of them,
and in HTML they are escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from brekzsync.domain.moments import moment_of
from brekzsync.domain.notices import FailedNotice, NoticeGroup, grouped
from brekzsync.domain.order_status import Operation, StatusReason

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_ROWS = 200
_LONGEST = 500

_DOING: Final[dict[str, str]] = {
    Operation.SHIP: "shipment",
    Operation.CANCEL: "cancellation",
    Operation.REFUND: "refund",
    Operation.DELIVER: "delivery",
}

_IN_THE_MARKETPLACE: Final = "See the order in the marketplace's own pages, and settle it there."

_REASONS: Final[dict[str, tuple[str, str]]] = {
    StatusReason.REFUSED: (
        "Refused by the marketplace",
        "It did not take the request. Its words say what to change.",
    ),
    StatusReason.IGNORED: (
        "Ignored by the marketplace",
        "It does not know these orders, or not in a state that allows this. " + _IN_THE_MARKETPLACE,
    ),
    StatusReason.TICKET_FAILED: (
        "Not carried out by the marketplace",
        "It took the request, and could not carry it out. Its words say what to change.",
    ),
    StatusReason.TICKET_CANCELED: (
        "Canceled by the marketplace",
        "It took the request, and canceled it. " + _IN_THE_MARKETPLACE,
    ),
    StatusReason.TICKET_LOST: (
        "Never answered by the marketplace",
        "It took the request, and does not tell what became of it. " + _IN_THE_MARKETPLACE,
    ),
    StatusReason.UNCLEAR: (
        "It is not known whether the marketplace has it",
        "Its answer did not arrive. It is looked up before anything is sent again.",
    ),
    StatusReason.NO_TRACKING: (
        "No tracking number",
        "Enter it in the shop's back office; the order is then sent with it.",
    ),
    StatusReason.NOT_OF_CHANNEL: (
        "Not possible at this marketplace",
        "Nothing was sent: this marketplace does not take it from Shopping Feed. " + _IN_THE_MARKETPLACE,
    ),
    StatusReason.NO_IDENTITY: (
        "Cannot be told apart",
        "The shop keeps neither the marketplace's id of these orders nor their reference and channel. "
        + _IN_THE_MARKETPLACE,
    ),
    StatusReason.NO_ACCOUNT: (
        "No account",
        "No active account of the shoppingfeed module fits these orders. Add or activate it in the back office.",
    ),
}
"""By reason, what stands above its failures, and what helps."""


class FailureMail(NamedTuple):
    """A mail, but for whom it is from and to; the subject holds nothing but our own words."""

    subject: str
    text: str
    html: str


class MailStyle(NamedTuple):
    """``order_link`` is the address of an order with ``{id_order}`` in it, or empty; ``program`` begins every command
    to paste."""

    order_link: str = ""
    program: str = "brekzsync"


class Row(NamedTuple):
    """One failure as the templates show it. ``command`` is empty unless it was given up, ``link`` where orders have
    none."""

    order: str
    link: str
    marketplace: str
    operation: str
    message: str
    attempts: str
    following: str
    command: str


class Block(NamedTuple):
    """The failures of one reason; ``more`` of them are not shown."""

    title: str
    advice: str
    size: int
    rows: tuple[Row, ...]
    more: int


def failure_mail(failures: Sequence[FailedNotice], style: MailStyle) -> FailureMail:
    """One mail about all of these, by reason; at most ``MOST_ROWS`` are shown one by one, some of every reason."""
    headline = _headline(failures)
    groups = grouped(failures)
    shares = _shares([len(group.failures) for group in groups])
    content = {
        "headline": headline,
        "summary": _summary(failures),
        "blocks": [_block(group, share, style) for group, share in zip(groups, shares, strict=True)],
        "command": f"{style.program} logs list --target shoppingfeed --status failed",
    }
    text, html = (_templates().get_template(f"failures.{kind}").render(content) for kind in ("txt", "html"))
    return FailureMail(f"brekzsync: {headline}", text, html)


def _headline(failures: Sequence[FailedNotice]) -> str:
    orders = len({failure.id_order for failure in failures})
    return f"{orders} order{' was' if orders == 1 else 's were'} not accepted by the marketplace"


def _summary(failures: Sequence[FailedNotice]) -> str:
    dead = sum(failure.is_dead for failure in failures)
    if dead == 0:
        return "All of it is tried again by itself."
    if dead == len(failures):
        return "Nothing of it is tried again by itself: somebody must look."
    some = "1 was given up, and somebody must look at it" if dead == 1 else f"{dead} were given up"
    return f"{some}; the rest is tried again by itself."


def _block(group: NoticeGroup, share: int, style: MailStyle) -> Block:
    title, advice = _REASONS.get(group.reason, (_shown(group.reason).replace("_", " ").capitalize(), ""))
    # Those that wait for somebody come first.
    ordered = sorted(group.failures, key=lambda failure: not failure.is_dead)
    return Block(
        title,
        advice,
        len(ordered),
        tuple(_row(failure, style) for failure in ordered[:share]),
        len(ordered) - share,
    )


def _row(failure: FailedNotice, style: MailStyle) -> Row:
    return Row(
        order=_words(str(failure.id_order), failure.shop_reference),
        link=style.order_link.replace("{id_order}", str(failure.id_order)),
        marketplace=_words(failure.marketplace, failure.reference) or "unknown marketplace",
        operation=_DOING.get(failure.operation, _shown(failure.operation)),
        message=_shown(failure.message) or "No reason was given.",
        attempts=_attempts(failure.attempts),
        following="given up" if failure.retry_at is None else f"again after {moment_of(failure.retry_at)}",
        command=f"{style.program} logs retry {failure.id_order} --target shoppingfeed"
        if failure.is_dead
        else "",
    )


def _attempts(count: int) -> str:
    if not count:
        return "not sent"
    return "1 attempt" if count == 1 else f"{count} attempts"


def _words(*parts: str) -> str:
    return " ".join(shown for part in parts if (shown := _shown(part)))


def _shown(text: str) -> str:
    """What can be read of a text, on one line."""
    readable = " ".join(
        "".join(letter for letter in text if letter.isprintable() or letter.isspace()).split()
    )
    return readable if len(readable) <= _LONGEST else readable[: _LONGEST - 1] + "…"


def _shares(sizes: Sequence[int]) -> Sequence[int]:
    """How many rows each group is shown with: a small one wholly, the big ones share what is left."""
    shares = dict.fromkeys(range(len(sizes)), 0)
    left = MOST_ROWS
    for position, (index, size) in enumerate(sorted(enumerate(sizes), key=lambda group: group[1])):
        shares[index] = min(size, left // (len(sizes) - position))
        left -= shares[index]
    return list(shares.values())


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("brekzsync.notify"),
        autoescape=_is_html,  # off unless said so
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _is_html(template: str | None) -> bool:
    return template is not None and template.endswith(".html")
