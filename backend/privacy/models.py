"""Which notices people accepted, which erasures were asked and done, what people were called before them."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.core.ids import ID_LENGTH
from backend.identity.models import User
from backend.identity.permissions import may


class Acceptance(models.Model):
    """One version of a notice, accepted by one person. Rows are added; the application may neither change nor remove
    them."""

    DOCUMENTS: ClassVar = [("terms", _("terms of use")), ("privacy", _("privacy notice"))]
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="acceptances")
    document = models.CharField(max_length=8, choices=DOCUMENTS)
    version = models.CharField(max_length=10)
    accepted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "document", "version"], name="accepted_once"),
            models.CheckConstraint(condition=Q(document__in=["terms", "privacy"]), name="acceptance_of_a_known_notice"),
        ]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Acceptance]":
        """One's own."""
        return cls.objects.filter(user=actor)


class Erasure(models.Model):
    """A person whose data is to be erased, or was. It names them by an id that says nothing once it is done.

    `hindered_by` is the code of what stood in the way at the last attempt; it is tried again each day.
    """

    CAUSES: ClassVar = [
        ("asked", _("asked by the person")),
        ("letter", _("asked by letter or mail")),
        ("inactive", _("account without use")),
        ("unused", _("account never opened")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="erasures")
    cause = models.CharField(max_length=8, choices=CAUSES)
    reason = models.CharField(max_length=500, blank=True)
    asked_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    due_at = models.DateTimeField()
    hindered_by = models.CharField(max_length=40, blank=True)
    withdrawn_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(withdrawn_at=None, done_at=None), name="one_erasure_awaited"
            ),
            models.UniqueConstraint(fields=["user"], condition=Q(done_at__isnull=False), name="erased_once"),
            models.CheckConstraint(condition=Q(withdrawn_at=None) | Q(done_at=None), name="erasure_ends_one_way"),
            models.CheckConstraint(
                condition=Q(cause__in=["asked", "letter", "inactive", "unused"]), name="erasure_cause_known"
            ),
            models.CheckConstraint(condition=~Q(cause="letter") | ~Q(reason=""), name="erasure_by_letter_has_a_reason"),
        ]
        indexes = [models.Index(fields=["due_at"], name="erasure_due", condition=Q(withdrawn_at=None, done_at=None))]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Erasure]":
        """One's own; all of them for those who record the requests that come by letter."""
        return cls.objects.all() if may(actor, "personal.erase") else cls.objects.filter(user=actor)


class Former(models.Model):
    """A name or an address that somebody had before. PostgreSQL notes it at each change; an erasure looks for it."""

    KINDS: ClassVar = [("name", _("name")), ("email", _("e-mail address"))]
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="former")
    kind = models.CharField(max_length=5, choices=KINDS)
    text = models.CharField(max_length=254)
    noted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "kind", "text"], name="former_kept_once"),
            models.CheckConstraint(condition=Q(kind__in=["name", "email"]), name="former_kind_known"),
        ]


class RetentionRun(models.Model):
    """One run of the retention job: when, and how many rows of each class went. The last 400 are kept."""

    ran_at = models.DateTimeField()
    removed = models.JSONField(default=dict)
