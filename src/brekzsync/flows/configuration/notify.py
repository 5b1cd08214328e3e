"""What ``[notify]`` lacks or contradicts, finding by finding."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from difflib import get_close_matches

from brekzsync.flows.configuration.rules import Finding, Severity
from brekzsync.settings import Settings
from brekzsync.settings.toml_text import toml_key


def notify_in_itself(settings: Settings, commands: Callable[[], Collection[str]]) -> Iterator[Finding]:
    """Mails that nobody would get or the server not take, and heartbeats of commands there are not."""
    own = settings.notify
    others = own.model_fields_set - {"mail_to", "heartbeats"}
    if others and not own.mail_to:
        yield Finding(
            Severity.WARNING,
            "notify",
            "mail_to",
            "It says how mails are sent, and not to whom: nobody gets any.",
            'Set mail_to = ["orders@example.com"].',
        )
    if own.smtp_user and own.smtp_security == "none":
        yield Finding(
            Severity.ERROR,
            "notify",
            "smtp_security",
            "The password of smtp_user would go unencrypted, so no mail is sent.",
            'Set smtp_security = "starttls" or "tls", or remove smtp_user.',
        )
    if bool(own.smtp_user) is not bool(own.smtp_password.get_secret_value()):
        missing, there = ("smtp_password", "smtp_user") if own.smtp_user else ("smtp_user", "smtp_password")
        yield Finding(
            Severity.ERROR,
            "notify",
            missing,
            f"{there} is set and {missing} is not.",
            f"Set {missing} as well, or remove {there}.",
        )
    if own.heartbeats:
        yield from _unknown_commands(own.heartbeats, commands())


def _unknown_commands(named: Collection[str], commands: Collection[str]) -> Iterator[Finding]:
    for name in named:
        if name not in commands:
            near = get_close_matches(name.lower(), commands, n=1)
            remedy = f"Write {toml_key(near[0])}." if near else "Name one that `brekzsync --help` leads to."
            yield Finding(
                Severity.WARNING,
                "notify",
                "heartbeats",
                f'There is no command "{name}", so its heartbeat is never heard.',
                remedy,
            )
