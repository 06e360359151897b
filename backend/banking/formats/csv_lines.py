"""Turns the rows of a CSV file into statements: signs, running balance, what is left out and said."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from django.utils.translation import gettext_lazy as _

from backend.banking.formats.base import (
    MAX_MINOR_UNITS,
    Balance,
    Notice,
    ParsedLine,
    ParsedStatement,
    StatementFileError,
    account_number,
    gap_and_ties,
    is_currency,
    is_iban_shaped,
    tidy,
)
from backend.banking.formats.csv_layout import Layout, decimal_of, read_day, with_decimal, word_of
from backend.banking.formats.texts import numbers, signed_minor_units

_DEBITS = {"d", "s", "af", "debit", "debet", "dbit", "soll", "out", "debito", "addebito", "dr", "dbt", "uit"}
_CREDITS = {"c", "h", "bij", "credit", "cr", "crdt", "haben", "in", "credito", "accredito", "cdt"}

_NOTICES = {
    "csv_left_out": _("Not operations, left out: lines %(entries)s of the file."),
    "csv_merged": _("A label holds the mark between cells and was put together again: lines %(entries)s of the file."),
    "csv_no_currency": _("The file does not say its currency: read as %(currency)s."),
    "csv_broken_chain": _("The balance does not follow from the one before: lines %(entries)s of the file."),
    "csv_no_balance": _("The file gives no balance: nothing proves that no line is missing."),
    "zero": _("Amount of zero, nothing to import: entries %(entries)s."),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row and its line in the file, counted from 1."""

    number: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class _Read:
    """One operation and the balance that the bank writes beside it."""

    line: ParsedLine
    balance: int | None
    account: str


def assemble(rows: Sequence[Row], layout: Layout, currency: str) -> list[ParsedStatement]:
    """Make the statements that the rows describe.

    Args: currency: for rows that do not say theirs.
    Returns: one statement for each account and currency, in the order of the file, at least one.
    Raises: StatementFileError when an amount cannot be read for sure, or when there is no operation.
    """
    odd: defaultdict[str, list[int]] = defaultdict(list)
    kept = _operations(rows, layout, odd)
    layout = with_decimal(layout, [row.cells for row in kept])
    debits_negative = _debit_convention(kept, layout)
    balances = layout.column("balance")
    mark = decimal_of([row.cells[balances] for row in kept]) if balances is not None else ""
    groups: dict[tuple[str, str], list[_Read]] = {}
    for row in kept:
        read = _operation(row, layout, currency, debits_negative=debits_negative, balance_mark=mark)
        groups.setdefault((read.account, read.line.currency), []).append(read)
    if not groups:
        raise StatementFileError(
            "statement_none", _("This file holds no statement: check the export that you chose at the bank.")
        )
    return [_statement(account, own, found, layout, odd) for (account, own), found in groups.items()]


def _operations(rows: Sequence[Row], layout: Layout, odd: defaultdict[str, list[int]]) -> list[Row]:
    """The rows that are operations. What stands above or below them without a date is left out and said; a row among
    them whose date cannot be read is refused: it may be money.
    """
    kept: list[Row] = []
    strange: list[Row] = []
    for raw in rows:
        row = _of_width(raw, layout, odd)
        if row is None or _day(row, layout) is None:
            strange.append(raw)
            odd["csv_left_out"].append(raw.number)
            continue
        if kept and strange and strange[-1].number > kept[-1].number:
            raise _bad_row(strange[-1], _("its date cannot be read"))
        kept.append(row)
    return kept


def _of_width(row: Row, layout: Layout, odd: defaultdict[str, list[int]]) -> Row | None:
    """The row with as many cells as there are columns: banks forget to quote labels, and to write last empty cells."""
    cells = list(row.cells)
    while len(cells) > layout.width and not cells[-1].strip():
        cells.pop()
    needed = max(place for places in layout.columns.values() for place in places) + 1
    if len(cells) < needed:
        # Empty cells at the end are often left away; cells that carry money are not.
        money = [layout.column(role) for role in ("amount", "debit", "credit", "booked_on")]
        if len(cells) <= max(place for place in money if place is not None):
            return None
        cells += [""] * (needed - len(cells))
    extra = len(cells) - layout.width
    texts = layout.columns.get("text", ())
    if extra > 0 and not texts:
        raise _bad_row(row, _("it has more cells than there are columns"))
    if extra > 0:
        at = texts[0]
        cells[at : at + extra + 1] = [layout.delimiter.join(cells[at : at + extra + 1])]
        odd["csv_merged"].append(row.number)
    return Row(row.number, cells)


def _day(row: Row, layout: Layout) -> object:
    """The day of the operation, or None."""
    place = layout.column("booked_on")
    place = layout.column("value_on") if place is None else place
    return None if place is None else read_day(row.cells[place], layout.date_format)


def _bad_row(row: Row, why: object) -> StatementFileError:
    return StatementFileError(
        "statement_csv_row",
        _("Line %(line)s of the file cannot be read: %(why)s. Check the chosen columns, or download the file again."),
        line=row.number,
        why=why,
    )


def _bad_amount(row: Row, text: str) -> StatementFileError:
    return StatementFileError(
        "statement_csv_amount",
        _(
            "Line %(line)s of the file: the amount “%(amount)s” cannot be read for sure. Choose the columns and the "
            "decimal mark on the import page."
        ),
        line=row.number,
        amount=text[:40],
    )


def _amount(row: Row, place: int | None, currency: str, decimal: str) -> int:
    """Signed minor units of a cell, 0 when it is empty."""
    text = row.cells[place].strip() if place is not None else ""
    if not text:
        return 0
    try:
        return signed_minor_units(text, currency, decimal=decimal, guarded=True)
    except ValueError as unreadable:
        raise _bad_amount(row, text) from unreadable


def _debit_convention(rows: Sequence[Row], layout: Layout) -> bool:
    """Whether the debits of the file are written with their minus sign. All must agree."""
    place = layout.column("debit")
    if place is None:
        return True
    written = [text for row in rows if (text := row.cells[place].strip()) and text.strip("0.,+- ")]
    minus = [text for text in written if text.lstrip("(")[:1] in {"-", "\u2212"} or text.endswith(("-", ")"))]
    if minus and len(minus) < len(written):
        at = next(row for row in rows if row.cells[place].strip() == minus[0])
        raise _bad_row(at, _("some debits have a minus sign and others have none"))
    return bool(minus)


def _signed(row: Row, layout: Layout, currency: str, *, debits_negative: bool) -> int:
    """The amount of an operation: credits positive."""
    if "amount" in layout.columns:
        amount = _amount(row, layout.column("amount"), currency, layout.decimal)
        place = layout.column("mark")
        if place is None:
            return amount
        word = word_of(row.cells[place]) or row.cells[place].strip()
        if word in _DEBITS or word == "-":
            return -abs(amount)
        if word in _CREDITS or word == "+":
            return abs(amount)
        raise _bad_row(row, _("it does not say whether it is a debit or a credit"))
    debit = _amount(row, layout.column("debit"), currency, layout.decimal)
    credit = _amount(row, layout.column("credit"), currency, layout.decimal)
    if debit and credit:
        raise _bad_row(row, _("it is both a debit and a credit"))
    return (debit if debits_negative else -debit) or credit


def _cell(row: Row, layout: Layout, role: str, limit: int = 140) -> str:
    """The text of the columns of a role, on one line."""
    return tidy(" ".join(row.cells[place] for place in layout.columns.get(role, ())), limit)


def _operation(row: Row, layout: Layout, currency: str, *, debits_negative: bool, balance_mark: str) -> _Read:
    own = _cell(row, layout, "currency").upper() or currency
    if not is_currency(own):
        raise _bad_row(row, _("its currency cannot be read"))
    amount = _signed(row, layout, own, debits_negative=debits_negative)
    place = layout.column("balance")
    balance = None
    if place is not None and row.cells[place].strip():
        try:
            balance = signed_minor_units(row.cells[place], own, decimal=balance_mark, guarded=True)
        except ValueError:
            balance = None
    booked, valued = layout.column("booked_on"), layout.column("value_on")
    value_on = read_day(row.cells[valued], layout.date_format) if valued is not None else None
    account = account_number(_cell(row, layout, "iban"))
    return _Read(
        line=ParsedLine(
            amount=amount,
            currency=own,
            booked_on=read_day(row.cells[booked], layout.date_format) if booked is not None else value_on,
            value_on=value_on,
            entry=row.number,
            counterparty_name=_cell(row, layout, "name"),
            counterparty_iban=account if is_iban_shaped(account) else "",
            remittance=_cell(row, layout, "text", 2000),
            end_to_end_id=_cell(row, layout, "end_to_end", 35),
            bank_reference=_cell(row, layout, "reference", 35),
        ),
        balance=balance,
        account=account_number(_cell(row, layout, "account", 64)),
    )


def _oldest_first(found: list[_Read]) -> list[_Read]:
    """In order of time: by the days when they tell, else by the balances."""
    days = [read.line.booked_on for read in found if read.line.booked_on]
    if days and days[0] != days[-1]:
        return found if days[0] < days[-1] else found[::-1]
    return found[::-1] if len(_breaks(found[::-1])) < len(_breaks(found)) else found


def _breaks(found: Sequence[_Read]) -> list[int]:
    """The lines whose balance is not the one before plus their amount."""
    broken = []
    for before, read in pairwise(found):
        if before.balance is None or read.balance is None:
            continue
        if before.balance + read.line.amount != read.balance:
            broken.append(read.line.entry)
    return broken


def _statement(
    account: str, own: str, found: list[_Read], layout: Layout, odd: defaultdict[str, list[int]]
) -> ParsedStatement:
    """One statement, oldest operation first; the balances are those before the first and after the last."""
    ordered = _oldest_first(found)
    lines = [read.line for read in ordered]
    credits = sum(line.amount for line in lines if line.amount > 0)
    debits = -sum(line.amount for line in lines if line.amount < 0)
    first, last = ordered[0], ordered[-1]
    opening = closing = None
    if first.balance is not None and last.balance is not None:
        before = first.balance - first.line.amount
        opening = Balance(amount=before, currency=own, kind="OPBD", on=first.line.booked_on)
        closing = Balance(amount=last.balance, currency=own, kind="CLBD", on=last.line.booked_on)
    gap, ties = gap_and_ties(opening, closing, credits=credits, debits=debits, currencies={own})
    if max(credits, debits, abs(gap or 0)) > MAX_MINOR_UNITS:
        raise StatementFileError(
            "statement_amount",
            _("Statement %(statement)s: the amounts add up to more than can be kept; ask the bank for a correct file."),
            statement=account or "CSV",
        )
    told = {**odd, "csv_broken_chain": _breaks(ordered), "zero": [line.entry for line in lines if not line.amount]}
    notices = [Notice(code, _NOTICES[code], entries=numbers(places)) for code, places in told.items() if places]
    if "currency" not in layout.columns:
        notices.append(Notice("csv_no_currency", _NOTICES["csv_no_currency"], currency=own))
    if closing is None:
        notices.append(Notice("csv_no_balance", _NOTICES["csv_no_balance"]))
    return ParsedStatement(
        account=account,
        currency=own,
        statement_id="",
        number="",
        created_at="",
        from_on=first.line.booked_on,
        to_on=last.line.booked_on,
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
