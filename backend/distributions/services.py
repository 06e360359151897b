"""Closes a period: freezes its inputs, computes the split, and books it once another person approved."""

from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from backend.allocation import rules, trace
from backend.commons.models import Budget, Period
from backend.commons.services import charter_of, open_next_period, tree_of
from backend.contributions.models import Contribution
from backend.contributions.services import freeze_contributions
from backend.core.errors import Conflict, Forbidden, NotFound
from backend.core.failpoints import around_commit
from backend.core.ids import new_id
from backend.core.nudge import nudge
from backend.core.sweep import sweep_rows
from backend.distributions.models import Distribution, Share
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.services import host_day
from backend.ledger import chart
from backend.ledger.services import Line, balance, open_account, post
from backend.payees.services import archive_names, payee_of


def close_period(*, actor: User, period_id: str, now: datetime) -> Distribution:
    """Close an open period: its validated contributions and the pot's money are frozen, the next period opens.

    Closed before its last day, it ends today; the next one takes the days that were left.

    The computation follows at once in a worker (or `manage.py sweep`). Moves no money. Closing twice gives back the
    first distribution to the person who closed it.
    Raises: NotFound; Forbidden; Conflict `period_not_open` naming who closed it, `period_not_begun`,
        `earlier_period_open`, `distribution_pending`.
    """
    with transaction.atomic():
        period = Period.objects.select_for_update(of=("self",)).select_related("budget").filter(pk=period_id).first()
        if period is None:
            raise NotFound("period_not_found", _("There is no such period."))
        budget = period.budget
        require(actor, "period.close", scopes=tree_of(budget))
        known = Distribution.objects.select_related("prepared_by").filter(period=period).first()
        if known is not None:
            if known.prepared_by_id == actor.pk:
                return known
            raise Conflict(
                "period_not_open",
                _("%(name)s closed this period on %(day)s.")
                % {"name": known.prepared_by.name, "day": date_format(host_day(known.prepared_at), "DATE_FORMAT")},
            )
        if period.state != "open":
            raise Conflict("period_not_open", _("This period is not open."))
        included = freeze_contributions(period=period, following=_end(period, host_day(now)))
        distribution = Distribution.objects.create(
            id=new_id("dis"),
            period=period,
            charter=charter_of(budget),
            prepared_by=actor,
            prepared_at=now,
            currency=budget.currency,
            pot=_pot(budget),
            inputs=[{"contribution": one.pk, "person": one.contributor_id, "claim": one.amount} for one in included],
        )
        record("period.closed", actor=actor, subject=period.pk, now=now, scopes=[budget.pk])
        nudge("distributions.compute")
        around_commit("period.closed")
    return distribution


def _pot(budget: Budget) -> int:
    """What a budget can share, minor units: what it holds, less what it owes the host since money was taken back."""
    held = balance(kind="budget", owner=budget.pk, currency=budget.currency)
    return max(0, held - balance(kind="deficit", owner=budget.pk, currency=budget.currency))


def about_to_be_shared(budget: Budget) -> int:
    """What closed periods of a budget will take from it once they are approved, minor units."""
    waiting = Distribution.objects.filter(period__budget=budget).exclude(state="booked")
    shares = Share.objects.filter(distribution__in=waiting.filter(state="published"))
    frozen = waiting.filter(state="frozen").aggregate(total=Sum("pot"))["total"] or 0
    return int(frozen + (shares.aggregate(total=Sum("amount"))["total"] or 0))


def _end(period: Period, today: date) -> Period:
    """Freeze a period, cut at the end of today when it is closed early; gives the one that follows it.

    Raises: Conflict `period_not_begun`, `earlier_period_open`, `distribution_pending`.
    """
    if period.starts_on > today:
        raise Conflict("period_not_begun", _("This period has not begun: there is nothing to close yet."))
    if Period.objects.filter(budget=period.budget, state="open", starts_on__lt=period.starts_on).exists():
        raise Conflict("earlier_period_open", _("An earlier period is still open: close that one first."))
    if Distribution.objects.filter(period__budget=period.budget).exclude(state="booked").exists():
        raise Conflict(
            "distribution_pending",
            _("The distribution of an earlier period awaits its approval: its money cannot be shared twice."),
        )
    planned = period.ends_before
    period.ends_before = min(planned, today + timedelta(days=1))
    period.state = "frozen"
    period.save(update_fields=["state", "ends_before"])
    return open_next_period(after=period, ends_before=planned if planned > period.ends_before else None)


def compute_due(now: datetime) -> int:
    """Compute the distributions that are frozen; returns how many."""
    return sweep_rows(Distribution.objects.filter(state="frozen"), lambda row: _compute(row, now))


def _compute(distribution: Distribution, now: datetime) -> None:
    period = Period.objects.select_for_update(of=("self",)).get(pk=distribution.period_id)
    lines = [rules.Line(one["contribution"], one["person"], one["claim"]) for one in distribution.inputs]
    seed = f"{period.budget_id}|{period.pk}|general"
    result = rules.distribute(distribution.charter.rule, distribution.pot, lines, seed)
    charter = distribution.charter
    distribution.trace = trace.trace(
        result,
        context={
            "charter": {"id": charter.pk, "version": charter.version},
            "pot": period.budget_id,
            "period": period.pk,
            "currency": distribution.currency,
            "snapshot_sha256": trace.digest({"pot": distribution.pot, "lines": distribution.inputs}),
        },
    )
    distribution.digest = distribution.trace["result_sha256"]
    people = User.objects.in_bulk([share.person for share in result.shares])
    Share.objects.bulk_create(
        Share(
            id=new_id("shr"),
            distribution=distribution,
            contributor=people[share.person],
            payee=payee_of(people[share.person], now=now),
            asked=share.claim,
            amount=share.cents,
        )
        for share in result.shares
    )
    distribution.state = "published"
    distribution.save(update_fields=["trace", "digest", "state"])
    # The charter's delay for objections comes with its own issue: publication follows computation.
    period.state = "published"
    period.save(update_fields=["state"])
    record(
        "distribution.published",
        actor=None,
        subject=distribution.pk,
        now=now,
        scopes=[period.budget_id],
        digest=distribution.digest,
    )
    around_commit("distribution.published")


def approve(*, actor: User, distribution_id: str, digest: str, now: datetime) -> Distribution:
    """Approve the computed split of someone else, exactly as shown, and book what is owed to each payee.

    Args: digest: that of the computation that was read.
    Returns: the distribution. The ledger moved: budget +total, each payee −their share. Twice is once.
    Raises: NotFound; Forbidden `own_distribution`, `paid_by_distribution`; Conflict `distribution_not_ready`,
        `distribution_changed`, `distribution_approved` naming who, `purse_short`.
    """
    with transaction.atomic():
        distribution = (
            Distribution.visible_to(actor)
            .select_related("period__budget", "approved_by")
            .select_for_update(of=("self",))
            .filter(pk=distribution_id)
            .first()
        )
        if distribution is None:
            raise NotFound("distribution_not_found", _("There is no such distribution."))
        budget = distribution.period.budget
        require(actor, "distribution.approve", scopes=tree_of(budget))
        if distribution.state == "booked":
            if distribution.approved_by_id == actor.pk:
                return distribution
            raise Conflict(
                "distribution_approved",
                _("%(name)s has already approved this distribution. It is booked once.")
                % {"name": distribution.approved_by.name if distribution.approved_by else "?"},
            )
        if distribution.state != "published":
            raise Conflict("distribution_not_ready", _("The computation is not finished: try again in a moment."))
        if distribution.prepared_by_id == actor.pk:
            raise Forbidden(
                "own_distribution", _("You closed this period: another person must approve its distribution.")
            )
        shares = list(distribution.shares.select_related("payee").order_by("id"))
        if any(share.contributor_id == actor.pk and share.amount for share in shares):
            raise Forbidden(
                "paid_by_distribution", _("You are paid by this distribution: another person must approve it.")
            )
        if digest != distribution.digest or not _sound(distribution):
            raise Conflict("distribution_changed", _("This is not the computation you read: open the page again."))
        _book(distribution, budget, shares, now)
        distribution.state = "booked"
        distribution.approved_by = actor
        distribution.approved_at = now
        distribution.save(update_fields=["state", "approved_by", "approved_at"])
        period = Period.objects.select_for_update(of=("self",)).get(pk=distribution.period_id)
        period.state = "booked"
        period.save(update_fields=["state"])
        record(
            "distribution.approved",
            actor=actor,
            subject=distribution.pk,
            now=now,
            scopes=[budget.pk],
            total=sum(share.amount for share in shares),
            currency=distribution.currency,
        )
        around_commit("distribution.approved")
    return distribution


def _sound(distribution: Distribution) -> bool:
    """Whether the stored trace gives its digest and the very cents of the shares, recomputed from it alone."""
    stored = distribution.trace or {}
    try:
        return (
            trace.verify(stored)
            and stored["result_sha256"] == distribution.digest
            and trace.rebuild(stored) == dict(distribution.shares.values_list("contributor_id", "amount"))
        )
    except (trace.TraceMismatch, KeyError):
        return False


def _book(distribution: Distribution, budget: Budget, shares: list[Share], now: datetime) -> None:
    """One entry: the budget buys the work, each payee is owed; then each contribution knows its cents."""
    total = sum(share.amount for share in shares)
    if total:
        lines = [
            Line(open_account(kind="budget", owner=budget.pk, currency=distribution.currency), total, chart.SERVICES)
        ]
        lines += [
            Line(
                open_account(kind="payee", owner=share.payee_id, currency=distribution.currency),
                -share.amount,
                chart.SUPPLIER,
            )
            for share in shares
            if share.amount
        ]
        archive_names([share.payee_id for share in shares if share.amount], now=now)
        post(
            kind="distribution.approved",
            scope="distribution",
            key=distribution.period_id,
            reference=distribution.pk,
            happened_on=host_day(now),
            lines=lines,
            now=now,
        )
    Share.objects.filter(distribution=distribution, amount=0).update(state="paid")
    contributions = Contribution.objects.in_bulk([one["contribution"] for one in distribution.inputs])
    for contribution_id, cents in settled_lines(distribution.trace or {}).items():
        contributions[contribution_id].settled_amount = cents
        contributions[contribution_id].state = "settled"
    Contribution.objects.bulk_update(contributions.values(), ["settled_amount", "state"], batch_size=500)


def settled_lines(stored: dict[str, Any]) -> dict[str, int]:
    """Contribution id → cents it was given, read from a trace."""
    return {
        line["contribution"]: cents
        for step in stored["steps"]
        for person in step["persons"]
        for line, cents in zip(person["lines"], person["per_line_cents"], strict=True)
    }


def owed_to(user: User) -> list[Share]:
    """The shares of a person that are booked, newest first."""
    return list(
        Share.objects.filter(contributor=user, distribution__state="booked")
        .select_related("distribution__period__budget")
        .order_by("-id")
    )


def last_day(period: Period) -> Any:
    """The last calendar day of a period."""
    return period.ends_before - timedelta(days=1)
