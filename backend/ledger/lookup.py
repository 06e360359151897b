"""Looks things up for readers: one entry with its place in the log, the purses with what of them is held."""

from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from backend.core.errors import NotFound
from backend.ledger.journal import JournalLine
from backend.ledger.models import Balance, Block, JournalEntry, Posting, Seal


@dataclass(frozen=True)
class Place:
    """Where an entry is in the log: position from 1, journal and number in it, leaf (64 hexadecimal figures), block."""

    position: int
    year: int
    journal: str
    number: int
    leaf: str
    block: int
    sealed_at: datetime


@dataclass(frozen=True)
class WholeEntry:
    """One entry as a reader needs it; `place` is None until it is sealed."""

    id: str
    kind: str
    happened_on: date
    booked_at: datetime
    reference: str
    reverses: str | None
    reversed_by: str | None
    lines: tuple[JournalLine, ...]
    place: Place | None


def whole_entry(entry_id: str) -> WholeEntry:
    """One entry with its lines and its place in the log; raises NotFound `entry_not_found`."""
    found = JournalEntry.objects.filter(pk=entry_id).first()
    if found is None:
        raise NotFound("entry_not_found", _("There is no such entry."))
    lines = Posting.objects.filter(entry=found).select_related("account").order_by("line")
    undone = JournalEntry.objects.filter(reverses=found).values_list("pk", flat=True).first()
    return WholeEntry(
        id=found.pk, kind=found.kind, happened_on=found.happened_on, booked_at=found.booked_at,
        reference=found.reference, reverses=found.reverses_id, reversed_by=undone, place=_place(found.pk),
        lines=tuple(
            JournalLine(row.account_id, row.account.kind, row.account.owner, row.currency, row.amount, row.chart)
            for row in lines
        ),
    )  # fmt: skip


def _place(entry_id: str) -> Place | None:
    seal = Seal.objects.filter(entry_id=entry_id).first()
    if seal is None:
        return None
    # The sealer writes seals and their block in one transaction: there is always one.
    block = Block.objects.filter(size__gte=seal.position).order_by("size")[0]
    return Place(
        position=seal.position, year=seal.year, journal=seal.journal, number=seal.number,
        leaf=bytes(seal.leaf).hex(), block=block.number, sealed_at=block.sealed_at,
    )  # fmt: skip


@dataclass(frozen=True)
class Receipts:
    """What came into a pot, minor units: entries, before the host's fees, and these fees. What was taken back is
    subtracted and counts as no receipt."""

    count: int
    gross: int
    fees: int


def receipts_of(*, owner: str, currency: str) -> dict[str, Receipts]:
    """What ever came into a pot by payments (`payment.received`, less what was taken back and did not come home) and
    from the pots that share with it (`upstream.received`), in one look at the books.

    What served its deficit came in too; transfers, openings and its own reserve are no receipts.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH mine AS (
                SELECT posting.entry_id, -sum(posting.amount) AS net
                  FROM ledger_posting posting JOIN ledger_account account ON account.id = posting.account_id
                 WHERE account.owner = %(owner)s AND account.currency = %(currency)s
                   AND account.kind IN ('budget', 'deficit')
                 GROUP BY posting.entry_id
            ), known AS (
                SELECT mine.entry_id, mine.net, entry.kind, CASE
                       WHEN entry.kind IN ('payment.received', 'payment.received.reversed', 'payment.taken_back',
                                           'payment.taken_back.reversed', 'payment.given_back') THEN 'payment.received'
                       WHEN entry.kind = 'distribution.upstream' AND mine.net > 0 THEN 'upstream.received'
                       WHEN entry.kind = 'distribution.upstream.reversed' AND mine.net < 0 THEN 'upstream.received'
                       END AS receipt
                  FROM mine JOIN ledger_journalentry entry ON entry.id = mine.entry_id
            )
            SELECT known.receipt, sum(known.net) AS net, sum(CASE
                       WHEN known.kind IN ('payment.received', 'distribution.upstream') THEN 1
                       WHEN known.kind IN ('payment.received.reversed', 'distribution.upstream.reversed') THEN -1
                       ELSE 0 END) AS count,
                   sum(coalesce((SELECT -sum(posting.amount) FROM ledger_posting posting
                                   JOIN ledger_account account ON account.id = posting.account_id
                                  WHERE posting.entry_id = known.entry_id AND account.kind = 'host_fees'), 0)) AS fees
              FROM known WHERE known.receipt IS NOT NULL GROUP BY known.receipt
            """,
            {"owner": owner, "currency": currency},
        )
        found = cursor.fetchall()
    return {kind: Receipts(int(count), int(net + fees), int(fees)) for kind, net, count, fees in found}


def purses(*, kind: str = "", owner: str = "") -> QuerySet[Balance]:
    """The purses with their balance and what of it is held, all or those of a kind or an owner; not ordered."""
    found = Balance.objects.select_related("account")
    if kind:
        found = found.filter(account__kind=kind)
    return found.filter(account__owner=owner) if owner else found


def years_booked() -> tuple[date, date] | None:
    """The days of the first and the last entry, by when they happened; None while nothing is booked."""
    days = JournalEntry.objects.order_by("happened_on").values_list("happened_on", flat=True)
    first, last = days.first(), days.last()
    return (first, last) if first and last else None


def unsealed(*, first: date | None = None, last: date | None = None) -> int:
    """How many entries of these days are not in the log yet, read from the sealer's queue: a minute later, none."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FROM ledger_unsealed waiting JOIN ledger_journalentry entry ON entry.id = waiting.entry_id
             WHERE entry.happened_on BETWEEN coalesce(%s, '-infinity'::date) AND coalesce(%s, 'infinity'::date)
            """,
            [first, last],
        )
        return int(cursor.fetchone()[0])
