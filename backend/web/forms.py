"""Forms: they read what was typed; the domain decides. Those of the work sections are in forms_work.py."""

import secrets
from typing import Any

from babel import Locale
from babel.numbers import format_currency
from django import forms
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.core.errors import DomainError
from backend.core.money import parse_amount
from backend.identity.models import Organisation, User
from backend.privacy.notices import accept_notices
from backend.web.forms_privacy import acceptance

PRESETS = (50, 100, 300)  # whole units of the currency


def add_domain_error(form: forms.Form, error: DomainError) -> None:
    """Show a refusal of the domain beside the field it names, or on top of the form when the form has no such field."""
    form.full_clean()
    form.add_error(error.param if error.param in form.fields else None, str(error))


def new_form_key() -> str:
    """A key made with each new form: sending the form twice gives back what the first sending made."""
    return secrets.token_urlsafe(18)


class SignupForm(forms.Form):
    """Adds the name and the notices to the sign-up form."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=120,
        help_text=_("Members of your organisation and the treasurers see it. Public pages show a pseudonym."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    accept = acceptance()

    def signup(self, request: object, user: User) -> None:
        """Keep the name, the language of the page for the mail that will follow, and which notices were accepted."""
        user.name = self.cleaned_data["name"].strip()
        user.language = "en" if (get_language() or "fr").startswith("en") else "fr"
        user.save()
        accept_notices(user=user, now=timezone.now())


class OrganisationForm(forms.Form):
    """A new organisation."""

    name = forms.CharField(
        label=_("Name of the organisation"),
        max_length=140,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    kind = forms.ChoiceField(label=_("Kind"), choices=Organisation.KINDS)
    siren = forms.CharField(
        label=_("SIREN"),
        required=False,
        max_length=20,
        help_text=_("Nine figures. Leave it empty if it has none."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )


class PledgeForm(forms.Form):
    """A promise: who, how much, to which budget."""

    organisation = forms.ChoiceField(label=_("On behalf of"))
    preset = forms.ChoiceField(label=_("Amount"), required=False, widget=forms.RadioSelect)
    amount = forms.CharField(
        label=_("Another amount"),
        required=False,
        max_length=40,
        help_text=_("For instance 250 or 1 250,50."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    budget = forms.ChoiceField(label=_("For"))
    form_key = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, organisations: list[Organisation], budgets: list[Budget], **kwargs: Any) -> None:
        """Offer these organisations and budgets; the budgets share one currency."""
        super().__init__(*args, **kwargs)
        self.currency = budgets[0].currency
        named = [(row.pk, f"{row.name} ({row.get_kind_display()})") for row in organisations]
        self._field("organisation").choices = named
        self._field("preset").choices = [
            *((str(whole), _whole(whole, self.currency)) for whole in PRESETS),
            ("other", _("Other")),
        ]
        self._field("budget").choices = [(row.pk, row.name if row.parent_id else _("Common pot")) for row in budgets]
        if len(budgets) == 1:
            self.fields["budget"].required = False
            self.fields["budget"].widget = forms.HiddenInput()

    def _field(self, name: str) -> forms.ChoiceField:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        return field

    def clean(self) -> dict[str, Any]:
        """Read the amount from the chosen figure or from what was written; two different answers are refused."""
        values: dict[str, Any] = super().clean() or {}
        preset, written = values.get("preset") or "", (values.get("amount") or "").strip()
        values["minor"] = 0
        if "preset" in self.errors or "amount" in self.errors:
            return values
        if not written and preset in {"", "other"}:
            self.add_error("amount" if preset else "preset", _("Say how much: choose an amount or write another one."))
            return values
        try:
            chosen = parse_amount(written or preset, self.currency)
            if written and preset not in {"", "other"} and chosen != parse_amount(preset, self.currency):
                self.add_error(
                    "amount",
                    _("You chose one amount and wrote another. Empty this field, or choose “Other” above."),
                )
            values["minor"] = chosen
        except DomainError as error:
            self.add_error("amount", str(error))
        return values


def _whole(whole: int, currency: str) -> str:
    """A number of whole units of a currency, without decimals."""
    locale = "en_GB" if (get_language() or "fr").startswith("en") else "fr_FR"
    pattern = Locale.parse(locale).currency_formats["standard"].pattern.replace("0.00", "0")
    return str(format_currency(whole, currency, format=pattern, locale=locale, currency_digits=False))
