"""The form of a charter that is written as a JSON document."""

from django import forms
from django.utils.translation import gettext_lazy as _


class DocumentForm(forms.Form):
    """The same as a JSON document, for who writes it elsewhere."""

    document = forms.CharField(
        label=_("Document of the charter"), max_length=65_536, strip=True,
        help_text=_("JSON, in the format of the published schema. Amounts are in cents, the currency’s smallest unit."),
        widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false", "autocomplete": "off"}),
    )  # fmt: skip
    after = forms.IntegerField(widget=forms.HiddenInput)
