"""Reads what a mail server sends back (RFC 3464): hostile input, of which only ids and status codes are believed."""

import email
import re
from collections.abc import Iterator
from datetime import datetime
from email import policy
from email.message import Message
from typing import Any

from django.utils.translation import gettext_lazy as _

from backend.core.errors import Invalid
from backend.notifications.models import OutgoingMail
from backend.notifications.sending import mark_bounced

MAX_BYTES = 1024 * 1024  # our messages are a few kilobytes; a report that is larger is no answer to them
MAX_PARTS = 50
# An id holds 130 random bits: only who received the message, or carried it, can name it.
OUR_ID = re.compile(r"<(eml_[0-9A-Z]{36})@[^<>\s]{1,255}>")
STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")


def record_bounce(*, message: bytes, now: datetime) -> OutgoingMail | None:
    """Mark the message that a delivery report says has failed.

    Args: message: the report as it came, headers included.
    Returns: the message of the outbox, or None when the report is no failure (a delay, an answer) or not about ours.
    Raises: Invalid `bounce_too_large`, `bounce_unreadable`.
    """
    if len(message) > MAX_BYTES:
        raise Invalid("bounce_too_large", _("A delivery report is at most one megabyte: this message is no report."))
    try:
        parts = list(_parts(email.message_from_bytes(message, policy=policy.compat32)))
        status = _failure(parts)
        found = OUR_ID.search(_original_id(parts)) if status else None
    except (RecursionError, ValueError, TypeError, LookupError, AttributeError, AssertionError):
        raise Invalid("bounce_unreadable", _("This message cannot be read as a delivery report.")) from None
    if found is None or status is None:
        return None
    mail = OutgoingMail.objects.filter(pk=found[1], state__in=["sent", "bounced", "due"]).first()
    if mail is not None:
        mail.last_error = f"{status} (delivery report)"
        if mark_bounced(mail, now=now, status=status):
            mail.refresh_from_db()
    return mail


def _parts(message: Message) -> "Iterator[Message[Any, Any]]":
    """The first parts of a message, outermost first."""
    for number, part in enumerate(message.walk()):
        if number >= MAX_PARTS:
            return
        yield part


def _failure(parts: "list[Message[Any, Any]]") -> str | None:
    """The status code of the first recipient whose delivery has failed for good, or None."""
    inside_report = False
    for part in parts:
        inside_report = inside_report or part.get_content_type() == "message/delivery-status"
        if inside_report and str(part.get("Action", "")).strip().lower().startswith("failed"):
            said = STATUS.search(str(part.get("Status", "")))
            return said[1] if said else "5.0.0"
    return None


def _original_id(parts: "list[Message[Any, Any]]") -> str:
    """The Message-ID of the message that came back, from the copy or the headers that the report carries."""
    for part in parts[1:]:
        if "Message-ID" in part:
            return str(part["Message-ID"])
        if part.get_content_type() == "text/rfc822-headers":
            body = part.get_payload(decode=True)
            head = email.message_from_bytes(body if isinstance(body, bytes) else b"", policy=policy.compat32)
            return str(head.get("Message-ID", ""))
    return ""
