"""Payees and their encrypted IBANs."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from backend.core.ids import ID_LENGTH
from backend.identity.models import User
from backend.identity.permissions import holds


class Payee(models.Model):
    """Who is paid for a person's work. The purse that says what is owed to it is found by its id."""

    KINDS: ClassVar = [
        ("person", _("person")),
        ("company", _("company")),
        ("cooperative", _("cooperative")),
        ("association", _("association")),
    ]
    # Whose key seals a column: forgotten with the person (see core.crypto.seal_for).
    SEALED_FOR: ClassVar = {"iban_sealed": "user_id"}
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="payee")
    kind = models.CharField(max_length=16, choices=KINDS)
    name = models.CharField(max_length=70)
    iban_sealed = models.TextField(blank=True)
    iban_index = models.CharField(max_length=64, blank=True, db_index=True)
    iban_hint = models.CharField(max_length=24, blank=True)
    iban_edited_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    iban_edited_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Payee]":
        """One's own; all of them for treasurers and auditors (the IBAN stays sealed)."""
        if holds(actor, "treasurer", "auditor"):
            return cls.objects.all()
        return cls.objects.filter(user=actor)


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
