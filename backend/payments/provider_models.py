"""What passes through a payment provider: what we asked of it, what it told us, and each movement of money it made."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.core.ids import ID_LENGTH
from backend.identity.models import User

REMOTE_LENGTH = 128  # ids of a provider's objects


class Operation(models.Model):
    """One thing asked of the provider: this row first, then the network, then what it answered.

    `key` comes from the business fact and never changes: it is the idempotency key that every repetition of this row
    sends, and what the object is found by afterwards. A new attempt is a new row with another key.
    """

    KINDS: ClassVar = [
        ("checkout", _("open a payment page")),
        ("expire", _("close a payment page")),
        ("refund", _("give a payment back")),
        ("pause", _("pause a subscription")),
        ("resume", _("resume a subscription")),
        ("cancel", _("end a subscription")),
        ("forget", _("forget a payer")),
    ]
    STATES: ClassVar = [
        ("ready", pgettext_lazy("operation", "to send")),
        ("sent", pgettext_lazy("operation", "sent, no answer yet")),
        ("unknown", pgettext_lazy("operation", "the answer was lost")),
        ("done", pgettext_lazy("operation", "done")),
        ("refused", pgettext_lazy("operation", "refused")),
        ("given_up", pgettext_lazy("operation", "given up by a treasurer")),
    ]
    OPEN: ClassVar = ("ready", "sent", "unknown")
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    provider = models.CharField(max_length=16)
    kind = models.CharField(max_length=12, choices=KINDS)
    key = models.CharField(max_length=128, unique=True)
    request = models.JSONField()  # ids, amounts and words of ours: no secret, no name or address of a person
    state = models.CharField(max_length=12, choices=STATES, default="ready")
    attempts = models.PositiveSmallIntegerField(default=0)
    first_sent_at = models.DateTimeField(null=True)  # the key lives 24 h at the provider: never resent after 23
    next_try_at = models.DateTimeField()
    remote_id = models.CharField(max_length=REMOTE_LENGTH, blank=True)
    error = models.CharField(max_length=280, blank=True)
    asked_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    given_up_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    given_up_reason = models.CharField(max_length=280, blank=True)
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="given_up") | (Q(given_up_by__isnull=False) & ~Q(given_up_reason="")),
                name="operation_given_up_with_reason",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["ready", "refused", "given_up"]) | Q(first_sent_at__isnull=False),
                name="operation_sent_before_its_answer",
            ),
        ]
        indexes = [models.Index(fields=["state", "next_try_at"], name="operation_due")]


class Subscription(models.Model):
    """A recurring payment that the provider runs: it alone is the clock, each of its invoices is our instalment."""

    STATES: ClassVar = [
        ("active", pgettext_lazy("subscription", "active")),
        ("past_due", pgettext_lazy("subscription", "a payment failed")),
        ("paused", pgettext_lazy("subscription", "paused")),
        ("ended", pgettext_lazy("subscription", "ended")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    provider = models.CharField(max_length=16)
    remote_id = models.CharField(max_length=REMOTE_LENGTH)
    customer = models.CharField(max_length=REMOTE_LENGTH)  # empty once the provider has forgotten who paid
    group = models.CharField(max_length=ID_LENGTH, db_index=True)  # of the pledges it pays
    method = models.CharField(max_length=16)
    state = models.CharField(max_length=12, choices=STATES, default="active")
    failures = models.PositiveSmallIntegerField(default=0)  # since the last success
    last_failure = models.CharField(max_length=280, blank=True)
    next_on = models.DateField(null=True)  # the day of the next charge, as the provider says
    mandate = models.CharField(max_length=REMOTE_LENGTH, blank=True)
    mandate_state = models.CharField(max_length=16, blank=True)
    paused_at = models.DateTimeField(null=True)
    synced_at = models.DateTimeField()
    # When the provider was read, by this machine's clock: what was read before changes nothing any more.
    read_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "remote_id"], name="one_subscription_per_remote"),
            models.UniqueConstraint(
                fields=["group"], condition=~Q(state="ended"), name="one_live_subscription_per_group"
            ),
        ]


class Checkout(models.Model):
    """A payment page opened at the provider for the pledges of one act: what it asks, and what became of it."""

    STATES: ClassVar = [
        ("opening", pgettext_lazy("checkout", "being opened")),
        ("open", pgettext_lazy("checkout", "waits for the payer")),
        ("processing", pgettext_lazy("checkout", "payment on its way")),
        ("paid", pgettext_lazy("checkout", "paid")),
        ("failed", pgettext_lazy("checkout", "failed")),
        ("expired", pgettext_lazy("checkout", "closed unpaid")),
    ]
    PENDING: ClassVar = ("opening", "open", "processing")
    METHODS: ClassVar = [("card", _("card")), ("sepa_debit", _("SEPA debit"))]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    group = models.CharField(max_length=ID_LENGTH, db_index=True)
    operation = models.OneToOneField(Operation, on_delete=models.PROTECT, related_name="checkout")
    recurring = models.BooleanField()
    method = models.CharField(max_length=16, choices=METHODS)
    amount = models.BigIntegerField()  # of one instalment of all its pledges, minor units
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=12, choices=STATES, default="opening")
    remote_id = models.CharField(max_length=REMOTE_LENGTH, blank=True)  # the session
    address = models.TextField(blank=True)  # of the provider's page, while it is open
    subscription = models.ForeignKey(Subscription, null=True, on_delete=models.PROTECT, related_name="checkouts")
    failure = models.CharField(max_length=280, blank=True)
    made_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    synced_at = models.DateTimeField(null=True)  # when the provider was last asked what became of it

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="checkout_amount_positive"),
            # While one may still be paid, no second one is opened for the same promise.
            models.UniqueConstraint(
                fields=["group"],
                condition=Q(state__in=["opening", "open", "processing"]),
                name="one_checkout_at_a_time",
            ),
            models.UniqueConstraint(fields=["remote_id"], condition=~Q(remote_id=""), name="one_checkout_per_remote"),
        ]


class ProviderPayout(models.Model):
    """Money that the provider sends to the host's bank account, in minor units; one bank line settles it."""

    STATES: ClassVar = [
        ("sent", pgettext_lazy("provider payout", "on its way to the bank")),
        ("settled", pgettext_lazy("provider payout", "seen on the statement")),
        ("failed", pgettext_lazy("provider payout", "refused by the bank")),
        ("withdrawn", pgettext_lazy("provider payout", "undone with its import")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    provider = models.CharField(max_length=16)
    remote_id = models.CharField(max_length=REMOTE_LENGTH)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    text = models.CharField(max_length=80, blank=True)  # what the bank line will say
    arrives_on = models.DateField()
    state = models.CharField(max_length=12, choices=STATES, default="sent")
    line = models.CharField(max_length=128, blank=True)  # names the bank line that settled it
    entry = models.CharField(max_length=ID_LENGTH, blank=True)
    settled_on = models.DateField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "remote_id"], name="one_payout_per_remote"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="provider_payout_positive"),
            models.CheckConstraint(condition=Q(state="settled") ^ Q(line=""), name="provider_payout_settled_by_a_line"),
            models.UniqueConstraint(fields=["line"], condition=~Q(line=""), name="one_provider_payout_per_line"),
        ]


class Movement(models.Model):
    """One movement of the host's balance at the provider, in minor units of the currency it settles in.

    Signed: `amount` above zero came in; `fee` above zero was taken by the provider; net is amount − fee. It acts once,
    whoever told it: an event, the payer coming back, or the reconciler. `original_*` is what the payer was asked when
    the provider converted it, at `rate`.
    """

    KINDS: ClassVar = [
        ("charge", pgettext_lazy("movement", "payment")),
        ("refund", pgettext_lazy("movement", "refund")),
        ("refund_failure", pgettext_lazy("movement", "refund that failed")),
        ("failure", pgettext_lazy("movement", "payment that failed afterwards")),
        ("dispute", pgettext_lazy("movement", "disputed payment")),
        ("dispute_reversal", pgettext_lazy("movement", "dispute won")),
        ("fee", pgettext_lazy("movement", "fee of the provider")),
        ("payout", pgettext_lazy("movement", "sent to the bank")),
        ("payout_failure", pgettext_lazy("movement", "came back from the bank")),
        ("other", pgettext_lazy("movement", "other")),
    ]
    STATES: ClassVar = [
        ("booked", pgettext_lazy("movement", "booked")),
        ("reported", pgettext_lazy("movement", "in suspense: a treasurer looks")),
        ("explained", pgettext_lazy("movement", "explained by a treasurer")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    provider = models.CharField(max_length=16)
    remote_id = models.CharField(max_length=REMOTE_LENGTH)
    kind = models.CharField(max_length=20, choices=KINDS)
    amount = models.BigIntegerField()
    fee = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    original_amount = models.BigIntegerField(null=True)
    original_currency = models.CharField(max_length=3, blank=True)
    rate = models.DecimalField(max_digits=20, decimal_places=10, null=True)
    happened_on = models.DateField()
    available_on = models.DateField(null=True)
    of = models.CharField(max_length=REMOTE_LENGTH, blank=True)  # what made it: a charge, a refund, a dispute, a payout
    charge = models.CharField(max_length=REMOTE_LENGTH, blank=True, db_index=True)  # the payment it belongs to
    state = models.CharField(max_length=12, choices=STATES)
    entries = models.JSONField(default=list)  # the ids of what it booked
    why = models.CharField(max_length=280, blank=True)  # when it is reported: what a treasurer should look at
    suspended = models.BigIntegerField(default=0, db_default=0)  # what of it waits while it is reported, signed
    told_by = models.CharField(max_length=12)  # event | return | reconciler | import
    explained_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "remote_id"], name="one_movement_per_remote"),
            models.CheckConstraint(
                condition=Q(original_amount=None, original_currency="", rate=None)
                | (Q(original_amount__isnull=False, rate__isnull=False) & ~Q(original_currency="")),
                name="movement_conversion_whole",
            ),
            models.CheckConstraint(
                condition=~Q(state="explained") | Q(explained_by__isnull=False), name="movement_explained_by_someone"
            ),
        ]
        indexes = [models.Index(fields=["happened_on"], name="movement_day")]

    @property
    def net(self) -> int:
        """What it changed in the balance, minor units."""
        return self.amount - self.fee


class Dispute(models.Model):
    """A payer's bank asks money back from the provider, in minor units: opened, then won or lost."""

    STATES: ClassVar = [
        ("warning", pgettext_lazy("dispute", "a question, no money moved")),
        ("opened", pgettext_lazy("dispute", "open")),
        ("won", pgettext_lazy("dispute", "won")),
        ("lost", pgettext_lazy("dispute", "lost")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    provider = models.CharField(max_length=16)
    remote_id = models.CharField(max_length=REMOTE_LENGTH)
    charge = models.CharField(max_length=REMOTE_LENGTH, db_index=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=60, blank=True)
    state = models.CharField(max_length=12, choices=STATES)
    answer_by = models.DateTimeField(null=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "remote_id"], name="one_dispute_per_remote")]


class ProviderRefund(models.Model):
    """A payment given back through the provider, in minor units, to the card or account it came from."""

    STATES: ClassVar = [
        ("asked", pgettext_lazy("provider refund", "asked")),
        ("approved", pgettext_lazy("provider refund", "on its way")),
        ("done", pgettext_lazy("provider refund", "given back")),
        ("failed", pgettext_lazy("provider refund", "failed")),
        ("refused", pgettext_lazy("provider refund", "not given back")),
    ]
    OPEN: ClassVar = ("asked", "approved")
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    charge = models.CharField(max_length=REMOTE_LENGTH, db_index=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=280)
    state = models.CharField(max_length=12, choices=STATES, default="asked")
    operation = models.OneToOneField(Operation, null=True, on_delete=models.PROTECT, related_name="refund")
    remote_id = models.CharField(max_length=REMOTE_LENGTH, blank=True)
    failure = models.CharField(max_length=280, blank=True)
    form_key = models.CharField(max_length=64)
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="provider_refund_positive"),
            models.CheckConstraint(
                # Decided by nobody that these books know: they were restored, and the provider told of it.
                condition=Q(state="asked", decided_by=None)
                | Q(decided_by__isnull=False, decided_at__isnull=False)
                | (Q(state__in=["approved", "done", "failed"], decided_by=None) & ~Q(remote_id="")),
                name="provider_refund_decided_by_someone",
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None) | Q(state="refused") | ~Q(decided_by=F("asked_by")),
                name="provider_refund_by_two",
            ),
            models.UniqueConstraint(fields=["asked_by", "form_key"], name="one_provider_refund_per_form"),
        ]


class Notice(models.Model):
    """An event that the provider sent us, once, by its id: what it is about is read again from the provider.

    Its body is not kept: it holds names and addresses, and may be older than what is true now.
    """

    STATES: ClassVar = [
        ("waiting", pgettext_lazy("notice", "to treat")),
        ("done", pgettext_lazy("notice", "treated")),
        ("unknown", pgettext_lazy("notice", "of a kind we do not use")),
        ("stuck", pgettext_lazy("notice", "could not be treated")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    provider = models.CharField(max_length=16)
    remote_id = models.CharField(max_length=REMOTE_LENGTH)
    type = models.CharField(max_length=80)
    thing = models.CharField(max_length=16)  # what it is about, a word of providers.base.About
    about = models.CharField(max_length=REMOTE_LENGTH, blank=True)  # the id of the object
    sent_at = models.DateTimeField()  # when the provider made it
    received_at = models.DateTimeField()
    times = models.PositiveIntegerField(default=1)  # how often it was delivered
    state = models.CharField(max_length=12, choices=STATES, default="waiting")
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField()
    error = models.CharField(max_length=280, blank=True)
    treated_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "remote_id"], name="one_notice_per_remote")]
        indexes = [models.Index(fields=["state", "next_try_at"], name="notice_due")]


class Reconciliation(models.Model):
    """One comparison of the provider's list of movements with ours, for a stretch of time."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    provider = models.CharField(max_length=16)
    since = models.DateTimeField()
    until = models.DateTimeField()
    asked_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")  # None: the daily one
    asked_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    seen = models.PositiveIntegerField(default=0)
    booked = models.PositiveIntegerField(default=0)
    reported = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField()
    error = models.CharField(max_length=280, blank=True)
    # What the provider says the host has there, and what our books said at that moment, when both were read.
    remote_balance = models.BigIntegerField(null=True)
    own_balance = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(since__lt=F("until")), name="reconciliation_since_before_until")
        ]
