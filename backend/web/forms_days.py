"""The one field of forms for a day."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from backend.core.dates import FIRST_DAY, LAST_DAY


class DayField(forms.DateField):
    """A day from 1900 to 2999, as browsers send it or as people write it."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")

    def __init__(self, **kwargs: Any) -> None:
        """Say how a day is written."""
        message = _("Write the day as 2026-03-31 or 31/03/2026.")
        given = {"required": _("Give a day."), **kwargs.pop("error_messages", {})}
        super().__init__(input_formats=["%Y-%m-%d", "%d/%m/%Y"], error_messages={"invalid": message, **given}, **kwargs)

    def clean(self, value: Any) -> date | None:
        """The day; refuses those that no books have."""
        day: date | None = super().clean(value)
        if day is not None and not FIRST_DAY <= day <= LAST_DAY:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return day
