"""A small ledger made by hand: two years, three currencies, one payee who changes name."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

from backend.exports.extract import Extract, Names
from backend.ledger import chart
from backend.ledger.journal import JournalLine, SealedEntry

SIREN = "123456782"
_ROW = tuple[str, int, str]

PURSES = {
    "bank": "hba_1", "suspense": "hba_1", "budget": "bud_1", "payee": "pye_1", "host_fees": "hst_1",
    "in_transit": "hba_1",
}  # fmt: skip
NAMES = {
    "pye_1": [
        (datetime(2024, 1, 1, tzinfo=UTC), "Bo Nguyễn"),
        (datetime(2025, 6, 1, tzinfo=UTC), "L’Œuvre | de\tBo\r\n=1+1"),
    ]
}


def names() -> Names:
    """The names of the made-up payees."""
    return Names(lambda payee: NAMES.get(payee, []))


class Books:
    """Entries sealed one after the other, numbered inside their journal and calendar year."""

    def __init__(self) -> None:
        """No entry yet."""
        self.entries: list[SealedEntry] = []
        self._numbers: dict[tuple[int, str], Iterator[int]] = {}

    def add(
        self, kind: str, day: str, rows: Sequence[_ROW], *, currency: str = "EUR", reverses: str | None = None
    ) -> SealedEntry:
        """One entry of rows (kind of purse, amount, chart number), booked at ten that day and sealed then."""
        happened_on = date.fromisoformat(day)
        journal = chart.journal_of(kind)
        number = next(self._numbers.setdefault((happened_on.year, journal), itertools.count(1)))
        position = len(self.entries) + 1
        entry = SealedEntry(
            position=position, year=happened_on.year, journal=journal, number=number, sealed_on=happened_on,
            id=f"ent_{position}", kind=kind, happened_on=happened_on, reference=f"plg_{position}", reverses=reverses,
            booked_at=datetime(happened_on.year, happened_on.month, happened_on.day, 10, tzinfo=UTC),
            lines=tuple(
                JournalLine(f"acc_{purse}_{currency}", purse, PURSES[purse], currency, amount, number)
                for purse, amount, number in rows
            ),
        )  # fmt: skip
        self.entries.append(entry)
        return entry

    def extract(self, year: int | None = None) -> Extract:
        """A calendar year of these books, or all of them."""
        first, last = (date(year, 1, 1), date(year, 12, 31)) if year else (None, None)

        def between() -> Iterator[SealedEntry]:
            return (one for one in self.entries if year is None or one.happened_on.year == year)

        def before() -> Iterator[SealedEntry]:
            return (one for one in self.entries if year is not None and one.happened_on.year < year)

        return Extract(SIREN, first, last, year is not None, between, before, names())


def euros() -> Books:
    """A year that leaves 3.21 € on the bank, 45 € owed and a result; then a year with a reversal and a payout."""
    books = Books()
    books.add("payment.received", "2024-12-30", [("bank", 100_00, "512"), ("budget", -95_00, "7541"),
                                                 ("host_fees", -5_00, "706")])  # fmt: skip
    books.add("distribution.approved", "2024-12-31", [("budget", 90_00, "6226"), ("payee", -90_00, "401")])
    books.add("batch.sent", "2025-01-02", [("payee", 90_00, "401"), ("in_transit", -90_00, "58")])
    books.add("payout.settled", "2025-01-03", [("in_transit", 90_00, "58"), ("bank", -90_00, "512")])
    books.add("bank.unidentified", "2025-02-01", [("bank", 7, "512"), ("suspense", -7, "471")])
    books.add("bank.unidentified.reversed", "2025-02-02", [("bank", -7, "512"), ("suspense", 7, "471")],
              reverses="ent_5")  # fmt: skip
    books.add("distribution.approved", "2025-07-01", [("budget", 5_00, "6226"), ("payee", -5_00, "401")])
    return books


def currencies() -> Books:
    """One receipt in a currency without decimals, one with two, one with three; then a year later their debts."""
    books = Books()
    for currency, amount in (("XPF", 12_000), ("EUR", 12_34), ("TND", 1_234)):
        books.add("payment.received", "2024-03-01", [("bank", amount, "512"), ("budget", -amount, "7541")],
                  currency=currency)  # fmt: skip
        books.add("distribution.approved", "2025-06-02", [("budget", amount - 1, "6226"), ("payee", 1 - amount, "401")],
                  currency=currency)  # fmt: skip
    return books


def text(pieces: Iterator[str]) -> str:
    """A whole file."""
    return "".join(pieces)
