"""Reads and writes of the ledger. post() is the only way in; PostgreSQL checks each entry again."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import IntegrityError, connection, transaction
from django.db.models import Min, Q, Sum
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict
from backend.core.failpoints import failpoint
from backend.core.ids import new_id
from backend.ledger.chart import NATURE
from backend.ledger.freezing import ask_lift, find_freeze, freeze, frozen, in_force, lift, require_thawed
from backend.ledger.models import Account, Balance, Freeze, JournalEntry, Posting
from backend.ledger.sealing import Head, last_seal, seal_due

__all__ = [
    "Account", "Freeze", "Head", "Line", "StatementRow", "TrialRow", "ask_lift", "balance", "balances", "charted",
    "entry_count", "find_freeze", "freeze", "frozen", "in_force", "last_seal", "lift", "open_account", "post",
    "require_thawed", "reverse", "seal_due", "statement", "trial_balance",
]  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One posting to be: a purse, an amount in minor units (debits positive), a chart number."""

    account: Account
    amount: int
    chart: str


@dataclass(frozen=True)
class StatementRow:
    """One posting of a purse as a reader needs it: amounts in minor units, debits positive."""

    entry: str
    kind: str
    happened_on: date
    reference: str
    amount: int
    chart: str


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


def open_account(*, kind: str, owner: str, currency: str) -> Account:
    """The purse of this kind, owner and currency, opened the first time it is asked for.

    Args: kind: a key of chart.NATURE. owner: id of what it belongs to. currency: ISO 4217 code.
    """
    side, guarded = NATURE[kind]
    known = Account.objects.filter(kind=kind, owner=owner, currency=currency).first()
    if known is not None:
        return known
    Account.objects.bulk_create(
        [Account(id=new_id("acc"), kind=kind, owner=owner, currency=currency, normal_side=side, guarded=guarded)],
        ignore_conflicts=True,
    )
    return Account.objects.get(kind=kind, owner=owner, currency=currency)


def post(
    *,
    kind: str,
    scope: str,
    key: str,
    reference: str,
    happened_on: date,
    lines: Sequence[Line],
    now: datetime,
    reverses: JournalEntry | None = None,
) -> JournalEntry:
    """Book one fact, once.

    Args: kind: what happened. scope, key: name the fact; a repetition returns the first entry. reference: id of the
        row the fact is about. happened_on: the day of the fact, in the host's time zone. lines: two at least, balanced
        per currency. now: when it is booked.
    Returns: the entry, new or already there.
    Raises: Conflict `fact_booked_otherwise` (same key, other lines) or `purse_short` (a guarded purse would cross
        zero). An unbalanced entry is our bug: AssertionError here, refused by PostgreSQL anyway.
    """
    balance: dict[str, int] = {}
    for line in lines:
        assert line.amount != 0, "a posting of zero"
        balance[line.account.currency] = balance.get(line.account.currency, 0) + line.amount
    assert len(lines) >= 2, "an entry has two lines at least"
    assert not any(balance.values()), f"unbalanced entry: {balance}"
    payload = [kind, reference, happened_on.isoformat(), [[line.account.pk, line.amount, line.chart] for line in lines]]
    mark = hashlib.sha256(json.dumps(payload, separators=(",", ":")).encode()).hexdigest()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO ledger_journalentry
                       (id, kind, happened_on, booked_at, scope, key, fingerprint, reference, lines, reverses_id)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (scope, key) DO NOTHING RETURNING id
                """,
                [new_id("ent"), kind, happened_on, now, scope, key, mark, reference, len(lines),
                 reverses.pk if reverses else None],
            )  # fmt: skip
            row = cursor.fetchone()
            if row is None:
                return _same_fact(scope, key, mark)
            try:
                # All lines in one statement: PostgreSQL verifies the set and moves the balances when it ends.
                with transaction.atomic():
                    cursor.execute(
                        """
                        INSERT INTO ledger_posting (entry_id, account_id, currency, amount, chart)
                        SELECT %s, * FROM unnest(%s::varchar[], %s::varchar[], %s::bigint[], %s::varchar[])
                        """,
                        [row[0], [line.account.pk for line in lines], [line.account.currency for line in lines],
                         [line.amount for line in lines], [line.chart for line in lines]],
                    )  # fmt: skip
            except IntegrityError as refusal:
                if "guarded_purse_keeps_its_side" in str(refusal):
                    raise Conflict(
                        "purse_short", _("There is not enough money in the pot for this. Nothing was booked.")
                    ) from refusal
                raise
            cursor.execute("SET CONSTRAINTS entry_is_verified IMMEDIATE")
            cursor.execute("SET CONSTRAINTS entry_is_verified DEFERRED")
        failpoint("entry.posted")
        return JournalEntry.objects.get(pk=row[0])


def _same_fact(scope: str, key: str, mark: str) -> JournalEntry:
    entry = JournalEntry.objects.get(scope=scope, key=key)
    if entry.fingerprint != mark:
        raise Conflict("fact_booked_otherwise", _("This fact is already in the books with other amounts."))
    return entry


def reverse(*, entry_id: str, reference: str, happened_on: date, now: datetime) -> JournalEntry:
    """Book the mirror of an entry, once; raises Conflict when a purse no longer holds the money."""
    entry = JournalEntry.objects.get(pk=entry_id)
    lines = [
        Line(posting.account, -posting.amount, posting.chart)
        for posting in entry.postings.select_related("account").order_by("id")
    ]
    return post(
        kind=f"{entry.kind}.reversed",
        scope="reversal",
        key=entry.pk,
        reference=reference,
        happened_on=happened_on,
        lines=lines,
        now=now,
        reverses=entry,
    )


def balance(*, kind: str, owner: str, currency: str) -> int:
    """The balance of a purse on its normal side (what a budget holds, a payee is owed), minor units; 0 if none."""
    row = Balance.objects.filter(account__kind=kind, account__owner=owner, account__currency=currency).first()
    return row.balance * row.normal_side if row else 0


def balances(*, kind: str) -> dict[tuple[str, str], int]:
    """(owner, currency) → balance on the normal side, minor units, for all purses of a kind."""
    rows = Balance.objects.filter(account__kind=kind).values_list(
        "account__owner", "account__currency", "balance", "normal_side"
    )
    return {(owner, currency): amount * side for owner, currency, amount, side in rows}


def charted(*, kind: str, owners: Iterable[str], chart: str) -> int:
    """Sum of the postings of these purses under one chart number, minor units, debits positive."""
    found = Posting.objects.filter(account__kind=kind, account__owner__in=list(owners), chart=chart)
    return int(found.aggregate(total=Sum("amount"))["total"] or 0)


def charted_by_owner(*, kind: str, owners: Iterable[str], chart: str) -> dict[str, int]:
    """Owner → sum of the postings of their purse under one chart number, minor units, debits positive; none, no key."""
    found = Posting.objects.filter(account__kind=kind, account__owner__in=list(owners), chart=chart)
    return {owner: int(amount) for owner, amount in found.values_list("account__owner").annotate(total=Sum("amount"))}


def statement(*, kind: str, owner: str, currency: str, limit: int = 200) -> list[StatementRow]:
    """The latest postings of a purse, newest first."""
    found = (
        Posting.objects.filter(account__kind=kind, account__owner=owner, account__currency=currency)
        .select_related("entry")
        .order_by("-id")[:limit]
    )
    return [
        StatementRow(row.entry_id, row.entry.kind, row.entry.happened_on, row.entry.reference, row.amount, row.chart)
        for row in found
    ]


def first_day(*, kind: str, owner: str, currency: str) -> date | None:
    """The day of the earliest entry of a purse, by when it happened; None when it has none."""
    found = Posting.objects.filter(account__kind=kind, account__owner=owner, account__currency=currency)
    day: date | None = found.aggregate(day=Min("entry__happened_on"))["day"]
    return day


def trial_balance(*, up_to: date | None = None) -> list[TrialRow]:
    """Debits and credits per chart number and currency, of entries that happened up to a day included."""
    found = Posting.objects.filter(entry__happened_on__lte=up_to) if up_to else Posting.objects.all()
    rows = (
        found.values("chart", "currency")
        .annotate(debit=Sum("amount", filter=Q(amount__gt=0)), credit=Sum("amount", filter=Q(amount__lt=0)))
        .order_by("currency", "chart")
    )
    return [TrialRow(row["chart"], row["currency"], row["debit"] or 0, -(row["credit"] or 0)) for row in rows]


def entry_count() -> int:
    """How many entries the books hold."""
    return JournalEntry.objects.count()
