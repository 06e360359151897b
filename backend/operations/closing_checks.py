"""What one looks at before an accounting month or a year is locked: each point is done, waits, or is wrong.

It only reads: locking stays what two treasurers decide, whatever is said here.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

from django.utils.translation import gettext_lazy as _

from backend.banking.checking import chain, missing_in, stands
from backend.banking.explaining import explain
from backend.banking.models import BankLine
from backend.distributions.models import Distribution, Share
from backend.identity.models import HostBankAccount
from backend.identity.services import host_day
from backend.ledger.closing import month_after
from backend.ledger.services import closings, first_day, frozen, unsealed
from backend.operations.models import SelfCheckRun
from backend.payouts.models import PayoutBatch
from backend.transfers.models import Opening, Transfer

OPEN_LINES = ("new", "suspect", "suggested")
UNFINISHED = ("prepared", "approved", "claimed", "sent", "unknown")  # batches
SELFCHECK_FRESH = timedelta(hours=1)
State = Literal["ok", "wait", "no"]


@dataclass(frozen=True)
class Point:
    """One point of the list: its code, where it stands, what to count, and the rows that are in the way."""

    code: str
    state: State
    count: int = 0
    things: list[tuple[str, str]] = field(default_factory=list)  # (id, name)


@dataclass(frozen=True)
class MonthChecked:
    """A month with its points."""

    first_day: date
    last_day: date
    points: list[Point]

    @property
    def open_points(self) -> int:
        """How many points are not done."""
        return sum(point.state != "ok" for point in self.points)


CODES = {
    "over": _("The month is over"),
    "lines": _("Every bank line is explained"),
    "balance": _("The balance of each account is verified"),
    "clearing": _("What passes through is named, to the cent"),
    "batches": _("The payout batches are finished"),
    "distributions": _("The distributions are approved"),
    "papers": _("Every share has its supporting document"),
    "decisions": _("No transfer and no opening balance waits to be decided"),
    "sealed": _("Every entry is sealed"),
    "selfcheck": _("The last self-check found nothing"),
}


def check_month(*, first_day: date, now: datetime) -> MonthChecked:
    """Look at a month. Args: first_day: of the month."""
    end = month_after(first_day)
    last = end - timedelta(days=1)
    points = [
        Point("over", "ok" if host_day(now) >= end else "wait"), _lines(end), _balances(last), _clearing(end),
        _batches(end), _distributions(end), _papers(end), _decisions(end),
        _counted("sealed", unsealed(first=first_day, last=last)), _selfcheck(now),
    ]  # fmt: skip
    return MonthChecked(first_day, last, points)


def month_states(first: date, last: date) -> list[tuple[date, str]]:
    """Each month of a year with its state: locked, asked or open."""
    live = {row.first_day: row for row in closings().filter(withdrawn_at=None, unlocked_at=None)}
    found, month = [], first
    while month <= last:
        row = live.get(month)
        found.append((month, "open" if row is None else "locked" if row.locked_at else "asked"))
        month = month_after(month)
    return found


def _counted(code: str, count: int, things: list[tuple[str, str]] | None = None, wrong: State = "wait") -> Point:
    return Point(code, wrong if count else "ok", count, things or [])


def _lines(end: date) -> Point:
    rows = BankLine.objects.filter(state__in=OPEN_LINES, booked_on__lt=end)
    return _counted("lines", rows.count())


def _balances(last: date) -> Point:
    """An account is verified when a statement that closes on the last day, or the first one that closes later, holds
    what the ledger held then, and no statement is missing before it. One without any movement needs none."""
    wrong = []
    for account in HostBankAccount.objects.order_by("name"):
        began = first_day(kind="bank", owner=account.pk, currency=account.currency)
        if began is None or began > last:
            continue
        statements = chain(account.pk)
        late = [one for one in statements if one.closes_on is not None and one.closes_on >= last]
        if not late:
            wrong.append((account.pk, account.name))
            continue
        until = [one for one in statements if (one.closes_on or last) <= (late[0].closes_on or last)]
        if missing_in(account.pk, until) or stands([late[0]])[late[0].pk].verified is not True:
            wrong.append((account.pk, account.name))
    return _counted("balance", len(wrong), wrong)


def _clearing(end: date) -> Point:
    """A cent that nothing explains is wrong; a named piece of before the end waits."""
    purses = explain()
    if any(purse.gap for purse in purses):
        return Point("clearing", "no", sum(bool(purse.gap) for purse in purses))
    old = sum(piece.since < end for purse in purses for piece in purse.pieces)
    return Point("clearing", "ok", old)


def _batches(end: date) -> Point:
    rows = PayoutBatch.objects.filter(state__in=UNFINISHED, execute_on__lt=end).order_by("pk")
    return _counted("batches", rows.count(), [(row.pk, f"{row.execute_on}") for row in rows[:10]])


def _distributions(end: date) -> Point:
    rows = Distribution.objects.exclude(state="booked").filter(period__ends_before__lte=end)
    rows = rows.select_related("period__budget").order_by("pk")
    return _counted("distributions", rows.count(), [(row.pk, row.period.budget.name) for row in rows[:10]])


def _papers(end: date) -> Point:
    rows = Share.objects.filter(state__in=["owed", "documented"], distribution__state="booked")
    return _counted("papers", rows.filter(distribution__period__ends_before__lte=end).count())


def _decisions(end: date) -> Point:
    waiting = Transfer.objects.filter(state="proposed").count()
    return _counted("decisions", waiting + Opening.objects.filter(state="proposed", as_of__lt=end).count())


def _selfcheck(now: datetime) -> Point:
    run = SelfCheckRun.objects.order_by("-pk").first()
    if frozen() is not None or (run is not None and not run.ok):
        return Point("selfcheck", "no", len(run.findings) if run is not None else 0)
    fresh = run is not None and run.started_at > now - SELFCHECK_FRESH
    return Point("selfcheck", "ok" if fresh else "wait")
