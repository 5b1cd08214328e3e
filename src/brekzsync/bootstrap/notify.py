"""People are told: who by, from the configuration."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from brekzsync.notify.mail import Mailer, MailServer
from brekzsync.notify.messages import MailStyle
from brekzsync.notify.notifier import MailNotifier
from brekzsync.settings.places import SYSTEM_FILE

if TYPE_CHECKING:
    from brekzsync.settings import Settings


def notifier_of(settings: Settings) -> MailNotifier | None:
    """Who tells people of failures; None where nobody is to be told."""
    server = mail_server(settings)
    if server is None:
        return None
    return MailNotifier(Mailer(server), MailStyle(settings.notify.order_link, _program(settings)))


def mail_server(settings: Settings) -> MailServer | None:
    """The mail server, None where ``[notify]`` names nobody to mail to."""
    own = settings.notify
    if not own.mail_to:
        return None
    return MailServer(
        host=own.smtp_host,
        port=own.smtp_port,
        security=own.smtp_security,
        sender=own.mail_from or own.mail_to[0],
        recipients=tuple(own.mail_to),
        user=own.smtp_user,
        password=own.smtp_password.get_secret_value(),
        timeout=own.smtp_timeout.total_seconds(),
    )


def _program(settings: Settings) -> str:
    """How a command begins that somebody who reads the mail elsewhere can paste."""
    source = settings.source
    return "brekzsync" if source == SYSTEM_FILE else f"brekzsync --config {quote(str(source))}"
