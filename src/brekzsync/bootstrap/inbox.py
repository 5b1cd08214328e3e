"""Where the inbox is: beside the state, or where the configuration says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from brekzsync.domain.webhook_secrets import secret_bytes
from brekzsync.errors import ConfigurationError, Unavailable
from brekzsync.state.connection import in_memory, parse_url
from brekzsync.state.inbox import Inbox, open_inbox

if TYPE_CHECKING:
    from brekzsync.settings import Settings

EXACT = "exact"
"""The source that Exact Online's webhooks are of."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)


def inbox_url(settings: Settings) -> str:
    """The inbox's database URL, with its password.

    Raises ConfigurationError for a SQLite file that is the state's too: an export writes there for seconds, and
    no webhook could be taken meanwhile.
    """
    state = parse_url(settings.state.database.get_secret_value())
    given = settings.inbox.database.get_secret_value()
    if given:
        inbox = parse_url(given)
        if inbox.get_backend_name() == "sqlite" and not in_memory(inbox) and inbox.database == state.database:
            raise ConfigurationError(
                "`[inbox] database` and `[state] database` are the same SQLite file.",
                hint="Give the inbox a file of its own, or leave `[inbox] database` empty.",
                code="inbox_is_state",
            )
        return given
    if state.get_backend_name() != "sqlite" or in_memory(state):
        return state.render_as_string(hide_password=False)
    file = Path(state.database or "")
    beside = file.with_name(f"{file.stem}-inbox{file.suffix}")
    return state.set(database=str(beside)).render_as_string(hide_password=False)


def open_the_inbox(settings: Settings) -> Inbox:
    """The inbox, made where there is none. Close it when done, or use it in ``with``.

    Raises ConfigurationError, Unavailable or AccessDenied.
    """
    inbox = open_inbox(inbox_url(settings))
    assert inbox is not None
    return inbox


def existing_inbox(settings: Settings, *, read_only: bool = True) -> Inbox | None:
    """The inbox where there is one; nothing is made."""
    return open_inbox(inbox_url(settings), create=False, read_only=read_only)


def receives_webhooks(settings: Settings) -> bool:
    """Whether the configuration names anybody whose webhooks are taken."""
    return bool(settings.inbox.exact_secret.get_secret_value() or settings.inbox.sources)


def webhook_senders(settings: Settings) -> dict[str, list[bytes]]:
    """The senders of Standard Webhooks and what they may sign with.

    Raises ConfigurationError (``webhook_source``, ``webhook_secret``), which repeats no secret.
    """
    senders = {}
    for name, source in settings.inbox.sources.items():
        if name == EXACT or not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"{name!r} cannot be the name of a source of webhooks.",
                hint=f'Use letters, digits, "-" and "_" in [inbox.sources]; "{EXACT}" is Exact Online.',
                code="webhook_source",
            )
        try:
            senders[name] = [secret_bytes(secret.get_secret_value()) for secret in source.secrets]
        except ValueError as error:
            raise ConfigurationError(
                f"A secret in [inbox.sources.{name}] cannot be used: it {error}.",
                hint="Copy it as the sender shows it, or make one: `whsec_` and `openssl rand -base64 32`.",
                code="webhook_secret",
            ) from error
    return senders


def check_receiving(settings: Settings) -> None:
    """What would keep webhooks from being taken at all, before anything listens.

    Raises ConfigurationError or AccessDenied. An inbox that cannot be reached now is none of it: senders are told
    to come again until it can.
    """
    webhook_senders(settings)
    if not receives_webhooks(settings):
        return
    try:
        open_the_inbox(settings).close()
    except Unavailable:
        return
