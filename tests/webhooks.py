"""Senders of webhooks: Exact Online, and whoever keeps to Standard Webhooks."""

from __future__ import annotations

import hmac
import json
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from brekzsync.domain.webhook_secrets import secret_bytes
from tests.exports import Installation

EXACT_SECRET = "the-secret-of-the-app"
SECRETS = {
    "warehouse": "whsec_" + b64encode(b"the warehouse's own secret").decode(),
    "returns": "whsec_" + b64encode(b"a secret about what returns").decode(),
    "supplier": "whsec_" + b64encode(b"what the supplier signs with").decode(),
}


def receive_webhooks(installation: Installation, **inbox: Any) -> None:
    """Let it take those of Exact Online and of the three sources; ``inbox`` are other keys of that section."""
    installation.set("inbox", exact_secret=EXACT_SECRET, **inbox)
    for name, secret in SECRETS.items():
        installation.set(f"inbox.sources.{name}", secrets=[secret])


def exact_webhook(key: str = "00000000-0000-0000-0000-000000000001", topic: str = "StockPositions") -> bytes:
    """A body as Exact Online sends it."""
    content = (
        f'{{"Topic":"{topic}","ClientId":"00000000-0000-0000-0000-000000000000","Division":123456,'
        f'"Action":"Update","Key":"{key}","ExactOnlineEndpoint":"https://start.exactonline.nl/api/v1/123456/x"}}'
    )
    signature = hmac.digest(EXACT_SECRET.encode(), content.encode(), "sha256").hex().upper()
    return f'{{"Content":{content},"HashCode":"{signature}"}}'.encode()


@dataclass(frozen=True, slots=True)
class Sender:
    """One source of Standard Webhooks, sending to one service."""

    client: httpx2.Client
    source: str = "warehouse"

    def send(
        self, webhook_id: str, content: object, changed: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """Send it signed; ``changed`` are headers to send otherwise."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.client.post(
            self.path, content=body, headers={**self.signed(webhook_id, body), **(changed or {})}
        )

    def signed(self, webhook_id: str, body: bytes) -> Mapping[str, str]:
        """The headers."""
        at = str(int(time.time()))
        signature = hmac.digest(
            secret_bytes(SECRETS[self.source]), f"{webhook_id}.{at}.".encode() + body, "sha256"
        )
        return {
            "webhook-id": webhook_id,
            "webhook-timestamp": at,
            "webhook-signature": "v1," + b64encode(signature).decode(),
        }

    @property
    def path(self) -> str:
        return f"/api/webhooks/standard/{self.source}"
