"""Tries the mail server as a message would use it, and says in one sentence what is wrong."""

import smtplib
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail import get_connection
from django.utils.translation import gettext as _

from backend.core.errors import Conflict
from backend.core.ids import new_id
from backend.notifications.models import OutgoingMail
from backend.notifications.sending import explain, letter, said

SMTP = "django.core.mail.backends.smtp.EmailBackend"


def try_mail(*, to: str, now: datetime) -> str:
    """Connect, encrypt, sign in and name the sender; send a test message when `to` is an address.

    Returns: a sentence that says what works.
    Raises: Conflict `mail_not_working` with a sentence that says what does not.
    """
    if settings.MAIL_FOLDER:
        return _folder()
    server = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    transport: Any = get_connection(SMTP)
    try:
        transport.open()
        if to:
            test = OutgoingMail(
                id=new_id("eml"), recipient=to, subject=_("Test of the mail of Tronc"), due_at=now,
                body=_("This message shows that mail leaves this instance. Nothing else is to be done."),
            )  # fmt: skip
            letter(test, transport).send()
            return _("%(server)s took a test message for %(to)s.") % {"server": server, "to": to}
        sender = settings.MAIL_BOUNCES or settings.DEFAULT_FROM_EMAIL
        code, words = transport.connection.mail(sender.rpartition("<")[2].rstrip(">"))
        if code != 250:
            raise smtplib.SMTPSenderRefused(code, words, sender)
        transport.connection.rset()
    except (OSError, smtplib.SMTPException) as failure:
        _verdict, sentence = explain(failure)
        raise Conflict(
            "mail_not_working",
            _("Mail does not leave through %(server)s. %(why)s.") % {"server": server, "why": said(sentence)},
        ) from None
    finally:
        _leave(transport)
    return _("%(server)s accepts mail from %(sender)s.") % {"server": server, "sender": sender}


def _folder() -> str:
    """Mail is written to a folder: whether it can be."""
    folder = Path(settings.MAIL_FOLDER)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".tried").touch()
        (folder / ".tried").unlink()
    except OSError as failure:
        raise Conflict(
            "mail_not_working",
            _("Mail cannot be written to %(folder)s: %(why)s.") % {"folder": folder, "why": failure.strerror},
        ) from None
    return _("Mail is written to the folder %(folder)s: none leaves.") % {"folder": folder}


def _leave(transport: Any) -> None:
    """Say goodbye to a server that may be gone."""
    try:
        transport.close()
    except (OSError, smtplib.SMTPException):
        return
