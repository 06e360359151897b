"""Amounts as Stripe writes them and as our books do: the one border where the number of decimals may differ."""

from backend.core.money import exponent
from backend.payments.providers.base import ProviderError

# What Stripe counts in whole units, and in thousandths; everything else in hundredths, the krona of Iceland and the
# shilling of Uganda too, although they have no smaller unit: there the last two digits must be zero.
_WHOLE = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD JOD KWD OMR TND"
ZERO_DECIMAL, THREE_DECIMAL = frozenset(_WHOLE.split()), frozenset(_THOUSANDTHS.split())


class NotPayable(ProviderError):
    """An amount that cannot be written there: it would have to be rounded."""


def decimals_there(currency: str) -> int:
    """How many decimals the provider's smallest unit of a currency is."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def step(currency: str) -> int:
    """The smallest payable amount there, in our minor units: thousandths go by ten, ariary by whole units.

    Every amount asked of the provider is a multiple of it.
    """
    fewer = exponent(currency) - decimals_there(currency)
    if fewer > 0:
        return int(10**fewer)
    return 10 if currency in THREE_DECIMAL else 1


def to_provider(amount: int, currency: str) -> int:
    """Our minor units as the provider writes them, for something asked of it.

    Raises: NotPayable when the amount is no multiple of `step`: a payer is never charged another amount than shown.
    """
    if amount % step(currency):
        raise NotPayable(f"{amount} minor units of {currency} cannot be charged: not a multiple of {step(currency)}")
    shift = decimals_there(currency) - exponent(currency)
    return amount * 10**shift if shift >= 0 else int(amount // 10**-shift)


def from_provider(amount: int, currency: str) -> int:
    """An amount as the provider writes it in our minor units.

    Raises: ProviderError when it holds a part of our smallest unit: a fraction of a krona, for instance.
    """
    shift = exponent(currency) - decimals_there(currency)
    if shift >= 0:
        return int(amount * 10**shift)
    whole, rest = divmod(abs(amount), 10**-shift)
    if rest:
        raise ProviderError(f"the provider wrote {amount} in {currency}, which has no such decimals")
    return int(whole if amount >= 0 else -whole)
