"""Mails through a mail server; every way it can go wrong is an error with a remedy."""

from __future__ import annotations

import logging
import smtplib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime, make_msgid
from typing import Literal

from brekzsync.errors import AccessDenied, BrekzsyncError, ConfigurationError, Unavailable
from brekzsync.notify.messages import FailureMail

_logger = logging.getLogger("brekzsync.notify")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """A mail server, and between whom mails go through it. Addresses are ``a@b.example`` or ``Name <a@b.example>``.

    ``timeout`` is in seconds, for each answer. An empty ``user`` does not log in.
    """

    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    sender: str
    recipients: tuple[str, ...]
    user: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 15.0

    @property
    def name(self) -> str:
        """As people are told of it."""
        return f"The mail server {self.host}:{self.port}"


class Mailer:
    """Sends mails through one server.

    Raises Unavailable for what passes by itself, AccessDenied for a login that is refused, and ConfigurationError for
    what a person must change. A repeat is safe but for a second mail: after an error the server may have it.
    """

    def __init__(self, server: MailServer) -> None:
        self._server = server

    def send(self, mail: FailureMail) -> None:
        """One mail to all recipients. When only some of them are refused it is sent, and the log says who was."""
        message = self._message(mail)
        with self._session() as session:
            refused = session.send_message(
                message, _plain(self._server.sender), [_plain(one) for one in self._server.recipients]
            )
        for recipient, (code, words) in refused.items():
            _logger.warning("mail to %s was refused: %s", recipient, _answer(code, words))

    def try_out(self) -> None:
        """All that sending takes, up to the mail itself; nothing is sent."""
        with self._session() as session:
            code, words = session.mail(_plain(self._server.sender))
            if code >= 500:
                raise smtplib.SMTPSenderRefused(code, words, self._server.sender)
            answers = {one: session.rcpt(_plain(one)) for one in self._server.recipients if code < 400}
            refused = {one: answer for one, answer in answers.items() if answer[0] >= 500}
            if refused:
                raise smtplib.SMTPRecipientsRefused(refused)
            session.rset()

    def _message(self, mail: FailureMail) -> EmailMessage:
        sender = _address(self._server.sender)
        message = EmailMessage(policy=SMTP)
        message["Subject"] = mail.subject
        message["From"] = sender
        message["To"] = [_address(one) for one in self._server.recipients]
        message["Date"] = localtime()
        message["Message-ID"] = make_msgid(domain=sender.domain)
        message["Auto-Submitted"] = "auto-generated"  # no answer of somebody's absence comes back
        message.set_content(mail.text)
        message.add_alternative(mail.html, subtype="html")
        return message

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        server = self._server
        if server.user and server.security == "none":
            raise ConfigurationError(
                f"The password for {server.host} is not sent: anybody on the way could read it.",
                hint='Set [notify] smtp_security = "starttls" or "tls", or remove smtp_user.',
                code="mail_not_encrypted",
            )
        try:
            session = self._connected()
            try:
                self._introduce(session)
                yield session
            finally:
                with suppress(OSError):  # whatever it says to a goodbye, what was sent is sent
                    session.quit()
                session.close()
        except (OSError, UnicodeError) as error:  # smtplib's own errors are OSErrors
            raise _translated(error, server) from error

    def _connected(self) -> smtplib.SMTP:
        server = self._server
        if server.security == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout, context=context)
        return smtplib.SMTP(server.host, server.port, timeout=server.timeout)

    def _introduce(self, session: smtplib.SMTP) -> None:
        session.ehlo_or_helo_if_needed()
        if self._server.security == "starttls":
            session.starttls(context=ssl.create_default_context())
            session.ehlo()
        if self._server.user:
            session.login(self._server.user, self._server.password)


def _address(text: str) -> Address:
    name, _, _ = text.rpartition("<")
    return Address(name.strip(), addr_spec=_plain(text))


def _plain(text: str) -> str:
    """An address without the name."""
    return text.rpartition("<")[2].rstrip(">")


def _translated(error: OSError | UnicodeError, server: MailServer) -> BrekzsyncError:
    match error:
        case smtplib.SMTPRecipientsRefused():
            return _refused_recipients(server, error.recipients)
        case smtplib.SMTPResponseException():
            return _refusal(server, error)
        case smtplib.SMTPNotSupportedError():
            return _unsupported(server, error)
        case ssl.SSLCertVerificationError():
            return ConfigurationError(
                f"{server.name} cannot prove who it is: {error.verify_message}.",
                hint="Set [notify] smtp_host to the name in its certificate. An authority of your own is known by"
                " the environment variable SSL_CERT_FILE.",
                code="mail_certificate",
            )
        case ssl.SSLError():
            return _wrong_security(server)
        case smtplib.SMTPServerDisconnected() if not isinstance(error.__context__, TimeoutError):
            return _unavailable(server, "ended the connection")
        case TimeoutError() | smtplib.SMTPServerDisconnected():
            silent = (
                ""
                if server.security == "tls"
                else ' A port that begins with TLS needs smtp_security = "tls".'
            )
            return _unavailable(server, "did not answer in time", silent)
        case UnicodeError():  # a host no name server can be asked for, or what no login can hold
            return ConfigurationError(
                f"{server.name} cannot be asked: its name, or the login, holds a character that none has.",
                hint="Correct [notify] smtp_host, smtp_user and smtp_password.",
                code="mail_server",
            )
        case _:
            return _unavailable(server, f"cannot be reached ({error.strerror or error})")


def _refusal(server: MailServer, error: smtplib.SMTPResponseException) -> BrekzsyncError:
    answer = _answer(error.smtp_code, error.smtp_error)
    if error.smtp_code < 500:
        return _unavailable(server, f"puts the mail off: {answer}")
    if error.smtp_code == 530 and "TLS" in answer:
        return ConfigurationError(
            f"{server.name} takes nothing unencrypted: {answer}.",
            hint='Set [notify] smtp_security = "starttls".',
            code="mail_security",
        )
    if isinstance(error, smtplib.SMTPAuthenticationError) or error.smtp_code == 530:
        return AccessDenied(
            f"{server.name} refused the login: {answer}.",
            hint="Correct [notify] smtp_user and smtp_password.",
            code="mail_login",
        )
    whom = f" from {error.sender}" if isinstance(error, smtplib.SMTPSenderRefused) else ""
    return ConfigurationError(
        f"{server.name} refused the mail{whom}: {answer}.",
        hint="Set [notify] mail_from to an address this server sends for, or smtp_user to who may send.",
        code="mail_refused",
    )


def _refused_recipients(
    server: MailServer, refused: Mapping[str, tuple[int, bytes]]
) -> ConfigurationError | Unavailable:
    whom, (code, words) = next(iter(refused.items()))
    if all(code < 500 for code, _ in refused.values()):
        return _unavailable(server, f"puts off the mail to {whom}: {_answer(code, words)}")
    return ConfigurationError(
        f"{server.name} refused the mail to {whom}: {_answer(code, words)}.",
        hint="Correct [notify] mail_to; a server that does not take mail for others may need smtp_user.",
        code="mail_refused",
    )


def _unsupported(server: MailServer, error: smtplib.SMTPNotSupportedError) -> ConfigurationError:
    words = str(error)
    if "STARTTLS" in words:
        return _wrong_security(server)
    if "AUTH" in words:
        return ConfigurationError(
            f"{server.name} takes no login.", hint="Remove [notify] smtp_user.", code="mail_login"
        )
    return ConfigurationError(
        f"{server.name} does not take addresses with letters beyond ASCII.",
        hint="Correct [notify] mail_to and mail_from.",
        code="mail_refused",
    )


def _wrong_security(server: MailServer) -> ConfigurationError:
    spoken = {"tls": "does not speak TLS from the beginning", "starttls": "offers no STARTTLS"}
    return ConfigurationError(
        f"{server.name} {spoken.get(server.security, 'speaks another protocol')}.",
        hint='Set [notify] smtp_security to what it speaks: usually "tls" at port 465, "starttls" at 587.',
        code="mail_security",
    )


def _unavailable(server: MailServer, what: str, advice: str = "") -> Unavailable:
    return Unavailable(
        f"{server.name} {what}.",
        hint=f"Check [notify] smtp_host and smtp_port. What was not told is told by the next run.{advice}",
        code="mail_unavailable",
    )


def _answer(code: int, words: bytes | str) -> str:
    """The server's words on one line, cut."""
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return f"{code} {' '.join(text.split())[:200]}".strip().rstrip(".")
