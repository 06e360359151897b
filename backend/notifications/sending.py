"""Hands the outbox to the mail server: one sender at a time, outside any transaction, and says what went wrong."""

import contextlib
import smtplib
import ssl
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any, Literal

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import connection, transaction
from django.utils import translation
from django.utils.translation import gettext, gettext_noop

from backend.core.failpoints import around_commit, failpoint
from backend.events.services import record
from backend.notifications.models import OutgoingMail

# 2, 4, 8 … minutes, then every six hours: some three days, so that a server away for a weekend loses nothing.
ATTEMPTS = 20
LONGEST_PAUSE = timedelta(hours=6)
SETTINGS_PAUSE = timedelta(minutes=5)  # what only a change of settings repairs is tried again for ever
SECONDS = 25  # a sweep stops there; the next one goes on, so that a slow server never keeps a worker for itself
SENDER_LOCK = 7_361_420_002

# refused: this recipient, for good. settings: nothing leaves before they change. later: try again.
Verdict = Literal["refused", "settings", "later"]


def send_due(now: datetime) -> int:
    """Hand the due messages to the mail server; returns how many were treated.

    Each is counted and committed first, sent next, marked last: no row lock and no transaction waits for the server.
    One process sends at a time; the first failure of the server itself ends the sweep.
    """
    treated, last, until = 0, "", time.monotonic() + SECONDS
    with _only_sender() as alone, contextlib.ExitStack() as closing:
        transport: Any = None
        while alone and time.monotonic() < until and (mail := _take(now, after=last)) is not None:
            treated, last = treated + 1, mail.pk
            try:
                if transport is None:
                    transport = get_connection(settings.MAIL_TRANSPORT)
                    closing.callback(_hang_up, transport)
                    transport.open()
                failpoint("mail.before_send")
                letter(mail, transport).send()
            except Exception as failure:
                verdict, sentence = explain(failure)
                _failed(mail, verdict, sentence, now)
                if verdict == "settings" or away(failure):
                    break
            else:
                _sent(mail, now)
    return treated


@contextlib.contextmanager
def _only_sender() -> Iterator[bool]:
    """Whether we are the one sender; PostgreSQL frees the lock of a sender that dies, and what it had is due again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [SENDER_LOCK])
        alone = bool(cursor.fetchone()[0])
    try:
        yield alone
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [SENDER_LOCK])


@transaction.atomic
def _take(now: datetime, *, after: str) -> OutgoingMail | None:
    """The next due message, its attempt counted before it is made: one that kills its sender is given up in the end."""
    due = OutgoingMail.objects.filter(state="due", due_at__lte=now, pk__gt=after).order_by("pk")
    mail = due.select_for_update(skip_locked=True, of=("self",)).first()
    if mail is not None:
        mail.attempts += 1
        mail.save(update_fields=["attempts"])
    return mail


def letter(mail: OutgoingMail, transport: Any = None) -> EmailMessage:
    """A message of the outbox as it travels: the same Message-ID at each attempt, so that a twin is recognised."""
    author = settings.DEFAULT_FROM_EMAIL
    domain = parseaddr(author)[1].rpartition("@")[2]
    headers = {"Message-ID": f"<{mail.pk}@{domain}>", "From": author, "Auto-Submitted": "auto-generated"}
    return EmailMessage(
        " ".join(mail.subject.split()),
        mail.body,
        settings.MAIL_BOUNCES or author,  # the envelope: where a refusal comes back
        [mail.recipient],
        headers=headers,
        connection=transport,
    )


@transaction.atomic
def _sent(mail: OutgoingMail, now: datetime) -> None:
    """Note that the server took the message; dying just before sends a twin, with the same id."""
    OutgoingMail.objects.filter(pk=mail.pk).update(state="sent", sent_at=now, last_error="", **_left(mail))
    around_commit("mail.sent")


def _failed(mail: OutgoingMail, verdict: Verdict, sentence: str, now: datetime) -> None:
    """Note a failure: sent back for good, kept due until the settings change, or tried again later."""
    mail.last_error = sentence[:200]
    if verdict == "refused":
        mark_bounced(mail, now=now, status="smtp")
        return
    if verdict == "settings":
        mail.attempts -= 1  # no fault of the message: it is not given up for it
        mail.due_at = now + SETTINGS_PAUSE
    else:
        mail.due_at = now + min(timedelta(minutes=2 ** min(mail.attempts, 10)), LONGEST_PAUSE)
        if mail.attempts >= ATTEMPTS:
            mail.state = "given_up"
    # A bounce or a hold noted meanwhile stays as it is.
    values = {"attempts": mail.attempts, "due_at": mail.due_at, "state": mail.state, "last_error": mail.last_error}
    gone = _left(mail) if mail.state == "given_up" else {}
    OutgoingMail.objects.filter(pk=mail.pk, state="due").update(**values, **gone)


def _left(mail: OutgoingMail) -> dict[str, str]:
    """What remains of the text of a message that will not leave again: codes and links are not kept with it.

    The demonstration keeps them: its people have no mailbox but the page that shows them.
    """
    if not mail.secret or settings.DEMO:
        return {}
    with translation.override(settings.LANGUAGE_CODE):
        return {"body": gettext("This message held a code or a link: its text was not kept.")}


@transaction.atomic
def mark_bounced(mail: OutgoingMail, *, now: datetime, status: str) -> bool:
    """Mark a message as sent back, once; `status` is what the machine said (`5.1.1`). False when it was already."""
    rows = OutgoingMail.objects.filter(pk=mail.pk).exclude(state="bounced")
    if not rows.update(state="bounced", bounced_at=now, last_error=mail.last_error, **_left(mail)):
        return False
    record("mail.bounced", actor=None, subject=mail.pk, now=now, status=status)
    return True


# What people can be told of a failure; marked for the catalogue, translated where it is shown.
SAID = {
    "refused": gettext_noop("The mail server refuses this recipient for good"),
    "login": gettext_noop("The mail server refuses the user name or the password (TRONC_SMTP_USER)"),
    "certificate": gettext_noop("The certificate of the mail server is not valid for its name"),
    "sender": gettext_noop("The mail server refuses the sender (TRONC_MAIL_FROM, TRONC_MAIL_BOUNCES)"),
    "unsupported": gettext_noop("The mail server does not offer what the settings ask for (STARTTLS or a user)"),
    "tls": gettext_noop("The encrypted connection failed: check TRONC_SMTP_PORT, TRONC_SMTP_TLS, TRONC_SMTP_STARTTLS"),
    "away": gettext_noop("The mail server does not answer"),
    "later": gettext_noop("The mail server asks to try again later"),
}


def explain(failure: BaseException) -> tuple[Verdict, str]:
    """What a failure means for the message, and a sentence: the cause, then the server's own words."""
    code, words = _answer(failure)
    permanent = code >= 500
    match failure:
        case smtplib.SMTPRecipientsRefused() | smtplib.SMTPDataError() if permanent:
            verdict, cause = "refused", "refused"
        case smtplib.SMTPAuthenticationError() if permanent:
            verdict, cause = "settings", "login"
        case smtplib.SMTPSenderRefused() if permanent:
            verdict, cause = "settings", "sender"
        case smtplib.SMTPNotSupportedError():
            verdict, cause = "settings", "unsupported"
        case ssl.SSLCertVerificationError():
            verdict, cause = "settings", "certificate"
        case ssl.SSLError():
            verdict, cause = "settings", "tls"
        case smtplib.SMTPServerDisconnected() | smtplib.SMTPConnectError():
            verdict, cause = "later", "away"
        case smtplib.SMTPException():
            verdict, cause = "later", "later"
        case OSError():
            verdict, cause = "later", "away"
        case _:
            return "later", f"{type(failure).__name__}: {failure}"
    return verdict, f"{SAID[cause]}: {words}"  # type: ignore[return-value]


def said(sentence: str) -> str:
    """A sentence of `explain` in the reader's language, the server's own words left as they came."""
    cause = next((text for text in SAID.values() if sentence.startswith(text)), "")
    return f"{gettext(cause)}{sentence[len(cause) :]}" if cause else sentence


def away(failure: BaseException) -> bool:
    """Whether a failure is of the server rather than of one message."""
    connecting = (smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError, smtplib.SMTPHeloError)
    by_message = (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError, smtplib.SMTPSenderRefused)
    return isinstance(failure, connecting) or (isinstance(failure, OSError) and not isinstance(failure, by_message))


def _answer(failure: BaseException) -> tuple[int, str]:
    """The code (0 when there is none) and the words of a refusal, on one line."""
    code, words = getattr(failure, "smtp_code", 0), getattr(failure, "smtp_error", "") or str(failure)
    if isinstance(failure, smtplib.SMTPRecipientsRefused):
        code, words = next(iter(failure.recipients.values()), (0, b""))
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    said = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split()).rstrip(".")
    return int(code or 0), f"{code} {said}".strip() if code else said


def _hang_up(transport: Any) -> None:
    """Close the connection; a server that is away need not hear it."""
    with contextlib.suppress(Exception):
        transport.close()
