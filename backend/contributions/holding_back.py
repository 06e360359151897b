"""Keeps agreed adjustments back from the work that a closing takes in, never below zero; the rest waits."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from django.db.models import Q

from backend.commons.words import EXPENSE
from backend.contributions.adjustment_models import Adjustment, AdjustmentPart
from backend.contributions.models import Contribution
from backend.events.services import record


def hold_back(
    rows: Sequence[Contribution],
    *,
    minutes_of: Callable[[Iterable[Contribution]], Mapping[str, tuple[int, int]]],
    now: datetime,
) -> None:
    """Lower validated contributions, which the caller holds, by what their people were given too much earlier.

    From each person's work for the same budget, oldest validation first: requests where requests are read, validated
    minutes where time is shared; never from an expense, which is money that was spent.
    Args: minutes_of: contribution id → (validated minutes, how many validated them).
    """
    found: dict[tuple[str, str], list[Contribution]] = {}
    for row in sorted(rows, key=lambda one: (one.validated_at is None, one.validated_at, one.pk)):
        if row.kind != EXPENSE:
            found.setdefault((row.contributor_id, row.budget_id), []).append(row)
    people = {person for person, _budget in found}
    waiting = Adjustment.objects.select_for_update(of=("self",)).select_related("contribution").filter(
        Q(minutes_left__gt=0) | Q(amount_left__gt=0), state="agreed", contributor__in=people
    )  # fmt: skip
    for adjustment in waiting.order_by("created_at", "pk"):
        for row in found.get((adjustment.contributor_id, adjustment.contribution.budget_id), ()):
            minutes, amount = _taken(adjustment, row, minutes_of)
            if minutes or amount:
                _apply(adjustment, row, minutes, amount, now)


def _taken(
    adjustment: Adjustment,
    row: Contribution,
    minutes_of: Callable[[Iterable[Contribution]], Mapping[str, tuple[int, int]]],
) -> tuple[int, int]:
    """How much of an adjustment a contribution can bear: minutes, minor units."""
    if row.amount_counts:
        return 0, min(adjustment.amount_left, row.amount)
    return (min(adjustment.minutes_left, minutes_of([row])[row.pk][0]), 0) if adjustment.minutes_left else (0, 0)


def _apply(adjustment: Adjustment, row: Contribution, minutes: int, amount: int, now: datetime) -> None:
    adjustment.minutes_left -= minutes
    adjustment.amount_left -= amount
    adjustment.save(update_fields=["minutes_left", "amount_left"])
    row.amount -= amount
    row.held_back += amount
    row.minutes_held += minutes
    row.save(update_fields=["amount", "held_back", "minutes_held"])
    AdjustmentPart.objects.create(
        adjustment=adjustment, contribution=row, minutes=minutes, amount=amount, applied_at=now
    )
    record(
        "adjustment.kept_back", actor=None, subject=adjustment.pk, now=now, scopes=[row.budget_id],
        contribution=row.pk, minutes=minutes, amount=amount, currency=row.currency,
    )  # fmt: skip
