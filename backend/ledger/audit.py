"""Looks at the whole ledger, set by set: what the self-check is made of. Reads only, changes nothing."""

from dataclasses import dataclass
from typing import Any

from django.db import connection

FEW = 20  # findings of one kind that are named; one is enough to freeze


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be. Amounts in minor units (counts where there is no currency)."""

    code: str
    thing: str
    currency: str = ""
    expected: int = 0
    found: int = 0


@dataclass(frozen=True)
class Extent:
    """How much there is to look at."""

    entries: int
    postings: int


def extent() -> Extent:
    """How many entries and postings the ledger holds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM ledger_journalentry), (SELECT count(*) FROM ledger_posting)")
        return Extent(*cursor.fetchone())


def moved() -> dict[tuple[str, str, str, str], int]:
    """(purse kind, owner, currency, entry kind) → sum of the postings on the purse's normal side, minor units."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT account.kind, account.owner, account.currency, sums.kind, sums.amount * account.normal_side
              FROM (SELECT posting.account_id, entry.kind, sum(posting.amount)::bigint AS amount
                      FROM ledger_posting posting JOIN ledger_journalentry entry ON entry.id = posting.entry_id
                     GROUP BY posting.account_id, entry.kind) sums
              JOIN ledger_account account ON account.id = sums.account_id
            """
        )
        return {(kind, owner, money, entry): int(amount) for kind, owner, money, entry, amount in cursor.fetchall()}


def unsealed_since(seconds: int) -> list[str]:
    """Entries booked more than some seconds ago, by the database's clock, that no seal carries."""
    return [
        row[0]
        for row in _rows(
            """
            SELECT entry.id FROM ledger_journalentry entry
             WHERE entry.booked_at < clock_timestamp() - make_interval(secs => %s)
               AND NOT EXISTS (SELECT 1 FROM ledger_seal seal WHERE seal.entry_id = entry.id)
             ORDER BY entry.id
            """,
            [seconds],
        )
    ]


def unbalanced() -> list[Finding]:
    """I2: entries that do not sum to zero in a currency, or have not exactly their lines."""
    found = [
        Finding("I2.entry_unbalanced", entry, money, 0, int(amount))
        for entry, money, amount in _rows(
            """
            SELECT entry_id, currency, sum(amount) FROM ledger_posting
             GROUP BY entry_id, currency HAVING sum(amount) <> 0 ORDER BY entry_id LIMIT %s
            """,
            [FEW],
        )
    ]
    found += [
        Finding("I2.entry_lines", entry, "", int(lines), int(there))
        for entry, lines, there in _rows(
            """
            SELECT entry.id, entry.lines, coalesce(held.lines, 0)
              FROM ledger_journalentry entry
              LEFT JOIN (SELECT entry_id, count(*) AS lines FROM ledger_posting GROUP BY entry_id) held
                ON held.entry_id = entry.id
             WHERE entry.lines <> coalesce(held.lines, 0) ORDER BY entry.id LIMIT %s
            """,
            [FEW],
        )
    ]
    return found


def wrong_balances() -> list[Finding]:
    """I2: stored balances that are not the sum of the postings, and guarded purses on their wrong side."""
    rows = _rows(
        """
        SELECT account.kind || ' ' || account.owner, account.currency, coalesce(sums.amount, 0), held.balance,
               account.guarded AND coalesce(sums.amount, 0) * account.normal_side < 0
          FROM ledger_account account
          LEFT JOIN ledger_balance held ON held.account_id = account.id
          LEFT JOIN (SELECT account_id, sum(amount) AS amount FROM ledger_posting GROUP BY account_id) sums
            ON sums.account_id = account.id
         WHERE held.balance IS DISTINCT FROM coalesce(sums.amount, 0)
            OR (account.guarded AND coalesce(sums.amount, 0) * account.normal_side < 0)
         ORDER BY account.id LIMIT %s
        """,
        [FEW],
    )
    found = []
    for purse, money, summed, stored, crossed in rows:
        if stored != summed:
            found.append(Finding("I2.balance", purse, money, int(summed), int(stored or 0)))
        if crossed:
            found.append(Finding("I2.wrong_side", purse, money, 0, int(summed)))
    return found


def altered_entries() -> list[Finding]:
    """I3: entries that no longer give their fingerprint, made from kind, reference, day and lines when booked."""
    rows = _rows(
        """
        SELECT entry.id
          FROM ledger_journalentry entry
          JOIN (SELECT entry_id, string_agg(
                           '[' || to_json(account_id::text) || ',' || amount || ',' || to_json(chart::text) || ']',
                           ',' ORDER BY id) AS lines
                  FROM ledger_posting GROUP BY entry_id) held ON held.entry_id = entry.id
         WHERE entry.fingerprint <> encode(sha256(convert_to(
                   '[' || to_json(entry.kind::text) || ',' || to_json(entry.reference::text) || ','
                   || to_json(to_char(entry.happened_on, 'YYYY-MM-DD')) || ',[' || held.lines || ']]', 'UTF8')), 'hex')
         ORDER BY entry.id LIMIT %s
        """,
        [FEW],
    )
    return [Finding("I3.fingerprint", entry) for (entry,) in rows]


def broken_seals() -> list[Finding]:
    """I3: positions that are missing, entries that are not those sealed, heads that do not follow from the one before.

    The leaf is computed here for all entries at once, not by the function that sealing uses: both must agree.
    """
    found = []
    rows = _rows("SELECT count(*), coalesce(max(position), 0), coalesce(min(position), 1) FROM ledger_seal", [])
    ((count, highest, lowest),) = rows
    if count != highest or lowest != 1:
        found.append(Finding("I3.gap", "", "", int(highest), int(count)))
    found += [
        Finding("I3.leaf", entry, "", int(position), int(position))
        for position, entry in _rows(
            """
            SELECT seal.position, seal.entry_id
              FROM ledger_seal seal
              LEFT JOIN ledger_journalentry entry ON entry.id = seal.entry_id
              LEFT JOIN (SELECT entry_id, string_agg(concat_ws(':', account_id, currency, amount, chart), ','
                                                     ORDER BY id) AS lines
                           FROM ledger_posting GROUP BY entry_id) held ON held.entry_id = seal.entry_id
             WHERE seal.leaf IS DISTINCT FROM sha256('\\x00'::bytea || convert_to(concat_ws('|',
                       'tronc-entry-1', entry.id, entry.kind, to_char(entry.happened_on, 'YYYY-MM-DD'),
                       to_char(entry.booked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), entry.reference,
                       coalesce(entry.reverses_id, '-'), held.lines), 'UTF8'))
             ORDER BY seal.position LIMIT %s
            """,
            [FEW],
        )
    ]
    found += [
        Finding("I3.head", "", "", int(position), int(position))
        for (position,) in _rows(
            """
            SELECT position FROM (
                SELECT position, leaf, head, lag(head) OVER (ORDER BY position) AS before FROM ledger_seal
            ) chain
             WHERE head <> sha256(coalesce(before, decode(repeat('00', 32), 'hex')) || leaf)
             ORDER BY position LIMIT %s
            """,
            [FEW],
        )
    ]
    return found


def _rows(query: str, values: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())
