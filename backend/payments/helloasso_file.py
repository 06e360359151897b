"""Reads an export of payments of HelloAsso: columns by their names, amounts to the cent, each line understood or not.

Nothing is guessed: a line that is not understood is named with its number, and the file is not imported.
"""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Invalid

MAX_BYTES = 4 * 1024 * 1024
MAX_ROWS = 2_000
MAX_COLUMNS = 200
MAX_CELL = 2_000
CURRENCY = "EUR"  # HelloAsso takes no other
SEPARATORS = ";,\t"
# What a column is called in the exports, letters and figures alone; the first name that is there wins.
NAMES: dict[str, tuple[str, ...]] = {
    "payment": (
        "referencedupaiement", "referencepaiement", "refpaiement", "numerodupaiement", "numeropaiement", "idpaiement",
        "paymentid", "paymentreference", "reference", "numero",
    ),
    "amount": ("montanttotal", "montantdupaiement", "montantpaiement", "montant", "amount", "totalamount"),
    "day": ("datedupaiement", "datepaiement", "date", "datedelacommande", "paymentdate"),
    "status": ("statutdupaiement", "statutpaiement", "statut", "statutdelacommande", "status", "paymentstatus"),
    "sort": ("typedecampagne", "typedeformulaire", "typedepaiement", "type", "formtype"),
    "campaign": ("campagne", "nomdelacampagne", "formulaire", "nomduformulaire", "campaign", "form"),
    "last_name": ("nompayeur", "nomdupayeur", "nom", "lastname"),
    "first_name": ("prenompayeur", "prenomdupayeur", "prenom", "firstname"),
    "company": ("raisonsociale", "societe", "entreprise", "company"),
    "email": ("emailpayeur", "emaildupayeur", "email", "adresseemail", "mail"),
    "fee": ("frais", "fraisdetransaction", "commission", "fee", "fees"),
    "refunded": ("remboursement", "montantrembourse", "refund"),
    "payout": ("numerodeversement", "numeroduversement", "referencedeversement", "referenceduversement", "idversement"),
    "paid_on": ("dateduversement", "datedeversement", "verseele", "versele", "payoutdate"),
}  # fmt: skip
NEEDED = {"payment": "Référence du paiement", "amount": "Montant total", "day": "Date du paiement"}
PAID = {"valide", "paye", "autorise", "traite", "enregistre", "verse", "authorized", "registered", "processed", "paid"}
REFUNDED = {"rembourse", "remboursement", "refunded"}
UNPAID = {
    "refuse", "annule", "enattente", "abandonne", "echec", "echoue", "inconnu", "refused", "canceled", "cancelled",
    "pending", "abandoned", "error", "prevu", "avenir",
}  # fmt: skip
# What is bought, not given: an adhesion, a seat, a thing. Not money of a pot unless somebody says so elsewhere.
BOUGHT = {
    "adhesion", "adhesions", "membership", "billetterie", "billet", "evenement", "event", "ticketing", "boutique",
    "shop", "vente", "ventes", "product", "registration", "inscription",
}  # fmt: skip
GIVEN = {
    "", "don", "dons", "donation", "donenligne", "donmensuel", "donponctuel", "formulairededon", "crowdfunding",
    "paiement", "paiements", "payment", "paymentform", "ventelibre", "checkout",
}  # fmt: skip
_DAY = re.compile(
    r"(?:(?P<y>[0-9]{4})-(?P<m>[0-9]{2})-(?P<d>[0-9]{2})"
    r"|(?P<d2>[0-9]{1,2})/(?P<m2>[0-9]{1,2})/(?P<y2>[0-9]{4}))(?:[T ].*)?"
)
# A point between thousands is read only where a comma ends them: 1.234 could be either.
_AMOUNT = re.compile(
    r"(?P<sign>[-−]?)(?P<whole>[0-9]{1,3}(?: [0-9]{3})+|[0-9]{1,3}(?:\.[0-9]{3})+(?=,)|[0-9]{1,12})"
    r"(?:[.,](?P<cents>[0-9]{1,2}))?"
)
_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2007\u2009\u202f", " "))


@dataclass(frozen=True)
class Row:
    """One payment of an export; amounts in cents, below zero for a refund of one that is not in the file.

    `refunded` is what of it was given back. `text` is all that the line says.
    """

    line: int
    payment: str
    amount: int
    day: date
    fee: int = 0
    refunded: int = 0
    bought: bool = False
    campaign: str = ""
    name: str = ""
    email: str = ""
    payout: str = ""
    paid_on: date | None = None
    text: str = ""


@dataclass
class Export:
    """What a file says: its payments, the lines that are not money received, and those that cannot be understood."""

    rows: list[Row] = field(default_factory=list)
    unpaid: list[int] = field(default_factory=list)
    refused: list[tuple[int, "str | Promise"]] = field(default_factory=list)


class Misread(ValueError):
    """A line that is not understood, with what to do about it."""

    def __init__(self, said: "str | Promise") -> None:
        super().__init__(str(said))
        self.said = said


def read_export(data: bytes) -> Export:
    """Read an export: CSV, commas or semicolons, UTF-8 or Windows-1252, with a mark or without.

    Raises: Invalid `helloasso_unreadable`, `helloasso_too_large`, `helloasso_columns`.
    """
    if len(data) > MAX_BYTES:
        raise _too_large()
    table = _table(data)
    heads = next(table, None)
    if heads is None:
        raise _unreadable()
    places = _places(heads[1])
    if missing := [name for key, name in NEEDED.items() if key not in places]:
        raise Invalid(
            "helloasso_columns",
            _("This file lacks %(columns)s: download the list of payments of HelloAsso as CSV, with all its columns.")
            % {"columns": ", ".join(f"« {one} »" for one in missing)},
            param="file",
        )
    found = Export()
    seen: dict[tuple[str, bool], int] = {}
    for number, cells in table:
        if not any(cells):
            continue
        if len(found.rows) + len(found.unpaid) + len(found.refused) >= MAX_ROWS:
            raise _too_large()
        try:
            row = _row(number, cells, places)
            if row is None:
                found.unpaid.append(number)
                continue
            first = seen.setdefault((row.payment, row.amount < 0), number)
            if first != number:
                raise Misread(
                    _("Payment %(payment)s stands on line %(line)s already: keep one line for each payment.")
                    % {"payment": row.payment, "line": first}
                )
        except Misread as wrong:
            found.refused.append((number, wrong.said))
        else:
            found.rows.append(row)
    found.rows = _merged(found)
    return found


def _merged(found: Export) -> list[Row]:
    """Fold a line below zero, which is a refund, into its payment; alone it is a refund of one imported before."""
    rows = {row.payment: row for row in found.rows if row.amount > 0}
    alone = []
    for row in found.rows:
        if row.amount > 0:
            continue
        of = rows.get(row.payment)
        if of is None:
            alone.append(row)
        elif -row.amount > of.amount:
            found.refused.append((row.line, _("More is given back than this payment brought.")))
        else:
            rows[row.payment] = replace(of, refunded=-row.amount)
    return sorted([*rows.values(), *alone], key=lambda row: row.line)


def _table(data: bytes) -> Iterator[tuple[int, list[str]]]:
    """The rows with the number of the line each begins on, headings first."""
    text = _text(data)
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    begins = 1
    try:
        for cells in reader:
            if len(cells) > MAX_COLUMNS or any(len(cell) > MAX_CELL for cell in cells):
                raise _too_large()
            tidied = [" ".join(cell.translate(_SPACES).split()) for cell in cells]
            if any(tidied):
                yield begins, tidied
            begins = reader.line_num + 1
    except csv.Error as broken:
        raise _unreadable() from broken


def _text(data: bytes) -> str:
    if b"\0" in data and not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _unreadable()
    marks = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
    wanted = next((name for mark, name in marks.items() if data.startswith(mark)), "utf-8-sig")
    for name in (wanted, "cp1252", "latin-1"):
        try:
            return data.decode(name)
        except UnicodeDecodeError:
            continue
    raise _unreadable()


def plain(text: str) -> str:
    """Letters and figures of a text alone, without accents, in lower case."""
    bare = unicodedata.normalize("NFKD", text.lower())
    return "".join(letter for letter in bare if letter.isascii() and letter.isalnum())


def _places(heads: Sequence[str]) -> dict[str, int]:
    """Which column is what."""
    known: dict[str, int] = {}
    for place, head in enumerate(heads):
        known.setdefault(plain(head), place)
    first = {key: next((name for name in names if name in known), "") for key, names in NAMES.items()}
    return {key: known[name] for key, name in first.items() if name}


def _row(number: int, cells: Sequence[str], places: dict[str, int]) -> Row | None:
    """One line; None for a payment that was never received. Raises Misread."""

    def cell(key: str) -> str:
        place = places.get(key)
        return cells[place] if place is not None and place < len(cells) else ""

    status = plain(cell("status"))
    if status in UNPAID:
        return None
    if status and status not in PAID | REFUNDED:
        raise Misread(_("The state “%(state)s” of this payment is not known here.") % {"state": cell("status")})
    payment = cell("payment")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", payment):
        raise Misread(_("This line has no number of its payment."))
    amount = cents(cell("amount"))
    if amount is None:
        raise Misread(_("“%(text)s” is not an amount in euros.") % {"text": cell("amount")[:40]})
    if amount == 0:
        return None  # a free seat moves no money
    day = read_day(cell("day"))
    if day is None:
        raise Misread(_("“%(text)s” is not a day.") % {"text": cell("day")[:40]})
    fee = 0
    if cell("fee"):
        taken = cents(cell("fee"))
        if taken is None or abs(taken) > abs(amount):
            raise Misread(_("“%(text)s” is not a fee of this payment.") % {"text": cell("fee")[:40]})
        fee = abs(taken) if amount > 0 else 0
    paid_on = None
    if cell("paid_on"):
        paid_on = read_day(cell("paid_on"))
        if paid_on is None:
            raise Misread(_("“%(text)s” is not a day.") % {"text": cell("paid_on")[:40]})
    payout = cell("payout")[:40] or (paid_on.isoformat() if paid_on else "")
    sort = plain(cell("sort"))
    if sort not in BOUGHT | GIVEN:
        raise Misread(_("“%(text)s” is no kind of payment that is known here.") % {"text": cell("sort")[:40]})
    person = " ".join(part for part in (cell("first_name"), cell("last_name")) if part)
    return Row(
        line=number, payment=payment, amount=amount, day=day, fee=fee,
        refunded=_given_back(cell("refunded"), amount, refunded=status in REFUNDED),
        bought=sort in BOUGHT, campaign=cell("campaign")[:120], name=(cell("company") or person)[:140],
        email=cell("email").lower()[:254], payout=payout, paid_on=paid_on or None, text=" ".join(cells)[:MAX_CELL],
    )  # fmt: skip


def _given_back(told: str, amount: int, *, refunded: bool) -> int:
    """What of a payment was given back, in cents: all of it when its state says so and nothing says how much."""
    if amount < 0:
        return 0
    part = cents(told) if told else None
    if part is not None and part != 0:
        if abs(part) > amount:
            raise Misread(_("More is given back than this payment brought."))
        return abs(part)
    return amount if refunded else 0


def cents(text: str) -> int | None:
    """An amount in euros, exactly: `12`, `12,5`, `1 234,50`, `12.00 €`, `-5,00`; None for anything else."""
    found = _AMOUNT.fullmatch(text.replace("€", "").replace("EUR", "").strip())
    if found is None:
        return None
    whole = int(re.sub("[ .]", "", found["whole"]))
    return (-1 if found["sign"] else 1) * (whole * 100 + int((found["cents"] or "").ljust(2, "0") or 0))


def read_day(text: str) -> date | None:
    """A day as the exports write it: 31/12/2026 or 2026-12-31, the time of day left out."""
    found = _DAY.fullmatch(text)
    if found is None:
        return None
    year, month, day = (found[key] or found[f"{key}2"] for key in ("y", "m", "d"))
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _unreadable() -> Invalid:
    return Invalid(
        "helloasso_unreadable",
        _("This file is not a table that can be read: download the list of payments of HelloAsso as CSV."),
        param="file",
    )


def _too_large() -> Invalid:
    return Invalid(
        "helloasso_too_large",
        _("This file holds too much: at most 4 MB and 2,000 payments. Export fewer months at once."),
        param="file",
    )
