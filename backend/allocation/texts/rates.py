"""The one figure by which a treasurer checks a step: read from theta, not from the shares."""

from fractions import Fraction

from backend.allocation.texts.by_requests import is_below_the_halves, requests
from backend.allocation.texts.by_work import unit_words
from backend.allocation.texts.words import WEIGHT_OF_AN_HOUR, Row, Teller


def per_hour(tell: Teller, step: Row) -> str:
    """Money an hour, weighted or not; since the beginning where pay is caught up."""
    if step["unit"] == "persons":
        return level(tell, step)
    rate = Fraction(*step["theta"]) * WEIGHT_OF_AN_HOUR
    return tell.say("all_rate_whole", rate=tell.money.exact(rate), per=unit_words(tell, step)["per"])


def level(tell: Teller, step: Row) -> str:
    """The most that anybody got by the rule."""
    return tell.say("all_level", rate=tell.money.exact(Fraction(*step["theta"])))


def loss(tell: Teller, step: Row) -> str:
    """What was taken off each request."""
    return tell.say("all_loss", rate=tell.money.exact(-Fraction(*step["theta"])))


def level_or_loss(tell: Teller, step: Row) -> str:
    """The level while half of the requests are not covered, the loss afterwards."""
    return level(tell, step) if is_below_the_halves(step) else loss(tell, step)


def percentage(tell: Teller, step: Row) -> str:
    """The part of each request that was met."""
    return tell.say("all_percent", percent=tell.money.percent(Fraction(*step["theta"])))


def served(tell: Teller, step: Row) -> str:
    """How many requests were met in full, in part, not at all."""
    states = ["full" if cents >= claim else "part" if cents else "none" for _, claim, cents in requests(step)]
    counts = {name: tell.money.number(states.count(name), 0) for name in ("full", "part", "none")}
    return tell.say("all_served", **counts)
