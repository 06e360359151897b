"""Declares and reviews contributions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from backend.allocation.closing import median
from backend.commons.models import Budget, Charter, Period
from backend.commons.services import OPEN_TO_WORK, charter_of, require_open_period, tree_of
from backend.contributions.facts import require_facts_of_day
from backend.contributions.following import is_one
from backend.contributions.holding_back import hold_back
from backend.contributions.models import Contribution, Review
from backend.contributions.peers import (
    UNDER_REVIEW,
    accept,
    end_talk,
    give_clock,
    hold_contribution,
    require_state,
    require_version,
    start_clock,
)
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.core.failpoints import around_commit
from backend.core.ids import new_id
from backend.core.money import format_money
from backend.core.reads import among
from backend.core.text import blank
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import may, require
from backend.payees.services import payee_of


def require_budget_open(budget: Budget) -> None:
    """Refuse a budget that takes no work; read again, now that the period is held: it may have closed meanwhile."""
    if not Budget.objects.filter(pk=budget.pk, state__in=OPEN_TO_WORK).exists():
        raise Conflict("budget_not_open", _("This budget does not take contributions at present."), param="budget")


def require_within_charter(charter: Charter, *, kind: str, amount: int, why: str, currency: str) -> None:
    """Refuse what the charter of the day's period does not allow."""
    if kind not in charter.kinds:
        names = dict(Contribution.KINDS)
        raise Invalid(
            "kind_not_in_charter",
            _("The charter has no contributions of this kind. Use one of: %(known)s.")
            % {"known": ", ".join(str(names.get(one, one)) for one in charter.kinds)},
            param="kind",
        )
    if charter.hard_cap is not None and amount > charter.hard_cap:
        raise Invalid(
            "over_the_cap",
            _("The charter allows at most %(cap)s a request.") % {"cap": format_money(charter.hard_cap, currency)},
            param="amount",
        )
    if charter.soft_cap is not None and amount > charter.soft_cap and not why:
        raise Invalid(
            "reason_over_soft_cap",
            _("Above %(cap)s the charter wants a reason: say why this request is larger.")
            % {"cap": format_money(charter.soft_cap, currency)},
            param="over_cap_reason",
        )


def may_declare(actor: User, budget: Budget) -> bool:
    """Whether a person may declare work against a budget: its contributors and stewards, or everyone."""
    if may(actor, "contribution.declare", scopes=tree_of(budget)):
        return True
    return bool(actor.is_active) and charter_of(budget).declare == "everyone"


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
    over_cap_reason: str = "",
    metadata: Mapping[str, str] | None = None,
    source: str = "",
) -> Contribution:
    """Declare one's own work against a budget. Moves no money.

    Args: worked_on: a day of the open period, not in the future. minutes: duration, none for an expense. amount: what
        is asked for it, minor units of the budget's currency; zero is volunteering. over_cap_reason: needed above the
        soft cap of the charter. metadata: pairs of texts that are kept and never read. source: id of the import it
        came with. form_key: a repetition gives back the first one.
    Raises: Forbidden `not_allowed`; Invalid naming the field; Conflict `period_closed`, `budget_not_open`.
    """
    if not may_declare(actor, budget):
        raise Forbidden(
            "not_allowed", _("Your roles do not allow this. Nothing was changed."), action="contribution.declare"
        )
    facts: dict[str, Any] = {
        "budget_id": budget.pk, "worked_on": worked_on, "kind": kind, "minutes": minutes, "amount": amount,
        "description": description.strip(), "evidence": list(evidence), "over_cap_reason": over_cap_reason.strip(),
        "metadata": dict(metadata or {}), "source": source,
    }  # fmt: skip
    return write_contribution(actor=actor, contributor=actor, budget=budget, facts=facts, form_key=form_key, now=now)


def write_contribution(
    *,
    actor: User,
    contributor: User,
    budget: Budget,
    facts: dict[str, Any],
    form_key: str,
    now: datetime,
    before_writing: Callable[[], None] = lambda: None,
) -> Contribution:
    """Write a contribution that the caller has the right to declare, or to record for somebody else.

    Args: facts: the columns of `declare`. before_writing: what else goes in the same transaction.
    Raises: as `declare`.
    """
    why = facts["over_cap_reason"]
    require_facts_of_day(facts, now=now)
    first = Contribution.objects.filter(contributor=contributor, form_key=form_key).first()
    if first is not None:
        return _same_contribution(first, facts)
    own = actor.pk == contributor.pk
    try:
        with transaction.atomic():
            period = require_open_period(budget, day=facts["worked_on"])
            require_budget_open(budget)
            require_within_charter(
                period.charter, kind=facts["kind"], amount=facts["amount"], why=why, currency=budget.currency
            )
            before_writing()
            contribution = Contribution(
                id=new_id("ctr"), period=period, contributor=contributor, currency=budget.currency, form_key=form_key,
                recorded_by=None if own else actor, created_at=now, **facts,
            )  # fmt: skip
            start_clock(contribution, now=now)
            contribution.save(force_insert=True)
            payee_of(contributor, now=now)
            record(
                "contribution.declared" if own else "contribution.recorded", actor=actor, subject=contribution.pk,
                now=now, scopes=[budget.pk], on_behalf="" if own else contributor.pk, amount=facts["amount"],
                currency=budget.currency,
            )  # fmt: skip
            around_commit("contribution.declared")
    except IntegrityError as twin:
        refuse_merged(twin)
        if "one_contribution_per_form" not in str(twin):
            raise
        return _same_contribution(Contribution.objects.get(contributor=contributor, form_key=form_key), facts)
    return contribution


def refuse_merged(failure: IntegrityError) -> None:
    """Say by name what PostgreSQL refuses to an account that was merged while this was being sent.

    Raises: Conflict `account_merged`.
    """
    if "its account is merged" in str(failure):
        raise Conflict(
            "account_merged", _("This account is merged into another one of yours: declare the work there.")
        ) from None


def _same_contribution(first: Contribution, facts: dict[str, Any]) -> Contribution:
    if any(getattr(first, name) != value for name, value in facts.items()):
        raise Conflict(
            "form_key_reused", _("This form was already sent with other values. Open a new one to declare more work.")
        )
    return first


def review(
    *,
    actor: User,
    contribution_id: str,
    verdict: str,
    now: datetime,
    reason: str = "",
    minutes: int | None = None,
    version: int | None = None,
) -> Review:
    """Say of someone else's contribution that it is approved, or rejected with a reason.

    The contribution is validated once the number of stewards of its period's charter approved it, rejected by one.
    While a question or an objection is open it can be rejected and not approved; by consent it is neither.
    Args: minutes: those that an approval validates, at most what was declared; None: as declared. version: the one
        that was read; another is refused.
    Raises: NotFound; Forbidden `own_contribution`, `not_allowed`; Invalid `verdict_unknown`, `reason_missing`,
        `validated_minutes`; Conflict `contribution_not_open` (already reviewed, naming the state), `already_reviewed`,
        `contribution_amended`, `validated_by_consent`, `own_objection_open`.
    """
    with transaction.atomic():
        contribution = hold_contribution(actor, contribution_id)
        require(actor, "contribution.review", scopes=tree_of(contribution.budget))
        if contribution.contributor_id == actor.pk:
            raise Forbidden("own_contribution", _("Nobody reviews their own contribution: ask another steward."))
        if contribution.recorded_by_id is not None and is_one(actor, contribution.recorded_by_id):
            raise Forbidden(
                "own_recording",
                _("You recorded this contribution: somebody else reviews it."),
                action="contribution.review",
            )
        if verdict not in dict(Review.VERDICTS):
            raise Invalid("verdict_unknown", _("The verdict is “approve” or “reject”."), param="verdict")
        if verdict == "reject" and blank(reason):
            raise Invalid("reason_missing", _("Say why the contribution is rejected."), param="reason")
        whole = not isinstance(minutes, bool) and isinstance(minutes, int) and 0 <= minutes <= contribution.minutes
        if minutes is not None and (verdict == "reject" or not whole):
            raise Invalid(
                "validated_minutes",
                _("An approval validates from 0 to the %(declared)s minutes that were declared.")
                % {"declared": contribution.minutes},
                param="minutes",
            )
        require_version(contribution, version)
        if contribution.period.charter.consent_days is not None:
            raise Conflict(
                "validated_by_consent",
                _("This charter validates by consent: ask a question, or object with a reason. Nothing was changed."),
            )
        require_state(contribution, *(UNDER_REVIEW if verdict == "reject" else ("declared",)))
        mine = Q(reviewer=actor) | Q(reviewer__merged_into=actor)  # also by an account that is this one now
        if contribution.reviews.filter(mine, version=contribution.version).exists():
            raise Conflict("already_reviewed", _("You have already reviewed this contribution."))
        theirs = Q(objector=actor) | Q(objector__merged_into=actor)
        if verdict == "reject" and contribution.objections.filter(theirs, state="open").exists():
            raise Conflict(
                "own_objection_open",
                _("You object to this contribution: stewards who are not involved decide. Lift your objection first."),
            )
        said = Review.objects.create(
            id=new_id("rev"), contribution=contribution, contributor_id=contribution.contributor_id, reviewer=actor,
            verdict=verdict, reason=reason.strip()[:500], minutes=minutes,
            version=contribution.version, created_at=now,
        )  # fmt: skip
        approvals = contribution.reviews.filter(verdict="approve", version=contribution.version).count()
        before = contribution.state
        if verdict == "reject":
            contribution.state = "rejected"
            end_talk(contribution, now=now, how="lapsed")
        elif approvals >= contribution.period.charter.approvals:
            contribution.state, contribution.validated_at = "validated", now
        if contribution.state != before:
            contribution.save(update_fields=["state", "validated_at"])
            record(
                f"contribution.{contribution.state}", actor=actor, subject=contribution.pk, now=now,
                scopes=[contribution.budget_id], why=said.reason, before={"state": before},
                after={"state": contribution.state},
            )  # fmt: skip
        else:
            record(
                "contribution.reviewed", actor=actor, subject=contribution.pk, now=now,
                scopes=[contribution.budget_id], verdict=verdict, approvals=approvals,
            )  # fmt: skip
        around_commit("contribution.reviewed")
    return said


def validated_minutes(contributions: Iterable[Contribution]) -> dict[str, tuple[int, int]]:
    """Contribution id → (validated minutes, how many validated them): the low median of what its approvals said.

    Nobody approved yet: the declared minutes, by nobody. Less what a closing kept back of them.
    """
    rows = list(contributions)
    approved = Review.objects.filter(
        among("contribution", [one.pk for one in rows]), verdict="approve", version=F("contribution__version")
    )
    said: dict[str, list[int | None]] = {}
    for contribution_id, minutes in approved.values_list("contribution_id", "minutes"):
        said.setdefault(contribution_id, []).append(minutes)
    found = {}
    for one in rows:
        counts = [one.minutes if minutes is None else minutes for minutes in said.get(one.pk, ())]
        validated = median(counts) if counts else one.minutes
        found[one.pk] = (max(0, validated - one.minutes_held), len(counts))
    return found


def withdraw(*, actor: User, contribution_id: str, now: datetime, version: int | None = None) -> Contribution:
    """Take back one's own contribution before a period is closed over it.

    Raises: NotFound; Conflict `contribution_not_open`, `contribution_amended`.
    """
    with transaction.atomic():
        contribution = hold_contribution(actor, contribution_id)
        if contribution.contributor_id != actor.pk:
            raise NotFound("contribution_not_found", _("There is no such contribution."))
        if contribution.state == "withdrawn":
            return contribution
        require_version(contribution, version)
        require_state(contribution, *UNDER_REVIEW, "validated")
        take_back(contribution, now=now)
        record("contribution.withdrawn", actor=actor, subject=contribution.pk, now=now, scopes=[contribution.budget_id])
    return contribution


def take_back(contribution: Contribution, *, now: datetime) -> None:
    """Mark a contribution that the caller holds as withdrawn: its clock stops and what is open on it lapses."""
    contribution.state = "withdrawn"
    contribution.accepted_at = contribution.seconds_left = None
    contribution.save(update_fields=["state", "accepted_at", "seconds_left"])
    end_talk(contribution, now=now, how="lapsed")


def freeze_contributions(*, period: Period, following: Period, now: datetime) -> None:
    """Take the validated contributions of a period into its distribution, in order; leave the others to the next one.

    What nobody objected to in time is validated first, though no sweep came by. The caller holds the period.
    """
    mine = Contribution.objects.select_for_update(of=("self",)).filter(period=period)
    under_way = ["draft", *UNDER_REVIEW, "validated"]
    # A period that was cut leaves the work of the days it lost to the next one, validated or not.
    mine.filter(state__in=under_way, worked_on__gte=period.ends_before).update(period=following)
    for one in mine.filter(state="declared", accepted_at__lte=now).order_by("accepted_at", "pk"):
        accept(one, now=now)
    included = dict(mine.filter(state="validated").order_by("id").values_list("pk", "contributor_id"))
    hold_back(included, charter=period.charter, minutes_of=validated_minutes, now=now)
    # By name: a review committed meanwhile is seen by a new statement, and must not slip in unlisted.
    Contribution.objects.filter(among("pk", included)).update(state="included")
    mine.filter(state__in=under_way).update(period=following)
    if following.charter.consent_days is None:
        clocks: dict[str, Any] = {"accepted_at": None, "seconds_left": None}
        Contribution.objects.filter(period=following, state__in=UNDER_REVIEW).update(**clocks)
    else:
        waiting = Contribution.objects.filter(period=following, state__in=UNDER_REVIEW, accepted_at=None)
        for one in waiting.filter(seconds_left=None).select_related("period__charter"):
            give_clock(one, now=now)


def settle(given: Mapping[str, int]) -> None:
    """Say what each included contribution was given, in minor units, when its distribution is booked.

    One statement for all: `bulk_update` writes a CASE a row, and takes as long as all the rest of a large booking.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE contributions_contribution one SET settled_amount = told.amount, state = 'settled'"
            " FROM unnest(%s::varchar[], %s::bigint[]) told (id, amount) WHERE one.id = told.id",
            [list(given), list(given.values())],
        )
