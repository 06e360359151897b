"""The exact kernel that every rule shares: FILL divides with rationals, HAMILTON rounds to whole cents."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import NamedTuple

MAX_PASSES = 128
FLOORS_NOT_MET = "FLOORS_NOT_MET"


class AllocationError(ValueError):
    """What was asked of the engine cannot be computed; the text says which value and what to do."""


class NotWhole(AllocationError):
    """A quantity is not a Python integer."""


class NegativeQuantity(AllocationError):
    """A quantity that must be zero or more is negative."""


class BadIdentifier(AllocationError):
    """An id or a seed is empty or cannot be written in UTF-8."""


class DuplicateIdentifier(AllocationError):
    """The same id was given twice."""


class BadBounds(AllocationError):
    """A floor is above its ceiling."""


class NotDivisible(AllocationError):
    """The exact shares do not add up to whole cents, or there is money and nobody to give it to."""


@dataclass(frozen=True, slots=True)
class Person:
    """One person as FILL sees her; amounts in minor units, `weight` in any whole unit.

    `already` is what was counted before (signed), `ceiling` None means no ceiling.
    """

    id: str
    weight: int
    already: int = 0
    floor: int = 0
    ceiling: int | None = None
    claim: int | None = None

    @property
    def entitlement(self) -> int:
        """What breaks a tie between equal remainders: the claim if there is one, else the weight."""
        return self.weight if self.claim is None else self.claim


@dataclass(frozen=True, slots=True)
class FillResult:
    """Exact shares: person i gets numerators[i] / denominator minor units. Persons are sorted by id.

    `theta` is in lowest terms, None when nobody has weight.
    """

    theta: tuple[int, int] | None
    persons: tuple[Person, ...]
    numerators: tuple[int, ...]
    denominator: int
    unspent: int
    frozen_low: tuple[str, ...] = ()
    frozen_high: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExactShare:
    """A share before rounding: numerator over the denominator that all the shares of a call have in common."""

    id: str
    numerator: int
    entitlement: int


@dataclass(frozen=True, slots=True)
class Rounded:
    """A share after rounding. `remainder_rank` is None when nothing was rounded off.

    Equal remainders and entitlements share a rank, except where the last cents stopped among them:
    there, `tie_hash` decided and is given.
    """

    id: str
    base: int
    extra_cent: int
    remainder_rank: int | None
    tie_hash: str | None

    @property
    def cents(self) -> int:
        """Minor units, rounding cent included."""
        return self.base + self.extra_cent


class _Solution(NamedTuple):
    """theta = slope / weight for those who are free; the others are frozen at a bound, by position."""

    slope: int
    weight: int
    frozen: dict[int, int]


def require_whole(name: str, value: int, *, signed: bool = False) -> None:
    """Refuse what is not an integer, and what is negative unless `signed`.

    Raises NotWhole or NegativeQuantity, with `name` in the text.
    """
    if type(value) is not int:  # bool is an int for Python, and True is not an amount
        raise NotWhole(f"{name} must be a whole number of the smallest unit, not {value!r}.")
    if value < 0 and not signed:
        raise NegativeQuantity(f"{name} must be zero or more, not {value}.")


def require_identifier(name: str, value: str) -> None:
    """Refuse an empty id and one that has no UTF-8 bytes to hash. Raises BadIdentifier, with `name` in the text."""
    if not isinstance(value, str) or not value:
        raise BadIdentifier(f"{name} must be a text that is not empty, not {value!r}.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadIdentifier(f"{name} must be a text that UTF-8 can write, not {value!r}.") from error


def fill(amount: int, persons: Sequence[Person], *, max_passes: int = MAX_PASSES) -> FillResult:
    """Share `amount` minor units as x = min(ceiling, max(floor, theta*weight - already)), with one theta for all.

    The shares add up to min(amount, sum of ceilings). Weight 0 gives the floor. If `amount` is below the sum of the
    floors, the floors themselves are levelled (the same cut for all, never more than one's floor) and the flag
    FLOORS_NOT_MET is set. After `max_passes` passes the breakpoints are sorted: same result, in bounded time.

    Raises NotWhole, NegativeQuantity, BadBounds, BadIdentifier, DuplicateIdentifier.
    """
    _check(amount, persons)
    ordered = tuple(sorted(persons, key=lambda person: person.id))
    if amount < sum(person.floor for person in ordered):
        return _level_floors(amount, ordered, max_passes)

    weighted = tuple(person for person in ordered if person.weight > 0)
    room = amount - sum(person.floor for person in ordered if person.weight == 0)
    solution = _saturated(room, weighted) or _by_passes(room, weighted, max_passes) or _by_breakpoints(room, weighted)
    denominator = solution.weight
    values = {
        person.id: solution.frozen[position] * denominator
        if position in solution.frozen
        else solution.slope * person.weight - person.already * denominator
        for position, person in enumerate(weighted)
    }
    numerators = tuple(values.get(person.id, person.floor * denominator) for person in ordered)
    theta = _theta(weighted, values, denominator)
    low, high = _frozen(weighted, theta)
    spent = sum(numerators) // denominator
    return FillResult(theta, ordered, numerators, denominator, amount - spent, low, high)


def hamilton(shares: Sequence[ExactShare], denominator: int, seed: str) -> tuple[Rounded, ...]:
    """Round numerator / denominator to whole cents by largest remainder, in the order given.

    Each share gets its floor; the missing cents go to the largest remainders; ties go to the larger entitlement,
    then to the smaller SHA-256 of the UTF-8 bytes of `seed|id`. Only the tie that the last cent meets is hashed.

    Raises NotDivisible when the shares do not add up to whole cents.
    """
    require_identifier("The seed", seed)
    parts = [divmod(share.numerator, denominator) for share in shares]
    missing, left_over = divmod(sum(remainder for _, remainder in parts), denominator)
    if left_over:
        raise NotDivisible("The exact shares must add up to whole cents before they are rounded.")

    def key(position: int) -> tuple[int, int]:
        return -parts[position][1], -shares[position].entitlement

    order = sorted((position for position in range(len(shares)) if parts[position][1]), key=key)
    hashes: dict[int, str] = {}
    # Fewer cents are missing than there are remainders, so order[missing] exists.
    if missing and key(order[missing - 1]) == key(order[missing]):
        at_stake = key(order[missing])
        hashes = {position: tie_hash(seed, shares[position].id) for position in order if key(position) == at_stake}
        order.sort(key=lambda position: (*key(position), hashes.get(position, "")))

    ranks: dict[int, int] = {}
    for index, position in enumerate(order):
        previous = order[index - 1] if index else None
        tied = previous is not None and position not in hashes and key(previous) == key(position)
        ranks[position] = ranks[previous] if tied and previous is not None else index + 1
    lucky = set(order[:missing])
    return tuple(
        Rounded(share.id, parts[position][0], int(position in lucky), ranks.get(position), hashes.get(position))
        for position, share in enumerate(shares)
    )


def split(amount: int, weights: Sequence[tuple[str, int]], seed: str) -> tuple[Rounded, ...]:
    """Divide `amount` minor units over (id, weight) pairs by HAMILTON, in the order given.

    Raises NotDivisible when there is money and no weight, NotWhole, NegativeQuantity.
    """
    require_whole("The amount", amount)
    for identifier, weight in weights:
        require_whole(f"The weight of {identifier}", weight)
    total = sum(weight for _, weight in weights)
    if total == 0 and amount > 0:
        raise NotDivisible(f"There are {amount} cents to divide and no weight: give at least one positive weight.")
    shares = [ExactShare(identifier, amount * weight, weight) for identifier, weight in weights]
    return hamilton(shares, total or 1, seed)


def tie_hash(seed: str, identifier: str) -> str:
    """Hexadecimal SHA-256 of the UTF-8 bytes of `seed|identifier`; in hexadecimal, text order is byte order."""
    return hashlib.sha256(f"{seed}|{identifier}".encode()).hexdigest()


def _check(amount: int, persons: Sequence[Person]) -> None:
    require_whole("The amount to share", amount)
    seen: set[str] = set()
    for person in persons:
        require_identifier("A person's id", person.id)
        if person.id in seen:
            raise DuplicateIdentifier(f"Person {person.id} is given twice: sum her lines into one person.")
        seen.add(person.id)
        require_whole(f"The weight of {person.id}", person.weight)
        require_whole(f"The amount already counted for {person.id}", person.already, signed=True)
        require_whole(f"The floor of {person.id}", person.floor)
        require_whole(f"The claim of {person.id}", person.entitlement)
        if person.ceiling is not None:
            require_whole(f"The ceiling of {person.id}", person.ceiling)
            if person.floor > person.ceiling:
                raise BadBounds(
                    f"The floor of {person.id} ({person.floor}) must not be above her ceiling ({person.ceiling})."
                )


def _level_floors(amount: int, ordered: tuple[Person, ...], max_passes: int) -> FillResult:
    floors = [
        Person(person.id, weight=1 if person.floor else 0, ceiling=person.floor, claim=person.entitlement)
        for person in ordered
    ]
    levelled = fill(amount, floors, max_passes=max_passes)
    return FillResult(
        levelled.theta,
        ordered,
        levelled.numerators,
        levelled.denominator,
        levelled.unspent,
        levelled.frozen_low,
        levelled.frozen_high,
        (FLOORS_NOT_MET,),
    )


def _saturated(room: int, persons: tuple[Person, ...]) -> _Solution | None:
    ceilings = [person.ceiling for person in persons if person.ceiling is not None]
    if len(ceilings) < len(persons) or sum(ceilings) > room:
        return None
    return _Solution(0, 1, dict(enumerate(ceilings)))


def _by_passes(room: int, persons: tuple[Person, ...], max_passes: int) -> _Solution | None:
    """Clamp everyone at the theta that would do without bounds; freeze the side that theta got wrong; repeat.

    A clamped total above the room means theta must fall, so those at their floor stay there; below, the reverse.
    Each pass freezes at least one person. None when the passes are used up.
    """
    free = list(range(len(persons)))
    frozen: dict[int, int] = {}
    for _ in range(max_passes):
        weight = sum(persons[position].weight for position in free)
        slope = room + sum(persons[position].already for position in free)
        low: dict[int, int] = {}
        high: dict[int, int] = {}
        gap = -room * weight
        for position in free:
            person = persons[position]
            value = slope * person.weight - person.already * weight
            if value < person.floor * weight:
                low[position] = person.floor
                value = person.floor * weight
            elif person.ceiling is not None and value > person.ceiling * weight:
                high[position] = person.ceiling
                value = person.ceiling * weight
            gap += value
        if gap == 0:
            return _Solution(slope, weight, {**frozen, **low, **high})
        wrong = low if gap > 0 else high
        frozen.update(wrong)
        room -= sum(wrong.values())
        free = [position for position in free if position not in wrong]
    return None


def _by_breakpoints(room: int, persons: tuple[Person, ...]) -> _Solution:
    """Find the two neighbouring thetas, among those where somebody meets a bound, between which the answer lies."""
    lows = [Fraction(person.floor + person.already, person.weight) for person in persons]
    highs = [
        None if person.ceiling is None else Fraction(person.ceiling + person.already, person.weight)
        for person in persons
    ]

    def total(theta: Fraction) -> Fraction:
        shares = Fraction(0)
        for person, low, high in zip(persons, lows, highs, strict=True):
            if high is not None and theta >= high:
                shares += person.ceiling or 0
            elif theta > low:
                shares += theta * person.weight - person.already
            else:
                shares += person.floor
        return shares

    points = sorted({*lows, *(high for high in highs if high is not None)})
    # At points[0] everyone is at the floor, which the room covers; the answer is at or after points[first].
    first, last = 0, len(points) - 1
    while first < last:
        middle = (first + last + 1) // 2
        if total(points[middle]) <= room:
            first = middle
        else:
            last = middle - 1
    reached = points[first]

    frozen: dict[int, int] = {}
    for position, (person, low, high) in enumerate(zip(persons, lows, highs, strict=True)):
        if person.ceiling is not None and high is not None and high <= reached:
            frozen[position] = person.ceiling
        elif low > reached:
            frozen[position] = person.floor
    free = [person for position, person in enumerate(persons) if position not in frozen]
    if not free:
        return _Solution(reached.numerator, reached.denominator, frozen)
    slope = room - sum(frozen.values()) + sum(person.already for person in free)
    return _Solution(slope, sum(person.weight for person in free), frozen)


def _theta(persons: tuple[Person, ...], values: dict[str, int], denominator: int) -> tuple[int, int] | None:
    """The theta to publish, found from the shares alone so that it does not depend on the path taken.

    Whoever is strictly between her bounds gives it. If everyone is at a bound it is the theta at which the last
    person met her ceiling, or, if all are at their floor, the theta at which the first would leave it.
    """
    ceilings: list[Fraction] = []
    floors: list[Fraction] = []
    for person in persons:
        value = values[person.id]
        at_floor = value == person.floor * denominator
        if not at_floor and (person.ceiling is None or value < person.ceiling * denominator):
            numerator, weight = value + person.already * denominator, person.weight * denominator
            shrink = gcd(numerator, weight)
            return numerator // shrink, weight // shrink
        point = Fraction(value + person.already * denominator, person.weight * denominator)
        (floors if at_floor else ceilings).append(point)
    if not persons:
        return None
    theta = max(ceilings) if ceilings else min(floors)
    return theta.numerator, theta.denominator


def _frozen(persons: tuple[Person, ...], theta: tuple[int, int] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids whose floor, then whose ceiling, changed what theta alone would have given."""
    if theta is None:
        return (), ()
    top, bottom = theta
    low: list[str] = []
    high: list[str] = []
    for person in persons:
        value = top * person.weight - person.already * bottom
        if value < person.floor * bottom:
            low.append(person.id)
        elif person.ceiling is not None and value > person.ceiling * bottom:
            high.append(person.id)
    return tuple(low), tuple(high)
