"""What was given too much for work that was shared out: kept back from later work of the same person and budget."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from backend.core.ids import ID_LENGTH


class Adjustment(models.Model):
    """A negative correction of a settled contribution, agreed by somebody who neither proposed it nor is paid by it."""

    STATES: ClassVar = [
        ("proposed", _("awaiting a decision")),
        ("agreed", _("agreed")),
        ("refused", _("refused")),
        ("withdrawn", _("withdrawn")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    contribution = models.ForeignKey(
        "contributions.Contribution", on_delete=models.PROTECT, related_name="adjustments"
    )  # fmt: skip
    contributor = models.ForeignKey("identity.User", on_delete=models.PROTECT, related_name="+")
    # How much too much, as positive numbers: minutes where time is shared, minor units where requests are.
    minutes = models.PositiveIntegerField(default=0)
    amount = models.BigIntegerField(default=0)
    # What is still to be kept back.
    minutes_left = models.PositiveIntegerField(default=0)
    amount_left = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=500)
    state = models.CharField(max_length=9, choices=STATES, default="proposed")
    proposed_by = models.ForeignKey("identity.User", on_delete=models.PROTECT, related_name="+")
    decided_by = models.ForeignKey("identity.User", null=True, on_delete=models.PROTECT, related_name="+")
    decision = models.CharField(max_length=500, blank=True)
    decided_at = models.DateTimeField(null=True)
    form_key = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=(Q(minutes__gt=0, amount=0) | Q(minutes=0, amount__gt=0))
                & Q(minutes_left__lte=F("minutes"), amount_left__gte=0, amount_left__lte=F("amount")),
                name="adjustment_of_one_unit",
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~(Q(decided_by=F("proposed_by")) | Q(decided_by=F("contributor"))),
                name="adjustment_decided_by_somebody_else",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["agreed", "refused"]) | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="adjustment_decided_by_somebody",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="adjustment_has_a_reason"),
            models.UniqueConstraint(
                fields=["contribution"], condition=Q(state="proposed"), name="one_adjustment_proposed"
            ),
            models.UniqueConstraint(fields=["proposed_by", "form_key"], name="one_adjustment_per_form"),
        ]  # fmt: skip
        indexes: ClassVar = [
            models.Index(
                fields=["contributor"], name="adjustment_to_keep_back",
                condition=Q(state="agreed") & (Q(minutes_left__gt=0) | Q(amount_left__gt=0)),
            ),
        ]  # fmt: skip


class AdjustmentPart(models.Model):
    """What of an adjustment was kept back from one contribution, when its period was closed."""

    adjustment = models.ForeignKey(Adjustment, on_delete=models.PROTECT, related_name="parts")
    contribution = models.ForeignKey("contributions.Contribution", on_delete=models.PROTECT, related_name="kept_back")
    minutes = models.PositiveIntegerField(default=0)
    amount = models.BigIntegerField(default=0)
    applied_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["adjustment", "contribution"], name="adjustment_once_per_contribution"),
            models.CheckConstraint(
                condition=Q(minutes__gt=0, amount=0) | Q(minutes=0, amount__gt=0), name="adjustment_part_of_one_unit"
            ),
        ]
