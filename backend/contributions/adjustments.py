"""Negative corrections of work that was shared out: proposed with a reason, decided by somebody uninvolved."""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils.translation import gettext_lazy as _

from backend.commons.services import tree_of
from backend.commons.words import EXPENSE
from backend.contributions.adjustment_models import Adjustment
from backend.contributions.models import Contribution
from backend.contributions.peers import hold_contribution, require_state
from backend.contributions.services import validated_minutes
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.money import format_money
from backend.core.text import blank, plain
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import may, require


def may_propose(actor: User, contribution: Contribution) -> bool:
    """Whether somebody may say that a contribution was given too much: its contributor, and its stewards."""
    return contribution.contributor_id == actor.pk or may(
        actor, "adjustment.propose", scopes=tree_of(contribution.budget)
    )


def most(contribution: Contribution) -> tuple[int, int]:
    """How much can still be said to be too much: (minutes, 0) where time is shared, else (0, minor units)."""
    said = contribution.adjustments.exclude(state__in=["refused", "withdrawn"])
    sums = said.aggregate(minutes=Sum("minutes"), amount=Sum("amount"))
    if contribution.amount_counts:
        return 0, max(0, (contribution.settled_amount or 0) - (sums["amount"] or 0))
    return max(0, validated_minutes([contribution])[contribution.pk][0] - (sums["minutes"] or 0)), 0


@transaction.atomic
def propose_adjustment(
    *, actor: User, contribution_id: str, minutes: int, amount: int, reason: str, form_key: str, now: datetime
) -> Adjustment:
    """Say that too much was given for work that was shared out.

    Once agreed it is kept back from the person's later work for the same budget, never below zero. The booked period
    does not change and nothing is asked back: no money moves.

    Args: minutes: where time is shared; amount: minor units, where requests are; the other one is zero.
    Raises: NotFound `contribution_not_found`; Forbidden `not_allowed`; Conflict `contribution_not_open`,
        `adjustment_of_expense`, `adjustment_awaited`; Invalid `adjustment_out_of_range`, `reason_missing`.
    """
    booked = hold_contribution(actor, contribution_id)
    if booked.contributor_id != actor.pk:
        require(actor, "adjustment.propose", scopes=tree_of(booked.budget))
    first = Adjustment.objects.filter(proposed_by=actor, form_key=form_key).first()
    if first is not None:
        return first
    require_state(booked, "settled")
    if booked.kind == EXPENSE:
        raise Conflict(
            "adjustment_of_expense",
            _("An expense paid back too high is given back by transfer: speak with a treasurer. Nothing was changed."),
        )
    if booked.adjustments.filter(state="proposed").exists():
        raise Conflict("adjustment_awaited", _("A correction of this work awaits a decision already."))
    _require_within(booked, minutes, amount)
    row = Adjustment.objects.create(
        id=new_id("adj"), contribution=booked, contributor_id=booked.contributor_id, minutes=minutes, amount=amount,
        minutes_left=minutes, amount_left=amount, reason=_said(reason), proposed_by=actor, form_key=form_key,
        created_at=now,
    )  # fmt: skip
    _tell("adjustment.proposed", row, actor, now)
    return row


def _require_within(booked: Contribution, minutes: int, amount: int) -> None:
    largest = most(booked)
    numbers = all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in (minutes, amount))
    by_amount = booked.amount_counts
    wanted, other, limit = (amount, minutes, largest[1]) if by_amount else (minutes, amount, largest[0])
    if numbers and not other and 0 < wanted <= limit:
        return
    if by_amount:
        told = _("Requests were shared here: give an amount, up to %(most)s, and no time.")
        raise Invalid("adjustment_out_of_range", told % {"most": format_money(limit, booked.currency)}, param="amount")
    told = _("Time was shared here: give minutes, up to %(most)s, and no amount.")
    raise Invalid("adjustment_out_of_range", told % {"most": limit}, param="minutes")


@transaction.atomic
def decide_adjustment(*, actor: User, adjustment_id: str, agrees: bool, reason: str, now: datetime) -> Adjustment:
    """Agree to a correction that somebody else proposed of somebody else's work, or refuse it with a reason.

    Raises: NotFound `adjustment_not_found`; Forbidden `not_allowed`, `adjustment_involved`; Conflict
        `adjustment_decided`; Invalid `reason_missing` for a refusal.
    """
    row = _held(actor, adjustment_id)
    require(actor, "adjustment.decide", scopes=tree_of(row.contribution.budget))
    if actor.pk in (row.proposed_by_id, row.contributor_id):
        raise Forbidden(
            "adjustment_involved",
            _("Whoever proposed it or did the work does not decide: another steward does."),
            action="adjustment.decide",
        )
    _require_waiting(row)
    row.decision = "" if agrees and not reason.strip() else _said(reason)
    row.state, row.decided_by, row.decided_at = ("agreed" if agrees else "refused"), actor, now
    row.save(update_fields=["state", "decided_by", "decided_at", "decision"])
    _tell("adjustment.agreed" if agrees else "adjustment.refused", row, actor, now)
    return row


@transaction.atomic
def withdraw_adjustment(*, actor: User, adjustment_id: str, now: datetime) -> Adjustment:
    """Take one's own proposal back before it is decided.

    Raises: NotFound `adjustment_not_found`; Forbidden `adjustment_of_another`; Conflict `adjustment_decided`.
    """
    row = _held(actor, adjustment_id)
    if row.proposed_by_id != actor.pk:
        raise Forbidden("adjustment_of_another", _("Only who proposed it takes it back. Nothing was changed."))
    if row.state == "withdrawn":
        return row
    _require_waiting(row)
    row.state = "withdrawn"
    row.save(update_fields=["state"])
    _tell("adjustment.withdrawn", row, actor, now)
    return row


def adjustments_for(actor: User) -> "QuerySet[Adjustment]":
    """Those of the work that a person sees."""
    rows = Adjustment.objects.filter(contribution__in=Contribution.visible_to(actor))
    return rows.select_related(
        "contribution__budget__commons", "contribution__period__charter", "contributor", "proposed_by", "decided_by"
    )


def _held(actor: User, adjustment_id: str) -> Adjustment:
    row = Adjustment.objects.select_for_update(of=("self",)).filter(pk=adjustment_id).first()
    if row is None or not Contribution.visible_to(actor).filter(pk=row.contribution_id).exists():
        raise NotFound("adjustment_not_found", _("There is no such correction."))
    return row


def _require_waiting(row: Adjustment) -> None:
    if row.state != "proposed":
        raise Conflict(
            "adjustment_decided", _("This correction is “%(state)s” already.") % {"state": row.get_state_display()}
        )


def _said(reason: str) -> str:
    found = plain(reason).strip()
    if blank(found) or len(found) > 500:
        raise Invalid("reason_missing", _("Give the reason in 1 to 500 characters."), param="reason")
    return found


def _tell(kind: str, row: Adjustment, actor: User, now: datetime) -> None:
    contribution = row.contribution
    record(
        kind, actor=actor, subject=row.pk, now=now, scopes=[contribution.budget_id], contribution=contribution.pk,
        minutes=row.minutes, amount=row.amount, currency=contribution.currency, why=row.decision or row.reason,
    )  # fmt: skip
