"""The outbox."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.core.ids import ID_LENGTH
from backend.events.models import Event
from backend.identity.models import User


class OutgoingMail(models.Model):
    """One message to one person. It is due until it is sent, sent back, or given up; held mail waits for a person."""

    STATES: ClassVar = [
        ("due", _("to send")),
        ("sent", _("sent")),
        ("bounced", _("sent back")),
        ("given_up", _("given up")),
        ("held", _("held")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    event = models.ForeignKey(Event, null=True, on_delete=models.PROTECT, related_name="+")
    recipient = models.EmailField()
    subject = models.CharField(max_length=200)
    body = models.TextField()
    # The text opens something (a code, a link): it goes once the message has left, or has been given up.
    secret = models.BooleanField(default=False, db_default=False)
    state = models.CharField(max_length=8, choices=STATES, default="due")
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    bounced_at = models.DateTimeField(null=True)
    # What the mail server or the person who held it said last.
    last_error = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["event", "recipient"], name="told_once"),
            models.CheckConstraint(
                name="mail_state_known", condition=Q(state__in=["due", "sent", "bounced", "given_up", "held"])
            ),
            models.CheckConstraint(
                name="mail_bounce_dated", condition=~Q(state="bounced") | Q(bounced_at__isnull=False)
            ),
        ]
        indexes = [
            models.Index(fields=["state", "due_at"], name="mail_due"),
            models.Index(fields=["recipient"], name="mail_bounced", condition=Q(state="bounced")),
        ]


class Digest(models.Model):
    """The daily mail of one person about what awaits them: whether they want it, and when it was looked at last."""

    user = models.OneToOneField(User, primary_key=True, on_delete=models.CASCADE, related_name="+")
    wanted = models.BooleanField(default=True)
    # Written whether or not there was something to say: what is new is what came since.
    looked_at = models.DateTimeField(null=True)
