"""Forms: they read what was typed; the domain decides. Those of the work sections are in forms_work.py."""

import secrets

from babel import Locale
from babel.numbers import format_currency
from django import forms
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from backend.core.errors import DomainError
from backend.identity.models import Organisation, User
from backend.privacy.notices import accept_notices
from backend.web.forms_privacy import acceptance

PRESETS = (50, 100, 300)  # whole units of the currency


def add_domain_error(form: forms.Form, error: DomainError) -> None:
    """Show a refusal of the domain beside the field it names, or on top of the form when the form has no such field."""
    form.full_clean()
    for one in (error, *error.beside):
        field = one.param.partition("/")[0]
        form.add_error(field if field in form.fields else None, str(one))


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


def whole_units(whole: int, currency: str) -> str:
    """A number of whole units of a currency, without decimals."""
    locale = "en_GB" if (get_language() or "fr").startswith("en") else "fr_FR"
    pattern = Locale.parse(locale).currency_formats["standard"].pattern.replace("0.00", "0")
    return str(format_currency(whole, currency, format=pattern, locale=locale, currency_digits=False))
