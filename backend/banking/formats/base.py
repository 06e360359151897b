"""What every statement format gives back: frozen facts, exact amounts, one clear sentence when a file is refused."""

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal

from django.utils.translation import gettext_lazy as _

from backend.core.money import exponent

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# A web upload. A year of a busy association is under 5 MB; callers with another need pass their own limit.
MAX_BYTES = 20_000_000
# The ledger keeps signed 64-bit minor units.
MAX_MINOR_UNITS = 2**63 - 1

_DECIMAL = re.compile(r"([0-9]+)(?:\.([0-9]+))?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?=$|[TZ+-])")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}")

Ties = Literal["yes", "no", "unknown"]


class _Sentence:
    """A translatable template with its values, written in the reader's language at the moment it is shown."""

    def __init__(self, code: str, template: "str | _StrPromise", values: dict[str, object]) -> None:
        self.code = code
        self._template = template
        self._values = values

    def __str__(self) -> str:
        return str(self._template) % self._values


class Notice(_Sentence):
    """Something odd that was read anyway. `code` is stable; `str()` gives the sentence."""

    def __init__(self, code: str, template: "str | _StrPromise", **values: object) -> None:
        super().__init__(code, template, values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Notice) and (self.code, self._values) == (other.code, other._values)

    def __hash__(self) -> int:
        return hash((self.code, tuple(sorted(self._values.items()))))


class StatementFileError(Exception):
    """A file that is refused whole. `code` is stable; `message` (and `str()`) is one sentence saying what to do."""

    def __init__(self, code: str, message: "str | _StrPromise", **values: object) -> None:
        super().__init__(code)
        self.code = code
        self._sentence = _Sentence(code, message, values)

    @property
    def message(self) -> str:
        """The sentence, in the language active when it is read."""
        return str(self._sentence)

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """A balance as the bank states it: signed minor units of `currency`, its kind code (OPBD, PRCD, CLBD), its day."""

    amount: int
    currency: str
    kind: str
    on: datetime.date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedLine:
    """One booked operation. `amount` is signed minor units: credits positive, debits negative.

    `entry` is the place of its entry in the statement, counted from 1; `detail` the place of the payment inside a batch
    entry shown payment by payment, and None when the line is the whole entry. Absent texts are empty.
    """

    amount: int
    currency: str
    booked_on: datetime.date | None
    value_on: datetime.date | None
    entry: int
    detail: int | None = None
    counterparty_name: str = ""
    counterparty_iban: str = ""
    remittance: str = ""
    creditor_reference: str = ""
    end_to_end_id: str = ""
    bank_reference: str = ""
    code: str = ""
    is_reversal: bool = False
    return_reason: str = ""
    # What we wrote in our own payment file (PmtInfId, MsgId): finds the batch that the bank booked in one line.
    payment_information_id: str = ""
    message_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedStatement:
    """One statement of one account in one currency.

    `entries` counts every entry of the file, `not_booked` those among them that are not booked and give no line,
    `details` the payments described inside the entries. `credits` and `debits` are positive minor units of the booked
    entries in the statement's own currency. `gap` is closing - (opening + credits - debits), None when unknown.
    """

    account: str
    currency: str
    statement_id: str
    number: str
    created_at: str
    from_on: datetime.date | None
    to_on: datetime.date | None
    opening: Balance | None
    closing: Balance | None
    lines: tuple[ParsedLine, ...]
    entries: int
    not_booked: int
    details: int
    credits: int
    debits: int
    gap: int | None
    ties: Ties
    warnings: tuple[Notice, ...] = ()
    # The key of its format; for CSV with a mark of the columns that were read.
    format: str = ""


def read_at_most(stream: BinaryIO, max_bytes: int = MAX_BYTES) -> bytes:
    """Read a file without ever holding more than `max_bytes` + 1 bytes of it.

    Raises: StatementFileError `statement_too_large`.
    """
    data = stream.read(max_bytes + 1)
    require_size(data, max_bytes)
    return data


def require_size(data: bytes, max_bytes: int) -> None:
    """Refuse what is empty or above `max_bytes`, before anything looks inside.

    Raises: StatementFileError `statement_too_large` or `statement_empty`.
    """
    if len(data) > max_bytes:
        raise StatementFileError(
            "statement_too_large",
            _("This file is larger than %(limit)s MB: download a shorter period from the bank."),
            limit=f"{max_bytes / 1_000_000:g}",
        )
    if not data or data.isspace():
        raise StatementFileError(
            "statement_empty", _("This file is empty: download the statement from the bank again.")
        )


def is_currency(code: str) -> bool:
    """Whether a text has the form of an ISO 4217 code."""
    return _CURRENCY.fullmatch(code) is not None


def minor_units(text: str, currency: str) -> int:
    """Read a plain unsigned decimal such as `1250.50` exactly.

    Zeros beyond the currency's decimals are harmless (`10.50000`); any other digit there is not.

    Args: text: the amount as written. currency: ISO 4217 code.
    Returns: minor units, 0 to 2**63 - 1.
    Raises: ValueError on anything else (sign, exponent, comma, NaN, too many decimals, too large).
    """
    found = _DECIMAL.fullmatch(text.strip())
    # Nobody writes 40 figures; int() on a long text would take quadratic time.
    if not found or len(text) > 40:
        raise ValueError("not a plain decimal")
    places = exponent(currency)
    decimals = (found[2] or "").rstrip("0").ljust(places, "0")
    if len(decimals) > places:
        raise ValueError("too many decimals")
    amount = int(found[1] + decimals)
    if amount > MAX_MINOR_UNITS:
        raise ValueError("too large")
    return amount


def calendar_day(text: str) -> datetime.date | None:
    """The day that starts an ISO date or date-time, as the bank writes it; None when there is no such day.

    Years before 1970 are how some software says "no date".
    """
    found = _DATE.match(text.strip())
    if not found:
        return None
    try:
        day = datetime.date.fromisoformat(found[0])
    except ValueError:
        return None
    return day if day.year >= 1970 else None


def tidy(text: str | None, limit: int = 140) -> str:
    """A text on one line, runs of spaces made one, cut at `limit` characters (ISO 20022 names and ids have 140)."""
    return " ".join((text or "").split())[:limit].rstrip()


def account_number(text: str) -> str:
    """An account number: an IBAN without spaces and in capitals, anything else as it stands."""
    compact = text.replace(" ", "").upper()
    return compact if _IBAN.fullmatch(compact) else text


def is_iban_shaped(text: str) -> bool:
    """Whether a text has the form of an IBAN (check digits are not computed: banks anonymise)."""
    return _IBAN.fullmatch(text) is not None


def gap_and_ties(
    opening: Balance | None, closing: Balance | None, *, credits: int, debits: int, currencies: Iterable[str]
) -> tuple[int | None, Ties]:
    """Compare the closing balance with the opening one and the entries.

    Args: credits, debits: positive minor units. currencies: those of the entries.
    Returns: the gap in minor units (None when unknown), and yes, no or unknown. Several currencies never tie.
    """
    if opening is None or closing is None:
        return None, "unknown"
    gap = closing.amount - (opening.amount + credits - debits)
    mixed = {opening.currency, closing.currency, *currencies}
    if len({exponent(currency) for currency in mixed}) > 1:
        return None, "no"
    return gap, "yes" if gap == 0 and len(mixed) == 1 else "no"
