"""What a reviewer of many contributions must not miss: sums of what is on the page, and requests unlike the others."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from django.utils.translation import gettext as _

from backend.contributions.comparable import Comparable
from backend.contributions.models import Contribution
from backend.core.money import format_money

FAR = 2  # times what others asked in the middle
Twin = tuple[str, str, object]


def _twin(one: Contribution) -> Twin:
    return one.contributor_id, " ".join(one.description.casefold().split()), one.worked_on


def twins_of(rows: Iterable[Contribution]) -> "Counter[Twin]":
    """How many of these say the same work, of the same person, on the same day."""
    return Counter(_twin(one) for one in rows)


def marks_of(one: Contribution, others: Comparable | None, twins: "Counter[Twin]") -> list[str]:
    """What strikes in a request, in words. Args: others: what others were granted. twins: of `twins_of`."""
    found = []
    cap = one.period.charter.soft_cap
    if one.amount_counts and others and one.amount > max(others.high, FAR * others.middle):
        found.append(_("far above what others asked"))
    if one.amount_counts and cap is not None and one.amount > cap:
        found.append(_("above %(cap)s: it says why") % {"cap": format_money(cap, one.currency)})
    if twins[_twin(one)] > 1:
        found.append(_("same work, person and day as another"))
    return found


def sums_of(rows: Sequence[Contribution]) -> dict[str, Any]:
    """How many, their minutes, and what they ask by currency, in minor units."""
    asked: Counter[str] = Counter()
    for one in rows:
        asked[one.currency] += one.amount
    return {"count": len(rows), "minutes": sum(one.minutes for one in rows), "asked": sorted(asked.items())}
