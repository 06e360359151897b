"""Forms of the books: days to look at, what to export or to draw, why a month is unlocked."""

from datetime import date, time
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Invalid
from backend.core.money import CURRENCIES, parse_amount
from backend.exports.sampling import LARGEST
from backend.web.forms_days import DayField


class OnForm(forms.Form):
    """The day of a trial balance."""

    on = DayField(
        label=_("At the end of"), required=False, help_text=_("Empty: everything that is booked, whatever its day.")
    )


class HeldForm(forms.Form):
    """A moment: what a purse held then, by what happened and by what was booked."""

    on = DayField(label=_("Day"), error_messages={"required": _("Say which day.")})
    at = forms.TimeField(
        label=_("Time of day"), required=False,
        help_text=_("For what the books said; the end of the day unless given."),
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        error_messages={"invalid": _("Write the time as 14:30.")},
    )  # fmt: skip

    def moment(self) -> tuple[date, time]:
        """The day and the time; call it once the form is valid."""
        return self.cleaned_data["on"], self.cleaned_data["at"] or time.max


class ExportForm(forms.Form):
    """What to write: a format, and a fiscal year or days."""

    format = forms.ChoiceField(label=_("Format"))
    year = forms.TypedChoiceField(label=_("Fiscal year"), required=False, coerce=int, empty_value=None)
    first = DayField(label=_("First day"), required=False, help_text=_("When no fiscal year is chosen."))
    last = DayField(label=_("Last day"), required=False)

    def __init__(self, *args: Any, formats: list[tuple[str, Any]], years: list[tuple[int, str]], **kwargs: Any) -> None:
        """Offer these formats and fiscal years."""
        super().__init__(*args, **kwargs)
        form, year = self.fields["format"], self.fields["year"]
        assert isinstance(form, forms.ChoiceField)
        assert isinstance(year, forms.ChoiceField)
        form.choices = formats
        year.choices = [("", _("none: the days below")), *years]

    def clean(self) -> dict[str, Any]:
        """Refuse a fiscal year and days together: one of them would be ignored."""
        values: dict[str, Any] = super().clean() or {}
        if values.get("year") and (values.get("first") or values.get("last")):
            self.add_error("year", _("Choose a fiscal year or give days, not both."))
        return values


class UnlockForm(forms.Form):
    """Why a month is unlocked."""

    reason = forms.CharField(
        label=_("Why this month must be open again"),
        help_text=_("The treasurer who confirms reads it; it stays in the history."),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": _("Say why the month is unlocked.")},
    )


class AuditorForm(forms.Form):
    """The day that an auditor looks at."""

    on = DayField(label=_("At the end of"), required=False, help_text=_("Empty: today."))


class SampleForm(forms.Form):
    """What to draw at random."""

    seed = forms.CharField(
        label=_("Seed of the draw"), max_length=80,
        help_text=_("Any words: each auditor may give one. The same seed and days draw the same entries again."),
        error_messages={"required": _("Give the seed of the draw: 1 to 80 characters, any words.")},
    )  # fmt: skip
    size = forms.IntegerField(
        label=_("How many entries"), min_value=1, max_value=LARGEST,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
        error_messages={"required": _("Say how many entries to draw.")},
    )  # fmt: skip
    currency = forms.ChoiceField(label=_("Currency"), choices=[(code, code) for code in CURRENCIES])
    minimum = forms.CharField(
        label=_("From which amount"), required=False, max_length=30, help_text=_("Empty: whatever the amount."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )  # fmt: skip
    first = DayField(label=_("First day"), error_messages={"required": _("Say from which day.")})
    last = DayField(label=_("Last day"), error_messages={"required": _("Say up to which day.")})

    def clean(self) -> dict[str, Any]:
        """Read the amount in its currency."""
        found: dict[str, Any] = super().clean() or {}
        typed = str(found.get("minimum") or "").strip()
        found["minimum"] = 0
        if typed and "currency" in found:
            try:
                found["minimum"] = parse_amount(typed, found["currency"], param="minimum", minimum=0)
            except Invalid as refusal:
                self.add_error("minimum", str(refusal))
        return found
