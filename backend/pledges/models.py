"""Donors, pledges, their instalments, and the reference by which their transfers are recognised."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.commons.models import Budget
from backend.core import crypto
from backend.core.ids import ID_LENGTH
from backend.identity.models import Organisation, User
from backend.identity.permissions import MEMBERS, counting, holds


class Donor(models.Model):
    """Somebody who gives without an account. Their name and address are sealed with a key of their own."""

    # Whose key seals a column: forgotten with them (see core.crypto.seal_for).
    SEALED_FOR: ClassVar = {"name_sealed": "id", "email_sealed": "id"}
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    name_sealed = models.TextField()
    email_sealed = models.TextField()
    email_index = models.CharField(max_length=64, db_index=True)
    language = models.CharField(max_length=5)
    # The account that was opened later with the same verified address.
    claimed_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    claimed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    @property
    def name(self) -> str:
        """Their name; empty once they were forgotten."""
        return crypto.open_for(self.pk, self.name_sealed, bound_to=self.pk) if self.name_sealed else ""

    @property
    def email(self) -> str:
        """Their address; empty once they were forgotten."""
        return crypto.open_for(self.pk, self.email_sealed, bound_to=self.pk) if self.email_sealed else ""


class Pledge(models.Model):
    """A promise of money to a budget, in minor units, once or each period; `amount` is that of one instalment.

    Pledges made in one act are of one `group` and share its reference. `expected` is what the instalments still await:
    a trigger writes it (migration 0002), so that no list adds them up again.
    """

    STATES: ClassVar = [
        ("draft", _("draft")),
        ("active", _("awaiting the transfer")),
        ("fulfilled", _("received")),
        ("cancelled", _("cancelled")),
        ("written_off", _("written off")),
    ]
    RHYTHMS: ClassVar = [
        ("once", _("once")),
        ("monthly", _("every month")),
        ("quarterly", _("every three months")),
        ("yearly", _("every year")),
    ]
    VISIBILITIES: ClassVar = [
        ("visible", _("with its name")),
        ("pseudonymous", _("under another name")),
        ("anonymous", _("without any name")),
    ]
    # Who asks for the next instalments: we call transfers, the provider's subscription takes the two others by itself.
    MEANS: ClassVar = [("transfer", _("bank transfer")), ("card", _("card")), ("sepa_debit", _("SEPA debit"))]
    PAPERS: ClassVar = [("call", _("call for funds")), ("invoice", _("invoice"))]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="pledges")
    # Who promises: one of the three.
    organisation = models.ForeignKey(Organisation, null=True, on_delete=models.PROTECT, related_name="pledges")
    person = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="pledges")
    donor = models.ForeignKey(Donor, null=True, on_delete=models.PROTECT, related_name="pledges")
    made_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    received = models.BigIntegerField(default=0)
    expected = models.BigIntegerField(default=0, db_default=0, editable=False)
    state = models.CharField(max_length=12, choices=STATES, default="active")
    rhythm = models.CharField(max_length=12, choices=RHYTHMS, default="once", db_default="once")
    starts_on = models.DateField()
    ends_on = models.DateField(null=True)
    visibility = models.CharField(max_length=12, choices=VISIBILITIES, default="visible", db_default="visible")
    pseudonym = models.CharField(max_length=80, blank=True, default="", db_default="")
    purchase_order = models.CharField(max_length=60, blank=True, default="", db_default="")
    paper = models.CharField(max_length=8, choices=PAPERS, default="call", db_default="call")
    means = models.CharField(max_length=12, choices=MEANS, default="transfer", db_default="transfer")
    group = models.CharField(max_length=ID_LENGTH, db_index=True)
    reference = models.CharField(max_length=25, db_index=True)
    form_key = models.CharField(max_length=64)
    paused_at = models.DateTimeField(null=True)
    pause_reason = models.CharField(max_length=280, blank=True, default="", db_default="")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="pledge_amount_positive"),
            models.CheckConstraint(condition=Q(received__gte=0), name="pledge_received_not_negative"),
            models.CheckConstraint(
                condition=Q(organisation__isnull=False, person=None, donor=None)
                | Q(organisation=None, person__isnull=False, donor=None)
                | Q(organisation=None, person=None, donor__isnull=False),
                name="pledge_by_one_payer",
            ),
            models.CheckConstraint(
                condition=Q(made_by__isnull=False) | Q(donor__isnull=False), name="pledge_made_by_somebody"
            ),
            models.CheckConstraint(
                condition=Q(visibility="pseudonymous") ^ Q(pseudonym=""), name="pledge_pseudonym_when_wanted"
            ),
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True) | (Q(ends_on__gte=F("starts_on")) & ~Q(rhythm="once")),
                name="pledge_ends_after_it_starts",
            ),
            # Pledges of one act may not name a budget twice; the reference is theirs together.
            models.UniqueConstraint(fields=["reference", "budget"], name="one_pledge_per_reference_and_budget"),
            models.UniqueConstraint(fields=["made_by", "form_key", "budget"], name="one_pledge_per_form"),
        ]

    @property
    def payer_name(self) -> str:
        """Who promises, as their own people and the treasurers read it."""
        if self.organisation is not None:
            return self.organisation.name
        if self.person is not None:
            return self.person.name
        return self.donor.name if self.donor is not None else ""

    @property
    def public_name(self) -> str | None:
        """Who promises, as everybody reads it; None for who wants no name."""
        if self.visibility == "anonymous":
            return None
        return self.pseudonym or self.payer_name

    @property
    def payer_id(self) -> str:
        """The id of who promises: an organisation, a person or a donor."""
        return str(self.organisation_id or self.person_id or self.donor_id)

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Pledge]":
        """One's own and those of one's organisations; all of them for treasurers and auditors."""
        if holds(actor, "treasurer", "auditor"):
            return cls.objects.all()
        mine = counting(actor).filter(kind__in=MEMBERS).values("scope")
        return cls.objects.filter(Q(organisation_id__in=mine) | Q(person=actor) | Q(donor__claimed_by=actor))


class Instalment(models.Model):
    """What a pledge promises for one period, in minor units: one per period, called by a document, paid or not."""

    STATES: ClassVar = [
        ("due", pgettext_lazy("instalment", "to come")),
        ("called", pgettext_lazy("instalment", "called")),
        ("pending", pgettext_lazy("instalment", "on its way")),
        ("received", pgettext_lazy("instalment", "received")),
        ("partly_received", pgettext_lazy("instalment", "partly received")),
        ("failed", pgettext_lazy("instalment", "failed")),
        ("written_off", pgettext_lazy("instalment", "written off")),
        ("cancelled", pgettext_lazy("instalment", "cancelled")),
    ]
    # What still awaits money; the trigger of migration 0002 counts the same.
    AWAITING: ClassVar = ("due", "called", "pending", "partly_received", "failed")
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    pledge = models.ForeignKey(Pledge, on_delete=models.PROTECT, related_name="instalments")
    number = models.PositiveIntegerField()
    due_on = models.DateField()
    covers_until = models.DateField(null=True)
    # Until when it may be paid without being late: `due_on` is the first day of its period.
    pay_by = models.DateField(null=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    received = models.BigIntegerField(default=0)
    state = models.CharField(max_length=16, choices=STATES, default="due")
    called_at = models.DateTimeField(null=True)
    reminded_at = models.DateTimeField(null=True)
    reminders = models.PositiveSmallIntegerField(default=0)
    document = models.CharField(max_length=ID_LENGTH, blank=True)
    # The provider's invoice of this period, for a pledge that a subscription pays.
    invoice = models.CharField(max_length=128, blank=True, default="", db_default="", db_index=True)
    written_off_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    written_off_reason = models.CharField(max_length=280, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pledge", "number"], name="one_instalment_per_number"),
            models.UniqueConstraint(fields=["pledge", "due_on"], name="one_instalment_per_period"),
            models.UniqueConstraint(
                fields=["pledge", "invoice"], condition=~Q(invoice=""), name="one_instalment_per_invoice"
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0, received__gte=0, received__lte=F("amount")),
                name="instalment_received_within_amount",
            ),
            models.CheckConstraint(
                condition=(Q(state="received") & Q(received=F("amount")))
                | (Q(state="partly_received") & Q(received__gt=0, received__lt=F("amount")))
                | (Q(state__in=["written_off", "cancelled"]) & Q(received__lt=F("amount")))
                | (Q(state__in=["due", "called", "pending", "failed"]) & Q(received=0)),
                name="instalment_state_of_what_came",
            ),
            models.CheckConstraint(
                condition=~Q(state="written_off") | (Q(written_off_by__isnull=False) & ~Q(written_off_reason="")),
                name="instalment_written_off_with_reason",
            ),
        ]
        indexes = [models.Index(fields=["state", "due_on"], name="instalment_state_day")]

    @property
    def awaited(self) -> int:
        """What is still to come of it, in minor units."""
        return self.amount - self.received if self.state in self.AWAITING else 0
