"""Supporting documents: what stands behind each share before it is paid."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import pgettext_lazy

from backend.core.ids import ID_LENGTH
from backend.identity.models import User
from backend.identity.permissions import holds
from backend.payees.models import Payee


class SupportingDocument(models.Model):
    """One paper of one share: an invoice drafted here in the payee's name, a file that they handed over, or the
    receipts of expenses that the share reimburses; or the credit note of such an invoice, once it fell.

    What it says, its file and its amount never change, and no drafted invoice falls without its credit note
    (migrations 0011 and 0014). Its key is its own: it is kept with the
    accounts when its person is forgotten. `total` is in minor units, all taxes included.
    """

    KINDS: ClassVar = [
        ("drafted", pgettext_lazy("supporting document", "invoice drafted here, approved by the payee")),
        ("uploaded", pgettext_lazy("supporting document", "handed over by the payee")),
        ("receipts", pgettext_lazy("supporting document", "receipts of expenses")),
        ("credit", pgettext_lazy("supporting document", "credit note drafted here")),
    ]
    STATES: ClassVar = [
        ("sent", pgettext_lazy("supporting document", "to be checked")),
        ("accepted", pgettext_lazy("supporting document", "accepted")),
        ("refused", pgettext_lazy("supporting document", "refused")),
        ("cancelled", pgettext_lazy("supporting document", "no longer holds")),
        ("issued", pgettext_lazy("supporting document", "issued")),
    ]
    # Of one share at most one of these; of one payee no number twice among them.
    LIVE: ClassVar = ("sent", "accepted")
    # What a received file may be, by its own first bytes: media type → extension.
    MEDIA: ClassVar = {
        "application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg", "application/xml": "xml",
    }  # fmt: skip
    SEALED_FOR: ClassVar = {"body_sealed": "id", "file_sealed": "id"}
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    share = models.ForeignKey("distributions.Share", on_delete=models.PROTECT, related_name="papers")
    payee = models.ForeignKey(Payee, on_delete=models.PROTECT, related_name="papers")
    kind = models.CharField(max_length=8, choices=KINDS)
    state = models.CharField(max_length=9, choices=STATES)
    number = models.CharField(max_length=40, blank=True)
    dated_on = models.DateField()
    total = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    # The invoice that a credit note cancels, of which there is one at most.
    corrects = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="credit_note")
    # What a drafted invoice says, as JSON; its file is made from it. Sealed with its own key.
    body_sealed = models.TextField(blank=True)
    file_sealed = models.TextField(blank=True)
    media = models.CharField(max_length=20, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    made_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="papers_made")
    made_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=280, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["share"], condition=Q(state__in=["sent", "accepted"]), name="one_live_paper_of_a_share"
            ),
            models.UniqueConstraint(
                fields=["payee", "number"],
                condition=Q(kind__in=["drafted", "credit"]) | Q(kind="uploaded", state__in=["sent", "accepted"]),
                name="one_paper_of_a_number",
            ),
            models.CheckConstraint(condition=Q(total__gt=0), name="paper_total_positive"),
            models.CheckConstraint(
                condition=Q(kind="receipts")
                | (~Q(number="") & ~Q(file_sealed="") & ~Q(sha256="") & Q(made_by__isnull=False)),
                name="paper_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(state="sent", decided_at=None, decided_by=None)
                | (~Q(state="sent") & Q(decided_at__isnull=False)),
                name="paper_decided_at_some_time",
            ),
            models.CheckConstraint(
                condition=~Q(kind="uploaded", state="accepted")
                | (Q(decided_by__isnull=False) & ~Q(decided_by=F("made_by"))),
                name="received_paper_takes_two",
            ),
            models.CheckConstraint(
                condition=Q(kind="credit", state="issued", corrects__isnull=False)
                | (~Q(kind="credit") & ~Q(state="issued") & Q(corrects=None)),
                name="credit_note_corrects_an_invoice",
            ),
            models.CheckConstraint(condition=~Q(state="refused") | ~Q(reason=""), name="refused_paper_has_a_reason"),
        ]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[SupportingDocument]":
        """Those of one's own shares; all of them for treasurers and auditors."""
        if holds(actor, "treasurer", "auditor"):
            return cls.objects.all()
        return cls.objects.filter(share__contributor=actor)

    @property
    def file_name(self) -> str:
        """What its file is called when it is taken away: nothing that anybody typed."""
        return f"{self.pk}.{self.MEDIA[self.media]}"
