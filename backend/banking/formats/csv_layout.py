"""How a bank lays out its CSV, which column is what: guessed from the header, chosen by a person, saved."""

import datetime
import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext_lazy as _

from backend.banking.formats.base import is_iban_shaped, tidy

MAX_COLUMNS = 100
# What a column can be, in the order in which the page offers it. Texts are the only role that several columns share.
ROLES = {
    "booked_on": _("Date of the operation"),
    "value_on": _("Value date"),
    "amount": _("Amount, with its sign"),
    "debit": _("Debit"),
    "credit": _("Credit"),
    "mark": _("Debit or credit mark"),
    "balance": _("Balance after the operation"),
    "currency": _("Currency"),
    "text": _("Label"),
    "name": _("Name of the other side"),
    "iban": _("Account of the other side"),
    "reference": _("Reference of the bank"),
    "end_to_end": _("Reference of the payer"),
    "account": _("Our account"),
}
DATE_FORMATS = {"ymd": _("year, month, day"), "dmy": _("day, month, year"), "mdy": _("month, day, year")}
DECIMALS = {"": _("as each amount shows"), ",": _("a comma"), ".": _("a point")}
_ORDERS = {
    "ymd": re.compile(r"(?P<y>[0-9]{4})[-/.]?(?P<m>[0-9]{1,2})[-/.]?(?P<d>[0-9]{1,2})(?:[T ].*)?"),
    "dmy": re.compile(r"(?P<d>[0-9]{1,2})[-/. ](?P<m>[0-9]{1,2})[-/. ](?P<y>[0-9]{4}|[0-9]{2})(?:[T ].*)?"),
    "mdy": re.compile(r"(?P<m>[0-9]{1,2})[-/. ](?P<d>[0-9]{1,2})[-/. ](?P<y>[0-9]{4}|[0-9]{2})(?:[T ].*)?"),
}
# The words of headers, letters and figures only, in the languages of the banks around; the first role that fits wins.
_WORDS = {
    "booked_on": "date dateop dateoperation datedoperation datecomptable datecomptabilisation datedecomptabilisation "
    "dateecriture buchungstag buchungsdatum buchung bookingdate bookeddate boekdatum boekingsdatum "
    "transactiondate datum fechaoperacion fecha dataoperazione data completeddate datetransaction "
    "dateexecution dateposted operationdate datedexecution dateimputation dateimp uitvoeringsdatum "
    "transactiedatum dataksiegowania dateoperationdebut",
    "value_on": "dateval datevaleur datedevaleur valutadatum wertstellung valuta valuedate rentedatum fechavalor "
    "datavaluta wertstellungsdatum valutatag",
    "amount": "amount montant betrag bedrag importe importo montantoperation montanteur montanteneuros bedrageur "
    "betrageur amounteur kwota montantdeloperation montantope montantoperationeneuro "
    "montantoperationeneuros montanteuro",
    "debit": "debit debiteur debiteuros debits debitamount soll montantdebit ausgabe belastung bedragaf cargo "
    "addebito paidout withdrawal debet montantaudebit debiten",
    "credit": "credit crediteur crediteuros credits creditamount haben montantcredit einnahme gutschrift bedragbij "
    "abono accredito paidin deposit montantaucredit",
    "mark": "sens afbij sollhaben debitcredit creditdebit dc cd sh creditdebitindicator indicateur signe",
    "balance": "balance solde saldo accountbalance solderesultant soldeprogressif kontostand saldonamutatie "
    "saldonachbuchung runningbalance saldonatrn soldeapresoperation soldeenvaleur",
    "currency": "currency devise ccy waehrung wahrung munt muntsoort divisa moneda moneta valutacode deviseducompte "
    "waluta devisecompte munteenheid",
    "text": "label libelle description verwendungszweck libelleoperation buchungstext motif communication "
    "omschrijving memo details comment mededelingen mededeling concepto descrizione causale text texte "
    "nature detail detailoperation libellesimplifie informationscomplementaires notificaties "
    "remittanceinformation betreff libelledeloperation opis detaildeloperation paymentreference "
    "naturedeloperation communications infoscomplementaires libelles detailsdumouvement message bericht "
    "detailvandeomzet libellecompletoperation libellecourt libelledetaille transactiondescription "
    "omschrijvingvrijemededeling vrijemededeling gestructureerdemededeling reden",
    "name": "name nom counterparty counterpartyname tiers beneficiaire beneficiary "
    "beguenstigterzahlungspflichtiger begunstigterzahlungspflichtiger payee auftraggeberempfanger "
    "auftraggeberempfaenger empfaenger empfanger naam naamtegenpartij nomdelacontrepartie contrepartie "
    "nomcontrepartie supplierfound zahlungsbeteiligter namezahlungsbeteiligter zahlungsempfanger "
    "tegenpartij emetteurbeneficiaire nomdutiers naamomschrijving auftraggeberbegunstigter "
    "auftraggeberbeguenstigter",
    "iban": "counterpartyiban comptedelacontrepartie comptecontrepartie comptedecontrepartie tegenrekening "
    "kontonummeriban kontonummer ibanzahlungsbeteiligter ibantegenpartij counterpartyaccount "
    "ibancontrepartie comptebeneficiaire ibandutiers tegenrekeningiban comptepartieadverse "
    "rekeningtegenpartij rekeningnummertegenpartij tegenrekeningibanbban tegenpartijrekening "
    "numerodecomptecontrepartie",
    "reference": "reference ref numerooperation referenceoperation transactionid bankreference volgnummer "
    "numerodoperation idoperation referencebanque numeroordre volgnr numerodemouvement omzetnummer",
    "end_to_end": "referenceendtoend endtoend endtoendid kundenreferenzendtoend endtoendreference",
    "account": "accountnum auftragskonto numerodecompte accountnumber accountiban compte rekening rekeningnummer "
    "account eigenekonto ibanauftragskonto numcompte ibankonto numerocompte comptenumero ibanvotrecompte "
    "ibanbban",
}
_ROLE_OF = {word: role for role, words in reversed(list(_WORDS.items())) for word in words.split()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which column is what. `headers` as the file writes them, empty for a file that has none; columns count from 0."""

    headers: tuple[str, ...]
    width: int
    delimiter: str
    columns: Mapping[str, tuple[int, ...]]
    date_format: str
    decimal: str

    def column(self, role: str) -> int | None:
        """The (first) column of a role."""
        return self.columns[role][0] if self.columns.get(role) else None

    def missing(self) -> str:
        """What is not chosen yet or chosen twice, as a code: `date`, `amount`, `amount_twice`, `mark`, or nothing."""
        signed, parted = "amount" in self.columns, {"debit", "credit"} & self.columns.keys()
        if "booked_on" not in self.columns and "value_on" not in self.columns:
            return "date"
        # One of the two alone would read half of the operations as nothing.
        if not signed and len(parted) < 2:
            return "amount"
        if signed and parted:
            return "amount_twice"
        return "mark" if "mark" in self.columns and not signed else ""

    def to_json(self) -> dict[str, Any]:
        """The layout as plain data."""
        return {
            "headers": list(self.headers), "width": self.width, "delimiter": self.delimiter,
            "columns": {role: list(places) for role, places in self.columns.items()},
            "date_format": self.date_format, "decimal": self.decimal,
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Layout":
        """The layout that `to_json` wrote; raises ValueError on what is none."""
        try:
            layout = cls(
                headers=tuple(str(one) for one in data["headers"]),
                width=int(data["width"]),
                delimiter=str(data["delimiter"]),
                columns={str(role): tuple(int(one) for one in places) for role, places in data["columns"].items()},
                date_format=str(data["date_format"]),
                decimal=str(data["decimal"]),
            )
        except (KeyError, TypeError, AttributeError) as wrong:
            raise ValueError("not a layout") from wrong
        places = [place for role in layout.columns for place in layout.columns[role]]
        sound = (
            0 < layout.width <= MAX_COLUMNS
            and layout.columns.keys() <= ROLES.keys()
            and len(places) == len(set(places))
            and all(0 <= place < layout.width for place in places)
            and all(len(found) == 1 or role == "text" for role, found in layout.columns.items())
            and layout.date_format in DATE_FORMATS
            and layout.decimal in DECIMALS
            and layout.delimiter in {";", ",", "\t", "|"}
        )
        if not sound:
            raise ValueError("not a layout")
        return layout


def word_of(header: str) -> str:
    """A header as letters and figures without accents."""
    plain = unicodedata.normalize("NFKD", header.lower()).encode("ascii", "ignore").decode()
    return re.sub("[^a-z0-9]", "", plain)


def role_of(header: str) -> str:
    """What a header says its column is; empty when nobody knows. A header that a conversion damaged is still read."""
    word = word_of(re.sub(r"\(.*\)", "", header)) or word_of(header)
    if found := _ROLE_OF.get(word) or _ROLE_OF.get(word_of(header)) or _ROLE_OF.get(word.rstrip("0123456789")):
        return found
    if len(word) >= 4 and any(unicodedata.category(letter) in {"So", "Cc", "Cf", "Sk"} for letter in header):
        near = difflib.get_close_matches(word, _ROLE_OF, n=1, cutoff=0.8)
        return _ROLE_OF[near[0]] if near else ""
    return ""


def read_day(text: str, date_format: str) -> datetime.date | None:
    """The day that a cell says in an order of DATE_FORMATS; None when it says none."""
    found = _ORDERS[date_format].fullmatch(text.strip()[:40])
    if not found:
        return None
    year = int(found["y"])
    if len(found["y"]) == 2:
        year += 1900 if year >= 70 else 2000
    try:
        return datetime.date(year, int(found["m"]), int(found["d"])) if year >= 1970 else None
    except ValueError:
        return None


def date_format_of(cells: Sequence[str]) -> str:
    """The order that reads all days of a column; day before month when both would."""
    said = [cell for cell in cells if cell.strip()]
    for name in ("ymd", "dmy", "mdy"):
        if said and all(read_day(cell, name) for cell in said):
            return name
    counts = {name: sum(read_day(cell, name) is not None for cell in said) for name in DATE_FORMATS}
    return max(counts, key=lambda name: (counts[name], name == "dmy"))


def decimal_of(cells: Sequence[str]) -> str:
    """The decimal mark that the amounts of a column prove; empty when none does, or when they disagree."""
    proofs = set()
    for cell in cells:
        body = re.sub(r"[^0-9.,]", "", cell)
        last = max(body.rfind(","), body.rfind("."))
        if last < 0:
            continue
        mark, other = body[last], "," if body[last] == "." else "."
        if other in body or (body.count(mark) == 1 and (len(body) - last != 4 or last > 3 or body[0] == "0")):
            proofs.add(mark)
        elif body.count(mark) > 1:
            proofs.add(other)
    return proofs.pop() if len(proofs) == 1 else ""


def guess(headers: Sequence[str], rows: Sequence[Sequence[str]], delimiter: str) -> Layout:
    """The layout that the header and the cells suggest. It may lack columns: see `missing`.

    Args: headers: empty for a file without. rows: of cells, the first ones are enough.
    """
    width = len(headers) or max((len(row) for row in rows), default=0)
    columns: dict[str, tuple[int, ...]] = {}
    for place, header in enumerate(headers):
        role = role_of(header)
        if role == "account" and any(not row[place].strip() for row in rows if len(row) > place):
            # Our own account is never left out; the other side's is.
            role = "iban"
        if word_of(header) == "iban":
            # An IBAN that never changes is that of the statement; one that does is the other side's.
            cells = {row[place] for row in rows if len(row) > place}
            is_ours = len(cells) == 1 and is_iban_shaped(cells.pop().replace(" ", ""))
            role = "account" if is_ours else "iban"
        if role == "text" or (role and role not in columns):
            columns[role] = (*columns.get(role, ()), place)
    if "amount" in columns:
        # Some banks write the amount twice; what goes out and comes in apart says its sign for sure.
        for role in ("amount",) if {"debit", "credit"} <= columns.keys() else ("debit", "credit"):
            columns.pop(role, None)
    first = columns.get("booked_on") or columns.get("value_on")
    layout = Layout(
        headers=tuple(tidy(header, 80) for header in headers),
        width=width,
        delimiter=delimiter,
        columns=columns,
        date_format=date_format_of([row[first[0]] for row in rows if len(row) > first[0]]) if first else "dmy",
        decimal="",
    )
    return with_decimal(layout, rows)


def with_decimal(layout: Layout, rows: Sequence[Sequence[str]]) -> Layout:
    """The layout with the decimal mark that its amounts prove, where none is chosen."""
    if layout.decimal:
        return layout
    places = [layout.column(role) for role in ("amount", "debit", "credit")]
    cells = [row[place] for row in rows for place in places if place is not None and len(row) > place]
    return replace(layout, decimal=decimal_of(cells))
