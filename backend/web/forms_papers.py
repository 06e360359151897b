"""Forms about the supporting documents of shares."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backend.core.money import parse_amount
from backend.distributions.received import LARGEST
from backend.web.forms_days import DayField

OFF = {"autocomplete": "off"}


class InvoiceForm(forms.Form):
    """The approval of a drafted invoice: its number, the agreement, the fingerprint of what was read."""

    number = forms.CharField(
        label=_("Number of the invoice"), max_length=40, required=False,
        help_text=_("Keep the one shown, which follows your last one here, or type the next of your own."),
        widget=forms.TextInput(attrs=OFF),
    )  # fmt: skip
    mandate = forms.BooleanField(
        label=_("The host may write invoices in the name of this payee (self-billing); each waits for my approval."),
        error_messages={
            "required": _("Agree that the host writes invoices in the name of this payee, or hand over your own.")
        },
    )
    digest = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, agreed: bool, **kwargs: Any) -> None:
        """Ask for the agreement once for each payee."""
        super().__init__(*args, **kwargs)
        if agreed:
            del self.fields["mandate"]


class PaperForm(forms.Form):
    """A document that a payee made themselves, with what stands on it."""

    file = forms.FileField(
        label=_("File"), help_text=_("PDF, PNG, JPEG or the XML of an invoice, 5 MB at most."),
        allow_empty_file=True, widget=forms.ClearableFileInput(attrs={"accept": ".pdf,.png,.jpg,.jpeg,.xml"}),
        error_messages={"required": _("Choose the file of the document.")},
    )  # fmt: skip
    number = forms.CharField(label=_("Its number"), max_length=40, widget=forms.TextInput(attrs=OFF))
    dated_on = DayField(label=_("Its day"))
    total = forms.CharField(
        label=_("Its total, all taxes included"), max_length=30, widget=forms.TextInput(attrs={"inputmode": "decimal"})
    )

    def typed(self, currency: str) -> dict[str, Any]:
        """What was typed, for the service; a file over the limit is not read whole."""
        known = dict(self.cleaned_data)
        file = known.pop("file")
        return {
            **known, "total": parse_amount(known["total"], currency, param="total"), "data": file.read(LARGEST + 1),
        }  # fmt: skip


class PaperReasonForm(forms.Form):
    """Why a document is refused."""

    reason = forms.CharField(
        label=_("What must be changed"), max_length=280, help_text=_("The payee reads it."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )  # fmt: skip
