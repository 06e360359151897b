"""The limits of a bank account of the host, above which a batch takes a third person; PostgreSQL asks for them too."""

from collections import defaultdict
from datetime import datetime

from django.db.models import Q, Sum
from django.utils.translation import gettext_lazy as _

from backend.distributions.models import Share
from backend.identity.models import HostBankAccount
from backend.identity.services import host_day
from backend.ledger.services import balance
from backend.payees.models import Payee
from backend.payments.models import Refund
from backend.payouts.models import PayoutBatch
from backend.pledges.models import Pledge

# What is above a limit → the sentence that says so.
ABOVE = {
    "payee": _("one person gets more than the limit for a payee"),
    "batch": _("the batch is above its limit"),
    "day": _("the batches of the day are together above the limit of a day"),
}


def whose(line: Share | Refund) -> tuple[str, ...]:
    """Who gets a line, as the limit for a payee counts: a person or payer whatever their payees and pledges, and the
    bank account that it goes to, whoever holds it."""
    return _gets(line.payee if isinstance(line, Share) else line)


def _gets(row: Payee | Refund) -> tuple[str, ...]:
    who = row.user_id if isinstance(row, Payee) else _payer(row.pledge)
    return (who, f"iban:{row.iban_index}") if row.iban_index else (who,)


def _payer(pledge: Pledge) -> str:
    """Who promised; somebody without an account is known by their address, which each of their gifts repeats."""
    if pledge.donor is None:
        return str(pledge.organisation_id or pledge.person_id)
    return pledge.donor.claimed_by_id or (
        f"address:{pledge.donor.email_index}" if pledge.donor.email_index else pledge.donor.pk
    )


def due(line: Share | Refund) -> int:
    """What is to be paid of a line, minor units."""
    return line.due if isinstance(line, Share) else line.amount


def above(*, account: HostBankAccount, most: int, total: int, earlier: int) -> list[str]:
    """The limits that a batch is above, as keys of ABOVE.

    Args: most: what who gets most of it gets (see `whose`), minor units. total: of the batch. earlier: of the other
        batches of its day.
    """
    found = []
    if account.limit_payee is not None and most > account.limit_payee:
        found.append("payee")
    if account.limit_batch is not None and total > account.limit_batch:
        found.append("batch")
    if account.limit_day is not None and earlier + total > account.limit_day:
        found.append("day")
    return found


def prepared_on_day(account: HostBankAccount, at: datetime, before: PayoutBatch | None = None) -> int:
    """The total of the batches of an account prepared on the host's day of this moment and not refused, minor units.

    Args: before: only those prepared before this one.
    """
    rows = PayoutBatch.objects.filter(account=account).exclude(state="rejected")
    if before is not None:
        rows = rows.filter(Q(prepared_at__lt=before.prepared_at) | Q(prepared_at=before.prepared_at, pk__lt=before.pk))
    # A host's day is at most 25 hours long: the rest is told apart by its own calendar.
    near = rows.values_list("prepared_at", "total").order_by("-prepared_at")[:1000]
    return sum(total for when, total in near if host_day(when) == host_day(at))


def above_of(batch: PayoutBatch) -> list[str]:
    """The limits that a batch is above now, as keys of ABOVE: then a second person must approve it too."""
    each: dict[str, int] = defaultdict(int)
    for payout in batch.payouts.select_related("payee", "refund__pledge__donor"):
        row = payout.payee or payout.refund
        assert row is not None  # a payout is one of the two
        for key in _gets(row):
            each[key] += payout.amount
    earlier = prepared_on_day(batch.account, batch.prepared_at, before=batch)
    return above(account=batch.account, most=max(each.values(), default=0), total=batch.total, earlier=earlier)


def at_the_bank(account: HostBankAccount) -> int:
    """What a batch may take from an account, minor units: its balance less what is in transit and less what batches
    that have not left hold. Certain under the lock of the account's row alone."""
    ours = {"owner": account.pk, "currency": account.currency}
    waiting = PayoutBatch.objects.filter(account=account, state__in=PayoutBatch.SPOKEN_FOR)
    spoken_for = waiting.aggregate(total=Sum("total"))["total"] or 0
    return balance(kind="bank", **ours) - balance(kind="in_transit", **ours) - int(spoken_for)
