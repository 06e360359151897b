"""Reads what a fiscal year did, by purse and number of the chart: what closings of years and yearly reports add up."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.db import connection
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
    found = [
        YearSum(
            row["account__kind"], row["account__owner"], row["currency"], row["chart"], row["entry__kind"],
            int(row["before"]), int(row["during"]),
        )
        for row in sums
    ]  # fmt: skip
    return sorted(found, key=lambda row: (row.owner, row.currency, row.purse, row.chart, row.entry))


def fees_by_payer_purse(*, first: date, last: date) -> dict[tuple[str, str, str], int]:
    """(budget, currency, kind of entry) → what the host took in the entries of payments to this budget, in the year;
    minor units, above zero for what it took."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT pot.owner, fee.currency, entry.kind, -sum(fee.amount) FROM ledger_posting fee
              JOIN ledger_account host ON host.id = fee.account_id AND host.kind = 'host_fees'
              JOIN ledger_journalentry entry ON entry.id = fee.entry_id AND entry.kind LIKE 'payment.%%'
              JOIN LATERAL (
                  SELECT DISTINCT account.owner FROM ledger_posting part
                    JOIN ledger_account account ON account.id = part.account_id
                   WHERE part.entry_id = fee.entry_id AND account.kind IN ('budget', 'deficit')
                   ORDER BY account.owner LIMIT 1
              ) pot ON true
             WHERE fee.happened_on BETWEEN %s AND %s GROUP BY pot.owner, fee.currency, entry.kind
            """,
            [first, last],
        )
        return {(owner, currency, kind): int(amount) for owner, currency, kind, amount in cursor.fetchall()}
