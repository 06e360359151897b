"""Why one person gets her amount: the paragraphs of a contributor."""

from collections.abc import Mapping
from fractions import Fraction

from backend.allocation.kernel import AllocationError
from backend.allocation.terms import reads_claims
from backend.allocation.texts.bounds import bounded, claim_bound, exactly
from backend.allocation.texts.by_work import unit_words
from backend.allocation.texts.limits import Limits
from backend.allocation.texts.money import half_up
from backend.allocation.texts.places import heading, waterfall
from backend.allocation.texts.sentences import BY_REQUESTS, FLOORS_NOT_MET, sentences_of
from backend.allocation.texts.words import PPM, THOUSANDTHS, Row, Teller, taking_part, teller, tiers

HISTORY = "history:"  # how a line that sums earlier work is named


def explain(
    trace: Row,
    person: str,
    language: str,
    *,
    exponent: int = 2,
    symbol: str = "€",
    names: Mapping[str, str] | None = None,
) -> list[str]:
    """Tell one contributor, in `language` (`fr`, `en`, with or without region), why she gets her amount.

    Args: exponent: decimals of the currency (2 for EUR, 0 for XPF). symbol: how the currency is written. names: what
    to call budgets and people; without a name, the id.
    Returns: paragraphs, all of them derived from the trace alone.
    Raises: AllocationError unknown_language, unknown_person, no_sentence, not_whole.
    """
    tell = teller(trace, language, exponent, symbol, names or {})
    whole = next((one for one in trace["persons"] if one["id"] == person), None)
    if whole is None:
        raise AllocationError("unknown_person", f"Person {person!r:.80} has no line in this distribution.", "person")
    found = [(step, row) for step in trace["steps"] for row in step["persons"] if row["id"] == person]
    # A step that saw a person only to give her nothing is told when there is nothing else to tell.
    told = [(step, row) for step, row in found if not _has_nothing(row)] or found[-1:]
    paragraphs = []
    general = trace["purses"][0]["id"]
    if any(step["purse"] == general for step, _ in told):
        paragraphs.append(waterfall(tell, each_edge=False))
    paragraphs += _uncounted(tell, whole)
    if not told:
        paragraphs.append(tell.say("no_step"))
    said: set[str] = set()
    for step, row in told:
        paragraphs += _step(tell, step, row, whole, said)
    ending = _ending(tell, whole, told)
    if ending:
        paragraphs.append(" ".join(ending))
    return paragraphs


def _step(tell: Teller, step: Row, row: Row, whole: Row, said: set[str]) -> list[str]:
    """One paragraph on what the person brought to a step, one on what the rule made of it."""
    brought = _brought(tell, step, row, whole, said)
    title = heading(tell, step)
    first = " ".join([*([title] if title else []), *brought])
    computed = "" if _has_nothing(row) else " ".join(_floors(tell, step, row) or sentences_of(step)[0](tell, step, row))
    return [text for text in (first, computed) if text]


def _has_nothing(row: Row) -> bool:
    """Whether the person brought nothing that the step looks at."""
    return not (row["weight"] or row["claim"] or row["cents"])


def _brought(tell: Teller, step: Row, row: Row, whole: Row, said: set[str]) -> list[str]:
    """The validated work or the request that counts in a step; what was said for an earlier step is not repeated."""
    rule = step["rule"]
    if rule in BY_REQUESTS:
        sentences = _asked(tell, row, whole, said)
    elif step["unit"] == "persons":
        sentences = [tell.many("equal", len(step["persons"]))]
    else:
        sentences = _worked(tell, step, row)
    fresh = [sentence for sentence in sentences if sentence not in said]
    said.update(fresh)
    return fresh


def _asked(tell: Teller, row: Row, whole: Row, said: set[str]) -> list[str]:
    if whole["claim"] == 0:
        return [tell.say("asked_nothing")]
    per_line = [line for line in tell.trace["inputs"]["lines"] if line["person"] == row["id"] and line.get("claim")]
    count = len(per_line)
    asked = tell.money.amount(whole["claim"])
    sentence = (
        tell.say("asked_many", claim=asked, count=tell.money.number(count, 0))
        if count > 1
        else tell.say("asked", claim=asked)
    )
    if row["claim"] == whole["claim"]:
        return [sentence]
    return [sentence, tell.say("asked_part", claim=tell.money.amount(row["claim"]))]


def _uncounted(tell: Teller, whole: Row) -> list[str]:
    """What she asked for work whose requests no tier reads: it does not count, and nothing of it is left unpaid."""
    amount = whole["claim"] - sum(line["claim"] for line in _read(tell, whole))
    if not amount:
        return []
    figures = {"claim": tell.money.amount(whole["claim"]), "amount": tell.money.amount(amount)}
    return [tell.say("uncounted" if amount == whole["claim"] else "uncounted_part", **figures)]


def _read(tell: Teller, whole: Row) -> list[Row]:
    """A person's lines whose request some tier of the charter reads."""
    lines = [line for line in tell.trace["inputs"]["lines"] if line["person"] == whole["id"] and line.get("claim")]
    return [line for line in lines if reads_claims(tiers(tell), line["kind"])]


def _worked(tell: Teller, step: Row, row: Row) -> list[str]:
    """`18 h × 1.0 + 3.5 h × 1.5 (review) = 23.25 weighted hours`, then what was validated otherwise than declared."""
    now = [line for line in row["lines"] if not line["contribution"].startswith(HISTORY)]
    if not row["weight"]:
        return [tell.say("work_none")]
    unit = unit_words(tell, step)["unit"]
    sentences = []
    if any(line["weight"] for line in now):
        terms = _terms(tell, now, named=unit != tell.say("hours"))
        weight, complete = tell.hours(sum(line["weight"] for line in now))
        if unit != tell.say("hours") or len(terms) > 1:
            terms[-1] += f" {'=' if complete else '≈'} {weight} {unit}"
        sentences.append(tell.say("work", terms=" + ".join(terms)))
    if len(now) < len(row["lines"]):
        sentences.append(tell.say("work_earlier", weight=tell.hours(row["weight"])[0], unit=unit))
    return sentences + _corrected(tell, now)


def _terms(tell: Teller, lines: list[Row], *, named: bool) -> list[str]:
    """One term for each kind, coefficient and age; `named`: with the coefficient, also when it is 1."""
    minutes: dict[tuple[str, int, int], int] = {}
    for line in lines:
        # Work that counts once needs no name: all of it is one term.
        key = ("" if line["coef"] == THOUSANDTHS else line["kind"], line["coef"], line["decay"])
        minutes[key] = minutes.get(key, 0) + line["validated"]
    terms = []
    for (kind, coef, decay), total in sorted(minutes.items(), key=lambda item: (item[0][0], -item[0][2])):
        term = tell.money.duration(total)
        if named:
            term += f" × {tell.money.decimal(Fraction(coef, THOUSANDTHS), at_least=1)[0]}"
        if decay != PPM:
            term = tell.say("work_term_age", term=term, decay=tell.money.decimal(Fraction(decay, PPM), at_most=6)[0])
        terms.append(f"{term} ({tell.kind(kind)})" if kind else term)
    return terms


def _corrected(tell: Teller, lines: list[Row]) -> list[str]:
    """What was validated otherwise than declared, by kind."""
    kinds: dict[str, tuple[int, int]] = {}
    for line in lines:
        declared, validated = kinds.get(line["kind"], (0, 0))
        kinds[line["kind"]] = (declared + line["declared"], validated + line["validated"])
    return [
        tell.say(
            "declared",
            declared=tell.money.duration(declared),
            validated=tell.money.duration(validated),
            kind=tell.kind(kind),
        )
        for kind, (declared, validated) in kinds.items()
        if declared != validated
    ]


def _floors(tell: Teller, step: Row, row: Row) -> list[str]:
    """The story of a step whose money does not even cover the floors; empty when it does."""
    if FLOORS_NOT_MET not in step["flags"]:
        return []
    limits = Limits(tell, step)
    people = [one for one in step["persons"] if one["floor"]]
    floors = tell.money.number(sum(one["floor"] for one in people))
    phrase = "floors_not_met_left" if any(map(limits.given, taking_part(step))) else "floors_not_met"
    sentences = [tell.say(phrase, floors=floors, amount=tell.money.number(step["in"]))]
    full = [one for one in people if Fraction(*one["exact"]) == one["floor"]]
    if full:
        amount = tell.money.number(sum(one["floor"] for one in full))
        sentences.append(tell.many("floors_full", len(full), amount=amount))
    if not row["floor"] and not limits.floor_left(row):
        spent = {"floor": tell.money.number(limits.floor()), "cents": tell.money.amount(row["cents"])}
        return [*sentences, tell.say("own_floor_spent", **spent)]
    if not row["floor"]:  # a ceiling of which nothing is left
        made, ceiling = limits.own_ceiling(row)
        cut = tell.say("own_low_cut", ceiling=ceiling, cents=tell.money.number(row["cents"]))
        return [*sentences, *made, cut]
    if Fraction(*row["exact"]) == row["floor"]:
        made, cents = limits.own_floor(row), tell.money.number(row["cents"])
        return [*sentences, *made, tell.say("own_floor_full_left" if made else "own_floor_full", cents=cents)]
    rest = [one for one in people if Fraction(*one["exact"]) != one["floor"]]
    given = exactly(rest)
    each = tell.say(
        "other_each" if full else "all_each",
        amount=tell.near(given),
        people=tell.many("person", len(rest)),
        exact=tell.money.exact(given / len(rest)),
    )
    return [*sentences, each, tell.say("your_part", result=tell.outcome(step, row)), *tell.tie(row)]


def _ending(tell: Teller, whole: Row, told: list[tuple[Row, Row]]) -> list[str]:
    """Without the ceiling; the sum; the meeting; what remains of the request; what is paid now."""
    sentences = []
    if len(told) == 1:
        sentences += _without_ceiling(tell, *told[0])
    paid = [row["cents"] for _, row in told if row["cents"]]
    if len(paid) > 1:
        terms = " + ".join(tell.money.number(cents) for cents in paid)
        sentences.append(tell.say("total", terms=terms, cents=tell.money.amount(sum(paid))))
    agreed = _arbitrated(tell, whole)
    # Whoever agreed on an amount asks no more: nothing of her requests is carried.
    sentences += agreed or _rest(tell, whole, told)
    return sentences + _settled(tell, whole["id"])


def _without_ceiling(tell: Teller, step: Row, row: Row) -> list[str]:
    """What the rule alone would have given, told to those whom the ceilings of others helped."""
    by_requests = step["rule"] in BY_REQUESTS
    state = claim_bound(step["persons"]) if by_requests else bounded(step, step["persons"])
    if step["flags"] or state.low or not state.high or row["id"] in state.high_ids:
        return []
    parts = {"weighted": "weight", "claims_pro": "claim"}
    if step["rule"] == "equal":
        part, total = 1, len(step["persons"])
    elif step["rule"] in parts and row[parts[step["rule"]]]:
        key = parts[step["rule"]]
        part, total = row[key], sum(one[key] for one in step["persons"])
    else:
        return []
    alone = Fraction(step["in"] * part, total)
    if step["rule"] == "claims_pro" and alone >= row["claim"]:
        return []
    several = len({(one["ceiling_reason"], one["ceiling"]) for one in state.high})
    phrase = "no_ceilings" if several > 1 else "no_ceiling"
    return [tell.say(phrase, amount=tell.money.number(half_up(alone)))]


def _arbitrated(tell: Teller, whole: Row) -> list[str]:
    """What the meeting agreed for her, when she confirmed, and what she receives in all."""
    arbitration = tell.trace["arbitration"]
    changes = [change for change in (arbitration or {"changes": []})["changes"] if change["person"] == whole["id"]]
    if not changes:
        return []
    sentences = []
    for change in changes:
        sentence = tell.say(
            "arbitrated",
            computed=tell.money.number(change["computed"]),
            agreed=tell.money.number(change["agreed"]),
            day=tell.money.day(change["confirmed_on"]),
        )
        if len(tell.trace["purses"]) > 1:
            sentence = tell.say("arbitrated_purse", sentence=sentence, purse=tell.name(change["purse"]))
        sentences.append(sentence)
    if len(tell.trace["purses"]) > 1:
        sentences.append(tell.say("arbitrated_total", cents=tell.money.amount(whole["cents"])))
    return [*sentences, tell.say("arbitrated_reason", reason=arbitration["reason"])]


def _rest(tell: Teller, whole: Row, told: list[tuple[Row, Row]]) -> list[str]:
    """What becomes of the part of a request that was not paid."""
    paid = whole["per_contribution"]
    rest = sum(max(0, line["claim"] - paid.get(line["contribution"], 0)) for line in _read(tell, whole))
    if rest <= 0 or not any(step["rule"] in BY_REQUESTS for step, _ in told):
        return []
    periods = tell.trace["charter"]["document"].get("unpaid", {}).get("carry_periods", 0)
    amount = tell.money.number(rest)
    if periods == 0:
        return [tell.say("rest_ends", amount=amount)]
    return [tell.many("rest_carried", periods, amount=amount)]


def _settled(tell: Teller, person: str) -> list[str]:
    """What is paid now and what waits, by the charter's least payment."""
    minimum = tell.trace["charter"]["document"].get("minimum_payout", 0)
    found = next((one for one in tell.trace["settle"] if one["person"] == person), None)
    if found is None or (not minimum and not found["before"]):
        return []
    balance, written = found["before"] + found["credited"], tell.money.number
    sentences = []
    if found["before"] and balance:
        sentences.append(tell.say("waiting", before=written(found["before"]), balance=written(balance)))
    if found["carried"]:
        return [*sentences, tell.say("kept_due", balance=written(balance), minimum=written(minimum))]
    if not found["paid"]:
        return sentences
    if not minimum:
        return [*sentences, tell.say("paid", paid=written(found["paid"]))]
    phrase = "paid_above" if balance > minimum else "paid_reached"
    return [*sentences, tell.say(phrase, minimum=written(minimum))]
