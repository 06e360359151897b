"""What a person may still pledge for an organisation."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict
from backend.core.money import format_money
from backend.identity.models import Organisation, SpendingLimit, User
from backend.identity.services import host_day
from backend.pledges.calendar import MONTHS, due_day
from backend.pledges.deciders import Decisions, decisions_on, touched_by
from backend.pledges.models import Instalment, Pledge
from backend.pledges.terms import ONCE, Terms

# This year and the two after: a first instalment falls due within a year, and the year after it is a whole one, like
# all those that follow.
YEARS = 3


@dataclass(frozen=True)
class Left:
    """A limit and what is left of it, in minor units; `per` as in SpendingLimit."""

    per: str
    limit: int
    left: int
    currency: str


def limits_left(user: User, organisation: Organisation, *, now: datetime) -> list[Left]:
    """The limits of a person in an organisation with what is left of them now, by currency, those per pledge first."""
    found = []
    for row in _limits(user, organisation):
        spent = 0
        if row.per == "year":
            spent = pledged(user, organisation, row.currency, now=now)[host_day(now).year]
        found.append(Left(row.per, row.amount, max(0, row.amount - spent), row.currency))
    return found


def require_within_limits(
    user: User, organisation: Organisation, *, amount: int, currency: str, now: datetime, terms: Terms = ONCE
) -> None:
    """Refuse a pledge above a limit of the person; the caller holds the organisation.

    A limit per pledge is compared with one instalment, all that is promised in one act together; a limit per year with
    what the instalments of each calendar year of the host come to.
    Args: amount: minor units of one instalment.
    Raises: Conflict `above_spending_limit`, which names what is left.
    """
    today = host_day(now)
    spent = pledged(user, organisation, currency, now=now)
    times = {year: _times(terms.rhythm, terms.starts_on or today, terms.ends_on, 1, year) for year in spent}
    after = {year: spent[year] + amount * times[year] for year in spent}
    require_room(user, organisation, once=amount, before=spent, after=after, currency=currency)


def require_room(
    user: User,
    organisation: Organisation,
    *,
    once: int,
    before: Mapping[int, int],
    after: Mapping[int, int],
    currency: str,
) -> None:
    """Refuse what goes above a limit; what was above it before and does not grow may stay.

    Args: once: of one instalment; before, after: calendar year → what the person decided, without and with this act;
        minor units. The years begin with the present one.
    Raises: Conflict `above_spending_limit`.
    """
    for row in _limits(user, organisation):
        if row.currency != currency:
            continue
        names = {"organisation": organisation.name, "limit": format_money(row.amount, currency)}
        if row.per == "pledge":
            if once > row.amount:
                raise _above(
                    _(
                        "You may pledge %(limit)s at a time for %(organisation)s: choose a smaller amount, or ask a "
                        "manager."
                    )
                    % names
                )
            continue
        for year in sorted(after):
            if after[year] > max(row.amount, before[year]):
                left = format_money(max(0, row.amount - before[year]), currency)
                text = _IN_THIS_YEAR if year == min(after) else _IN_A_YEAR
                raise _above(text % {**names, "left": left, "year": str(year)})


_IN_THIS_YEAR = _(
    "You may pledge %(limit)s a year for %(organisation)s and %(left)s is left until the end of the calendar year: "
    "choose a smaller amount, or ask a manager."
)
_IN_A_YEAR = _(
    "You may pledge %(limit)s a year for %(organisation)s and %(left)s is left for the year %(year)s: choose a smaller "
    "amount or an earlier end, or ask a manager."
)


def _above(text: object) -> Conflict:
    return Conflict("above_spending_limit", str(text), param="amount")


def _limits(user: User, organisation: Organisation) -> list[SpendingLimit]:
    return list(SpendingLimit.objects.filter(user=user, organisation=organisation).order_by("currency", "per"))


def pledged(user: User, organisation: Organisation, currency: str, *, now: datetime) -> dict[int, int]:
    """What a person decided for an organisation, by calendar year of the host, the present one and those after.

    Of what was given up, only what was received counts. Minor units.
    """
    first = host_day(now).year
    years = range(first, first + YEARS)
    rows = Pledge.objects.filter(organisation=organisation, currency=currency)
    rows = rows.filter(Q(made_by=user) | Q(pk__in=list(touched_by(user.pk))))
    limited = SpendingLimit.objects.filter(organisation=organisation).values_list("user", flat=True)
    found = dict.fromkeys(years, 0)
    decided = decisions_on(rows, limited=set(limited))
    written: dict[str, list[Instalment]] = defaultdict(list)
    for row in Instalment.objects.filter(pledge__in=[one.pledge.pk for one in decided]).order_by("number"):
        written[row.pledge_id].append(row)
    for one in decided:
        for day, amount, counted in _instalments(one, written[one.pledge.pk], years):
            if day.year in found:
                found[day.year] += one.part_of(user.pk, day=day, amount=amount, counted=counted)
    return found


def _instalments(one: Decisions, written: list[Instalment], years: range) -> list[tuple[date, int, int]]:
    """(day, amount, how much of it counts) of the instalments written and of those to come within some years."""
    pledge = one.pledge
    found = [
        (row.due_on, row.amount, row.received if row.state in {"cancelled", "written_off"} else row.amount)
        for row in written
    ]
    if pledge.state != "active" or pledge.paused_at is not None:
        return found
    number = written[-1].number + 1 if written else 1
    while number == 1 or MONTHS[pledge.rhythm]:
        day = due_day(pledge.starts_on, pledge.rhythm, number)
        if day.year >= years.stop or (pledge.ends_on is not None and day > pledge.ends_on):
            break
        found.append((day, pledge.amount, pledge.amount))
        number += 1
    return found


def _times(rhythm: str, starts_on: date, ends_on: date | None, first: int, year: int) -> int:
    """How many instalments, from that number on, fall due in a calendar year."""
    found, number = 0, first
    while number == 1 or MONTHS[rhythm]:
        day = due_day(starts_on, rhythm, number)
        if day.year > year or (ends_on is not None and day > ends_on):
            break
        found += day.year == year
        number += 1
    return found
