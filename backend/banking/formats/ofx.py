"""Reads OFX (and QFX) statements, the SGML of version 1 and the XML of version 2, with one reader of their tags.

No maintained reader under a licence of ours reads both with the commas and the headers that banks really write. What an
element is depends on its name alone, so nothing is lost when a bank forgets to close one.
"""

import html
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.utils.translation import gettext_lazy as _

from backend.banking.formats.base import (
    MAX_BYTES,
    MAX_MINOR_UNITS,
    Balance,
    Notice,
    ParsedLine,
    ParsedStatement,
    StatementFileError,
    account_number,
    calendar_day,
    is_currency,
    is_iban_shaped,
    require_size,
    tidy,
)
from backend.banking.formats.texts import encoding_of, numbers, refused_encoding, signed_minor_units, too_complex

_TAG = re.compile(rb"<(/?)([A-Za-z][A-Za-z0-9._]{0,31})[ \t\r\n]{0,64}/?>")
_START = re.compile(rb"<OFX[ \t\r\n]{0,64}>", re.IGNORECASE)
_STATEMENTS = {"STMTRS", "CCSTMTRS"}
# The elements that contain others, as far as a statement needs them: the texts inside are known by them.
_AGGREGATES = _STATEMENTS | {
    "STMTTRN", "STMTTRNP", "BANKACCTFROM", "CCACCTFROM", "BANKACCTTO", "CCACCTTO", "LEDGERBAL", "AVAILBAL", "PAYEE",
    "CURRENCY", "ORIGCURRENCY", "BANKTRANLIST", "BANKTRANLISTP", "BALLIST", "BAL",
}  # fmt: skip
_OPERATIONS = {"STMTTRN", "STMTTRNP"}
_MAX_TAGS = 500_000
_MAX_DEPTH = 16
_MAX_LINES = 50_000
# How OFX writes days: 20260115, 20260115120000.000[+1:CET].
_DAY = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?=$|[0-9]{4,6}|[ .\[])")
_WITHDRAWALS = {"DEBIT", "PAYMENT", "CHECK", "FEE", "SRVCHG", "ATM", "POS", "CASH", "DIRECTDEBIT"}

_NOTICES = {
    "no_account": _("The statement does not say which account it is about."),
    "no_date": _("No usable booking date: entries %(entries)s."),
    "zero": _("Amount of zero, nothing to import: entries %(entries)s."),
    "other_currency": _("Not in the currency of the account, left out of the totals: entries %(entries)s."),
    "sign": _("Said to be a debit but written as a credit, kept as written: entries %(entries)s."),
    "no_balance": _("The file gives no balance that can be read."),
}


@dataclass(slots=True)
class _Raw:
    """A statement being read: its own texts by place, its operations, how many are only announced."""

    texts: dict[str, str] = field(default_factory=dict)
    lines: list[dict[str, str]] = field(default_factory=list)
    pending: int = 0


def looks_like_ofx(start: bytes) -> bool:
    """Whether the start of a file says OFX."""
    return b"OFXHEADER" in start[:1024].upper() or _START.search(start) is not None


def read(data: bytes, max_bytes: int = MAX_BYTES) -> list[ParsedStatement]:
    """Read an OFX file.

    Args: data: the file. max_bytes: above it the file is refused before anything reads it.
    Returns: its bank and card statements in the order of the file, at least one. OFX gives no opening balance.
    Raises: StatementFileError, the file being refused whole.
    """
    require_size(data, max_bytes)
    encoding = encoding_of(data)
    if encoding == "utf-16":
        try:
            data, encoding = data.decode("utf-16").encode(), "utf-8"
        except UnicodeError as broken:
            raise refused_encoding() from broken
    begin = _START.search(data)
    head = data[: begin.start()] if begin else data
    if b"<!" in head or b"<!ENTITY" in data or b"<!DOCTYPE" in data:
        raise StatementFileError(
            "statement_dtd",
            _("This file carries a DTD or entities, which no bank statement needs: download it from the bank again."),
        )
    if not begin or not re.search(rb"</OFX[ \t\r\n]*>[ \t\r\n]*\Z", data[-256:], re.IGNORECASE):
        raise StatementFileError(
            "statement_cut", _("This file is cut short: its end is missing. Download it from the bank again.")
        )
    found = [_assemble(raw) for raw in _gather(data, begin.end(), encoding)]
    if not found:
        raise StatementFileError(
            "statement_none", _("This file holds no statement: check the export that you chose at the bank.")
        )
    return found


def _tokens(data: bytes, start: int, encoding: str) -> Iterator[tuple[bool, str, str]]:
    """(closing, name, text behind) of each tag."""
    name, closing, at = "", False, start
    # Counting brackets is a thousand times quicker than reading tags: a flood is told before it costs anything.
    if data.count(b"<", start) > _MAX_TAGS:
        raise too_complex()
    for tag in _TAG.finditer(data, start):
        if name:
            yield closing, name, _text(data[at : tag.start()], encoding)
        closing, name, at = bool(tag[1]), tag[2].decode().upper(), tag.end()
    if name:
        yield closing, name, ""


def _text(raw: bytes, encoding: str) -> str:
    """The text of an element, on one line, its character references read once."""
    if not raw or raw.isspace():
        return ""
    return tidy(html.unescape(raw[:2000].decode(encoding, errors="replace")), 500)


def _gather(data: bytes, start: int, encoding: str) -> list[_Raw]:
    """The statements of the file, as written."""
    gatherer = _Gatherer()
    for closing, name, text in _tokens(data, start, encoding):
        if name in _AGGREGATES:
            if closing:
                gatherer.close(name)
            else:
                gatherer.open(name)
        elif text and not closing:
            gatherer.keep(name, text)
    return gatherer.found


class _Gatherer:
    """Puts each text where it belongs, following which elements are open."""

    def __init__(self) -> None:
        self.found: list[_Raw] = []
        self._inside: list[str] = []
        self._line: dict[str, str] | None = None
        self._count = 0

    def close(self, name: str) -> None:
        """An element ends, and with it those inside that nobody closed."""
        if name in self._inside:
            del self._inside[len(self._inside) - 1 - self._inside[::-1].index(name) :]
        if not _OPERATIONS & set(self._inside):
            self._line = None

    def open(self, name: str) -> None:
        """An element begins."""
        if name in _STATEMENTS:
            self._inside, self._line = [name], None
            self.found.append(_Raw())
        elif not self._inside:
            return
        elif name in _OPERATIONS:
            # One that was never closed ends where the next begins.
            self._inside = [*(one for one in self._inside if one not in _OPERATIONS | {"PAYEE"}), name]
            self._line = {}
            self._count += 1
            if self._count > _MAX_LINES:
                raise too_complex()
            if name == "STMTTRN":
                self.found[-1].lines.append(self._line)
            else:
                self.found[-1].pending += 1
        elif len(self._inside) < _MAX_DEPTH:
            self._inside.append(name)

    def keep(self, name: str, text: str) -> None:
        """A text is read: the first of its name in its place counts."""
        if not self._inside:
            return
        where = self._inside[-1]
        if self._line is not None:
            self._line.setdefault(name if where in _OPERATIONS else f"{where}/{name}", text)
        else:
            self.found[-1].texts.setdefault(f"{where}/{name}", text)


def _day(text: str) -> str:
    """An OFX date as an ISO day, or nothing."""
    found = _DAY.match(text)
    return "-".join(found.groups()) if found else ""


def _account(texts: dict[str, str]) -> str:
    return account_number(texts.get("BANKACCTFROM/ACCTID") or texts.get("CCACCTFROM/ACCTID") or "")


def _assemble(raw: _Raw) -> ParsedStatement:
    """Make the statement that the texts describe.

    Raises: StatementFileError `statement_amount` or `statement_currency`.
    """
    account = _account(raw.texts)
    own = next((raw.texts[key].upper() for key in ("STMTRS/CURDEF", "CCSTMTRS/CURDEF") if key in raw.texts), "")
    odd: defaultdict[str, list[int]] = defaultdict(list)
    if not is_currency(own):
        raise StatementFileError(
            "statement_currency",
            _("Statement of %(account)s: it does not say its currency; download it from the bank again."),
            account=account or "?",
        )
    lines = [_line(texts, index, own, odd) for index, texts in enumerate(raw.lines, start=1)]
    mine = [line for line in lines if line.currency == own]
    credits = sum(line.amount for line in mine if line.amount > 0)
    debits = -sum(line.amount for line in mine if line.amount < 0)
    if max(credits, debits) > MAX_MINOR_UNITS:
        raise StatementFileError(
            "statement_amount",
            _("Statement %(statement)s: the amounts add up to more than can be kept; ask the bank for a correct file."),
            statement=account or "OFX",
        )
    closing = _ledger_balance(raw.texts, own)
    notices = [] if account else [Notice("no_account", _NOTICES["no_account"])]
    if closing is None:
        notices.append(Notice("no_balance", _NOTICES["no_balance"]))
    for code, places in odd.items():
        notices.append(Notice(code, _NOTICES[code], entries=numbers(places)))
    listed = {name: _day(raw.texts.get(f"BANKTRANLIST/{name}", "")) for name in ("DTSTART", "DTEND")}
    return ParsedStatement(
        account=account,
        currency=own,
        statement_id="",
        number="",
        created_at="",
        from_on=calendar_day(listed["DTSTART"]),
        to_on=calendar_day(listed["DTEND"]),
        opening=None,
        closing=closing,
        lines=tuple(line for line in lines if line.amount),
        entries=len(lines) + raw.pending,
        not_booked=raw.pending,
        details=0,
        credits=credits,
        debits=debits,
        gap=None,
        ties="unknown",
        warnings=tuple(notices),
    )


def _ledger_balance(texts: dict[str, str], currency: str) -> Balance | None:
    """The booked balance; the available one is another figure and never taken for it."""
    try:
        amount = signed_minor_units(texts.get("LEDGERBAL/BALAMT", ""), currency)
    except ValueError:
        return None
    return Balance(
        amount=amount, currency=currency, kind="CLBD", on=calendar_day(_day(texts.get("LEDGERBAL/DTASOF", "")))
    )


def _bad_amount(text: str, place: object) -> StatementFileError:
    return StatementFileError(
        "statement_line_amount",
        _("Operation %(place)s: the amount “%(amount)s” cannot be read; download the statement from the bank again."),
        place=place,
        amount=text[:40],
    )


def _line(texts: dict[str, str], index: int, own: str, odd: defaultdict[str, list[int]]) -> ParsedLine:
    """One operation (STMTTRN); the sign is that of its amount, whatever its type says."""
    currency = texts.get("CURRENCY/CURSYM", own).upper()
    if not is_currency(currency):
        raise _bad_amount(currency, index)
    try:
        amount = signed_minor_units(texts.get("TRNAMT", ""), currency)
    except ValueError as unreadable:
        raise _bad_amount(texts.get("TRNAMT", ""), index) from unreadable
    kind = texts.get("TRNTYPE", "").upper()
    booked_on = calendar_day(_day(texts.get("DTPOSTED", "")))
    for code, is_odd in (
        ("zero", amount == 0),
        ("no_date", booked_on is None),
        ("other_currency", currency != own),
        ("sign", amount > 0 and kind in _WITHDRAWALS),
    ):
        if is_odd:
            odd[code].append(index)
    name = texts.get("NAME") or texts.get("PAYEE/NAME") or texts.get("EXTDNAME", "")
    account = account_number(texts.get("BANKACCTTO/ACCTID") or texts.get("CCACCTTO/ACCTID") or "")
    cheque = texts.get("CHECKNUM", "")
    label = " ".join(part for part in (name, texts.get("MEMO", "")) if part)
    return ParsedLine(
        amount=amount,
        currency=currency,
        booked_on=booked_on,
        value_on=calendar_day(_day(texts.get("DTAVAIL", ""))),
        entry=index,
        counterparty_name=tidy(name),
        counterparty_iban=account if is_iban_shaped(account) else "",
        # A cheque without a name keeps at least its number.
        remittance=tidy(label or " ".join(part for part in (kind, cheque) if part), 2000),
        bank_reference=tidy(texts.get("FITID") or texts.get("REFNUM"), 140),
        end_to_end_id=tidy(texts.get("REFNUM"), 140) if texts.get("FITID") else "",
        code=kind[:35],
    )
