"""Merges an organisation that was entered twice: its pledges, members and limits go over; the ledger does not move."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict, Invalid, NotFound
from backend.events.services import record
from backend.identity.duplicates import absorb, complete, passing_over
from backend.identity.models import Organisation, Role, SpendingLimit, User
from backend.identity.permissions import MEMBERS, require
from backend.pledges.models import Pledge


@dataclass(frozen=True)
class Moves:
    """What goes over from one organisation to the other."""

    pledges: int
    members: int
    limits: int


def moves_of(other: Organisation) -> Moves:
    """What a merge would take out of an organisation."""
    return Moves(
        pledges=Pledge.objects.filter(organisation=other).count(),
        members=Role.objects.filter(kind__in=MEMBERS, scope=other.pk).count(),
        limits=SpendingLimit.objects.filter(organisation=other).count(),
    )


@transaction.atomic
def merge_organisations(*, actor: User, keep_id: str, other_id: str, reason: str, now: datetime) -> Organisation:
    """Make two organisations one: `keep` stays, the other leads to it. No entry of the books changes.

    The managers of the other are plain members of `keep` from now on, unless they manage it already.
    Args: reason: why they are the same, told to the members of both.
    Raises: Forbidden; NotFound `organisation_not_found`; Invalid `reason_missing`, `merged_with_itself`; Conflict
        `organisation_merged`.
    """
    require(actor, "organisation.merge")
    why = reason.strip()
    if not why or len(why) > 500:
        raise Invalid("reason_missing", _("Say in 1 to 500 characters why they are the same."), param="reason")
    if keep_id == other_id:
        raise Invalid("merged_with_itself", _("Choose two different organisations."))
    rows = {
        row.pk: row
        for row in Organisation.objects.select_for_update(of=("self",))
        .filter(pk__in=[keep_id, other_id])
        .order_by("pk")
    }
    if len(rows) < 2:
        raise NotFound("organisation_not_found", _("There is no such organisation."))
    if any(row.merged_into_id is not None for row in rows.values()):
        raise Conflict("organisation_merged", _("One of them was merged already. Nothing was changed."))
    keep, other = rows[keep_id], rows[other_id]
    pledges = Pledge.objects.filter(organisation=other).update(organisation=keep)
    people = [[one.person.pk, one.before, one.after] for one in passing_over(keep, other)]
    filled = complete(keep=keep, other=other)
    moved = absorb(keep=keep, other=other)
    Organisation.objects.filter(merged_into=other).update(merged_into=keep)
    record(
        "organisation.merged", actor=actor, subject=keep.pk, now=now, scopes=[keep.pk, other.pk], why=why,
        before={"organisation": other.pk}, after={"organisation": keep.pk}, moved={"pledges": pledges, **moved},
        filled=filled, people=people,
    )  # fmt: skip
    return keep
