"""Keeps agreed adjustments back from the work that a closing takes in, never below zero; the rest waits."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q, QuerySet

from backend.commons.models import Charter
from backend.commons.words import EXPENSE
from backend.contributions.adjustment_models import Adjustment, AdjustmentPart
from backend.contributions.models import Contribution
from backend.core.reads import among
from backend.events.services import record


@dataclass
class Bearer:
    """Work that something can be kept back from: its validated minutes and its amount, minor units."""

    contribution: str
    person: str
    budget: str
    kind: str
    minutes: int
    amount: int


@dataclass(frozen=True)
class Kept:
    """What of an adjustment is kept back from one contribution."""

    adjustment: Adjustment
    contribution: str
    minutes: int
    amount: int


def waiting_for(people: Iterable[str]) -> "QuerySet[Adjustment]":
    """What is still to be kept back from the work of these people, in the order in which it is."""
    rows = Adjustment.objects.select_related("contribution").filter(
        among("contributor", people), Q(minutes_left__gt=0) | Q(amount_left__gt=0), state="agreed"
    )
    return rows.order_by("created_at", "pk")


def keep_back(work: Iterable[Bearer], waiting: Iterable[Adjustment], *, by_amount: Callable[[str], bool]) -> list[Kept]:
    """Lower the work by what its people were given too much earlier, and say how. Writes nothing.

    From each person's work for the same budget, first what comes first: requests where requests are read, validated
    minutes where time is shared; never from an expense, which is money that was spent.
    Args: by_amount: whether requests for a kind of work are read.
    """
    found: dict[tuple[str, str], list[Bearer]] = defaultdict(list)
    for one in work:
        if one.kind != EXPENSE:
            found[one.person, one.budget].append(one)
    kept = []
    for adjustment in waiting:
        minutes_left, amount_left = adjustment.minutes_left, adjustment.amount_left
        for one in found.get((adjustment.contributor_id, adjustment.contribution.budget_id), ()):
            counts = by_amount(one.kind)
            minutes, amount = (0, min(amount_left, one.amount)) if counts else (min(minutes_left, one.minutes), 0)
            if minutes or amount:
                minutes_left, amount_left = minutes_left - minutes, amount_left - amount
                one.minutes, one.amount = one.minutes - minutes, one.amount - amount
                kept.append(Kept(adjustment, one.contribution, minutes, amount))
    return kept


def hold_back(
    work: Mapping[str, str],
    *,
    charter: Charter,
    minutes_of: Callable[[Iterable[Contribution]], Mapping[str, tuple[int, int]]],
    now: datetime,
) -> None:
    """Keep back from validated contributions, which the caller holds, oldest validation first, and write it down.

    Args: work: contribution id → its contributor. charter: of the period that is closed. minutes_of: contribution id
        → (validated minutes, how many validated).
    """
    waiting = list(waiting_for(set(work.values())).select_for_update(of=("self",)))
    if not waiting:
        return
    owing = {adjustment.contributor_id for adjustment in waiting}
    rows = Contribution.objects.filter(among("pk", [name for name, person in work.items() if person in owing]))
    by_name = {row.pk: row for row in rows.order_by(F("validated_at").asc(nulls_last=True), "pk")}
    validated = minutes_of(by_name.values())
    bearers = [
        Bearer(name, row.contributor_id, row.budget_id, row.kind, validated[name][0], row.amount)
        for name, row in by_name.items()
    ]
    for kept in keep_back(bearers, waiting, by_amount=charter.reads_requests):
        _apply(kept, by_name[kept.contribution], now)


def _apply(kept: Kept, row: Contribution, now: datetime) -> None:
    adjustment = kept.adjustment
    adjustment.minutes_left -= kept.minutes
    adjustment.amount_left -= kept.amount
    adjustment.save(update_fields=["minutes_left", "amount_left"])
    row.amount -= kept.amount
    row.held_back += kept.amount
    row.minutes_held += kept.minutes
    row.save(update_fields=["amount", "held_back", "minutes_held"])
    AdjustmentPart.objects.create(
        adjustment=adjustment, contribution=row, minutes=kept.minutes, amount=kept.amount, applied_at=now
    )
    record(
        "adjustment.kept_back", actor=None, subject=adjustment.pk, now=now, scopes=[row.budget_id],
        contribution=row.pk, minutes=kept.minutes, amount=kept.amount, currency=row.currency,
    )  # fmt: skip
