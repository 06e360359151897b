"""The part of a charter's form that says who validates work, and who settles an objection."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

NUMBER = {"inputmode": "numeric", "autocomplete": "off"}


class ReviewFields(forms.Form):
    """So many stewards, or consent within so many days; which number is read follows the way chosen."""

    review_mode = forms.ChoiceField(
        label=_("A contribution is validated"),
        choices=[
            ("approvals", _("by the approval of stewards")),
            ("consent", _("by consent: when nobody has objected in time")),
        ],
    )
    approvals = forms.IntegerField(
        label=_("How many stewards validate a contribution"), required=False, min_value=1, max_value=9,
        widget=forms.TextInput(attrs=NUMBER), help_text=_("From 1 to 9. Not read by consent."),
    )  # fmt: skip
    consent_days = forms.IntegerField(
        label=_("How many days there are to object"), required=False, min_value=1, max_value=90,
        widget=forms.TextInput(attrs=NUMBER), help_text=_("From 1 to 90. Only read by consent."),
    )  # fmt: skip
    settled_by = forms.IntegerField(
        label=_("How many uninvolved stewards settle an objection"), min_value=1, max_value=9,
        widget=forms.TextInput(attrs=NUMBER), help_text=_("From 1 to 9."),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """The way that was chosen has its number."""
        values: dict[str, Any] = super().clean() or {}
        wanted = "consent_days" if values.get("review_mode") == "consent" else "approvals"
        if values.get(wanted) is None and wanted not in self.errors:
            self.add_error(wanted, _("Say how many."))
        return values


def review_initial(document: Mapping[str, Any]) -> dict[str, Any]:
    """What these fields show for a document."""
    review = document["review"]
    return {
        "review_mode": review["mode"],
        "approvals": review.get("approvals"),
        "consent_days": review.get("days"),
        "settled_by": document["objections"]["settled_by"],
    }


def review_members(values: Mapping[str, Any]) -> dict[str, Any]:
    """The members of the document that these fields say."""
    if values["review_mode"] == "consent":
        review = {"mode": "consent", "days": values["consent_days"]}
    else:
        review = {"mode": "approvals", "approvals": values["approvals"]}
    return {"review": review, "objections": {"settled_by": values["settled_by"]}}
