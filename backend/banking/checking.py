"""Whether the bank and the ledger say the same of each account: the chain of statements, two states, and every cent of
the difference. All of it is computed; nothing is stored.

Reconciled (*rapproché*): each line is explained and no statement is missing. Verified (*solde vérifié*): the closing
balance of the statement is what the ledger held at the end of that day.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from django.db.models import Q, QuerySet, Sum

from backend.banking.models import BankLine, Statement
from backend.banking.services import BankPosition, positions
from backend.ledger.services import balance_on
from backend.transfers.openings import opened_with

OPEN = ("new", "suspect", "suggested")  # the states of a line that nobody explained yet
UNBOOKED = ("new", "suspect")  # those of them that the ledger does not know
SHOWN = 50  # lines of a difference that are named one by one; the rest is one sum


@dataclass(frozen=True)
class Missing:
    """A stretch that no statement covers: after which one, before which one, and what moved in it, minor units."""

    after: Statement
    before: Statement
    amount: int

    @property
    def numbers(self) -> str:
        """The numbers that lie between, when the bank counts its statements."""
        first, last = self.after.number, self.before.number
        if not (first.isdecimal() and last.isdecimal()) or not 1 < int(last) - int(first) < 100:
            return ""
        between = range(int(first) + 1, int(last))
        return f"{between[0]}" if len(between) == 1 else f"{between[0]}–{between[-1]}"

    @property
    def first_day(self) -> date | None:
        """The first day that may be missing."""
        return self.after.closes_on + timedelta(days=1) if self.after.closes_on else None

    @property
    def last_day(self) -> date | None:
        """The last day that may be missing."""
        opens = self.before.opens_on or self.before.closes_on
        first = self.first_day
        return max(first, opens - timedelta(days=1)) if opens and first else None


@dataclass(frozen=True)
class Item:
    """One part of what the bank says more (or less) than the ledger, in minor units.

    `line`: known to the bank, not booked yet. `lines`: more of those. `missing`: in a statement that was not imported.
    `untied`: a statement that was kept although it does not tie. `before`: what the account held before its first
    statement, less the opening balance of the books. `later`: booked by days that no closing balance covers yet.
    """

    what: Literal["line", "lines", "missing", "untied", "before", "later"]
    amount: int
    line: BankLine | None = None
    missing: Missing | None = None
    statement: Statement | None = None
    count: int = 0


@dataclass
class Checked:
    """One account: where it stands, its open lines, the missing statements, and its difference item by item."""

    position: BankPosition
    open_lines: int
    verified: bool
    missing: list[Missing] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)

    @property
    def reconciled(self) -> bool:
        """Whether each line is explained, with no statement missing."""
        return self.position.stated is not None and not self.open_lines and not self.missing

    @property
    def explained(self) -> int:
        """What the items come to."""
        return sum(one.amount for one in self.items)

    @property
    def unexplained(self) -> int:
        """What no item explains of the difference: 0, or it is shown in red."""
        return (self.position.gap or 0) - self.explained


def check_accounts() -> list[Checked]:
    """Each account of the host, by name."""
    found = []
    for position in positions():
        account = position.account.pk
        statements = chain(account)
        missing = missing_in(account, statements)
        known = _kept(account)
        verified = position.stated is not None and position.stated_on is not None and position.stated == balance_on(
            kind="bank", owner=account, currency=position.account.currency, day=position.stated_on
        )  # fmt: skip
        one = Checked(position, known.filter(state__in=OPEN).count(), verified, missing)
        if position.gap is not None:
            one.items = _items(position, statements, missing)
        found.append(one)
    return found


def chain(account_id: str) -> list[Statement]:
    """The statements of an account that say both balances and a day, in the order of their days."""
    rows = Statement.objects.filter(account=account_id, withdrawn_at=None).exclude(opening=None).exclude(closing=None)
    rows = rows.exclude(closes_on=None)
    return sorted(rows, key=lambda one: (one.closes_on, _opens(one), one.imported_at, one.pk))


def missing_in(account_id: str, statements: list[Statement]) -> list[Missing]:
    """Where the chain of balances breaks.

    A statement follows when it opens with what one before it closed with. Files that overlap do not: it follows too
    when all the lines known between two closing balances explain what lies between them.
    """
    moved = _moved(account_id)
    found: list[Missing] = []
    for place, one in enumerate(statements[1:], start=1):
        before = statements[:place]
        last = max((other for other in before if _ends(other) <= _opens(one)), key=_ends, default=None)
        near = [
            other for other in statements if other is not one and last and _ends(last) <= _ends(other) <= _opens(one)
        ]
        if any(other.closing == one.opening for other in near):
            continue
        previous = before[-1]
        between = sum(amount for day, amount in moved.items() if _ends(previous) < day <= _ends(one))
        by_lines = (one.closing or 0) - (previous.closing or 0) - between - (one.gap or 0)
        overlapped = any(_opens(other) <= _opens(one) < _ends(other) for other in before)
        if not by_lines:
            continue
        if overlapped or last is None:
            found.append(Missing(previous, one, by_lines))
        else:
            found.append(Missing(last, one, (one.opening or 0) - (last.closing or 0)))
    return found


@dataclass(frozen=True)
class Stands:
    """Where one statement stands; `verified` is None when it says no closing balance."""

    open_lines: int
    verified: bool | None
    held: int | None

    @property
    def reconciled(self) -> bool:
        """Whether each of its lines is explained."""
        return not self.open_lines


def stands(statements: Iterable[Statement]) -> dict[str, Stands]:
    """Id → where each statement stands: its lines that nobody explained, and whether the ledger holds its closing."""
    found = {}
    for one in statements:
        days = Q(statement=one.pk)
        if one.opens_on and one.closes_on:  # a line of an earlier file that overlaps is its line too
            days |= Q(booked_on__gt=one.opens_on, booked_on__lte=one.closes_on)
        open_lines = BankLine.objects.filter(days, account=one.account_id, state__in=OPEN).count()
        held = None
        if one.closing is not None and one.closes_on is not None:
            held = balance_on(kind="bank", owner=one.account_id, currency=one.currency, day=one.closes_on)
        found[one.pk] = Stands(open_lines, None if held is None else held == one.closing, held)
    return found


def _items(position: BankPosition, statements: list[Statement], missing: list[Missing]) -> list[Item]:
    """What the latest closing balance says more than the ledger, part by part; parts of zero are left out."""
    account, day = position.account.pk, position.stated_on
    known = _kept(account)
    found = [Item("missing", one.amount, missing=one) for one in missing]
    # Only what the chain runs through counts: a statement inside another one says nothing more.
    found += [Item("untied", one.gap, statement=one) for one in statements if one.gap and _counts(one, statements)]
    within = known.filter(booked_on__lte=day) if day else known
    as_of, opened = opened_with(account)
    # What the opening balance of the books counts is not booked a second time: its lines stand before it.
    counted = _sum(known.filter(state="duplicate", booked_on__lte=as_of)) if as_of else 0
    # A format that says no opening balance: what was held before is what the lines do not bring.
    held = statements[0].opening if statements else (position.stated or 0) - _sum(within.exclude(state="suspect"))
    found.append(Item("before", (held or 0) + counted - opened, statement=statements[0] if statements else None))
    unbooked = within.filter(state__in=UNBOOKED).order_by("booked_on", "pk")
    named = list(unbooked[:SHOWN])
    found += [Item("line", one.amount, line=one) for one in named]
    rest = _sum(unbooked) - sum(one.amount for one in named)
    found.append(Item("lines", rest, count=unbooked.count() - len(named)))
    if day:
        later = known.filter(booked_on__gt=day).exclude(state__in=[*UNBOOKED, "duplicate"])
        found.append(Item("later", -_sum(later), count=later.count()))
    return [one for one in found if one.amount]


def _counts(one: Statement, statements: list[Statement]) -> bool:
    return not any(
        other is not one and _opens(other) <= _opens(one) and _ends(one) <= _ends(other) and other.gap is not None
        and (_opens(other), _ends(other)) != (_opens(one), _ends(one))
        for other in statements
    )  # fmt: skip


def _kept(account_id: str) -> "QuerySet[BankLine]":
    """The operations of an account, each once: without those that a person said to be told a second time, and without
    what was undone."""
    rows = BankLine.objects.filter(account=account_id).exclude(state="withdrawn")
    return rows.exclude(state="duplicate", resembles__isnull=False)


def _moved(account_id: str) -> dict[date, int]:
    moved: dict[date, int] = defaultdict(int)
    rows = _kept(account_id).exclude(state="suspect").values_list("booked_on").annotate(total=Sum("amount"))
    for day, total in rows.order_by():
        moved[day] += int(total)
    return moved


def _sum(rows: "QuerySet[BankLine]") -> int:
    return int(rows.order_by().aggregate(total=Sum("amount"))["total"] or 0)


def _opens(one: Statement) -> date:
    """The day of its opening balance; of one kept before that day was, the day that it closes."""
    return one.opens_on or _ends(one)


def _ends(one: Statement) -> date:
    assert one.closes_on is not None  # `chain` leaves the others out
    return one.closes_on
