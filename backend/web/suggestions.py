"""Which pledges an unnamed credit may pay, and why: reasons are shown, nothing is decided here."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from django.utils.translation import gettext as _

from backend.banking.models import BankLine
from backend.core.money import format_money
from backend.pledges.models import Pledge
from backend.pledges.references import find_references

# Words that say nothing of who pays.
COMMON = {
    "VIR",
    "SEPA",
    "VIREMENT",
    "INST",
    "ASSO",
    "ASSOCIATION",
    "LE",
    "LA",
    "LES",
    "DE",
    "DU",
    "DES",
    "THE",
    "OF",
    "ET",
    "AND",
}


@dataclass(frozen=True)
class Reason:
    """One argument: its sign (✓ agrees, ≈ comes close, ✗ does not), and its words."""

    sign: str
    text: str


@dataclass(frozen=True)
class Suggestion:
    """A pledge that a line may pay, with its reasons; the weight only orders them."""

    pledge: Pledge
    weight: int
    reasons: list[Reason]


def words_of(text: str) -> list[str]:
    """The telling words of a name, in capitals and without accents."""
    plain = unicodedata.normalize("NFKD", text.replace("’", "'")).encode("ascii", "ignore").decode().upper()
    found = [word for word in re.findall(r"[A-Z0-9]{2,}", plain) if word not in COMMON]
    return found[:20]


def suggest(line: BankLine, pledges: Sequence[Pledge]) -> list[Suggestion]:
    """The pledges, the likeliest first, each with its reasons. Args: line: a credit. pledges: of the same currency."""
    found = [_weigh(line, pledge) for pledge in pledges]
    return sorted(found, key=lambda one: -one.weight)


def _weigh(line: BankLine, pledge: Pledge) -> Suggestion:
    reasons, weight = [], 0
    for points, reason in (_by_amount(line, pledge), _by_name(line, pledge), _by_reference(line, pledge)):
        reasons.append(reason)
        weight += points
    return Suggestion(pledge, weight, reasons)


def _by_amount(line: BankLine, pledge: Pledge) -> tuple[int, Reason]:
    expected = format_money(pledge.expected, pledge.currency)
    if line.amount == pledge.expected:
        return 4, Reason("✓", _("same amount as expected"))
    if line.amount < pledge.expected:
        return 1, Reason("≈", _("less than the %(expected)s expected") % {"expected": expected})
    return 0, Reason("✗", _("more than the %(expected)s expected") % {"expected": expected})


def _by_name(line: BankLine, pledge: Pledge) -> tuple[int, Reason]:
    wanted = words_of(pledge.organisation.name)
    seen = words_of(f"{line.counterparty} {line.text}")
    if wanted and all(word in seen for word in wanted):
        return 4, Reason("✓", _("same name: “%(name)s”") % {"name": pledge.organisation.name})
    for word in wanted:
        close = get_close_matches(word, seen, n=1, cutoff=0.75)
        if close:
            values = {"seen": close[0], "name": pledge.organisation.name}
            return 2, Reason("≈", _("close name: “%(seen)s” / “%(name)s”") % values)
    return 0, Reason("✗", _("another name"))


def _by_reference(line: BankLine, pledge: Pledge) -> tuple[int, Reason]:
    found = find_references(" ".join([line.text, *(str(value) for value in line.references.values())]))
    if pledge.reference in found:
        return 8, Reason("✓", _("its reference is in the text, with others"))
    return 0, Reason("✗", _("reference absent"))
