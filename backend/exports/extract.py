"""What the formats share: a stretch of sealed entries, its opening lines, the names of payees, the sides of amounts."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from backend.core.money import decimal_text
from backend.ledger import chart

if TYPE_CHECKING:
    from backend.ledger.journal import JournalLine, SealedEntry

# The lines of classes 1 to 5 go on from year to year; the others make the result of their year.
CARRIED = frozenset("12345")
_BREAKING = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True)
class OpeningLine:
    """What a purse brings from before, under one number; the result of earlier years has no purse."""

    chart: str
    account: str
    kind: str
    owner: str
    currency: str
    amount: int  # minor units, debits positive
    name: str  # of the payee, or empty


@dataclass(frozen=True)
class Opening:
    """The opening lines of a fiscal year: one balanced entry per currency, in the order of their codes."""

    day: date
    sealed_on: date
    lines: tuple[OpeningLine, ...]

    def entries(self) -> list[tuple[str, tuple[OpeningLine, ...]]]:
        """(number inside the opening journal, lines) of each entry."""
        currencies = sorted({line.currency for line in self.lines})
        return [
            (f"{number:06d}", tuple(line for line in self.lines if line.currency == currency))
            for number, currency in enumerate(currencies, start=1)
        ]


class Names:
    """The names of payees as they were when each entry was booked."""

    def __init__(self, look_up: Callable[[str], list[tuple[datetime, str]]]) -> None:
        """Keep `look_up`: payee id → its names, each with the moment it holds from, oldest first."""
        self._look_up = look_up
        self._known: dict[str, list[tuple[datetime, str]]] = {}

    def of(self, line: "JournalLine", booked_at: datetime) -> str:
        """The name of the payee of a line at that moment; its id once the archive has let it go; empty for others."""
        if line.kind != "payee":
            return ""
        if line.owner not in self._known:
            self._known[line.owner] = self._look_up(line.owner)
        names = self._known[line.owner]
        held = [name for since, name in names if since <= booked_at] or [name for _since, name in names[:1]]
        return (held[-1] if held else "") or line.owner


@dataclass(frozen=True)
class Extract:
    """A stretch of the books: what a format writes.

    first, last: its days, included; None for no limit. yearly: whether `first` begins a fiscal year, which then opens
    with what the years before left. entries, before: the sealed entries of the stretch, and those before it, in order
    of position; each call reads them anew.
    """

    siren: str
    first: date | None
    last: date | None
    yearly: bool
    entries: "Callable[[], Iterator[SealedEntry]]"
    before: "Callable[[], Iterator[SealedEntry]]"
    names: Names

    def opening(self) -> Opening | None:
        """The opening lines, or None when nothing came before or the stretch begins within a year."""
        if self.first is None or not self.yearly:
            return None
        return opening_of(self.before(), self.first, self.names)


@dataclass
class _Purse:
    line: "JournalLine"
    amount: int = 0
    name: str = ""


@dataclass
class _Carried:
    purses: dict[tuple[str, str], _Purse] = field(default_factory=dict)
    results: dict[str, int] = field(default_factory=dict)
    sealed_on: date = date.min


def opening_of(entries: "Iterable[SealedEntry]", day: date, names: Names) -> Opening | None:
    """What entries leave to the year that begins on a day.

    Numbers of classes 1 to 5 go on, per purse. Classes 6 to 8, and the results already there, make one line per
    currency: the surplus or the deficit of the years before, until an entry shares it out.
    """
    carried = _Carried()
    results = {chart.PROFIT, chart.LOSS}
    for entry in entries:
        carried.sealed_on = max(carried.sealed_on, entry.sealed_on)
        for line in entry.lines:
            if line.chart[0] in CARRIED and line.chart not in results:
                purse = carried.purses.setdefault((line.chart, line.account), _Purse(line))
                purse.amount += line.amount
                purse.name = names.of(line, entry.booked_at)
            else:
                carried.results[line.currency] = carried.results.get(line.currency, 0) + line.amount
    lines = [
        OpeningLine(number, account, purse.line.kind, purse.line.owner, purse.line.currency, purse.amount, purse.name)
        for (number, account), purse in carried.purses.items()
        if purse.amount
    ]
    lines += [
        OpeningLine(chart.LOSS if amount > 0 else chart.PROFIT, "", "", "", currency, amount, "")
        for currency, amount in carried.results.items()
        if amount
    ]
    if not lines:
        return None
    lines.sort(key=lambda line: (line.currency, line.chart, line.account))
    # Sealed when its last entry was, and not before it begins: the day does not depend on when it is exported.
    return Opening(day, max(carried.sealed_on, day), tuple(lines))


def one_line(text: str) -> str:
    """A text without tabs, ends of lines and control characters: each run of them is one space."""
    if text.isprintable():  # nearly all of them, hundreds of thousands of times
        return text.strip()
    return _BREAKING.sub(" ", text).strip()


def number_of(entry: "SealedEntry") -> str:
    """The number of an entry inside its journal and year, as all formats write it."""
    return f"{entry.number:06d}"


def moment_of(entry: "SealedEntry") -> str:
    """When an entry was booked: UTC with microseconds, as its leaf has it."""
    return f"{entry.booked_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def sides(amount: int, currency: str) -> tuple[str, str]:
    """An amount in minor units, debits positive, as a debit and a credit in plain decimals, one of them empty."""
    text = decimal_text(abs(amount), currency)
    return (text, "") if amount > 0 else ("", text)
