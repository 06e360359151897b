"""The journal for hledger (and ledger): plain text that `hledger check --strict` accepts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backend.core.money import decimal_text, exponent
from backend.exports.extract import Extract, Opening, moment_of, number_of, one_line
from backend.exports.plain import account_of, amount_of
from backend.ledger import chart

if TYPE_CHECKING:
    from backend.ledger.journal import SealedEntry

# In a comment a word before a colon is a tag, a comma ends it, brackets hold a date: none of them in a name.
_SIGNS = str.maketrans({",": " ", ";": " ", ":": " ", "|": " ", "[": "(", "]": ")", "=": "-"})


def hledger(extract: Extract) -> Iterator[str]:
    """The file, piece by piece: opening entries, then the entries in the order they were sealed.

    Accounts and currencies are declared before their first use. Tags carry what other formats are compared by.
    """
    yield "; Double entry, debits positive. Accounts: class, number of the chart, kind of purse, purse.\n"
    yield "decimal-mark .\n"
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
            whole = decimal_text(1000 * 10 ** exponent(currency), currency)
            yield f"\ncommodity {whole if exponent(currency) else whole + '.'} {currency}\n"
        if account not in declared:
            declared.add(account)
            yield f"\naccount {account}  ; {_plain(chart.account_label(account.split(':')[1]))}\n"


def _entry(extract: Extract, entry: "SealedEntry") -> str:
    tags = [
        ("position", str(entry.position)), ("entry", entry.id), ("kind", _plain(entry.kind)),
        ("reference", _plain(entry.reference)),
        ("booked", moment_of(entry)), ("sealed", f"{entry.sealed_on}"),
    ]  # fmt: skip
    if entry.reverses:
        tags.append(("reverses", entry.reverses))
    label = _plain(chart.entry_label(entry.kind))
    rows = [f"\n{entry.happened_on} * ({entry.journal}-{number_of(entry)}) {label}"]
    rows += [f"    ; {name}: {value}" for name, value in tags]
    for line in entry.lines:
        name = _plain(extract.names.of(line, entry.booked_at))
        rows.append(f"    {account_of(line)}  {amount_of(line)}" + (f"  ; payee: {name}" if name else ""))
    return "\n".join(rows) + "\n"


def _opening(opening: Opening, declared: set[str]) -> Iterator[str]:
    """One entry per currency."""
    code = chart.opening_journal()
    for number, lines in opening.entries():
        yield from _declarations([(account_of(line), line.currency) for line in lines], declared)
        rows = [f"\n{opening.day} * ({code}-{number}) {_plain(chart.journal_label(code))}"]
        rows += [f"    ; sealed: {opening.sealed_on}"]
        for line in lines:
            name = _plain(line.name)
            rows.append(f"    {account_of(line)}  {amount_of(line)}" + (f"  ; payee: {name}" if name else ""))
        yield "\n".join(rows) + "\n"


def _plain(text: str) -> str:
    """A text on one line that reads as nothing but text."""
    return one_line(text.translate(_SIGNS))
