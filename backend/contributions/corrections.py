"""Corrections of work that was shared out: a booked period stays as it is, the difference enters the next one."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Period
from backend.commons.services import require_open_period, ruling_budget
from backend.contributions.facts import require_facts
from backend.contributions.models import Contribution
from backend.contributions.peers import hold_contribution, require_state, start_clock
from backend.contributions.services import may_declare, refuse_merged, require_budget_open, require_within_charter
from backend.core.errors import Conflict, Forbidden
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.models import User
from backend.identity.services import host_day

MORE = "more"  # beginning of the keys of what is added


def add_to(
    *,
    actor: User,
    contribution_id: str,
    minutes: int,
    amount: int,
    reason: str,
    form_key: str,
    now: datetime,
    over_cap_reason: str = "",
) -> Contribution:
    """Declare what was forgotten in one's own contribution that was shared out already.

    It is a contribution of the open period, linked to the one it corrects, for its budget, kind and day: peers review
    it as any other, and it is shared with that period. The booked one does not change. Moves no money.
    Args: minutes, amount (minor units): what is added, one of them at least. reason: what was forgotten, and why; it is
        the description. form_key: a repetition gives back the first one.
    Raises: NotFound `contribution_not_found`; Forbidden `contribution_of_another`, `not_allowed`; Conflict
        `contribution_not_open`, `budget_not_open`, `form_key_reused`, `account_merged`; Invalid as `declare`.
    """
    key = f"{MORE}:{form_key}"[:64]
    try:
        with transaction.atomic():
            booked = hold_contribution(actor, contribution_id)
            if booked.contributor_id != actor.pk:
                raise Forbidden(
                    "contribution_of_another",
                    _("Only its contributor declares what was forgotten in it. Nothing was changed."),
                )
            if not may_declare(actor, booked.budget):
                raise Forbidden(
                    "not_allowed",
                    _("Your roles do not allow this. Nothing was changed."),
                    action="contribution.declare",
                )
            require_state(booked, "settled")
            facts: dict[str, Any] = {
                "worked_on": booked.worked_on, "kind": booked.kind, "minutes": minutes, "amount": amount,
                "description": reason.strip(), "evidence": list(booked.evidence),
                "over_cap_reason": over_cap_reason.strip(),
            }  # fmt: skip
            require_facts(facts)
            first = Contribution.objects.filter(contributor=actor, form_key=key).first()
            if first is not None:
                return _same(first, booked, facts)
            return _write(booked, facts, key=key, actor=actor, now=now)
    except IntegrityError as twin:
        refuse_merged(twin)
        if "one_contribution_per_form" not in str(twin):
            raise
        return _same(Contribution.objects.get(contributor=actor, form_key=key), booked, facts)


def _write(booked: Contribution, facts: dict[str, Any], *, key: str, actor: User, now: datetime) -> Contribution:
    """The difference, in the period that is open today."""
    budget = booked.budget
    # The first that is open: after an early closing it begins tomorrow.
    running = Period.objects.filter(budget=ruling_budget(budget), state="open").order_by("starts_on")
    period = running.select_for_update(of=("self",), no_key=True).select_related("charter").first()
    period = period or require_open_period(budget, day=host_day(now))
    require_budget_open(budget)
    require_within_charter(
        period.charter, kind=facts["kind"], amount=facts["amount"], why=facts["over_cap_reason"],
        currency=booked.currency,
    )  # fmt: skip
    row = Contribution(
        id=new_id("ctr"), budget=budget, period=period, contributor=actor, currency=booked.currency, corrects=booked,
        form_key=key, created_at=now, **facts,
    )  # fmt: skip
    start_clock(row, now=now)
    row.save(force_insert=True)
    record(
        "contribution.correction_declared", actor=actor, subject=row.pk, now=now, scopes=[budget.pk],
        corrects=booked.pk, amount=row.amount, minutes=row.minutes, currency=row.currency,
    )  # fmt: skip
    return row


def _same(first: Contribution, booked: Contribution, facts: dict[str, Any]) -> Contribution:
    if first.corrects_id != booked.pk or any(getattr(first, name) != value for name, value in facts.items()):
        raise Conflict("form_key_reused", _("This form was already sent with other values. Open a new one."))
    return first
