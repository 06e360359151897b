"""Sentences of the rules that look at requested amounts: claims_pro, _cea, _cel, _talmud, as_asked."""

from collections.abc import Sequence
from fractions import Fraction

from backend.allocation.texts.bounds import (
    Bounded,
    claim_bound,
    claimed,
    exactly,
    is_exactly,
    limit,
    others,
    own_bound,
)
from backend.allocation.texts.limits import Limits
from backend.allocation.texts.words import Row, Teller

MOST_REQUESTS_TOLD = 5  # beyond, a person's requests are counted instead of told one by one


def asking(step: Row) -> list[Row]:
    """The people whose request counts in a step."""
    return [one for one in step["persons"] if one["claim"]]


def _enough(tell: Teller, step: Row, row: Row) -> list[str] | None:
    """The story every one of these rules shares when there is nothing to share, or enough for all."""
    people = asking(step)
    figures = {"claims": tell.money.amount(claimed(people)), "amount": tell.money.amount(step["in"])}
    if step["in"] == 0:
        return [tell.say("pro_empty", **figures), tell.say("receive", cents=tell.money.amount(0))]
    if all(one["cents"] == one["claim"] for one in people):
        return [tell.say("pro_enough", **figures), tell.say("met", cents=tell.money.amount(row["cents"]))]
    return None


def _opening(tell: Teller, step: Row, phrase: str) -> str:
    """The requests against the money, and what the rule does about it."""
    claims = tell.money.amount(claimed(asking(step)))
    return tell.say(phrase, claims=claims, amount=tell.money.amount(step["in"]))


def claims_pro(tell: Teller, step: Row, row: Row) -> list[str]:
    """The same percentage of each request; those at a bound are taken out first."""
    if (told := _enough(tell, step, row)) is not None:
        return told
    state = claim_bound(asking(step))
    claims, rest = claimed(state.free), exactly(state.free)
    if row["id"] in state.high_ids | state.low_ids:
        return own_bound(tell, step, row, state)
    sentences = others(tell, step, state)
    alone = not state.high_ids and not state.low_ids
    if rest == claims:
        return [*sentences, tell.say("others_full"), tell.say("met", cents=tell.money.amount(row["cents"]))]
    percent = tell.money.percent(rest / claims)
    write = tell.money.amount if alone else tell.money.number
    sentence = tell.say(
        "pro_short" if alone else "pro_other", claims=write(claims), amount=write(int(rest)), percent=percent
    )
    left = f"{tell.money.number(row['claim'])} × {tell.near(rest)} ÷ {tell.money.number(claims)}"
    return [*sentences, sentence, tell.say("product", left=left, result=tell.outcome(step, row)), *tell.tie(row)]


def claims_cea(tell: Teller, step: Row, row: Row) -> list[str]:
    """Everyone up to the same level, never above the request."""
    if (told := _enough(tell, step, row)) is not None:
        return told
    state = claim_bound(asking(step))
    opening = _opening(tell, step, "cea")
    if row["id"] in state.high_ids | state.low_ids:
        return [opening, *own_bound(tell, step, row, state)]
    sentences = [opening, *others(tell, step, state)]
    full = [one for one in state.free if is_exactly(one, one["claim"])]
    if full:
        sentences.append(tell.many("cea_full", len(full), amount=tell.money.number(claimed(full))))
    sentences += _level(tell, state, full)
    if is_exactly(row, row["claim"]):
        return [*sentences, tell.say("cea_own_full", cents=tell.money.amount(row["cents"]))]
    return [*sentences, tell.say("your_part", result=tell.outcome(step, row)), *tell.tie(row)]


def _level(tell: Teller, state: Bounded, apart: Sequence[Row]) -> list[str]:
    """The division that gives the common level to those who are not apart."""
    rows = _without(state.free, apart)
    if not rows:
        return []
    given = exactly(rows)
    phrase = "other_each" if len(rows) < len(state.free) or state.high_ids or state.low_ids else "all_each"
    people = tell.many("person", len(rows))
    return [tell.say(phrase, amount=tell.bare(given), people=people, exact=tell.money.exact(given / len(rows)))]


def _without(rows: Sequence[Row], apart: Sequence[Row]) -> list[Row]:
    known = {one["id"] for one in apart}
    return [one for one in rows if one["id"] not in known]


def claims_cel(tell: Teller, step: Row, row: Row) -> list[str]:
    """The same loss off each request, never more than the request."""
    if (told := _enough(tell, step, row)) is not None:
        return told
    state = claim_bound(asking(step))
    opening = _opening(tell, step, "cel")
    if row["id"] in state.high_ids | state.low_ids:
        return [opening, *own_bound(tell, step, row, state)]
    sentences = [opening, *others(tell, step, state)]
    nothing = [one for one in state.free if is_exactly(one, 0)]
    if nothing:
        sentences.append(tell.many("cel_none", len(nothing), amount=tell.money.number(claimed(nothing))))
    sentences += _loss(tell, _without(state.free, nothing))
    if is_exactly(row, 0):
        return [*sentences, tell.say("cel_own_none")]
    return [*sentences, *_less_the_loss(tell, step, row)]


def _loss(tell: Teller, rows: Sequence[Row]) -> list[str]:
    """The division that gives the common loss."""
    if not rows:
        return []
    claims, given = claimed(rows), exactly(rows)
    figures = {"claims": tell.money.number(claims), "amount": tell.bare(given)}
    each = tell.money.exact((claims - given) / len(rows))
    return [tell.say("loss", **figures, people=tell.many("person", len(rows)), exact=each)]


def _less_the_loss(tell: Teller, step: Row, row: Row) -> list[str]:
    loss = tell.bare(row["claim"] - Fraction(*row["exact"]))
    left = f"{tell.money.number(row['claim'])} − {loss}"
    return [tell.say("product", left=left, result=tell.outcome(step, row)), *tell.tie(row)]


def claims_talmud(tell: Teller, step: Row, row: Row) -> list[str]:
    """Up to half of each request everyone rises together; beyond, everyone loses together."""
    if (told := _enough(tell, step, row)) is not None:
        return told
    state = claim_bound(asking(step))
    low = is_below_the_halves(step)
    opening = _opening(tell, step, "talmud_low" if low else "talmud_high")
    if row["id"] in state.high_ids | state.low_ids:
        return [opening, *own_bound(tell, step, row, state)]
    sentences = [opening, *others(tell, step, state)]
    halved = [one for one in state.free if Fraction(*one["exact"]) * 2 == one["claim"]]
    if halved:
        sentences.append(tell.many("talmud_half", len(halved), amount=tell.bare(exactly(halved))))
    sentences += _level(tell, state, halved) if low else _loss(tell, _without(state.free, halved))
    if Fraction(*row["exact"]) * 2 == row["claim"]:
        own = tell.say("talmud_own_half", claim=tell.money.number(row["claim"]), result=tell.outcome(step, row))
        return [*sentences, own, *tell.tie(row)]
    if low:
        return [*sentences, tell.say("your_part", result=tell.outcome(step, row)), *tell.tie(row)]
    return [*sentences, *_less_the_loss(tell, step, row)]


def is_below_the_halves(step: Row) -> bool:
    """Whether the money is at most half of the requests, each half kept between the floor and the ceiling."""
    doubled = 0
    for one in asking(step):
        top = limit(one)
        doubled += min(2 * top, max(2 * min(one["floor"], top), one["claim"]))
    return bool(2 * step["in"] <= doubled)


def as_asked(tell: Teller, step: Row, row: Row) -> list[str]:
    """Requests one after the other; what those before took, and what was left."""
    sentences = [tell.say("as_asked", amount=tell.money.amount(step["in"]))]
    served = requests(step)
    own = [position for position, (person, _, _) in enumerate(served) if person == row["id"]]
    states = [request_state(step, served, position) for position in own]
    ceiling = ""
    if "capped" in states:
        made, ceiling = Limits(tell, step).own_ceiling(row)
        sentences += made
    if len(own) > MOST_REQUESTS_TOLD:
        counts = {name: tell.money.number(states.count(name), 0) for name in ("full", "part", "none", "capped")}
        sentences.append(tell.say("as_asked_many", count=tell.money.number(len(own), 0), **counts))
    else:
        for position, state in zip(own, states, strict=True):
            before = sum(cents for _, _, cents in served[:position])
            _, claim, cents = served[position]
            sentences.append(
                tell.say(
                    f"as_asked_{state}",
                    claim=tell.money.number(claim),
                    rank=tell.money.number(position + 1, 0),
                    before=tell.money.number(before),
                    cents=tell.money.number(cents),
                    ceiling=ceiling,
                )
            )
    return [*sentences, tell.say("receive", cents=tell.money.amount(row["cents"]))]


def requests(step: Row) -> list[tuple[str, int, int]]:
    """(person, request, paid) of each request of a step, in the order in which they were served."""
    found = []
    for row in step["persons"]:
        for line, cents in zip(row["lines"], row["per_line_cents"], strict=True):
            if line["claim"]:
                found.append((line["rank"], line["contribution"], row["id"], line["claim"], cents))
    return [(person, claim, cents) for _, _, person, claim, cents in sorted(found)]


def request_state(step: Row, served: Sequence[tuple[str, int, int]], position: int) -> str:
    """`full`, `part`, `none` (no money was left) or `capped` (a ceiling stopped it): how a request was served."""
    _, claim, cents = served[position]
    if cents >= claim:
        return "full"
    if sum(paid for _, _, paid in served[: position + 1]) < step["in"]:
        return "capped"
    return "part" if cents else "none"
