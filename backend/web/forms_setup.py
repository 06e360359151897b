"""Forms of the first run and of invitations."""

from datetime import date
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.dates import MONTHS
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from backend.core.errors import DomainError
from backend.core.money import CURRENCIES, parse_amount
from backend.identity.inviting import Named
from backend.web.forms_days import DayField
from backend.web.forms_transfers import rules_field

REGIONS = ("Europe", "Africa", "America", "Asia", "Atlantic", "Australia", "Indian", "Pacific")
NAME = {"autocomplete": "name"}
OFF = {"autocomplete": "off"}


def time_zones() -> list[tuple[str, list[tuple[str, str]]]]:
    """The time zones by region, those of Europe first."""
    zones = sorted(available_timezones())
    return [(region, [(zone, zone) for zone in zones if zone.startswith(f"{region}/")]) for region in REGIONS]


def language_field(**facts: Any) -> forms.ChoiceField:
    """In which language a person is written to."""
    return forms.ChoiceField(label=_("Language of their mail"), choices=settings.LANGUAGES, **facts)


def here() -> str:
    """The language of the page, as people have it."""
    return "en" if (get_language() or "fr").startswith("en") else "fr"


class PasswordForm(forms.Form):
    """A password, typed twice."""

    password1 = forms.CharField(
        label=_("Password"), strip=False, max_length=4096, help_text=_("15 characters at least; a sentence is fine."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip
    password2 = forms.CharField(
        label=_("The same password again"), strip=False, max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip

    def clean_password2(self) -> str:
        """Refuse two different passwords."""
        again: str = self.cleaned_data["password2"]
        if "password1" in self.cleaned_data and self.cleaned_data["password1"] != again:
            raise forms.ValidationError(_("The two passwords are different."))
        return again


class AdministratorForm(PasswordForm):
    """Who runs the instance."""

    field_order = ["name", "email", "password1", "password2"]
    name = forms.CharField(label=_("Your name"), max_length=120, widget=forms.TextInput(attrs=NAME))
    email = forms.EmailField(
        label=_("Your e-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )

    @property
    def administrator(self) -> Named:
        """The person, written to in the language of this page."""
        return Named(self.cleaned_data["name"], self.cleaned_data["email"], here())


class SetUpForm(AdministratorForm):
    """The administrator, the host and two treasurers, on one page: all are made together."""

    field_order = [
        *AdministratorForm.field_order, "host_name", "siren", "time_zone", "fiscal_year", "fee",
        "treasurer1_name", "treasurer1_email", "treasurer1_language", "treasurer2_name", "treasurer2_email",
        "treasurer2_language",
    ]  # fmt: skip
    host_name = forms.CharField(
        label=_("Legal name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "organization"})
    )
    siren = forms.CharField(
        label=_("SIREN"), max_length=20, help_text=_("Nine figures."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", **OFF}),
    )  # fmt: skip
    time_zone = forms.ChoiceField(
        label=_("Time zone"), help_text=_("Days of work and of receipts are days there. It does not change later.")
    )
    fiscal_year = forms.TypedChoiceField(
        label=_("First month of the fiscal year"), choices=list(MONTHS.items()), coerce=int, initial="1",
        help_text=_("Entries are numbered and handed to the accountant by fiscal year. It does not change later."),
    )  # fmt: skip
    fee = forms.CharField(
        label=_("Fee on what is received, in percent"), max_length=10,
        help_text=_("For instance 5 or 7,5. It pays for running the service; 0 is possible."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", **OFF}),
    )  # fmt: skip
    treasurer1_name = forms.CharField(label=_("Name of the first treasurer"), max_length=120)
    treasurer1_email = forms.EmailField(label=_("Their e-mail address"), max_length=254)
    treasurer1_language = language_field()
    treasurer2_name = forms.CharField(label=_("Name of the second treasurer"), max_length=120)
    treasurer2_email = forms.EmailField(label=_("Their e-mail address"), max_length=254)
    treasurer2_language = language_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer the time zones; the page's language is everybody's unless told."""
        super().__init__(*args, **kwargs)
        start = {"time_zone": "Europe/Paris", "treasurer1_language": here(), "treasurer2_language": here()}
        self.initial = {**start, **self.initial}
        zone = self.fields["time_zone"]
        assert isinstance(zone, forms.ChoiceField)
        zone.choices = time_zones()

    def clean_fee(self) -> int:
        """Percent, with two decimals at most, are basis points."""
        try:
            return parse_amount(self.cleaned_data["fee"].removesuffix("%"), "EUR", param="fee", minimum=0)
        except DomainError:
            raise forms.ValidationError(_("Write a number such as 5 or 7,5.")) from None

    @property
    def treasurers(self) -> list[Named]:
        """The two people who are named."""
        values = self.cleaned_data
        return [
            Named(values[f"treasurer{n}_name"], values[f"treasurer{n}_email"], values[f"treasurer{n}_language"])
            for n in (1, 2)
        ]


class AccountForm(forms.Form):
    """A bank account of the host."""

    name = forms.CharField(
        label=_("Name of the account"), max_length=80, help_text=_("As the treasurers call it."),
        widget=forms.TextInput(attrs=OFF),
    )  # fmt: skip
    iban = forms.CharField(label=_("IBAN"), max_length=60, widget=forms.TextInput(attrs=OFF))
    bic = forms.CharField(label=_("BIC"), max_length=11, required=False, widget=forms.TextInput(attrs=OFF))
    currency = forms.ChoiceField(label=_("Currency"), choices=[(code, code) for code in CURRENCIES])


class CommonsForm(forms.Form):
    """A commons with its first period and its first steward."""

    name = forms.CharField(label=_("Name of the commons"), max_length=140, widget=forms.TextInput(attrs=OFF))
    summary = forms.CharField(
        label=_("What it is, in a sentence"), max_length=280, help_text=_("Public, on the home page.")
    )
    licence = forms.CharField(
        label=_("Licence"), max_length=60, required=False, help_text=_("For instance AGPL-3.0-or-later.")
    )
    website = forms.URLField(label=_("Website"), max_length=200, required=False, assume_scheme="https")
    currency = forms.ChoiceField(label=_("Currency"), help_text=_("That of one of the host’s bank accounts."))
    first_day = DayField(label=_("First day of the first period"))
    last_day = DayField(
        label=_("Last day of the first period"),
        help_text=_("The next one opens by itself, of the same length."),
    )
    approvals = forms.IntegerField(
        label=_("How many stewards validate a contribution"), min_value=1, max_value=9, initial=1,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )  # fmt: skip
    steward_name = forms.CharField(label=_("Name of the steward"), max_length=120, widget=forms.TextInput(attrs=OFF))
    steward_email = forms.EmailField(label=_("Their e-mail address"), max_length=254)
    steward_language = language_field()
    form_key = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, currencies: list[str], today: date, **kwargs: Any) -> None:
        """Offer the currencies of the host's accounts, and the present year's rest as the first period."""
        super().__init__(*args, **kwargs)
        currency = self.fields["currency"]
        assert isinstance(currency, forms.ChoiceField)
        currency.choices = [(code, code) for code in currencies]
        start = {
            "first_day": today.replace(day=1), "last_day": today.replace(month=12, day=31), "steward_language": here(),
        }  # fmt: skip
        self.initial = {**start, **self.initial}


class EnvelopeForm(forms.Form):
    """An envelope below a common pot."""

    name = forms.CharField(label=_("Name of the envelope"), max_length=140, widget=forms.TextInput(attrs=OFF))
    rules = rules_field()


class InviteForm(forms.Form):
    """Somebody to invite in place of another."""

    name = forms.CharField(label=_("Name"), max_length=120, widget=forms.TextInput(attrs=OFF))
    email = forms.EmailField(label=_("E-mail address"), max_length=254, widget=forms.EmailInput(attrs=OFF))
    language = language_field()

    @property
    def named(self) -> Named:
        """The person."""
        return Named(self.cleaned_data["name"], self.cleaned_data["email"], self.cleaned_data["language"])
