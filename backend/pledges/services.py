"""Writes about pledges."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.commons.services import OPEN_TO_PLEDGES
from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.failpoints import around_commit
from backend.core.ids import new_id
from backend.core.money import require_amount, require_currency
from backend.events.services import record
from backend.identity.models import Organisation, User
from backend.identity.permissions import require
from backend.pledges.limits import require_within_limits
from backend.pledges.models import Pledge
from backend.pledges.references import find_references, new_reference


def make_pledge(
    *,
    actor: User,
    budget: Budget,
    organisation: Organisation,
    amount: int,
    currency: str,
    form_key: str,
    now: datetime,
) -> Pledge:
    """Promise an amount to a budget in the name of an organisation, to be paid by bank transfer. Moves no money.

    Args: amount: minor units, greater than zero. form_key: made with the form or request; a repetition gives back the
        first pledge.
    Raises: Forbidden for someone who may not act for the organisation; Invalid `unknown_currency`, `other_currency`,
        `amount_out_of_range`; Conflict `budget_not_open`, `form_key_reused`, `above_spending_limit`,
        `organisation_merged`.
    """
    require(actor, "pledge.make", scopes=[organisation.pk])

    def allow(amount: int) -> None:
        require(actor, "pledge.make", scopes=[organisation.pk])  # again: the role may have ended meanwhile
        require_within_limits(actor, organisation, amount=amount, currency=currency, now=now)

    return write_pledge(
        actor=actor, budget=budget, organisation=organisation, amount=amount, currency=currency, form_key=form_key,
        now=now, recorded=False, allow=allow,
    )  # fmt: skip


def write_pledge(
    *,
    actor: User,
    budget: Budget,
    organisation: Organisation,
    amount: int,
    currency: str,
    form_key: str,
    now: datetime,
    recorded: bool,
    allow: Callable[[int], None],
) -> Pledge:
    """Write a pledge that the caller has the right to make, whoever it is for.

    Args: recorded: whether somebody told it and another person writes it down. allow: refuses what was allowed before;
        called with the amount once the organisation is held, so that no two pledges pass a limit together.
    Raises: as `make_pledge`.
    """
    require_currency(currency)
    if currency != budget.currency:
        raise Invalid(
            "other_currency",
            _("This pot is kept in %(currency)s: pledge in that currency.") % {"currency": budget.currency},
            param="currency",
        )
    require_amount(amount)
    mine = Pledge.objects.filter(made_by=actor, form_key=form_key)
    first = mine.first()
    if first is not None:
        return _same_pledge(first, budget, organisation, amount)
    if budget.state not in OPEN_TO_PLEDGES or budget.commons.state != "open":
        raise Conflict("budget_not_open", _("This budget does not take pledges at present."), param="budget")
    try:
        with transaction.atomic():
            held = Organisation.objects.select_for_update(of=("self",), no_key=True).get(pk=organisation.pk)
            first = mine.first()  # a double click waited for the organisation here
            if first is not None:
                return _same_pledge(first, budget, organisation, amount)
            if held.merged_into_id is not None:
                raise Conflict(
                    "organisation_merged", _("This organisation was merged into another one: act for that one.")
                )
            allow(amount)
            pledge = Pledge.objects.create(
                id=new_id("plg"),
                budget=budget,
                organisation=organisation,
                made_by=actor,
                amount=amount,
                currency=currency,
                reference=new_reference(),
                form_key=form_key,
                created_at=now,
            )
            facts: dict[str, Any] = {
                "actor": actor, "subject": pledge.pk, "now": now, "scopes": [budget.pk, organisation.pk],
                "on_behalf": organisation.pk, "amount": amount, "currency": currency,
            }  # fmt: skip
            if recorded:
                record("pledge.recorded", **facts)
            else:
                record("pledge.made", **facts)
            around_commit("pledge.made")
    except IntegrityError as twin:
        if "one_pledge_per_form" not in str(twin):
            raise
        return _same_pledge(Pledge.objects.get(made_by=actor, form_key=form_key), budget, organisation, amount)
    return pledge


def _same_pledge(first: Pledge, budget: Budget, organisation: Organisation, amount: int) -> Pledge:
    if (first.budget_id, first.organisation_id, first.amount) != (budget.pk, organisation.pk, amount):
        raise Conflict(
            "form_key_reused", _("This form was already sent with other values. Open a new one for another pledge.")
        )
    return first


def cancel_pledge(*, actor: User, pledge_id: str, now: datetime) -> Pledge:
    """Cancel a pledge of which nothing was received yet. Moves no money.

    Raises: NotFound for a pledge that is not visible; Conflict `pledge_not_cancellable`.
    """
    with transaction.atomic():
        pledge = Pledge.visible_to(actor).select_for_update(of=("self",)).filter(pk=pledge_id).first()
        if pledge is None:
            raise NotFound("pledge_not_found", _("There is no such pledge."))
        require(actor, "pledge.make", scopes=[pledge.organisation_id])
        if pledge.state == "cancelled":
            return pledge
        if pledge.state != "active" or pledge.received:
            raise Conflict(
                "pledge_not_cancellable",
                _("A pledge can be cancelled while it is active and nothing was received; this one is not."),
            )
        pledge.state = "cancelled"
        pledge.save(update_fields=["state"])
        record(
            "pledge.cancelled",
            actor=actor,
            subject=pledge.pk,
            now=now,
            scopes=[pledge.budget_id, pledge.organisation_id],
            on_behalf=pledge.organisation_id,
        )
    return pledge


def note_received(*, pledge_id: str, amount: int, now: datetime) -> Pledge:
    """Add a receipt to a pledge under its lock; it is fulfilled once all of it is there. The caller books the money.

    Args: amount: minor units; below zero when a payment was taken back: what lacks is expected again.
    """
    pledge = Pledge.objects.select_for_update(of=("self",)).get(pk=pledge_id)
    pledge.received += amount
    if pledge.state == "fulfilled" and pledge.received < pledge.amount:
        pledge.state = "active"
    if pledge.state == "active" and pledge.received >= pledge.amount:
        pledge.state = "fulfilled"
        record(
            "pledge.fulfilled",
            actor=None,
            subject=pledge.pk,
            now=now,
            scopes=[pledge.budget_id, pledge.organisation_id],
        )
    pledge.save(update_fields=["received", "state"])
    around_commit("pledge.received")
    return pledge


def pledge_in_text(text: str, *, currency: str) -> Pledge | None:
    """The pledge whose reference stands in a text; None when there is none, or several different ones."""
    found = list(Pledge.objects.select_related("budget").filter(reference__in=find_references(text), currency=currency))
    return found[0] if len(found) == 1 else None
