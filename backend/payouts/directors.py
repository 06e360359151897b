"""What the host pays its directors, month by month, against what the law tolerates: warns, never blocks."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from backend.distributions.models import Share
from backend.identity.models import User
from backend.identity.services import host_day
from backend.payees.directors import directors_in, limit_on
from backend.payouts.models import Payout

LEFT = ("prepared", "sent", "settled")
MONTHS = 24  # shown, the latest first


@dataclass(frozen=True)
class Warned:
    """A director and a calendar month: what it holds already, what comes in addition, what is tolerated, in cents."""

    person: User
    month: date
    paid: int
    coming: int
    limit: int

    @property
    def total(self) -> int:
        """All together."""
        return self.paid + self.coming

    @property
    def over(self) -> int:
        """By how much the limit is passed; 0 when it is not."""
        return max(0, self.total - self.limit)


def warnings(shares: Iterable[Share], *, now: datetime | None = None) -> list[Warned]:
    """The directors among those whom these shares would pay this month, each with whether the limit is passed.

    All payees of a person count together. Args: shares: not in a batch yet.
    """
    month = month_of(host_day(now or timezone.now()))
    coming: dict[str, int] = defaultdict(int)
    for share in shares:
        if share.distribution.currency == "EUR":
            coming[share.payee.user_id] += share.due
    found = _people(month, coming)
    paid = _paid(month, [person.pk for person in found])
    limit, _since, _source = limit_on(month)
    return [Warned(one, month, paid[one.pk, month], coming[one.pk], limit) for one in found]


def in_batch(batch_id: str) -> list[Warned]:
    """The directors whom a batch pays, each with all that their month holds, the batch included."""
    payouts = list(Payout.objects.filter(batch=batch_id, payee__isnull=False).select_related("payee", "batch"))
    if not payouts:
        return []
    month = month_of(_day(payouts[0]))
    found = _people(month, {payout.payee.user_id for payout in payouts if payout.payee})
    paid = _paid(month, [person.pk for person in found])
    limit, _since, _source = limit_on(month)
    return [Warned(one, month, paid[one.pk, month], 0, limit) for one in found]


def by_month(*, today: date, months: int = MONTHS) -> list[Warned]:
    """What each director was paid in each calendar month in which they directed the host, the latest month first."""
    rows = []
    month = month_of(today)
    for _number in range(months):
        rows.append(month)
        month = month_of(month - timedelta(days=1))
    people = {one.user_id: one.user for one in directors_in(rows[-1], after(rows[0]))}
    paid = _paid(rows[-1], list(people))
    found = []
    for month in rows:
        limit, _since, _source = limit_on(month)
        found += [Warned(one, month, paid[one.pk, month], 0, limit) for one in _people(month, people)]
    return found


def month_of(day: date) -> date:
    """The first day of its month."""
    return day.replace(day=1)


def after(month: date) -> date:
    """The first day of the month that follows."""
    return month_of(month + timedelta(days=31))


def _people(month: date, of: Iterable[str]) -> list[User]:
    """Those of these people who direct the host in a month, once each, by name."""
    return list({one.user_id: one.user for one in directors_in(month, after(month), of)}.values())


def _day(payout: Payout) -> date:
    """The day of the host's calendar on which it was handed to the bank, or is to be."""
    sent = payout.batch.sent_at
    return host_day(sent) if sent else payout.batch.execute_on


def _paid(since: date, people: list[str]) -> dict[tuple[str, date], int]:
    """Person and month → cents of what left for them, or is in a batch, from a month on."""
    found: dict[tuple[str, date], int] = defaultdict(int)
    rows = Payout.objects.filter(payee__user__in=people, state__in=LEFT, batch__currency="EUR")
    rows = rows.filter(Q(batch__sent_at=None) | Q(batch__sent_at__date__gte=since - timedelta(days=1)))
    for payout in rows.select_related("payee", "batch"):
        if payout.payee is not None:
            found[payout.payee.user_id, month_of(_day(payout))] += payout.amount
    return found
