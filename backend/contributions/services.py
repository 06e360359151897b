"""Declares and reviews contributions."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget, Period
from backend.commons.services import OPEN_TO_WORK, charter_of, require_open_period, tree_of
from backend.contributions.models import Contribution, Review
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.core.failpoints import around_commit
from backend.core.ids import new_id
from backend.core.money import format_money, require_amount
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.services import host_day
from backend.payees.services import payee_of

MAX_MINUTES = 31 * 24 * 60
MAX_EVIDENCE = 10


def _require_facts(*, kind: str, minutes: int, amount: int, description: str, evidence: Sequence[str]) -> None:
    """Refuse what is wrong in itself, whatever the budget."""
    if kind not in dict(Contribution.KINDS):
        raise Invalid(
            "kind_unknown",
            _("“%(kind)s” is not a kind of contribution. Use one of: %(known)s.")
            % {"kind": str(kind)[:20], "known": ", ".join(dict(Contribution.KINDS))},
            param="kind",
        )
    if isinstance(minutes, bool) or not isinstance(minutes, int) or not 0 <= minutes <= MAX_MINUTES:
        raise Invalid(
            "minutes_out_of_range",
            _("The duration is a whole number of minutes, from 0 to 44640 (31 days)."),
            param="minutes",
        )
    require_amount(amount, minimum=0)
    if not minutes and not amount:
        raise Invalid("nothing_declared", _("Give a duration, an amount, or both."), param="minutes")
    if not description.strip() or len(description) > 500:
        raise Invalid("description_length", _("Describe the work in 1 to 500 characters."), param="description")
    if len(evidence) > MAX_EVIDENCE:
        raise Invalid("evidence_too_many", _("Give at most 10 links."), param="evidence")
    for link in evidence:
        if len(link) > 500 or not _is_link(link):
            raise Invalid("evidence_not_a_link", _("Evidence is given as http or https links."), param="evidence")


def _is_link(text: str) -> bool:
    """Whether a text is an http or https address."""
    if any(mark.isspace() or not mark.isprintable() for mark in text):  # urlsplit would drop them in silence
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc)


def declare(
    *,
    actor: User,
    budget: Budget,
    worked_on: date,
    kind: str,
    description: str,
    form_key: str,
    now: datetime,
    minutes: int = 0,
    amount: int = 0,
    evidence: Sequence[str] = (),
) -> Contribution:
    """Declare one's own work against a budget. Moves no money.

    Args: worked_on: a day of the open period, not in the future. minutes: duration. amount: what is asked for it, minor
        units of the budget's currency; zero is volunteering. form_key: a repetition gives back the first one.
    Raises: Forbidden `not_a_member`; Invalid naming the field; Conflict `period_closed`, `budget_not_open`.
    """
    require(actor, "contribution.declare", scopes=tree_of(budget))
    _require_facts(kind=kind, minutes=minutes, amount=amount, description=description, evidence=evidence)
    if worked_on > host_day(now):
        raise Invalid("day_in_the_future", _("The day of the work cannot be in the future."), param="worked_on")
    charter = charter_of(budget)
    if charter.hard_cap is not None and amount > charter.hard_cap:
        raise Invalid(
            "over_the_cap",
            _("The charter allows at most %(cap)s a request.")
            % {"cap": format_money(charter.hard_cap, budget.currency)},
            param="amount",
        )
    facts: dict[str, Any] = {
        "budget_id": budget.pk, "worked_on": worked_on, "kind": kind, "minutes": minutes, "amount": amount,
        "description": description.strip(), "evidence": list(evidence),
    }  # fmt: skip
    first = Contribution.objects.filter(contributor=actor, form_key=form_key).first()
    if first is not None:
        return _same_contribution(first, facts)
    try:
        with transaction.atomic():
            period = require_open_period(budget, day=worked_on)
            # Read again now that the period is held: the budget may have been closed meanwhile.
            if not Budget.objects.filter(pk=budget.pk, state__in=OPEN_TO_WORK).exists():
                raise Conflict(
                    "budget_not_open", _("This budget does not take contributions at present."), param="budget"
                )
            contribution = Contribution.objects.create(
                id=new_id("ctr"), period=period, contributor=actor, currency=budget.currency, form_key=form_key,
                created_at=now, **facts,
            )  # fmt: skip
            payee_of(actor, now=now)
            record(
                "contribution.declared", actor=actor, subject=contribution.pk, now=now, scopes=[budget.pk],
                amount=amount, currency=budget.currency,
            )  # fmt: skip
            around_commit("contribution.declared")
    except IntegrityError as twin:
        if "one_contribution_per_form" not in str(twin):
            raise
        return _same_contribution(Contribution.objects.get(contributor=actor, form_key=form_key), facts)
    return contribution


def _same_contribution(first: Contribution, facts: dict[str, Any]) -> Contribution:
    if any(getattr(first, name) != value for name, value in facts.items()):
        raise Conflict(
            "form_key_reused", _("This form was already sent with other values. Open a new one to declare more work.")
        )
    return first


def review(*, actor: User, contribution_id: str, verdict: str, now: datetime, reason: str = "") -> Review:
    """Say of someone else's contribution that it is approved, or rejected with a reason.

    The contribution is validated once the charter's number of stewards approved it, rejected by one of them.
    Raises: NotFound; Forbidden `own_contribution`, `not_allowed`; Invalid `verdict_unknown`, `reason_missing`;
        Conflict `contribution_not_open` (already reviewed, naming the state), `already_reviewed`.
    """
    with transaction.atomic():
        contribution = (
            Contribution.visible_to(actor)
            .select_related("budget")
            .select_for_update(of=("self",))
            .filter(pk=contribution_id)
            .first()
        )
        if contribution is None:
            raise NotFound("contribution_not_found", _("There is no such contribution."))
        require(actor, "contribution.review", scopes=tree_of(contribution.budget))
        if contribution.contributor_id == actor.pk:
            raise Forbidden("own_contribution", _("Nobody reviews their own contribution: ask another steward."))
        if verdict not in dict(Review.VERDICTS):
            raise Invalid("verdict_unknown", _("The verdict is “approve” or “reject”."), param="verdict")
        if verdict == "reject" and not reason.strip():
            raise Invalid("reason_missing", _("Say why the contribution is rejected."), param="reason")
        if contribution.state != "declared":
            raise Conflict(
                "contribution_not_open",
                _("This contribution is no longer awaiting review: it is “%(state)s”.")
                % {"state": contribution.get_state_display()},
            )
        if contribution.reviews.filter(reviewer=actor).exists():
            raise Conflict("already_reviewed", _("You have already reviewed this contribution."))
        said = Review.objects.create(
            id=new_id("rev"), contribution=contribution, contributor_id=contribution.contributor_id, reviewer=actor,
            verdict=verdict, reason=reason.strip()[:500], created_at=now,
        )  # fmt: skip
        approvals = contribution.reviews.filter(verdict="approve").count()
        if verdict == "reject":
            contribution.state = "rejected"
        elif approvals >= charter_of(contribution.budget).approvals:
            contribution.state = "validated"
        if contribution.state != "declared":
            contribution.save(update_fields=["state"])
            record(
                f"contribution.{contribution.state}", actor=actor, subject=contribution.pk, now=now,
                scopes=[contribution.budget_id],
            )  # fmt: skip
        around_commit("contribution.reviewed")
    return said


def withdraw(*, actor: User, contribution_id: str, now: datetime) -> Contribution:
    """Take back one's own contribution while it awaits review or is validated, before the period is closed."""
    with transaction.atomic():
        contribution = (
            Contribution.objects.select_for_update(of=("self",)).filter(pk=contribution_id, contributor=actor).first()
        )
        if contribution is None:
            raise NotFound("contribution_not_found", _("There is no such contribution."))
        if contribution.state == "withdrawn":
            return contribution
        if contribution.state not in {"declared", "validated"}:
            raise Conflict(
                "contribution_not_open",
                _("This contribution can no longer be withdrawn: it is “%(state)s”.")
                % {"state": contribution.get_state_display()},
            )
        contribution.state = "withdrawn"
        contribution.save(update_fields=["state"])
        record("contribution.withdrawn", actor=actor, subject=contribution.pk, now=now, scopes=[contribution.budget_id])
    return contribution


def freeze_contributions(*, period: Period, following: Period) -> list[Contribution]:
    """Take the validated contributions of a period into its distribution, in order; leave the others to the next one.

    The caller holds the lock of the period.
    """
    mine = Contribution.objects.select_for_update(of=("self",)).filter(period=period)
    included = list(mine.filter(state="validated").order_by("id"))
    # By name: a review committed meanwhile is seen by a new statement, and must not slip in unlisted.
    Contribution.objects.filter(pk__in=[one.pk for one in included]).update(state="included")
    mine.filter(state__in=["declared", "questioned", "validated"]).update(period=following)
    return included
