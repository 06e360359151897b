"""Payout batches, their payouts, and the shares and refunds that these pay."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.core.ids import ID_LENGTH
from backend.distributions.models import Share
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import holds
from backend.payees.models import Payee
from backend.payments.models import Refund


class PayoutBatch(models.Model):
    """One payment file. Its bytes are made when it is prepared and never again; approval signs their SHA-256."""

    STATES: ClassVar = [
        ("prepared", _("awaiting approval")),
        ("approved", _("approved, file ready")),
        ("sent", _("handed to the bank")),
        ("unknown", pgettext_lazy("batch", "handed over, nobody knows what became of it")),
        ("settled", _("seen on the statement")),
        ("returned", pgettext_lazy("batch", "refused or sent back by the bank")),
        ("rejected", _("refused")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    account = models.ForeignKey(HostBankAccount, on_delete=models.PROTECT, related_name="batches")
    currency = models.CharField(max_length=3)
    total = models.BigIntegerField()
    message_id = models.CharField(max_length=35, unique=True)
    execute_on = models.DateField()
    file_sealed = models.TextField()
    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=12, choices=STATES, default="prepared")
    prepared_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    prepared_at = models.DateTimeField()
    approved_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    downloads = models.PositiveIntegerField(default=0)
    refused_reason = models.CharField(max_length=280, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("prepared_by")), name="batch_takes_two"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["prepared", "rejected"]) | Q(approved_by__isnull=False),
                name="batch_leaves_only_approved",
            ),
            models.CheckConstraint(condition=Q(total__gt=0), name="batch_total_positive"),
        ]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[PayoutBatch]":
        """All of them for treasurers and auditors, none for others."""
        return cls.objects.all() if holds(actor, "treasurer", "auditor") else cls.objects.none()


class Payout(models.Model):
    """One transfer of a batch, in minor units: to one payee for some shares, or to one payer as a refund."""

    STATES: ClassVar = [
        ("prepared", _("prepared")),
        ("sent", _("handed to the bank")),
        ("settled", _("paid")),
        ("returned", _("sent back by the bank")),
        ("rejected", pgettext_lazy("payout", "refused by the bank")),
        ("cancelled", _("cancelled")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    batch = models.ForeignKey(PayoutBatch, on_delete=models.PROTECT, related_name="payouts")
    payee = models.ForeignKey(Payee, null=True, on_delete=models.PROTECT, related_name="payouts")
    refund = models.ForeignKey(Refund, null=True, on_delete=models.PROTECT, related_name="payouts")
    amount = models.BigIntegerField()
    name = models.CharField(max_length=70)
    iban_hint = models.CharField(max_length=24)
    end_to_end_id = models.CharField(max_length=35, unique=True)
    state = models.CharField(max_length=12, choices=STATES, default="prepared")
    settled_on = models.DateField(null=True)
    # The names of the bank lines that show it leaving, and coming back.
    line = models.CharField(max_length=96, blank=True, default="", db_default="")
    returned_line = models.CharField(max_length=96, blank=True, default="", db_default="")
    # When and why it was refused or sent back, and who said so.
    undone_on = models.DateField(null=True)
    undone_code = models.CharField(max_length=4, blank=True, default="", db_default="")
    undone_reason = models.CharField(max_length=280, blank=True, default="", db_default="")
    undone_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payout_amount_positive"),
            models.CheckConstraint(
                condition=Q(payee__isnull=False, refund=None) | Q(payee=None, refund__isnull=False),
                name="payout_to_one",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["returned", "rejected"]) ^ Q(undone_on=None), name="payout_undone_on_a_day"
            ),
        ]

    @property
    def purse(self) -> str:
        """The owner of the purse that it empties: the payee, or the refund."""
        return str(self.payee_id or self.refund_id)


class PaidShare(models.Model):
    """Which share a payout pays. A share has at most one live payout."""

    share = models.ForeignKey(Share, on_delete=models.PROTECT, related_name="payouts")
    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="shares")
    live = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["share"], condition=Q(live=True), name="share_paid_once")]


class PaidRefund(models.Model):
    """Which refund a payout pays. A refund has at most one live payout."""

    refund = models.ForeignKey(Refund, on_delete=models.PROTECT, related_name="paid_by")
    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="refunds")
    live = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["refund"], condition=Q(live=True), name="refund_paid_once")]
