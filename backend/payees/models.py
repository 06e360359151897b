"""Payees and their encrypted IBANs."""

from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from backend.core.ids import ID_LENGTH
from backend.identity.models import User
from backend.identity.permissions import holds

# What a changed account waits before money leaves for it.
HOLD = timedelta(hours=72)


class Payee(models.Model):
    """Who is paid for a person's work. The purse that says what is owed to it is found by its id.

    A person may have several: under their own name, their company, the cooperative that employs them, an association.
    `name` is the holder of the account as the bank writes it, `legal_name` what stands on papers where it differs.
    """

    KINDS: ClassVar = [
        ("person", _("person")),
        ("company", _("company")),
        ("cooperative", _("cooperative")),
        ("association", _("association")),
    ]
    VAT: ClassVar = [
        ("unknown", _("not said yet")),
        ("not_liable", _("not a taxable person")),
        ("franchise", _("franchise en base (article 293 B of the French tax code)")),
        ("liable", _("liable")),
    ]
    # Whose key seals a column: forgotten with the person (see core.crypto.seal_for).
    SEALED_FOR: ClassVar = {"iban_sealed": "user_id", "address_sealed": "user_id"}
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="payees")
    is_default = models.BooleanField(default=True, db_default=True)
    kind = models.CharField(max_length=16, choices=KINDS)
    name = models.CharField(max_length=70)
    legal_name = models.CharField(max_length=140, blank=True, default="", db_default="")
    siren = models.CharField(max_length=9, blank=True, default="", db_default="")
    rna = models.CharField(max_length=10, blank=True, default="", db_default="")
    vat_status = models.CharField(max_length=12, choices=VAT, default="unknown", db_default="unknown")
    vat_number = models.CharField(max_length=16, blank=True, default="", db_default="")
    # Street, postal code, town and country as JSON; empty: not given.
    address_sealed = models.TextField(blank=True, default="", db_default="")
    iban_sealed = models.TextField(blank=True)
    iban_index = models.CharField(max_length=64, blank=True, db_index=True)
    iban_hint = models.CharField(max_length=24, blank=True)
    iban_edited_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    iban_edited_at = models.DateTimeField(null=True)
    usable_from = models.DateTimeField(null=True)
    # Since when the host may write invoices in its name; what their numbers begin with, and how many there are.
    mandate_at = models.DateTimeField(null=True)
    invoice_prefix = models.CharField(max_length=16, blank=True, default="", db_default="")
    last_invoice = models.PositiveIntegerField(default=0, db_default=0)
    blocked_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user"], condition=Q(is_default=True), name="one_default_payee"),
            models.CheckConstraint(condition=Q(is_default=False) | Q(closed_at=None), name="default_payee_is_open"),
            models.CheckConstraint(
                condition=Q(usable_from=None, iban_edited_at=None)
                | Q(
                    usable_from__isnull=False, iban_edited_at__isnull=False, usable_from__gte=F("iban_edited_at") + HOLD
                ),
                name="changed_account_waits",
            ),
            models.CheckConstraint(
                condition=Q(iban_sealed="") | Q(iban_edited_at__isnull=False), name="account_given_at_some_time"
            ),
            models.CheckConstraint(
                condition=Q(vat_number="") | Q(vat_status="liable"), name="payee_vat_number_of_the_liable"
            ),
        ]

    @property
    def on_papers(self) -> str:
        """The name that its papers bear."""
        return self.legal_name or self.name

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Payee]":
        """One's own; all of them for treasurers and auditors (the IBAN stays sealed)."""
        if holds(actor, "treasurer", "auditor"):
            return cls.objects.all()
        return cls.objects.filter(user=actor)


class Director(models.Model):
    """Somebody who directs the host from a day on, until another one (left out), as far as it is known."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="directorships")
    starts_on = models.DateField()
    ends_before = models.DateField(null=True)
    marked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    marked_at = models.DateTimeField()
    ended_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_before=None) | Q(ends_before__gt=F("starts_on")), name="director_for_a_day_at_least"
            ),
            models.CheckConstraint(
                condition=Q(ends_before=None, ended_by=None) | Q(ends_before__isnull=False, ended_by__isnull=False),
                name="director_ended_by_somebody",
            ),
            models.UniqueConstraint(fields=["user"], condition=Q(ends_before=None), name="director_once_at_a_time"),
        ]


class DirectorLimit(models.Model):
    """What a director may be paid in a calendar month before the host's management is in question, in cents of euro,
    from a day on: three quarters of the gross monthly minimum wage, until another one is set for a later day."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    starts_on = models.DateField(unique=True)
    amount = models.BigIntegerField()
    source = models.CharField(max_length=200)
    set_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="director_limit_positive"),
            models.CheckConstraint(condition=~Q(source=""), name="director_limit_has_a_source"),
        ]


class BookedName(models.Model):
    """The name under which a payee was booked from a moment on: the accounts keep it when other tables forget it.

    It names its payee by id alone, so that erasing the payee is not held back by it. Rows are added; a trigger refuses
    to change one but for its sealing key, and to remove one before ten years without an entry (migration 0002).
    """

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    owner = models.CharField(max_length=ID_LENGTH)
    name_sealed = models.TextField()
    since = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "since"], name="one_booked_name_at_a_time"),
            models.CheckConstraint(condition=~models.Q(name_sealed=""), name="booked_name_is_sealed"),
        ]
