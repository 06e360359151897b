"""The invoice that the host writes in the name of who it pays: what it says, as data for the renderer.

Source of the mentions: reference/field.md §5.1; article 289 I-2 of the French tax code for the mandate. Amounts are in
minor units and include all taxes; what is free of tax is backed out of them, rounded half up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from backend.core.money import format_money
from backend.documents.body import Item, Party, day_text, siren_text
from backend.documents.words import WORDS
from backend.identity.models import Host

VAT_PERCENT = 20
# Why an invoice falls, as its credit note prints it.
REASONS = {
    "fr": {
        "payee": "un autre bénéficiaire est payé",
        "waived": "somme rendue, en tout ou en partie, par la personne à qui elle était due",
    },
    "en": {
        "payee": "another payee is paid",
        "waived": "given back, wholly or in part, by the person to whom it was due",
    },
}
PAID_WITHIN = timedelta(days=30)


@dataclass(frozen=True)
class SelfBilled:
    """All that such an invoice tells. vat: `liable`, `franchise`, `non_profit` or `outside`."""

    seller: Party
    items: Sequence[Item]
    currency: str
    language: str
    number: str
    issued_on: date
    period: tuple[date, date]
    vat: str
    # Number and day of the invoice that this one takes the place of, and the number of its credit note.
    replaces: tuple[str, date, str] | None = None

    @property
    def total(self) -> int:
        """The sum of its lines, all taxes included, in minor units."""
        return sum(item.amount for item in self.items)


def net_of(total: int) -> int:
    """What is free of tax of an amount that includes it, to the nearest minor unit, half up."""
    whole = 100 + VAT_PERCENT
    return (2 * total * 100 + whole) // (2 * whole)


def self_billed(facts: SelfBilled, *, host: Host) -> dict[str, Any]:
    """All that is printed, as text in its language, ready to be kept as JSON and rendered."""
    words = WORDS[facts.language]
    return {
        "language": facts.language,
        "kind": "self_billed",
        "label": facts.number,
        "title": f"{words['invoice']} {facts.number}",
        "heading": words["invoice"],
        "seller": _named(facts.seller, words),
        "party_head": words["buyer"],
        "party": _host(host, words),
        "facts": _facts(facts, words),
        "table": _table(facts, words),
        "pay": None,
        "notes": _notes(facts, host, words),
        "page": words["page"],
        "total": facts.total,
    }


def credited(
    said: dict[str, Any], *, number: str, issued_on: date, corrects: tuple[str, date], why: str
) -> dict[str, Any]:
    """The credit note of such an invoice, of all of it: in its language, with its parties, lines and tax.

    Args: said: what the invoice says. corrects: number and day of it. why: a key of `REASONS`.
    """
    language = said["language"]
    words = WORDS[language]
    label, day = corrects
    kept = [pair for pair in said["facts"] if pair[0] in (words["period"], words["nature"])]
    facts = [
        [words["issued"], day_text(issued_on, language)],
        [words["corrects"], words["corrects_what"].format(label=label, day=day_text(day, language))],
        *kept,
        [words["reason"], REASONS[language][why]],
    ]
    total = [words["total_self_credited"] if cell == words["total_self_billed"] else cell
             for cell in said["table"]["total"]]  # fmt: skip
    of_payment = (words["no_discount"], words["late_business"])
    return {
        **said,
        "kind": "self_credited",
        "label": number,
        "title": f"{words['credit_note']} {number}",
        "heading": words["credit_note"],
        "facts": facts,
        "table": {**said["table"], "total": total},
        "notes": [*(note for note in said["notes"] if note not in of_payment), words["note_credit_note"]],
    }


def _named(party: Party, words: dict[str, str]) -> dict[str, Any]:
    lines = [line.strip() for line in party.address_lines if line.strip()]
    if party.siren:
        lines.append(words["siren"].format(number=siren_text(party.siren)))
    if party.vat_number:
        lines.append(words["vat_number"].format(number=party.vat_number))
    return {"name": party.name, "lines": lines}


def _host(host: Host, words: dict[str, str]) -> dict[str, Any]:
    lines = [line.strip() for line in host.address.splitlines() if line.strip()]
    lines.append(words["siren"].format(number=siren_text(host.siren)))
    return {"name": host.name, "lines": lines}


def _facts(facts: SelfBilled, words: dict[str, str]) -> list[list[str]]:
    first, last = (day_text(day, facts.language) for day in facts.period)
    told = [
        [words["issued"], day_text(facts.issued_on, facts.language)],
        [words["due"], day_text(facts.issued_on + PAID_WITHIN, facts.language)],
        [words["period"], words["from_to"].format(first=first, last=last)],
        [words["nature"], words["services"]],
    ]
    if facts.replaces:
        label, day, note = facts.replaces
        what = words["replaces_credited"].format(label=label, day=day_text(day, facts.language), note=note)
        told.append([words["replaces"], what])
    return told


def _table(facts: SelfBilled, words: dict[str, str]) -> dict[str, Any]:
    """The lines without tax, then the totals; what rounding leaves of a line goes to the next, so that they add up."""

    def money(amount: int) -> str:
        return format_money(amount, facts.currency, facts.language)

    taxed = facts.vat == "liable"
    rows, before, seen = [], 0, 0
    for item in facts.items:
        seen += item.amount
        upto = net_of(seen) if taxed else seen
        rows.append([item.text, "1", money(upto - before), money(upto - before)])
        before = upto
    total = [words["total_self_billed"], "", "", money(facts.total)]
    if taxed:
        total = [
            words["total_net"], "", "", money(before),
            words["vat_at"].format(percent=VAT_PERCENT), "", "", money(facts.total - before),
            words["total_gross"], "", "", money(facts.total),
        ]  # fmt: skip
    return {
        "heads": [words["what"], words["quantity"], words["unit_price"], words["amount"]],
        "rows": rows,
        "total": total,
    }


def _notes(facts: SelfBilled, host: Host, words: dict[str, str]) -> list[str]:
    notes = [words["self_billed"].format(host=host.name, payee=facts.seller.name)]
    if facts.vat != "liable":
        notes.append(words[facts.vat])
    return [*notes, words["no_discount"], words["late_business"]]
