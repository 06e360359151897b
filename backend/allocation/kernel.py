"""The exact kernel that every rule shares: FILL divides with rationals, HAMILTON rounds to whole cents.

Both work on columns (plain lists of integers, one entry a person): a million people take a few passes over a few
lists, and no object is made for anyone.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from itertools import compress, repeat
from math import gcd
from operator import add, eq, lt, not_
from typing import NamedTuple

MAX_PASSES = 128
BUCKET_BITS = 12  # the remainders are first counted by this many leading bits


class AllocationError(ValueError):
    """What was asked of the engine cannot be computed.

    `code` is stable and in snake case; the text says which value and what to do; `param` is where it stands in what
    was given (`people[2].ceiling`), empty when it is no single value.
    """

    def __init__(self, code: str, message: str, param: str = "") -> None:
        """Keep the three; `message` is what str() gives."""
        super().__init__(message)
        self.code = code
        self.param = param


class Person(NamedTuple):
    """One person as a rule sees her; amounts in minor units, `weight` in any whole unit.

    `counted` is what was paid before (signed), `ceiling` None means no ceiling, `rank` orders who is served first.
    """

    id: str
    weight: int = 0
    claim: int = 0
    counted: int = 0
    floor: int = 0
    ceiling: int | None = None
    rank: int = 0


class Columns(NamedTuple):
    """What FILL reads, one list a quantity, in the order of the people. Floors are at most the ceilings.

    `scale` is how many units of these columns make one minor unit (2 where a rule needs half cents).
    """

    weights: list[int]
    counted: list[int]
    floors: list[int]
    ceilings: list[int]
    scale: int = 1


class Filled(NamedTuple):
    """Exact shares: person i gets numerators[i] / denominator units; `theta` in lowest terms, None without weight."""

    theta: tuple[int, int] | None
    numerators: list[int]
    denominator: int


def require_whole(param: str, value: int, *, signed: bool = False) -> None:
    """Refuse what is not an integer, and what is negative unless `signed`.

    Raises AllocationError not_whole or negative, on `param`.
    """
    if type(value) is not int:  # bool is an int for Python, and True is not an amount
        raise AllocationError("not_whole", f"{param} must be a whole number, not a {type(value).__name__}.", param)
    if value < 0 and not signed:
        raise AllocationError("negative", f"{param} must be zero or more.", param)


def require_identifier(param: str, value: str) -> None:
    """Refuse an empty id and one that has no UTF-8 bytes to hash. Raises AllocationError bad_identifier."""
    if not isinstance(value, str) or not value:
        raise AllocationError("bad_identifier", f"{param} must be a text that is not empty.", param)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise AllocationError("bad_identifier", f"{param} must be a text that UTF-8 can write.", param) from error


def tie_hash(seed: str, identifier: str) -> str:
    """Hexadecimal SHA-256 of the UTF-8 bytes of `seed|identifier`; in hexadecimal, text order is byte order."""
    return hashlib.sha256(f"{seed}|{identifier}".encode()).hexdigest()


def fill(amount: int, columns: Columns, *, max_passes: int = MAX_PASSES) -> Filled:
    """Share `amount` units as x = min(ceiling, max(floor, theta*weight - counted)), with one theta for all.

    The caller has checked that 0 <= floor <= ceiling and that `amount` covers the floors; the shares add up to
    min(amount, what those with weight may get at most). Weight 0 gives the floor. After `max_passes` passes the
    breakpoints are sorted: same result, in bounded time. Theta does not depend on the path taken to it.
    """
    weights, counted, floors, ceilings, _ = columns
    if not weights or not all(weights):  # whoever has no weight is settled already
        counted = [before if weight else 0 for weight, before in zip(weights, counted, strict=True)]
        ceilings = [high if weight else low for weight, low, high in zip(weights, floors, ceilings, strict=True)]
        room = amount - sum(compress(floors, map(not_, weights)))
        active = Columns(
            list(filter(None, weights)),
            list(compress(counted, weights)),
            list(compress(floors, weights)),
            list(compress(ceilings, weights)),
        )
        if not active.weights:
            return Filled(None, list(floors), 1)
    else:
        room, active = amount, columns
    theta = _theta(room, active, max_passes)
    top, bottom = theta
    if not any(counted) and not any(floors):
        numerators = [
            value if (value := top * weight) < (most := high * bottom) else most
            for weight, high in zip(weights, ceilings, strict=True)
        ]
    else:
        numerators = [
            least
            if (value := top * weight - before * bottom) < (least := low * bottom)
            else (value if value < (most := high * bottom) else most)
            for weight, before, low, high in zip(weights, counted, floors, ceilings, strict=True)
        ]
    return Filled(theta, numerators, bottom)


def hamilton(
    numerators: Sequence[int], denominator: int, entitlements: Sequence[int], ids: Sequence[str], seed: str
) -> list[int]:
    """Round numerators[i] / denominator to whole cents by largest remainder, in the order given.

    Each gets the floor; the missing cents go to the largest remainders; ties go to the larger entitlement, then to the
    smaller SHA-256 of the UTF-8 bytes of `seed|id`. Only the tie that the last cent meets is hashed.

    Raises AllocationError not_divisible when the shares do not add up to whole cents.
    """
    if denominator == 1:
        return list(numerators)
    cents = [numerator // denominator for numerator in numerators]
    remainders = [numerator % denominator for numerator in numerators]
    missing, odd = divmod(sum(remainders), denominator)
    if odd:
        raise AllocationError("not_divisible", "The exact shares must add up to whole cents before they are rounded.")
    if not missing:
        return cents
    cut = _nth_largest(remainders, missing)
    above = list(map(lt, repeat(cut), remainders))
    tied = list(compress(range(len(remainders)), map(eq, repeat(cut), remainders)))
    cents = list(map(add, cents, above))
    for position in _winners(tied, missing - sum(above), entitlements, ids, seed):
        cents[position] += 1
    return cents


def rounding(
    numerators: Sequence[int], denominator: int, entitlements: Sequence[int], ids: Sequence[str], seed: str
) -> list[tuple[int, int, int | None, str | None]]:
    """How `hamilton` rounds each: (base, extra cent, rank of the remainder, tie hash), in the order given.

    The rank is None when nothing was rounded off. Equal remainders and entitlements share a rank, except where the last
    cents stopped among them: there the hash decided, and is given.
    """
    parts = [divmod(numerator, denominator) for numerator in numerators]
    missing = sum(remainder for _, remainder in parts) // denominator

    def key(position: int) -> tuple[int, int]:
        return -parts[position][1], -entitlements[position]

    order = sorted((position for position in range(len(parts)) if parts[position][1]), key=key)
    hashes: dict[int, str] = {}
    # Fewer cents are missing than there are remainders, so order[missing] exists.
    if missing and key(order[missing - 1]) == key(order[missing]):
        at_stake = key(order[missing])
        hashes = {position: tie_hash(seed, ids[position]) for position in order if key(position) == at_stake}
        order.sort(key=lambda position: (*key(position), hashes.get(position, "")))
    ranks: dict[int, int] = {}
    for index, position in enumerate(order):
        tied = index and position not in hashes and key(order[index - 1]) == key(position)
        ranks[position] = ranks[order[index - 1]] if tied else index + 1
    lucky = set(order[:missing])
    return [
        (base, int(position in lucky), ranks.get(position), hashes.get(position))
        for position, (base, _) in enumerate(parts)
    ]


def split(amount: int, weights: Sequence[tuple[str, int]], seed: str) -> list[int]:
    """Divide `amount` minor units over (id, weight) pairs by HAMILTON; cents in the order given.

    Raises AllocationError not_divisible when there is money and no weight, not_whole, negative.
    """
    require_whole("amount", amount)
    for position, (_, weight) in enumerate(weights):
        require_whole(f"weights[{position}]", weight)
    total = sum(weight for _, weight in weights)
    if total == 0 and amount > 0:
        raise AllocationError("not_divisible", f"There are {amount} cents to divide and no weight: give a weight.")
    column = [weight for _, weight in weights]
    ids = [identifier for identifier, _ in weights]
    return hamilton([amount * weight for weight in column], total or 1, column, ids, seed)


def frozen(columns: Columns, ids: Sequence[str], theta: tuple[int, int] | None) -> tuple[list[str], list[str]]:
    """Ids whose floor, then whose ceiling, changed what theta alone would have given; theta in the columns' unit."""
    low: list[str] = []
    high: list[str] = []
    if theta is None:
        return low, high
    top, bottom = theta
    weights, counted, floors, ceilings, _ = columns
    for identifier, weight, before, least, most in zip(ids, weights, counted, floors, ceilings, strict=True):
        value = top * weight - before * bottom
        if weight and value < least * bottom:
            low.append(identifier)
        elif weight and value > most * bottom:
            high.append(identifier)
    return low, high


def _nth_largest(values: Sequence[int], rank: int) -> int:
    """The value of that rank, counted from 1, of whole numbers from zero; only its neighbourhood is sorted."""
    shift = max(0, max(values).bit_length() - BUCKET_BITS)
    buckets = [value >> shift for value in values] if shift else values
    held = Counter(buckets)
    for bucket in sorted(held, reverse=True):
        if rank <= held[bucket]:
            break
        rank -= held[bucket]
    near = (
        [value for value, found in zip(values, buckets, strict=True) if found == bucket] if shift else [bucket] * rank
    )
    return sorted(near, reverse=True)[rank - 1]


def _winners(tied: list[int], missing: int, entitlements: Sequence[int], ids: Sequence[str], seed: str) -> list[int]:
    """Who of those with equal remainders gets a cent: the larger entitlements, then the smaller hashes."""
    if missing == len(tied):
        return tied
    cut = _nth_largest([entitlements[position] for position in tied], missing)
    above = [position for position in tied if entitlements[position] > cut]
    equal = [position for position in tied if entitlements[position] == cut]
    left = missing - len(above)
    if left < len(equal):
        equal = sorted(equal, key=lambda position: tie_hash(seed, ids[position]))[:left]
    return above + equal


def _theta(room: int, columns: Columns, max_passes: int) -> tuple[int, int]:
    """The theta to publish, in lowest terms; everyone in the columns has weight and the room covers their floors.

    Whoever is strictly between her bounds gives it. If everyone is at a bound it is the theta at which the last person
    met her ceiling, or, if all are at their floor, the theta at which the first would leave it.
    """
    weights, counted, floors, ceilings, _ = columns
    if sum(ceilings) > room:
        if any(counted) or any(floors):
            found = _by_passes(room, columns, max_passes)
        else:
            found = _by_ceilings(room, weights, ceilings, max_passes)
        top, bottom = found or _by_breakpoints(room, columns)
        for weight, before, low, high in zip(*columns[:4], strict=True):
            if low * bottom < top * weight - before * bottom < high * bottom:
                shrink = gcd(top, bottom)
                return top // shrink, bottom // shrink
        settled = [
            (high if high > low and top * weight - before * bottom >= high * bottom else low) + before
            for weight, before, low, high in zip(*columns[:4], strict=True)
        ]
    else:
        settled = [high + before for high, before in zip(ceilings, counted, strict=True)]
    raised = [value - before > low for value, before, low in zip(settled, counted, floors, strict=True)]
    if any(raised):
        return _extreme(list(compress(settled, raised)), list(compress(weights, raised)), 1)
    return _extreme(settled, weights, -1)


def _extreme(values: list[int], weights: list[int], sign: int) -> tuple[int, int]:
    """The largest (sign 1) or smallest (sign -1) value / weight, in lowest terms."""
    top, bottom = values[0], weights[0]
    for value, weight in zip(values, weights, strict=True):
        if sign * value * bottom > sign * top * weight:
            top, bottom = value, weight
    shrink = gcd(top, bottom)
    return top // shrink, bottom // shrink


def _by_ceilings(room: int, weights: list[int], ceilings: list[int], max_passes: int) -> tuple[int, int] | None:
    """Theta where only ceilings can bind: whoever is above hers stays there, the others share the rest, again.

    Someone always stays free, as the ceilings add up to more than the room. None when the passes are used up.
    """
    total = sum(weights)
    for _ in range(max_passes):
        below = [room * weight <= high * total for weight, high in zip(weights, ceilings, strict=True)]
        free = list(compress(weights, below))
        if len(free) == len(weights):
            return room, total
        room -= sum(compress(ceilings, map(not_, below)))
        ceilings = list(compress(ceilings, below))
        weights, total = free, sum(free)
    return None


def _by_passes(room: int, columns: Columns, max_passes: int) -> tuple[int, int] | None:
    """Clamp everyone at the theta that would do without bounds; freeze the side that theta got wrong; repeat.

    A clamped total above the room means theta must fall, so those at their floor stay there; below, the reverse.
    Each pass freezes at least one person. None when the passes are used up.
    """
    weights, counted, floors, ceilings, _ = columns
    for _ in range(max_passes):
        bottom = sum(weights)
        top = room + sum(counted)
        values = [top * weight - before * bottom for weight, before in zip(weights, counted, strict=True)]
        is_low = [value < low * bottom for value, low in zip(values, floors, strict=True)]
        is_high = [value > high * bottom for value, high in zip(values, ceilings, strict=True)]
        lowest, highest = sum(compress(floors, is_low)), sum(compress(ceilings, is_high))
        gap = (lowest + highest) * bottom - sum(compress(values, is_low)) - sum(compress(values, is_high))
        if gap == 0:
            return top, bottom
        room -= lowest if gap > 0 else highest
        stays = list(map(not_, is_low if gap > 0 else is_high))
        weights, counted, floors, ceilings = (
            list(compress(column, stays)) for column in (weights, counted, floors, ceilings)
        )
    return None


def _by_breakpoints(room: int, columns: Columns) -> tuple[int, int]:
    """Find the two neighbouring thetas, among those where somebody meets a bound, between which the answer lies."""
    weights, counted, floors, ceilings, _ = columns
    lows = [Fraction(low + before, weight) for weight, before, low in zip(weights, counted, floors, strict=True)]
    highs = [Fraction(high + before, weight) for weight, before, high in zip(weights, counted, ceilings, strict=True)]

    def fits(theta: Fraction) -> bool:
        top, bottom = theta.numerator, theta.denominator
        return room * bottom >= sum(
            max(low * bottom, min(high * bottom, top * weight - before * bottom))
            for weight, before, low, high in zip(*columns[:4], strict=True)
        )

    points = sorted({*lows, *highs})
    # At points[0] everyone is at the floor, which the room covers; the answer is at or after points[first].
    first, last = 0, len(points) - 1
    while first < last:
        middle = (first + last + 1) // 2
        if fits(points[middle]):
            first = middle
        else:
            last = middle - 1
    reached = points[first]
    top, bottom = room, 0
    for low, high, weight, before, least, most in zip(lows, highs, *columns[:4], strict=True):
        if high <= reached:
            top -= most
        elif low > reached:
            top -= least
        else:
            top, bottom = top + before, bottom + weight
    return (top, bottom) if bottom else (reached.numerator, reached.denominator)
