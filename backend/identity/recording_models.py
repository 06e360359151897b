"""What was typed for somebody else, as it is kept."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from backend.core.ids import ID_LENGTH


class Recording(models.Model):
    """A pledge or a contribution typed for somebody who came with paper or called, until they confirm or contest it."""

    CHANNELS: ClassVar = [("paper", _("a paper")), ("call", _("a call")), ("meeting", _("a meeting"))]
    WAYS: ClassVar = [("mail", _("by mail")), ("letter", _("by letter"))]
    HOW: ClassVar = [
        ("link", _("through the link of the mail")),
        ("code", _("with the code of the letter")),
        ("letter", _("by a signed letter")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    # The pledge or the contribution.
    subject = models.CharField(max_length=ID_LENGTH, unique=True)
    recorded_by = models.ForeignKey("identity.User", on_delete=models.PROTECT, related_name="+")
    # The organisation or the person in whose name it is.
    on_behalf_of = models.CharField(max_length=ID_LENGTH, db_index=True)
    # Who is asked to confirm.
    asked = models.ForeignKey("identity.User", on_delete=models.PROTECT, related_name="+")
    channel = models.CharField(max_length=8, choices=CHANNELS)
    told_on = models.DateField()
    note = models.CharField(max_length=500, blank=True)
    confirm_by = models.CharField(max_length=6, choices=WAYS)
    # The address the mail went to, as a keyed hash and as a hint: enough to say later which one it was.
    address_index = models.CharField(max_length=64, blank=True)
    address_hint = models.CharField(max_length=80, blank=True)
    # SHA-256 of the code of the link or of the letter; it works once.
    code_digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    confirmed_how = models.CharField(max_length=6, choices=HOW, blank=True)
    # The date that stands on the signed letter.
    letter_on = models.DateField(null=True)
    contested_at = models.DateTimeField(null=True)
    contested_reason = models.CharField(max_length=500, blank=True)
    # Taken back by whoever recorded it by mistake, with the reason that the person reads.
    retracted_at = models.DateTimeField(null=True)
    retracted_reason = models.CharField(max_length=500, blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(subject__startswith="plg_") | Q(subject__startswith="ctr_"), name="recording_of_known_thing"
            ),
            models.CheckConstraint(condition=~Q(asked=F("recorded_by")), name="recorder_does_not_confirm"),
            models.CheckConstraint(
                condition=Q(confirmed_at=None) | Q(contested_at=None), name="recording_confirmed_or_contested"
            ),
            models.CheckConstraint(
                condition=Q(confirmed_at=None, confirmed_how="") | Q(confirmed_at__isnull=False) & ~Q(confirmed_how=""),
                name="recording_confirmed_somehow",
            ),
            models.CheckConstraint(
                condition=~Q(confirmed_how="letter") | Q(letter_on__isnull=False), name="recording_letter_dated"
            ),
            models.CheckConstraint(
                condition=Q(retracted_at=None, retracted_reason="")
                | Q(retracted_at__isnull=False, confirmed_at=None, contested_at=None),
                name="recording_retracted_unanswered",
            ),
        ]
