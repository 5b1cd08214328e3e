"""Whether the mail server takes our mails."""

from __future__ import annotations

from brekzsync.domain.findings import Check, Finding, passed, skipped
from brekzsync.notify.mail import Mailer, MailServer


class MailHealth:
    """The check of a mail server; None where nobody is mailed."""

    def __init__(self, server: MailServer | None) -> None:
        self._server = server

    def checks(self) -> list[Check]:
        return [Check(system="mail", name="server", look=self.server)]

    def server(self) -> Finding:
        """It takes the login, the sender and the recipients. Nothing is sent."""
        server = self._server
        if server is None:
            return skipped("Not configured: [notify] mail_to is empty.")
        Mailer(server).try_out()
        return passed(f"{server.host}:{server.port} takes mails to {', '.join(server.recipients)}.")
