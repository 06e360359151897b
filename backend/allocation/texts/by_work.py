"""Sentences of the rules that look at the work itself: equal, weighted, catch_up."""

from collections.abc import Sequence
from fractions import Fraction

from backend.allocation.texts.bounds import bounded, exactly, others, own_bound
from backend.allocation.texts.limits import Limits
from backend.allocation.texts.words import PPM, THOUSANDTHS, WEIGHT_OF_AN_HOUR, Row, Teller, capitalised


def unit_words(tell: Teller, step: Row) -> dict[str, str]:
    """`hours` and `per hour`; `weighted hours` and `per weighted hour` where an hour may count for more or less."""
    lines = [line for row in step["persons"] for line in row["lines"]]
    plain = all(line["coef"] == THOUSANDTHS and line["decay"] == PPM for line in lines)
    word = "hours" if plain else "weighted"
    if step["unit"] == "persons":
        word = "persons"
    return {"unit": tell.say(word), "per": tell.say(f"per_{word}")}


def _quantity(tell: Teller, step: Row, weight: int) -> tuple[str, bool]:
    """A weight as it is read: a number of people where everyone weighs the same, else (weighted) hours."""
    return (tell.money.number(weight, 0), True) if step["unit"] == "persons" else tell.hours(weight)


def weighted(tell: Teller, step: Row, row: Row) -> list[str]:
    """`money ÷ hours = rate`, then own hours × rate; those at a bound are taken out first."""
    if row["weight"] == 0 and row["cents"] == 0:
        return []
    state = bounded(step, [one for one in step["persons"] if one["weight"] or one["cents"]])
    if row["id"] in state.high_ids:
        return _above(tell, step, row)
    if row["id"] in state.low_ids:
        return own_bound(tell, step, row, state)
    phrase = "other_rate" if state.high_ids or state.low_ids else "all_rate"
    sentence, rate = _rate(tell, step, phrase, exactly(state.free), state.free)
    product = tell.say("product", left=f"{tell.hours(row['weight'])[0]} × {rate}", result=tell.outcome(step, row))
    return [*others(tell, step, state), sentence, product, *tell.tie(row)]


def _above(tell: Teller, step: Row, row: Row) -> list[str]:
    """Why she stopped: the simple share is above her ceiling, or what the other ceilings leave brings her to it."""
    weights = sum(one["weight"] for one in step["persons"])
    alone = Fraction(step["in"] * row["weight"], weights)
    sentences, ceiling = Limits(tell, step).own_ceiling(row)
    above = alone > row["cents"]
    return [
        *sentences,
        tell.say(
            "own_high_by_weight" if above else "own_high_after",
            weight=tell.hours(row["weight"])[0],
            amount=tell.money.number(step["in"]),
            weights=tell.hours(weights)[0],
            exact=tell.money.exact(alone),
            ceiling=capitalised(ceiling) if above else ceiling,
            cents=tell.money.number(row["cents"]),
        ),
    ]


def _rate(tell: Teller, step: Row, phrase: str, total: Fraction, free: Sequence[Row]) -> tuple[str, str]:
    """The sentence that divides money by hours, and the rate alone for the product that follows."""
    weight = sum(one["weight"] for one in free)
    weights, complete = _quantity(tell, step, weight)
    exact = tell.money.exact(total * (1 if step["unit"] == "persons" else WEIGHT_OF_AN_HOUR) / weight)
    sign, rate = exact.split(" ", 1)
    kept = "" if complete and sign == "=" else tell.say("kept")
    figures = {"amount": tell.near(total), "weights": weights, "exact": exact, "kept": kept}
    return tell.say(phrase, **figures, **unit_words(tell, step)), rate


def equal(tell: Teller, step: Row, row: Row) -> list[str]:
    """The money over the number of people; those at a bound are taken out first."""
    state = bounded(step, step["persons"])
    if row["id"] in state.high_ids | state.low_ids:
        return own_bound(tell, step, row, state)
    each = tell.say(
        "other_each" if state.high_ids or state.low_ids else "all_each",
        amount=tell.near(exactly(state.free)),
        people=tell.many("person", len(state.free)),
        exact=tell.money.exact(Fraction(*row["exact"])),
    )
    return [*others(tell, step, state), each, tell.say("your_part", result=tell.outcome(step, row)), *tell.tie(row)]


def catch_up(tell: Teller, step: Row, row: Row) -> list[str]:
    """Own hours since the beginning × the rate since the beginning, less what was received."""
    if row["weight"] == 0 and row["cents"] == 0:
        return []
    state = bounded(step, [one for one in step["persons"] if one["weight"] or one["cents"]])
    ahead = {one["id"] for one in state.low if one["cents"] == 0}
    if row["id"] in ahead:
        return [tell.say("catch_own_ahead", counted=tell.money.number(row["counted"]))]
    if row["id"] in state.high_ids | state.low_ids:
        return own_bound(tell, step, row, state)
    sentences = others(tell, step, state)
    if ahead:
        sentences.append(tell.many("catch_ahead", len(ahead)))
    past, now = sum(one["counted"] for one in state.free), exactly(state.free)
    figures = {"past": tell.money.number(past), "amount": tell.near(now), "total": tell.near(past + now)}
    sentences.append(tell.say("offset_past" if is_offset(tell, step) else "catch_past", **figures))
    sentence, rate = _rate(tell, step, "catch_rate", past + now, state.free)
    left = rate if step["unit"] == "persons" else f"{tell.hours(row['weight'])[0]} × {rate}"
    if row["counted"]:
        left += f" {'−' if row['counted'] > 0 else '+'} {tell.money.number(abs(row['counted']))}"
    result = tell.outcome(step, row)
    part = tell.say("your_part", result=result) if left == rate else tell.say("product", left=left, result=result)
    return [*sentences, sentence, part, *tell.tie(row)]


def is_offset(tell: Teller, step: Row) -> bool:
    """Whether what was counted is earmarked pay of this closing rather than the pay of earlier ones."""
    tiers = tell.trace["charter"]["document"].get("tiers", [])
    return any(tier["id"] == step["tier"] and tier["rule"] != "catch_up" for tier in tiers)
