"""Reads what a fiscal year did, by purse and number of the chart: what closings of years and yearly reports add up."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.db.models import Q, Sum
from django.db.models.functions import Coalesce

from backend.ledger.models import Posting


@dataclass(frozen=True)
class YearSum:
    """What the lines of one purse under one number and kind of entry come to, minor units, debits positive: before the
    year, and in it."""

    purse: str
    owner: str
    currency: str
    chart: str
    entry: str
    before: int
    during: int


def year_sums(*, kinds: Iterable[str], first: date, last: date, owners: Iterable[str] | None = None) -> list[YearSum]:
    """The sums of the purses of these kinds, all or those of some owners, by when things happened; in a fixed order."""
    rows = Posting.objects.filter(account__kind__in=list(kinds), happened_on__lte=last)
    if owners is not None:
        rows = rows.filter(account__owner__in=list(owners))
    names = ("account__kind", "account__owner", "currency", "chart", "entry__kind")
    before, during = Q(happened_on__lt=first), Q(happened_on__gte=first)
    sums = rows.order_by().values(*names).annotate(
        before=Coalesce(Sum("amount", filter=before), 0), during=Coalesce(Sum("amount", filter=during), 0)
    )  # fmt: skip
    found = [YearSum(*(row[name] for name in names), int(row["before"]), int(row["during"])) for row in sums]
    return sorted(found, key=lambda row: (row.owner, row.currency, row.purse, row.chart, row.entry))
