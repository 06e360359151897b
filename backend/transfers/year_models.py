"""What is written at the end of a fiscal year: dedicated funds of each budget, volunteering valued."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.commons.models import Budget
from backend.core.ids import ID_LENGTH
from backend.identity.models import User
from backend.identity.permissions import holds


class YearEnd(models.Model):
    """One proposal for the end of a fiscal year: one treasurer proposes it, another approves. Moves no money."""

    KINDS: ClassVar = [
        ("dedicated", _("dedicated funds")),
        ("volunteering", _("volunteering valued")),
    ]
    STATES: ClassVar = [
        ("proposed", pgettext_lazy("end of year", "awaiting another treasurer")),
        ("booked", pgettext_lazy("end of year", "booked")),
        ("refused", pgettext_lazy("end of year", "refused")),
        ("withdrawn", pgettext_lazy("end of year", "taken back")),
        ("undone", pgettext_lazy("end of year", "undone")),
    ]
    LIVE: ClassVar = ("proposed", "booked")
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    kind = models.CharField(max_length=12, choices=KINDS)
    # The calendar year in which the fiscal year begins, and its last day, on which the entries are dated.
    year = models.PositiveSmallIntegerField()
    last_day = models.DateField()
    state = models.CharField(max_length=12, choices=STATES, default="proposed")
    digest = models.CharField(max_length=64)
    proposed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.CharField(max_length=500, blank=True)
    undone_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    undone_at = models.DateTimeField(null=True)
    undone_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "year"], condition=Q(state__in=["proposed", "booked"]), name="one_year_end_of_a_kind"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["booked", "undone"])
                | (Q(decided_by__isnull=False) & ~Q(decided_by=F("proposed_by"))),
                name="year_end_takes_two",
            ),
            models.CheckConstraint(condition=Q(kind__in=["dedicated", "volunteering"]), name="year_end_kind_known"),
            models.CheckConstraint(
                condition=Q(state="undone", undone_by__isnull=False, undone_at__isnull=False)
                | (~Q(state="undone") & Q(undone_by=None, undone_at=None)),
                name="year_end_undone_by_someone",
            ),
        ]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[YearEnd]":
        """All of them for treasurers and auditors, none for others."""
        return cls.objects.all() if holds(actor, "treasurer", "auditor") else cls.objects.none()


class YearEndLine(models.Model):
    """What one proposal writes of one budget, or of the host's volunteering, in one currency; minor units, none below
    zero but `received` and `earlier`.

    Dedicated funds: opening + set_aside − used = closing, which is what the budget holds at the end of the year.
    Volunteering: `set_aside` is the value of the time given, `minutes` the time. `live`: proposed or booked.
    """

    year_end = models.ForeignKey(YearEnd, on_delete=models.PROTECT, related_name="lines")
    kind = models.CharField(max_length=12)
    year = models.PositiveSmallIntegerField()
    budget = models.ForeignKey(Budget, null=True, on_delete=models.PROTECT, related_name="+")
    currency = models.CharField(max_length=3)
    opening = models.BigIntegerField(default=0)
    received = models.BigIntegerField(default=0)
    spent = models.BigIntegerField(default=0)
    earlier = models.BigIntegerField(default=0)
    used = models.BigIntegerField(default=0)
    set_aside = models.BigIntegerField(default=0)
    closing = models.BigIntegerField(default=0)
    minutes = models.BigIntegerField(default=0)
    live = models.BooleanField(default=True)
    entry = models.CharField(max_length=ID_LENGTH, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "year", "budget", "currency"], condition=Q(live=True), nulls_distinct=False,
                name="year_written_once",
            ),
            models.CheckConstraint(
                condition=Q(kind="dedicated", budget__isnull=False) | Q(kind="volunteering", budget=None),
                name="year_line_of_its_kind",
            ),
            models.CheckConstraint(
                condition=~Q(kind="dedicated") | Q(closing=F("opening") + F("set_aside") - F("used")),
                name="dedicated_funds_tie",
            ),
            models.CheckConstraint(
                condition=Q(used__gte=0, set_aside__gte=0, opening__gte=0, closing__gte=0, minutes__gte=0),
                name="year_line_not_negative",
            ),
        ]  # fmt: skip
