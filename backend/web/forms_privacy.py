"""Forms about personal data: the notices accepted with an account, an erasure asked, one recorded from a letter."""

from django import forms
from django.urls import reverse
from django.utils.functional import lazy
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy


def _links() -> SafeString:
    """Where to read what is accepted."""
    return format_html(
        '<a href="{}">{}</a>, <a href="{}">{}</a>',
        reverse("terms"), gettext("the terms of use"), reverse("privacy_notice"), gettext("the privacy notice"),
    )  # fmt: skip


links = lazy(_links, SafeString)


def acceptance() -> forms.BooleanField:
    """The box that every new account ticks."""
    return forms.BooleanField(
        label=gettext_lazy("I have read and accept the terms of use and the privacy notice"),
        help_text=links(),
        error_messages={"required": gettext_lazy("Tick this box to go on: nobody has an account without it.")},
    )


class EraseForm(forms.Form):
    """The address of one's own account, typed again."""

    confirmation = forms.CharField(
        label=gettext_lazy("Type the e-mail address of this account, to confirm"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )


class LetterForm(forms.Form):
    """A request that came by letter or mail."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail address of their account"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    reason = forms.CharField(
        label=gettext_lazy("How and when they asked, and how you know that it was them"),
        help_text=gettext_lazy("It is kept as the proof of the request: write no name here."),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
