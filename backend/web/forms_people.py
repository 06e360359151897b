"""Forms of roles, of what takes two people, of the life of a commons and of withdrawn texts."""

from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.dates import MONTHS
from django.utils.translation import gettext_lazy as _

from backend.core.errors import DomainError
from backend.core.money import CURRENCIES, parse_amount
from backend.identity.inviting import Named
from backend.identity.models import Host, Role
from backend.web.forms_days import DayField
from backend.web.forms_setup import OFF, here, language_field, time_zones

_READ = _("The people concerned read it.")


def why_field(help_text: Any = _READ) -> forms.CharField:
    """One sentence of explanation."""
    return forms.CharField(
        label=_("Why"), max_length=500, help_text=help_text, widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": _("Say why, in one sentence.")},
    )  # fmt: skip


class ReasonForm(forms.Form):
    """A reason and nothing else."""

    reason = why_field()


class GrantForm(forms.Form):
    """Somebody and the role they get."""

    kind = forms.ChoiceField(label=_("Role"), widget=forms.RadioSelect)
    name = forms.CharField(label=_("Name"), max_length=120, widget=forms.TextInput(attrs=OFF))
    email = forms.EmailField(
        label=_("E-mail address"), max_length=254, widget=forms.EmailInput(attrs=OFF),
        help_text=_("With an account or without: they are told by mail, and choose a password if they have none."),
    )  # fmt: skip
    language = language_field(help_text=_("Counts for somebody without an account."))
    reason = why_field()

    def __init__(self, *args: Any, kinds: list[str], **kwargs: Any) -> None:
        """Offer these kinds of role."""
        super().__init__(*args, **kwargs)
        names, kind = dict(Role.KINDS), self.fields["kind"]
        assert isinstance(kind, forms.ChoiceField)
        kind.choices = [(one, names[one]) for one in kinds]
        self.initial = {"kind": kinds[0], "language": here(), **self.initial}

    @property
    def named(self) -> Named:
        """The person."""
        values = self.cleaned_data
        return Named(values["name"], values["email"], values["language"])


class HostForm(forms.Form):
    """Settings of the host, to propose."""

    name = forms.CharField(label=_("Legal name"), max_length=140, widget=forms.TextInput(attrs=OFF))
    fee = forms.CharField(
        label=_("Fee on what is received, in percent"), max_length=10,
        help_text=_("For the receipts to come; those that are booked keep theirs."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", **OFF}),
    )  # fmt: skip
    time_zone = forms.ChoiceField(
        label=_("Time zone"), help_text=_("It does not change any more once something is booked.")
    )
    fiscal_year = forms.TypedChoiceField(
        label=_("First month of the fiscal year"), choices=list(MONTHS.items()), coerce=int,
        help_text=_("Entries are numbered and handed to the accountant by fiscal year."),
    )  # fmt: skip
    address = forms.CharField(
        label=_("Address"), max_length=300, required=False, widget=forms.Textarea(attrs={"rows": 3, **OFF}),
        help_text=_("Line by line, as papers print it. Without it no invoice is issued."),
    )  # fmt: skip
    rna = forms.CharField(
        label=_("RNA number"), max_length=20, required=False, widget=forms.TextInput(attrs=OFF),
        help_text=_("Of an association: W and nine figures."),
    )  # fmt: skip
    vat_status = forms.ChoiceField(
        label=_("Value added tax"), required=False, widget=forms.RadioSelect,
        choices=[*Host.VAT, ("liable", _("liable for VAT: not supported yet"))],
        help_text=_("Invoices carry the mention that goes with it. Without an answer no invoice is issued."),
    )  # fmt: skip
    tax_receipts = forms.BooleanField(
        label=_("Make tax receipts"), required=False,
        help_text=_(
            "Stays off, and cannot be turned on yet. A receipt given without the right to give it is fined, and money "
            "that buys development or support is never a gift. Payment certificates say what was received."
        ),
    )  # fmt: skip
    reason = why_field()

    def __init__(self, *args: Any, host: Host, **kwargs: Any) -> None:
        """Begin with the present settings."""
        super().__init__(*args, **kwargs)
        self.initial = {
            "name": host.name, "fee": f"{(Decimal(host.fee_bp) / 100).normalize():f}", "time_zone": host.time_zone,
            "fiscal_year": host.fiscal_year_starts_on, "address": host.address, "rna": host.rna,
            "vat_status": host.vat_status, "tax_receipts": host.tax_receipts, **self.initial,
        }  # fmt: skip
        zone = self.fields["time_zone"]
        assert isinstance(zone, forms.ChoiceField)
        zone.choices = time_zones()

    def clean_fee(self) -> int:
        """Percent, with two decimals at most, are basis points."""
        try:
            return parse_amount(self.cleaned_data["fee"].removesuffix("%"), "EUR", param="fee", minimum=0)
        except DomainError:
            raise forms.ValidationError(_("Write a number such as 5 or 7,5.")) from None


class HostAccountForm(forms.Form):
    """A bank account of the host, to propose."""

    name = forms.CharField(
        label=_("Name of the account"), max_length=80, help_text=_("As the treasurers call it."),
        widget=forms.TextInput(attrs=OFF),
    )  # fmt: skip
    iban = forms.CharField(label=_("IBAN"), max_length=60, widget=forms.TextInput(attrs=OFF))
    bic = forms.CharField(label=_("BIC"), max_length=11, required=False, widget=forms.TextInput(attrs=OFF))
    currency = forms.ChoiceField(label=_("Currency"), choices=[(code, code) for code in CURRENCIES])
    reason = why_field()

    def __init__(self, *args: Any, further: bool, **kwargs: Any) -> None:
        """An account that exists keeps its currency."""
        super().__init__(*args, **kwargs)
        if not further:
            del self.fields["currency"]


class ProposeForm(forms.Form):
    """A commons, as anyone proposes it."""

    name = forms.CharField(label=_("Name of the commons"), max_length=140, widget=forms.TextInput(attrs=OFF))
    summary = forms.CharField(
        label=_("What it is, in a sentence"), max_length=280, help_text=_("Public, on the home page.")
    )
    why = forms.CharField(
        label=_("Why it needs a common pot"), max_length=1000,
        help_text=_("Who uses it, who works on it, who would pay. Whoever decides reads it; it is not public."),
        widget=forms.Textarea(attrs={"rows": 5}),
    )  # fmt: skip
    licence = forms.CharField(
        label=_("Licence"), max_length=60, required=False, help_text=_("For instance AGPL-3.0-or-later.")
    )
    website = forms.URLField(label=_("Website"), max_length=200, required=False, assume_scheme="https")
    steward_name = forms.CharField(
        label=_("Who would take care of it"), max_length=120, required=False,
        help_text=_("Leave both fields empty if it is you."), widget=forms.TextInput(attrs=OFF),
    )  # fmt: skip
    steward_email = forms.EmailField(label=_("Their e-mail address"), max_length=254, required=False)

    @property
    def facts(self) -> dict[str, Any]:
        """What the service wants."""
        values = dict(self.cleaned_data)
        name, email = values.pop("steward_name"), values.pop("steward_email")
        return {**values, "steward": Named(name, email, here()) if name or email else None}


class ApproveForm(forms.Form):
    """What a proposed commons lacks to be opened."""

    currency = forms.ChoiceField(label=_("Currency"), help_text=_("That of one of the host’s bank accounts."))
    first_day = DayField(label=_("First day of the first period"))
    last_day = DayField(
        label=_("Last day of the first period"), help_text=_("The next one opens by itself, of the same length."),
    )  # fmt: skip
    approvals = forms.IntegerField(
        label=_("How many stewards validate a contribution"), min_value=1, max_value=9, initial=1,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )  # fmt: skip

    def __init__(self, *args: Any, currencies: list[str], today: date, **kwargs: Any) -> None:
        """Offer the currencies of the host's accounts, and the present year's rest as the first period."""
        super().__init__(*args, **kwargs)
        currency = self.fields["currency"]
        assert isinstance(currency, forms.ChoiceField)
        currency.choices = [(code, code) for code in currencies]
        self.initial = {
            "first_day": today.replace(day=1), "last_day": today.replace(month=12, day=31), **self.initial,
        }  # fmt: skip


class AppealForm(forms.Form):
    """A reason that the public reads, and where to object."""

    reason = why_field(_("The public reads it in place of the text: say it without repeating the text."))
    appeal_to = forms.EmailField(
        label=_("Address to object to"), max_length=254, help_text=_("Public. Somebody reads it."),
        widget=forms.EmailInput(attrs=OFF),
    )  # fmt: skip
