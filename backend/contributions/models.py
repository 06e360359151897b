"""Contributions and their reviews."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget, Period
from backend.commons.words import EXPENSE, KINDS
from backend.core.ids import ID_LENGTH
from backend.identity.models import User
from backend.identity.permissions import counting, holds


class Contribution(models.Model):
    """Work: what, when, kind, budget, minutes and the amount asked for it in minor units (zero is volunteering)."""

    KINDS: ClassVar = KINDS
    STATES: ClassVar = [
        ("draft", _("draft")),
        ("declared", _("awaiting review")),
        ("questioned", _("questioned")),
        ("validated", _("validated")),
        ("included", _("in the distribution")),
        ("settled", _("shared")),
        ("withdrawn", _("withdrawn")),
        ("rejected", _("rejected")),
        ("waived", _("waived")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="contributions")
    period = models.ForeignKey(Period, on_delete=models.PROTECT, related_name="contributions")
    contributor = models.ForeignKey(User, on_delete=models.PROTECT, related_name="contributions")
    worked_on = models.DateField()
    kind = models.CharField(max_length=16, choices=KINDS)
    minutes = models.PositiveIntegerField(default=0)
    amount = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    description = models.CharField(max_length=500)
    evidence = models.JSONField(default=list)
    state = models.CharField(max_length=12, choices=STATES, default="declared")
    # Why it asks more than the charter's soft cap.
    over_cap_reason = models.CharField(max_length=500, blank=True)
    # When the last approval came: requests are served in this order by the rule `as_asked`.
    validated_at = models.DateTimeField(null=True)
    # What was given for it, minor units; more than what was asked where work is shared by time and not by requests.
    settled_amount = models.BigIntegerField(null=True)
    # The request whose unpaid part this one carries into the next period.
    remainder_of = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="remainders")
    # Who typed it for the contributor, when it was not the contributor: PostgreSQL refuses that they review it.
    recorded_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    form_key = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gte=0), name="contribution_amount_not_negative"),
            models.CheckConstraint(condition=~Q(recorded_by=F("contributor")), name="recorded_for_somebody_else"),
            models.CheckConstraint(condition=Q(minutes__lte=60 * 24 * 31), name="contribution_minutes_bounded"),
            models.CheckConstraint(
                condition=Q(settled_amount=None) | Q(settled_amount__gte=0), name="contribution_settled_not_negative"
            ),
            models.CheckConstraint(
                condition=~Q(kind=EXPENSE) | Q(minutes=0, amount__gt=0), name="expense_is_an_amount_alone"
            ),
            models.CheckConstraint(condition=~Q(remainder_of=F("id")), name="remainder_of_another"),
            models.UniqueConstraint(fields=["contributor", "form_key"], name="one_contribution_per_form"),
            models.UniqueConstraint(fields=["id", "contributor"], name="contribution_with_its_contributor"),
        ]
        indexes = [models.Index(fields=["budget", "state"], name="contribution_budget_state")]

    @property
    def amount_counts(self) -> bool:
        """Whether the charter of its period looks at amounts asked for this kind; else it shares by time or equally."""
        return self.period.charter.reads_requests(self.kind)

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Contribution]":
        """One's own, and all those of the budgets one has a role in; all of them for treasurers and auditors."""
        if holds(actor, "treasurer", "auditor"):
            return cls.objects.all()
        budgets = counting(actor).filter(scope__startswith="bud_").values("scope")
        inside = Q(budget_id__in=budgets) | Q(budget__parent_id__in=budgets)
        return cls.objects.filter(inside | Q(contributor=actor))


class Review(models.Model):
    """What a peer said of a contribution. Its contributor is copied here so that PostgreSQL can refuse one's own."""

    VERDICTS: ClassVar = [("approve", _("approved")), ("reject", _("rejected"))]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    contribution = models.ForeignKey(Contribution, on_delete=models.PROTECT, related_name="reviews")
    contributor = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=8, choices=VERDICTS)
    # The minutes this reviewer validates; null: as declared. Never said of a rejection.
    minutes = models.PositiveIntegerField(null=True)
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(reviewer=F("contributor")), name="nobody_reviews_their_own"),
            models.CheckConstraint(condition=~Q(verdict="reject", reason=""), name="rejection_has_a_reason"),
            models.CheckConstraint(condition=Q(minutes=None) | Q(verdict="approve"), name="minutes_of_an_approval"),
            models.UniqueConstraint(fields=["contribution", "reviewer"], name="one_review_per_person"),
        ]
