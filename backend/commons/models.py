"""Commons and what is withdrawn of its public texts, Budget, Charter, Period."""

from datetime import date
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.allocation.terms import reads_claims
from backend.commons.words import rule_name
from backend.core.ids import ID_LENGTH


class Commons(models.Model):
    """One libre project with a public page; only those that are open or archived are shown to everyone."""

    STATES: ClassVar = [
        ("proposed", pgettext_lazy("commons", "proposed")),
        ("open", pgettext_lazy("commons", "open")),
        ("hidden", pgettext_lazy("commons", "withdrawn from the public")),
        ("refused", pgettext_lazy("commons", "refused")),
        ("withdrawn", pgettext_lazy("commons", "taken back")),
        ("archived", pgettext_lazy("commons", "archived")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=140)
    summary = models.CharField(max_length=280)
    website = models.URLField(blank=True)
    licence = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=STATES, default="open", db_default="open")
    # Who asked for it, why, and who would take care of it (empty: the same person); nobody when an administrator
    # set it up.
    proposed_by = models.ForeignKey("identity.User", null=True, on_delete=models.PROTECT, related_name="+")
    why = models.CharField(max_length=1000, blank=True, default="", db_default="")
    steward_name = models.CharField(max_length=120, blank=True, default="", db_default="")
    steward_email = models.EmailField(blank=True, default="", db_default="")
    # The last decision about its life, and where to object to it.
    decided_by = models.ForeignKey("identity.User", null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True, default="", db_default="")
    appeal_to = models.EmailField(blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(decided_by=F("proposed_by")), name="commons_decided_by_another"),
            models.CheckConstraint(
                condition=~Q(state__in=["hidden", "refused", "archived"])
                | (Q(decided_by__isnull=False, decided_at__isnull=False) & ~Q(reason="")),
                name="commons_closed_with_a_reason",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["proposed", "withdrawn"]) | Q(proposed_by__isnull=False),
                name="commons_proposed_by_somebody",
            ),
            models.CheckConstraint(condition=~Q(state="hidden") | ~Q(appeal_to=""), name="commons_hidden_with_appeal"),
        ]
        indexes = [models.Index(fields=["state", "name"], name="commons_state_name")]

    def __str__(self) -> str:
        """Its name."""
        return self.name

    @classmethod
    def listed(cls) -> "models.QuerySet[Commons]":
        """Those that lists show to everyone: the open ones."""
        return cls.objects.filter(state="open")

    @classmethod
    def readable(cls) -> "models.QuerySet[Commons]":
        """Those whose page everyone can read: the open ones, and the archived ones, which take nothing new."""
        return cls.objects.filter(state__in=["open", "archived"])


class Moderation(models.Model):
    """A public text that is withdrawn, with a reason and where to object; the text itself stays in its row."""

    FIELDS: ClassVar = [
        ("name", _("the name")),
        ("summary", _("the summary")),
        ("website", _("the website")),
        ("description", _("the description of the work")),
        ("public_name", _("the public name")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    subject = models.CharField(max_length=ID_LENGTH)
    field = models.CharField(max_length=16, choices=FIELDS)
    reason = models.CharField(max_length=500)
    appeal_to = models.EmailField()
    moderated_by = models.ForeignKey("identity.User", on_delete=models.PROTECT, related_name="+")
    moderated_at = models.DateTimeField()
    lifted_by = models.ForeignKey("identity.User", null=True, on_delete=models.PROTECT, related_name="+")
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "field"], condition=Q(lifted_at=None), name="text_withdrawn_once"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="moderation_has_a_reason"),
            models.CheckConstraint(
                condition=Q(lifted_at=None, lifted_by=None) | Q(lifted_at__isnull=False, lifted_by__isnull=False),
                name="moderation_lifted_by_somebody",
            ),
        ]


class Budget(models.Model):
    """A purse in the tree of a commons; the root is the common pot. Money sits in exactly one budget."""

    STATES: ClassVar = [
        ("draft", pgettext_lazy("budget", "draft")),
        ("open", pgettext_lazy("budget", "open")),
        ("suspended", pgettext_lazy("budget", "suspended")),
        ("closing", pgettext_lazy("budget", "closing")),
        ("closed", pgettext_lazy("budget", "closed")),
        ("archived", pgettext_lazy("budget", "archived")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    commons = models.ForeignKey(Commons, on_delete=models.PROTECT, related_name="budgets")
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    name = models.CharField(max_length=140)
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=12, choices=STATES)
    # The host's fee on receipts in basis points. Null: not set, as the parent's, else the host's. 0 is a fee of 0 %.
    fee_bp = models.PositiveSmallIntegerField(null=True)
    # Whether it bears what a payment provider keeps. Null: as the parent; at the top, the host bears it.
    bears_provider_fees = models.BooleanField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["commons"], condition=Q(parent=None), name="one_root_per_commons"),
            models.CheckConstraint(condition=~Q(parent=F("id")), name="budget_is_not_its_parent"),
            models.CheckConstraint(
                condition=Q(fee_bp__isnull=True) | Q(fee_bp__lte=10_000), name="budget_fee_at_most_all"
            ),
        ]

    def __str__(self) -> str:
        """Its name."""
        return self.name

    @property
    def full_name(self) -> str:
        """Its name, after that of its commons when it is an envelope."""
        return f"{self.commons.name} › {self.name}" if self.parent_id else self.name


class Charter(models.Model):
    """The rules of a budget, versioned; a version never changes. `document` is complete: no default is left out."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="charters")
    version = models.PositiveIntegerField()
    document = models.JSONField()
    # Of the canonical JSON of the document: the same rules have the same one, wherever they are.
    sha256 = models.CharField(max_length=64)
    created_by = models.ForeignKey("identity.User", null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["budget", "version"], name="charter_version_once")]

    @property
    def rule(self) -> str:
        """The rule of the last tier, which shares all that is left."""
        return str(self.document["tiers"][-1]["rule"])

    def get_rule_display(self) -> str:
        """What that rule does, in a few words."""
        return rule_name(self.rule)

    def reads_requests(self, kind: str) -> bool:
        """Whether an amount asked for this kind of work counts: some tier tries to meet it."""
        return reads_claims(self.document["tiers"], kind)

    @property
    def rules(self) -> set[str]:
        """The rules of all tiers."""
        return {tier["rule"] for tier in self.document["tiers"]}

    @property
    def kinds(self) -> dict[str, int]:
        """The kinds that can be declared, each with its coefficient in thousandths."""
        return dict(self.document["kinds"])

    @property
    def rates(self) -> dict[str, int]:
        """What an hour of a kind is usually worth, minor units: a suggestion that no rule reads; often none."""
        return dict(self.document.get("rates", {}))

    def suggests(self, kind: str, minutes: int) -> int | None:
        """What that makes of a duration, minor units, halves up; None: it suggests nothing."""
        rate = self.rates.get(kind)
        return (rate * minutes + 30) // 60 if rate and minutes else None

    @property
    def approvals(self) -> int:
        """How many stewards validate a contribution; 0: nobody needs to, consent does."""
        return int(self.document["review"].get("approvals", 0))

    @property
    def consent_days(self) -> int | None:
        """By consent: after so many days without objection a contribution is validated. None: by approvals."""
        found: int | None = self.document["review"].get("days")
        return found

    @property
    def settled_by(self) -> int:
        """How many uninvolved stewards settle an objection."""
        return int(self.document["objections"]["settled_by"])

    @property
    def soft_cap(self) -> int | None:
        """Above this many minor units a request says why."""
        found: int | None = self.document["soft_cap"]
        return found

    @property
    def hard_cap(self) -> int | None:
        """The largest request, minor units."""
        found: int | None = self.document["hard_cap"]
        return found

    @property
    def transfer_threshold(self) -> int:
        """A transfer out of the budget above this many minor units takes two people; 0: all of them do."""
        return int(self.document["transfer_threshold"])

    @property
    def minimum_payout(self) -> int:
        """Nobody is paid before this many minor units are owed to them."""
        return int(self.document["minimum_payout"])

    @property
    def closes_after(self) -> int | None:
        """Periods close by themselves so many days after their last day; None: they do not."""
        found: int | None = self.document.get("closing", {}).get("days_after")
        return found

    @property
    def closes_every(self) -> int | None:
        """By rolling closings: every so many days, where there is something to share; None: there are none."""
        found: int | None = self.document.get("closing", {}).get("every_days")
        return found

    @property
    def publication_days(self) -> int:
        """How many days a distribution is shown before it can be approved."""
        return int(self.document["publication_days"])

    @property
    def carry_periods(self) -> int:
        """For how many periods the unpaid part of a request stays a request."""
        return int(self.document["unpaid"]["carry_periods"])

    @property
    def declare(self) -> str:
        """Who may declare: members or everyone."""
        return str(self.document["declare"])


class Period(models.Model):
    """A dated stretch [starts_on, ends_before) of a budget that has its own charter."""

    STATES: ClassVar = [
        ("open", _("open")),
        ("frozen", _("frozen")),
        ("computed", _("computed")),
        ("published", _("published")),
        ("approved", _("approved")),
        ("booked", _("booked")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="periods")
    # The version that holds for it, known before its first day: a later one changes nothing in it.
    charter = models.ForeignKey(Charter, on_delete=models.PROTECT, related_name="periods")
    starts_on = models.DateField()
    ends_before = models.DateField()
    state = models.CharField(max_length=12, choices=STATES, default="open")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(starts_on__lt=F("ends_before")), name="period_has_days"),
            models.UniqueConstraint(fields=["budget", "starts_on"], name="period_starts_once"),
        ]

    def covers(self, day: date) -> bool:
        """Whether a day lies in [starts_on, ends_before)."""
        return self.starts_on <= day < self.ends_before
