"""Memberships offered by mail: they begin once the person says yes, and their name stays theirs until then."""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from backend.core.errors import NotFound
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.models import Offer, Organisation, Role, User
from backend.identity.permissions import MEMBERS


def offers_to(user: User) -> "QuerySet[Offer]":
    """What awaits the answer of a person, the oldest first."""
    found = Offer.objects.filter(user=user, organisation__merged_into=None)
    return found.select_related("organisation", "offered_by").order_by("created_at", "pk")


def offer_membership(
    *, actor: User, organisation: Organisation, person: User, email: str, kind: str, now: datetime
) -> Offer:
    """Offer somebody a membership; offered again, it is the later one. The caller checked the right and writes the
    event.

    Args: email: the address as it was typed, which is all that the offerer is shown.
    """
    facts = {"kind": kind, "email": email.strip().lower(), "offered_by": actor, "created_at": now}
    row, _created = Offer.objects.update_or_create(
        user=person, organisation=organisation, defaults=facts, create_defaults={"id": new_id("off"), **facts}
    )
    return row


@transaction.atomic
def answer_offer(*, actor: User, offer_id: str, accept: bool, now: datetime) -> Offer:
    """Say yes or no to a membership; yes begins it at once. Raises: NotFound `offer_not_found`."""
    row = offers_to(actor).select_for_update(of=("self",)).filter(pk=offer_id).first()
    if row is None:
        raise NotFound("offer_not_found", _("This invitation was taken back, or you answered it already."))
    if accept:
        _begin(row, now)
    else:
        Offer.objects.filter(pk=offer_id).delete()
        record(
            "member.declined", actor=actor, subject=actor.pk, now=now, scopes=[row.organisation_id], role=row.kind,
            before={"role": row.kind},
        )  # fmt: skip
    return row


def begin_all(user: User, *, now: datetime) -> None:
    """Begin every membership that the page of somebody's invitation showed them: they accept all of it."""
    for row in offers_to(user).select_for_update(of=("self",)):
        _begin(row, now)


def _begin(row: Offer, now: datetime) -> None:
    held = Role.objects.filter(user=row.user, kind__in=MEMBERS, scope=row.organisation_id)
    if not held.exists():
        Role.objects.create(
            user=row.user, kind=row.kind, scope=row.organisation_id, granted_by=row.offered_by, created_at=now
        )
        record(
            "member.joined", actor=row.user, subject=row.user_id, now=now, scopes=[row.organisation_id], role=row.kind,
            after={"role": row.kind},
        )  # fmt: skip
    Offer.objects.filter(pk=row.pk).delete()
