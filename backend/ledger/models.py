"""The ledger's tables. Read only by this app; written only by services.post(); guarded by triggers (see migrations)."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from backend.core.ids import ID_LENGTH

DEBIT, CREDIT = 1, -1


class Account(models.Model):
    """A purse. It guards a balance; the number of the chart of accounts is on each posting."""

    KINDS: ClassVar = [
        (kind, kind)
        for kind in [
            "bank", "clearing", "in_transit", "suspense", "budget", "payee", "reserve", "deficit",
            "host_fees", "provider_fees",
        ]
    ]  # fmt: skip
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    kind = models.CharField(max_length=16, choices=KINDS)
    owner = models.CharField(max_length=ID_LENGTH)
    currency = models.CharField(max_length=3)
    normal_side = models.SmallIntegerField(choices=[(DEBIT, "debit"), (CREDIT, "credit")])
    guarded = models.BooleanField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "owner", "currency"], name="one_purse_per_owner"),
            models.UniqueConstraint(fields=["id", "currency"], name="account_with_its_currency"),
            models.CheckConstraint(condition=Q(normal_side__in=[DEBIT, CREDIT]), name="account_side_known"),
        ]


class Balance(models.Model):
    """The balance of a purse, in minor units, debits positive. Written by a trigger alone."""

    account = models.OneToOneField(Account, primary_key=True, on_delete=models.PROTECT)
    balance = models.BigIntegerField()
    normal_side = models.SmallIntegerField()
    guarded = models.BooleanField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(guarded=False) | Q(balance=0) | Q(normal_side=DEBIT, balance__gt=0)
                | Q(normal_side=CREDIT, balance__lt=0),
                name="guarded_purse_keeps_its_side",
            ),
        ]  # fmt: skip


class JournalEntry(models.Model):
    """One fact in the books. The key comes from the fact, so that it can be booked once only."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    kind = models.CharField(max_length=32)
    happened_on = models.DateField(db_index=True)
    booked_at = models.DateTimeField()
    scope = models.CharField(max_length=32)
    key = models.CharField(max_length=128)
    fingerprint = models.CharField(max_length=64)
    reference = models.CharField(max_length=ID_LENGTH, db_index=True)
    lines = models.PositiveIntegerField()
    reverses = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="reversed_by")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope", "key"], name="one_fact_one_entry"),
            models.CheckConstraint(condition=Q(lines__gte=2), name="entry_has_two_lines"),
            models.CheckConstraint(condition=~Q(reverses=F("id")), name="entry_does_not_reverse_itself"),
        ]


class Posting(models.Model):
    """One line of an entry: an amount in minor units, debits positive, on a purse, under a chart number."""

    entry = models.ForeignKey(JournalEntry, on_delete=models.PROTECT, related_name="postings")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="postings", db_index=False)
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    chart = models.CharField(max_length=8)

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(amount=0), name="posting_amount_not_zero")]
        indexes = [models.Index(fields=["account", "id"], name="posting_by_account")]
