"""Statement rounds: a budget asks everybody, for a stretch of days, whether all their work is told."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from backend.core.ids import ID_LENGTH


class Round(models.Model):
    """One call to everybody who works for a budget, and the envelopes below it, to look at what is known of it."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    budget = models.ForeignKey("commons.Budget", on_delete=models.PROTECT, related_name="rounds")
    first_day = models.DateField()
    last_day = models.DateField()
    answer_by = models.DateField()
    form_key = models.CharField(max_length=64)
    opened_by = models.ForeignKey("identity.User", on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField()
    # When those who had not answered were reminded, once.
    reminded_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey("identity.User", null=True, on_delete=models.PROTECT, related_name="+")
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(first_day__lte=F("last_day")), name="round_of_some_days"),
            models.CheckConstraint(
                condition=Q(closed_at=None, closed_by=None) | Q(closed_at__isnull=False, closed_by__isnull=False),
                name="round_closed_by_somebody",
            ),
            models.UniqueConstraint(
                fields=["budget"], condition=Q(closed_at=None), name="one_open_round_per_budget"
            ),
            models.UniqueConstraint(fields=["opened_by", "form_key"], name="one_round_per_form"),
        ]  # fmt: skip


class RoundAnswer(models.Model):
    """What one person answered, and the list that they had before their eyes when they did."""

    STATES: ClassVar = [
        ("", _("no answer yet")),
        ("complete", _("complete")),
        ("missing", _("something is missing")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    round = models.ForeignKey(Round, on_delete=models.PROTECT, related_name="answers")
    person = models.ForeignKey("identity.User", on_delete=models.PROTECT, related_name="round_answers")
    state = models.CharField(max_length=8, choices=STATES, blank=True)
    # SHA-256 of the list that was confirmed: id, version, minutes and amount of each contribution.
    listed = models.CharField(max_length=64, blank=True)
    answered_at = models.DateTimeField(null=True)
    # What is missing, in the words of who answered: whoever runs the round reads it.
    missing = models.CharField(max_length=500, blank=True, db_default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["round", "person"], name="one_answer_per_person"),
            models.CheckConstraint(
                condition=Q(state="", listed="", answered_at=None)
                | (Q(state__in=["complete", "missing"], answered_at__isnull=False) & ~Q(listed="")),
                name="round_answer_is_whole",
            ),
        ]
