"""The form of a gift without an account."""

from typing import Any

from babel import Locale
from babel.numbers import format_currency
from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from backend.core.errors import DomainError
from backend.core.money import parse_amount

SUGGESTED = (5, 20, 50)  # whole units of the currency
OFTEN = (("once", _("Once")), ("monthly", _("Every month")), ("yearly", _("Every year")))


class GiftForm(forms.Form):
    """How much, how often, who."""

    preset = forms.ChoiceField(label=_("Amount"), required=False, widget=forms.RadioSelect)
    amount = forms.CharField(
        label=_("Another amount"), required=False, max_length=40, help_text=_("For instance 250 or 1 250,50."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )  # fmt: skip
    rhythm = forms.ChoiceField(label=_("How often"), choices=OFTEN, initial="once", widget=forms.RadioSelect)
    name = forms.CharField(
        label=_("Your name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}),
        help_text=_("The treasurers read it. The public does only if you say so below."),
    )  # fmt: skip
    email = forms.EmailField(
        label=_("Your e-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        help_text=_("How to pay is sent there. It is shown to nobody."),
    )  # fmt: skip
    named = forms.BooleanField(
        label=_("Show my name and my gift on the public page"), required=False,
        help_text=_("They appear there once your gift was received."),
    )  # fmt: skip
    form_key = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        """Suggest amounts in this currency."""
        super().__init__(*args, **kwargs)
        self.currency = currency
        preset = self.fields["preset"]
        assert isinstance(preset, forms.ChoiceField)
        preset.choices = [*((str(whole), _whole(whole, currency)) for whole in SUGGESTED), ("other", _("Other"))]

    def clean(self) -> dict[str, Any]:
        """Read the amount that was chosen or written; two different answers are refused."""
        values: dict[str, Any] = super().clean() or {}
        preset, written = values.get("preset") or "", (values.get("amount") or "").strip()
        values["minor"] = 0
        if "preset" in self.errors or "amount" in self.errors:
            return values
        if not written and preset in {"", "other"}:
            self.add_error("amount" if preset else "preset", _("Say how much: choose an amount or write another one."))
            return values
        try:
            values["minor"] = parse_amount(written or preset, self.currency)
            if written and preset not in {"", "other"} and values["minor"] != parse_amount(preset, self.currency):
                self.add_error(
                    "amount", _("You chose one amount and wrote another. Empty this field, or choose “Other” above.")
                )
        except DomainError as error:
            self.add_error("amount", str(error))
        return values


def _whole(whole: int, currency: str) -> str:
    """A number of whole units of a currency, without decimals."""
    locale = "en_GB" if (get_language() or "fr").startswith("en") else "fr_FR"
    pattern = Locale.parse(locale).currency_formats["standard"].pattern.replace("0.00", "0")
    return str(format_currency(whole, currency, format=pattern, locale=locale, currency_digits=False))
