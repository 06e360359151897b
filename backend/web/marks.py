"""What a reviewer of many contributions must not miss: sums of what is on the page, and requests unlike the others."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from backend.contributions.comparable import Comparable
from backend.contributions.models import Contribution
from backend.contributions.rounds import NOT_TOLD
from backend.core.money import format_money
from backend.core.text import seen
from backend.identity.models import User

FAR = 2  # times what others asked in the middle, or what the charter suggests
Twin = tuple[str, str, date]


def twin_of(contributor: str, description: str, day: date) -> Twin:
    """What two contributions that say the same work have in common: what nobody sees does not count.

    Nor do capitals, spaces, and the other forms of one letter.
    """
    return contributor, seen(unicodedata.normalize("NFKC", description)).casefold(), day


def twins_of(actor: User, rows: Iterable[Contribution]) -> "Counter[Twin]":
    """How many contributions that a person sees say the same work as one of these, of the same person and day.

    Validated and shared work counts too: what was accepted once must not be accepted again. One query.
    """
    people = {(one.contributor_id, one.worked_on) for one in rows}
    told = Contribution.visible_to(actor).exclude(state__in=NOT_TOLD).filter(
        contributor__in={person for person, _day in people}, worked_on__in={day for _person, day in people}
    )  # fmt: skip
    return Counter(twin_of(*row) for row in told.values_list("contributor_id", "description", "worked_on"))


def marks_of(one: Contribution, others: Comparable | None, twins: "Counter[Twin]") -> list[str]:
    """What strikes in a request, in words. Args: others: what others were granted. twins: of `twins_of`."""
    found = []
    cap = one.period.charter.soft_cap
    if one.amount_counts and others and one.amount > max(others.high, FAR * others.middle):
        found.append(_("far above what others asked"))
    suggestion = one.period.charter.suggests(one.kind, one.minutes)
    if one.amount_counts and suggestion and one.amount > FAR * suggestion:
        found.append(_("far above what the charter suggests"))
    if one.amount_counts and cap is not None and one.amount > cap:
        found.append(_("above %(cap)s: it says why") % {"cap": format_money(cap, one.currency)})
    if twins[twin_of(one.contributor_id, one.description, one.worked_on)] > 1:
        found.append(_("same work, person and day as another"))
    return found


def sums_of(rows: Sequence[Contribution]) -> dict[str, Any]:
    """How many, their minutes, and what they ask by currency, in minor units."""
    asked: Counter[str] = Counter()
    for one in rows:
        asked[one.currency] += one.amount
    return {"count": len(rows), "minutes": sum(one.minutes for one in rows), "asked": sorted(asked.items())}
