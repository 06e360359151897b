"""Commons, Budget, Charter, Period."""

from datetime import date
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.core.ids import ID_LENGTH


class Commons(models.Model):
    """One libre project with a public page."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=140)
    summary = models.CharField(max_length=280)
    website = models.URLField(blank=True)
    licence = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        """Its name."""
        return self.name


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
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["commons"], condition=Q(parent=None), name="one_root_per_commons"),
            models.CheckConstraint(condition=~Q(parent=F("id")), name="budget_is_not_its_parent"),
        ]

    def __str__(self) -> str:
        """Its name."""
        return self.name

    @property
    def full_name(self) -> str:
        """Its name, after that of its commons when it is an envelope."""
        return f"{self.commons.name} › {self.name}" if self.parent_id else self.name


class Charter(models.Model):
    """The rules of a budget, versioned; a version never changes."""

    RULES: ClassVar = [("claims_pro", _("pro rata of the validated requests"))]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="charters")
    version = models.PositiveIntegerField()
    rule = models.CharField(max_length=16, choices=RULES)
    approvals = models.PositiveSmallIntegerField(default=1)
    hard_cap = models.BigIntegerField(null=True)
    # A transfer out of the budget above this many minor units takes two people; 0: all of them do.
    transfer_threshold = models.BigIntegerField(default=0)
    created_by = models.ForeignKey("identity.User", null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["budget", "version"], name="charter_version_once"),
            models.CheckConstraint(condition=Q(approvals__gte=1), name="charter_wants_an_approval"),
            models.CheckConstraint(condition=Q(hard_cap=None) | Q(hard_cap__gt=0), name="charter_cap_positive"),
            models.CheckConstraint(condition=Q(transfer_threshold__gte=0), name="charter_threshold_not_negative"),
        ]


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
