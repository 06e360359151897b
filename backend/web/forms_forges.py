"""Forms of repositories, of addresses of commits, and of files that describe a project."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backend.commons.project_files import MAX_BYTES
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
        help_text=_(
            "As your browser shows it, for instance https://codeberg.org/forgejo/forgejo. It is told to the public, in "
            "the funding.json of the commons."
        ),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Begin with Forgejo."""
        super().__init__(*args, **kwargs)
        self.initial.setdefault("forge", "forgejo")


class ProjectFileForm(forms.Form):
    """A file that describes a project, chosen or pasted."""

    file = forms.FileField(
        label=_("File"), required=False, allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".yml,.yaml,.json,application/json"}),
        help_text=_("publiccode.yml or funding.json, as it is in the repository. 64 kB at most."),
    )  # fmt: skip
    pasted = forms.CharField(
        label=_("Or paste what it says"), required=False, max_length=MAX_BYTES, strip=False,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """One of the two."""
        found = super().clean() or {}
        if not self.errors and not found.get("file") and not found.get("pasted"):
            self.add_error("file", _("Choose a file, or paste what it says."))
        return found

    @property
    def data_given(self) -> bytes:
        """The bytes; of a file, no more than is needed to see that it is too large."""
        chosen = self.cleaned_data.get("file")
        found: bytes = chosen.read(MAX_BYTES + 1) if chosen else self.cleaned_data["pasted"].encode("utf-8", "replace")
        return found


class CommitAddressForm(forms.Form):
    """An address under which one commits."""

    address = forms.EmailField(
        label=_("Address of your commits"), max_length=254, widget=forms.EmailInput(attrs=OFF),
        help_text=_("What “git config user.email” answers, or the address by which your forge hides yours."),
    )  # fmt: skip
