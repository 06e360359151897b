"""The rules a charter may name, each with what it promises, and the one call that shares an amount among people."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import gcd
from operator import itemgetter
from typing import Literal

from backend.allocation import kernel
from backend.allocation.kernel import AllocationError, Columns, Person, require_identifier, require_whole

FLOORS_NOT_MET = "FLOORS_NOT_MET"
QUANTITIES = ("weight", "claim", "counted", "floor", "ceiling", "rank")
SIGNED = ("counted", "rank")


@dataclass(frozen=True)
class Result:
    """What one rule gave of one amount, in the order the people were given; amounts in minor units.

    The exact share of person i is numerators[i] / denominator, her share cents[i]; cents and `unspent` add up to
    `amount`. `theta` (top, bottom) is in lowest terms and in minor units, None for a rule without one.
    """

    rule: str
    seed: str
    amount: int
    people: Sequence[Person]
    cents: list[int]
    unspent: int
    flags: tuple[str, ...]
    theta: tuple[int, int] | None
    numerators: list[int]
    denominator: int
    _columns: Columns | None = field(repr=False, compare=False, default=None)

    @cached_property
    def frozen_low(self) -> tuple[str, ...]:
        """Ids of those whose floor gave them more than theta alone would have."""
        return self._frozen[0]

    @cached_property
    def frozen_high(self) -> tuple[str, ...]:
        """Ids of those whose ceiling gave them less than theta alone would have."""
        return self._frozen[1]

    def rounding(self) -> list[tuple[int, int, int | None, str | None]]:
        """(base, extra cent, rank of the remainder, tie hash) of each; computed when asked, as it ranks everybody."""
        entitlements = _entitlements(self.rule, self.people)
        return kernel.rounding(self.numerators, self.denominator, entitlements, _ids(self.people), self.seed)

    @cached_property
    def _frozen(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if self._columns is None or self.theta is None:
            return (), ()
        top, bottom = self.theta
        low, high = kernel.frozen(self._columns, _ids(self.people), (top * self._columns.scale, bottom))
        return tuple(low), tuple(high)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: how it shares, which invariants of A2 to A17 hold for it, what breaks a tie between remainders."""

    share: Callable[[int, Sequence[Person], str], Result]
    promises: frozenset[str]
    tie: Literal["one", "weight", "claim"]


def share_out(rule: str, amount: int, people: Sequence[Person], seed: str) -> Result:
    """Share `amount` minor units among `people` by the rule of that name.

    Args: rule: a key of RULES. amount: minor units, zero allowed. people: each id once, in any order, the floor of
    someone whose ceiling is lower counts as that ceiling. seed: `pot|period|step`, fixed before anyone declares; it
    settles ties between equal remainders.
    Returns: a Result in the order of `people`; each person's cents do not depend on that order.
    Raises: AllocationError unknown_rule, not_whole, negative, bad_identifier, duplicate_identifier.
    """
    if not isinstance(rule, str) or rule not in RULES:
        raise AllocationError("unknown_rule", f"Unknown rule: use one of {', '.join(sorted(RULES))}.", "rule")
    require_whole("amount", amount)
    require_identifier("seed", seed)
    _check(people)
    return RULES[rule].share(amount, people, seed)


def summed(lines: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The sum of each person's lines, (person, quantity) pairs: how she cuts her work into lines changes nothing."""
    totals: dict[str, int] = {}
    for person, quantity in lines:
        totals[person] = totals.get(person, 0) + quantity
    return totals


def equal(amount: int, people: Sequence[Person], seed: str) -> Result:
    """The same for each person given, within her bounds; weights and claims are not looked at."""
    return _fill("equal", amount, people, seed, [1] * len(people))


def weighted(amount: int, people: Sequence[Person], seed: str) -> Result:
    """In proportion to the weights, within the bounds."""
    return _fill("weighted", amount, people, seed, _column(people, "weight"))


def catch_up(amount: int, people: Sequence[Person], seed: str) -> Result:
    """First to those most behind, until all that was ever paid is in proportion to the weights; nothing is taken back.

    `weight` covers the whole time counted, `counted` is what was paid for it.
    """
    return _fill("catch_up", amount, people, seed, _column(people, "weight"), counted=_column(people, "counted"))


def claims_pro(amount: int, people: Sequence[Person], seed: str) -> Result:
    """The same percentage of each claim, 100 % when there is enough."""
    claims = _column(people, "claim")
    return _fill("claims_pro", amount, people, seed, claims, claims=claims)


def claims_cea(amount: int, people: Sequence[Person], seed: str) -> Result:
    """The same for each, up to her claim: small claims are met in full first, the rest is levelled."""
    claims = _column(people, "claim")
    return _fill("claims_cea", amount, people, seed, _ones(claims), claims=claims)


def claims_cel(amount: int, people: Sequence[Person], seed: str) -> Result:
    """The same loss for each, nobody below zero; theta is minus that loss."""
    claims = _column(people, "claim")
    return _fill("claims_cel", amount, people, seed, _ones(claims), counted=[-claim for claim in claims], claims=claims)


def claims_talmud(amount: int, people: Sequence[Person], seed: str) -> Result:
    """Up to half of each claim levelled as claims_cea does; beyond, everyone has half and losses are levelled.

    Computed on half cents. While the halves are not covered theta is what each gets, afterwards minus the common loss.
    """
    claims = _column(people, "claim")
    floors, ceilings = _bounds(amount, people, claims)
    if sum(floors) > amount:
        return _level_floors("claims_talmud", amount, people, seed, floors)
    lows, highs = [2 * low for low in floors], [2 * high for high in ceilings]
    halves = [max(low, min(high, claim)) for low, high, claim in zip(lows, highs, claims, strict=True)]
    if 2 * amount <= sum(halves):
        columns = Columns(_ones(claims), [0] * len(claims), lows, halves, scale=2)
    else:
        columns = Columns(_ones(claims), [-2 * claim for claim in claims], halves, highs, scale=2)
    return _result("claims_talmud", amount, people, seed, columns)


def as_asked(amount: int, people: Sequence[Person], seed: str) -> Result:
    """Everyone's floor first; then, by rank and id, each up to her claim while money lasts. Nothing is rounded."""
    floors, ceilings = _bounds(amount, people, _column(people, "claim"))
    if sum(floors) > amount:
        return _level_floors("as_asked", amount, people, seed, floors)
    cents, left = list(floors), amount - sum(floors)
    for position in sorted(range(len(people)), key=lambda found: (people[found].rank, people[found].id)):
        given = min(left, ceilings[position] - floors[position])
        cents[position] += given
        left -= given
    return Result("as_asked", seed, amount, people, cents, left, (), None, list(cents), 1)


def _fill(
    rule: str,
    amount: int,
    people: Sequence[Person],
    seed: str,
    weights: list[int],
    *,
    counted: list[int] | None = None,
    claims: list[int] | None = None,
) -> Result:
    floors, ceilings = _bounds(amount, people, claims)
    if sum(floors) > amount:
        return _level_floors(rule, amount, people, seed, floors)
    return _result(rule, amount, people, seed, Columns(weights, counted or [0] * len(people), floors, ceilings))


def _result(
    rule: str, amount: int, people: Sequence[Person], seed: str, columns: Columns, *, flags: tuple[str, ...] = ()
) -> Result:
    scale = columns.scale
    theta, numerators, denominator = kernel.fill(amount * scale, columns)
    if theta is not None and scale > 1:
        shrink = gcd(theta[0], scale)
        theta = theta[0] // shrink, theta[1] * (scale // shrink)
    denominator *= scale
    cents = kernel.hamilton(numerators, denominator, _entitlements(rule, people), _ids(people), seed)
    unspent = amount - sum(cents)
    return Result(rule, seed, amount, people, cents, unspent, flags, theta, numerators, denominator, columns)


def _level_floors(rule: str, amount: int, people: Sequence[Person], seed: str, floors: list[int]) -> Result:
    """Not even the floors are covered: they are levelled as claims_cea does."""
    columns = Columns(_ones(floors), [0] * len(floors), [0] * len(floors), floors)
    return _result(rule, amount, people, seed, columns, flags=(FLOORS_NOT_MET,))


def _bounds(amount: int, people: Sequence[Person], claims: list[int] | None) -> tuple[list[int], list[int]]:
    """The floors and ceilings in force. Nobody can get more than `amount`, so above it there is no ceiling."""
    ceilings: list[int] = [amount + 1 if one is None else one for one in map(itemgetter(5), people)]
    if claims is not None:
        ceilings = list(map(min, ceilings, claims))
    floors = _column(people, "floor")
    return list(map(min, floors, ceilings)) if any(floors) else floors, ceilings


def _entitlements(rule: str, people: Sequence[Person]) -> list[int]:
    tie = RULES[rule].tie
    return [1] * len(people) if tie == "one" else _column(people, tie)


def _column(people: Sequence[Person], name: str) -> list[int]:
    return list(map(itemgetter(Person._fields.index(name)), people))


def _ids(people: Sequence[Person]) -> list[str]:
    return list(map(itemgetter(0), people))


def _ones(quantities: list[int]) -> list[int]:
    """One where there is something, so that whoever has nothing takes no part."""
    return [1 if quantity else 0 for quantity in quantities]


def _check(people: Sequence[Person]) -> None:
    """Look at whole columns; only when one is wrong, look for who it is."""
    ids = _ids(people)
    if not set(map(type, ids)) <= {str} or not all(ids) or not _writable(ids):
        for position, identifier in enumerate(ids):
            require_identifier(f"people[{position}].id", identifier)
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        for position, identifier in enumerate(ids):
            if identifier in seen:
                raise AllocationError(
                    "duplicate_identifier", f"{identifier!r} is given twice: sum the lines.", f"people[{position}].id"
                )
            seen.add(identifier)
    for name in QUANTITIES:
        column = _column(people, name)
        kinds = set(map(type, column))
        if name == "ceiling" and type(None) in kinds:
            column = [0 if value is None else value for value in column]
            kinds.discard(type(None))
        if not kinds <= {int} or (column and name not in SIGNED and min(column) < 0):
            for position, value in enumerate(column):
                require_whole(f"people[{position}].{name}", value, signed=name in SIGNED)


def _writable(ids: list[str]) -> bool:
    try:
        "".join(ids).encode()
    except UnicodeEncodeError:
        return False
    return True


_ALWAYS = frozenset({"A2", "A3", "A4", "A5", "A6", "A9", "A11", "A12", "A13"})

RULES: dict[str, Rule] = {
    "as_asked": Rule(as_asked, _ALWAYS | {"A8", "A17"}, "claim"),
    "catch_up": Rule(catch_up, _ALWAYS | {"A7", "A8", "A14", "A17"}, "weight"),
    "claims_cea": Rule(claims_cea, _ALWAYS | {"A7", "A8", "A17"}, "claim"),
    "claims_cel": Rule(claims_cel, _ALWAYS | {"A7", "A8", "A15", "A17"}, "claim"),
    "claims_pro": Rule(claims_pro, _ALWAYS | {"A7", "A8", "A10", "A17"}, "claim"),
    "claims_talmud": Rule(claims_talmud, _ALWAYS | {"A7", "A8", "A15", "A17"}, "claim"),
    "equal": Rule(equal, _ALWAYS | {"A7"}, "one"),
    "weighted": Rule(weighted, _ALWAYS | {"A7", "A8", "A10", "A17"}, "weight"),
}
