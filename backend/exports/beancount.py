"""The journal for beancount: plain text that `bean-check` accepts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backend.exports.extract import Extract, Opening, moment_of, number_of, one_line
from backend.exports.plain import account_of, amount_of
from backend.ledger import chart

if TYPE_CHECKING:
    from backend.ledger.journal import SealedEntry

# Before any entry that books may hold: an account is open when it is first used, whatever the order of the dates.
_OPENED = "1900-01-01"


def beancount(extract: Extract) -> Iterator[str]:
    """The file, piece by piece: opening entries, then the entries in the order they were sealed.

    Accounts and currencies are declared before their first use. Metadata carry what other formats are compared by.
    """
    yield "; Double entry, debits positive. Accounts: class, number of the chart, kind of purse, purse.\n"
    declared: set[str] = set()
    opening = extract.opening()
    if opening:
        yield from _opening(opening, declared)
    for entry in extract.entries():
        yield from _declarations([(account_of(line), line.currency) for line in entry.lines], declared)
        yield _entry(extract, entry)


def _declarations(used: list[tuple[str, str]], declared: set[str]) -> Iterator[str]:
    for account, currency in used:
        if currency not in declared:
            declared.add(currency)
            yield f"\n{_OPENED} commodity {currency}\n"
        # A number without a purse may be in several currencies, one after the other: none is named.
        if account not in declared:
            declared.add(account)
            label = _quoted(chart.account_label(account.split(":")[1]))
            yield f"\n{_OPENED} open {account}\n  label: {label}\n"


def _entry(extract: Extract, entry: "SealedEntry") -> str:
    rows = [
        f"\n{entry.happened_on} * {_quoted(chart.entry_label(entry.kind))}",
        f"  position: {entry.position}",
        f"  entry: {_quoted(entry.id)}",
        f'  number: "{entry.journal}-{number_of(entry)}"',
        f"  kind: {_quoted(entry.kind)}",
        f"  reference: {_quoted(entry.reference)}",
        f'  booked-at: "{moment_of(entry)}"',
        f"  sealed-on: {entry.sealed_on}",
    ]
    if entry.reverses:
        rows.append(f"  reverses: {_quoted(entry.reverses)}")
    for line in entry.lines:
        rows.append(f"  {account_of(line)}  {amount_of(line)}")
        if name := extract.names.of(line, entry.booked_at):
            rows.append(f"    payee: {_quoted(name)}")
    return "\n".join(rows) + "\n"


def _opening(opening: Opening, declared: set[str]) -> Iterator[str]:
    """One entry per currency."""
    code = chart.opening_journal()
    for number, lines in opening.entries():
        yield from _declarations([(account_of(line), line.currency) for line in lines], declared)
        rows = [f"\n{opening.day} * {_quoted(chart.journal_label(code))}", f'  number: "{code}-{number}"']
        rows.append(f"  sealed-on: {opening.sealed_on}")
        for line in lines:
            rows.append(f"  {account_of(line)}  {amount_of(line)}")
            if line.name:
                rows.append(f"    payee: {_quoted(line.name)}")
        yield "\n".join(rows) + "\n"


def _quoted(text: str) -> str:
    """A text between quotes, on one line."""
    return '"' + one_line(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
