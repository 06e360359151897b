"""An objection to a published distribution, and what uninvolved stewards decide of it."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.core.ids import ID_LENGTH
from backend.identity.models import User


class DistributionObjection(models.Model):
    """A reason why a published distribution should not be approved as it stands.

    `digest` is that of the computation it is raised against. One that stands (open, or upheld) keeps the distribution
    from being approved; an upheld one waits for other amounts, or for its author to lift it.
    """

    STATES: ClassVar = [
        ("open", _("open")),
        ("lifted", _("lifted by who raised it")),
        ("arbitrated", pgettext_lazy("objection", "answered by other amounts, which those concerned accepted")),
        ("overruled", _("set aside by stewards")),
        ("upheld", pgettext_lazy("objection", "upheld by stewards: other amounts must be agreed")),
    ]
    STANDING: ClassVar = ("open", "upheld")
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    distribution = models.ForeignKey("distributions.Distribution", on_delete=models.PROTECT, related_name="objections")
    objector = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64)
    reason = models.CharField(max_length=1000)
    state = models.CharField(max_length=10, choices=STATES, default="open")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["open", "upheld"]) ^ Q(ended_at__isnull=False),
                name="distribution_objection_ends_once",
            ),
            models.UniqueConstraint(
                fields=["distribution", "objector"],
                condition=Q(state__in=["open", "upheld"]),
                name="one_standing_objection_per_person",
            ),
        ]


class DistributionOpinion(models.Model):
    """What an uninvolved steward decides of an objection to a distribution, with the reason."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    objection = models.ForeignKey(DistributionObjection, on_delete=models.PROTECT, related_name="opinions")
    steward = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    upholds = models.BooleanField()
    reason = models.CharField(max_length=500)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["objection", "steward"], name="one_distribution_opinion_per_steward"),
        ]
