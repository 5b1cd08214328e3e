"""The marketplace, and how people are told of what it refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from brekzsync.settings.fields import (
    Duration,
    MailAddress,
    OptionalMailAddress,
    OptionalSection,
    Section,
    WebAddress,
)


class MarketplaceSettings(OptionalSection):
    """Shopping Feed, which is told about order statuses."""

    base_url: WebAddress = Field(
        default="https://api.shopping-feed.com", description="Address of the marketplace's API."
    )
    token: SecretStr = Field(
        default=SecretStr(""),
        description="API token; set, it overrides the module's tables, which then only map stores and shops.",
    )
    store_id: int | None = Field(
        default=None,
        ge=1,
        description="The store of orders for which the module's tables name none.",
        examples=["1234"],
    )
    shops: list[str] = Field(
        default=[],
        description="Shops whose marketplace orders count, by name or id; empty: all that have an account.",
        examples=['["NL"]'],
    )
    shipped_states: list[int] = Field(
        default=[], description="Order states reported as shipped (id_order_state).", examples=["[4]"]
    )
    canceled_states: list[int] = Field(
        default=[], description="Order states reported as canceled (id_order_state).", examples=["[6]"]
    )
    refunded_states: list[int] = Field(
        default=[], description="Order states reported as refunded (id_order_state).", examples=["[7]"]
    )
    delivered_states: list[int] = Field(
        default=[], description="Order states reported as delivered (id_order_state).", examples=["[5]"]
    )
    implies_shipped: list[int] = Field(
        default=[],
        description="Later order states that also mean shipped (id_order_state).",
        examples=["[5]"],
    )
    shipped_delay: Duration = Field(
        default=timedelta(minutes=5), description="How long a shipped order waits before it is reported."
    )
    tracking_wait: Duration = Field(
        default=timedelta(hours=24), description="How long a shipped order then waits for a tracking number."
    )
    without_tracking: Literal["send", "fail"] = Field(
        default="send",
        description="What becomes of a shipped order that has no tracking number even then.",
    )
    parcels: Literal["joined", "first"] = Field(
        default="joined",
        description="Of several parcels, whether all tracking numbers are told (joined by commas) or the first.",
    )
    conflict: Literal["refuse", "allow_when_absent"] = Field(
        default="refuse",
        description="What to do when shoppingfluxexport is not installed: refuse to push, or allow it.",
    )
    allow_module_sync: bool = Field(
        default=False, description="Push although the shoppingfeed module's own order synchronisation is on."
    )
    fulfilled_by_channel: list[str] = Field(
        default=["amazon fba", "epmm", "clogistique", "afn"],
        description="Channels and payment methods whose orders the marketplace sends itself; it is asked as well.",
    )
    channel_operations: dict[str, list[Literal["ship", "cancel", "refund", "deliver"]]] = Field(
        default={},
        description="What a channel takes, where it differs from what Shopping Feed documents.",
        examples=['{ ManoMano = ["ship", "cancel"] }'],
    )
    canceled_tickets: Literal["failed", "done"] = Field(
        default="failed", description="What a ticket means that the marketplace canceled."
    )
    ticket_wait: Duration = Field(
        default=timedelta(hours=1),
        description="How long a ticket may be missing before the order itself is looked up.",
    )
    attempts: int = Field(
        default=6, ge=1, description="How often an operation is tried before a person must look (dead)."
    )
    dry_run: bool = Field(
        default=False, description="Only ever say what would be sent, whatever is asked for; nothing is sent."
    )
    overdue_after: Duration = Field(
        default=timedelta(hours=1),
        description="`status` calls the flow overdue when no run has come to its end for longer than this.",
    )
    first_run_limit: int = Field(
        default=50,
        ge=0,
        description="More due orders than this with an empty ledger need --baseline or --force.",
    )


class NotifySettings(Section):
    """Who is told about failures, by mail; and who hears that the commands of cron still run."""

    mail_to: list[MailAddress] = Field(
        default=[],
        description="Who gets mails about what the marketplace refused; empty: nobody does.",
        examples=['["orders@example.com"]'],
    )
    mail_from: OptionalMailAddress = Field(
        default="",
        description="Whom they are from; empty: the first of mail_to.",
        examples=['"sync@example.com"'],
    )
    smtp_host: str = Field(default="localhost", min_length=1, description="Mail server.")
    smtp_port: int = Field(default=25, ge=1, le=65535, description="Its port; 465 for tls, 587 for starttls.")
    smtp_security: Literal["none", "starttls", "tls"] = Field(
        default="none", description="How the connection is encrypted; a password is never sent without."
    )
    smtp_user: str = Field(default="", description="Who logs in; empty: nobody.")
    smtp_password: SecretStr = Field(default=SecretStr(""), description="With which password.")
    smtp_timeout: Duration = Field(default=timedelta(seconds=15), description="How long the server may take.")
    order_link: WebAddress = Field(
        default="",
        description="Address of an order in the back office, with {id_order} where its id belongs.",
        examples=['"https://shop.example.com/admin/?controller=AdminOrders&vieworder&id_order={id_order}"'],
    )
    heartbeats: dict[str, WebAddress] = Field(
        default={},
        description="Address to call when a command starts (/start added), succeeds, or fails (/ and its exit code).",
        examples=['{ "orders push-status" = "https://hc.example.com/ping/uuid" }'],
    )

    @field_validator("order_link")
    @classmethod
    def _names_the_order(cls, value: str) -> str:
        if value and "{id_order}" not in value:
            raise ValueError("must hold {id_order}")
        return value
