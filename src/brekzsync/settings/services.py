"""The long-running parts: the HTTP service, the webhooks it receives, the agent beside Exact Globe."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, SecretStr, field_validator

from brekzsync.settings.fields import Duration, Networks, OptionalStateDatabase, Section, WebAddress


class ServeSettings(Section):
    """The HTTP service."""

    host: str = Field(
        default="127.0.0.1", min_length=1, description="Address to listen on; loopback by default."
    )
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    workers: int = Field(default=1, ge=1, le=64, description="Processes that answer requests.")
    exact_token: SecretStr = Field(
        default=SecretStr(""), description="Token for /exact/*; empty: refused beyond loopback, 401 to all."
    )
    allowed_networks: Networks = Field(
        default=[], description="Networks that may use /exact/*; empty: any.", examples=['["192.0.2.0/24"]']
    )
    lease: Duration = Field(
        default=timedelta(minutes=30),
        description="How long a served version waits for its result before it returns.",
    )
    max_body: int = Field(
        default=4_194_304, ge=1024, description="Bytes the body of a request may have at most."
    )
    max_requests: int = Field(
        default=64, ge=1, description="Requests a process works on at once; more are told to come again."
    )
    request_timeout: Duration = Field(
        default=timedelta(minutes=5), description="How long one request may take, its transfer included."
    )
    docs: bool = Field(default=True, description="Serve /docs and /openapi.json, to anybody who can connect.")

    @field_validator("request_timeout", "lease")
    @classmethod
    def _takes_a_while(cls, value: timedelta) -> timedelta:
        if value < timedelta(seconds=1):
            raise ValueError("must be at least 1s")
        return value


class WebhookSource(Section):
    """One sender of Standard Webhooks."""

    secrets: list[SecretStr] = Field(
        description='Secrets it may sign with ("whsec_" and base64); several while one is being replaced.',
        examples=['["whsec_..."]'],
        min_length=1,
    )
    item_code: str = Field(
        default="",
        description="Where in its JSON the item code stands, as names joined by dots; empty: data.code, data.sku,"
        " code or sku.",
        examples=['"data.item.code"'],
    )


class InboxSettings(Section):
    """Webhooks that were received and wait to be processed."""

    database: OptionalStateDatabase = Field(
        default=SecretStr(""),
        description="SQLAlchemy URL of the inbox; empty: beside the state (a SQLite state's file plus -inbox, else"
        " the same database).",
    )
    exact_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Webhook secret of the Exact Online app; empty: its webhooks are refused.",
    )
    sources: dict[str, WebhookSource] = Field(
        default={},
        description="Senders of Standard Webhooks by the name in their address.",
        examples=['{ warehouse = { secrets = ["whsec_..."] } }'],
    )
    max_body: int = Field(default=262_144, ge=1024, description="Bytes a webhook may have at most.")
    tolerance: Duration = Field(
        default=timedelta(minutes=5), description="How old, or early, a signed time may be."
    )
    max_per_minute: int = Field(
        default=300_000, ge=1, description="Webhooks a minute from one source; more is a flood, and is shed."
    )
    max_backlog: int = Field(
        default=500_000, ge=1, description="Unprocessed webhooks of one source; more is a flood, and is shed."
    )
    cool_down: Duration = Field(
        default=timedelta(minutes=1), description="How long a source that flooded is told to wait at least."
    )
    attempts: int = Field(
        default=8, ge=1, description="How often a record is tried before a person must look (dead)."
    )
    compare_all_every: Duration = Field(
        default=timedelta(minutes=30),
        description="How often at most webhooks that name no item make the whole stock be compared.",
    )


class ExactOnlineSettings(Section):
    """Exact Online's REST API, asked which item a webhook of it means."""

    url: WebAddress = Field(default="https://start.exactonline.nl/api/v1", description="Address of the API.")
    division: int | None = Field(
        default=None, ge=1, description="Number of the division.", examples=["123456"]
    )
    access_token: SecretStr = Field(
        default=SecretStr(""),
        description="Access token, kept fresh by whoever owns the app (see the how-to); empty: nothing is asked.",
    )


class AgentSettings(Section):
    """The agent beside Exact Globe, which cron triggers when its host is set."""

    host: str = Field(
        default="", description="Where the agent listens; empty: there is none.", examples=['"globe"']
    )
    port: int = Field(default=6666, ge=1, le=65535, description="Port the agent listens on.")
    secret: SecretStr = Field(
        default=SecretStr(""), description="Secret shared with the agent; needed beyond loopback."
    )
