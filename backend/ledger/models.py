"""The ledger's tables. Read only by this app; written only by services.post(); guarded by triggers (see migrations)."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

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


class Freeze(models.Model):
    """Payouts are stopped, by whom and why, until two people say otherwise. PostgreSQL refuses batches meanwhile."""

    CAUSES: ClassVar = [
        ("selfcheck", _("a self-check failed")),
        ("restore", _("restored from a backup")),
        ("manual", _("frozen by a person")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    cause = models.CharField(max_length=12, choices=CAUSES)
    reason = models.TextField()
    data = models.JSONField(default=dict)
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    lift_asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    lift_asked_at = models.DateTimeField(null=True)
    lift_reason = models.TextField(blank=True)
    lifted_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    lifted_at = models.DateTimeField(null=True)
    lift_data = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(lifted_by=None) | ~Q(lifted_by=F("lift_asked_by")), name="freeze_lift_takes_two"
            ),
            models.CheckConstraint(
                condition=Q(lift_asked_by=None, lift_asked_at=None)
                | Q(lift_asked_by__isnull=False, lift_asked_at__isnull=False),
                name="freeze_lift_asked_by_someone",
            ),
            models.CheckConstraint(
                condition=Q(lifted_by=None, lifted_at=None)
                | Q(lifted_by__isnull=False, lifted_at__isnull=False, lift_asked_by__isnull=False),
                name="freeze_lifted_by_someone",
            ),
            models.CheckConstraint(
                condition=Q(cause__in=["selfcheck", "restore", "manual"]), name="freeze_cause_known"
            ),
            models.UniqueConstraint(fields=["cause"], condition=Q(lifted_at=None), name="one_freeze_per_cause"),
        ]

    @property
    def words(self) -> str:
        """Why, in the language of the moment: what a person wrote, or what the house knows."""
        if self.cause == "selfcheck":
            return gettext("The self-check found faults in the books: %(count)s.") % {
                "count": len(self.data.get("findings", []))
            }
        if self.cause == "restore" and "taken_at" in self.data:
            when = f"{self.data['taken_at'][:16].replace('T', ' ')} UTC"
            return gettext("Restored from the backup of %(when)s: what was paid since then is not in these books.") % {
                "when": when
            }
        return self.reason if self.reason.endswith((".", "!", "?", "…")) else f"{self.reason}."


class Seal(models.Model):
    """The place of an entry in the sealed books: its leaf, and the head of the chain once it is in (see sealing.py)."""

    position = models.BigIntegerField(primary_key=True)
    entry = models.OneToOneField(JournalEntry, on_delete=models.PROTECT, related_name="seal")
    leaf = models.BinaryField(max_length=32)
    head = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(position__gte=1), name="seals_count_from_one")]
