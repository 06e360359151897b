"""Pledges and the reference by which their transfers are recognised."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.core.ids import ID_LENGTH
from backend.identity.models import Organisation, User
from backend.identity.permissions import MEMBERS, counting, holds


class Pledge(models.Model):
    """A promise of money to a budget by an organisation, in minor units."""

    STATES: ClassVar = [
        ("draft", _("draft")),
        ("active", _("awaiting the transfer")),
        ("fulfilled", _("received")),
        ("cancelled", _("cancelled")),
        ("written_off", _("written off")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="pledges")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="pledges")
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    received = models.BigIntegerField(default=0)
    state = models.CharField(max_length=12, choices=STATES, default="active")
    reference = models.CharField(max_length=25, unique=True)
    form_key = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="pledge_amount_positive"),
            models.CheckConstraint(condition=Q(received__gte=0), name="pledge_received_not_negative"),
            models.UniqueConstraint(fields=["made_by", "form_key"], name="one_pledge_per_form"),
        ]

    @property
    def expected(self) -> int:
        """What is still awaited, in minor units."""
        return max(0, self.amount - self.received) if self.state == "active" else 0

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Pledge]":
        """Those of one's organisations; all of them for treasurers and auditors."""
        if holds(actor, "treasurer", "auditor"):
            return cls.objects.all()
        mine = counting(actor).filter(kind__in=MEMBERS).values("scope")
        return cls.objects.filter(organisation_id__in=mine)
