"""Who stopped at a ceiling or was raised to a floor in a step, and the sentences that say so."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from backend.allocation.texts.limits import Limits, ceiling_words
from backend.allocation.texts.words import Row, Teller


@dataclass(frozen=True, slots=True)
class Bounded:
    """The people of a step: stopped at a ceiling, raised to a floor, and free of both."""

    high: tuple[Row, ...]
    low: tuple[Row, ...]
    free: tuple[Row, ...]
    high_ids: frozenset[str]
    low_ids: frozenset[str]


def bounded(step: Row, people: Sequence[Row]) -> Bounded:
    """Sort people by the bound that stopped them, as the computation froze them."""
    high, low = set(step["frozen_high"]), set(step["frozen_low"])
    if step["unspent"]:
        # Money is left only when all are at their ceiling, also those whom theta alone brings exactly there.
        high |= {one["id"] for one in people if one["ceiling"] is not None and one["cents"] == one["ceiling"]}
    return _sorted(people, high, low - high)


def claim_bound(people: Sequence[Row]) -> Bounded:
    """The same where the request itself is a ceiling: that one is part of the rule, so only the others count."""
    high = {one["id"] for one in people if limit(one) < one["claim"] and is_exactly(one, limit(one))}
    low = {one["id"] for one in people if 0 < one["floor"] < one["claim"] and is_exactly(one, one["floor"])}
    return _sorted(people, high, low - high)


def _sorted(people: Sequence[Row], high: set[str], low: set[str]) -> Bounded:
    return Bounded(
        tuple(one for one in people if one["id"] in high),
        tuple(one for one in people if one["id"] in low),
        tuple(one for one in people if one["id"] not in high and one["id"] not in low),
        frozenset(high),
        frozenset(low),
    )


def limit(row: Row) -> int:
    """The most a rule over requests can give, minor units."""
    claim: int = row["claim"]
    return claim if row["ceiling"] is None else min(claim, row["ceiling"])


def is_exactly(row: Row, amount: int) -> bool:
    """Whether the exact share is that whole amount of minor units."""
    return Fraction(*row["exact"]) == amount


def exactly(rows: Sequence[Row]) -> Fraction:
    """Sum of the exact shares, minor units."""
    return sum((Fraction(*row["exact"]) for row in rows), Fraction(0))


def claimed(rows: Sequence[Row]) -> int:
    """Sum of the requests that count in a step, minor units."""
    return sum(row["claim"] for row in rows)


def others(tell: Teller, step: Row, state: Bounded) -> list[str]:
    """Sentences on the people at a bound, told to whoever is not: they come before the division of the rest."""
    limits = Limits(tell, step)
    stopped: dict[tuple[str, bool], list[Row]] = {}
    for one in state.high:
        stopped.setdefault((ceiling_words(tell, one), bool(limits.given(one))), []).append(one)
    raised: dict[bool, list[Row]] = {}
    for one in state.low:
        if one["cents"]:
            raised.setdefault(bool(limits.own_floor(one)), []).append(one)
    return [
        *(limits.others_at_ceiling(rows) for rows in stopped.values()),
        *(limits.others_at_floor(rows) for rows in raised.values()),
    ]


def own_bound(tell: Teller, step: Row, row: Row, state: Bounded) -> list[str]:
    """The end of the story of whoever stopped at a ceiling or at a floor."""
    cents, limits = tell.money.number(row["cents"]), Limits(tell, step)
    cut = row["id"] in state.low_ids and row["floor"] < limits.floor_left(row)
    if cut or row["id"] in state.high_ids:
        sentences, ceiling = limits.own_ceiling(row)
        return [*sentences, tell.say("own_low_cut" if cut else "own_high", ceiling=ceiling, cents=cents)]
    sentences = limits.own_floor(row)
    return [*sentences, tell.say("own_low_left" if sentences else "own_low", cents=cents)]
