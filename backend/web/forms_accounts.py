"""Forms of one's account, and of who helps somebody locked out."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class ProfileForm(forms.Form):
    """What a person says of themself."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=120,
        help_text=_("Members of your organisation and the treasurers see it."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    public_name = forms.CharField(
        label=_("Public name"),
        max_length=60,
        required=False,
        help_text=_("What public pages show beside your work. Leave it empty to stay under a pseudonym."),
        widget=forms.TextInput(attrs={"autocomplete": "nickname"}),
    )
    language = forms.ChoiceField(
        label=_("Language of the mail you receive"), choices=settings.LANGUAGES, widget=forms.RadioSelect
    )


class ResetForm(forms.Form):
    """Why the second factor of somebody else goes."""

    reason = forms.CharField(
        label=_("How did you make sure that it is them?"),
        max_length=500,
        help_text=_("For instance: seen at the meeting of 3 May. The person and the other administrators read it."),
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Say it in words when the reason is missing."""
        super().__init__(*args, **kwargs)
        self.fields["reason"].error_messages["required"] = _("Say how you made sure that it is them.")


class MergeForm(forms.Form):
    """The address of another account of one's own."""

    address = forms.EmailField(
        label=_("E-mail address of the other account"),
        max_length=254,
        help_text=_("A link is sent to it, to be opened while you are signed in with that account."),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
