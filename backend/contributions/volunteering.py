"""Volunteering: whose time was given, in which commons, and what it is valued at. A memorandum: never in the ledger."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from django.db import transaction
from django.db.models import Min, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from backend.contributions.models import Contribution
from backend.contributions.services import validated_minutes
from backend.contributions.volunteering_models import TimeRate
from backend.core.errors import Conflict, Invalid
from backend.core.ids import new_id
from backend.core.money import format_money, require_amount, require_currency
from backend.documents.models import Document
from backend.documents.services import Item, issue, party_of
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import ACTIONS, counting, holds, require
from backend.identity.services import fiscal_year, fiscal_year_of, host_day, the_host

LARGEST_RATE = 1_000_00
FIRST_YEAR, LAST_YEAR = 2000, 2999


@dataclass
class Given:
    """The time given to one commons, in minutes, and its value in minor units; None where the host set no rate."""

    name: str
    currency: str
    rate: int | None
    minutes: int = 0
    people: set[str] = field(default_factory=set)

    @property
    def amount(self) -> int | None:
        """Minutes at the rate of an hour, to the nearest minor unit, half up."""
        return None if self.rate is None else (self.minutes * self.rate + 30) // 60


@dataclass(frozen=True)
class GivenBack:
    """What somebody gave back to one commons of shares that were owed to them, in minor units."""

    name: str
    currency: str
    amount: int


def given_minutes(contribution: Contribution, minutes: int) -> int:
    """How many of the validated minutes of a contribution are volunteering.

    All of them when nothing is asked, where the charter looks at what is asked, or when it was all given up; the part
    of them that was given up; none where time itself is shared out and was not waived.
    """
    if contribution.state == "waived":
        return minutes
    if not contribution.amount_counts:
        return 0
    asked = contribution.amount + contribution.waived + contribution.held_back
    return minutes * contribution.waived // asked if asked else minutes


def year_of(day: date) -> int:
    """The fiscal year of the host that a day is in, by the calendar year in which it begins."""
    return fiscal_year_of(day, starts_on=the_host().fiscal_year_starts_on)


def days_of(year: int) -> tuple[date, date]:
    """The first and the last day of a fiscal year of the host."""
    return fiscal_year(year, starts_on=the_host().fiscal_year_starts_on)


def rates_of(year: int) -> dict[str, TimeRate]:
    """What an hour is valued at in a fiscal year, by currency: the last rate set for it, or for a year before."""
    return {row.currency: row for row in TimeRate.objects.filter(first_year__lte=year).order_by("first_year")}


def figures(*, actor: User, year: int) -> list[Given]:
    """The time given to each commons in a fiscal year, by name.

    All of them for treasurers and auditors; for stewards that of the budgets they care for.
    Raises: Forbidden `not_allowed`; Invalid `year_unknown`.
    """
    scopes = _cared_for(actor)
    require(actor, "volunteering.read", scopes=scopes)
    require_year(year)
    rows = _candidates(year)
    if not holds(actor, "treasurer", "auditor"):
        rows = rows.filter(Q(budget__in=scopes) | Q(budget__parent__in=scopes))
    return _summed(rows, year)


def own_years(person: User, *, today: date) -> list[tuple[int, list[Given]]]:
    """The fiscal years in which a person gave time, the latest first, with what they gave to each commons."""
    first = Contribution.objects.filter(contributor=person).aggregate(day=Min("worked_on"))["day"]
    if first is None:
        return []
    found = []
    for year in range(year_of(today), year_of(first) - 1, -1):
        given = _summed(_candidates(year).filter(contributor=person), year)
        if given:
            found.append((year, given))
    return found


def certify_time(
    *, actor: User, year: int, language: str, given_back: Sequence[GivenBack] = (), now: datetime
) -> list[Document]:
    """Issue the certificate of one's own volunteering in a fiscal year, one for each currency. Moves no money.

    The same figures again give back the first paper; another rate, or what was given since, gives another.
    Args: year: begun. language: "fr" or "en". given_back: of shares, in that year, said apart from the value of time.
    Raises: Invalid `year_unknown`; Conflict `no_volunteering`.
    """
    require_year(year)
    first, last = days_of(year)
    given = _summed(_candidates(year).filter(contributor=actor), year)
    if not given and not given_back:
        raise Conflict("no_volunteering", _("No volunteer work of yours was validated in this year."))
    until = min(last, host_day(now))
    made = []
    for currency in sorted({one.currency for one in given} | {one.currency for one in given_back}):
        lines = [one for one in given if one.currency == currency]
        rate = lines[0].rate if lines else None
        items = [Item(one.name, one.amount or 0, minutes=one.minutes) for one in lines]
        back = [Item(one.name, 0, given_back=one.amount) for one in given_back if one.currency == currency]
        figures = [[item.text, item.amount, item.minutes] for item in items] + [[rate]]
        told = json.dumps(figures + [[item.text, item.given_back] for item in back])
        digest = hashlib.sha256(told.encode()).hexdigest()[:16]
        made.append(
            issue(
                kind="time", key=f"time:{actor.pk}:{year}:{currency}:{language}:{digest}", subject=actor.pk,
                party=party_of(actor), items=[*items, *back], currency=currency, language=language, person=actor,
                period=(first, until), rate=rate, actor=actor, now=now,
            )
        )  # fmt: skip
    return made


@transaction.atomic
def set_rate(*, actor: User, year: int, currency: str, amount: int, reason: str, now: datetime) -> TimeRate:
    """Set what an hour of volunteering is valued at from a fiscal year on. Moves no money: it is in no account.

    Args: amount: minor units. reason: where the figure comes from, for the notes to the accounts.
    Raises: Forbidden `not_allowed`; Invalid `year_unknown`, `unknown_currency`, `amount_out_of_range`, `rate_too_high`,
        `rate_reason`.
    """
    require(actor, "volunteering.set_rate")
    require_year(year)
    require_currency(currency)
    require_amount(amount)
    if amount > LARGEST_RATE:
        most = format_money(LARGEST_RATE, currency)
        raise Invalid("rate_too_high", _("An hour is valued at %(most)s at most.") % {"most": most}, param="amount")
    why = " ".join(reason.split())
    if not why or len(why) > 200:
        raise Invalid("rate_reason", _("Say in 1 to 200 characters where this figure comes from."), param="reason")
    host = type(the_host()).objects.select_for_update(no_key=True).get()  # two treasurers one after the other
    row = TimeRate.objects.filter(first_year=year, currency=currency).first()
    if row is not None and (row.amount, row.reason) == (amount, why):
        return row
    before = {"amount": row.amount, "reason": row.reason} if row is not None else None
    row = row or TimeRate(id=new_id("trt"), first_year=year, currency=currency)
    row.amount, row.reason, row.set_by, row.set_at = amount, why, actor, now
    row.save()
    record(
        "volunteering.rate_set", actor=actor, subject=host.pk, now=now, year=year, currency=currency, amount=amount,
        before=before, after={"amount": amount, "reason": why},
    )  # fmt: skip
    return row


def require_year(year: int) -> None:
    """Refuse what is no year of accounts. Raises: Invalid `year_unknown`."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise Invalid("year_unknown", _("Give a year with four figures."), param="year")


def _cared_for(actor: User) -> list[str]:
    kinds = ACTIONS["volunteering.read"]
    return list(counting(actor).filter(kind__in=kinds).values_list("scope", flat=True))


def _candidates(year: int) -> "QuerySet[Contribution]":
    """Validated work of a fiscal year of which something may have been given; what was waived counts once validated."""
    first, last = days_of(year)
    validated = Q(state__in=["validated", "included", "settled"]) | Q(state="waived", validated_at__isnull=False)
    rows = Contribution.objects.filter(
        validated, Q(amount=0) | Q(waived__gt=0), minutes__gt=0, worked_on__gte=first, worked_on__lte=last
    )
    return rows.select_related("budget__commons", "period__charter").order_by("pk")


def _summed(rows: Iterable[Contribution], year: int) -> list[Given]:
    found: dict[tuple[str, str], Given] = {}
    known: Sequence[Contribution] = list(rows)
    minutes, rates = validated_minutes(known), rates_of(year)
    for row in known:
        given = given_minutes(row, minutes[row.pk][0])
        if not given:
            continue
        key = (row.budget.commons_id, row.currency)
        rate = rates.get(row.currency)
        one = found.setdefault(key, Given(row.budget.commons.name, row.currency, rate.amount if rate else None))
        one.minutes += given
        one.people.add(row.contributor_id)
    return sorted(found.values(), key=lambda one: (one.name, one.currency))
