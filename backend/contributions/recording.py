"""Contributions typed for somebody who sent a paper or called."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.commons.services import tree_of
from backend.contributions.following import follow_merge, hold_work, is_owed, said_of_each_other
from backend.contributions.models import Contribution
from backend.contributions.services import take_back, write_contribution
from backend.core.errors import Conflict, Invalid
from backend.identity.addresses import somebody_named, take_address
from backend.identity.inviting import Named
from backend.identity.models import Recording, Role, User
from backend.identity.permissions import may, require
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
from backend.identity.services import grant_role

WITHDRAWABLE = {"declared", "questioned", "validated"}


def known_people(actor: User, budgets: Sequence[Budget]) -> list[User]:
    """The people of budgets whose work may be recorded: who has a role in them, or declared something there."""
    trees = [scope for budget in budgets for scope in tree_of(budget)]
    inside = Role.objects.filter(scope__in=trees, kind__in=["contributor", "steward"]).values("user")
    declared = Contribution.objects.exclude(state="draft")  # nobody else knows of a draft
    before = declared.filter(budget__in=[budget.pk for budget in budgets]).values("contributor")
    rows = User.objects.filter(Q(pk__in=inside) | Q(pk__in=before), is_active=True)
    return list(rows.exclude(pk=actor.pk).order_by("name"))


@transaction.atomic
def record_contribution(
    *,
    actor: User,
    budget: Budget,
    facts: dict[str, Any],
    told: Told,
    form_key: str,
    now: datetime,
    contributor_id: str = "",
    somebody: Named | None = None,
) -> Contribution:
    """Record the work that somebody told on paper, by phone or in a meeting. Moves no money.

    Args: facts: `worked_on`, `kind`, `description` and, where said, `minutes`, `amount` (minor units), `evidence`,
        `over_cap_reason`, as `declare` takes them. contributor_id: one of `known_people`; else `somebody`, who becomes
        a contributor of the budget. form_key: a repetition gives back the first one.
    Raises: Forbidden; Invalid `person_unknown`, `email_invalid`, `name_missing`, `recorded_for_oneself`, those of
        `require_told` and of `declare`; Conflict as `declare`.
    """
    require(actor, "contribution.record", scopes=tree_of(budget))
    require_told(told, now=now)
    User.objects.select_for_update(no_key=True).get(pk=actor.pk)  # a double press waits: it must not make two people
    first = Contribution.objects.filter(recorded_by=actor, form_key=form_key).select_related("contributor").first()
    person = first.contributor if first else _person(actor, budget, contributor_id, somebody, told)
    require_other(actor, person, param="contributor" if contributor_id else "email")

    def welcome() -> None:
        if not may(person, "contribution.declare", scopes=tree_of(budget)):
            grant_role(user=person, kind="contributor", scope=budget.pk, granted_by=actor, now=now)

    whole = {
        "minutes": 0, "amount": 0, "evidence": [], "over_cap_reason": "", **facts,
        "metadata": {}, "source": "", "budget_id": budget.pk,
        "description": facts["description"].strip(),
    }  # fmt: skip
    made = write_contribution(
        actor=actor, contributor=person, budget=budget, facts=whole, form_key=form_key, now=now, before_writing=welcome
    )
    if not Recording.objects.filter(subject=made.pk).exists():
        note_recording(
            actor=actor, subject=made.pk, on_behalf_of=person.pk, asked=person, told=told, now=now,
            scopes=[budget.pk, person.pk],
        )  # fmt: skip
    return made


def _person(actor: User, budget: Budget, contributor_id: str, somebody: Named | None, told: Told) -> User:
    if contributor_id:
        for row in known_people(actor, [budget]):
            if row.pk == contributor_id:
                return row
        raise Invalid("person_unknown", _("Choose a person of the list."), param="contributor")
    if somebody is None:
        raise Invalid("name_missing", _("Say whose work this is."), param="contributor")
    return somebody_named(somebody, told=told)


@transaction.atomic
def confirm_contribution(
    *, actor: User | None, recording_id: str, how: str, now: datetime, letter_on: date | None
) -> None:
    """Confirm a recorded contribution.

    Args: actor: who types a signed letter in, with `letter_on` its date; None: the person, through the link or code.
    Raises: Forbidden; Conflict `recording_answered`; for a letter also as `note_confirmed`.
    """
    row = hold_unanswered(recording_id)
    if actor is not None:
        contribution = Contribution.objects.select_related("budget").get(pk=row.subject)
        require(actor, "contribution.record", scopes=tree_of(contribution.budget))
    note_confirmed(row, actor=actor, how=how, now=now, letter_on=letter_on)


@transaction.atomic
def contest_contribution(*, recording_id: str, reason: str, now: datetime) -> bool:
    """Say that recorded work is wrong: it is withdrawn unless a distribution has taken it already.

    Returns: whether it is withdrawn. Raises: Conflict `recording_answered`; Invalid `reason_missing`.
    """
    row = hold_unanswered(recording_id)
    contribution = Contribution.objects.select_for_update(of=("self",)).get(pk=row.subject)
    undone = contribution.state in {*WITHDRAWABLE, "withdrawn", "rejected"}
    note_contested(row, reason=reason, now=now, undone=undone)
    if contribution.state in WITHDRAWABLE:
        take_back(contribution, now=now)
    return undone


@transaction.atomic
def retract_contribution(*, actor: User, recording_id: str, reason: str, now: datetime) -> None:
    """Take back work recorded by mistake: it is withdrawn, and whoever was asked reads why. Moves no money.

    Raises: Forbidden `not_allowed`, `recorded_by_another`; Conflict `recording_answered`, `contribution_shared`;
        Invalid `reason_missing`.
    """
    row = hold_unanswered(recording_id)
    rows = Contribution.objects.select_for_update(of=("self",)).select_related("budget__parent")
    contribution = rows.get(pk=row.subject)
    require(actor, "contribution.record", scopes=tree_of(contribution.budget))
    require_recorder(row, actor)
    if contribution.state not in {*WITHDRAWABLE, "rejected"}:
        raise Conflict("contribution_shared", _("A distribution has taken it already: it is settled with them."))
    note_retracted(row, actor=actor, reason=reason, now=now)
    take_back(contribution, now=now)


@transaction.atomic
def give_contributor_address(*, actor: User, recording_id: str, email: str, now: datetime) -> User:
    """Note the e-mail address of somebody who had none; with an account at it already, their work goes to that account.

    What peers said of work under way goes with it. What is shared out stays where it was booked.
    Raises: Forbidden; Conflict `address_known`, `address_of_another`, `address_while_paid`, `merge_busy`; Invalid
        `email_invalid`, `recorded_for_oneself`.
    """
    row = Recording.objects.select_for_update(of=("self",)).select_related("asked").get(pk=recording_id)
    contribution = Contribution.objects.select_related("budget__parent").get(pk=row.subject)
    require(actor, "contribution.record", scopes=tree_of(contribution.budget))
    before = row.asked
    person = take_address(actor=actor, person=before, email=email, scopes=[contribution.budget_id], now=now)
    if person.pk != before.pk:
        hold_work(before)
        if said_of_each_other(before, person) is not None:
            raise Conflict(
                "address_of_another",
                _(
                    "Whoever has this address recorded, reviewed or questioned work of this person: nobody does that "
                    "of their own. Withdraw it and record it for that account. Nothing was changed."
                ),
                param="email",
            )
        if Contribution.objects.filter(contributor=before, state="included").exists() or is_owed(before):
            raise Conflict(
                "address_while_paid",
                _(
                    "Work of this person is being shared out, or money is owed to them: wait until it is paid, then "
                    "note the address again. Nothing was changed."
                ),
                param="email",
            )
        follow_merge(before, person, now=now)
    return person


def visible_recording(actor: User, recording_id: str) -> tuple[Recording, Contribution] | None:
    """The recording of a contribution and the contribution, for those who may record there; None for others."""
    row = Recording.objects.select_related("recorded_by", "asked").filter(pk=recording_id).first()
    rows = Contribution.objects.select_related("budget__commons", "contributor")
    contribution = rows.filter(pk=row.subject).first() if row is not None else None
    if row is None or contribution is None:
        return None
    return (row, contribution) if may(actor, "contribution.record", scopes=tree_of(contribution.budget)) else None
