"""Distribution, its shares by purse and its moves; Arbitration and its lines."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.commons.models import Budget, Charter, Period
from backend.core.ids import ID_LENGTH
from backend.distributions.objection_models import DistributionObjection, DistributionOpinion
from backend.distributions.paper_models import SupportingDocument
from backend.distributions.waiver_models import ShareWaiver, ShareWaiverPart
from backend.identity.models import User
from backend.identity.permissions import counting, holds
from backend.payees.models import Payee

__all__ = [
    "Arbitration", "ArbitrationLine", "Distribution", "DistributionMove", "DistributionObjection",
    "DistributionOpinion", "Share", "SharePart", "ShareWaiver", "ShareWaiverPart", "SupportingDocument",
]  # fmt: skip


class Distribution(models.Model):
    """The computed split of a closed period. `inputs` is frozen at closing; `trace` is all that explains the result.

    `pot` is what its purses could share together when the period was closed, in minor units.
    """

    STATES: ClassVar = [
        ("frozen", _("being computed")),
        ("published", _("awaiting approval")),
        ("booked", _("approved and booked")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    period = models.OneToOneField(Period, on_delete=models.PROTECT, related_name="distribution")
    charter = models.ForeignKey(Charter, on_delete=models.PROTECT, related_name="+")
    prepared_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    # It closed by itself, as its charter says: nobody prepared it.
    automatic = models.BooleanField(default=False, db_default=False)
    prepared_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True)
    approved_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=12, choices=STATES, default="frozen")
    currency = models.CharField(max_length=3)
    pot = models.BigIntegerField()
    inputs = models.JSONField()
    trace = models.JSONField(null=True)
    digest = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("prepared_by")), name="distribution_takes_two"
            ),
            models.CheckConstraint(
                condition=~Q(state="booked") | Q(approved_by__isnull=False), name="distribution_booked_by_someone"
            ),
            models.CheckConstraint(
                condition=Q(automatic=True) ^ Q(prepared_by__isnull=False), name="distribution_prepared_or_automatic"
            ),
            models.CheckConstraint(condition=Q(pot__gte=0), name="distribution_pot_not_negative"),
            models.CheckConstraint(
                condition=Q(state="frozen") ^ Q(published_at__isnull=False), name="distribution_published_at_some_time"
            ),
        ]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Distribution]":
        """Those of the budgets one has a role in and of their envelopes, and those that share the money of such a
        budget or pay the person; all of them for treasurers and auditors."""
        if holds(actor, "treasurer", "auditor"):
            return cls.objects.all()
        budgets = counting(actor).filter(scope__startswith="bud_").values("scope")
        shared = Budget.objects.filter(pk__in=budgets, charters=None)  # their money follows the rules of one above
        paid = Share.objects.filter(contributor=actor).values("distribution")
        return cls.objects.filter(
            Q(period__budget__in=budgets)
            | Q(period__budget__parent__in=budgets)
            | Q(period__budget__in=shared.values("parent"))
            | Q(period__budget__in=shared.filter(parent__charters=None).values("parent__parent"))
            | Q(pk__in=paid)
        )


class Share(models.Model):
    """One contributor's part of a distribution, in minor units: all purses together, see `parts`.

    `amount` is what was shared and never changes once booked; `waived` is what of it the person gave back since.
    """

    STATES: ClassVar = [
        ("owed", _("owed")),
        ("documented", pgettext_lazy("share", "supporting document to check")),
        ("payable", pgettext_lazy("share", "ready to be paid")),
        ("batched", _("in a payout batch")),
        ("paid", _("paid")),
        ("returned", pgettext_lazy("share", "sent back by the bank, to be paid again")),
        ("waived", pgettext_lazy("share", "waived")),
    ]
    # What a payout batch may hold.
    READY: ClassVar = ("payable", "returned")
    # What is owed and that no batch holds: it may still be waived.
    DUE: ClassVar = ("owed", "documented", "payable", "returned")
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    distribution = models.ForeignKey(Distribution, on_delete=models.PROTECT, related_name="shares")
    contributor = models.ForeignKey(User, on_delete=models.PROTECT, related_name="shares")
    payee = models.ForeignKey(Payee, on_delete=models.PROTECT, related_name="shares")
    asked = models.BigIntegerField()
    amount = models.BigIntegerField()
    waived = models.BigIntegerField(default=0, db_default=0)
    state = models.CharField(max_length=12, choices=STATES, default="owed")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["distribution", "contributor"], name="one_share_per_person"),
            models.CheckConstraint(condition=Q(amount__gte=0, asked__gte=0), name="share_not_negative"),
            models.CheckConstraint(
                condition=Q(waived__gte=0, waived__lte=F("amount")), name="share_waived_at_most_all"
            ),
            models.CheckConstraint(
                condition=~Q(state="waived") | Q(waived=F("amount")), name="share_waived_is_all_waived"
            ),
        ]

    @property
    def due(self) -> int:
        """What is, or was, to be paid of it, minor units: the amount less what was waived."""
        return self.amount - self.waived

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Share]":
        """One's own, and those of the distributions one may see."""
        return cls.objects.filter(Q(contributor=actor) | Q(distribution__in=Distribution.visible_to(actor)))


class SharePart(models.Model):
    """What of a share comes from one purse, in minor units; the parts of a share add up to it."""

    share = models.ForeignKey(Share, on_delete=models.CASCADE, related_name="parts")
    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="+")
    amount = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["share", "budget"], name="one_part_per_purse"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="share_part_positive"),
        ]


class DistributionMove(models.Model):
    """Money that a distribution moves between purses, in minor units: to a pot it depends on, to the reserve of its
    own budget, or back from an envelope to the budget above."""

    KINDS: ClassVar = [
        ("upstream", pgettext_lazy("distribution", "to a project it depends on")),
        ("reserve", pgettext_lazy("distribution", "to the reserve")),
        ("release", pgettext_lazy("distribution", "from an envelope back to the budget above")),
    ]
    distribution = models.ForeignKey(Distribution, on_delete=models.PROTECT, related_name="moves")
    kind = models.CharField(max_length=8, choices=KINDS)
    source = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="+")
    target = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="+")
    amount = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["distribution", "kind", "source", "target"], name="one_move_of_a_kind"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="distribution_move_positive"),
            models.CheckConstraint(
                condition=(Q(kind="reserve") & Q(source=F("target"))) | (~Q(kind="reserve") & ~Q(source=F("target"))),
                name="distribution_move_between_two_purses",
            ),
        ]


class Arbitration(models.Model):
    """Amounts agreed at a meeting, to replace the computed ones once each person they change has confirmed.

    `digest` is that of the computation it was written over.
    """

    STATES: ClassVar = [
        ("waiting", pgettext_lazy("arbitration", "awaiting the answers")),
        ("accepted", pgettext_lazy("arbitration", "accepted by all")),
        ("refused", pgettext_lazy("arbitration", "refused")),
        ("withdrawn", pgettext_lazy("arbitration", "withdrawn")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    distribution = models.ForeignKey(Distribution, on_delete=models.PROTECT, related_name="arbitrations")
    digest = models.CharField(max_length=64)
    reason = models.CharField(max_length=500)
    entered_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    entered_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=STATES, default="waiting")
    ended_at = models.DateTimeField(null=True)
    form_key = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["entered_by", "form_key"], name="one_arbitration_per_form"),
            models.UniqueConstraint(
                fields=["distribution"], condition=Q(state="waiting"), name="one_arbitration_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(state="waiting") ^ Q(ended_at__isnull=False), name="arbitration_ended_at_some_time"
            ),
        ]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Arbitration]":
        """Those of the distributions one may see."""
        return cls.objects.filter(distribution__in=Distribution.visible_to(actor))


class ArbitrationLine(models.Model):
    """One person's amount from one purse: what held when it was written and what was agreed, in minor units.

    A person's lines are answered together; `recorded_by` is the treasurer who wrote the answer on their behalf.
    """

    ANSWERS: ClassVar = [
        ("", pgettext_lazy("arbitration", "awaiting the answer")),
        ("accepted", pgettext_lazy("arbitration", "accepted")),
        ("refused", pgettext_lazy("arbitration", "refused")),
    ]
    arbitration = models.ForeignKey(Arbitration, on_delete=models.PROTECT, related_name="lines")
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="arbitration_lines")
    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="+")
    before = models.BigIntegerField()
    agreed = models.BigIntegerField()
    answer = models.CharField(max_length=8, choices=ANSWERS, blank=True, default="")
    answer_reason = models.CharField(max_length=500, blank=True)
    answered_at = models.DateTimeField(null=True)
    recorded_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["arbitration", "person", "budget"], name="one_agreed_amount_per_purse"),
            models.CheckConstraint(condition=Q(agreed__gte=0, before__gte=0), name="agreed_amount_not_negative"),
            models.CheckConstraint(condition=~Q(agreed=F("before")), name="agreed_amount_changes_something"),
            models.CheckConstraint(
                condition=Q(answer="") ^ Q(answered_at__isnull=False), name="arbitration_answered_at_some_time"
            ),
        ]
