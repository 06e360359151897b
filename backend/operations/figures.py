"""The five figures of a budget, always shown together: expected, received, committed, paid, available."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Sum

from backend.commons.models import Budget
from backend.distributions.services import committed
from backend.ledger import chart
from backend.ledger.services import balances, charted_by_owner
from backend.pledges.donations import believed
from backend.pledges.models import Pledge

WARN_PERCENT = 80


@dataclass(frozen=True)
class Figures:
    """Amounts in minor units of one currency.

    expected: pledged and not received, without the gifts of strangers of whom nothing came (see `believed`).
    received: what came in, less the host's fees, what was taken back and what was moved to other budgets or set aside.
    committed: validated requests not booked yet, nothing where work is shared by time or equally, whatever was asked.
    paid: booked to payees. available: what the purse holds, less what is committed; below zero when more was validated
    than the pot holds.
    """

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
    def held(self) -> int:
        """What the purse holds, whatever is committed of it."""
        return self.available + self.committed

    @property
    def committed_percent(self) -> int | None:
        """What is committed of what the purse holds, in whole per cent; None when it holds nothing."""
        return self.committed * 100 // self.held if self.held > 0 else None

    @property
    def nearly_short(self) -> bool:
        """Whether most of what the purse holds is committed: shortage is told before it is there."""
        return self.committed > 0 and not self.short and self.committed * 100 >= self.held * WARN_PERCENT

    @property
    def missing(self) -> int:
        """What lacks to pay all that was validated, in minor units."""
        return max(0, -self.available)


def figures_of(budgets: Sequence[Budget]) -> dict[str, Figures]:
    """Budget id → its five figures, in four queries whatever the number of budgets."""
    ids = [budget.pk for budget in budgets]
    expected = dict(
        Pledge.objects.filter(believed(), budget__in=ids, expected__gt=0)
        .order_by()
        .values_list("budget")
        .annotate(total=Sum("expected"))
    )
    asked = committed(ids)
    paid = charted_by_owner(kind="budget", owners=ids, chart=chart.SERVICES)
    held = balances(kind="budget")
    return {
        budget.pk: Figures(
            currency=budget.currency,
            expected=int(expected.get(budget.pk, 0)),
            received=held.get((budget.pk, budget.currency), 0) + paid.get(budget.pk, 0),
            committed=asked.get(budget.pk, 0),
            paid=paid.get(budget.pk, 0),
            available=held.get((budget.pk, budget.currency), 0) - asked.get(budget.pk, 0),
        )
        for budget in budgets
    }


def five_figures(budget: Budget) -> Figures:
    """The five figures of one budget, its own purse alone."""
    return figures_of([budget])[budget.pk]
