"""What a paper says: put together with the mentions that the law asks for (reference: field.md §5.1), kept as JSON."""

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import segno.helpers
from babel.dates import format_date
from django.utils.translation import gettext_lazy as _
from stdnum import iban as iban_format
from stdnum import iso11649

from backend.core.errors import Conflict
from backend.core.money import format_money, to_decimal
from backend.documents.words import WORDS
from backend.identity.models import Host, HostBankAccount

EPC_LARGEST = 999_999_999_99  # EPC069-12, in cents
PAYABLE = ("call", "invoice")
TAXED = ("invoice", "credit_note")
LOCALES = {"fr": "fr_FR", "en": "en_GB"}


@dataclass(frozen=True)
class Party:
    """Who a paper is for.

    address_lines: line by line, empty when it is not known. trade: "business" or "public" for those who are told what
    paying late costs, empty for a private person.
    """

    name: str
    address_lines: Sequence[str] = ()
    siren: str = ""
    vat_number: str = ""
    trade: str = ""


@dataclass(frozen=True)
class Item:
    """A line of a paper: what for, and how much in minor units.

    pledged: only on a yearly statement. minutes: only on a certificate of time; given_back: there too, of shares, in
    minor units, which is no value of time and not in `amount`.
    """

    text: str
    amount: int
    pledged: int | None = None
    minutes: int | None = None
    given_back: int | None = None


@dataclass(frozen=True)
class Paid:
    """Money that came: the day, how (transfer, cheque, cash, card or debit), minor units."""

    on: date
    means: str
    amount: int


@dataclass(frozen=True)
class Facts:
    """All that a paper tells beside its number."""

    kind: str
    party: Party
    items: Sequence[Item]
    currency: str
    language: str
    reference: str = ""
    due_on: date | None = None
    period: tuple[date, date] | None = None
    purchase_order: str = ""
    payment: Paid | None = None
    # What an hour of volunteering is valued at, minor units; none: a certificate of time says hours alone.
    rate: int | None = None
    reason: str = ""
    corrects: tuple[str, date] | None = None
    # Whether a credit note cancels a part of its invoice only.
    in_part: bool = False
    # Label and day of the certificate whose place this one takes.
    replaces: tuple[str, date] | None = None
    # As the invoice had it, for its credit note; else as the host says it now.
    vat_status: str = ""

    @property
    def total(self) -> int:
        """The sum of its lines, in minor units."""
        return sum(item.amount for item in self.items)


def require_issuable(host: Host, party: Party) -> None:
    """Refuse an invoice that would lack what the law asks for; a call for funds asks for none of it.

    Raises: Conflict `invoice_host_incomplete`, `invoice_party_incomplete`.
    """
    if not host.vat_status:
        raise Conflict(
            "invoice_host_incomplete",
            _("No invoice is issued before the host has said its VAT status, in the settings of the host."),
            param="vat_status",
        )
    if not host.address.strip():
        raise Conflict(
            "invoice_host_incomplete",
            _("No invoice is issued before the host has given its address, in the settings of the host."),
            param="address",
        )
    if not any(line.strip() for line in party.address_lines):
        raise Conflict(
            "invoice_party_incomplete",
            _("An invoice names the address of who pays: give it in the details of the organisation first."),
            param="address",
        )


def body_for(
    facts: Facts, *, label: str, issued_on: date, host: Host, account: HostBankAccount | None
) -> dict[str, Any]:
    """All that is printed on a paper, as text in its language, ready to be kept as JSON."""
    words = WORDS[facts.language]
    return {
        "language": facts.language,
        "kind": facts.kind,
        "label": label,
        "title": f"{words[facts.kind]} {label}",
        "heading": words[facts.kind],
        "seller": _seller(host, words),
        "party_head": words["for"],
        "party": _party(facts.party, words),
        "facts": _facts(facts, issued_on, words),
        "table": _table(facts, words),
        "pay": _pay(facts, host, account, words),
        "notes": _notes(facts, host, words),
        "page": words["page"],
        # The facts behind the words: what a credit note takes up.
        "payer": asdict(facts.party),
        "items": [asdict(item) for item in facts.items],
        "purchase_order": facts.purchase_order,
        "vat_status": facts.vat_status or host.vat_status,
    }


def _seller(host: Host, words: dict[str, str]) -> dict[str, Any]:
    lines = [line.strip() for line in host.address.splitlines() if line.strip()]
    lines.append(words["siren"].format(number=siren_text(host.siren)))
    if host.rna:
        lines.append(words["rna"].format(number=host.rna))
    return {"name": host.name, "lines": lines}


def _party(party: Party, words: dict[str, str]) -> dict[str, Any]:
    lines = [line.strip() for line in party.address_lines if line.strip()]
    if party.siren:
        lines.append(words["siren"].format(number=siren_text(party.siren)))
    if party.vat_number:
        lines.append(words["vat_number"].format(number=party.vat_number))
    return {"name": party.name, "lines": lines}


def _facts(facts: Facts, issued_on: date, words: dict[str, str]) -> list[list[str]]:
    """The dates and references, as (head, text)."""
    told = [[words["issued"], day_text(issued_on, facts.language)]]
    if facts.due_on and facts.kind in PAYABLE:
        told.append([words["due"], day_text(facts.due_on, facts.language)])
    if facts.period:
        first, last = (day_text(day, facts.language) for day in facts.period)
        told.append([words["period"], words["from_to"].format(first=first, last=last)])
    if facts.purchase_order:
        told.append([words["order"], facts.purchase_order])
    if facts.reference:
        told.append([words["reference"], _reference(facts.reference)])
    if facts.kind in TAXED:
        told.append([words["nature"], words["services"]])
    if facts.corrects:
        label, day = facts.corrects
        head = words["corrects_in_part" if facts.in_part else "corrects"]
        told.append([head, words["corrects_what"].format(label=label, day=day_text(day, facts.language))])
    if facts.replaces:
        label, day = facts.replaces
        told.append([words["replaces"], words["replaces_what"].format(label=label, day=day_text(day, facts.language))])
    if facts.rate is not None:
        per_hour = format_money(facts.rate, facts.currency, facts.language)
        told.append([words["rate"], words["rate_what"].format(amount=per_hour)])
    if facts.reason:
        told.append([words["reason"], facts.reason])
    return told


def _table(facts: Facts, words: dict[str, str]) -> dict[str, Any]:
    """The lines of a paper: heads, rows and the total, as text; all columns but the first are figures."""

    def money(amount: int) -> str:
        return format_money(amount, facts.currency, facts.language)

    if facts.kind == "yearly":
        return {
            "heads": [words["what"], words["pledged"], words["received"]],
            "rows": [[item.text, money(item.pledged or 0), money(item.amount)] for item in facts.items],
            "total": [words["total"], money(sum(item.pledged or 0 for item in facts.items)), money(facts.total)],
        }
    if facts.kind == "time":
        return _time_table(facts, words)
    total = words[f"total_{facts.kind}"]
    if facts.kind in TAXED:
        return {
            "heads": [words["what"], words["quantity"], words["unit_price"], words["amount"]],
            "rows": [[item.text, "1", money(item.amount), money(item.amount)] for item in facts.items],
            "total": [total, "", "", money(facts.total)],
        }
    return {
        "heads": [words["what"], words["amount"]],
        "rows": [[item.text, money(item.amount)] for item in facts.items],
        "total": [total, money(facts.total)],
    }


def _time_table(facts: Facts, words: dict[str, str]) -> dict[str, Any]:
    """Hours by line, what they are valued at where the host set a rate, and apart what was given back of shares."""

    def money(amount: int) -> str:
        return format_money(amount, facts.currency, facts.language)

    def cells(minutes: int | None, amount: int, back: int | None) -> list[str]:
        time = words["hours"].format(hours=minutes // 60, minutes=minutes % 60) if minutes is not None else "–"
        value = money(amount) if minutes is not None else "–"
        shown = [time, *([] if facts.rate is None else [value])]
        return [*shown, "–" if back is None else money(back)] if shares else shown

    shares = [item.given_back for item in facts.items if item.given_back is not None]
    heads = [words["time_given"], *([] if facts.rate is None else [words["valued"]])]
    minutes = sum(item.minutes or 0 for item in facts.items)
    return {
        "heads": [words["what"], *heads, *([words["given_back"]] if shares else [])],
        "rows": [[item.text, *cells(item.minutes, item.amount, item.given_back)] for item in facts.items],
        "total": [words["total_time"], *cells(minutes, facts.total, sum(shares))],
    }


def _pay(facts: Facts, host: Host, account: HostBankAccount | None, words: dict[str, str]) -> dict[str, Any] | None:
    """How to pay by transfer, with the EPC QR code where it can say it; None when nothing is asked for."""
    if facts.kind not in PAYABLE or facts.payment or not facts.reference or not facts.total or account is None:
        return None
    lines = [[words["holder"], host.name], [words["iban"], iban_format.format(account.iban)]]
    if account.bic:
        lines.append([words["bic"], account.bic])
    lines.append([words["pay_reference"], _reference(facts.reference)])
    alt = words["qr"].format(
        amount=format_money(facts.total, facts.currency, facts.language), holder=host.name,
        reference=_reference(facts.reference),
    )  # fmt: skip
    return {
        "head": words["pay"], "lines": lines, "qr": _qr(facts, host, account), "alt": alt,
        "caption": words["qr_caption"],
    }  # fmt: skip


def _qr(facts: Facts, host: Host, account: HostBankAccount) -> str:
    """The EPC QR code (EPC069-12) as SVG; empty when the format cannot say the transfer."""
    if facts.currency != "EUR" or facts.total > EPC_LARGEST or not iso11649.is_valid(facts.reference):
        return ""
    code = segno.helpers.make_epc_qr(
        name=host.name[:70], iban=account.iban, bic=account.bic or None, amount=to_decimal(facts.total, "EUR"),
        reference=facts.reference, encoding="utf-8",
    )  # fmt: skip
    drawing = io.BytesIO()
    code.save(drawing, kind="svg", border=2, dark="#000", light="#fff", scale=4)
    return drawing.getvalue().decode()


def _notes(facts: Facts, host: Host, words: dict[str, str]) -> list[str]:
    """The mentions under the figures."""
    notes = []
    if facts.payment:
        notes.append(
            words["paid"].format(
                day=day_text(facts.payment.on, facts.language),
                means=words[facts.payment.means],
                amount=format_money(facts.payment.amount, facts.currency, facts.language),
            )
        )
    if facts.kind in TAXED:
        notes.append(words[facts.vat_status or host.vat_status])
    if facts.kind == "invoice":
        notes.append(words["no_discount"])
        if facts.party.trade:
            notes.append(words[f"late_{facts.party.trade}"])
    else:
        notes.append(words[f"note_{facts.kind}{'_in_part' if facts.in_part else ''}"])
    if any(item.given_back is not None for item in facts.items):
        notes.append(words["note_given_back"])
    return notes


def day_text(day: date, language: str) -> str:
    told = str(format_date(day, format="long", locale=LOCALES[language]))
    return f"1er{told[1:]}" if language == "fr" and day.day == 1 else told


def siren_text(number: str) -> str:
    return f"{number[:3]} {number[3:6]} {number[6:]}"


def _reference(reference: str) -> str:
    return str(iso11649.format(reference)) if iso11649.is_valid(reference) else reference
