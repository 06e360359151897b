"""Reads MT940, the SWIFT statement: tags, balances and operations; what its texts say is read in mt940_details.

Our own small reader: the published ones merge the statements of a file into one, move impossible days, and take a
balance without currency for another amount.
"""

import datetime
import re
from collections import defaultdict
from dataclasses import dataclass, field

from django.utils.translation import gettext_lazy as _
from stdnum import iban as iban_rules

from backend.banking.formats.base import (
    MAX_BYTES,
    MAX_MINOR_UNITS,
    Balance,
    Notice,
    ParsedLine,
    ParsedStatement,
    StatementFileError,
    gap_and_ties,
    is_currency,
    minor_units,
    require_size,
    tidy,
)
from backend.banking.formats.mt940_details import read_details
from backend.banking.formats.texts import lines_of, numbers, too_complex

_TAG = re.compile(r":([0-9]{2}|NS)([A-Z])?:")
_START = re.compile(rb"(?:^|[\r\n])(?:\{4:[\r\n]*)?:20:")
_BALANCE = re.compile(r"(R?[CD])([0-9]{6})([A-Z]{3})([0-9]+[.,]?[0-9]*)")
_OPERATION = re.compile(
    r"(?P<day>[0-9]{6})(?P<entry>[0-9]{4})?(?P<mark>R?[CD])(?P<funds>[A-Z])?(?P<amount>[0-9]+[.,]?[0-9]*)"
    r"(?![0-9.,])(?P<code>[A-Z][A-Z0-9]{3})?(?P<reference>[^\n]*)"
)
# A credit or a debit; RC takes a credit back, RD a debit.
_SIGNS = {"C": 1, "D": -1, "RC": -1, "RD": 1}
# Tags that only an interim report has.
_INTERIM = {"34F", "13D", "90D", "90C"}
_NO_REFERENCE = {"NONREF", "EREF", "KREF", "PREF", "MREF", "NOTPROVIDED", ""}
# Statements and operations kept from one file.
_MAX_FACTS = 50_000
_MAX_TEXT = 4_000

_NOTICES = {
    "no_account": _("The statement does not say which account it is about."),
    "no_date": _("No usable booking date: entries %(entries)s."),
    "zero": _("Amount of zero, nothing to import: entries %(entries)s."),
    "balance_without_currency": _("A balance is not written as MT940 asks, without its currency, and is not used."),
}


@dataclass(slots=True)
class _Raw:
    """A statement being read: its fields, then its operations, each with the texts that follow it."""

    fields: dict[str, str] = field(default_factory=dict)
    operations: list[dict[str, str]] = field(default_factory=list)


def looks_like_mt940(start: bytes) -> bool:
    """Whether the start of a file has the first tag of a statement, be it inside a SWIFT envelope or not."""
    return _START.search(start) is not None


def read(data: bytes, max_bytes: int = MAX_BYTES) -> list[ParsedStatement]:
    """Read an MT940 file.

    Args: data: the file. max_bytes: above it the file is refused before anything reads it.
    Returns: its statements in the order of the file, at least one; the pages of one statement stay apart.
    Raises: StatementFileError, the file being refused whole.
    """
    require_size(data, max_bytes)
    found = _gather(data)
    if not any({"60F", "60M", "62F", "62M"} & raw.fields.keys() for raw in found):
        if any(_INTERIM & raw.fields.keys() for raw in found):
            raise StatementFileError(
                "statement_mt942",
                _("This is an interim report (MT942), which may still change: download the statement (MT940)."),
            )
        raise StatementFileError(
            "statement_none", _("This file holds no statement: check the export that you chose at the bank.")
        )
    return [_assemble(raw) for raw in found if raw.fields.keys() - {"20", "21"}]


def _gather(data: bytes) -> list[_Raw]:
    """The statements of the file, as written: each begins with a tag 20."""
    found: list[_Raw] = []
    into: dict[str, str] | None = None
    key, count = "", 0
    for line in lines_of(data):
        text = line.removeprefix("{4:")
        if tag := _TAG.match(text):
            key = tag[1] + (tag[2] or "")
            if key == "20":
                found.append(_Raw())
                count += 1
            if count > _MAX_FACTS:
                raise too_complex()
            if not found:
                into = None
                continue
            raw = found[-1]
            if key == "61":
                count += 1
                raw.operations.append({})
            # What follows a closing balance is about the statement, no longer about its last operation.
            is_text = key in {"86", "NS"} and not {"62F", "62M"} & raw.fields.keys()
            into = raw.operations[-1] if raw.operations and (key == "61" or is_text) else raw.fields
            if key in into and into is raw.fields and key[:2] in {"25", "60", "62"}:
                raise StatementFileError(
                    "statement_tag_twice",
                    _("Statement %(statement)s says :%(tag)s: twice: download it from the bank again."),
                    statement=tidy(raw.fields.get("20"), 35),
                    tag=key,
                )
            into[key] = (f"{into[key]}\n" if key in into else "") + text[tag.end() :]
        elif text.startswith("-}") or text.strip(" \x03") in {"-", "-XXX", ""}:
            into = into if not text.strip(" \x03") else None
        elif into is not None and key in {"61", "86", "NS", "25"} and len(into[key]) < _MAX_TEXT:
            into[key] += f"\n{text}"
    return found


def _day(text: str) -> datetime.date | None:
    """The day of YYMMDD; None when the calendar has no such day."""
    year = int(text[:2])
    try:
        return datetime.date(year + (1900 if year >= 70 else 2000), int(text[2:4]), int(text[4:6]))
    except ValueError:
        return None


def _entry_day(text: str, near: str) -> datetime.date | None:
    """The day of MMDD, in the year that brings it nearest to the value date YYMMDD."""
    year, month = int(near[:2]), int(near[2:4])
    full = year + (1900 if year >= 70 else 2000)
    # Turning of the year: booked in January with a value date of December, or the other way round.
    full += 1 if month - int(text[:2]) > 6 else -1 if int(text[:2]) - month > 6 else 0
    try:
        return datetime.date(full, int(text[:2]), int(text[2:4]))
    except ValueError:
        return None


def _amount(text: str, currency: str) -> int:
    """Minor units of `500,`, `12,5` or `12.50`; ValueError on anything else."""
    return minor_units(text.replace(",", ".").rstrip("."), currency)


def _account(text: str) -> str:
    """The account of tag 25: an IBAN, with the currency that some banks hang behind it taken off, else as it stands."""
    first = tidy(text.split("\n", maxsplit=1)[0], 64)
    compact = first.replace(" ", "").upper()
    for candidate in (compact, compact[:-3] if is_currency(compact[-3:]) else ""):
        if candidate and iban_rules.is_valid(candidate):
            return candidate
    return first


def _balance(raw: _Raw, tags: tuple[str, str], notices: list[Notice]) -> Balance | None:
    """The balance of the first of the tags that is there."""
    text = next((raw.fields[tag] for tag in tags if tag in raw.fields), None)
    if text is None:
        return None
    found = _BALANCE.fullmatch(text.strip().replace(" ", ""))
    try:
        if found and found[1] in _SIGNS:
            amount = _SIGNS[found[1]] * _amount(found[4], found[3])
            return Balance(amount=amount, currency=found[3], kind=_kind(tags), on=_day(found[2]))
    except ValueError:
        pass
    notices.append(Notice("balance_without_currency", _NOTICES["balance_without_currency"]))
    return None


def _kind(tags: tuple[str, str]) -> str:
    return "OPBD" if tags[0].startswith("60") else "CLBD"


def _assemble(raw: _Raw) -> ParsedStatement:
    """Make the statement that the tags describe.

    Raises: StatementFileError `statement_currency`, `statement_line_unreadable` or `statement_amount`.
    """
    notices: list[Notice] = []
    opening = _balance(raw, ("60F", "60M"), notices)
    closing = _balance(raw, ("62F", "62M"), notices)
    account = _account(raw.fields.get("25") or raw.fields.get("25P", ""))
    statement_id = tidy(raw.fields.get("20"), 35)
    known = opening or closing
    if known is None:
        raise StatementFileError(
            "statement_currency",
            _("Statement of %(account)s: it does not say its currency; download it from the bank again."),
            account=account or statement_id or "?",
        )
    currency = known.currency
    odd: defaultdict[str, list[int]] = defaultdict(list)
    lines = [_line(texts, index, currency, odd) for index, texts in enumerate(raw.operations, start=1)]
    credits = sum(line.amount for line in lines if line.amount > 0)
    debits = -sum(line.amount for line in lines if line.amount < 0)
    gap, ties = gap_and_ties(opening, closing, credits=credits, debits=debits, currencies={currency})
    if max(credits, debits, abs(gap or 0)) > MAX_MINOR_UNITS:
        raise StatementFileError(
            "statement_amount",
            _("Statement %(statement)s: the amounts add up to more than can be kept; ask the bank for a correct file."),
            statement=statement_id or account,
        )
    if not account:
        notices.append(Notice("no_account", _NOTICES["no_account"]))
    for code, places in odd.items():
        notices.append(Notice(code, _NOTICES[code], entries=numbers(places)))
    return ParsedStatement(
        account=account,
        currency=currency,
        statement_id=statement_id,
        number=tidy(raw.fields.get("28C") or raw.fields.get("28"), 35),
        created_at="",
        from_on=opening.on if opening else None,
        to_on=closing.on if closing else None,
        opening=opening,
        closing=closing,
        lines=tuple(line for line in lines if line.amount),
        entries=len(lines),
        not_booked=0,
        details=0,
        credits=credits,
        debits=debits,
        gap=gap,
        ties=ties,
        warnings=tuple(notices),
    )


def _line(texts: dict[str, str], index: int, currency: str, odd: defaultdict[str, list[int]]) -> ParsedLine:
    """One operation (tag 61) and the text that follows it (tag 86, or NS)."""
    head, _newline, supplement = texts["61"].partition("\n")
    found = _OPERATION.fullmatch(head.strip())
    try:
        if not found:
            raise ValueError("not an operation")
        amount = _SIGNS[found["mark"]] * _amount(found["amount"], currency)
    except ValueError as unreadable:
        raise StatementFileError(
            "statement_line_unreadable",
            _("Operation %(place)s is not written as MT940 asks: “%(text)s”. Download the file from the bank again."),
            place=index,
            text=head[:40],
        ) from unreadable
    value_on = _day(found["day"])
    booked_on = _entry_day(found["entry"], found["day"]) if found["entry"] else None
    if (booked_on or value_on) is None:
        odd["no_date"].append(index)
    if amount == 0:
        odd["zero"].append(index)
    ours, _slashes, theirs = found["reference"].strip().partition("//")
    details = read_details(texts.get("86", ""), notes=texts.get("NS", ""), supplement=supplement)
    return ParsedLine(
        amount=amount,
        currency=currency,
        booked_on=booked_on or value_on,
        value_on=value_on,
        entry=index,
        counterparty_name=details.name,
        counterparty_iban=details.iban,
        remittance=details.remittance,
        creditor_reference="",
        end_to_end_id=details.end_to_end_id,
        bank_reference=tidy(theirs, 35),
        code="/".join(part for part in (found["code"], details.code) if part),
        is_reversal=found["mark"].startswith("R"),
        return_reason=details.return_reason,
        payment_information_id=details.customer_reference or ("" if ours.strip() in _NO_REFERENCE else tidy(ours, 35)),
        message_id="",
    )
