"""Memberships that await the answer of the person."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from backend.core.ids import ID_LENGTH


class Offer(models.Model):
    """A membership of an organisation that counts for nothing until the person says yes."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    user = models.ForeignKey("identity.User", on_delete=models.PROTECT, related_name="offers")
    organisation = models.ForeignKey("identity.Organisation", on_delete=models.PROTECT, related_name="offers")
    kind = models.CharField(max_length=24)
    # As it was typed: whoever offers learns neither the name nor another address of an account.
    email = models.EmailField()
    offered_by = models.ForeignKey("identity.User", on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "organisation"], name="one_offer_at_a_time"),
            models.CheckConstraint(condition=Q(kind__startswith="organisation_"), name="offer_of_a_membership"),
        ]
