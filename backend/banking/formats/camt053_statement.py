"""Turns the facts gathered from a camt.053 file into statements: signs, batches, balances, whether they tie."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from backend.banking.formats.base import (
    MAX_MINOR_UNITS,
    Balance,
    Notice,
    ParsedLine,
    ParsedStatement,
    StatementFileError,
    calendar_day,
    gap_and_ties,
    is_currency,
    minor_units,
    tidy,
)
from backend.core.money import exponent

_SIGNS = {"CRDT": 1, "DBIT": -1}
# "Available" balances (OPAV, CLAV, FWAV) are another figure: never taken for these.
_OPENING = ("OPBD", "PRCD")
_CLOSING = ("CLBD",)
# How ISO 20022 writes "the payer gave none".
_NO_REFERENCE = {"NOTPROVIDED", "NOT PROVIDED"}
# A warning names that many entries at most.
_NAMED = 20

_NOTICES = {
    "no_account": _("The statement does not say which account it is about."),
    "no_date": _("No usable booking date: entries %(entries)s."),
    "zero": _("Amount of zero, nothing to import: entries %(entries)s."),
    "undivided": _("The payments inside do not add up to the entry, which is kept as one line: entries %(entries)s."),
    "other_currency": _("Not in the currency of the account, left out of the totals: entries %(entries)s."),
    "balance_unreadable": _("A balance has no credit or debit mark and is not used."),
    "balance_currency": _("The balances are not in the currency of the account."),
    "announced": _("The bank announces %(announced)s entries, the file holds %(found)s."),
}


@dataclass(frozen=True, slots=True)
class Party:
    """A debtor or a creditor, empty where the bank says nothing."""

    name: str
    iban: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One payment inside an entry, as written. `amounts`: in order of trust, each a text and a currency."""

    amounts: tuple[tuple[str, str] | None, ...]
    mark: str
    debtor: Party
    creditor: Party
    remittance: str
    information: str
    creditor_reference: str
    end_to_end_id: str
    bank_reference: str
    payment_information_id: str
    message_id: str
    code: str
    return_reason: str
    is_return: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry, as written."""

    index: int
    amount: tuple[str, str] | None
    mark: str
    booked: bool
    is_reversal: bool
    booked_on: str
    value_on: str
    bank_reference: str
    code: str
    information: str
    payment_information_id: str
    message_id: str
    announced: str
    details: tuple[Detail, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RawBalance:
    """One balance, as written."""

    kind: str
    amount: tuple[str, str] | None
    mark: str
    on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RawStatement:
    """One statement, as written."""

    account: str
    currency: str
    statement_id: str
    number: str
    created_at: str
    from_on: str
    to_on: str
    announced: str
    balances: tuple[RawBalance, ...]
    entries: tuple[Entry, ...]


def assemble(raw: RawStatement) -> ParsedStatement:
    """Make the statement that the facts describe.

    Raises: StatementFileError `statement_amount`, `statement_currency` or `statement_mark`.
    """
    booked = [entry for entry in raw.entries if entry.booked]
    odd: defaultdict[str, list[int]] = defaultdict(list)
    currency = raw.currency or _first_currency(raw)
    opening, closing = _balances(raw, currency, odd)
    lines: list[ParsedLine] = []
    totals = {1: 0, -1: 0}
    currencies = {currency}
    for entry in booked:
        amount, its_currency = _entry_amount(raw, entry, currency)
        currencies.add(its_currency)
        if its_currency == currency:
            totals[_SIGNS[entry.mark]] += abs(amount)
        else:
            odd["other_currency"].append(entry.index)
        lines += _lines(raw, entry, amount, its_currency, odd)
    gap, ties = gap_and_ties(opening, closing, credits=totals[1], debits=totals[-1], currencies=currencies)
    if max(totals[1], totals[-1], abs(gap or 0)) > MAX_MINOR_UNITS:
        raise StatementFileError(
            "statement_amount",
            _("Statement %(statement)s: the amounts add up to more than can be kept; ask the bank for a correct file."),
            statement=raw.statement_id or raw.account,
        )
    return ParsedStatement(
        account=raw.account,
        currency=currency,
        statement_id=raw.statement_id,
        number=raw.number,
        created_at=raw.created_at,
        from_on=calendar_day(raw.from_on),
        to_on=calendar_day(raw.to_on),
        opening=opening,
        closing=closing,
        lines=tuple(lines),
        entries=len(raw.entries),
        not_booked=len(raw.entries) - len(booked),
        details=sum(len(entry.details) for entry in raw.entries),
        credits=totals[1],
        debits=totals[-1],
        gap=gap,
        ties=ties,
        warnings=_warnings(raw, odd),
    )


def _first_currency(raw: RawStatement) -> str:
    """The currency of an account that does not say it: that of its opening, else closing balance, else first entry."""
    of_balances = {b.kind: b.amount[1] for b in reversed(raw.balances) if b.amount}
    candidates = [of_balances.get(kind, "") for kind in (*_OPENING, *_CLOSING)]
    candidates += [entry.amount[1] for entry in raw.entries if entry.amount]
    return next((candidate for candidate in candidates if candidate), "")


def _at_entry(index: int) -> Notice:
    """The place of an entry, for a refusal."""
    return Notice("place", _("entry %(entry)s"), entry=index)


def _at_payment(index: int, payment: int) -> Notice:
    """The place of a payment inside an entry, for a refusal."""
    return Notice("place", _("entry %(entry)s, payment %(payment)s"), entry=index, payment=payment)


def _at_balance(kind: str) -> Notice:
    """The place of a balance, for a refusal."""
    return Notice("place", _("balance %(kind)s"), kind=kind)


def _read_amount(raw: RawStatement, place: Notice, written: tuple[str, str] | None, currency: str) -> tuple[int, str]:
    """Minor units (never negative) and currency of an amount; `currency` when it carries none.

    Args: place: what the amount belongs to, for the sentence of a refusal.
    """
    text, its_currency = written or ("", "")
    its_currency = its_currency or currency
    if not is_currency(its_currency):
        raise StatementFileError(
            "statement_currency",
            _("Statement %(statement)s, %(place)s: “%(value)s” is not a currency; ask the bank for a correct file."),
            statement=raw.statement_id or raw.account,
            place=place,
            value=its_currency,
        )
    try:
        return minor_units(text, its_currency), its_currency
    except ValueError as reason:
        raise StatementFileError(
            "statement_amount",
            _(
                "Statement %(statement)s, %(place)s: “%(value)s” is not a plain amount with at most %(decimals)s "
                "decimals; ask the bank for a correct file."
            ),
            statement=raw.statement_id or raw.account,
            place=place,
            value=text,
            decimals=exponent(its_currency),
        ) from reason


def _entry_amount(raw: RawStatement, entry: Entry, currency: str) -> tuple[int, str]:
    """Signed minor units and currency of an entry. The mark alone gives the sign, also for reversals."""
    amount, its_currency = _read_amount(raw, _at_entry(entry.index), entry.amount, currency)
    if entry.mark not in _SIGNS:
        raise StatementFileError(
            "statement_mark",
            _(
                "Statement %(statement)s, %(place)s: the credit or debit mark (CRDT or DBIT) is missing; "
                "ask the bank for a correct file."
            ),
            statement=raw.statement_id or raw.account,
            place=_at_entry(entry.index),
        )
    return _SIGNS[entry.mark] * amount, its_currency


def _balances(
    raw: RawStatement, currency: str, odd: defaultdict[str, list[int]]
) -> tuple[Balance | None, Balance | None]:
    """The opening and the closing balance. A statement of several days may state one pair a day: first and last."""
    read: list[Balance] = []
    for balance in raw.balances:
        if balance.kind not in (*_OPENING, *_CLOSING):
            continue
        if balance.mark not in _SIGNS:
            odd["balance_unreadable"].append(0)
            continue
        amount, its_currency = _read_amount(raw, _at_balance(balance.kind), balance.amount, currency)
        signed = _SIGNS[balance.mark] * amount
        read.append(Balance(amount=signed, currency=its_currency, kind=balance.kind, on=calendar_day(balance.on)))
    openings = _in_currency([balance for balance in read if balance.kind in _OPENING], currency)
    closings = _in_currency([balance for balance in read if balance.kind in _CLOSING], currency)
    # The kind that comes first: PRCD and OPBD say the same thing of two consecutive days.
    opening = _by_day([balance for balance in openings if balance.kind == openings[0].kind])
    closing = _by_day(closings)
    chosen = (opening[0] if opening else None, closing[-1] if closing else None)
    if any(balance and balance.currency != currency for balance in chosen):
        odd["balance_currency"].append(0)
    return chosen


def _in_currency(balances: list[Balance], currency: str) -> list[Balance]:
    """The balances in the account's currency, or all when none is."""
    return [balance for balance in balances if balance.currency == currency] or balances


def _by_day(balances: list[Balance]) -> list[Balance]:
    """In order of day; in the order of the file where a day is missing."""
    days = [balance.on for balance in balances if balance.on]
    if len(days) < len(balances):
        return balances
    order = sorted(range(len(balances)), key=lambda index: days[index])
    return [balances[index] for index in order]


def _lines(
    raw: RawStatement, entry: Entry, amount: int, currency: str, odd: defaultdict[str, list[int]]
) -> list[ParsedLine]:
    """The lines of an entry: its payments when they add up to it exactly, else one."""
    if calendar_day(entry.booked_on) is None:
        odd["no_date"].append(entry.index)
    if len(entry.details) > 1:
        parts = _divide(raw, entry, amount, currency)
        if parts:
            pairs = enumerate(zip(parts, entry.details, strict=True), start=1)
            return [
                _line(raw, entry, part, currency, detail=detail, place=place) for place, (part, detail) in pairs if part
            ]
        odd["undivided"].append(entry.index)
    if amount == 0:
        odd["zero"].append(entry.index)
        return []
    return [_line(raw, entry, amount, currency, detail=_only_detail(entry), place=None)]


def _only_detail(entry: Entry) -> Detail | None:
    """The payment that the whole entry is. Of a batch told in part, or not adding up, no payment may lend its
    reference or its name to the whole amount.
    """
    if len(entry.details) != 1 or entry.announced.lstrip("0") not in {"", "1"}:
        return None
    return entry.details[0]


def _divide(raw: RawStatement, entry: Entry, amount: int, currency: str) -> list[int] | None:
    """Signed minor units of each payment, when they add up to the entry in its own currency."""
    for kind in range(len(entry.details[0].amounts)):
        written = [detail.amounts[kind] for detail in entry.details]
        if any(one is None or (one[1] or currency) != currency for one in written):
            continue
        parts = [
            _SIGNS.get(detail.mark or entry.mark, 0)
            * _read_amount(raw, _at_payment(entry.index, place), detail.amounts[kind], currency)[0]
            for place, detail in enumerate(entry.details, start=1)
        ]
        if sum(parts) == amount:
            return parts
    return None


def _line(
    raw: RawStatement, entry: Entry, amount: int, currency: str, *, detail: Detail | None, place: int | None
) -> ParsedLine:
    """One line: an entry, or one payment of it (`place` from 1)."""
    party = _counterparty(entry, detail, amount, raw.account)
    return ParsedLine(
        amount=amount,
        currency=currency,
        booked_on=calendar_day(entry.booked_on),
        value_on=calendar_day(entry.value_on),
        entry=entry.index,
        detail=place,
        counterparty_name=party.name,
        counterparty_iban=party.iban,
        remittance=_remittance(entry, detail, whole=place is None),
        creditor_reference=detail.creditor_reference if detail else "",
        end_to_end_id="" if detail is None or detail.end_to_end_id.upper() in _NO_REFERENCE else detail.end_to_end_id,
        bank_reference=(detail.bank_reference if detail else "") or entry.bank_reference,
        code=(detail.code if detail else "") or entry.code,
        is_reversal=entry.is_reversal,
        return_reason=detail.return_reason if detail else "",
        payment_information_id=_common(entry, detail, "payment_information_id"),
        message_id=_common(entry, detail, "message_id"),
    )


def _common(entry: Entry, detail: Detail | None, name: str) -> str:
    """An id of the payment file: the payment's, else the batch's, else the one that all payments of the entry share."""
    if found := getattr(detail, name, "") or getattr(entry, name):
        return str(found)
    shared = {str(getattr(one, name)) for one in entry.details}
    return shared.pop() if len(shared) == 1 else ""


def _counterparty(entry: Entry, detail: Detail | None, amount: int, account: str) -> Party:
    """Who is on the other side: the debtor of a credit, the creditor of a debit.

    What comes back (a reversal, a return) keeps the parties of the first payment, so that the other one is us; and
    whoever has the statement's own account is never the other side.
    """
    if detail is None:
        return Party("", "")
    parties = [detail.debtor, detail.creditor]
    if (amount < 0) != (entry.is_reversal or detail.is_return):
        parties.reverse()
    known = [party for party in parties if (party.name or party.iban) and not (party.iban and party.iban == account)]
    return known[0] if known else Party("", "")


def _remittance(entry: Entry, detail: Detail | None, *, whole: bool) -> str:
    """What the payer wrote, the structured reference, then what the bank adds about this very line."""
    texts = [detail.remittance, detail.information] if detail else []
    if whole or not any(texts):
        texts.append(entry.information)
    kept: list[str] = []
    for text in texts:
        if text and not any(text in other for other in kept):
            kept.append(text)
    return tidy(" ".join(kept), 2000)


def _warnings(raw: RawStatement, odd: defaultdict[str, list[int]]) -> tuple[Notice, ...]:
    """What was odd, one notice a kind, naming the entries."""
    notices = []
    if not raw.account:
        notices.append(Notice("no_account", _NOTICES["no_account"]))
    if raw.announced.isdecimal() and raw.announced.lstrip("0") != str(len(raw.entries) or ""):
        notices.append(Notice("announced", _NOTICES["announced"], announced=raw.announced[:10], found=len(raw.entries)))
    for code, places in odd.items():
        values: dict[str, object] = {} if not any(places) else {"entries": _names(places)}
        notices.append(Notice(code, _NOTICES[code], **values))
    return tuple(notices)


def _names(places: Sequence[int]) -> str:
    """Entry numbers, the first ones only when there are many."""
    named = ", ".join(str(place) for place in places[:_NAMED])
    return f"{named}…" if len(places) > _NAMED else named
