"""The five figures of a pot, always shown together, and the bar that shows where the money received is."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import F, Sum

from backend.commons.models import Budget
from backend.contributions.models import Contribution
from backend.ledger import chart
from backend.ledger.services import balances, charted_by_owner
from backend.pledges.models import Pledge

BAR_WIDTH = 1000
SLIVER = 6  # the narrowest that can still be seen


@dataclass(frozen=True)
class Figures:
    """Expected, received, committed, paid and available, in minor units of one currency."""

    currency: str
    expected: int
    received: int
    committed: int
    paid: int
    available: int

    @property
    def short(self) -> bool:
        """Whether more was validated than the purse holds: the requests will be reduced."""
        return self.available < 0

    @property
    def missing(self) -> int:
        """What lacks to pay all that was validated, in minor units."""
        return max(0, -self.available)


@dataclass(frozen=True)
class Segment:
    """One part of the bar: its name, its amount in minor units, its place on a scale of BAR_WIDTH."""

    name: str
    amount: int
    x: int
    width: int


def five_figures(budget: Budget) -> Figures:
    """The five figures of one budget, its own purse alone."""
    return figures_of([budget])[budget.pk]


def figures_of(budgets: Sequence[Budget]) -> dict[str, Figures]:
    """Budget id → its five figures, in the same number of queries whatever the number of budgets.

    What is available is what the ledger says the purse holds, less the validated requests that are not booked yet.
    """
    ids = [budget.pk for budget in budgets]
    expected = dict(
        Pledge.objects.filter(budget__in=ids, state="active", amount__gt=F("received"))
        .values_list("budget")
        .annotate(total=Sum(F("amount") - F("received")))
    )
    committed = dict(
        Contribution.objects.filter(budget__in=ids, state__in=["validated", "included"])
        .values_list("budget")
        .annotate(total=Sum("amount"))
    )
    received = charted_by_owner(kind="budget", owners=ids, chart=chart.DONATION)
    paid = charted_by_owner(kind="budget", owners=ids, chart=chart.SERVICES)
    held = balances(kind="budget")
    return {
        budget.pk: Figures(
            currency=budget.currency,
            expected=expected.get(budget.pk, 0),
            received=-received.get(budget.pk, 0),
            committed=committed.get(budget.pk, 0),
            paid=paid.get(budget.pk, 0),
            available=held.get((budget.pk, budget.currency), 0) - committed.get(budget.pk, 0),
        )
        for budget in budgets
    }


def total(parts: Sequence[Figures]) -> Figures:
    """The sum of the figures of several budgets of one currency; at least one is given."""
    return Figures(
        currency=parts[0].currency,
        expected=sum(part.expected for part in parts),
        received=sum(part.received for part in parts),
        committed=sum(part.committed for part in parts),
        paid=sum(part.paid for part in parts),
        available=sum(part.available for part in parts),
    )


def bar(figures: Figures) -> list[Segment]:
    """The segments paid, committed, missing and available, side by side on BAR_WIDTH; none when all are zero.

    What is committed beyond what the purse holds is shown as missing. Widths are whole numbers that fill the bar
    exactly; what is not zero is never thinner than SLIVER.
    """
    parts = [
        ("paid", figures.paid),
        ("committed", figures.committed - figures.missing),
        ("missing", figures.missing),
        ("available", max(0, figures.available)),
    ]
    shown = [(name, amount) for name, amount in parts if amount > 0]
    whole = sum(amount for _name, amount in shown)
    if not shown:
        return []
    widths = [max(SLIVER, amount * BAR_WIDTH // whole) for _name, amount in shown]
    widths[widths.index(max(widths))] += BAR_WIDTH - sum(widths)
    places = [sum(widths[:index]) for index in range(len(widths))]
    return [Segment(name, amount, x, width) for (name, amount), x, width in zip(shown, places, widths, strict=True)]
