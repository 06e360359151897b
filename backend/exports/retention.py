"""Keeps the archive of booked names: what was booked before there was one, and what is past its ten years."""

from datetime import date, datetime

from backend.identity.models import Host
from backend.identity.services import fiscal_year, fiscal_year_of, host_day
from backend.ledger.models import Account, Posting
from backend.payees.models import BookedName, Payee
from backend.payees.services import archive_names, let_names_go

KEPT_YEARS = 10  # after the fiscal year of an entry is closed: Code de commerce, L123-22


def keep_names(now: datetime) -> int:
    """Archive the names of payees whose purse has none yet; remove those that nothing obliges to keep.

    A payee's names go together: when its last entry is of a fiscal year closed for ten years. Its exports of that time
    then carry its id instead.
    Returns: how many payees were done; 0 when nothing is due.
    """
    host = Host.objects.first()
    if host is None:
        return 0
    this_year = fiscal_year_of(host_day(now), starts_on=host.fiscal_year_starts_on)
    since, _closing = fiscal_year(this_year - KEPT_YEARS, starts_on=host.fiscal_year_starts_on)
    unnamed = Account.objects.filter(kind="payee").exclude(owner__in=BookedName.objects.values("owner"))
    known = Payee.objects.filter(pk__in=unnamed.values("owner")).values_list("pk", flat=True)
    missing = _booked_since(since, set(known))
    archive_names(missing, now=now)
    old = set(BookedName.objects.filter(since__date__lt=since).values_list("owner", flat=True))
    gone = old - _booked_since(since, old)
    let_names_go(gone)
    return len(missing) + len(gone)


def _booked_since(day: date, owners: set[str]) -> set[str]:
    """Those of these payees whose purse has an entry of that day or later."""
    if not owners:
        return owners
    recent = Posting.objects.filter(account__kind="payee", account__owner__in=owners, entry__happened_on__gte=day)
    return set(recent.values_list("account__owner", flat=True).distinct())
