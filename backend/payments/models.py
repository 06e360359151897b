"""Payments received."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from backend.core.ids import ID_LENGTH
from backend.identity.models import User
from backend.pledges.models import Pledge


class Payment(models.Model):
    """Money received for a pledge, in minor units: gross amount and the host's fee taken from it."""

    STATES: ClassVar = [("succeeded", _("received"))]
    METHODS: ClassVar = [("bank_transfer", _("bank transfer"))]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    pledge = models.ForeignKey(Pledge, on_delete=models.PROTECT, related_name="payments")
    amount = models.BigIntegerField()
    fee = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    method = models.CharField(max_length=16, choices=METHODS)
    state = models.CharField(max_length=12, choices=STATES)
    source = models.CharField(max_length=128, unique=True)
    received_on = models.DateField()
    entry = models.CharField(max_length=ID_LENGTH)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(condition=Q(fee__gte=0, fee__lte=F("amount")), name="payment_fee_within_amount"),
        ]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Payment]":
        """Those of the pledges one may see."""
        return cls.objects.filter(pledge__in=Pledge.visible_to(actor))
