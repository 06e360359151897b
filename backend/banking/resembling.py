"""Lines that look like one known already, told by another file in other fields: nobody books them before a person."""

import re
import unicodedata
from datetime import timedelta

from backend.banking.models import BankLine
from backend.pledges.references import find_references

NEAR = timedelta(days=3)  # a bank dates one operation by its booking in one format, by its value in another
_WORD = re.compile(r"[a-z0-9]{3,}")


def resembled(line: BankLine) -> BankLine | None:
    """The line that this one may be a second time: of its account and amount, within three days, of another statement
    written otherwise, with its reference, its other account or its words. Each known line is taken once per statement.

    Two files of one format write one operation alike, and the import knows it again by itself.
    """
    taken = BankLine.objects.filter(statement=line.statement_id, state__in=["suspect", "duplicate"])
    known = BankLine.objects.filter(
        account=line.account_id, amount=line.amount, currency=line.currency, pk__lt=line.pk,
        booked_on__range=(line.booked_on - NEAR, line.booked_on + NEAR),
    )  # fmt: skip
    known = known.exclude(statement=line.statement_id).exclude(state__in=["suspect", "duplicate", "withdrawn"])
    known = known.exclude(pk__in=taken.filter(resembles__isnull=False).values("resembles"))
    rows = [one for one in known.select_related("statement") if _written_otherwise(one, line) and _alike(one, line)]
    return min(rows, key=lambda one: (abs(one.booked_on - line.booked_on), one.pk), default=None)


def _written_otherwise(known: BankLine, line: BankLine) -> bool:
    """Whether their files may write one operation in two ways; a statement kept before formats were noted may."""
    formats = {known.statement.format, line.statement.format}
    if len(formats) > 1 or "" in formats:
        return _facts(known) != _facts(line)
    # One format: the bank's own reference again beside other words. The same words too are counted by the import.
    own = line.references.get("bank_reference")
    return bool(own) and own == known.references.get("bank_reference") and _facts(known) != _facts(line)


def _facts(line: BankLine) -> tuple[object, ...]:
    return line.booked_on, line.value_on, line.counterparty, line.counterparty_index, line.text, line.references


def _alike(known: BankLine, line: BankLine) -> bool:
    """Whether nothing that both say tells them apart, and something that both say is the same."""
    ours, theirs = set(find_references(said(known))), set(find_references(said(line)))
    if ours and theirs:
        return bool(ours & theirs)
    if known.counterparty_index and line.counterparty_index:
        return known.counterparty_index == line.counterparty_index
    fewer, more = sorted((_words(known), _words(line)), key=len)
    return fewer <= more


def said(line: BankLine) -> str:
    """All that a line says where a reference may stand."""
    values = line.references
    return " ".join([values.get("creditor_reference", ""), line.text, values.get("end_to_end_id", "")])


def _words(line: BankLine) -> set[str]:
    text = unicodedata.normalize("NFKD", f"{line.counterparty} {line.text}").encode("ascii", "ignore").decode()
    return set(_WORD.findall(text.lower()))
