"""People are told of failures by one mail."""

from __future__ import annotations

from collections.abc import Sequence

from brekzsync.domain.notices import FailedNotice
from brekzsync.notify.mail import Mailer
from brekzsync.notify.messages import MailStyle, failure_mail


class MailNotifier:
    """Fulfils ``flows.order_status.ports.Notifier``."""

    def __init__(self, mailer: Mailer, style: MailStyle) -> None:
        self._mailer = mailer
        self._style = style

    def tell(self, failures: Sequence[FailedNotice]) -> None:
        if failures:
            self._mailer.send(failure_mail(failures, self._style))
