"""Books entries: one, many at once, or the mirror of one. The only ways in; PostgreSQL checks each entry again."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict
from backend.core.failpoints import failpoint
from backend.core.ids import new_id
from backend.core.reads import among
from backend.ledger.chart import NATURE
from backend.ledger.closing import open_from
from backend.ledger.holding import end_as_captured, lock_balances
from backend.ledger.models import Account, JournalEntry

MOST_LINES = 100_000  # of one call
LOOKS = 10  # at what is already booked, while others book the same facts
_POST = (
    "SELECT entry, fresh FROM ledger_post(%s, %s, %s, %s, %s, %s, %s, %s, %s, "
    "%s::varchar[], %s::varchar[], %s::bigint[], %s::varchar[])"
)
_PLAIN = re.compile(r"[0-9A-Za-z_.,-]+")


@dataclass(frozen=True)
class Line:
    """One posting to be: a purse, an amount in minor units (debits positive), a chart number."""

    account: Account
    amount: int
    chart: str


@dataclass(frozen=True)
class Entry:
    """One entry to be, as post() takes it; `happened_on` is a day of the host's time zone."""

    kind: str
    scope: str
    key: str
    reference: str
    happened_on: date
    lines: Sequence[Line]
    reverses: str | None = None


@dataclass(frozen=True)
class Booked:
    """What became of an entry: its id, and whether it was booked now or already there."""

    id: str
    fresh: bool


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


def open_accounts(*, kind: str, owners: Iterable[str], currency: str) -> dict[str, Account]:
    """Owner → their purse of this kind, as `open_account` gives it, in a few queries whatever the number."""
    side, guarded = NATURE[kind]
    wanted = set(owners)

    def known(owners: Iterable[str]) -> dict[str, Account]:
        rows = Account.objects.filter(among("owner", owners), kind=kind, currency=currency)
        return {account.owner: account for account in rows}

    found = known(wanted)
    missing = sorted(wanted - found.keys())
    if not missing:
        return found
    Account.objects.bulk_create(
        [
            Account(id=new_id("acc"), kind=kind, owner=owner, currency=currency, normal_side=side, guarded=guarded)
            for owner in missing
        ],
        ignore_conflicts=True,
        batch_size=1000,
    )
    return found | known(missing)


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
    captures: Mapping[str, int] | None = None,
    late: bool = False,
) -> JournalEntry:
    """Book one fact, once, in one call of the database.

    Args: kind: what happened. scope, key: name the fact; a repetition returns the first entry. reference: id of the
        row the fact is about. happened_on: the day of the fact, in the host's time zone. lines: two at least, balanced
        per currency. now: when it is booked. captures: hold id → minor units of it that this entry takes.
        late: the fact is learnt from outside and may be of a locked month: it is then booked on the first open day.
    Returns: the entry, new or already there.
    Raises: Conflict `fact_booked_otherwise` (same key, other lines), `purse_short` (a guarded purse would cross zero,
        or what is held of it), `month_locked`, `hold_ended`. An unbalanced entry is our bug: AssertionError
        here, refused by PostgreSQL anyway.
    """
    if late:
        happened_on = _open_day(scope, key, happened_on)
    entry = Entry(kind, scope, key, reference, happened_on, lines, reverses.pk if reverses else None)
    _require_sound(entry)
    made = JournalEntry(
        id=new_id("ent"), kind=kind, happened_on=happened_on, booked_at=now, scope=scope, key=key,
        fingerprint=fingerprint(entry), reference=reference, lines=len(lines), reverses=reverses,
    )  # fmt: skip
    with _refusals():
        if captures:
            with transaction.atomic():
                if lock_balances(
                    hold_ids=list(captures), purses=[line.account.pk for line in lines], scope=scope, key=key
                ):
                    end_as_captured(captures=captures, entry_id=made.pk, now=now)
                booked = _call(made, lines)
        else:
            booked = _call(made, lines)
    _posted()
    return made if booked.fresh else JournalEntry.objects.get(pk=booked.id)


def _open_day(scope: str, key: str, day: date) -> date:
    """The day on which a late fact is booked, or was: a repetition after a lock, or an unlock, gives the same entry."""
    known: date | None = JournalEntry.objects.filter(scope=scope, key=key).values_list("happened_on", flat=True).first()
    return known or max(day, open_from() or day)


def _call(made: JournalEntry, lines: Sequence[Line]) -> Booked:
    """The one call of the database, by a statement that it keeps prepared; Django sends the text each time."""
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        row = cursor.execute(
            _POST,
            [made.pk, made.kind, made.happened_on, made.booked_at, made.scope, made.key, made.fingerprint,
             made.reference, made.reverses_id, _array(line.account.pk for line in lines),
             _array(line.account.currency for line in lines), _array(str(line.amount) for line in lines),
             _array(line.chart for line in lines)],
            prepare=True,
        ).fetchone()  # fmt: skip
    assert row is not None
    return Booked(*row)


def _array(values: Iterable[str]) -> str:
    """An array as PostgreSQL writes it: ids, codes and figures hold no mark of its own. A driver takes longer."""
    text = ",".join(values)
    assert _PLAIN.fullmatch(text), f"a mark that an array cannot hold: {text[:80]!r}"
    return f"{{{text}}}"


def post_many(*, entries: Sequence[Entry], now: datetime) -> list[Booked]:
    """Book many facts at once, each once, all or none: the same guards as post(), in set-based statements.

    Args: entries: MOST_LINES lines in all at most. now: when they are booked.
    Returns: for each entry, in order, its id and whether it was booked now.
    Raises: as post(); nothing is booked then. ValueError: the same fact is named twice, or there are too many lines.
    """
    if not entries:
        return []
    lines = [line for entry in entries for line in entry.lines]
    if len(lines) > MOST_LINES:
        raise ValueError(f"{len(lines)} lines: {MOST_LINES} at most are booked at once")
    if len({(entry.scope, entry.key) for entry in entries}) != len(entries):
        raise ValueError("a fact is named twice")
    for entry in entries:
        _require_sound(entry)
    owners = [number for number, entry in enumerate(entries, start=1) for _line in entry.lines]
    places = [place for entry in entries for place in range(1, len(entry.lines) + 1)]
    values: list[Any] = [
        [new_id("ent") for _entry in entries], [entry.kind for entry in entries],
        [entry.happened_on for entry in entries], now, [entry.scope for entry in entries],
        [entry.key for entry in entries], [fingerprint(entry) for entry in entries],
        [entry.reference for entry in entries], [entry.reverses for entry in entries],
        [len(entry.lines) for entry in entries], owners, places, [line.account.pk for line in lines],
        [line.account.currency for line in lines], [line.amount for line in lines], [line.chart for line in lines],
    ]  # fmt: skip
    query = (
        "SELECT entry, fresh FROM ledger_post_many(%s::varchar[], %s::varchar[], %s::date[], %s, %s::varchar[], "
        "%s::varchar[], %s::varchar[], %s::varchar[], %s::varchar[], %s::integer[], %s::integer[], %s::integer[], "
        "%s::varchar[], %s::varchar[], %s::bigint[], %s::varchar[]) ORDER BY number"
    )
    with _refusals():
        for attempt in range(LOOKS):
            try:
                with transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute(query, values)
                    booked = [Booked(*row) for row in cursor.fetchall()]
                break
            except IntegrityError as race:  # a fact that was not there when we looked: now it is, look again
                if attempt == LOOKS - 1 or "one_fact_one_entry" not in str(race):
                    raise
    _posted()
    return booked


def _posted() -> None:
    """Where a proof makes a process die: what was asked for is in the books, the rest of its transaction is not."""
    failpoint("entry.posted")


def reverse(*, entry_id: str, reference: str, happened_on: date, now: datetime, kind: str = "") -> JournalEntry:
    """Book the mirror of an entry, once; raises Conflict when a purse no longer holds the money.

    Args: kind: of the mirror, where another table than that of the entry says it; else that of the entry, reversed.
    """
    entry = JournalEntry.objects.get(pk=entry_id)
    lines = [
        Line(posting.account, -posting.amount, posting.chart)
        for posting in entry.postings.select_related("account").order_by("line")
    ]
    return post(
        kind=kind or f"{entry.kind}.reversed", scope="reversal", key=entry.pk, reference=reference,
        happened_on=happened_on, lines=lines, now=now, reverses=entry,
    )  # fmt: skip


def fingerprint(entry: Entry) -> str:
    """The SHA-256 (64 hexadecimal figures) of kind, reference, day and lines: tells a repetition from a clash."""
    lines = [[line.account.pk, line.amount, line.chart] for line in entry.lines]
    payload = [entry.kind, entry.reference, entry.happened_on.isoformat(), lines]
    return hashlib.sha256(json.dumps(payload, separators=(",", ":")).encode()).hexdigest()


def _require_sound(entry: Entry) -> None:
    balance: dict[str, int] = {}
    for line in entry.lines:
        assert line.amount != 0, "a posting of zero"
        balance[line.account.currency] = balance.get(line.account.currency, 0) + line.amount
    assert 2 <= len(entry.lines) <= MOST_LINES, "an entry has two lines at least, and no more than one call books"
    assert not any(balance.values()), f"unbalanced entry: {balance}"


@contextmanager
def _refusals() -> Iterator[None]:
    """PostgreSQL's refusals that a person can meet, as sentences; the others are our bugs and stay what they are.

    Within a transaction, a refusal leaves it as it was; alone, one call of the database is a transaction of its own.
    """
    try:
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            yield
    except IntegrityError as refusal:
        found = getattr(getattr(refusal.__cause__, "diag", None), "constraint_name", "")
        if found == "guarded_purse_keeps_its_side":
            raise Conflict(
                "purse_short", _("There is not enough money in the pot for this. Nothing was booked.")
            ) from refusal
        if found == "fact_booked_otherwise":
            raise Conflict(
                "fact_booked_otherwise", _("This fact is already in the books with other amounts.")
            ) from refusal
        if found == "month_is_open":
            raise Conflict(
                "month_locked",
                _(
                    "The accounting month of this day is locked. Nothing was booked: choose a later day, or have two "
                    "treasurers unlock the month."
                ),
            ) from refusal
        raise
