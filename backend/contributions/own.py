"""What contributors do with their own work: drafts, many at once, amendments, what they give up."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.commons.services import hold_periods, require_open_period, ruling_budget
from backend.contributions.facts import require_facts_of_day
from backend.contributions.models import Contribution
from backend.contributions.of_commits import kind_chosen, require_decided
from backend.contributions.peers import (
    UNDER_REVIEW,
    end_talk,
    hold_contribution,
    require_state,
    require_version,
    start_clock,
)
from backend.contributions.services import (
    declare,
    may_declare,
    require_budget_open,
    require_within_charter,
)
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.money import require_amount
from backend.core.text import folded
from backend.events.services import record
from backend.identity.models import User

MAX_BATCH = 500
A_DAY = timedelta(days=1)
AMENDABLE = (
    "worked_on", "kind", "minutes", "amount", "description", "evidence", "over_cap_reason", "metadata",
)  # fmt: skip


class InBatch(Invalid):
    """Some of many were refused, so none was kept: (place in the batch, refusal) of each."""

    def __init__(self, refused: Sequence[tuple[int, DomainError]]) -> None:
        """The first refusal gives the sentence."""
        place, first = refused[0]
        super().__init__(
            "batch_refused",
            _("Item %(number)s was refused: %(why)s Nothing was kept of the batch.")
            % {"number": place + 1, "why": str(first.message)},
            param=f"{place}/{first.param}" if first.param else str(place),
        )
        self.refused = list(refused)
        self.within = tuple(one for _place, one in refused)


def require_own(actor: User, contribution: Contribution) -> None:
    """Refuse what is somebody else's.

    Raises: Forbidden `contribution_of_another`.
    """
    if contribution.contributor_id != actor.pk:
        raise Forbidden(
            "contribution_of_another",
            _("Only its contributor does this. Others question it, or object to it. Nothing was changed."),
        )


def _own(actor: User, contribution_id: str) -> Contribution:
    contribution = hold_contribution(actor, contribution_id)
    require_own(actor, contribution)
    return contribution


def hold_with_periods(actor: User, contribution_id: str) -> Contribution:
    """As `hold_contribution`, for what may give one's own work another period: those are held first.

    A closing takes its period, then the work of it: the other way round, each would wait for the other.
    """
    told = Contribution.objects.select_related("budget__parent").filter(pk=contribution_id, contributor=actor).first()
    if told is not None:
        hold_periods(ruling_budget(told.budget))
    return hold_contribution(actor, contribution_id)


@transaction.atomic
def amend(
    *, actor: User, contribution_id: str, changes: Mapping[str, Any], now: datetime, version: int | None = None
) -> Contribution:
    """Change one's own contribution before it is validated: approvals of the earlier version no longer count.

    Open questions and objections end, the clock of consent starts again. A draft is changed without a new version.
    Args: changes: some of `AMENDABLE`, amount in minor units. version: the one that was read; another is refused.
    Raises: NotFound; Forbidden `contribution_of_another`; Invalid as `declare`; Conflict `contribution_not_open`,
        `contribution_amended`, `period_closed`, `budget_not_open`.
    """
    contribution = hold_with_periods(actor, contribution_id)
    require_own(actor, contribution)
    require_version(contribution, version)
    if contribution.accepted_at is not None and contribution.accepted_at <= now:
        raise Conflict(
            "consent_given", _("The time to object has passed: nobody objected, and the contribution is validated.")
        )
    require_state(contribution, "draft", *UNDER_REVIEW)
    unknown = sorted(set(changes) - set(AMENDABLE))
    if unknown:
        raise Invalid("not_amendable", _("This cannot be changed after the declaration."), param=unknown[0])
    facts = {name: changes.get(name, getattr(contribution, name)) for name in AMENDABLE}
    facts["description"] = facts["description"].strip()
    facts["over_cap_reason"] = facts["over_cap_reason"].strip()
    facts["evidence"] = list(facts["evidence"])
    before = {name: getattr(contribution, name) for name in AMENDABLE}
    if "kind" in changes:
        kind_chosen(contribution)
    if facts == before:
        return contribution
    _require_declarable(contribution, facts, now=now)
    # What was given up and is asked again was not given.
    contribution.waived = max(0, contribution.waived - max(0, facts["amount"] - contribution.amount))
    for name, value in facts.items():
        setattr(contribution, name, value)
    if contribution.state == "draft":
        contribution.save()
        return contribution
    contribution.version += 1
    contribution.state = "declared"
    start_clock(contribution, now=now)
    contribution.save()
    end_talk(contribution, now=now, how="amended")
    told = ("worked_on", "kind", "minutes", "amount")
    record(
        "contribution.amended", actor=actor, subject=contribution.pk, now=now, scopes=[contribution.budget_id],
        before={name: str(before[name]) for name in told if before[name] != facts[name]},
        after={name: str(facts[name]) for name in told if before[name] != facts[name]},
        amount=contribution.amount, currency=contribution.currency, version=contribution.version,
    )  # fmt: skip
    return contribution


def _require_declarable(contribution: Contribution, facts: dict[str, Any], *, now: datetime) -> None:
    """What `declare` asks of the same facts, now; sets the period of the day."""
    require_facts_of_day(facts, now=now)
    budget = contribution.budget
    # Work that waited for a closed period stays in the one it went to.
    if contribution.state == "draft" or facts["worked_on"] != contribution.worked_on:
        contribution.period = require_open_period(budget, day=facts["worked_on"])
    require_budget_open(budget)
    require_within_charter(
        contribution.period.charter, kind=facts["kind"], amount=facts["amount"], why=facts["over_cap_reason"],
        currency=contribution.currency,
    )  # fmt: skip


# --- drafts -----------------------------------------------------------------------------------------------------------


def draft(
    *,
    contributor: User,
    budget: Budget,
    facts: Mapping[str, Any],
    source: str,
    form_key: str,
    now: datetime,
    alike: Callable[[], Contribution | None] = lambda: None,
    most_a_day: int | None = None,
) -> Contribution:
    """Note for somebody what they may have done: seen by them alone, declared by nobody but them.

    Args: facts: `worked_on`, `description` and, where known, `kind`, `minutes`, `amount`, `evidence`, `metadata`.
        source: id of what told it. form_key: a repetition gives back the first one, as it is now. alike: what stands
        for the same work already, which is then given back. most_a_day: undecided drafts of such sources that one may
        have of a day.
    Raises: Forbidden `not_allowed` when the person may not declare there; Conflict `drafts_full`; Conflict, Invalid
        when no period is open.
    """
    if not may_declare(contributor, budget):
        raise Forbidden("not_allowed", _("Your roles do not allow this. Nothing was changed."))
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=contributor.pk)  # the same told twice at once makes one
        first = Contribution.objects.filter(contributor=contributor, form_key=form_key).first() or alike()
        if first is not None:
            return first
        undecided = Contribution.objects.filter(contributor=contributor, state="draft", created_at__gt=now - A_DAY)
        if most_a_day is not None and undecided.filter(source__startswith=source[:4]).count() >= most_a_day:
            raise Conflict("drafts_full", _("Too many drafts of one day wait for this person already."))
        period = require_open_period(budget, day=facts["worked_on"])
        kinds = list(period.charter.kinds)
        kind = str(facts.get("kind", ""))
        return Contribution.objects.create(
            id=new_id("ctr"), budget=budget, period=period, contributor=contributor, worked_on=facts["worked_on"],
            kind=kind if kind in kinds else kinds[0], minutes=facts.get("minutes", 0), amount=facts.get("amount", 0),
            description=facts["description"], evidence=list(facts.get("evidence", ())), currency=budget.currency,
            metadata=dict(facts.get("metadata", {})), state="draft", source=source, form_key=form_key, created_at=now,
        )  # fmt: skip


@transaction.atomic
def declare_draft(*, actor: User, contribution_id: str, now: datetime) -> Contribution:
    """Declare a draft of one's own, as it stands, against its budget.

    Raises: NotFound; Conflict `contribution_not_open`, `commit_declared`; Invalid `kind_to_choose`; as `declare`.
    """
    contribution = hold_with_periods(actor, contribution_id)
    require_own(actor, contribution)
    require_state(contribution, "draft")
    require_decided(contribution)
    if not may_declare(actor, contribution.budget):
        raise Forbidden(
            "not_allowed", _("Your roles do not allow this. Nothing was changed."), action="contribution.declare"
        )
    _require_declarable(contribution, {name: getattr(contribution, name) for name in AMENDABLE}, now=now)
    contribution.state = "declared"
    start_clock(contribution, now=now)
    contribution.save()
    record(
        "contribution.declared", actor=actor, subject=contribution.pk, now=now, scopes=[contribution.budget_id],
        amount=contribution.amount, currency=contribution.currency,
    )  # fmt: skip
    return contribution


@transaction.atomic
def delete_draft(*, actor: User, contribution_id: str, version: int | None = None) -> None:
    """Delete a draft of one's own: nobody but its contributor ever saw it.

    Raises: NotFound; Conflict `contribution_not_open`: what was declared is withdrawn, and stays to be seen.
    """
    contribution = _own(actor, contribution_id)
    require_version(contribution, version)
    require_state(contribution, "draft")
    contribution.delete()


def same_as(
    *, actor: User, budget: Budget, worked_on: date, kind: str, minutes: int, description: str
) -> Contribution | None:
    """One's contribution that says the very same work of the same day, if there is one that stands."""
    told = Contribution.objects.filter(
        contributor=actor, budget=budget, worked_on=worked_on, kind=kind, minutes=minutes, remainder_of=None
    ).exclude(state__in=["draft", "withdrawn", "rejected"])
    words = folded(description)
    return next((one for one in told.order_by("pk") if folded(one.description) == words), None)


# --- giving up --------------------------------------------------------------------------------------------------------


@transaction.atomic
def waive(
    *,
    actor: User,
    contribution_id: str,
    now: datetime,
    amount: int | None = None,
    currency: str | None = None,
    version: int | None = None,
) -> Contribution:
    """Give up all or part of what one asked; the work stays visible, as volunteering. Moves no money.

    Args: amount: minor units given up; None: all that is asked, and the contribution takes no part in any sharing.
        currency: that the amount was said in, where it was.
    Raises: NotFound; Forbidden `contribution_of_another`; Invalid `waived_amount`; Conflict `contribution_not_open`,
        `contribution_amended`.
    """
    contribution = _own(actor, contribution_id)
    require_version(contribution, version)
    if contribution.state == "waived" and amount is None:
        return contribution
    require_state(contribution, *UNDER_REVIEW, "validated")
    if contribution.kind == "expense" and amount is None:
        # An expense is an amount: without it nothing is left to see but the paper.
        raise Conflict("expense_not_waived", _("An expense is withdrawn, or waived in part. Nothing was changed."))
    if amount is not None:
        require_amount(amount, minimum=1)
        if currency not in {None, contribution.currency}:
            raise Invalid(
                "other_currency",
                _("This pot is kept in %(currency)s: ask in that currency.") % {"currency": contribution.currency},
                param="currency",
            )
        if amount >= contribution.amount:
            raise Invalid(
                "waived_amount",
                _("Give up less than what is asked, or all of it by leaving the amount out."),
                param="amount",
            )
    given_up = contribution.amount if amount is None else amount
    before = {"state": contribution.state, "amount": contribution.amount}
    contribution.amount -= given_up
    contribution.waived += given_up
    if amount is None:
        contribution.state = "waived"
        contribution.accepted_at = contribution.seconds_left = None
        end_talk(contribution, now=now, how="lapsed")
    contribution.save()
    record(
        "contribution.waived", actor=actor, subject=contribution.pk, now=now, scopes=[contribution.budget_id],
        before=before, after={"state": contribution.state, "amount": contribution.amount}, amount=given_up,
        currency=contribution.currency,
    )  # fmt: skip
    return contribution


# --- many at once -----------------------------------------------------------------------------------------------------


@transaction.atomic
def declare_many(
    *,
    actor: User,
    items: Sequence[Mapping[str, Any]],
    form_key: str,
    now: datetime,
    budget_of: Callable[[str], Budget],
) -> list[Contribution]:
    """Declare many contributions of one's own, all or none.

    Args: items: 1 to 500, each with `budget` (an id) and what `declare` takes. form_key: of the whole batch.
        budget_of: id → budget, or NotFound. Raises: Invalid `batch_size`; InBatch with each item that was refused.
    """
    if not 1 <= len(items) <= MAX_BATCH:
        raise Invalid("batch_size", _("Send 1 to 500 contributions at once."), param="items")
    made: list[Contribution] = []
    refused: list[tuple[int, DomainError]] = []
    budgets: dict[str, Budget | DomainError] = {}
    for name in dict.fromkeys(str(item["budget"]) for item in items):
        try:
            budgets[name] = budget_of(name)
        except NotFound as missing:
            budgets[name] = missing
    # One order for all: two batches never wait for each other, nor one for a closing that waits for it.
    mine = [one for one in budgets.values() if isinstance(one, Budget) and may_declare(actor, one)]
    for ruling in sorted({ruling_budget(one) for one in mine}, key=lambda one: one.pk):
        hold_periods(ruling)
    for place, item in enumerate(items):
        facts = dict(item)
        try:
            budget = budgets[str(facts.pop("budget"))]
            if isinstance(budget, DomainError):
                raise budget
            made.append(declare(actor=actor, budget=budget, form_key=f"{form_key[:58]}:{place}", now=now, **facts))
        except DomainError as refusal:
            refused.append((place, refusal))
    if refused:
        raise InBatch(refused)
    return made
