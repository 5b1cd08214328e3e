"""A real mail server for one test, on this machine: what it takes in, and how it is told to behave."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Literal

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from brekzsync.notify.mail import MailServer

HOST = "localhost"  # the name in the certificate
LOGIN = LoginPassword(b"shop", b"a-mail-password")
Security = Literal["none", "starttls", "tls"]


class Mailbox:
    """The mails that arrived, and the answers the server gives instead where a test sets one."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.logins: list[bytes] = []
        self.on_sender = self.on_data = ""
        self.on_recipient: dict[str, str] = {}

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.on_sender:
            return self.on_sender
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.on_recipient:
            return self.on_recipient[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.on_data:
            return self.on_data
        content = (envelope.original_content or b"").replace(b"\r\n", b"\n")
        self.mails.append(message_from_bytes(content, policy=policy.default))  # type: ignore[arg-type]
        self.recipients.append(envelope.rcpt_tos)
        return "250 OK"

    def log_in(self, server: SMTP, session: Session, envelope: Envelope, how: str, data: Any) -> AuthResult:
        """The answer to a login, which is only taken where it cannot be overheard."""
        self.logins.append(data.login)
        return AuthResult(success=data == LOGIN, handled=False)


class AnyPort(Controller):
    """Listens at a port the system chooses; the class itself would look for its server at port 0."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_server(
    mailbox: Mailbox,
    security: Security = "none",
    authority: trustme.CA | None = None,
    *,
    login: bool = False,
    name: str = HOST,
) -> Iterator[int]:
    """Listens until the block ends; its port. ``name`` is whose certificate it shows."""
    context = None
    if authority is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
    controller = AnyPort(
        mailbox,
        hostname="127.0.0.1",
        port=0,
        ssl_context=context if security == "tls" else None,
        tls_context=context if security == "starttls" else None,
        require_starttls=security == "starttls",
        auth_required=login,
        authenticator=mailbox.log_in,
        auth_require_tls=security != "tls",  # there it is encrypted from the beginning
    )
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def settings_of(port: int, security: Security = "none", **others: Any) -> MailServer:
    """How such a server is reached."""
    values: dict[str, Any] = {
        "host": HOST,
        "port": port,
        "security": security,
        "sender": "Shop B.V. <sync@shop.example>",
        "recipients": ("orders@shop.example", "Söme Body <some@shop.example>"),
        "timeout": 5.0,
    }
    return MailServer(**values | others)
