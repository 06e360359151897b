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

    STATES: ClassVar = [("succeeded", _("received")), ("lost", _("taken back by the bank"))]
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
    taken_back = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(
                condition=Q(state="succeeded", taken_back__gte=0, taken_back__lt=F("amount"))
                | Q(state="lost", taken_back=F("amount")),
                name="payment_taken_back_within_amount",
            ),
            models.CheckConstraint(condition=Q(fee__gte=0, fee__lte=F("amount")), name="payment_fee_within_amount"),
        ]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Payment]":
        """Those of the pledges one may see."""
        return cls.objects.filter(pledge__in=Pledge.visible_to(actor))


class TakeBack(models.Model):
    """Money of a payment that the bank took back, in minor units: amount = fee + from_budget + to_deficit.

    What had already been shared is not taken from people: it is owed by the budget's next receipts (`to_deficit`).
    """

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="take_backs")
    amount = models.BigIntegerField()
    fee = models.BigIntegerField()
    from_budget = models.BigIntegerField()
    to_deficit = models.BigIntegerField()
    source = models.CharField(max_length=128, unique=True)
    taken_on = models.DateField()
    entry = models.CharField(max_length=ID_LENGTH)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, fee__gte=0, from_budget__gte=0, to_deficit__gte=0)
                & Q(amount=F("fee") + F("from_budget") + F("to_deficit")),
                name="take_back_adds_up",
            ),
        ]
