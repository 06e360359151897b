"""The mail backend that every part of Django writes to: it only puts messages in the outbox."""

from collections.abc import Sequence

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

from backend.core.ids import new_id
from backend.core.nudge import nudge
from backend.identity.models import User
from backend.notifications.models import OutgoingMail


class OutboxBackend(BaseEmailBackend):
    """Keeps messages with the transaction that wrote them, so that none is lost and none leaves too early."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Put each message in the outbox, once per recipient."""
        rows = [
            OutgoingMail(
                id=new_id("eml"),
                recipient=recipient,
                subject=str(message.subject)[:200],
                body=str(message.body),
                secret=True,  # what Django and the account pages write carries codes and links
                due_at=timezone.now(),
            )
            for message in email_messages
            for recipient in message.recipients()
            if not recipient.endswith(f"@{User.NO_ADDRESS}")
        ]
        OutgoingMail.objects.bulk_create(rows)
        nudge("notifications.send")
        return len(email_messages)
