"""What the host's bank accounts should hold at the end of each month ahead: promises in, commitments out.

A reading of what is written, never a forecast of what people may do. The first half is pure. Amounts are minor units.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from backend.allocation.terms import reads_claims
from backend.commons.services import OPEN_TO_MONEY
from backend.contributions.models import Contribution
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import require
from backend.ledger.services import balances
from backend.payouts.models import PayoutBatch
from backend.payouts.services import owed_shares, payable_refunds
from backend.pledges.donations import believed
from backend.pledges.models import Pledge
from backend.pledges.overview import expected, month_after, schedules

AHEAD = 12  # months, the present one first

# Why money comes or goes, in the order in which it is shown.
COMING = ("in_hand", "pledged")
GOING = ("leaving", "batches", "owed", "committed")


@dataclass(frozen=True)
class Flow:
    """Money that comes or goes in a month, above zero. `why` is one of COMING or GOING."""

    first: date  # of its month
    why: str
    amount: int


@dataclass(frozen=True)
class Month:
    """One month ahead: what the accounts hold before it, each flow by why, and after it."""

    first: date
    before: int
    flows: Mapping[str, int]

    @property
    def coming(self) -> int:
        """All that comes."""
        return sum(self.flows.get(why, 0) for why in COMING)

    @property
    def going(self) -> int:
        """All that goes."""
        return sum(self.flows.get(why, 0) for why in GOING)

    @property
    def after(self) -> int:
        """What is left; below zero when more is committed than is there."""
        return self.before + self.coming - self.going


@dataclass(frozen=True)
class Projection:
    """The months ahead of one currency. `late` was due before today and is counted in no month."""

    currency: str
    bank: int
    late: int
    months: list[Month]

    @property
    def lowest(self) -> Month:
        """The month that ends with the least."""
        return min(self.months, key=lambda one: (one.after, one.first))

    @property
    def last(self) -> int:
        """What the last month ends with."""
        return self.months[-1].after


def months_ahead(flows: Iterable[Flow], *, bank: int, today: date, count: int = AHEAD) -> list[Month]:
    """Put flows into their months: what should have gone before today goes in the present month, what comes or goes
    after the last month in none."""
    firsts = [month_after(today, ahead) for ahead in range(count)]
    sums: dict[date, dict[str, int]] = {first: defaultdict(int) for first in firsts}
    for flow in flows:
        first = max(flow.first.replace(day=1), firsts[0])
        if first in sums:
            sums[first][flow.why] += flow.amount
    found: list[Month] = []
    for first in firsts:
        found.append(Month(first, found[-1].after if found else bank, dict(sums[first])))
    return found


def projections(*, actor: User, today: date) -> list[Projection]:
    """The months ahead, for each currency of the host's accounts. Moves no money.

    Args: today: on the host's calendar.
    Raises: Forbidden.
    """
    require(actor, "ledger.read")
    currencies = sorted(set(HostBankAccount.objects.values_list("currency", flat=True)))
    return [_projection(currency, today) for currency in currencies]


def _projection(currency: str, today: date) -> Projection:
    pledges = Pledge.objects.filter(believed(), currency=currency, budget__state__in=OPEN_TO_MONEY)
    late, ahead = expected(schedules(list(pledges.exclude(state="draft"))), today=today)
    bank = _held("bank", currency)
    flows = [
        Flow(today, "in_hand", _held("clearing", currency)),
        *(Flow(one.first, "pledged", one.total) for one in ahead),
        Flow(today, "leaving", _held("in_transit", currency)),
        *_batches(currency),
        Flow(today, "owed", sum(one.due for one in owed_shares(currency=currency))),
        Flow(today, "owed", sum(one.amount for one in payable_refunds(currency=currency))),
        *_committed(currency),
    ]
    return Projection(currency, bank, late, months_ahead(flows, bank=bank, today=today))


def _held(kind: str, currency: str) -> int:
    return sum(amount for (_owner, money), amount in balances(kind=kind).items() if money == currency)


def _batches(currency: str) -> list[Flow]:
    """Batches that have not left, on the day they ask the bank for."""
    rows = PayoutBatch.objects.filter(currency=currency, state__in=PayoutBatch.SPOKEN_FOR)
    return [Flow(one.execute_on, "batches", one.total) for one in rows]


def _committed(currency: str) -> list[Flow]:
    """Validated requests that no distribution has booked, in full, in the month in which their period is over.

    Rules that share what there is, whatever was asked, commit nothing.
    """
    rows = Contribution.objects.filter(currency=currency, state__in=["validated", "included"], amount__gt=0)
    told = rows.values_list("kind", "period__charter__document__tiers", "period__ends_before", "amount")
    return [
        Flow(ends_before, "committed", amount)
        for kind, tiers, ends_before, amount in told
        if ends_before is not None and reads_claims(tiers, kind)
    ]


# --- the drawing ------------------------------------------------------------------------------------------------------

# In its own units: one row for each month, so that no label meets another.
WIDE, ROW, LETTER, LABEL = 430, 24, 9, 135


@dataclass(frozen=True)
class Bar:
    """One month of the drawing: its amount, and where its bar begins and how far it reaches."""

    first: date
    amount: str
    y: int
    x: int
    width: int
    below: bool

    @property
    def words_y(self) -> int:
        """The line its words stand on."""
        return self.y + 16


@dataclass(frozen=True)
class Drawing:
    """The bars of what each month ends with, and the line at zero when some end below."""

    bars: list[Bar]
    height: int
    zero: int


def drawing(months: Sequence[Month], texts: Sequence[str]) -> Drawing:
    """Draw what each month ends with: to the right above zero, to the left below.

    Args: texts: the amount of each month, as it is written beside its bar.
    """
    room = max(20, WIDE - LABEL - LETTER * max((len(text) for text in texts), default=0) - 10)
    most = max([0, *(one.after for one in months)])
    least = -min([0, *(one.after for one in months)])
    scale = (most + least) or 1
    zero = LABEL + least * room // scale
    bars = []
    for row, (one, text) in enumerate(zip(months, texts, strict=True)):
        width = abs(one.after) * room // scale
        below = one.after < 0
        bars.append(Bar(one.first, text, row * ROW, max(LABEL, zero - width) if below else zero, width, below))
    return Drawing(bars, ROW * len(bars), zero)
