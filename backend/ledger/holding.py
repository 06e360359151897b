"""Holds: sets a part of a guarded purse aside, then captures, releases or expires it, once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Min, QuerySet
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict
from backend.core.ids import new_id
from backend.ledger.models import Account, Balance, Hold, HoldEnd


@dataclass(frozen=True)
class Reservation:
    """One hold to be: minor units of a guarded purse, for the fact that scope and key name."""

    account: Account
    amount: int
    scope: str
    key: str
    reference: str
    expires_at: datetime | None = None


def hold_all(*, reservations: Sequence[Reservation], now: datetime) -> list[Hold]:
    """Set amounts aside, all or none; they count against the guard at once. Moves no money.

    Args: reservations: one for each fact. now: when.
    Returns: the holds, in order; those of facts already held come as they are.
    Raises: Conflict `purse_short`; `fact_booked_otherwise` when a fact is held for another purse or amount.
    """
    made = [
        Hold(
            id=new_id("hld"), account=one.account, currency=one.account.currency, amount=one.amount, scope=one.scope,
            key=one.key, reference=one.reference, made_at=now, expires_at=one.expires_at,
        )
        for one in reservations
    ]  # fmt: skip
    known = {
        (row.scope, row.key): row
        for row in Hold.objects.filter(
            scope__in={one.scope for one in reservations}, key__in=[one.key for one in reservations]
        )
    }
    for new in made:
        old = known.get((new.scope, new.key))
        if old is not None and (old.account_id, old.amount) != (new.account_id, new.amount):
            raise Conflict("fact_booked_otherwise", _("This fact is already in the books with other amounts."))
    fresh = [new for new in made if (new.scope, new.key) not in known]
    try:
        with transaction.atomic():
            # In the order of the purses' ids, in which everyone locks their balances.
            Hold.objects.bulk_create(sorted(fresh, key=lambda row: row.account_id))
    except IntegrityError as refusal:
        if "one_fact_one_hold" in str(refusal):  # held by someone else since we looked
            return hold_all(reservations=reservations, now=now)
        if "guarded_purse_keeps_its_side" not in str(refusal):
            raise
        raise Conflict(
            "purse_short", _("There is not enough money in the pot for this. Nothing was booked.")
        ) from refusal
    return [known.get((new.scope, new.key), new) for new in made]


def hold(*, reservation: Reservation, now: datetime) -> Hold:
    """Set one amount aside; see hold_all()."""
    return hold_all(reservations=[reservation], now=now)[0]


def lock_balances(*, hold_ids: Sequence[str], purses: Sequence[str] = (), scope: str = "", key: str = "") -> bool:
    """Lock every balance that the end of holds and an entry will touch, in the order of everyone, before anything else.

    Returns: whether the fact of this scope and key is still to be booked.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger_lock_balances(%s, %s, %s::varchar[], %s::varchar[])",
            [scope, key, list(hold_ids), list(purses)],
        )
        return bool(cursor.fetchone()[0])


def end_as_captured(*, captures: Mapping[str, int], entry_id: str, now: datetime) -> None:
    """End holds by the entry that takes their money in the same transaction; post() calls it.

    Args: captures: hold id → minor units taken, the whole or a part; the rest is free again.
    Raises: Conflict `hold_ended`.
    """
    _end([HoldEnd(hold_id=key, how="captured", captured=captures[key], ended_at=now, entry_id=entry_id)
          for key in captures])  # fmt: skip


def release(*, hold_ids: Sequence[str], now: datetime) -> int:
    """Give holds back, those that ended already left alone; returns how many ended now. Moves no money."""
    waiting = Hold.objects.filter(pk__in=hold_ids, end=None).values_list("pk", flat=True)
    return _end([HoldEnd(hold_id=key, how="released", ended_at=now) for key in waiting])


def holds_due(now: datetime) -> tuple[int, datetime | None]:
    """How many holds wait to be ended because their time is over, and since when the oldest does."""
    found = _over(now).aggregate(count=Count("pk"), oldest=Min("expires_at"))
    return found["count"], found["oldest"]


def expire_due(now: datetime) -> int:
    """End the holds whose time is over; returns how many."""
    ended = 0
    for key in list(_over(now).order_by("account", "pk").values_list("pk", flat=True)[:1000]):
        try:
            ended += _end([HoldEnd(hold_id=key, how="expired", ended_at=now)])
        except Conflict:
            continue  # captured or released since we looked
    return ended


def _over(now: datetime) -> QuerySet[Hold]:
    return Hold.objects.filter(expires_at__lte=now, end=None)


def _end(ends: list[HoldEnd]) -> int:
    purses = dict(Hold.objects.filter(pk__in=[end.hold_id for end in ends]).values_list("pk", "account"))
    try:
        with transaction.atomic():
            lock_balances(hold_ids=[end.hold_id for end in ends])
            HoldEnd.objects.bulk_create(sorted(ends, key=lambda end: (purses.get(end.hold_id, ""), end.hold_id)))
    except IntegrityError as refusal:
        if "ledger_holdend_pkey" not in str(refusal):
            raise
        raise Conflict("hold_ended", _("This was booked by someone else just now. Open the page again.")) from refusal
    return len(ends)


def held(*, kind: str, owner: str, currency: str) -> int:
    """What of a purse is set aside, minor units; 0 if none."""
    row = Balance.objects.filter(account__kind=kind, account__owner=owner, account__currency=currency).first()
    return row.held if row else 0


def holds_of(*, scope: str, references: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Key of the fact → (hold id, minor units) of the holds in force about these rows."""
    rows = Hold.objects.filter(scope=scope, reference__in=references, end=None)
    return {row.key: (row.pk, row.amount) for row in rows}
