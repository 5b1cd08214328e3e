"""Mails about failures, through a real mail server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
import trustme

from brekzsync import logs
from brekzsync.bootstrap.notify import mail_server as server_of
from brekzsync.bootstrap.notify import notifier_of
from brekzsync.domain.findings import passed, skipped
from brekzsync.domain.notices import FailedNotice
from brekzsync.errors import AccessDenied, BrekzsyncError, ConfigurationError, Unavailable
from brekzsync.notify.health import MailHealth
from brekzsync.notify.mail import Mailer, MailServer
from brekzsync.notify.messages import FailureMail
from brekzsync.settings import load_settings
from tests.mail_servers import LOGIN, Mailbox, Security, mail_server, settings_of

# It is encrypted from the beginning, which the server's own rule does not know of.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

MAIL = FailureMail("brekzsync: 1 order was not accepted", "Läst: 1 €\n", "<p>Läst: 1 €</p>\n")
LOGGED_IN = {"user": LOGIN.login.decode(), "password": LOGIN.password.decode()}
FAILURE = FailedNotice(
    id_order=12,
    shop_reference="ABCDEFGHI",
    marketplace="Amazon",
    reference="403-1",
    operation="ship",
    reason="refused",
    message="No.\r\nBcc: all@example.com",
    attempts=1,
    retry_at=None,
)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority this machine knows."""
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return authority


def refusal(server: MailServer, kind: type[BrekzsyncError]) -> tuple[str, str, str]:
    with pytest.raises(kind) as raised:
        Mailer(server).send(MAIL)
    error = raised.value
    return error.code, error.message.replace(f"localhost:{server.port}", "HERE"), error.hint


# --- what arrives -----------------------------------------------------------------------------------------


def test_a_mail_arrives_whole_as_text_and_html(mailbox: Mailbox) -> None:
    with mail_server(mailbox) as port:
        Mailer(settings_of(port)).send(MAIL)

    (mail,) = mailbox.mails
    headers = {name: str(mail[name]) for name in ("Subject", "From", "To", "Auto-Submitted", "MIME-Version")}
    assert headers == {
        "Subject": MAIL.subject,
        "From": '"Shop B.V." <sync@shop.example>',
        "To": "orders@shop.example, Söme Body <some@shop.example>",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
    }
    assert str(mail["Message-ID"]).endswith("@shop.example>")
    assert mail["Date"].datetime.tzinfo is not None
    parts = [(part.get_content_type(), part.get_content()) for part in mail.iter_parts()]
    assert parts == [("text/plain", MAIL.text), ("text/html", MAIL.html)]
    assert mailbox.recipients == [["orders@shop.example", "some@shop.example"]]


def test_a_configuration_is_enough_to_tell_people(mailbox: Mailbox, tmp_path: Path) -> None:
    with mail_server(mailbox) as port:
        config = tmp_path / "my shop.toml"
        config.write_text(
            '[shop]\ndatabase = "sqlite:///s.db"\ndata_shop = 1\n[notify]\nmail_to = ["orders@shop.example"]\n'
            f'smtp_host = "127.0.0.1"\nsmtp_port = {port}\norder_link = "https://shop.example/{{id_order}}"\n'
        )
        notifier = notifier_of(load_settings(config, {}))
        assert notifier is not None
        notifier.tell([])
        notifier.tell([FAILURE])

    (mail,) = mailbox.mails
    assert (mail["Subject"], mail["From"], mail["To"], mail["Bcc"]) == (
        "brekzsync: 1 order was not accepted by the marketplace",
        "orders@shop.example",
        "orders@shop.example",
        None,
    )
    text = mail.get_body(("plain",)).get_content()
    assert f"  brekzsync --config '{config}' logs retry 12 --target shoppingfeed\n" in text
    assert "  https://shop.example/12\n" in text


def test_nobody_is_told_where_the_configuration_names_nobody(tmp_path: Path) -> None:
    config = tmp_path / "brekzsync.toml"
    config.write_text('[shop]\ndatabase = "sqlite:///s.db"\ndata_shop = 1\n[notify]\nsmtp_host = "x"\n')
    settings = load_settings(config, {})

    assert notifier_of(settings) is None
    assert MailHealth(server_of(settings)).server() == skipped("Not configured: [notify] mail_to is empty.")


@pytest.mark.parametrize(
    "address",
    ["a@b.example\\nBcc: c@d.example", "A\\r\\nB <a@b.example>", "a", "a@b, c@d", "", "<a@b.example"],
)
def test_an_address_that_could_be_more_than_one_header_is_refused(address: str, tmp_path: Path) -> None:
    config = tmp_path / "brekzsync.toml"
    config.write_text(
        f'[shop]\ndatabase = "sqlite:///s.db"\ndata_shop = 1\n[notify]\nmail_to = ["{address}"]\n'
    )
    with pytest.raises(ConfigurationError, match=r"\[notify\] mail_to\[0\] must be a mail address such as"):
        load_settings(config, {})


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_login_goes_through_an_encrypted_connection(
    mailbox: Mailbox, trusted: trustme.CA, security: Security
) -> None:
    with mail_server(mailbox, security, trusted, login=True) as port:
        Mailer(settings_of(port, security, **LOGGED_IN)).send(MAIL)

    assert (len(mailbox.mails), mailbox.logins) == (1, [LOGIN.login])


def test_only_some_recipients_refused_is_told_in_the_log(mailbox: Mailbox, tmp_path: Path) -> None:
    logs.configure(tmp_path / "log")
    mailbox.on_recipient = {"some@shop.example": "550 No such user"}
    with mail_server(mailbox) as port:
        Mailer(settings_of(port)).send(MAIL)

    assert mailbox.recipients == [["orders@shop.example"]]
    logs.configure()
    log = (tmp_path / "log").read_text()
    assert log.endswith("brekzsync.notify: mail to some@shop.example was refused: 550 No such user\n")


# --- what goes wrong --------------------------------------------------------------------------------------


def test_a_password_is_never_sent_unencrypted(mailbox: Mailbox) -> None:
    with mail_server(mailbox) as port:
        assert refusal(settings_of(port, **LOGGED_IN), ConfigurationError) == (
            "mail_not_encrypted",
            "The password for localhost is not sent: anybody on the way could read it.",
            'Set [notify] smtp_security = "starttls" or "tls", or remove smtp_user.',
        )
    assert mailbox.logins == []


def test_a_wrong_password_is_access_denied(mailbox: Mailbox, trusted: trustme.CA) -> None:
    with mail_server(mailbox, "tls", trusted, login=True) as port:
        server = settings_of(port, "tls", **LOGGED_IN | {"password": "wrong-password"})
        code, message, hint = refusal(server, AccessDenied)

    assert (code, hint) == ("mail_login", "Correct [notify] smtp_user and smtp_password.")
    assert message.startswith("The mail server HERE refused the login: 535 5.7.8 ")
    assert "wrong-password" not in message + repr(server)


def test_a_server_that_wants_a_login_says_so(mailbox: Mailbox, trusted: trustme.CA) -> None:
    with mail_server(mailbox, "tls", trusted, login=True) as port:
        assert refusal(settings_of(port, "tls"), AccessDenied)[0] == "mail_login"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_of_nobody_known_is_not_trusted(
    mailbox: Mailbox, authority: trustme.CA, security: Security
) -> None:
    with mail_server(mailbox, security, authority) as port:
        code, message, hint = refusal(settings_of(port, security), ConfigurationError)

    assert code == "mail_certificate"
    assert message.startswith("The mail server HERE cannot prove who it is: ")
    assert "SSL_CERT_FILE" in hint
    assert mailbox.mails == []


def test_the_certificate_of_another_host_is_not_trusted(mailbox: Mailbox, trusted: trustme.CA) -> None:
    with mail_server(mailbox, "tls", trusted, name="other.example") as port:
        code, message, _ = refusal(settings_of(port, "tls"), ConfigurationError)

    assert (code, "'localhost'" in message) == ("mail_certificate", True)


@pytest.mark.parametrize(
    ("security", "said"),
    [("starttls", "offers no STARTTLS"), ("tls", "does not speak TLS from the beginning")],
)
def test_a_server_that_does_not_encrypt_is_told(mailbox: Mailbox, security: Security, said: str) -> None:
    with mail_server(mailbox) as port:
        assert refusal(settings_of(port, security), ConfigurationError) == (
            "mail_security",
            f"The mail server HERE {said}.",
            'Set [notify] smtp_security to what it speaks: usually "tls" at port 465, "starttls" at 587.',
        )


def test_a_server_that_insists_on_encryption_is_told(mailbox: Mailbox, trusted: trustme.CA) -> None:
    with mail_server(mailbox, "starttls", trusted) as port:
        assert refusal(settings_of(port), ConfigurationError) == (
            "mail_security",
            "The mail server HERE takes nothing unencrypted: 530 Must issue a STARTTLS command first.",
            'Set [notify] smtp_security = "starttls".',
        )


@pytest.mark.parametrize(
    ("answer", "kind"),
    [("550 5.1.1 No such user", ConfigurationError), ("450 4.2.0 Greylisted", Unavailable)],
)
def test_refused_recipients_are_sorted_by_what_to_do(
    mailbox: Mailbox, answer: str, kind: type[BrekzsyncError]
) -> None:
    mailbox.on_recipient = dict.fromkeys(("orders@shop.example", "some@shop.example"), answer)
    with mail_server(mailbox) as port:
        _, message, _ = refusal(settings_of(port), kind)

    assert message.endswith(f"the mail to orders@shop.example: {answer}.")
    assert mailbox.mails == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [("554 5.7.1 Not for you", ConfigurationError), ("451 4.3.0 Try later", Unavailable)],
)
@pytest.mark.parametrize("step", ["on_sender", "on_data"])
def test_refused_mails_are_sorted_by_what_to_do(
    mailbox: Mailbox, step: str, answer: str, kind: type[BrekzsyncError]
) -> None:
    setattr(mailbox, step, answer)
    with mail_server(mailbox) as port:
        _, message, _ = refusal(settings_of(port), kind)

    assert message.endswith(f"{answer}.")
    assert mailbox.mails == []


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert refusal(settings_of(port), Unavailable) == (
        "mail_unavailable",
        "The mail server HERE cannot be reached (Connection refused).",
        "Check [notify] smtp_host and smtp_port. What was not told is told by the next run.",
    )


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".example", "a..b"])
def test_a_host_that_is_none_is_told(host: str) -> None:
    with pytest.raises((Unavailable, ConfigurationError), match=f"The mail server {host}:25 "):
        Mailer(settings_of(25, host=host)).send(MAIL)


@contextmanager
def listening(greeting: bytes, *, closes: bool) -> Iterator[int]:
    """A server that says one thing and then nothing, or hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(greeting)
                if not closes:
                    while connection.recv(1024):
                        pass

        Thread(target=answer, daemon=True).start()
        yield server.getsockname()[1]


@pytest.mark.parametrize("greeting", [b"", b"220 hello\r\n"])
def test_a_server_that_falls_silent_is_given_up(greeting: bytes) -> None:
    with listening(greeting, closes=False) as port:
        _, message, hint = refusal(settings_of(port, timeout=0.2), Unavailable)

    assert message == "The mail server HERE did not answer in time."
    assert hint.endswith(' A port that begins with TLS needs smtp_security = "tls".')


@pytest.mark.parametrize("greeting", [b"", b"220 hello\r\n"])
def test_a_server_that_hangs_up_is_unavailable(greeting: bytes) -> None:
    with listening(greeting, closes=True) as port:
        _, message, _ = refusal(settings_of(port), Unavailable)

    assert message in (
        "The mail server HERE ended the connection.",
        "The mail server HERE cannot be reached (Connection reset by peer).",
    )


@pytest.mark.parametrize(
    "greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"554 not here\r\n", b"\xff\xfe\r\n"]
)
def test_what_is_no_mail_server_is_an_error_with_a_remedy(greeting: bytes) -> None:
    with listening(greeting, closes=True) as port, pytest.raises(BrekzsyncError) as raised:
        Mailer(settings_of(port)).send(MAIL)

    assert raised.value.message.startswith(f"The mail server localhost:{port} ")
    assert raised.value.hint


# --- doctor -----------------------------------------------------------------------------------------------


def test_doctor_goes_as_far_as_the_recipients_and_sends_nothing(mailbox: Mailbox) -> None:
    with mail_server(mailbox) as port:
        found = MailHealth(settings_of(port)).server()

    assert found == passed(
        f"localhost:{port} takes mails to orders@shop.example, Söme Body <some@shop.example>."
    )
    assert mailbox.mails == []


def test_doctor_finds_a_server_that_does_not_pass_mails_on(mailbox: Mailbox) -> None:
    mailbox.on_recipient = {"some@shop.example": "554 5.7.1 Relay access denied"}
    with (
        mail_server(mailbox) as port,
        pytest.raises(ConfigurationError, match=r"refused the mail to Söme Body <some@shop.example>: 554"),
    ):
        MailHealth(settings_of(port)).server()


def test_doctor_finds_a_sender_that_is_not_taken(mailbox: Mailbox) -> None:
    mailbox.on_sender = "553 5.7.1 Not your address"
    with (
        mail_server(mailbox) as port,
        pytest.raises(
            ConfigurationError, match=r"refused the mail from Shop B\.V\. <sync@shop.example>: 553"
        ),
    ):
        MailHealth(settings_of(port)).server()


def test_doctor_takes_a_server_that_puts_strangers_off(mailbox: Mailbox) -> None:
    mailbox.on_recipient = {"some@shop.example": "450 4.2.0 Greylisted"}
    with mail_server(mailbox) as port:
        assert MailHealth(settings_of(port)).server().verdict.value == "passed"
