"""What the money of a commons did, as anyone may read it: who pledges, what came in, who was paid for what."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Count, Q, Sum

from backend.commons.life import Veil
from backend.contributions.models import Contribution
from backend.distributions.models import Distribution, Share
from backend.payments.models import Payment
from backend.pledges.donations import believed
from backend.pledges.models import Pledge

LATEST = 20
ROUNDS = 3
LINES = 30


@dataclass(frozen=True)
class Funder:
    """Who supports, under the name they chose, with what they promised and what came of it, in minor units.

    Amounts are told of those alone who are shown under their own name.
    """

    name: str
    pledged: int
    received: int
    open: bool = True


@dataclass(frozen=True)
class Funders:
    """Those who have a name here, the largest first, and how many wish to have none."""

    named: list[Funder]
    unnamed: int

    @property
    def count(self) -> int:
        """All of them."""
        return len(self.named) + self.unnamed


@dataclass(frozen=True)
class Received:
    """One payment: whose (None: not told), when, the amount paid and what the host kept of it, in minor units."""

    name: str | None
    on: date
    amount: int
    fee: int

    @property
    def to_the_pot(self) -> int:
        """What entered the pot."""
        return self.amount - self.fee


@dataclass(frozen=True)
class Receipts:
    """The latest payments, and the sums of all of them in minor units."""

    latest: list[Received]
    count: int
    gross: int
    fees: int

    @property
    def to_the_pot(self) -> int:
        """What entered the pot once the host's fee was taken."""
        return self.gross - self.fees


@dataclass(frozen=True)
class Paid:
    """One contribution that was shared, in the words that the public reads.

    `settled` says whether the transfer was seen on the bank's statement; `given_back`, whether a part of the share it
    belongs to was given back to the commons.
    """

    contribution: Contribution
    what: str
    by: str
    settled: bool
    given_back: bool


@dataclass(frozen=True)
class Round:
    """A booked distribution with the contributions it paid; sums cover all of them, `lines` the first ones."""

    distribution: Distribution
    lines: list[Paid]
    count: int
    minutes: int
    amount: int

    @property
    def last_day(self) -> date:
        """The last day of its period."""
        return date.fromordinal(self.distribution.period.ends_before.toordinal() - 1)

    @property
    def hidden(self) -> int:
        """How many contributions are counted in the sums and not listed."""
        return self.count - len(self.lines)


def funders(budgets: Iterable[str]) -> Funders:
    """Those whose pledges stand or brought money, as each wants to be shown: see `believed` for donors."""
    standing = Q(state__in=["active", "fulfilled"]) | Q(received__gt=0)
    rows = list(
        Pledge.objects.filter(standing, believed(), budget__in=list(budgets))
        .select_related("organisation", "person", "donor")
        .order_by("created_at", "pk")
    )
    veil = Veil(row.payer_id for row in rows)
    named: dict[tuple[str, str], Funder] = {}
    unnamed: set[str] = set()
    for row in rows:
        name = _shown(row, veil)
        if name is None:
            unnamed.add(row.payer_id)
            continue
        before = named.get((row.payer_id, name))
        named[row.payer_id, name] = Funder(
            name=name,
            pledged=row.received + row.expected + (before.pledged if before else 0),
            received=row.received + (before.received if before else 0),
            open=row.visibility == "visible",
        )
    # Who hides an amount is listed after the others, or their place would tell it.
    ordered = sorted(named.values(), key=lambda one: (not one.open, -one.pledged if one.open else 0, one.name))
    return Funders(ordered, len(unnamed))


def _shown(pledge: Pledge, veil: Veil) -> str | None:
    """The name under which everybody reads who promised, with what is withdrawn of it said instead."""
    name = pledge.public_name
    return name and veil.text(pledge.payer_id, "name", name)


def receipts(budgets: Iterable[str]) -> Receipts:
    """What was received by these budgets; the payer of a sum is named only when they are shown with their amounts."""
    found = Payment.objects.filter(pledge__budget__in=list(budgets), state__in=["succeeded", "won"])
    sums = found.aggregate(count=Count("pk"), gross=Sum("amount"), fees=Sum("fee"))
    payers = ("pledge__organisation", "pledge__person", "pledge__donor")
    latest = list(found.select_related(*payers).order_by("-received_on", "-pk")[:LATEST])
    veil = Veil(row.pledge.payer_id for row in latest)
    rows = [
        Received(
            _shown(row.pledge, veil) if row.pledge.visibility == "visible" else None, row.received_on, row.amount,
            row.fee,
        )
        for row in latest
    ]  # fmt: skip
    return Receipts(rows, sums["count"], sums["gross"] or 0, sums["fees"] or 0)


def rounds(budgets: Iterable[str]) -> list[Round]:
    """The last booked distributions of these budgets, newest first."""
    booked = (
        Distribution.objects.filter(period__budget__in=list(budgets), state="booked")
        .select_related("period__budget", "charter")
        .order_by("-approved_at", "-pk")[:ROUNDS]
    )
    return [_round(distribution) for distribution in booked]


def _round(distribution: Distribution) -> Round:
    found = Contribution.objects.filter(period=distribution.period_id, state="settled")
    sums = found.aggregate(count=Count("pk"), minutes=Sum("minutes"), amount=Sum("settled_amount"))
    first = found.select_related("contributor", "budget").order_by("-settled_amount", "pk")[:LINES]
    return Round(distribution, shown_work(first), sums["count"], sums["minutes"] or 0, sums["amount"] or 0)


def paid_work(budgets: Sequence[str]) -> list[Paid]:
    """The contributions most lately paid out of these budgets and the envelopes below them."""
    inside = Q(budget__in=budgets) | Q(budget__parent__in=budgets)
    found = Contribution.objects.filter(inside, state="settled").select_related("contributor", "budget")
    return shown_work(found.select_related("budget__commons").order_by("-worked_on", "-pk")[:LATEST])


def shown_work(contributions: Iterable[Contribution]) -> list[Paid]:
    """Say of each contribution who is named publicly, and whether their share was paid."""
    rows = list(contributions)
    shares = {
        (period, person): (state, waived)
        for period, person, state, waived in Share.objects.filter(
            distribution__period__in={row.period_id for row in rows}
        ).values_list("distribution__period", "contributor", "state", "waived")
    }
    veil = Veil({row.pk for row in rows} | {row.contributor_id for row in rows})
    return [
        Paid(
            contribution=row,
            what=veil.text(row.pk, "description", row.description),
            by=veil.text(row.contributor_id, "public_name", row.contributor.shown_publicly)
            if row.contributor.public_name
            else row.contributor.shown_publicly,
            settled=shares.get((row.period_id, row.contributor_id), ("", 0))[0] == "paid",
            given_back=bool(shares.get((row.period_id, row.contributor_id), ("", 0))[1]),
        )
        for row in rows
    ]
