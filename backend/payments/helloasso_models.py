"""What came with exports of HelloAsso: each file, each of its payments once, and which campaign feeds which budget."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import pgettext_lazy

from backend.commons.models import Budget
from backend.core.ids import ID_LENGTH
from backend.identity.models import User
from backend.identity.permissions import holds
from backend.payments.provider_models import REMOTE_LENGTH
from backend.pledges.models import Pledge


class HelloAssoImport(models.Model):
    """One export, taken as a whole and undone as a whole. The file is not kept, nor the names and addresses in it."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    file_name = models.CharField(max_length=120)
    sha256 = models.CharField(max_length=64)
    rows = models.PositiveIntegerField()
    form_key = models.CharField(max_length=64)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    undone_reason = models.CharField(max_length=280, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["made_by", "form_key"], name="one_helloasso_import_per_form"),
            models.CheckConstraint(
                condition=Q(undone_at=None, undone_by=None, undone_reason="")
                | (Q(undone_at__isnull=False, undone_by__isnull=False) & ~Q(undone_reason="")),
                name="helloasso_import_undone_with_reason",
            ),
        ]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[HelloAssoImport]":
        """All of them for treasurers and auditors, none for others."""
        return cls.objects.all() if holds(actor, "treasurer", "auditor") else cls.objects.none()


class HelloAssoLine(models.Model):
    """What one payment of an export became, in minor units; each payment, and each refund of it, stands once.

    `money` is what it changes at HelloAsso: gross less fee, below zero for a refund. `payout` is the transfer to the
    bank that carries it, empty until an export says so; `paid_with` is the import that said it.
    """

    KINDS: ClassVar = [
        ("payment", pgettext_lazy("helloasso", "payment")),
        ("refund", pgettext_lazy("helloasso", "refund")),
        ("left_out", pgettext_lazy("helloasso", "left out")),
    ]
    id = models.BigAutoField(primary_key=True)
    brought = models.ForeignKey(HelloAssoImport, on_delete=models.PROTECT, related_name="lines")
    number = models.PositiveIntegerField()  # of the line in its file
    payment = models.CharField(max_length=40)  # its number at HelloAsso
    kind = models.CharField(max_length=8, choices=KINDS)
    amount = models.BigIntegerField()
    fee = models.BigIntegerField(default=0)
    happened_on = models.DateField()
    campaign = models.CharField(max_length=120, blank=True)
    payout = models.CharField(max_length=40, blank=True)
    paid_with = models.ForeignKey(HelloAssoImport, null=True, on_delete=models.PROTECT, related_name="+")
    charge = models.CharField(max_length=REMOTE_LENGTH, blank=True)  # names the payment in the books
    pledge = models.ForeignKey(Pledge, null=True, on_delete=models.PROTECT, related_name="+")
    made_pledge = models.BooleanField(default=False)  # the gift was written down with the import, and goes with it
    undone_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["payment", "kind"], condition=Q(undone_at=None), name="one_helloasso_line_per_payment"
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0, fee__gte=0, fee__lte=F("amount")), name="helloasso_amount_positive"
            ),
            models.CheckConstraint(
                condition=Q(payout="", paid_with=None) | (~Q(payout="") & Q(paid_with__isnull=False)),
                name="helloasso_payout_told_by_an_import",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["payout"], name="helloasso_payout")]

    @property
    def money(self) -> int:
        """What it changes in what HelloAsso owes the host, minor units."""
        return -self.amount if self.kind == "refund" else self.amount - self.fee


class HelloAssoCampaign(models.Model):
    """Which budget the gifts of a campaign are for, as a treasurer said the last time; none to leave them out."""

    name = models.CharField(primary_key=True, max_length=120)
    budget = models.ForeignKey(Budget, null=True, on_delete=models.PROTECT, related_name="+")
