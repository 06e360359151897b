"""Contributions and their reviews."""

from functools import cached_property
from typing import ClassVar

from django.db import models
from django.db.models import Count, F, Q
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget, Period
from backend.commons.words import EXPENSE, KINDS
from backend.contributions.adjustment_models import Adjustment, AdjustmentPart
from backend.contributions.forge_models import ForgeCommit, ForgeDelivery, ForgePerson, Repository
from backend.contributions.import_models import Import
from backend.contributions.round_models import Round, RoundAnswer
from backend.contributions.volunteering_models import TimeRate
from backend.core.ids import ID_LENGTH
from backend.core.reads import Given, among
from backend.identity.models import User
from backend.identity.permissions import roles_held

__all__ = [
    "Adjustment", "AdjustmentPart", "Contribution", "ForgeCommit", "ForgeDelivery", "ForgePerson", "Import",
    "Objection", "Opinion", "Question", "Repository", "Review", "Round", "RoundAnswer", "TimeRate",
]  # fmt: skip

OBJECTED = {"objected": Count("objections", filter=Q(objections__state="open"), distinct=True)}


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
    # The one, shared out already, of which this one says what was forgotten.
    corrects = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="corrections")
    # Who typed it for the contributor, when it was not the contributor: PostgreSQL refuses that they review it.
    recorded_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    # Counts the amendments: what was said of an earlier version does not count for this one.
    version = models.PositiveIntegerField(default=1, db_default=1)
    # What was asked once and given up, minor units: the rest of it is volunteering.
    waived = models.BigIntegerField(default=0, db_default=0)
    # What its closing kept back of it, since earlier work of the person was given too much: minor units, minutes.
    held_back = models.BigIntegerField(default=0, db_default=0)
    minutes_held = models.PositiveIntegerField(default=0, db_default=0)
    # By consent: when it is accepted unless somebody objects, or the seconds that were left when somebody did.
    accepted_at = models.DateTimeField(null=True)
    seconds_left = models.PositiveIntegerField(null=True)
    # Pairs of texts that programs keep with it; of these, this one reads which commit it stands for (of_commits.py).
    metadata = models.JSONField(default=dict, db_default={})
    # Where a draft or an imported row came from: an id of ours, empty for what was typed.
    source = models.CharField(max_length=ID_LENGTH, blank=True, db_default="")
    # When the commit that a draft was made of was no longer in its repository.
    source_gone_at = models.DateTimeField(null=True)
    form_key = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(waived__gte=0), name="contribution_waived_not_negative"),
            models.CheckConstraint(
                condition=Q(held_back=0, minutes_held=0)
                | Q(held_back__gte=0, minutes_held__lte=F("minutes"), state__in=["validated", "included", "settled"]),
                name="contribution_held_back_when_shared",
            ),
            models.CheckConstraint(condition=~Q(state="waived") | Q(amount=0), name="waived_contribution_asks_nothing"),
            models.CheckConstraint(
                condition=Q(accepted_at=None) | Q(state="declared", seconds_left=None), name="clock_runs_while_declared"
            ),
            models.CheckConstraint(
                condition=Q(seconds_left=None) | Q(state="questioned"), name="clock_stands_while_questioned"
            ),
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
            models.CheckConstraint(condition=~Q(corrects=F("id")), name="corrects_another"),
            models.UniqueConstraint(fields=["contributor", "form_key"], name="one_contribution_per_form"),
            models.UniqueConstraint(fields=["id", "contributor"], name="contribution_with_its_contributor"),
        ]
        indexes = [
            models.Index(fields=["budget", "state"], name="contribution_budget_state"),
            models.Index(fields=["accepted_at"], name="contribution_clock", condition=Q(accepted_at__isnull=False)),
            models.Index(fields=["source"], name="contribution_source", condition=~Q(source="")),
        ]

    @cached_property
    def contributor_name(self) -> str:
        """Who did the work; lists read it with the row (`annotate`) without the rest of the person."""
        return self.contributor.name

    @cached_property
    def objected(self) -> int:
        """How many objections are open on it; lists read it with the row (`annotate(**OBJECTED)`)."""
        return self.objections.filter(state="open").count()

    @property
    def state_name(self) -> str:
        """The word for its state: a question and an objection, which both hold it, have one each."""
        if self.state == "questioned" and self.objected:
            return str(_("objection raised"))
        return self.get_state_display()

    @property
    def amount_counts(self) -> bool:
        """Whether the charter of its period looks at amounts asked for this kind; else it shares by time or equally."""
        return self.period.charter.reads_requests(self.kind)

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Contribution]":
        """One's own, and all those of the budgets one has a role in; all of them for treasurers and auditors.

        A draft is seen by its contributor alone.
        """
        return cls.seen_by(actor.pk, cls.budgets_seen(actor))

    @classmethod
    def budgets_seen(cls, actor: User) -> list[str] | None:
        """The budgets whose contributions a person sees, with those under them; None for who sees all."""
        held = roles_held(actor)
        if any(kind in ("treasurer", "auditor") for kind, _scope in held):
            return None
        return [scope for _kind, scope in held if scope.startswith("bud_")]

    @classmethod
    def seen_by(cls, person: str | Given, budgets: list[str] | Given | None) -> "models.QuerySet[Contribution]":
        """As `visible_to`, of the id of a person and what `budgets_seen` says of them."""
        told = ~Q(state="draft")
        if budgets is not None:
            told &= Q(among("budget", budgets)) | Q(among("budget__parent", budgets))
        return cls.objects.filter(told | Q(contributor=person))


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
    # Of the contribution, when this was said.
    version = models.PositiveIntegerField(default=1, db_default=1)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(reviewer=F("contributor")), name="nobody_reviews_their_own"),
            models.CheckConstraint(condition=~Q(verdict="reject", reason=""), name="rejection_has_a_reason"),
            models.CheckConstraint(condition=Q(minutes=None) | Q(verdict="approve"), name="minutes_of_an_approval"),
            models.UniqueConstraint(
                fields=["contribution", "reviewer", "version"], name="one_review_per_person_and_version"
            ),
        ]


class Question(models.Model):
    """What a peer wants to know before they agree, and what the contributor answered."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    contribution = models.ForeignKey(Contribution, on_delete=models.PROTECT, related_name="questions")
    contributor = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asker = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    text = models.CharField(max_length=1000)
    answer = models.CharField(max_length=1000, blank=True)
    # When it was answered, or fell with an amendment or the end of the contribution.
    closed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(asker=F("contributor")), name="nobody_questions_their_own"),
            models.CheckConstraint(condition=Q(answer="") | Q(closed_at__isnull=False), name="answer_closes_question"),
        ]


class Objection(models.Model):
    """A reason why a contribution should not be accepted as it stands. It ends by one of five ways."""

    STATES: ClassVar = [
        ("open", _("open")),
        ("lifted", _("lifted by who raised it")),
        ("amended", _("ended by an amendment")),
        ("overruled", _("set aside by stewards")),
        ("upheld", _("upheld by stewards")),
        ("lapsed", _("without object: the contribution ended")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    contribution = models.ForeignKey(Contribution, on_delete=models.PROTECT, related_name="objections")
    contributor = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    objector = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=1000)
    # Of the contribution, when this was said.
    version = models.PositiveIntegerField(default=1, db_default=1)
    state = models.CharField(max_length=9, choices=STATES, default="open")
    ended_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(objector=F("contributor")), name="nobody_objects_to_their_own"),
            models.CheckConstraint(
                condition=Q(state="open", ended_at=None) | (~Q(state="open") & Q(ended_at__isnull=False)),
                name="objection_ends_once",
            ),
            models.UniqueConstraint(
                fields=["contribution", "objector"], condition=Q(state="open"), name="one_open_objection_per_person"
            ),
            models.UniqueConstraint(fields=["id", "contributor", "objector"], name="objection_with_its_people"),
        ]


class Opinion(models.Model):
    """What an uninvolved steward decides of an objection, with the reason."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    objection = models.ForeignKey(Objection, on_delete=models.PROTECT, related_name="opinions")
    # Copied from the objection, so that PostgreSQL can refuse who is involved.
    contributor = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    objector = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    steward = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    upholds = models.BooleanField()
    reason = models.CharField(max_length=500)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(steward=F("contributor")) & ~Q(steward=F("objector")),
                name="opinion_of_somebody_uninvolved",
            ),
            models.UniqueConstraint(fields=["objection", "steward"], name="one_opinion_per_steward"),
        ]
