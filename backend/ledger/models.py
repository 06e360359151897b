"""The ledger's tables. Read only by this app; written only by services.post(); guarded by triggers (see migrations)."""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
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
    """The balance of a purse, in minor units, debits positive, and what of it is held. Written by triggers alone."""

    account = models.OneToOneField(Account, primary_key=True, on_delete=models.PROTECT)
    currency = models.CharField(max_length=3)
    balance = models.BigIntegerField()
    held = models.BigIntegerField(default=0)
    normal_side = models.SmallIntegerField()
    guarded = models.BooleanField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(guarded=False) | Q(balance__gte=F("held") * F("normal_side"), normal_side=1)
                | Q(balance__lte=F("held") * F("normal_side"), normal_side=-1),
                name="guarded_purse_keeps_its_side",
            ),
            models.CheckConstraint(condition=Q(held__gte=0), name="balance_held_not_negative"),
        ]  # fmt: skip


class JournalEntry(models.Model):
    """One fact in the books. The key comes from the fact, so that it can be booked once only."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    kind = models.CharField(max_length=32)
    happened_on = models.DateField()
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
        indexes = [BrinIndex(fields=["happened_on"], name="entry_by_day")]


class Posting(models.Model):
    """One line of an entry: an amount in minor units, debits positive, on a purse, under a chart number.

    Its key in PostgreSQL is (entry, line); `id` says in which order lines came. Entry, purse and currency are
    verified by a trigger, as a set, not by foreign keys. Both dates are those of the entry.
    """

    entry = models.ForeignKey(
        JournalEntry, on_delete=models.PROTECT, related_name="postings", db_index=False, db_constraint=False
    )
    line = models.PositiveIntegerField()
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="postings", db_index=False, db_constraint=False
    )
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    chart = models.CharField(max_length=8)
    happened_on = models.DateField()
    booked_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(amount=0), name="posting_amount_not_zero")]
        indexes = [
            models.Index(
                fields=["account", "happened_on", "id"], include=["amount", "booked_at"], name="posting_of_purse"
            ),
            BrinIndex(fields=["happened_on"], name="posting_by_day"),
        ]


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


class Hold(models.Model):
    """A part of a guarded purse set aside for one fact: counted by the guard at once, ended once."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="holds")
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    scope = models.CharField(max_length=32)
    key = models.CharField(max_length=128)
    reference = models.CharField(max_length=ID_LENGTH, db_index=True)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope", "key"], name="one_fact_one_hold"),
            models.CheckConstraint(condition=Q(amount__gte=1), name="hold_amount_positive"),
        ]


class HoldEnd(models.Model):
    """How a hold ended, once: captured by an entry, in part or whole, released, or expired. The rest is free again."""

    HOW: ClassVar = [("captured", "captured"), ("released", "released"), ("expired", "expired")]
    hold = models.OneToOneField(Hold, primary_key=True, on_delete=models.PROTECT, related_name="end")
    how = models.CharField(max_length=8, choices=HOW)
    captured = models.BigIntegerField(default=0)
    ended_at = models.DateTimeField()
    entry = models.ForeignKey(JournalEntry, null=True, on_delete=models.PROTECT, related_name="captures")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(how="captured", captured__gte=1, entry__isnull=False)
                | Q(how__in=["released", "expired"], captured=0, entry__isnull=True),
                name="hold_ends_one_way",
            ),
        ]


def _someone(*, null: bool) -> "models.ForeignKey[Any, Any]":
    return models.ForeignKey(settings.AUTH_USER_MODEL, null=null, on_delete=models.PROTECT, related_name="+")


class Closing(models.Model):
    """An accounting month: asked to be locked by one person, locked by another; unlocked the same way. In order."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    first_day = models.DateField()
    ends_before = models.DateField()
    asked_by = _someone(null=False)
    asked_at = models.DateTimeField()
    locked_by = _someone(null=True)
    locked_at = models.DateTimeField(null=True)
    last_posting = models.BigIntegerField(null=True)  # lines numbered above it were booked after the month was locked
    withdrawn_by = _someone(null=True)
    withdrawn_at = models.DateTimeField(null=True)
    unlock_asked_by = _someone(null=True)
    unlock_asked_at = models.DateTimeField(null=True)
    unlock_reason = models.TextField(blank=True)
    unlocked_by = _someone(null=True)
    unlocked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["first_day"], condition=Q(unlocked_at=None, withdrawn_at=None), name="one_closing_a_month"
            ),
            models.CheckConstraint(
                condition=Q(first_day__day=1, ends_before__day=1, ends_before__gt=F("first_day")),
                name="closing_is_of_a_month",
            ),
            models.CheckConstraint(condition=Q(locked_by=None) | ~Q(locked_by=F("asked_by")), name="closing_takes_two"),
            models.CheckConstraint(
                condition=Q(unlocked_by=None) | ~Q(unlocked_by=F("unlock_asked_by")), name="closing_unlock_takes_two"
            ),
            models.CheckConstraint(
                condition=Q(locked_by=None, locked_at=None) | Q(locked_by__isnull=False, locked_at__isnull=False),
                name="closing_locked_by_someone",
            ),
            models.CheckConstraint(
                condition=Q(unlock_asked_by=None, unlock_asked_at=None)
                | Q(unlock_asked_by__isnull=False, unlock_asked_at__isnull=False),
                name="closing_unlock_asked_by_someone",
            ),
            models.CheckConstraint(
                condition=Q(unlocked_by=None, unlocked_at=None)
                | Q(unlocked_by__isnull=False, unlocked_at__isnull=False, unlock_asked_by__isnull=False),
                name="closing_unlocked_by_someone",
            ),
        ]


class ClosingBalance(models.Model):
    """What a purse held when a month was locked, debits positive: by day at its end, and all that was booked by then.

    Only purses that moved since the month before have a row. Written by a trigger alone.
    """

    closing = models.ForeignKey(Closing, on_delete=models.PROTECT, related_name="balances")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", db_index=False)
    ends_before = models.DateField()
    balance = models.BigIntegerField()
    booked = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["account", "ends_before"], name="closing_balance_of_purse")]
        constraints = [models.UniqueConstraint(fields=["closing", "account"], name="one_balance_a_closing")]


class Seal(models.Model):
    """The place of an entry in the log, its leaf, and its number in its journal of its fiscal year (see sealing.py)."""

    position = models.BigIntegerField(primary_key=True)
    entry = models.OneToOneField(JournalEntry, on_delete=models.PROTECT, related_name="seal", db_constraint=False)
    leaf = models.BinaryField(max_length=32)
    year = models.SmallIntegerField()
    journal = models.CharField(max_length=6)
    number = models.IntegerField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(position__gte=1), name="seals_count_from_one")]


class SealKey(models.Model):
    """A key that signs heads: its public half, and what the key before it signed to hand over. `id` is its key id."""

    id = models.CharField(primary_key=True, max_length=8)
    name = models.CharField(max_length=120)
    public = models.BinaryField(max_length=32)
    made_at = models.DateTimeField()
    endorsed_by = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="successor")
    endorsed_text = models.TextField(blank=True)
    endorsement = models.BinaryField(max_length=64, null=True)


class Block(models.Model):
    """A head of the log: how many entries it holds, their Merkle root, and the signed note that says so."""

    number = models.BigIntegerField(primary_key=True)
    size = models.BigIntegerField()
    root = models.BinaryField(max_length=32)
    sealed_at = models.DateTimeField()
    key = models.ForeignKey(SealKey, on_delete=models.PROTECT, related_name="blocks")
    note = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["size"], name="one_block_a_size"),
            models.CheckConstraint(condition=Q(number__gte=1, size__gte=1), name="blocks_count_from_one"),
        ]


class Subtree(models.Model):
    """The hash of a full subtree of 2**level leaves, kept so that a proof reads few rows."""

    level = models.PositiveSmallIntegerField()
    index = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["level", "index"], name="one_hash_a_subtree")]
