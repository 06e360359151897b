"""Seals the books: one gapless chain over the entries, in the order in which they were seen committed."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from backend.ledger.models import Seal

LOOK = 20_000  # entries of one look, sealed in one transaction: looking costs as much for one as for all
BATCH = 1000  # seals of one statement
NO_HEAD = bytes(32)


@dataclass(frozen=True)
class Head:
    """The end of the chain: how many entries are sealed, and the head that says which (64 hexadecimal figures)."""

    position: int
    head: str


def last_seal() -> Head:
    """The end of the chain; position 0 and zeros while nothing is sealed."""
    last = Seal.objects.order_by("-position").first()
    return Head(last.position, bytes(last.head).hex()) if last else Head(0, NO_HEAD.hex())


def seal_due(now: datetime, *, wait: bool = False) -> int:
    """Seal every committed entry that is not sealed; returns how many were sealed.

    Args: wait: wait for another sealer to end instead of leaving the work to it.

    There is one sealer at a time (an advisory lock). Each look takes entries that are
    committed when it looks, by booking time then id. An entry that commits later is therefore sealed later, whatever
    its booking time: positions follow commits to within one look, not to the instant, and never change afterwards.
    """
    sealed = 0
    while (count := _seal_look(wait)) > 0:
        sealed += count
        if count < LOOK:
            break
    return sealed


def _seal_look(wait: bool) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        if wait:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('tronc.seal', 0))")
        else:
            cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended('tronc.seal', 0))")
            if cursor.fetchone() != (True,):
                return 0
        cursor.execute("SELECT position, head FROM ledger_seal ORDER BY position DESC LIMIT 1")
        row = cursor.fetchone()
        position, head = (row[0], bytes(row[1])) if row else (0, NO_HEAD)
        cursor.execute(
            """
            SELECT id, ledger_leaf(id) FROM (
                SELECT entry.id FROM ledger_journalentry entry
                 WHERE NOT EXISTS (SELECT 1 FROM ledger_seal seal WHERE seal.entry_id = entry.id)
                 ORDER BY entry.booked_at, entry.id LIMIT %s
            ) waiting
            """,
            [LOOK],
        )
        rows = []
        for key, leaf in cursor.fetchall():
            position += 1
            head = hashlib.sha256(head + bytes(leaf)).digest()
            rows.append((position, key, bytes(leaf), head))
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            cursor.execute(
                """
                INSERT INTO ledger_seal (position, entry_id, leaf, head)
                SELECT * FROM unnest(%s::bigint[], %s::varchar[], %s::bytea[], %s::bytea[])
                              AS made (position, entry, leaf, head) ORDER BY made.position
                """,
                [[row[number] for row in batch] for number in range(4)],
            )
    return len(rows)
