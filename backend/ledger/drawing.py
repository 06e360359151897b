"""Draws entries at random for auditors, and reads the statement of a number of the chart."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection, transaction

FETCHED = 2000


@dataclass(frozen=True)
class DrawnEntry:
    """One sealed entry: its place in its journal, and its debits in the currency looked at, in minor units."""

    id: str
    kind: str
    happened_on: date
    reference: str
    year: int
    journal: str
    number: int
    amount: int


@dataclass(frozen=True)
class Draw:
    """What was drawn, in the order of the books, out of how many entries of how much."""

    population: int
    total: int
    entries: list[DrawnEntry]

    @property
    def amount(self) -> int:
        """The debits of the entries drawn, in minor units."""
        return sum(entry.amount for entry in self.entries)


@dataclass(frozen=True)
class ChartRow:
    """One line of the statement of a number of the chart: debits positive, with the balance after it."""

    entry: str
    kind: str
    happened_on: date
    reference: str
    purse_kind: str
    purse_owner: str
    amount: int
    balance: int


def draw_entries(*, seed: str, size: int, currency: str, minimum: int, first: date, last: date) -> Draw:
    """Entries of some days drawn at random, each as likely as any other.

    They are ranked by the SHA-256 of the seed, a colon and their id: anyone can draw again, and an entry sealed later
    takes the place of one of them or changes nothing.
    Args: minimum: minor units; entries whose debits in this currency are less are left out.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH wanted AS (
                SELECT posting.entry_id, sum(posting.amount) AS amount FROM ledger_posting posting
                  JOIN ledger_seal seal ON seal.entry_id = posting.entry_id
                 WHERE posting.currency = %(currency)s AND posting.amount > 0
                   AND posting.happened_on BETWEEN %(first)s AND %(last)s
                 GROUP BY posting.entry_id HAVING sum(posting.amount) >= %(minimum)s
            ), drawn AS (
                SELECT entry_id, amount, count(*) OVER () AS population, sum(amount) OVER () AS total FROM wanted
                 ORDER BY sha256(convert_to(%(seed)s || ':' || entry_id, 'UTF8')), entry_id LIMIT %(size)s
            )
            SELECT drawn.population, drawn.total, entry.id, entry.kind, entry.happened_on, entry.reference, seal.year,
                   seal.journal, seal.number, drawn.amount::bigint
              FROM drawn JOIN ledger_journalentry entry ON entry.id = drawn.entry_id
              JOIN ledger_seal seal ON seal.entry_id = entry.id ORDER BY seal.position
            """,
            {"seed": seed, "size": size, "currency": currency, "minimum": minimum, "first": first, "last": last},
        )
        rows = cursor.fetchall()
    if not rows:
        return Draw(0, 0, [])
    return Draw(int(rows[0][0]), int(rows[0][1]), [DrawnEntry(*row[2:]) for row in rows])


_ROWS = """
    SELECT posting.entry_id, entry.kind, posting.happened_on, entry.reference, account.kind, account.owner,
           posting.amount,
           (sum(posting.amount) OVER (ORDER BY posting.happened_on, posting.id))::bigint AS balance
      FROM ledger_posting posting JOIN ledger_journalentry entry ON entry.id = posting.entry_id
      JOIN ledger_account account ON account.id = posting.account_id
     WHERE posting.chart = %s AND posting.currency = %s AND posting.happened_on <= %s
     ORDER BY posting.happened_on, posting.id
"""


def chart_count(*, number: str, currency: str, up_to: date) -> int:
    """How many lines the statement of a number of the chart has, up to a day included."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM ledger_posting WHERE chart = %s AND currency = %s AND happened_on <= %s",
            [number, currency, up_to],
        )
        return int(cursor.fetchone()[0])


def chart_rows(*, number: str, currency: str, up_to: date, skip: int = 0, limit: int = 50) -> list[ChartRow]:
    """Some lines of a number of the chart, the oldest first, each with the balance after it; debits positive."""
    with connection.cursor() as cursor:
        cursor.execute(f"{_ROWS} LIMIT %s OFFSET %s", [number, currency, up_to, limit, skip])
        return [ChartRow(*row) for row in cursor.fetchall()]


def chart_stream(*, number: str, currency: str, up_to: date) -> Iterator[ChartRow]:
    """All of them, from one snapshot, through a cursor of the server."""
    connection.ensure_connection()
    values: list[Any] = [number, currency, up_to]
    with (
        transaction.atomic(),
        connection.wrap_database_errors,
        connection.connection.cursor(name="chart") as cursor,
    ):
        cursor.itersize = FETCHED
        cursor.execute(_ROWS, values)
        for row in cursor:
            yield ChartRow(*row)


def chart_currencies(number: str, *, up_to: date) -> list[str]:
    """The currencies in which a number of the chart was used up to a day, by code."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT currency FROM ledger_posting WHERE chart = %s AND happened_on <= %s ORDER BY currency",
            [number, up_to],
        )
        return [str(row[0]) for row in cursor.fetchall()]
