"""What a closing computes from: the money of its purses, the validated work, what was given before. Reads only."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet, Sum

from backend.allocation.closing import counted_by
from backend.allocation.rules import RULES
from backend.allocation.terms import reads_claims
from backend.commons.models import Budget, Period
from backend.commons.services import following, ruling_budget
from backend.contributions.holding_back import Bearer, keep_back, waiting_for
from backend.contributions.models import Contribution
from backend.contributions.services import validated_minutes
from backend.distributions.models import Distribution, DistributionMove, Share, SharePart
from backend.ledger.services import balance, balances, receipts_of

OVER = ("closed", "archived")
TAKEN_IN = ("included", "settled")  # states of the contributions of a closed period that it shares
RECEIVING = ("draft", "open", "suspended")  # states of a pot that money can be sent to
CLAIM_RULES = frozenset(name for name, rule in RULES.items() if rule.tie == "claim")  # those that read requests
READ = (
    "contributor", "budget", "kind", "minutes", "minutes_held", "amount", "validated_at", "accepted_at", "created_at",
)  # fmt: skip # what the computation reads of a contribution
KINDS_OF_RECEIPTS = ("payment.received", "upstream.received")


@dataclass(frozen=True)
class Foreseen:
    """What a closing would compute from: as `inputs`, and person → (minutes, minor units) it would keep back."""

    inputs: dict[str, Any]
    kept_back: dict[str, tuple[int, int]]


def inputs(period: Period, document: Mapping[str, Any]) -> dict[str, Any]:
    """All that the computation of a closed period reads, as JSON: ids, whole numbers and texts.

    For a closing the caller holds the lock of the period, so that no receipt, transfer or review passes meanwhile.
    Args: document: the charter; it says how far back earlier work and pay are read.
    """
    return _inputs(period, document, _lines(Contribution.objects.filter(period=period, state__in=TAKEN_IN)))


def foreseen(
    period: Period,
    document: Mapping[str, Any],
    *,
    now: datetime,
    include_declared: bool = False,
    imagined: Sequence[Mapping[str, Any]] = (),
) -> Foreseen:
    """What the computation of an open period would read if it were closed now under a charter. Writes nothing.

    As a closing does, it takes what nobody objected to in time for validated, and keeps back what people were given
    too much earlier.
    Args: include_declared: count work that awaits its review as if it were validated as declared. imagined: lines of
        work that is not there, without their rank: they come last.
    """
    counts = Q(state="validated") | Q(state="declared", accepted_at__lte=now)
    if include_declared:
        counts |= Q(state__in=["declared", "questioned"])
    lines = _lines(Contribution.objects.filter(counts, period=period), now=now)
    lines += [{**line, "rank": rank} for rank, line in enumerate(imagined, start=len(lines) + 1)]
    work = [
        Bearer(line["contribution"], line["person"], line["purse"], line["kind"], line["validated"], line["claim"])
        for line in lines
    ]
    kept = keep_back(
        work,
        waiting_for({line["person"] for line in lines}),
        by_amount=lambda kind: reads_claims(document["tiers"], kind),
    )
    for line, one in zip(lines, work, strict=True):
        line["validated"], line["claim"] = one.minutes, one.amount
    totals: dict[str, tuple[int, int]] = {}
    for part in kept:
        minutes, amount = totals.get(part.adjustment.contributor_id, (0, 0))
        totals[part.adjustment.contributor_id] = (minutes + part.minutes, amount + part.amount)
    return Foreseen(_inputs(period, document, lines), totals)


def _inputs(period: Period, document: Mapping[str, Any], lines: list[dict[str, Any]]) -> dict[str, Any]:
    ruling = period.budget
    history, counted = earlier(period, document)
    return {
        "purses": _purses(ruling, {line["purse"] for line in lines}),
        "lines": lines,
        "counted": counted,
        "history": history,
        "owed": _owed(ruling),
        "closed_targets": closed_targets(document),
    }


def shareable(budget: Budget) -> int:
    """What a budget can share, minor units: what it holds, less what it owes the host since money was taken back and
    what closed periods are about to share."""
    held = balance(kind="budget", owner=budget.pk, currency=budget.currency)
    deficit = balance(kind="deficit", owner=budget.pk, currency=budget.currency)
    return max(0, held - deficit - about_to_be_shared(budget))


def about_to_be_shared(budget: Budget) -> int:
    """What closed periods will take from the purse of a budget once they are approved, minor units."""
    published = Q(share__distribution__state="published")
    parts = SharePart.objects.filter(published, budget=budget).aggregate(total=Sum("amount"))["total"] or 0
    moves = DistributionMove.objects.filter(distribution__state="published")
    out = moves.filter(source=budget).aggregate(total=Sum("amount"))["total"] or 0
    back = moves.filter(target=budget, kind="release").aggregate(total=Sum("amount"))["total"] or 0
    frozen = Distribution.objects.filter(state="frozen", period__budget=ruling_budget(budget))
    waiting = sum(
        purse["held"] for row in frozen for purse in row.inputs["purses"] if purse["id"] == budget.pk
    )  # fmt: skip
    return max(0, int(parts + out - back + waiting))  # what an envelope gives back comes in the same booking


def about_to_receive(budget: Budget) -> bool:
    """Whether a closed period whose distribution is not booked yet will send money upstream to this budget."""
    edge = [{"to": budget.pk}]
    frozen = Distribution.objects.filter(state="frozen", charter__document__upstream__contains=edge)
    moves = DistributionMove.objects.filter(distribution__state="published", kind="upstream", target=budget)
    return frozen.exists() or moves.exists()  # in this order: one that is computed meanwhile is seen by the second


def closed_targets(document: Mapping[str, Any]) -> list[str]:
    """The pots upstream that no longer take money: their edges give nothing."""
    wanted = [edge["to"] for edge in document["upstream"]]
    alive = set(Budget.objects.filter(pk__in=wanted, state__in=RECEIVING).values_list("pk", flat=True))
    return sorted(set(wanted) - alive)


def _purses(ruling: Budget, worked_for: set[str]) -> list[dict[str, Any]]:
    """The purse of the ruling budget, then those of the budgets that follow it: what each can share.

    Envelopes that are over, hold nothing and have no work are left out.
    """
    tree = following(ruling)
    owners = [one.pk for one in tree]
    held, lacking, reserves = (balances(kind=kind, owners=owners) for kind in ("budget", "deficit", "reserve"))
    shared = Distribution.objects.filter(period__budget=ruling).exclude(state="booked").exists()
    purses: list[dict[str, Any]] = []
    needed = {ruling.pk}
    for one in reversed(tree):  # those below come first: an envelope stays as long as one below it does
        key = (one.pk, one.currency)
        money = held.get(key, 0) - lacking.get(key, 0) - (about_to_be_shared(one) if shared else 0)
        if money > 0 or reserves.get(key) or one.pk in worked_for or one.state not in OVER or one.pk in needed:
            needed.add(one.parent_id or one.pk)
            purses.append(
                {
                    "id": one.pk,
                    "parent": None if one.pk == ruling.pk else one.parent_id,
                    "held": max(0, money),
                    "receipts": _receipts(ruling) if one.pk == ruling.pk else [],
                    "reserve": reserves.get(key, 0),
                }
            )
    return purses[::-1]


def _receipts(ruling: Budget) -> list[dict[str, Any]]:
    """What came into the general purse since its last closing: all that ever came, less what earlier closings counted.

    By differences and not by dates: a receipt that was being booked during a closing is counted once, in the next.
    """
    known: dict[str, list[int]] = {kind: [0, 0, 0] for kind in KINDS_OF_RECEIPTS}
    for kind, found in receipts_of(owner=ruling.pk, currency=ruling.currency).items():
        known[kind] = [found.count, found.gross, found.fees]
    for row in Distribution.objects.filter(period__budget=ruling).values_list("inputs__purses", flat=True):
        for receipt in row[0]["receipts"]:
            before = (receipt["count"], receipt["gross"], receipt["fees"])
            known[receipt["kind"]] = [now - then for now, then in zip(known[receipt["kind"]], before, strict=True)]
    return [
        {"kind": kind, "count": max(0, count), "gross": gross, "fees": fees}
        for kind, (count, gross, fees) in known.items()
        if count or gross or fees
    ]


def _lines(work: "QuerySet[Contribution]", *, now: datetime | None = None) -> list[dict[str, Any]]:
    """The work that counts, in the order of its validation; what awaits its review comes last.

    Args: now: when a closing would validate what nobody objected to by then.
    """
    rows = list(work.only(*READ))
    validated = validated_minutes(rows)
    for row in rows:
        if now is not None and row.accepted_at is not None and row.accepted_at <= now:
            row.validated_at = row.accepted_at
    rows.sort(key=lambda row: (row.validated_at is None, row.validated_at or row.created_at, row.pk))
    return [
        {
            "contribution": row.pk,
            "person": row.contributor_id,
            "purse": row.budget_id,
            "kind": row.kind,
            "declared": row.minutes,
            "validated": validated[row.pk][0],
            "validators": validated[row.pk][1],
            "claim": row.amount,
            "rank": rank,
            "age": 0,
        }
        for rank, row in enumerate(rows, start=1)
    ]


def earlier(period: Period, document: Mapping[str, Any]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Work of earlier booked distributions of the same budget, by person, kind and age in periods; and what each
    person was given in them, reimbursements left out.

    As far back as the charter reads: its table of decay for `weighted`, its number of periods for `catch_up`.
    """
    rules = {tier["rule"] for tier in document["tiers"]}
    decay = len(document["decay_ppm"]) - 1 if "weighted" in rules else 0
    caught_up = "catch_up" in rules
    last: int | None = document["catch_up_periods"] if caught_up else 0
    if not decay and not caught_up:
        return [], {}
    deepest = None if last is None else max(decay, last)
    booked = Distribution.objects.filter(
        state="booked", period__budget=period.budget_id, period__starts_on__lt=period.starts_on
    ).order_by("-period__starts_on")
    minutes: dict[tuple[str, str, int], int] = defaultdict(int)
    counted: dict[str, int] = defaultdict(int)
    for age, row in enumerate(booked[:deepest], start=1):
        for line in row.inputs["lines"]:
            minutes[line["person"], line["kind"], age] += line["validated"]
        if caught_up and (last is None or age <= last):
            for person, cents in given(row).items():
                counted[person] += cents
    history = [
        {"person": person, "kind": kind, "minutes": total, "age": age}
        for (person, kind, age), total in sorted(minutes.items(), key=lambda one: (one[0][2], *one[0]))
        if total
    ]
    return history, {person: cents for person, cents in sorted(counted.items()) if cents}


def given(distribution: Distribution) -> dict[str, int]:
    """Person → what a booked distribution counts for when others catch up, minor units: reimbursements left out."""
    trace = distribution.trace or {}
    if "purses" in trace:
        return counted_by(trace)
    return dict(distribution.shares.values_list("contributor_id", "amount"))  # computed by the first engine


def _owed(ruling: Budget) -> dict[str, int]:
    """Person → booked shares of this pot that no batch pays yet, minor units."""
    unpaid = Share.objects.filter(
        state__in=Share.DUE, amount__gt=F("waived"), distribution__state="booked", distribution__period__budget=ruling
    )
    return {
        person: int(total)
        for person, total in unpaid.order_by("contributor")
        .values_list("contributor")
        .annotate(total=Sum(F("amount") - F("waived")))
    }


def committed(budgets: Iterable[str]) -> dict[str, int]:
    """Budget id → validated requests that are not booked yet, minor units; nothing for rules that share what there
    is, whatever was asked."""
    rows = (
        Contribution.objects.filter(budget__in=list(budgets), state__in=["validated", "included"], amount__gt=0)
        .order_by()
        .values_list("budget", "kind", "period__charter__document__tiers")
        .annotate(total=Sum("amount"))
    )
    totals: dict[str, int] = defaultdict(int)
    for budget, kind, tiers, total in rows:
        if reads_claims(tiers, kind):
            totals[budget] += int(total)
    return dict(totals)


def last_day(period: Period) -> date:
    """The last calendar day of a period."""
    return period.ends_before - timedelta(days=1)
