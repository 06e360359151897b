"""The filter of the audit trail."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backend.exports.audit import FORMATS, Wanted
from backend.exports.audit_words import WORDS
from backend.web.forms_days import DayField


def kinds() -> list[tuple[Any, Any]]:
    """The kinds of event by subject, as a list to choose from."""
    return [("", _("everything")), *((group, sorted(found.items(), key=_said)) for group, found in WORDS)]


def _said(line: tuple[str, Any]) -> str:
    return str(line[1])


class AuditForm(forms.Form):
    """Who, as whom, what, about what, when."""

    who = forms.CharField(label=_("Who"), required=False, max_length=120, help_text=_("A name, or part of one."))
    as_whom = forms.CharField(
        label=_("In whose name"), required=False, max_length=140, help_text=_("An organisation or a person.")
    )
    kind = forms.ChoiceField(label=_("What happened"), required=False, choices=kinds)
    subject = forms.CharField(
        label=_("About which thing"), required=False, max_length=48,
        help_text=_("Its id, for instance plg_… or bud_…, as addresses of pages show it."),
    )  # fmt: skip
    first = DayField(label=_("First day"), required=False)
    last = DayField(label=_("Last day"), required=False)
    refused = forms.BooleanField(label=_("Only what was refused"), required=False)

    def wanted(self) -> Wanted:
        """What is looked for; call it once the form is valid."""
        given = self.cleaned_data
        texts = {name: given[name].strip() for name in ("who", "as_whom", "kind", "subject")}
        return Wanted(**texts, first=given["first"], last=given["last"], refused=given["refused"])


class AuditFileForm(AuditForm):
    """The same, as a file."""

    format = forms.ChoiceField(label=_("Format"), choices=[(name, name) for name in FORMATS])
