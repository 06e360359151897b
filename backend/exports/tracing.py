"""Follows euros: which contributions each payment paid so far, and what of it is left, by purse, to the cent.

A purse holds the money of its payments mixed. Whatever leaves it is taken from each of them in proportion of what is
left of it there (largest remainder, ties by the id of what it left for); what moves to another purse stays the money
of the same payments. So both sums tie: what a payment paid and what is left of it is what it brought; what a
contribution was given is what payments gave it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from backend.allocation.kernel import split
from backend.commons.models import Budget
from backend.distributions.models import Distribution, DistributionMove, SharePart, ShareWaiver
from backend.distributions.services import settled_lines
from backend.ledger.services import Movement, movements
from backend.payments.models import Payment, TakeBack
from backend.transfers.models import Transfer

Purse = tuple[str, str]  # kind, owner
KINDS = ("budget", "reserve")
OPENING = "opening"  # money that was there before these books
BACK = "given back"  # to payers: refunds, and what their banks took back


@dataclass(frozen=True)
class Spent:
    """Minor units of one payment that paid one contribution.

    `source` is the payment's id, or `OPENING` with the budget's; `target` the contribution's, or that of the share for
    what its rule gave to no contribution in particular.
    """

    source: str
    target: str
    budget: str
    distribution: str
    on: date
    amount: int


@dataclass
class Traced:
    """Where the money of payments is, and what it did.

    `brought` is what each source brought to purses, net of fees; `left` what of it is where; `gone` what went back to
    payers. `brought` = spent + left + gone, for each source.
    """

    brought: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    left: dict[Purse, dict[str, int]] = field(default_factory=dict)
    gone: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    spent: list[Spent] = field(default_factory=list)
    # (budget, share) → what of it each payment paid, by contribution, where some of it was given back.
    _paid: dict[tuple[str, str], dict[tuple[str, str], int]] = field(default_factory=dict)

    def left_of(self, source: str) -> dict[Purse, int]:
        """Purse → what is left there of a source."""
        return {purse: held[source] for purse, held in self.left.items() if held.get(source)}


def follow(budgets: Iterable[str], currency: str, only: Collection[str] | None = None) -> Traced:
    """Play again all that the purses of these budgets did, and those that exchange money with them.

    Args: budgets: ids. only: the sources whose `spent` is kept, in large pots; all of them unless told.
    """
    owners = together(budgets)
    rows = movements(kinds=KINDS, owners=owners, currency=currency)
    return replay(rows, _Facts(rows), only)


def together(budgets: Iterable[str]) -> set[str]:
    """The budgets whose money can be in the purses of these: transfers and distributions moved some between them."""
    linked: dict[str, set[str]] = defaultdict(set)
    moved = [
        *Transfer.objects.filter(state="booked", target__isnull=False).values_list("source", "target"),
        *DistributionMove.objects.filter(distribution__state="booked").values_list("source", "target"),
    ]
    for source, target in moved:
        linked[source].add(target)
        linked[target].add(source)
    found: set[str] = set()
    due = set(budgets)
    while due:
        found |= due
        due = {other for one in due for other in linked[one]} - found
    return found


class _Facts:
    """What entries stand for, read once: payments by their entry, distributions by their id."""

    def __init__(self, rows: Sequence[Movement]) -> None:
        entries = [row.entry for row in rows]
        self.payments = dict(Payment.objects.filter(entry__in=entries).values_list("entry", "pk"))
        self.taken = dict(TakeBack.objects.filter(entry__in=entries).values_list("entry", "payment"))
        wanted = {row.reference for row in rows if row.kind == "distribution.approved"}
        self.distributions = {
            one.pk: one for one in Distribution.objects.filter(pk__in=wanted).only("pk", "trace", "inputs")
        }
        self._given: dict[str, dict[str, list[tuple[str, int]]]] = {}
        waived = [row.key for row in rows if row.kind == "distribution.waived"]
        self.waivers = dict(ShareWaiver.objects.filter(pk__in=waived).values_list("pk", "share"))
        # Distribution → what of it is kept whole, since somebody gave some of it back.
        self.kept = {row.reference for row in rows if row.kind == "distribution.waived"}
        self._share_of: dict[str, str] = {}

    def share_of(self, target: str) -> str:
        """The share in which a contribution was paid; for what stands under a share, itself."""
        return self._share_of.get(target, target)

    def given(self, distribution: str) -> dict[str, list[tuple[str, int]]]:
        """Budget → (contribution or share, minor units) of a distribution, in the order of contributions."""
        if distribution not in self._given:
            self._given[distribution] = targets(self.distributions[distribution])
            if distribution in self.kept:
                self._share_of |= shares_of(self.distributions[distribution])
        return self._given[distribution]


def shares_of(distribution: Distribution) -> dict[str, str]:
    """Contribution → the share of its contributor."""
    shares = dict(distribution.shares.values_list("contributor_id", "pk"))
    return {line["contribution"]: shares[line["person"]] for line in distribution.inputs["lines"]}


def targets(distribution: Distribution) -> dict[str, list[tuple[str, int]]]:
    """Budget → what its purse gave to each contribution, minor units; the sums are those of the parts of shares.

    What a share has from several purses is spread over its contributions purse by purse, in proportion of what each
    is still to get; what its rule gave to none of them stands under the share's own id.
    """
    cents = settled_lines(distribution.trace or {"persons": []})
    work: dict[str, list[str]] = defaultdict(list)
    for line in distribution.inputs["lines"]:
        work[line["person"]].append(line["contribution"])
    parts = SharePart.objects.filter(share__distribution=distribution).order_by("share_id", "budget_id")
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    open_lines: dict[str, list[tuple[str, int]]] = {}
    for person, share, budget, amount, whole in parts.values_list(
        "share__contributor", "share", "budget", "amount", "share__amount"
    ):
        if share not in open_lines:
            lines = [(one, cents.get(one, 0)) for one in sorted(work[person])]
            rest = whole - sum(cent for _one, cent in lines)
            open_lines[share] = [*lines, (share, rest)]
        given = _proportion(amount, open_lines[share], seed=budget)
        found[budget] += [(one, cent) for one, cent in given if cent]
        open_lines[share] = _less(open_lines[share], dict(given))
    return found


# A distribution books all its entries at once: what an envelope releases comes before what it helps to pay.
ORDER = {name: rank for rank, name in enumerate(
    ("distribution.release", "distribution.upstream", "distribution.reserve", "distribution.approved")
)}  # fmt: skip


def in_order(rows: Sequence[Movement]) -> list[Movement]:
    """Movements as they were booked, those of one distribution together and in the order of its computation."""
    first: dict[str, int] = {}
    for place, row in enumerate(rows):
        if row.kind in ORDER:
            first.setdefault(row.reference, place)
    places = {
        row.entry: (first[row.reference] if row.kind in ORDER else place, ORDER.get(row.kind, 0), place)
        for place, row in enumerate(rows)
    }
    return sorted(rows, key=lambda row: places[row.entry])


def replay(rows: Sequence[Movement], facts: _Facts, only: Collection[str] | None = None) -> Traced:
    """Play movements in their order; see `follow`."""
    traced = Traced()
    for row in in_order(rows):
        _play(traced, row, facts, only)
    return traced


def _play(traced: Traced, row: Movement, facts: _Facts, only: Collection[str] | None) -> None:
    into = {purse: amount for purse, amount in row.moved.items() if amount > 0}
    out = {purse: -amount for purse, amount in row.moved.items() if amount < 0}
    carried: dict[str, int] = defaultdict(int)
    for purse, amount in sorted(out.items()):
        first = facts.taken.get(row.entry, "")
        taken = _take(traced.left.setdefault(purse, {}), amount, seed=row.entry, first=first)
        if row.kind == "distribution.approved":
            _spend(traced, row, purse[1], taken=taken, facts=facts, only=only)
        elif into:
            for source, cents in taken.items():
                carried[source] += cents
        else:
            for source, cents in taken.items():
                traced.gone[source] += cents
    if row.kind == "distribution.waived":
        _give_back(traced, row, into, facts, only)
        return
    for purse, amount in sorted(into.items()):
        given = dict(_proportion(amount, sorted(carried.items()), seed=row.entry)) if carried else {}
        carried = defaultdict(int, dict(_less(list(carried.items()), given)))
        missing = amount - sum(given.values())
        if missing:  # new money: a payment, or what was there when the books were opened
            source = facts.payments.get(row.entry) or _again(row, facts) or f"{OPENING}:{purse[1]}"
            given[source] = given.get(source, 0) + missing
            traced.brought[source] += missing
        held = traced.left.setdefault(purse, {})
        for source, cents in given.items():
            held[source] = held.get(source, 0) + cents


def _again(row: Movement, facts: _Facts) -> str:
    """The payment whose money comes home after a dispute was won: the entry names it."""
    return row.reference if row.kind == "payment.given_back" else ""


def _take(held: dict[str, int], amount: int, *, seed: str, first: str) -> dict[str, int]:
    """Take an amount out of a purse: of one source first when it is that one's own, then of all in proportion."""
    taken: dict[str, int] = {}
    own = min(amount, held.get(first, 0)) if first else 0
    if own:
        taken[first] = own
    rest = amount - own
    there = [(source, cents - taken.get(source, 0)) for source, cents in sorted(held.items())]
    for source, cents in _proportion(rest, there, seed=seed):
        if cents:
            taken[source] = taken.get(source, 0) + cents
    for source, cents in taken.items():
        held[source] -= cents
        if not held[source]:
            del held[source]
    return taken


def _spend(
    traced: Traced,
    row: Movement,
    budget: str,
    *,
    taken: Mapping[str, int],
    facts: _Facts,
    only: Collection[str] | None,
) -> None:
    """Spread what each source gave over the contributions: one after the other, in proportion of what is not spent."""
    unspent = sorted(taken.items())
    for target, cents in facts.given(row.reference)[budget]:
        part = _proportion(cents, unspent, seed=target)
        if row.reference in facts.kept:
            paid = traced._paid.setdefault((budget, facts.share_of(target)), {})
            paid |= {(source, target): cent for source, cent in part if cent}
        traced.spent += [
            Spent(source, target, budget, row.reference, row.happened_on, cent)
            for source, cent in part
            if cent and (only is None or source in only)
        ]
        unspent = _less(unspent, dict(part))


def _give_back(
    traced: Traced, row: Movement, into: Mapping[Purse, int], facts: _Facts, only: Collection[str] | None
) -> None:
    """What a person gave back of a share is again the money of the payments that had paid it, in proportion."""
    for purse, amount in into.items():
        paid = traced._paid.get((purse[1], facts.waivers[row.key]), {})
        held = traced.left.setdefault(purse, {})
        named = {"\n".join(key): key for key in paid}
        for name, cents in _proportion(amount, sorted((name, paid[key]) for name, key in named.items()), seed=row.key):
            source, target = named[name]
            if not cents:
                continue
            paid[source, target] -= cents
            held[source] = held.get(source, 0) + cents
            if only is None or source in only:
                traced.spent.append(Spent(source, target, purse[1], row.reference, row.happened_on, -cents))


def _proportion(amount: int, held: Sequence[tuple[str, int]], *, seed: str) -> list[tuple[str, int]]:
    """Divide an amount over what is held, at most what is held in all; none of them gives more than it holds."""
    whole = sum(cents for _one, cents in held)
    most = min(amount, whole)
    if not most:
        return []
    return list(zip([one for one, _cents in held], split(most, list(held), seed), strict=True))


def _less(held: Sequence[tuple[str, int]], taken: Mapping[str, int]) -> list[tuple[str, int]]:
    """What is held once something was taken; who has nothing left is left out."""
    rest = [(one, cents - taken.get(one, 0)) for one, cents in held]
    return [(one, cents) for one, cents in rest if cents]


def budgets_of(commons: str) -> list[str]:
    """The ids of all budgets of a commons."""
    return list(Budget.objects.filter(commons=commons).order_by("pk").values_list("pk", flat=True))
