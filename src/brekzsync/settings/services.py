"""The long-running parts: the HTTP service, the webhooks it receives, the agent beside Exact Globe."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, SecretStr, field_validator

from brekzsync.settings.fields import Duration, Networks, Section


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


class InboxSettings(Section):
    """Webhooks that were received and wait to be processed. It has no keys yet."""


class AgentSettings(Section):
    """The agent beside Exact Globe, which cron triggers when its host is set."""

    host: str = Field(
        default="", description="Where the agent listens; empty: there is none.", examples=['"globe"']
    )
    port: int = Field(default=6666, ge=1, le=65535, description="Port the agent listens on.")
    secret: SecretStr = Field(
        default=SecretStr(""), description="Secret shared with the agent; needed beyond loopback."
    )
