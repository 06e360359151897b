"""Reads the ledger: balances now and then, statements, trial balances, and the sealed journal."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Min, Q, Sum

from backend.identity.services import host_zone
from backend.ledger.models import Account, Balance, JournalEntry, Posting

PAGE = 50
FETCHED = 2000  # rows of one round trip of the journal


@dataclass(frozen=True)
class StatementRow:
    """One posting of a purse as a reader needs it: amounts in minor units, debits positive; the balance after it."""

    entry: str
    kind: str
    happened_on: date
    booked_at: datetime
    reference: str
    amount: int
    chart: str
    balance: int


@dataclass(frozen=True)
class StatementPage:
    """Some postings of a purse, newest first, and where the next page begins; `older` is empty on the last page."""

    rows: list[StatementRow]
    older: str


@dataclass(frozen=True)
class TrialRow:
    """One chart number of the trial balance, in minor units; the balance is debit − credit."""

    chart: str
    currency: str
    debit: int
    credit: int

    @property
    def balance(self) -> int:
        """Debit − credit."""
        return self.debit - self.credit


@dataclass(frozen=True)
class JournalLine:
    """One line of the journal: its purse, with its kind and owner, minor units (debits positive), chart number."""

    account: str
    kind: str
    owner: str
    currency: str
    amount: int
    chart: str


@dataclass(frozen=True)
class SealedEntry:
    """One entry of the sealed journal; `number` counts from 1 in its journal of its fiscal year `year`."""

    position: int
    year: int
    journal: str
    number: int
    sealed_on: date
    id: str
    kind: str
    happened_on: date
    booked_at: datetime
    reference: str
    reverses: str | None
    lines: tuple[JournalLine, ...]


def balance(*, kind: str, owner: str, currency: str) -> int:
    """The balance of a purse on its normal side (what a budget holds, a payee is owed), minor units; 0 if none."""
    row = Balance.objects.filter(account__kind=kind, account__owner=owner, account__currency=currency).first()
    return row.balance * row.normal_side if row else 0


def balances(*, kind: str, owners: Iterable[str] | None = None) -> dict[tuple[str, str], int]:
    """(owner, currency) → balance on the normal side, minor units, for the purses of a kind, all or those of some."""
    rows = Balance.objects.filter(account__kind=kind)
    if owners is not None:
        rows = rows.filter(account__owner__in=list(owners))
    found = rows.values_list("account__owner", "account__currency", "balance", "normal_side")
    return {(owner, currency): amount * side for owner, currency, amount, side in found}


def balance_on(*, kind: str, owner: str, currency: str, day: date) -> int:
    """What a purse held at the end of a day, by when things happened; minor units on its normal side, 0 if none."""
    return _past(kind, owner, currency, "ledger_balance_on", day)


def balance_known(*, kind: str, owner: str, currency: str, at: datetime) -> int:
    """What the books said of a purse at a moment, by when things were booked; minor units on its normal side."""
    return _past(kind, owner, currency, "ledger_balance_known", at)


def _past(kind: str, owner: str, currency: str, function: str, when: date | datetime) -> int:
    account = Account.objects.filter(kind=kind, owner=owner, currency=currency).first()
    if account is None:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", [account.pk, when])
        return int(cursor.fetchone()[0]) * account.normal_side


def charted(*, kind: str, owners: Iterable[str], chart: str) -> int:
    """Sum of the postings of these purses under one chart number, minor units, debits positive."""
    found = Posting.objects.filter(account__kind=kind, account__owner__in=list(owners), chart=chart)
    return int(found.aggregate(total=Sum("amount"))["total"] or 0)


def charted_by_owner(*, kind: str, owners: Iterable[str], chart: str) -> dict[str, int]:
    """Owner → sum of the postings of their purse under one chart number, minor units, debits positive; none, no key."""
    found = Posting.objects.filter(account__kind=kind, account__owner__in=list(owners), chart=chart)
    return {owner: int(amount) for owner, amount in found.values_list("account__owner").annotate(total=Sum("amount"))}


def statement(*, kind: str, owner: str, currency: str, limit: int = PAGE, older: str = "") -> StatementPage:
    """The postings of a purse by day, newest first, each with the balance after it.

    Args: limit: rows of a page. older: what a page gave as `older`, to go on from there.
    Raises: ValueError when `older` is not what a page gave.
    """
    account = Account.objects.filter(kind=kind, owner=owner, currency=currency).first()
    if account is None:
        return StatementPage([], "")
    day, last = _place(older)
    with connection.cursor() as cursor:
        # One statement, so one snapshot: the balance to begin with, less what each newer row of the page moved. The
        # page is cut before it is joined: the planner would otherwise walk the purse through a cache of entries.
        cursor.execute(
            """
            WITH page AS MATERIALIZED (
                SELECT entry_id, id, happened_on, booked_at, amount, chart FROM ledger_posting
                 WHERE account_id = %(purse)s AND (happened_on, id) < (%(day)s, %(last)s)
                 ORDER BY happened_on DESC, id DESC LIMIT %(limit)s
            ), start AS (
                SELECT CASE WHEN %(day)s = 'infinity'::date
                            THEN (SELECT balance FROM ledger_balance WHERE account_id = %(purse)s)
                            ELSE ledger_balance_on(%(purse)s, %(day)s, %(last)s - 1) END AS balance
            )
            SELECT page.entry_id, entry.kind, page.happened_on, page.booked_at, entry.reference, page.amount,
                   page.chart,
                   (start.balance - coalesce(sum(page.amount) OVER (
                       ORDER BY page.happened_on DESC, page.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                   ), 0))::bigint, page.id
              FROM start, page JOIN ledger_journalentry entry ON entry.id = page.entry_id
             ORDER BY page.happened_on DESC, page.id DESC
            """,
            {"purse": account.pk, "day": day, "last": last, "limit": limit + 1},
        )
        rows = cursor.fetchall()
    more = f"{rows[limit - 1][2].isoformat()}.{rows[limit - 1][8]}" if len(rows) > limit else ""
    return StatementPage([StatementRow(*row[:8]) for row in rows[:limit]], more)


def _place(older: str) -> tuple[str, int]:
    """Where a page begins: a day and the number of a line in it."""
    if not older:
        return "infinity", 0
    day, _, last = older.partition(".")
    if not (last.isascii() and last.isdigit() and len(last) < 19):
        raise ValueError(f"no page begins at {older[:40]!r}")
    return date.fromisoformat(day).isoformat(), int(last)


def first_day(*, kind: str, owner: str, currency: str) -> date | None:
    """The day of the earliest entry of a purse, by when it happened; None when it has none."""
    found = Posting.objects.filter(account__kind=kind, account__owner=owner, account__currency=currency)
    day: date | None = found.aggregate(day=Min("happened_on"))["day"]
    return day


def trial_balance(*, up_to: date | None = None) -> list[TrialRow]:
    """Debits and credits per chart number and currency, of entries that happened up to a day included."""
    found = Posting.objects.filter(happened_on__lte=up_to) if up_to else Posting.objects.all()
    rows = (
        found.values("chart", "currency")
        .annotate(debit=Sum("amount", filter=Q(amount__gt=0)), credit=Sum("amount", filter=Q(amount__lt=0)))
        .order_by("currency", "chart")
    )
    return [TrialRow(row["chart"], row["currency"], row["debit"] or 0, -(row["credit"] or 0)) for row in rows]


def entry_count() -> int:
    """How many entries the books hold."""
    return JournalEntry.objects.count()


def sealed_entries(*, first: date | None = None, last: date | None = None) -> Iterator[SealedEntry]:
    """The sealed journal in the order of positions, of the days from `first` to `last`; all of it unless told.

    Streamed by a cursor of the server inside one transaction, hence from one snapshot; what is sealed meanwhile is not
    in it.
    """
    zone = host_zone()
    where, values = ["true"], []
    for day, test in ((first, "entry.happened_on >= %s"), (last, "entry.happened_on <= %s")):
        if day is not None:
            where.append(test)
            values.append(day)
    # The condition is one of the texts above.
    query = f"""
        SELECT seal.position, seal.year, seal.journal, seal.number,
               (SELECT block.sealed_at FROM ledger_block block WHERE block.size >= seal.position
                 ORDER BY block.size LIMIT 1),
               entry.id, entry.kind, entry.happened_on, entry.booked_at, entry.reference, entry.reverses_id,
               posting.account_id, account.kind, account.owner, posting.currency, posting.amount, posting.chart
          FROM ledger_seal seal JOIN ledger_journalentry entry ON entry.id = seal.entry_id
          JOIN ledger_posting posting ON posting.entry_id = entry.id
          JOIN ledger_account account ON account.id = posting.account_id
         WHERE {" AND ".join(where)} ORDER BY seal.position, posting.line
    """  # noqa: S608
    with transaction.atomic():
        for _position, rows in groupby(_stream(query, values), key=lambda row: row[0]):
            yield _entry(list(rows), zone)


@dataclass(frozen=True)
class Movement:
    """What one entry moved in some purses, in the order in which entries were booked.

    `moved` is (kind, owner) → minor units, above zero for what came in.
    """

    entry: str
    kind: str
    key: str
    reference: str
    happened_on: date
    moved: dict[tuple[str, str], int]


def movements(*, kinds: Iterable[str], owners: Iterable[str], currency: str) -> list[Movement]:
    """All that the purses of these kinds and owners ever moved in a currency, entry by entry, sealed or not.

    Entries that touch a purse of those are in the order in which they changed it: each holds its balance while it is
    booked.
    """
    rows = (
        Posting.objects.filter(account__kind__in=list(kinds), account__owner__in=list(owners), currency=currency)
        .order_by("pk")
        .values_list(
            "entry", "entry__kind", "entry__key", "entry__reference", "happened_on", "account__kind",
            "account__owner", "amount", "account__normal_side",
        )
    )  # fmt: skip
    found: dict[str, Movement] = {}
    for entry, kind, key, reference, day, purse, owner, amount, side in rows.iterator(chunk_size=FETCHED):
        one = found.setdefault(entry, Movement(entry, kind, key, reference, day, {}))
        one.moved[purse, owner] = one.moved.get((purse, owner), 0) + amount * side
    return list(found.values())


def _entry(rows: list[Any], zone: ZoneInfo) -> SealedEntry:
    head = rows[0]
    lines = tuple(JournalLine(*row[11:]) for row in rows)
    values = [*head[:4], head[4].astimezone(zone).date(), *head[5:11], lines]
    return SealedEntry(*values)


def _stream(query: str, values: list[Any]) -> Iterator[Any]:
    """Rows of a query through a cursor of the server, so that memory stays small."""
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.cursor(name="journal") as cursor:
        cursor.itersize = FETCHED
        cursor.execute(query, values)
        yield from cursor
