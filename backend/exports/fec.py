"""The French accounting entries file (FEC): article A47 A-1 of the Livre des procédures fiscales."""

import unicodedata
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _
from text_unidecode import unidecode

from backend.core.errors import Conflict
from backend.core.money import decimal_text
from backend.exports.extract import Extract, Opening, number_of, one_line
from backend.ledger import chart
from backend.ledger.plan import padded

if TYPE_CHECKING:
    from backend.ledger.journal import JournalLine, SealedEntry

COLUMNS = (
    "JournalCode", "JournalLib", "EcritureNum", "EcritureDate", "CompteNum", "CompteLib", "CompAuxNum", "CompAuxLib",
    "PieceRef", "PieceDate", "EcritureLib", "Debit", "Credit", "EcritureLet", "DateLet", "ValidDate", "Montantdevise",
    "Idevise",
)  # fmt: skip
BOOKS = "EUR"  # Debit and Credit of a FEC are in euros
# III, 1°: ASCII, ISO 8859-15 or EBCDIC. UTF-8 is not among them, though most tools read it: see services.FORMATS.
CHARACTERS = "iso8859-15"


def fec(extract: Extract) -> Iterator[str]:
    """The lines of the file, each with its end: columns, opening lines, then entries in the order they were sealed.

    Raises: Conflict `fec_other_currency`: nothing is converted, and accounts without it would not be complete.
    """
    yield _row(COLUMNS)
    opening = extract.opening()
    if opening:
        yield from _opening(opening)
    for entry in extract.entries():
        day, label = f"{entry.happened_on:%Y%m%d}", chart.entry_label(entry.kind)
        head = (entry.journal, chart.journal_label(entry.journal), number_of(entry), day)
        for line in entry.lines:
            if line.currency != BOOKS:
                raise other_currency(entry.id, line.currency)
            account = _account(line.chart, line.owner if line.kind == "payee" else "", _name(extract, entry, line))
            piece = (entry.reference, day, label)
            yield _row((*head, *account, *piece, *_sides(line.amount), "", "", f"{entry.sealed_on:%Y%m%d}", "", ""))


def other_currency(entry: str, currency: str) -> Conflict:
    """The refusal of books that are not all in euros, naming an entry."""
    return Conflict(
        "fec_other_currency",
        _(
            "A FEC is in euros and nothing is converted: the entry %(entry)s is in %(currency)s. Take the journal as "
            "CSV, hledger or beancount, which keep each currency, and agree on the FEC with your accountant."
        )
        % {"entry": entry, "currency": currency},
        param="format",
    )


def file_name(siren: str, last: date) -> str:
    """The name that the law gives the file: SIREN, FEC, closing day of the fiscal year."""
    return f"{siren}FEC{last:%Y%m%d}.txt"


def lawful(text: str) -> bytes:
    """A text in the law's characters; those it does not have become the nearest ones: `Nguyễn` is `Nguyen`."""
    try:
        return text.encode(CHARACTERS)
    except UnicodeEncodeError:
        return b"".join(_nearest(sign) for sign in unicodedata.normalize("NFC", text))


def _nearest(sign: str) -> bytes:
    try:
        return sign.encode(CHARACTERS)
    except UnicodeEncodeError:
        plain = unidecode(sign).strip()
        return _one_zone(plain).encode("ascii") if plain else b" " if sign.isspace() else b"?"


def _opening(opening: Opening) -> Iterator[str]:
    """One balanced entry: numbers and auxiliary accounts brought from before, those at zero left out."""
    code = chart.opening_journal()
    label = chart.journal_label(code)
    totals: dict[tuple[str, str], int] = {}
    names: dict[str, str] = {}
    for line in opening.lines:
        if line.currency != BOOKS:
            raise other_currency(line.account or chart.opening_journal(), line.currency)
        owner = line.owner if line.kind == "payee" else ""
        totals[line.chart, owner] = totals.get((line.chart, owner), 0) + line.amount
        names[owner] = line.name
    day, sealed = f"{opening.day:%Y%m%d}", f"{opening.sealed_on:%Y%m%d}"
    for (number, owner), amount in sorted(totals.items()):
        if amount:
            account = _account(number, owner, names[owner])
            head, piece = (code, label, "000001", day), (f"{code}{opening.day:%Y}", day, label)
            yield _row((*head, *account, *piece, *_sides(amount), "", "", sealed, "", ""))


def _name(extract: Extract, entry: "SealedEntry", line: "JournalLine") -> str:
    return extract.names.of(line, entry.booked_at)


def _account(number: str, owner: str, name: str) -> tuple[str, str, str, str]:
    """CompteNum, CompteLib, CompAuxNum, CompAuxLib."""
    return padded(number), chart.account_label(number), owner, name


def _sides(amount: int) -> tuple[str, str]:
    """Debit and Credit: never negative, a comma, no separator of thousands."""
    text = decimal_text(abs(amount), BOOKS).replace(".", ",")
    return (text, "0,00") if amount > 0 else ("0,00", text)


def _row(values: tuple[str, ...]) -> str:
    """One record: nothing in a value can be taken for a separator or the end of a line."""
    return "\t".join(_one_zone(value) for value in values) + "\r\n"


def _one_zone(text: str) -> str:
    return one_line(text.replace("|", " "))
