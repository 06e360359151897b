"""What people gave back of their shares, year by year, and the certificate that says it beside their time."""

from collections import defaultdict
from datetime import date, datetime

from django.db.models import Min, QuerySet

from backend.contributions.volunteering import GivenBack, certify_time, days_of, own_years, require_year, year_of
from backend.distributions.models import ShareWaiverPart
from backend.documents.models import Document
from backend.identity.models import User
from backend.identity.services import host_day


def given_back(person: User, *, year: int) -> list[GivenBack]:
    """What a person gave back of booked shares in a fiscal year of the host, by commons, by name."""
    first, last = days_of(year)
    found: dict[tuple[str, str, str], int] = defaultdict(int)
    for part in _of(person).select_related("waiver__share__distribution", "budget__commons"):
        if first <= host_day(part.waiver.made_at) <= last:
            commons = part.budget.commons
            found[(commons.name, part.waiver.share.distribution.currency, commons.pk)] += part.amount
    return [GivenBack(name, currency, cents) for (name, currency, _commons), cents in sorted(found.items())]


def certify_volunteering(*, actor: User, year: int, language: str, now: datetime) -> list[Document]:
    """Issue the certificate of what one gave in a fiscal year: time, and apart from it what was given back of shares.

    One paper for each currency; the same figures again give back the first. Moves no money.
    Raises: Invalid `year_unknown`; Conflict `no_volunteering`.
    """
    require_year(year)
    return certify_time(
        actor=actor, year=year, language=language, given_back=given_back(actor, year=year), now=now
    )  # fmt: skip


def years_given(person: User, *, today: date) -> list[int]:
    """The fiscal years in which a person gave time or gave back of a share, the latest first."""
    years = {year for year, _given in own_years(person, today=today)}
    first = _of(person).aggregate(at=Min("waiver__made_at"))["at"]
    if first is not None:
        since = range(year_of(host_day(first)), year_of(today) + 1)
        years |= {year for year in since if given_back(person, year=year)}
    return sorted(years, reverse=True)


def _of(person: User) -> "QuerySet[ShareWaiverPart]":
    return ShareWaiverPart.objects.filter(waiver__share__contributor=person)
