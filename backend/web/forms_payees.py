"""Forms about payees and about the directors of the host."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backend.identity.models import User
from backend.identity.organisations import Address
from backend.payees.details import Details
from backend.payees.models import Payee
from backend.web.forms_days import DayField

OFF = {"autocomplete": "off"}
FIGURES = {"inputmode": "numeric", "autocomplete": "off"}


class PayeeForm(forms.Form):
    """What a payee says of itself."""

    kind = forms.ChoiceField(label=_("Who is paid"), choices=Payee.KINDS, widget=forms.RadioSelect)
    legal_name = forms.CharField(
        label=_("Name on papers"), required=False, max_length=140,
        help_text=_("Of the company, the cooperative or the association. Empty for a person: your own name."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )  # fmt: skip
    siren = forms.CharField(
        label=_("SIREN"), required=False, max_length=20, help_text=_("Nine figures. Leave it empty if it has none."),
        widget=forms.TextInput(attrs=FIGURES),
    )  # fmt: skip
    rna = forms.CharField(
        label=_("RNA number"), required=False, max_length=14,
        help_text=_("Of a French association without SIREN: a W and nine figures."),
        widget=forms.TextInput(attrs=OFF),
    )  # fmt: skip
    vat_status = forms.ChoiceField(label=_("VAT"), choices=Payee.VAT, widget=forms.RadioSelect)
    vat_number = forms.CharField(
        label=_("VAT number"), required=False, max_length=20, help_text=_("Only if it is liable for VAT."),
        widget=forms.TextInput(attrs=OFF),
    )  # fmt: skip
    invoice_prefix = forms.CharField(
        label=_("Invoice numbers begin with"), required=False, max_length=16,
        help_text=_("Of the invoices that the service drafts in its name, such as 2026-T-. Empty: TRONC-."),
        widget=forms.TextInput(attrs=OFF),
    )  # fmt: skip
    lines = forms.CharField(
        label=_("Address"), required=False, max_length=360, help_text=_("Number and street, three lines at most."),
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "street-address"}),
    )  # fmt: skip
    postal_code = forms.CharField(
        label=_("Postal code"), required=False, max_length=12,
        widget=forms.TextInput(attrs={"autocomplete": "postal-code"}),
    )  # fmt: skip
    city = forms.CharField(
        label=_("City"), required=False, max_length=80, widget=forms.TextInput(attrs={"autocomplete": "address-level2"})
    )  # fmt: skip
    country = forms.CharField(
        label=_("Country"), required=False, max_length=2, help_text=_("Two letters, such as FR or BE."),
        widget=forms.TextInput(attrs={"autocomplete": "country"}),
    )  # fmt: skip

    @property
    def details(self) -> Details:
        """What was typed, for the service."""
        typed = dict(self.cleaned_data)
        address = Address(*(typed.pop(name) for name in ("lines", "postal_code", "city", "country")))
        return Details(**typed, address=address)


def typed_of(details: Details) -> dict[str, Any]:
    """What the form begins with for a payee."""
    plain = {
        name: getattr(details, name) for name in ("kind", "legal_name", "siren", "rna", "vat_status", "vat_number")
    }
    address = details.address
    return {
        **plain, "lines": address.lines, "postal_code": address.postal_code, "city": address.city,
        "country": address.country or "FR",
    }  # fmt: skip


class SharePayeeForm(forms.Form):
    """Which of one's payees is owed a share."""

    payee = forms.ChoiceField(label=_("Who is paid"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, actor: User, **kwargs: Any) -> None:
        """Offer those of the person that are open."""
        super().__init__(*args, **kwargs)
        mine = Payee.visible_to(actor).filter(user=actor, closed_at=None).order_by("-is_default", "pk")
        said = [(one.pk, f"{one.on_papers} ({one.get_kind_display()})") for one in mine]
        self.fields["payee"].choices = said  # type: ignore[attr-defined]


class DirectorForm(forms.Form):
    """Who directs the host, from when on."""

    email = forms.EmailField(
        label=_("Main address of their account"), max_length=254, widget=forms.EmailInput(attrs=OFF)
    )
    starts_on = DayField(label=_("First day"))


class DirectorEndForm(forms.Form):
    """When somebody directs the host no more."""

    ends_before = DayField(label=_("First day on which they direct it no more"))


class DirectorLimitForm(forms.Form):
    """What a director may be paid in a month, and where the figure comes from."""

    amount = forms.CharField(
        label=_("Limit for a month"), max_length=30, help_text=_("Three quarters of the gross monthly minimum wage."),
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )  # fmt: skip
    starts_on = DayField(label=_("From this day on"))
    source = forms.CharField(
        label=_("Source"), max_length=200, help_text=_("The decree or the page where you read it."),
        widget=forms.TextInput(attrs=OFF),
    )  # fmt: skip
