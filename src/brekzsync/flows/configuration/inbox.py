"""What ``[inbox]`` and ``[exact_online]`` lack or contradict, finding by finding."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from brekzsync.domain.webhook_secrets import secret_bytes
from brekzsync.flows.configuration.rules import Finding, Severity
from brekzsync.settings import Settings
from brekzsync.settings.durations import format_duration

_SOURCE_NAME: Final = re.compile(r"(?!exact$)[A-Za-z0-9_-]{1,100}", re.ASCII)  # as serve takes them


def inbox_in_itself(settings: Settings) -> Iterator[Finding]:
    """What is received and could not be verified, or led to nothing."""
    inbox = settings.inbox
    receives = bool(inbox.sources or inbox.exact_secret.get_secret_value())
    own = [settings.for_target(name) for name in settings.target_names()]
    if receives and not any(one.stock.is_in_use for one in own):
        key = "exact_secret" if inbox.exact_secret.get_secret_value() else "sources"
        yield Finding(
            Severity.WARNING,
            "inbox",
            key,
            "Webhooks are received, and [stock] says nothing: they would be kept and lead to nothing.",
            'Say how stock is written, as in write_via = "webservice" under [stock].',
        )
    for name, source in inbox.sources.items():
        yield from _source(name, [secret.get_secret_value() for secret in source.secrets])
    yield from _exact_online(settings)


def _source(name: str, secrets: Sequence[str]) -> Iterator[Finding]:
    if not _SOURCE_NAME.fullmatch(name):
        yield Finding(
            Severity.ERROR,
            "inbox",
            "sources",
            f'"{name}" cannot be the name of a source: it is part of its address, /api/webhooks/standard/….',
            'Name it with letters, digits, hyphens and underscores; "exact" is Exact Online.',
        )
    for number, secret in enumerate(secrets, start=1):
        try:
            secret_bytes(secret)
        except ValueError as error:
            which = "Its secret" if len(secrets) == 1 else f"Its secret {number}"
            yield Finding(
                Severity.ERROR,
                f"inbox.sources.{name}",
                "secrets",
                f"{which} cannot be used: it {error}.",
                "Copy it from the sender whole, with whsec_ at its beginning.",
            )


def _exact_online(settings: Settings) -> Iterator[Finding]:
    online, inbox = settings.exact_online, settings.inbox
    has_token = bool(online.access_token.get_secret_value())
    if has_token is not (online.division is not None):
        missing, there = ("division", "access_token") if has_token else ("access_token", "division")
        yield Finding(
            Severity.ERROR,
            "exact_online",
            missing,
            f"{there} is set and {missing} is not: Exact Online is asked nothing.",
            f"Set {missing} as well, or remove {there}.",
        )
    elif inbox.exact_secret.get_secret_value() and not has_token:
        every = format_duration(inbox.compare_all_every)
        yield Finding(
            Severity.WARNING,
            "exact_online",
            "access_token",
            "Exact Online's webhooks name an item by a key that its API alone can tell: without access to it they make"
            f" the whole stock be compared, every {every} at most.",
            "Set division and access_token; leave it where so much comparing does no harm.",
        )
