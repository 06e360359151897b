"""Forms of repositories, of addresses of commits, and of files that describe a project."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backend.contributions.models import Repository
from backend.web.forms_setup import OFF


class RepositoryForm(forms.Form):
    """A repository to connect."""

    forge = forms.ChoiceField(
        label=_("Forge"), choices=Repository.KINDS, widget=forms.RadioSelect,
        error_messages={"required": _("Choose the forge where the repository is.")},
    )  # fmt: skip
    address = forms.CharField(
        label=_("Address of the repository"), max_length=300, widget=forms.URLInput(attrs=OFF),
        help_text=_("As your browser shows it, for instance https://codeberg.org/forgejo/forgejo"),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Begin with Forgejo."""
        super().__init__(*args, **kwargs)
        self.initial.setdefault("forge", "forgejo")


class CommitAddressForm(forms.Form):
    """An address under which one commits."""

    address = forms.EmailField(
        label=_("Address of your commits"), max_length=254, widget=forms.EmailInput(attrs=OFF),
        help_text=_("What “git config user.email” answers, or the address by which your forge hides yours."),
    )  # fmt: skip
