"""What an hour of volunteering is valued at: a memorandum of the host, never money of anybody."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from backend.core.ids import ID_LENGTH


class TimeRate(models.Model):
    """The value of an hour from a fiscal year on, in minor units, until another one is set for a later year."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    # The calendar year in which the fiscal year begins.
    first_year = models.PositiveSmallIntegerField()
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    # Where the figure comes from: the notes to the accounts say how volunteering was valued.
    reason = models.CharField(max_length=200)
    set_by = models.ForeignKey("identity.User", on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["currency", "first_year"], name="one_time_rate_per_year"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="time_rate_positive"),
            models.CheckConstraint(condition=~Q(reason=""), name="time_rate_has_a_reason"),
        ]
