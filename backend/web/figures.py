"""The bar that shows where the money received by a pot is, and sums of the five figures."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.operations.figures import Figures, figures_of

__all__ = ["BAR_WIDTH", "SLIVER", "Segment", "bar", "figures_of", "total"]

BAR_WIDTH = 1000
SLIVER = 6  # the narrowest that can still be seen


@dataclass(frozen=True)
class Segment:
    """One part of the bar: its name, its amount in minor units, its place on a scale of BAR_WIDTH."""

    name: str
    amount: int
    x: int
    width: int


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
