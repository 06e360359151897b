"""Fields that read amounts, percentages and coefficients as people write them."""

from decimal import Decimal, InvalidOperation
from typing import Any

from babel.numbers import format_decimal
from django import forms
from django.utils.translation import get_language, gettext

from backend.core.errors import DomainError
from backend.core.money import parse_amount

DECIMAL = {"inputmode": "decimal", "autocomplete": "off"}


def typed(value: Decimal) -> str:
    """A number as the reader would type it: no group of figures is set apart."""
    locale = "en_GB" if (get_language() or "fr").startswith("en") else "fr_FR"
    return str(format_decimal(value, locale=locale, decimal_quantization=False, group_separator=False))


class AmountField(forms.CharField):
    """An amount of the budget's currency, as people write it; minor units once read, None when nothing is written."""

    def __init__(self, **facts: Any) -> None:
        """Optional unless said."""
        super().__init__(**{"required": False, "max_length": 30, "widget": forms.TextInput(attrs=DECIMAL), **facts})
        self.currency = "EUR"

    def clean(self, value: Any) -> int | None:
        """Minor units."""
        text = super().clean(value)
        if not text:
            return None
        try:
            return parse_amount(text, self.currency, minimum=0)
        except DomainError as refusal:
            raise forms.ValidationError(str(refusal)) from None


class NumberField(forms.CharField):
    """A number with decimals, as people write it, times a power of ten; None when nothing is written."""

    def __init__(self, *, times: int, most: int | None = None, **facts: Any) -> None:
        """Args: times: 100 for percentages read as basis points, 1000 for coefficients. most: the largest number that
        may be written."""
        super().__init__(**{"required": False, "max_length": 20, "widget": forms.TextInput(attrs=DECIMAL), **facts})
        self.times, self.most = times, most

    def clean(self, value: Any) -> int | None:
        """A whole number of the small unit."""
        text = super().clean(value)
        found = scaled(text, self.times) if text else None
        if found is not None and self.most is not None and found > self.most * self.times:
            raise forms.ValidationError(gettext("Write at most %(most)s.") % {"most": self.most})
        return found


def scaled(text: str, times: int) -> int:
    """`12,5` times 100 is 1250; raises ValidationError on what is no number or is finer than the unit."""
    text = text.strip().removesuffix("%").strip().replace(",", ".")
    try:
        number = Decimal(text if text.replace(".", "", 1).isdecimal() else "x") * times
    except InvalidOperation:
        raise forms.ValidationError(gettext("Write a number such as 5 or 7,5.")) from None
    if number != number.to_integral_value():
        raise forms.ValidationError(gettext("This number has too many decimals."))
    return int(number)
