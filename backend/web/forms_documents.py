"""Forms of papers: which ones to show, why an invoice is cancelled, which year to state."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backend.core.errors import DomainError
from backend.core.money import parse_amount
from backend.documents.models import Document
from backend.web.forms import new_form_key
from backend.web.forms_organisations import MONEY, typed_amount
from backend.web.forms_people import why_field


class FilterForm(forms.Form):
    """Which papers to show: nothing chosen shows all."""

    kind = forms.ChoiceField(label=_("Kind"), required=False)
    year = forms.TypedChoiceField(label=_("Year"), required=False, coerce=int, empty_value=None)
    organisation = forms.ChoiceField(label=_("Organisation"), required=False)
    subject = forms.SlugField(required=False, max_length=48, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, years: Sequence[int], organisations: Sequence[tuple[str, str]], **kwargs: Any
    ) -> None:
        """Offer the years and organisations of which there are papers."""
        super().__init__(*args, **kwargs)
        offered = {
            "kind": [(key, str(name).capitalize()) for key, name in Document.KINDS],
            "year": [(str(year), str(year)) for year in years],
            "organisation": list(organisations),
        }
        for name, choices in offered.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [("", _("Everything")), *choices]
            if len(choices) < 2:  # nothing to choose; an address that names it still does
                field.widget = forms.HiddenInput()


class CreditForm(forms.Form):
    """Why an invoice is cancelled, and how much of it."""

    amount = forms.CharField(
        label=_("Amount to cancel"), max_length=40, required=False, widget=forms.TextInput(attrs=MONEY),
        help_text=_("All that stands of the invoice when you leave it as it is."),
    )  # fmt: skip
    reason = why_field(_("Printed on the credit note: who receives it reads it."))
    form_key = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, currency: str, left: int, **kwargs: Any) -> None:
        """Offer all that stands, in minor units."""
        super().__init__(*args, **kwargs)
        self.initial = {"amount": typed_amount(left, currency), "form_key": new_form_key()}
        self.currency = currency

    def clean_amount(self) -> int | None:
        """Minor units; None for all that stands."""
        typed = self.cleaned_data["amount"]
        try:
            return parse_amount(typed, self.currency) if typed.strip() else None
        except DomainError as error:
            raise forms.ValidationError(str(error)) from None


class YearForm(forms.Form):
    """A year that is over."""

    year = forms.TypedChoiceField(label=_("Year"), coerce=int)

    def __init__(self, *args: Any, years: Sequence[int], **kwargs: Any) -> None:
        """Offer these years."""
        super().__init__(*args, **kwargs)
        field = self.fields["year"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(str(year), str(year)) for year in years]
