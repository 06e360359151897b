"""What a reviewer of many contributions must not miss: sums of what is on the page, and requests unlike the others."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from backend.contributions.comparable import Comparable
from backend.contributions.models import Contribution
from backend.contributions.rounds import NOT_TOLD
from backend.core.money import format_money
from backend.core.text import folded
from backend.identity.models import User

DAY = 24 * 60  # minutes
FAR = 2  # times what others asked in the middle, or what the charter suggests
Twin = tuple[str, str, date]


def twin_of(contributor: str, description: str, day: date) -> Twin:
    """What two contributions that say the same work have in common."""
    return contributor, folded(description), day


@dataclass(frozen=True)
class Beside:
    """What is told of the people and days of some rows: how often each work is told, and the minutes of each day."""

    twins: "Counter[Twin]"
    minutes: "Counter[tuple[str, date]]"


def beside(actor: User, rows: Iterable[Contribution]) -> Beside:
    """What a person sees of the work of the same people on the same days as these. One query.

    Validated and shared work counts too: what was accepted once must not be accepted again.
    """
    people = {(one.contributor_id, one.worked_on) for one in rows}
    told = Contribution.visible_to(actor).exclude(state__in=NOT_TOLD).filter(
        remainder_of=None, contributor__in={person for person, _day in people},
        worked_on__in={day for _person, day in people},
    )  # fmt: skip
    found = Beside(Counter(), Counter())
    for person, words, day, minutes in told.values_list("contributor_id", "description", "worked_on", "minutes"):
        found.twins[twin_of(person, words, day)] += 1
        found.minutes[person, day] += minutes
    return found


def marks_of(one: Contribution, others: Comparable | None, longest: int | None, told: Beside) -> list[str]:
    """What strikes in a request, in words.

    Args: others: what others were granted. longest: the most minutes that they were. told: of `beside`.
    """
    found = []
    cap = one.period.charter.soft_cap
    if one.amount_counts and others and one.amount > max(others.high, FAR * others.middle):
        found.append(_("far above what others asked"))
    suggestion = one.period.charter.suggests(one.kind, one.minutes)
    if one.amount_counts and suggestion and one.amount > FAR * suggestion:
        found.append(_("far above what the charter suggests"))
    if one.amount_counts and cap is not None and one.amount > cap:
        found.append(_("above %(cap)s: it says why") % {"cap": format_money(cap, one.currency)})
    if not one.amount_counts and longest is not None and one.minutes > FAR * longest:
        found.append(_("far more time than others took"))
    if told.minutes[one.contributor_id, one.worked_on] > DAY:
        found.append(_("more than 24 hours on one day, all work together"))
    if told.twins[twin_of(one.contributor_id, one.description, one.worked_on)] > 1:
        found.append(_("same work, person and day as another"))
    return found


def sums_of(rows: Sequence[Contribution]) -> dict[str, Any]:
    """How many, their minutes, and what they ask by currency, in minor units."""
    asked: Counter[str] = Counter()
    for one in rows:
        asked[one.currency] += one.amount
    return {"count": len(rows), "minutes": sum(one.minutes for one in rows), "asked": sorted(asked.items())}
