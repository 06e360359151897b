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
    """One payment file. Its bytes are made when it is prepared and never again; approval signs their SHA-256.

    It moves along the edges of migration 0006, which also refuses that anything of it changes once it is written. Who
    claims it takes the file, or types its transfers on the bank's site (`way`): nobody else does the other.
    """

    STATES: ClassVar = [
        ("prepared", _("awaiting approval")),
        ("approved", _("approved, file ready")),
        ("claimed", _("being handed over")),
        ("sent", _("handed to the bank")),
        ("unknown", pgettext_lazy("batch", "handed over, nobody knows what became of it")),
        ("settled", _("seen on the statement")),
        ("rejected", _("refused")),
        ("returned", pgettext_lazy("batch", "refused or sent back by the bank")),
    ]
    WAYS: ClassVar = [("", _("not handed over")), ("file", _("by its file")), ("hand", _("typed on the bank’s site"))]
    # What a batch that was voided by itself was voided for; one that a person refused has their reason.
    VOID: ClassVar = [
        ("", ""),
        ("account_changed", _("an account that it pays changed after it was prepared")),
        ("payee_hindered", _("a payee in it cannot be paid any more")),
        ("file_changed", _("its file is not what was approved")),
    ]
    # Approved or about to be: no money is booked in transit yet, and it is spoken for at the bank.
    SPOKEN_FOR: ClassVar = ("prepared", "approved", "claimed")
    TAKEN: ClassVar = ("sent", "unknown", "settled", "returned")
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    account = models.ForeignKey(HostBankAccount, on_delete=models.PROTECT, related_name="batches")
    currency = models.CharField(max_length=3)
    total = models.BigIntegerField()
    message_id = models.CharField(max_length=35, unique=True)
    execute_on = models.DateField()
    file_sealed = models.TextField()
    digest = models.CharField(max_length=64)
    file_format = models.CharField(
        max_length=16, choices=HostBankAccount.FORMATS, default="pain.001.001.09", db_default="pain.001.001.09"
    )
    state = models.CharField(max_length=12, choices=STATES, default="prepared")
    prepared_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    prepared_at = models.DateTimeField()
    approved_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(null=True)
    # The SHA-256 of what was approved, and the second approval, which the limits of the account may ask for.
    approved_digest = models.CharField(max_length=64, blank=True, default="", db_default="")
    second_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    second_at = models.DateTimeField(null=True)
    claimed_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    claimed_at = models.DateTimeField(null=True)
    way = models.CharField(max_length=4, choices=WAYS, blank=True, default="", db_default="")
    sent_at = models.DateTimeField(null=True)
    downloads = models.PositiveIntegerField(default=0)
    refused_reason = models.CharField(max_length=280, blank=True)
    refused_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    refused_at = models.DateTimeField(null=True)
    void_code = models.CharField(max_length=16, choices=VOID, blank=True, default="", db_default="")

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
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_digest=""), name="batch_approval_signs_a_digest"
            ),
            models.CheckConstraint(
                condition=Q(second_by=None)
                | (Q(approved_by__isnull=False) & ~Q(second_by=F("approved_by")) & ~Q(second_by=F("prepared_by"))),
                name="batch_second_is_a_third_person",
            ),
            models.CheckConstraint(
                condition=Q(claimed_by=None, claimed_at=None, way="")
                | Q(claimed_by__isnull=False, claimed_at__isnull=False, way__in=["file", "hand"]),
                name="batch_claimed_in_a_way",
            ),
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
    # Of a transfer typed on the bank's site: what the bank calls it. Empty: its end-to-end id.
    reference = models.CharField(max_length=35, blank=True, default="", db_default="")
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


class HeldOut(models.Model):
    """A share or refund that was payable when a batch was prepared and is not in it, with the reason.

    `detail` says more: until when, or what the treasurer typed. Rows are added with their batch and never change.
    """

    CODES: ClassVar = [
        ("no_account", _("no account was given")),
        ("no_document", _("its supporting document is awaited")),
        ("on_hold", _("the account changed and waits")),
        ("blocked", _("the account is blocked")),
        ("closed", _("the payee is closed")),
        ("unreached", _("the bank said that the account is wrong")),
        ("name_not_latin", _("the name cannot be written for the banks")),
        ("below_minimum", _("below the smallest payment of its charter")),
        ("chosen", _("left out by who prepared")),
        ("nobody_could_approve", _("nobody else could approve it")),
        ("above_limit", _("above a limit, and nobody could approve as a third person")),
        ("no_money", _("not enough money at the bank")),
    ]
    batch = models.ForeignKey(PayoutBatch, on_delete=models.PROTECT, related_name="held_out")
    share = models.ForeignKey(Share, null=True, on_delete=models.PROTECT, related_name="+")
    refund = models.ForeignKey(Refund, null=True, on_delete=models.PROTECT, related_name="+")
    amount = models.BigIntegerField()
    code = models.CharField(max_length=24, choices=CODES)
    detail = models.CharField(max_length=280, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(share__isnull=False, refund=None) | Q(share=None, refund__isnull=False),
                name="held_out_of_one",
            )
        ]
