"""What takes two people to change: a treasurer to name, settings of the host, its bank accounts."""

from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.core.ids import ID_LENGTH

if TYPE_CHECKING:
    from backend.identity.models import User


class Proposal(models.Model):
    """What takes two people to change: one proposes with a reason, another decides; a decision is final."""

    KINDS: ClassVar = [
        ("role.treasurer", _("a treasurer to name")),
        ("host.settings", _("settings of the host")),
        ("host.bank_account", _("a bank account of the host")),
        ("host.payouts", _("limits and file format of a bank account")),
    ]
    STATES: ClassVar = [
        ("proposed", pgettext_lazy("proposal", "awaiting a second person")),
        ("accepted", pgettext_lazy("proposal", "accepted")),
        ("refused", pgettext_lazy("proposal", "refused")),
        ("withdrawn", pgettext_lazy("proposal", "taken back")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    kind = models.CharField(max_length=20, choices=KINDS)
    # The person, the host, or the bank account whose IBAN changes.
    subject = models.CharField(max_length=ID_LENGTH, db_index=True)
    payload = models.JSONField(default=dict)
    iban_sealed = models.TextField(blank=True, default="")
    # SHA-256 of what is proposed, IBAN included: whoever decides names what they read.
    digest = models.CharField(max_length=64)
    reason = models.CharField(max_length=500)
    state = models.CharField(max_length=12, choices=STATES, default="proposed")
    proposed_by = models.ForeignKey("identity.User", on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    decided_by = models.ForeignKey("identity.User", null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.CharField(max_length=500, blank=True)
    # An accepted IBAN waits until this moment, so that those who were told can still stop it.
    applies_at = models.DateTimeField(null=True)
    applied_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(decided_by=F("proposed_by")), name="proposal_takes_two"),
            models.CheckConstraint(
                condition=~Q(kind="role.treasurer")
                | (~Q(proposed_by=F("subject")) & (Q(decided_by=None) | ~Q(decided_by=F("subject")))),
                name="treasurer_named_by_others",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["proposed", "withdrawn"], decided_by=None)
                | Q(state__in=["accepted", "refused"], decided_by__isnull=False, decided_at__isnull=False),
                name="proposal_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(applied_at=None) | Q(state="accepted"), name="proposal_applied_once_accepted"
            ),
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=Q(state="proposed"), name="one_open_proposal"
            ),
        ]

    @property
    def awaits(self) -> bool:
        """Whether it is accepted, and waits until its notice is over."""
        return self.state == "accepted" and self.applied_at is None

    @classmethod
    def visible_to(cls, actor: "User") -> "models.QuerySet[Proposal]":
        """All of them, to those who run the host or read its books."""
        from backend.identity.permissions import holds

        known = holds(actor, "administrator", "treasurer", "auditor")
        return cls.objects.all() if known else cls.objects.none()
