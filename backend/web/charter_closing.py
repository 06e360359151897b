"""The part of a charter's form that says who closes periods."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backend.web.charter_review import NUMBER

NUMBERS = {"automatic": "days_after", "rolling": "every_days"}  # way → the member of the document that has its number


class ClosingFields(forms.Form):
    """People, the calendar, or work and money that are there; which number is read follows the way chosen."""

    closing_mode = forms.ChoiceField(
        label=_("Periods are closed"), required=False,
        choices=[
            ("", _("by a steward or a treasurer")),
            ("automatic", _("by themselves, some days after their last day")),
            ("rolling", _("by themselves every few days, when validated requests and money are there")),
        ],
        help_text=_("A person approves each distribution in any case. The last way is for requests served in order."),
    )  # fmt: skip
    closing_days = forms.IntegerField(
        label=_("How many days after, or every how many days"), required=False, min_value=0, max_value=60,
        widget=forms.TextInput(attrs=NUMBER), help_text=_("From 0 to 60 after the last day; every 1 to 31 days."),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """The way that was chosen has its number."""
        values: dict[str, Any] = super().clean() or {}
        if values.get("closing_mode") and values.get("closing_days") is None and "closing_days" not in self.errors:
            self.add_error("closing_days", _("Say how many."))
        return values


def closing_initial(document: Mapping[str, Any]) -> dict[str, Any]:
    """What these fields show for a document."""
    closing = document.get("closing") or {"mode": ""}
    return {"closing_mode": closing["mode"], "closing_days": closing.get(NUMBERS.get(closing["mode"], ""))}


def closing_members(values: Mapping[str, Any]) -> dict[str, Any]:
    """The members of the document that these fields say: none where people close."""
    mode = values["closing_mode"]
    return {"closing": {"mode": mode, NUMBERS[mode]: values["closing_days"]}} if mode else {}
