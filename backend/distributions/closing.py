"""Closes a period: freezes its inputs, then computes the split and publishes it."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from backend.allocation import closing as engine
from backend.commons.models import Budget, Charter, Period
from backend.commons.services import open_next_period, tree_of
from backend.contributions.services import freeze_contributions
from backend.core.errors import Conflict, NotFound
from backend.core.failpoints import around_commit
from backend.core.ids import new_id
from backend.core.nudge import nudge
from backend.core.reads import among
from backend.core.sweep import sweep_rows
from backend.distributions import snapshot
from backend.distributions.models import Distribution, DistributionMove, Share, SharePart
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.services import host_day
from backend.payees.models import Payee
from backend.payees.services import payee_of

BATCH = 1000


def close_period(*, actor: User, period_id: str, now: datetime) -> Distribution:
    """Close an open period: its validated work and the money of its purses are frozen, the next period opens.

    The purses are that of its budget and those of the envelopes that follow its charter. Closed before its last day,
    it ends today; the next one takes the days that were left.

    The computation follows at once in a worker (or `manage.py sweep`). Moves no money. Closing twice gives back the
    first distribution to the person who closed it.
    Raises: NotFound; Forbidden; Conflict `period_not_open` naming who closed it, `period_not_begun`,
        `earlier_period_open`, `distribution_pending`.
    """
    with transaction.atomic():
        period = hold_period(period_id)
        if period is None:
            raise NotFound("period_not_found", _("There is no such period."))
        require(actor, "period.close", scopes=tree_of(period.budget))
        known = Distribution.objects.select_related("prepared_by").filter(period=period).first()
        if known is not None:
            if known.prepared_by_id == actor.pk:
                return known
            day = date_format(host_day(known.prepared_at), "DATE_FORMAT")
            if known.prepared_by is None:
                raise Conflict(
                    "period_not_open",
                    _("This period closed by itself on %(day)s, as its charter says.") % {"day": day},
                )
            raise Conflict(
                "period_not_open",
                _("%(name)s closed this period on %(day)s.") % {"name": known.prepared_by.name, "day": day},
            )
        return freeze_period(period, actor=actor, last=host_day(now), now=now)


def hold_period(period_id: str) -> Period | None:
    """A period, held with the pots its charter sends money to; None when there is none."""
    # Before the period, as everywhere: none of the pots upstream closes unseen between this freeze and its money.
    ruled = Charter.objects.filter(periods=period_id).values_list("document__upstream", flat=True).first()
    targets = Budget.objects.filter(pk__in=[edge["to"] for edge in ruled or []]).order_by("pk")
    list(targets.select_for_update(of=("self",), no_key=True))
    periods = Period.objects.select_for_update(of=("self",)).select_related("budget", "charter")
    return periods.filter(pk=period_id).first()


def freeze_period(period: Period, *, actor: User | None, last: date, now: datetime) -> Distribution:
    """Freeze the inputs of a period that the caller holds; the next one opens.

    Args: actor: who closes it; None when it closes by itself. last: the last day it may have.
    Raises: as `close_period`.
    """
    if period.state != "open":
        raise Conflict("period_not_open", _("This period is not open."))
    budget = period.budget
    freeze_contributions(period=period, following=_end(period, last), now=now)
    frozen = snapshot.inputs(period, period.charter.document)
    distribution = Distribution.objects.create(
        id=new_id("dis"),
        period=period,
        charter=period.charter,
        prepared_by=actor,
        automatic=actor is None,
        prepared_at=now,
        currency=budget.currency,
        pot=sum(purse["held"] for purse in frozen["purses"]),
        inputs=frozen,
    )
    record(
        "period.closed", actor=actor, subject=period.pk, now=now, scopes=[budget.pk], before={"state": "open"},
        after={"state": "closed"},
    )  # fmt: skip
    nudge("distributions.compute")
    around_commit("period.closed")
    return distribution


def _end(period: Period, today: date) -> Period:
    """Freeze a period, cut at the end of that day when it is closed early; gives the one that follows it.

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
    rest = planned if planned > period.ends_before else None
    length = Charter.objects.filter(budget=period.budget_id).latest("version").document["period"]
    if length is not None and length != period.charter.document["period"]:
        rest = None  # a new length of periods begins with the next one, whatever days were left of this one
    return open_next_period(after=period, ends_before=rest)


def compute_due(now: datetime) -> int:
    """Compute the distributions that are frozen; returns how many."""
    return sweep_rows(Distribution.objects.filter(state="frozen"), lambda row: _compute(row, now))


def _compute(distribution: Distribution, now: datetime) -> None:
    period = Period.objects.select_for_update(of=("self",)).get(pk=distribution.period_id)
    distribution.trace = computed(distribution)
    distribution.digest = distribution.trace["result_sha256"]
    _write_shares(distribution, now)
    DistributionMove.objects.bulk_create(
        DistributionMove(
            distribution=distribution, kind=move["kind"], source_id=move["from"], target_id=move["to"],
            amount=move["amount"],
        )
        for move in distribution.trace["moves"]
        if move["amount"]
    )  # fmt: skip
    distribution.state = "published"
    distribution.published_at = now
    distribution.save(update_fields=["trace", "digest", "state", "published_at"])
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


def computed(distribution: Distribution) -> dict[str, Any]:
    """The trace that the frozen inputs and the charter of a distribution give: the same, however often."""
    charter = distribution.charter
    return trace_of(
        charter.document,
        distribution.inputs,
        pot=distribution.period.budget_id,
        period=distribution.period_id,
        currency=distribution.currency,
        charter={"id": charter.pk, "version": charter.version},
    )


def trace_of(
    document: Mapping[str, Any],
    frozen: Mapping[str, Any],
    *,
    pot: str,
    period: str,
    currency: str,
    charter: Mapping[str, Any],
    **said: Any,
) -> dict[str, Any]:
    """What the engine makes of a charter and of inputs.

    Args: charter: id and version of what was adopted. said: what else the trace says, covered by its digest.
    Raises: AllocationError when the document or the inputs cannot be computed with.
    """
    context = {**said, "charter": dict(charter), "currency": currency}
    return engine.compute(document, frozen, pot=pot, period=period, context=context)


def _write_shares(distribution: Distribution, now: datetime) -> None:
    """One share a person who was given something, asked for something or worked; its parts by purse."""
    assert distribution.trace is not None
    worked = {line["person"] for line in distribution.inputs["lines"]}
    rows = [row for row in distribution.trace["persons"] if row["cents"] or row["claim"] or row["id"] in worked]
    people = {row["id"] for row in rows}
    payees = dict(Payee.objects.filter(among("user", people), is_default=True).values_list("user_id", "pk"))
    for person in User.objects.filter(among("pk", people - payees.keys())).order_by("pk"):
        payees[person.pk] = payee_of(person, now=now).pk
    Share.objects.bulk_create(
        (
            Share(
                id=new_id("shr"),
                distribution=distribution,
                contributor_id=row["id"],
                payee_id=payees[row["id"]],
                asked=row["claim"],
                amount=row["cents"],
            )
            for row in rows
        ),
        batch_size=BATCH,
    )
    write_parts(distribution, rows)


def write_parts(distribution: Distribution, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write what of each share comes from which purse, as the persons of the trace say."""
    shares = dict(distribution.shares.values_list("contributor_id", "pk"))
    SharePart.objects.bulk_create(
        (
            SharePart(share_id=shares[row["id"]], budget_id=purse, amount=cents)
            for row in rows
            for purse, cents in sorted(row["by_purse"].items())
            if cents
        ),
        batch_size=BATCH,
    )


def settled_lines(stored: Mapping[str, Any]) -> dict[str, int]:
    """Contribution id → cents it was given, read from a trace."""
    return {line: cents for row in stored["persons"] for line, cents in row["per_contribution"].items()}
