"""Amounts of money: parsed from what people type, printed as each language writes them. Integers everywhere else."""

import re
from decimal import Decimal

from babel.numbers import format_currency
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Invalid

# ISO 4217 exponents that are not 2. Not taken from CLDR, whose digits are those of display: it gives 0 to currencies
# such as RSD, ALL or LBP, whose statements do carry hundredths.
_CODES_BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_UNUSUAL_EXPONENTS = {code: places for places, codes in _CODES_BY_EXPONENT.items() for code in codes.split()}
# The currencies an instance may keep its books in.
CURRENCIES = ("EUR", "CHF", "GBP", "USD", "CAD", "XPF", "TND")
# One promise or request is at most ten thousand million major units in a 2-digit currency: far under 2**63.
MAX_AMOUNT = 10**12
_PLAIN = re.compile(r"[0-9]{1,3}(?:[ \u00a0\u202f][0-9]{3})+|[0-9]+")


def exponent(currency: str) -> int:
    """How many decimals the smallest unit of a currency is (ISO 4217)."""
    return _UNUSUAL_EXPONENTS.get(currency, 2)


def require_currency(code: str, *, param: str = "currency") -> str:
    """Return a known ISO 4217 code, or raise Invalid `unknown_currency`."""
    if code not in CURRENCIES:
        raise Invalid(
            "unknown_currency",
            _("“%(code)s” is not a currency known here. Use one of: %(known)s.")
            % {"code": str(code)[:12], "known": ", ".join(CURRENCIES)},
            param=param,
        )
    return code


def require_amount(amount: int, *, param: str = "amount", minimum: int = 1) -> int:
    """Return an amount in minor units between `minimum` and MAX_AMOUNT, or raise Invalid `amount_out_of_range`."""
    if isinstance(amount, bool) or not isinstance(amount, int) or not minimum <= amount <= MAX_AMOUNT:
        sentence = (
            _("The amount must be greater than zero and at most 10,000,000,000.00.")
            if minimum
            else _("The amount must be zero or more and at most 10,000,000,000.00.")
        )
        raise Invalid("amount_out_of_range", sentence, param=param)
    return amount


def parse_amount(text: str, currency: str, *, param: str = "amount", minimum: int = 1) -> int:
    """Read an amount as people write it: `100`, `1 250,50`, `1250.50`, `100 €`.

    Args: text: what was typed. currency: ISO 4217 code, gives the number of decimals. minimum: smallest minor units.
    Returns: minor units.
    Raises: Invalid `amount_unreadable` (exponents, signs, two separators, too many decimals) or `amount_out_of_range`.
    """
    cleaned = text.strip().removesuffix("€").strip()
    whole, separator, decimals = cleaned, "", ""
    for mark in (",", "."):
        if mark in cleaned:
            whole, separator, decimals = cleaned.partition(mark)
            break
    places = exponent(currency)
    readable = _PLAIN.fullmatch(whole) and (
        not separator or (decimals.isascii() and decimals.isdigit() and len(decimals) <= places)
    )
    if not readable or len(whole) > 20:
        raise Invalid(
            "amount_unreadable",
            _("Write the amount in figures, for instance 100 or 1250,50, with %(count)s decimals at most.")
            % {"count": places},
            param=param,
        )
    figures = re.sub(r"[^0-9]", "", whole) + decimals.ljust(places, "0")
    return require_amount(int(figures), param=param, minimum=minimum)


def to_decimal(amount: int, currency: str) -> Decimal:
    """Minor units as an exact Decimal in major units."""
    return Decimal(amount).scaleb(-exponent(currency))


def decimal_text(amount: int, currency: str) -> str:
    """Minor units as a plain decimal text for files and JSON, for instance `-12.50`."""
    return f"{to_decimal(amount, currency):f}"


def format_money(amount: int, currency: str, language: str | None = None) -> str:
    """Minor units as the language writes them, for instance `1 250,50 €` or `€1,250.50`."""
    locale = "fr_FR" if (language or get_language() or "fr").startswith("fr") else "en_GB"
    return format_currency(to_decimal(amount, currency), currency, locale=locale)
