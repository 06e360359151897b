"""Distribution and Share."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Charter, Period
from backend.core.ids import ID_LENGTH
from backend.identity.models import Role, User
from backend.identity.permissions import holds
from backend.payees.models import Payee


class Distribution(models.Model):
    """The computed split of a closed period. `inputs` is frozen at closing; `trace` is all that explains the result."""

    STATES: ClassVar = [
        ("frozen", _("being computed")),
        ("published", _("awaiting approval")),
        ("booked", _("approved and booked")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    period = models.OneToOneField(Period, on_delete=models.PROTECT, related_name="distribution")
    charter = models.ForeignKey(Charter, on_delete=models.PROTECT, related_name="+")
    prepared_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    prepared_at = models.DateTimeField()
    approved_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=12, choices=STATES, default="frozen")
    currency = models.CharField(max_length=3)
    pot = models.BigIntegerField()
    inputs = models.JSONField()
    trace = models.JSONField(null=True)
    digest = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("prepared_by")), name="distribution_takes_two"
            ),
            models.CheckConstraint(
                condition=~Q(state="booked") | Q(approved_by__isnull=False), name="distribution_booked_by_someone"
            ),
            models.CheckConstraint(condition=Q(pot__gte=0), name="distribution_pot_not_negative"),
        ]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Distribution]":
        """Those of the budgets one has a role in and of their envelopes; all of them for treasurers and auditors."""
        if holds(actor, "treasurer", "auditor"):
            return cls.objects.all()
        budgets = Role.objects.filter(user=actor, scope__startswith="bud_").values("scope")
        return cls.objects.filter(Q(period__budget__in=budgets) | Q(period__budget__parent__in=budgets))


class Share(models.Model):
    """One contributor's part of a distribution, in minor units."""

    STATES: ClassVar = [
        ("owed", _("owed")),
        ("batched", _("in a payout batch")),
        ("paid", _("paid")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    distribution = models.ForeignKey(Distribution, on_delete=models.PROTECT, related_name="shares")
    contributor = models.ForeignKey(User, on_delete=models.PROTECT, related_name="shares")
    payee = models.ForeignKey(Payee, on_delete=models.PROTECT, related_name="shares")
    asked = models.BigIntegerField()
    amount = models.BigIntegerField()
    state = models.CharField(max_length=12, choices=STATES, default="owed")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["distribution", "contributor"], name="one_share_per_person"),
            models.CheckConstraint(condition=Q(amount__gte=0, amount__lte=F("asked")), name="share_within_request"),
        ]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Share]":
        """One's own, and those of the distributions one may see."""
        return cls.objects.filter(Q(contributor=actor) | Q(distribution__in=Distribution.visible_to(actor)))
