"""Transfer, Opening and its lines; the ends of fiscal years are in year_models.py."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.commons.models import Budget
from backend.core.ids import ID_LENGTH
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import counting, holds
from backend.transfers.year_models import YearEnd, YearEndLine

__all__ = ["Opening", "OpeningLine", "Transfer", "YearEnd", "YearEndLine"]

WITHIN_ONE_BUDGET = ["to_reserve", "from_reserve"]


class Transfer(models.Model):
    """Money moved between two purses of the host, in minor units: no fee, no bank.

    `alone_up_to` is the charter's threshold when it was proposed: at or below it one person suffices.
    """

    KINDS: ClassVar = [
        ("move", _("to another budget")),
        ("to_reserve", _("to the reserve of the budget")),
        ("from_reserve", _("from the reserve back to the budget")),
        ("to_deficit", _("to the deficit of a budget")),
        ("remainder", _("remainder of a budget that closes")),
    ]
    STATES: ClassVar = [
        ("proposed", pgettext_lazy("transfer", "awaiting a second person")),
        ("booked", pgettext_lazy("transfer", "booked")),
        ("refused", pgettext_lazy("transfer", "refused")),
        ("withdrawn", pgettext_lazy("transfer", "withdrawn")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    kind = models.CharField(max_length=16, choices=KINDS)
    source = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="transfers_out")
    target = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="transfers_in")
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=500)
    alone_up_to = models.BigIntegerField()
    state = models.CharField(max_length=12, choices=STATES, default="proposed")
    proposed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.CharField(max_length=500, blank=True)
    entry = models.CharField(max_length=ID_LENGTH, blank=True)
    form_key = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0) | Q(amount=0, kind="remainder"), name="transfer_amount_positive"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=WITHIN_ONE_BUDGET, source=F("target"))
                | (~Q(kind__in=[*WITHIN_ONE_BUDGET, "to_deficit"]) & ~Q(source=F("target")))
                | Q(kind="to_deficit"),
                name="transfer_between_two_purses",
            ),
            models.CheckConstraint(
                condition=~Q(state="booked")
                | (Q(decided_by__isnull=False) & (~Q(decided_by=F("proposed_by")) | Q(amount__lte=F("alone_up_to")))),
                name="transfer_takes_two_above_threshold",
            ),
            models.CheckConstraint(
                condition=Q(state="booked", amount=0) | (Q(state="booked") ^ Q(entry="")),
                name="transfer_booked_with_its_entry",
            ),
            models.UniqueConstraint(fields=["proposed_by", "form_key"], name="one_transfer_per_form"),
        ]
        indexes = [models.Index(fields=["state", "id"], name="transfer_state")]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Transfer]":
        """Those of the budgets one has a role in, or just above; all of them for treasurers and auditors."""
        if holds(actor, "treasurer", "auditor"):
            return cls.objects.all()
        mine = counting(actor).filter(kind__in=["steward", "contributor"]).values("scope")
        return cls.objects.filter(
            Q(source__in=mine) | Q(target__in=mine) | Q(source__parent__in=mine) | Q(target__parent__in=mine)
        )


class Opening(models.Model):
    """What the bank accounts and the budgets held the day the books begin: one treasurer writes, another approves."""

    STATES: ClassVar = [
        ("proposed", pgettext_lazy("opening balances", "awaiting another treasurer")),
        ("booked", pgettext_lazy("opening balances", "booked")),
        ("refused", pgettext_lazy("opening balances", "refused")),
        ("withdrawn", pgettext_lazy("opening balances", "withdrawn")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    as_of = models.DateField()
    state = models.CharField(max_length=12, choices=STATES, default="proposed")
    digest = models.CharField(max_length=64)
    proposed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.CharField(max_length=500, blank=True)
    entry = models.CharField(max_length=ID_LENGTH, blank=True)
    form_key = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="booked") | (Q(decided_by__isnull=False) & ~Q(decided_by=F("proposed_by"))),
                name="opening_takes_two",
            ),
            models.UniqueConstraint(fields=["proposed_by", "form_key"], name="one_opening_per_form"),
        ]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Opening]":
        """All of them for treasurers and auditors, none for others."""
        return cls.objects.all() if holds(actor, "treasurer", "auditor") else cls.objects.none()


class OpeningLine(models.Model):
    """What one bank account or one budget held, in minor units. `live`: its opening is proposed or booked."""

    opening = models.ForeignKey(Opening, on_delete=models.PROTECT, related_name="lines")
    account = models.ForeignKey(HostBankAccount, null=True, on_delete=models.PROTECT, related_name="+")
    budget = models.ForeignKey(Budget, null=True, on_delete=models.PROTECT, related_name="+")
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    live = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(account=None, budget__isnull=False) | Q(account__isnull=False, budget=None),
                name="opening_line_of_one_thing",
            ),
            models.CheckConstraint(condition=Q(budget=None) | Q(amount__gte=0), name="opening_budget_not_negative"),
            models.UniqueConstraint(fields=["account"], condition=Q(live=True), name="account_opened_once"),
            models.UniqueConstraint(fields=["budget"], condition=Q(live=True), name="budget_opened_once"),
        ]
