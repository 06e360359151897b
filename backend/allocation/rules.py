"""The rules a charter may name, and the one call that turns validated claims into shares in whole cents."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import gcd

from backend.allocation.kernel import (
    AllocationError,
    DuplicateIdentifier,
    ExactShare,
    FillResult,
    Person,
    Rounded,
    fill,
    hamilton,
    require_identifier,
    require_whole,
    split,
)


class UnknownRule(AllocationError):
    """The charter names a rule that does not exist here."""


@dataclass(frozen=True, slots=True)
class Line:
    """One validated contribution: who asks, and how many minor units (0 for volunteering)."""

    id: str
    person: str
    claim: int


@dataclass(frozen=True, slots=True)
class Claimant:
    """One person with the sum of her lines, in minor units. Lines are sorted by id."""

    id: str
    claim: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """What one person gets, with all that is needed to explain it. Amounts in minor units.

    `exact` is (numerator, denominator) in lowest terms; cents = base + extra_cent;
    `per_line_cents` follows the order of `lines` and adds up to `cents`.
    """

    person: str
    claim: int
    weight: int
    already: int
    floor: int
    ceiling: int | None
    exact: tuple[int, int]
    base: int
    extra_cent: int
    remainder_rank: int | None
    tie_hash: str | None
    cents: int
    lines: tuple[Line, ...]
    per_line_cents: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Distribution:
    """The outcome of one rule on one amount; sum of cents + unspent = amount. Shares are sorted by person id."""

    rule: str
    seed: str
    amount: int
    theta: tuple[int, int] | None
    shares: tuple[Share, ...]
    unspent: int
    missing_cents: int
    frozen_low: tuple[str, ...]
    frozen_high: tuple[str, ...]
    flags: tuple[str, ...]


Rule = Callable[[int, Sequence[Claimant]], FillResult]


def claims_pro(amount: int, claimants: Sequence[Claimant]) -> FillResult:
    """Each gets the same percentage of her claim, 100 % when there is enough: FILL with weight = ceiling = claim."""
    return fill(amount, [Person(one.id, weight=one.claim, ceiling=one.claim, claim=one.claim) for one in claimants])


RULES: dict[str, Rule] = {
    "claims_pro": claims_pro,
}


def distribute(rule: str, amount: int, lines: Sequence[Line], seed: str) -> Distribution:
    """Share `amount` minor units over validated lines by the rule of that name.

    Args: rule: a key of RULES. amount: minor units, zero allowed. lines: in any order; one person may have many, and
    how she cuts her work into lines changes nothing to her total. seed: `pot|period|step`, fixed before anyone
    declares; it settles ties between equal remainders.
    Returns: a Distribution, the same for the same arguments whatever the order of the lines.
    Raises: UnknownRule, NotWhole, NegativeQuantity, BadIdentifier, DuplicateIdentifier, all of them ValueError.
    """
    if rule not in RULES:
        raise UnknownRule(f"Unknown rule {rule!r}: use one of {', '.join(sorted(RULES))}.")
    require_whole("The amount to share", amount)
    claimants = _claimants(lines)
    filled = RULES[rule](amount, claimants)
    exact = [
        ExactShare(person.id, numerator, person.entitlement)
        for person, numerator in zip(filled.persons, filled.numerators, strict=True)
    ]
    # One rounding per person, never per line: cutting one's work into lines must not move a cent.
    rounded = hamilton(exact, filled.denominator, seed)
    shares = tuple(
        _share(claimant, person, (numerator, filled.denominator), result, seed)
        for claimant, person, numerator, result in zip(
            claimants, filled.persons, filled.numerators, rounded, strict=True
        )
    )
    return Distribution(
        rule=rule,
        seed=seed,
        amount=amount,
        theta=filled.theta,
        shares=shares,
        unspent=filled.unspent,
        missing_cents=sum(share.extra_cent for share in shares),
        frozen_low=filled.frozen_low,
        frozen_high=filled.frozen_high,
        flags=filled.flags,
    )


def _claimants(lines: Sequence[Line]) -> tuple[Claimant, ...]:
    """Lines grouped by person; persons and lines sorted by id, so that the order of arrival cannot matter."""
    seen: set[str] = set()
    grouped: dict[str, list[Line]] = {}
    for line in lines:
        require_identifier("A line's id", line.id)
        require_identifier(f"The person of line {line.id}", line.person)
        if line.id in seen:
            raise DuplicateIdentifier(f"Line {line.id} is given twice: give each contribution once.")
        seen.add(line.id)
        require_whole(f"The claim of line {line.id}", line.claim)
        grouped.setdefault(line.person, []).append(line)
    return tuple(
        Claimant(person, sum(line.claim for line in own), tuple(sorted(own, key=lambda line: line.id)))
        for person, own in sorted(grouped.items())
    )


def _share(claimant: Claimant, person: Person, exact: tuple[int, int], rounded: Rounded, seed: str) -> Share:
    shrink = gcd(*exact)
    per_line = split(rounded.cents, [(line.id, line.claim) for line in claimant.lines], f"{seed}|{claimant.id}")
    return Share(
        person=claimant.id,
        claim=claimant.claim,
        weight=person.weight,
        already=person.already,
        floor=person.floor,
        ceiling=person.ceiling,
        exact=(exact[0] // shrink, exact[1] // shrink),
        base=rounded.base,
        extra_cent=rounded.extra_cent,
        remainder_rank=rounded.remainder_rank,
        tie_hash=rounded.tie_hash,
        cents=rounded.cents,
        lines=claimant.lines,
        per_line_cents=tuple(line.cents for line in per_line),
    )
