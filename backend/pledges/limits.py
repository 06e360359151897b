"""What a person may still pledge for an organisation."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, F, Sum, When
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict
from backend.core.money import format_money
from backend.identity.models import Organisation, SpendingLimit, User
from backend.identity.services import host_zone
from backend.pledges.models import Pledge


@dataclass(frozen=True)
class Left:
    """A limit and what is left of it, in minor units; `per` as in SpendingLimit."""

    per: str
    limit: int
    left: int
    currency: str


def limits_left(user: User, organisation: Organisation, *, now: datetime) -> list[Left]:
    """The limits of a person in an organisation with what is left of them now, by currency, those per pledge first."""
    rows = SpendingLimit.objects.filter(user=user, organisation=organisation).order_by("currency", "per")
    found = []
    for row in rows:
        spent = _pledged_this_year(user, organisation, row.currency, now) if row.per == "year" else 0
        found.append(Left(row.per, row.amount, max(0, row.amount - spent), row.currency))
    return found


def require_within_limits(user: User, organisation: Organisation, *, amount: int, currency: str, now: datetime) -> None:
    """Refuse a pledge above a limit of the person; the caller holds the organisation.

    Raises: Conflict `above_spending_limit`, which names what is left.
    """
    for one in limits_left(user, organisation, now=now):
        if one.currency != currency or amount <= one.left:
            continue
        values = {
            "organisation": organisation.name,
            "limit": format_money(one.limit, currency),
            "left": format_money(one.left, currency),
        }
        if one.per == "pledge":
            text = _(
                "You may pledge %(limit)s at a time for %(organisation)s: choose a smaller amount, or ask a manager."
            )
        else:
            text = _(
                "You may pledge %(limit)s a year for %(organisation)s and %(left)s is left until the end of the "
                "calendar year: choose a smaller amount, or ask a manager."
            )
        raise Conflict("above_spending_limit", text % values, param="amount")


def _pledged_this_year(user: User, organisation: Organisation, currency: str, now: datetime) -> int:
    """What a person pledged in the host's calendar year; of what was written off, only what was received."""
    zone = host_zone()
    year = now.astimezone(zone).year
    made = Pledge.objects.filter(
        made_by=user,
        organisation=organisation,
        currency=currency,
        created_at__gte=datetime(year, 1, 1, tzinfo=zone),
        created_at__lt=datetime(year + 1, 1, 1, tzinfo=zone),
    ).exclude(state="cancelled")
    counted = Case(When(state="written_off", then=F("received")), default=F("amount"))
    return int(made.aggregate(total=Sum(counted))["total"] or 0)
