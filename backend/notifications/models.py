"""The outbox."""

from typing import ClassVar

from django.db import models

from backend.core.ids import ID_LENGTH
from backend.events.models import Event


class OutgoingMail(models.Model):
    """One message to one person. It is due until it is sent or given up."""

    STATES: ClassVar = [("due", "due"), ("sent", "sent"), ("given_up", "given up")]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    event = models.ForeignKey(Event, null=True, on_delete=models.PROTECT, related_name="+")
    recipient = models.EmailField()
    subject = models.CharField(max_length=200)
    body = models.TextField()
    state = models.CharField(max_length=8, choices=STATES, default="due")
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event", "recipient"], name="told_once")]
        indexes = [models.Index(fields=["state", "due_at"], name="mail_due")]
