"""Numbered papers: calls for funds, invoices, credit notes, certificates of payment or time, yearly statements."""

from typing import ClassVar

from django.db import models
from django.db.models import Q, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from backend.core.ids import ID_LENGTH
from backend.identity.models import Organisation, User
from backend.identity.permissions import MEMBERS, counting, holds

# What stands in front of the year and the number, by kind.
PREFIXES = {"call": "AF", "invoice": "F", "credit_note": "AV", "certificate": "AT", "yearly": "RA", "time": "BV"}


class DocumentSeries(models.Model):
    """How far the numbers of a kind and year went; who issues holds its row, so that no number is left out."""

    kind = models.CharField(max_length=12)
    year = models.PositiveSmallIntegerField()
    last = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "year"], name="one_series_of_a_kind_and_year")]


class Document(models.Model):
    """A paper as it was issued: what it says and its file are sealed together and never change.

    Its key is its own, so that what a paper says of a person can be forgotten while its number stays.
    """

    KINDS: ClassVar = [
        ("call", _("call for funds")),
        ("invoice", _("invoice")),
        ("credit_note", _("credit note")),
        ("certificate", _("payment certificate")),
        ("yearly", _("yearly statement")),
        ("time", _("certificate of volunteer time")),
    ]
    SEALED_FOR: ClassVar = {"body_sealed": "id", "pdf_sealed": "id"}
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    kind = models.CharField(max_length=12, choices=KINDS)
    year = models.PositiveSmallIntegerField()
    number = models.PositiveIntegerField()
    label = models.CharField(max_length=24, unique=True)
    # Made from the fact that it tells: one fact, one paper.
    key = models.CharField(max_length=160, unique=True)
    # Whose papers they are; a donor without an account has neither.
    organisation = models.ForeignKey(Organisation, null=True, on_delete=models.PROTECT, related_name="documents")
    person = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="documents")
    # The id of what it is about: the group of pledges, the payment…
    subject = models.CharField(max_length=ID_LENGTH, db_index=True)
    language = models.CharField(max_length=2)
    currency = models.CharField(max_length=3)
    total = models.BigIntegerField()
    due_on = models.DateField(null=True)
    body_sealed = models.TextField()
    pdf_sealed = models.TextField()
    sha256 = models.CharField(max_length=64)
    issued_on = models.DateField()
    issued_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    issued_at = models.DateTimeField()
    # The invoice that a credit note cancels, in whole or in part.
    corrects = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="corrections")
    # The certificate that this one takes the place of: what was received is less since.
    replaces = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="replaced_by")

    class Meta:
        indexes = [models.Index(fields=["-issued_at", "-id"], name="document_latest_first")]
        constraints = [
            models.UniqueConstraint(fields=["kind", "year", "number"], name="one_document_of_a_number"),
            models.CheckConstraint(condition=Q(kind__in=list(PREFIXES)), name="document_kind_known"),
            models.CheckConstraint(condition=Q(number__gte=1), name="document_number_from_one"),
            models.CheckConstraint(condition=Q(total__gte=0), name="document_total_not_negative"),
            models.CheckConstraint(condition=Q(language__in=["fr", "en"]), name="document_language_known"),
            models.CheckConstraint(condition=Q(organisation=None) | Q(person=None), name="document_of_one_addressee"),
            models.CheckConstraint(
                condition=Q(kind="credit_note", corrects__isnull=False) | (~Q(kind="credit_note") & Q(corrects=None)),
                name="document_credit_note_corrects",
            ),
            models.CheckConstraint(
                condition=Q(replaces=None) | Q(kind="certificate"), name="document_certificate_replaces"
            ),
            models.CheckConstraint(
                condition=~Q(body_sealed="") & ~Q(pdf_sealed="") & ~Q(sha256=""), name="document_is_whole"
            ),
        ]

    def __str__(self) -> str:
        """Its number as it is printed."""
        return self.label

    @property
    def credited(self) -> int:
        """What credit notes cancelled of an invoice, in minor units."""
        return int(self.corrections.aggregate(total=Coalesce(Sum("total"), 0))["total"])

    @property
    def uncredited(self) -> int:
        """What stands of it, in minor units."""
        return self.total - self.credited

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Document]":
        """One's own and those of one's organisations; all of them for treasurers and auditors."""
        if holds(actor, "treasurer", "auditor"):
            return cls.objects.all()
        mine = counting(actor).filter(kind__in=MEMBERS).values("scope")
        merged = Q(organisation__merged_into_id__in=mine)
        return cls.objects.filter(Q(organisation_id__in=mine) | merged | Q(person=actor))
