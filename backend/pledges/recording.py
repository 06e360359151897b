"""Pledges typed for an organisation that sent a paper or called."""

from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.commons.services import tree_of
from backend.core.errors import Conflict, Invalid
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.addresses import somebody_named, take_address
from backend.identity.inviting import Named, accepted
from backend.identity.models import Organisation, Recording, Role, User
from backend.identity.offers import offer_membership
from backend.identity.organisations import managers
from backend.identity.permissions import MEMBERS, holds, may, require
from backend.identity.recordings import (
    Told,
    hold_unanswered,
    note_confirmed,
    note_contested,
    note_recording,
    note_retracted,
    require_other,
    require_recorder,
    require_told,
)
from backend.identity.services import host_day
from backend.pledges.changing import give_up
from backend.pledges.making import Act, write_pledges
from backend.pledges.models import Pledge
from backend.pledges.terms import ONCE, Terms


def known_organisations(actor: User, budget: Budget) -> list[Organisation]:
    """Those a pledge to this budget can be recorded for: all for a treasurer, those that pledged here for a steward."""
    rows = Organisation.objects.filter(merged_into=None)
    if not holds(actor, "treasurer"):
        here = Pledge.objects.filter(budget__commons_id=budget.commons_id).values("organisation")
        rows = rows.filter(pk__in=here)
    own = Role.objects.filter(user=actor, kind__in=MEMBERS).values("scope")
    return list(rows.exclude(pk__in=own).order_by("name"))


@transaction.atomic
def record_pledge(
    *,
    actor: User,
    budget: Budget,
    amount: int,
    currency: str,
    told: Told,
    form_key: str,
    now: datetime,
    organisation_id: str = "",
    name: str = "",
    contact: Named | None = None,
    terms: Terms = ONCE,
) -> Pledge:
    """Record the pledge of an organisation that said it on paper, by phone or in a meeting. Moves no money.

    Args: amount: minor units. organisation_id: one of `known_organisations`; else `name` and `contact` make an informal
        group managed by that person. form_key: a repetition gives back the first pledge.
    Raises: Forbidden; Invalid `organisation_unknown`, `name_missing`, `email_invalid`, `recorded_for_oneself` and those
        of `require_told` and `Terms.checked`; Conflict `organisation_without_manager` and those of `make_pledge`.
    """
    require(actor, "pledge.record", scopes=tree_of(budget))
    require_told(told, now=now)
    asked = terms.checked(today=host_day(now))
    first = Pledge.objects.filter(made_by=actor, form_key=form_key).first()
    if first is not None and first.organisation is not None:  # sent twice: the organisation must not be made again
        organisation = first.organisation
    elif organisation_id:
        organisation = _known(actor, budget, organisation_id)
    else:
        organisation = _informal(actor, name, contact, told, now)
    (pledge,) = write_pledges(
        actor=actor, act=Act(organisation, [(budget, amount)], asked), currency=currency, form_key=form_key, now=now,
        recorded=True, allow=lambda _amount: None,
    )  # fmt: skip
    if first is None:
        note_recording(
            actor=actor, subject=pledge.pk, on_behalf_of=organisation.pk, asked=_asked(organisation), told=told,
            now=now, scopes=[budget.pk, organisation.pk],
        )  # fmt: skip
    return pledge


def _known(actor: User, budget: Budget, organisation_id: str) -> Organisation:
    for row in known_organisations(actor, budget):
        if row.pk == organisation_id:
            return row
    raise Invalid("organisation_unknown", _("Choose an organisation of the list."), param="organisation")


def _informal(actor: User, name: str, contact: Named | None, told: Told, now: datetime) -> Organisation:
    """An informal group with its contact as manager, who may take their place through an invitation later."""
    if not name.strip() or contact is None:
        raise Invalid("name_missing", _("Give the organisation its name."), param="name")
    person = somebody_named(contact, told=told, param="contact")
    require_other(actor, person, param="contact_email")
    row = Organisation.objects.create(
        id=new_id("org"), name=" ".join(name.split())[:140], kind="informal", created_at=now
    )
    if accepted(person):  # who has an account says yes first
        offer_membership(
            actor=actor, organisation=row, person=person, email=contact.email, kind="organisation_manager", now=now
        )
    else:
        Role.objects.create(user=person, kind="organisation_manager", scope=row.pk, granted_by=actor, created_at=now)
    record(
        "organisation.recorded", actor=actor, subject=row.pk, now=now, scopes=[row.pk], on_behalf=row.pk,
        after={"manager": person.pk},
    )  # fmt: skip
    return row


def _asked(organisation: Organisation) -> User:
    """Who confirms for an organisation: its first manager, else who was asked first to be one."""
    people = managers(organisation) or [offer.user for offer in organisation.offers.order_by("created_at", "pk")]
    if not people:
        raise Conflict(
            "organisation_without_manager",
            _("Nobody manages this organisation any more, so nobody could confirm: record it with a contact instead."),
        )
    return people[0]


@transaction.atomic
def confirm_pledge(*, actor: User | None, recording_id: str, how: str, now: datetime, letter_on: date | None) -> None:
    """Confirm a recorded pledge.

    Args: actor: who types a signed letter in, with `letter_on` its date; None: the person, through the link or code.
    Raises: Forbidden; Conflict `recording_answered`; for a letter also as `note_confirmed`.
    """
    row = hold_unanswered(recording_id)
    if actor is not None:
        pledge = Pledge.objects.select_related("budget").get(pk=row.subject)
        require(actor, "pledge.record", scopes=tree_of(pledge.budget))
    note_confirmed(row, actor=actor, how=how, now=now, letter_on=letter_on)


@transaction.atomic
def contest_pledge(*, recording_id: str, reason: str, now: datetime) -> bool:
    """Say that a recorded pledge was never made: it is cancelled when nothing was received for it.

    Returns: whether it is cancelled. Raises: Conflict `recording_answered`; Invalid `reason_missing`.
    """
    row = hold_unanswered(recording_id)
    pledge = Pledge.objects.select_for_update(of=("self",)).get(pk=row.subject)
    undone = pledge.state == "cancelled" or (pledge.state == "active" and not pledge.received)
    note_contested(row, reason=reason, now=now, undone=undone)
    if undone and pledge.state == "active":
        give_up(pledge, now=now)
    return undone


@transaction.atomic
def retract_pledge(*, actor: User, recording_id: str, reason: str, now: datetime) -> None:
    """Take back a pledge recorded by mistake: it is cancelled, and whoever was asked reads why. Moves no money.

    Raises: Forbidden `not_allowed`, `recorded_by_another`; Conflict `recording_answered`, `pledge_received`; Invalid
        `reason_missing`.
    """
    row = hold_unanswered(recording_id)
    pledge = Pledge.objects.select_for_update(of=("self",)).select_related("budget").get(pk=row.subject)
    require(actor, "pledge.record", scopes=tree_of(pledge.budget))
    require_recorder(row, actor)
    if pledge.received or pledge.state == "fulfilled":
        raise Conflict("pledge_received", _("Money was received for it already: it is settled with them."))
    note_retracted(row, actor=actor, reason=reason, now=now)
    if pledge.state == "active":
        give_up(pledge, now=now)


@transaction.atomic
def give_contact_address(*, actor: User, recording_id: str, email: str, now: datetime) -> User:
    """Note the e-mail address of whoever is asked, who had none; with an account at it already, that is the contact.

    Raises: Forbidden; Conflict `address_known`; Invalid `email_invalid`, `recorded_for_oneself`.
    """
    row = Recording.objects.select_for_update(of=("self",)).select_related("asked").get(pk=recording_id)
    pledge = Pledge.objects.select_related("budget").get(pk=row.subject)
    require(actor, "pledge.record", scopes=tree_of(pledge.budget))
    return take_address(actor=actor, person=row.asked, email=email, scopes=[pledge.payer_id], now=now)


def visible_recording(actor: User, recording_id: str) -> tuple[Recording, Pledge] | None:
    """The recording of a pledge and the pledge, for those who may record there; None for others."""
    row = Recording.objects.select_related("recorded_by", "asked").filter(pk=recording_id).first()
    rows = Pledge.objects.select_related("budget__commons", "organisation")
    pledge = rows.filter(pk=row.subject).first() if row is not None else None
    if row is None or pledge is None:
        return None
    return (row, pledge) if may(actor, "pledge.record", scopes=tree_of(pledge.budget)) else None
