"""Tables for spreadsheets (RFC 4180): the journal line by line, and the trial balance number by number."""

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from backend.core.money import decimal_text
from backend.exports.extract import Extract, Opening, moment_of, number_of, one_line, sides
from backend.ledger import chart

if TYPE_CHECKING:
    from backend.ledger.journal import SealedEntry

JOURNAL = (
    "position", "entry", "journal", "number", "happened_on", "booked_at", "sealed_on", "kind", "label", "reference",
    "reverses", "account", "account_label", "purse", "purse_kind", "owner", "payee", "currency", "debit", "credit",
)  # fmt: skip
BALANCE = ("account", "account_label", "currency", "opening", "debit", "credit", "balance")
_RUN_BY_SPREADSHEETS = ("=", "+", "-", "@")


def journal(extract: Extract) -> Iterator[str]:
    """One row per line of an entry, in the order they were sealed; opening lines first, without a position."""
    yield csv_row(JOURNAL)
    opening = extract.opening()
    if opening:
        yield from _opening(opening)
    for entry in extract.entries():
        yield from _entry(extract, entry)


def balance(extract: Extract) -> Iterator[str]:
    """One row per number of the chart and currency: what it opened with, its debits and credits, what it ends with.

    opening and balance are debits less credits.
    """
    opened: dict[tuple[str, str], int] = {}
    moved: dict[tuple[str, str], tuple[int, int]] = {}
    opening = extract.opening()
    for line in opening.lines if opening else ():
        opened[line.currency, line.chart] = opened.get((line.currency, line.chart), 0) + line.amount
    for entry in extract.entries():
        for one in entry.lines:
            debit, credit = moved.get((one.currency, one.chart), (0, 0))
            moved[one.currency, one.chart] = (debit + max(one.amount, 0), credit + max(-one.amount, 0))
    yield csv_row(BALANCE)
    for currency, number in sorted({*opened, *moved}):
        start = opened.get((currency, number), 0)
        debit, credit = moved.get((currency, number), (0, 0))
        amounts = [decimal_text(value, currency) for value in (start, debit, credit, start + debit - credit)]
        yield csv_row((number, safe_text(chart.account_label(number)), currency, *amounts))


def _entry(extract: Extract, entry: "SealedEntry") -> Iterator[str]:
    head = (
        str(entry.position), entry.id, entry.journal, number_of(entry), f"{entry.happened_on}",
        moment_of(entry), f"{entry.sealed_on}", safe_text(entry.kind),
        safe_text(chart.entry_label(entry.kind)), safe_text(entry.reference), entry.reverses or "",
    )  # fmt: skip
    for line in entry.lines:
        label, name = (
            safe_text(chart.account_label(line.chart)),
            safe_text(extract.names.of(line, entry.booked_at)),
        )
        purse = (line.account, line.kind, line.owner, name)
        yield csv_row((*head, line.chart, label, *purse, line.currency, *sides(line.amount, line.currency)))


def _opening(opening: Opening) -> Iterator[str]:
    code = chart.opening_journal()
    label = safe_text(chart.journal_label(code))
    for number, lines in opening.entries():
        head = ("", "", code, number, f"{opening.day}", "", f"{opening.sealed_on}", "", label, "", "")
        for line in lines:
            purse = (line.account, line.kind, line.owner, safe_text(line.name))
            account = (line.chart, safe_text(chart.account_label(line.chart)))
            yield csv_row((*head, *account, *purse, line.currency, *sides(line.amount, line.currency)))


def safe_text(value: str) -> str:
    """A text on one line that a spreadsheet shows and does not run."""
    plain = one_line(value)
    return f"'{plain}" if plain.startswith(_RUN_BY_SPREADSHEETS) else plain


def csv_row(values: tuple[str, ...]) -> str:
    """One row of a file (RFC 4180)."""
    out = io.StringIO()
    csv.writer(out).writerow(values)
    return out.getvalue()
