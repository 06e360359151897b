"""What a person gave back of a booked share, and to which budgets it went."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from backend.commons.models import Budget
from backend.core.ids import ID_LENGTH


class ShareWaiver(models.Model):
    """Once, all or part of a share given back, in minor units. Final; the waivers of a share add up to its `waived`."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    share = models.ForeignKey("distributions.Share", on_delete=models.PROTECT, related_name="waivers")
    amount = models.BigIntegerField()
    form_key = models.CharField(max_length=64)
    made_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="share_waiver_positive"),
            models.UniqueConstraint(fields=["share", "form_key"], name="one_waiver_per_form"),
        ]


class ShareWaiverPart(models.Model):
    """What of a waiver went back to one budget, in minor units; the parts of a waiver add up to it."""

    waiver = models.ForeignKey(ShareWaiver, on_delete=models.PROTECT, related_name="parts")
    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="+")
    amount = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="share_waiver_part_positive"),
            models.UniqueConstraint(fields=["waiver", "budget"], name="one_waiver_part_per_purse"),
        ]
