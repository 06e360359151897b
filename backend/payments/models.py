"""Payments received, what came above them, what was taken or given back, and money that comes on paper."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.core.ids import ID_LENGTH
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import holds
from backend.payments.helloasso_models import HelloAssoCampaign, HelloAssoImport, HelloAssoLine
from backend.payments.provider_models import (
    Checkout,
    Dispute,
    Movement,
    Notice,
    Operation,
    ProviderPayout,
    ProviderRefund,
    Reconciliation,
    Subscription,
)
from backend.pledges.models import Pledge

__all__ = [
    "KINDS_OF_PAPER", "Checkout", "Deposit", "Dispute", "GiveBack", "HelloAssoCampaign", "HelloAssoImport",
    "HelloAssoLine", "Movement", "Notice", "Operation", "PaperPayment",
    "Payment", "ProviderPayout", "ProviderRefund", "Reconciliation", "Refund", "Subscription", "Surplus", "TakeBack",
]  # fmt: skip

KINDS_OF_PAPER = [("cheque", _("cheque")), ("cash", _("cash"))]


class Payment(models.Model):
    """Money received for a pledge, in minor units: gross amount and the host's fee taken from it.

    `fee_bp` is the rate of that fee in basis points, frozen at receipt; None for receipts booked before it was kept.
    """

    STATES: ClassVar = [
        ("succeeded", _("received")),
        ("lost", _("taken back by the bank")),
        ("refunded", pgettext_lazy("payment", "refunded")),
        ("disputed", pgettext_lazy("payment", "disputed")),
        ("won", pgettext_lazy("payment", "received, dispute won")),
        ("undone", pgettext_lazy("payment", "undone with its import")),
    ]
    METHODS: ClassVar = [
        ("bank_transfer", _("bank transfer")),
        *KINDS_OF_PAPER,
        ("card", _("card")),
        ("sepa_debit", _("SEPA debit")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    pledge = models.ForeignKey(Pledge, on_delete=models.PROTECT, related_name="payments")
    amount = models.BigIntegerField()
    fee = models.BigIntegerField()
    fee_bp = models.PositiveSmallIntegerField(null=True)
    currency = models.CharField(max_length=3)
    method = models.CharField(max_length=16, choices=METHODS)
    state = models.CharField(max_length=12, choices=STATES)
    source = models.CharField(max_length=128, unique=True)
    # Keyed hash of the account it came from: the next transfer of that account is suggested for the same payer.
    payer_index = models.CharField(max_length=64, blank=True, default="", db_default="", db_index=True)
    received_on = models.DateField()
    entry = models.CharField(max_length=ID_LENGTH)
    taken_back = models.BigIntegerField(default=0)
    # Of a provider: its id of the charge, what it kept, and, when it converted, what the payer was asked and the rate.
    charge = models.CharField(max_length=128, blank=True, default="", db_default="", db_index=True)
    provider_fee = models.BigIntegerField(default=0, db_default=0)
    provider_fee_borne = models.BigIntegerField(default=0, db_default=0)  # what of it the budget bore, not the host
    original_amount = models.BigIntegerField(null=True)
    original_currency = models.CharField(max_length=3, blank=True, default="", db_default="")
    rate = models.DecimalField(max_digits=20, decimal_places=10, null=True)
    rate_source = models.CharField(max_length=16, blank=True, default="", db_default="")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(
                condition=Q(state__in=["succeeded", "won"], taken_back__gte=0, taken_back__lt=F("amount"))
                | Q(state="disputed", taken_back__gte=0, taken_back__lte=F("amount"))
                | Q(state__in=["lost", "refunded", "undone"], taken_back=F("amount")),
                name="payment_taken_back_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(original_amount=None, original_currency="", rate=None, rate_source="")
                | Q(original_amount__isnull=False, rate__isnull=False) & ~Q(original_currency="") & ~Q(rate_source=""),
                name="payment_conversion_whole",
            ),
            models.CheckConstraint(condition=Q(fee__gte=0, fee__lte=F("amount")), name="payment_fee_within_amount"),
            models.CheckConstraint(
                condition=Q(provider_fee_borne__gte=0, provider_fee_borne__lte=F("provider_fee"))
                & Q(provider_fee_borne__lte=F("amount") - F("fee")),
                name="payment_bears_what_it_brought",
            ),
        ]

    @property
    def left(self) -> int:
        """What was neither taken back nor refunded, in minor units."""
        return self.amount - self.taken_back

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Payment]":
        """Those of the pledges one may see."""
        return cls.objects.filter(pledge__in=Pledge.visible_to(actor))


class TakeBack(models.Model):
    """Money of a payment that the bank took back or the host refunds, in minor units: amount = fee + from_budget +
    to_deficit.

    What had already been shared is not taken from people: it is owed by the budget's next receipts (`to_deficit`).
    """

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="take_backs")
    amount = models.BigIntegerField()
    fee = models.BigIntegerField()
    from_budget = models.BigIntegerField()
    to_deficit = models.BigIntegerField()
    source = models.CharField(max_length=128, unique=True)
    taken_on = models.DateField()
    entry = models.CharField(max_length=ID_LENGTH)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, fee__gte=0, from_budget__gte=0, to_deficit__gte=0)
                & Q(amount=F("fee") + F("from_budget") + F("to_deficit")),
                name="take_back_adds_up",
            ),
        ]


class GiveBack(models.Model):
    """Money of a take-back that came home, in minor units: a dispute won, a refund that failed.

    amount = fee + to_budget + to_deficit: the host takes its fee again, the budget's deficit is served first.
    """

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    take_back = models.ForeignKey(TakeBack, on_delete=models.PROTECT, related_name="give_backs")
    amount = models.BigIntegerField()
    fee = models.BigIntegerField()
    to_budget = models.BigIntegerField()
    to_deficit = models.BigIntegerField()
    source = models.CharField(max_length=128, unique=True)
    given_on = models.DateField()
    entry = models.CharField(max_length=ID_LENGTH)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, fee__gte=0, to_budget__gte=0, to_deficit__gte=0)
                & Q(amount=F("fee") + F("to_budget") + F("to_deficit")),
                name="give_back_adds_up",
            ),
        ]


class Surplus(models.Model):
    """What a receipt brought above what its pledges awaited, in minor units: it waits in suspense for a decision.

    `used` is what became payments since, `taken_back` what went back through a payment provider; what is left is in the
    suspense purse of `account`.
    """

    STATES: ClassVar = [
        ("waiting", pgettext_lazy("surplus", "to decide")),
        ("kept", pgettext_lazy("surplus", "kept for the next instalment")),
        ("credited", pgettext_lazy("surplus", "given to the pot")),
        ("refunded", pgettext_lazy("surplus", "refunded")),
        ("returned", pgettext_lazy("surplus", "gone back with its payment")),
    ]
    OPEN: ClassVar = ("waiting", "kept")
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    pledge = models.ForeignKey(Pledge, on_delete=models.PROTECT, related_name="surpluses")
    account = models.ForeignKey(HostBankAccount, on_delete=models.PROTECT, related_name="+")
    source = models.CharField(max_length=128, unique=True)
    amount = models.BigIntegerField()
    used = models.BigIntegerField(default=0)
    taken_back = models.BigIntegerField(default=0, db_default=0)
    currency = models.CharField(max_length=3)
    method = models.CharField(max_length=16, choices=Payment.METHODS)
    payer_index = models.CharField(max_length=64, blank=True, default="")
    received_on = models.DateField()
    state = models.CharField(max_length=12, choices=STATES, default="waiting")
    decided_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=280, blank=True)
    entry = models.CharField(max_length=ID_LENGTH, blank=True)  # that put it into suspense; blank when it was there
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, used__gte=0, taken_back__gte=0)
                & (
                    Q(state="waiting", used=0, taken_back__lt=F("amount"))
                    | Q(state__in=["kept", "refunded"], used__lt=F("amount") - F("taken_back"))
                    | Q(state="returned", used__lte=F("amount") - F("taken_back"))
                    | Q(state="credited", used=F("amount") - F("taken_back"))
                ),
                name="surplus_used_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "returned"]) | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="surplus_decided_by_someone",
            ),
        ]
        verbose_name_plural = "surpluses"

    @property
    def left(self) -> int:
        """What still waits in suspense, in minor units."""
        return self.amount - self.used - self.taken_back if self.state in self.OPEN else 0

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Surplus]":
        """Those of the pledges one may see."""
        return cls.objects.filter(pledge__in=Pledge.visible_to(actor))


class Refund(models.Model):
    """Money owed back to a payer, in minor units, on an account that a treasurer typed; a payout batch pays it.

    Its purse is `payee` with its own id. The account is sealed with a key of its own.
    """

    STATES: ClassVar = [
        ("owed", pgettext_lazy("refund", "to pay")),
        ("batched", pgettext_lazy("refund", "in a batch")),
        ("paid", pgettext_lazy("refund", "paid")),
    ]
    # Whose key seals a column: forgotten with it (see core.crypto.seal_for).
    SEALED_FOR: ClassVar = {"iban_sealed": "id"}
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    pledge = models.ForeignKey(Pledge, on_delete=models.PROTECT, related_name="refunds")
    # What is given back: a surplus, or a payment.
    surplus = models.OneToOneField(Surplus, null=True, on_delete=models.PROTECT, related_name="refund")
    payment = models.ForeignKey(Payment, null=True, on_delete=models.PROTECT, related_name="refunds")
    name = models.CharField(max_length=70)
    iban_sealed = models.TextField(blank=True)
    iban_index = models.CharField(max_length=64, blank=True, db_index=True)
    iban_hint = models.CharField(max_length=24, blank=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=280)
    state = models.CharField(max_length=12, choices=STATES, default="owed")
    form_key = models.CharField(max_length=64)
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    entry = models.CharField(max_length=ID_LENGTH)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
            models.CheckConstraint(
                condition=Q(surplus__isnull=False, payment=None) | Q(surplus=None, payment__isnull=False),
                name="refund_of_one_thing",
            ),
            models.UniqueConstraint(fields=["asked_by", "form_key"], name="one_refund_per_form"),
        ]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Refund]":
        """Those of the pledges one may see."""
        return cls.objects.filter(pledge__in=Pledge.visible_to(actor))


class Deposit(models.Model):
    """Cheques, or cash, taken to the bank together, in minor units: one bank line of this total settles it."""

    STATES: ClassVar = [
        ("prepared", pgettext_lazy("deposit", "on its way to the bank")),
        ("cleared", pgettext_lazy("deposit", "seen on the statement")),
        ("undone", pgettext_lazy("deposit", "undone")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    account = models.ForeignKey(HostBankAccount, on_delete=models.PROTECT, related_name="deposits")
    kind = models.CharField(max_length=8, choices=KINDS_OF_PAPER)
    total = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=12, choices=STATES, default="prepared")
    slip = models.CharField(max_length=40, blank=True)
    form_key = models.CharField(max_length=64)
    prepared_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    prepared_on = models.DateField()
    prepared_at = models.DateTimeField()
    line = models.CharField(max_length=128, blank=True)  # names the bank line that settled it
    entry = models.CharField(max_length=ID_LENGTH, blank=True)
    cleared_on = models.DateField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["prepared", "cleared"], total__gt=0) | Q(state="undone", total=0),
                name="deposit_total_positive",
            ),
            models.CheckConstraint(condition=Q(state="cleared") ^ Q(line=""), name="deposit_cleared_by_a_line"),
            models.UniqueConstraint(fields=["line"], condition=~Q(line=""), name="one_deposit_per_line"),
            models.UniqueConstraint(fields=["prepared_by", "form_key"], name="one_deposit_per_form"),
        ]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Deposit]":
        """All of them for treasurers and auditors, none for others."""
        return cls.objects.all() if holds(actor, "treasurer", "auditor") else cls.objects.none()


class PaperPayment(models.Model):
    """A cheque or cash that a treasurer was handed for a pledge, in minor units; it clears when the bank shows it."""

    STATES: ClassVar = [
        ("received", pgettext_lazy("paper payment", "to take to the bank")),
        ("deposited", pgettext_lazy("paper payment", "on its way to the bank")),
        ("cleared", pgettext_lazy("paper payment", "seen on the statement")),
        ("returned", pgettext_lazy("paper payment", "returned unpaid")),
    ]
    OPEN: ClassVar = ("received", "deposited")
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    kind = models.CharField(max_length=8, choices=KINDS_OF_PAPER)
    pledge = models.ForeignKey(Pledge, on_delete=models.PROTECT, related_name="papers")
    account = models.ForeignKey(HostBankAccount, on_delete=models.PROTECT, related_name="+")
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    drawer = models.CharField(max_length=140, blank=True)
    number = models.CharField(max_length=40, blank=True)
    received_on = models.DateField()
    state = models.CharField(max_length=12, choices=STATES, default="received")
    deposit = models.ForeignKey(Deposit, null=True, on_delete=models.PROTECT, related_name="papers")
    form_key = models.CharField(max_length=64)
    recorded_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    returned_on = models.DateField(null=True)
    returned_reason = models.CharField(max_length=280, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="paper_amount_positive"),
            models.CheckConstraint(
                condition=Q(state="received", deposit=None)
                | Q(state__in=["deposited", "cleared"], deposit__isnull=False)
                | (Q(state="returned", returned_on__isnull=False) & ~Q(returned_reason="")),
                name="paper_is_where_it_says",
            ),
            models.UniqueConstraint(fields=["recorded_by", "form_key"], name="one_paper_per_form"),
        ]

    @property
    def source(self) -> str:
        """The name under which the ledger knows this receipt."""
        return f"paper:{self.pk}"

    @property
    def purse(self) -> str:
        """The owner of the clearing purse that holds it until the bank shows it."""
        return f"{self.account_id}:{self.kind}"

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[PaperPayment]":
        """All of them for treasurers and auditors, none for others."""
        return cls.objects.all() if holds(actor, "treasurer", "auditor") else cls.objects.none()
