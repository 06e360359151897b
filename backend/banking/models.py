"""Statement and BankLine: what the bank says."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.core.ids import ID_LENGTH
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import holds
from backend.payments.models import Payment


class Statement(models.Model):
    """One statement of one of the host's accounts. Balances in minor units, absent when the file gives none."""

    TIES: ClassVar = [("yes", _("yes")), ("no", _("no")), ("unknown", _("unknown"))]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    account = models.ForeignKey(HostBankAccount, on_delete=models.PROTECT, related_name="statements")
    number = models.CharField(max_length=64, blank=True)
    format = models.CharField(max_length=24, blank=True, default="", db_default="")
    fingerprint = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    opening = models.BigIntegerField(null=True)
    closing = models.BigIntegerField(null=True)
    # The day of the opening balance, or the first day: absent of what was kept before it was.
    opens_on = models.DateField(null=True)
    closes_on = models.DateField(null=True)
    gap = models.BigIntegerField(null=True)
    ties = models.CharField(max_length=8, choices=TIES)
    imported_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    imported_at = models.DateTimeField()
    # The import was undone: nothing of it counts any more, and the same file may be imported again.
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    withdrawn_reason = models.CharField(max_length=280, blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "fingerprint"], condition=Q(withdrawn_at=None), name="statement_once"
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at=None, withdrawn_by=None, withdrawn_reason="")
                | Q(withdrawn_at__isnull=False, withdrawn_by__isnull=False),
                name="statement_withdrawn_by_somebody",
            ),
        ]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Statement]":
        """All of them for treasurers and auditors, none for others."""
        return cls.objects.all() if holds(actor, "treasurer", "auditor") else cls.objects.none()


class BankLine(models.Model):
    """One booked operation. `amount` is signed: credits positive. `entry` says how it stands in the ledger.

    Nothing is booked of a line in the states new, suspect and duplicate, and all of it was reversed of a withdrawn one.
    """

    STATES: ClassVar = [
        ("new", _("just imported")),
        ("suspect", _("perhaps known already")),
        ("suggested", _("to identify")),
        ("matched", _("matched")),
        ("booked", _("booked")),
        ("duplicate", _("duplicate")),
        ("withdrawn", _("import undone")),
    ]
    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="lines")
    account = models.ForeignKey(HostBankAccount, on_delete=models.PROTECT, related_name="+")
    fingerprint = models.CharField(max_length=64)
    booked_on = models.DateField()
    value_on = models.DateField(null=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    counterparty = models.CharField(max_length=140, blank=True)
    counterparty_hint = models.CharField(max_length=24, blank=True)
    # Keyed hash of the other account: the same payer is known again, and the account is not kept.
    counterparty_index = models.CharField(max_length=64, blank=True, default="", db_default="")
    text = models.CharField(max_length=1000, blank=True)
    references = models.JSONField(default=dict)
    state = models.CharField(max_length=12, choices=STATES, default="new")
    # The line that it may be a second time: see `resembling`. Kept once a person said that it is another one.
    resembles = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    suspense_entry = models.CharField(max_length=ID_LENGTH, blank=True)
    entry = models.CharField(max_length=ID_LENGTH, blank=True)
    matched_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    matched_to = models.CharField(max_length=ID_LENGTH, blank=True)
    # How often what it was matched to was undone: what is booked of it next is another fact.
    turn = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "fingerprint"], name="bank_line_once"),
            models.CheckConstraint(condition=~Q(amount=0), name="bank_line_amount_not_zero"),
        ]
        indexes = [models.Index(fields=["state", "id"], name="bank_line_state")]

    @property
    def source(self) -> str:
        """The name under which the ledger knows the fact behind this line."""
        return f"line:{self.account_id}:{self.fingerprint[:24]}"

    @property
    def fact(self) -> str:
        """The name under which what it is matched to is booked: another one after each undoing."""
        return f"{self.source}:u{self.turn}" if self.turn else self.source

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[BankLine]":
        """All of them for treasurers and auditors, none for others."""
        return cls.objects.all() if holds(actor, "treasurer", "auditor") else cls.objects.none()


class CsvLayout(models.Model):
    """How the CSV of one of the host's accounts is laid out, as somebody chose it: `formats.csv_layout.Layout`."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    account = models.ForeignKey(HostBankAccount, on_delete=models.PROTECT, related_name="csv_layouts")
    name = models.CharField(max_length=60)
    mapping = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "name"], name="csv_layout_once")]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[CsvLayout]":
        """All of them for treasurers and auditors, none for others."""
        return cls.objects.all() if holds(actor, "treasurer", "auditor") else cls.objects.none()


class LinePart(models.Model):
    """A part of a line that a person split or booked: to a pledge, or to an account of the chart. Signed as its line.

    Those of one line that were not undone add up to it: PostgreSQL refuses anything else (migration 0009).
    """

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    line = models.ForeignKey(BankLine, on_delete=models.PROTECT, related_name="parts")
    turn = models.PositiveSmallIntegerField()
    place = models.PositiveSmallIntegerField()
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    payment = models.ForeignKey(Payment, null=True, on_delete=models.PROTECT, related_name="+")
    number = models.CharField(max_length=8, blank=True, default="", db_default="")
    entry = models.CharField(max_length=ID_LENGTH)
    undone = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["line", "turn", "place"], name="line_part_once"),
            models.CheckConstraint(condition=~Q(amount=0), name="line_part_not_zero"),
            models.CheckConstraint(
                condition=Q(payment__isnull=False, number="") | (Q(payment=None) & ~Q(number="")),
                name="line_part_is_one_thing",
            ),
        ]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[LinePart]":
        """All of them for treasurers and auditors, none for others."""
        return cls.objects.all() if holds(actor, "treasurer", "auditor") else cls.objects.none()


class MatchingRule(models.Model):
    """What a treasurer taught of lines to come: who a name at the bank pays for, or the account of a fixed text.

    It exists since a person confirmed it; it only proposes, and never books by itself.
    """

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    # The words of the bank, in capitals without accents: all of those of a text, or of a name.
    words = models.CharField(max_length=200)
    credit = models.BooleanField()
    number = models.CharField(max_length=8, blank=True, default="", db_default="")
    payer = models.CharField(max_length=ID_LENGTH, blank=True, default="", db_default="")
    learnt_from = models.ForeignKey(BankLine, on_delete=models.PROTECT, related_name="+")
    confirmed_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    confirmed_at = models.DateTimeField()
    off_at = models.DateTimeField(null=True)
    off_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["words", "credit"], condition=Q(off_at=None), name="matching_rule_once"),
            models.CheckConstraint(condition=~Q(words=""), name="matching_rule_has_words"),
            models.CheckConstraint(
                condition=(Q(payer="") & ~Q(number="")) | (Q(number="") & ~Q(payer="")),
                name="matching_rule_says_one_thing",
            ),
        ]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[MatchingRule]":
        """All of them for treasurers and auditors, none for others."""
        return cls.objects.all() if holds(actor, "treasurer", "auditor") else cls.objects.none()
