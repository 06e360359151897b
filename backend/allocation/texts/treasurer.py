"""What a closing did with the money: the paragraphs of a treasurer."""

from collections.abc import Iterator, Mapping, Sequence

from backend.allocation.texts.bounds import bounded, claim_bound
from backend.allocation.texts.by_requests import asking
from backend.allocation.texts.contributor import HISTORY
from backend.allocation.texts.limits import Limits, ceiling_words
from backend.allocation.texts.places import left_after, place, rule_words, take_words, takes_a_part, waterfall
from backend.allocation.texts.sentences import BY_REQUESTS, FLOORS_NOT_MET, sentences_of
from backend.allocation.texts.words import Row, Teller, remainders, taking_part, teller, tiers

MOST_LISTED = 100  # a pot of thousands has its full lists in the computation file


def explain_whole(
    trace: Row,
    language: str,
    *,
    exponent: int = 2,
    symbol: str = "€",
    names: Mapping[str, str] | None = None,
) -> list[str]:
    """Tell the treasurer what the distribution did: sources and uses, steps, exceptions, rounding, how to check it.

    Same arguments and errors as `explain`, without a person.
    """
    tell = teller(trace, language, exponent, symbol, names or {})
    paragraphs = [waterfall(tell, each_edge=True), _purses(tell)]
    # A tier that looks at work nobody did has nothing to tell.
    paragraphs += [_step(tell, step) for step in trace["steps"] if taking_part(step) or len(tiers(tell)) == 1]
    exceptions = _capped(tell, _exceptions(tell))
    paragraphs.append(tell.say("exceptions", list=exceptions) if exceptions else tell.say("exceptions_none"))
    if trace["arbitration"]:
        paragraphs.append(_arbitration(tell, trace["arbitration"]))
    cents = _capped(tell, _cents(tell))
    paragraphs.append(tell.say("cents", list=cents) if cents else tell.say("cents_none"))
    return [*paragraphs, _totals(tell), _check(tell)]


def _capped(tell: Teller, parts: Iterator[str]) -> str:
    """The parts as one list, cut where nobody would read on."""
    found = list(parts)
    if len(found) > MOST_LISTED:
        more = tell.say("ex_more", count=tell.money.number(len(found) - MOST_LISTED, 0))
        found = [*found[:MOST_LISTED], more]
    return tell.listed(found)


def _purses(tell: Teller) -> str:
    """`held + moved in = shared + moved out + left`, purse by purse."""
    written = tell.money.number
    sentences = []
    for purse in tell.trace["purses"]:
        entering = tell.say("all_moved_in", amount=written(purse["moved_in"])) if purse["moved_in"] else ""
        leaving = tell.say("all_moved_out", amount=written(purse["moved_out"])) if purse["moved_out"] else ""
        figures = {name: written(purse[name]) for name in ("held", "shared", "left")}
        name = tell.name(purse["id"])
        sentences.append(tell.say("all_purse", purse=name, moved_in=entering, moved_out=leaving, **figures))
    return " ".join(sentences)


def _step(tell: Teller, step: Row) -> str:
    """What a step shared, and the one figure to check it by."""
    written = tell.money.number
    where = place(tell, step)
    if takes_a_part(tell, step):
        where += f", {take_words(tell, step)}"
    last = step["tier"] == tiers(tell)[-1]["id"]
    sentences = [
        tell.many(
            "all_step" if last else "all_step_more",
            len(taking_part(step)),
            place=where,
            rule=rule_words(tell, step),
            amount=written(step["in"]),
            shared=written(sum(one["cents"] for one in step["persons"])),
            unspent=written(step["unspent"] if last else left_after(tell, step)),
        )
    ]
    rate = sentences_of(step)[1]
    # Where money is left, or floors are not even met, no common figure made the shares.
    if step["in"] and not step["unspent"] and not step["flags"] and (step["theta"] or step["rule"] == "as_asked"):
        sentences.append(rate(tell, step))
    return " ".join(sentences)


def _exceptions(tell: Teller) -> Iterator[str]:
    """Everything that is not the plain rule on plain money."""
    written = tell.money.number
    for row in tell.trace["waterfall"]:
        if row["step"] == "cut":
            yield tell.say("ex_cut", amount=written(row["amount"]))
        elif row["step"] == "carried" and row["amount"] < 0:
            yield tell.say("ex_short", amount=written(-row["amount"]))
        elif row["step"] == "upstream" and row["base"] * row["rate_bp"] and not row["amount"]:
            yield tell.say("ex_edge", name=tell.name(row["to"]))
    for step in tell.trace["steps"]:
        yield from _bounds(tell, step)
    for index, purse in enumerate(tell.trace["purses"]):
        if purse["left"]:
            yield tell.say(
                "ex_held" if index else "ex_unspent", amount=written(purse["left"]), purse=tell.name(purse["id"])
            )
    for move in tell.trace["moves"]:
        if move["kind"] == "release":
            names = {"purse": tell.name(move["from"]), "target": tell.name(move["to"])}
            yield tell.say("ex_released", amount=written(move["amount"]), **names)
    yield from _corrected(tell)
    for one in tell.trace["settle"]:
        if one["reason"] == "below_minimum":
            yield tell.say("ex_below", name=tell.name(one["person"]), amount=written(one["carried"]))


def _bounds(tell: Teller, step: Row) -> Iterator[str]:
    """Ceilings and floors that were reached in a step."""
    if FLOORS_NOT_MET in step["flags"]:
        yield tell.say("ex_floors", place=place(tell, step))
        return
    by_requests = step["rule"] in BY_REQUESTS
    state = claim_bound(asking(step)) if by_requests else bounded(step, step["persons"])
    limits = Limits(tell, step)
    for one in state.high:
        values = {"name": tell.name(one["id"]), "cents": limits.detail(one, high=True)}
        yield tell.say("ex_high", ceiling=ceiling_words(tell, one), **values)
    for one in state.low:
        if one["cents"]:  # whoever is ahead under catch-up is at a floor of nothing: that is the rule
            yield tell.say("ex_low", name=tell.name(one["id"]), cents=limits.detail(one, high=False))


def _corrected(tell: Teller) -> Iterator[str]:
    """Work validated otherwise than declared, each contribution once."""
    seen: set[str] = set()
    for step in tell.trace["steps"]:
        for row in step["persons"]:
            for line in row["lines"]:
                name = line["contribution"]
                if name in seen or name.startswith(HISTORY) or line["declared"] == line["validated"]:
                    continue
                seen.add(name)
                yield tell.say(
                    "ex_corrected",
                    name=tell.name(row["id"]),
                    validated=tell.money.duration(line["validated"]),
                    declared=tell.money.duration(line["declared"]),
                    kind=tell.kind(line["kind"]),
                )


def _arbitration(tell: Teller, arbitration: Row) -> str:
    """The amounts that a meeting put in the place of the computed ones."""
    changes = [
        tell.say(
            "all_change",
            name=tell.name(change["person"]),
            computed=tell.money.number(change["computed"]),
            agreed=tell.money.number(change["agreed"]),
            day=tell.money.day(change["confirmed_on"]),
        )
        for change in arbitration["changes"]
    ]
    entered = {"name": tell.name(arbitration["entered_by"]), "reason": arbitration["reason"]}
    return tell.say("all_arbitrated", list=_capped(tell, iter(changes)), **entered)


def _cents(tell: Teller) -> Iterator[str]:
    """Each rounding cent, with the rank that got it; the step is named when there are several."""
    for step in tell.trace["steps"]:
        rows = [one for one in step["persons"] if one["extra_cent"]]
        ranks = tell.money.number(remainders(step), 0) if rows else ""
        where = place(tell, step) if len(tell.trace["steps"]) > 1 else ""
        for text in _cent_rows(tell, rows, ranks):
            yield tell.say("cent_place", place=where, list=text) if where else text


def _cent_rows(tell: Teller, rows: Sequence[Row], ranks: str) -> Iterator[str]:
    for one in sorted(rows, key=lambda row: (row["remainder_rank"], row["id"])):
        yield tell.say(
            "cent_tie" if one["tie_hash"] else "cent_row",
            name=tell.name(one["id"]),
            cent=tell.money.signed(one["extra_cent"]),
            rank=tell.money.number(one["remainder_rank"], 0),
            ranks=ranks,
            hash=(one["tie_hash"] or "")[:6],
        )


def _totals(tell: Teller) -> str:
    """Sources = uses of the whole pot, then what is paid and what waits."""
    written, totals, settle = tell.money.number, tell.trace["totals"], tell.trace["settle"]
    uses = {name: written(amount) for name, amount in totals["uses"].items()}
    sentences = [tell.say("all_totals", held=written(totals["sources"]["held"]), **uses)]
    if any(one["carried"] or one["before"] for one in settle):
        paid, carried = sum(one["paid"] for one in settle), sum(one["carried"] for one in settle)
        sentences.append(tell.say("all_settle", paid=written(paid), carried=written(carried)))
    return " ".join(sentences)


def _check(tell: Teller) -> str:
    """Charter, engine, digests, and the command that computes it all again."""
    trace, charter = tell.trace, tell.trace["charter"]
    version = charter.get("version")
    first = tell.say(
        "charter_no_version" if version is None else "charter", version=str(version), sha=charter["sha256"]
    )
    fingerprints = {"snapshot": trace["snapshot_sha256"], "result": trace["result_sha256"]}
    return f"{first} {tell.say('check', engine=trace['engine'], **fingerprints)}"
