"""Forms of an import of one's own work: the file, then which column is what."""

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from backend.banking.formats.csv_layout import DATE_FORMATS
from backend.commons.models import Budget
from backend.commons.services import charter_of
from backend.contributions.models import Contribution
from backend.contributions.places import declarable
from backend.identity.models import User
from backend.web.forms_work import BudgetChoice
from backend.web.sheet_rows import ROLES, UNITS, Columns, cell_of
from backend.web.sheets import MAX_COLUMNS, MAX_FILE, Line

_EXAMPLES = 3


def too_large() -> str:
    """The sentence about a file over the limit."""
    return str(_("This file is larger than 1 MB: keep the sheet of your work alone."))


class SheetForm(forms.Form):
    """For which budget, and the file."""

    budget = BudgetChoice(
        label=_("For"),
        queryset=Budget.objects.none(),
        empty_label=None,
        error_messages={
            "required": _("Choose the budget that this work is for."),
            "invalid_choice": _("Choose one of your budgets."),
        },
    )
    file = forms.FileField(
        label=_("Spreadsheet"),
        help_text=_("CSV, XLSX (Excel) or ODS (LibreOffice), 1 MB and 500 rows at most. The first sheet is read."),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,.xlsx,.ods"}),
        error_messages={
            "required": _("Choose the spreadsheet of your work."),
            "missing": _("Choose the spreadsheet of your work."),
            "invalid": _("Choose the spreadsheet of your work."),
            "empty": _("This file is empty: choose the spreadsheet of your work."),
            "max_length": _("The name of this file is too long: shorten it to 100 characters."),
        },
        max_length=100,
    )

    def __init__(self, *args: Any, actor: User, **kwargs: Any) -> None:
        """Offer the budgets where the person may declare."""
        super().__init__(*args, **kwargs)
        choice = cast("forms.ModelChoiceField[Budget]", self.fields["budget"])
        choice.queryset = declarable(actor)

    def clean_file(self) -> "UploadedFile[bytes]":
        """Refuse a file over the limit without reading it."""
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > MAX_FILE:
            raise forms.ValidationError(too_large(), code="sheet_too_large")
        return file


class SheetColumnsForm(forms.Form):
    """Which column is what: one choice a column, then how days and durations are written."""

    stash = forms.CharField(max_length=64, widget=forms.HiddenInput)
    budget = forms.CharField(max_length=48, widget=forms.HiddenInput)
    file_name = forms.CharField(max_length=100, widget=forms.HiddenInput)
    unit = forms.ChoiceField(
        label=_("A plain figure of time is in"), choices=list(UNITS.items()),
        help_text=_("1h30 and 1:30 are read as they stand."),
    )  # fmt: skip
    date_format = forms.ChoiceField(label=_("Order of dates"), choices=list(DATE_FORMATS.items()))
    kind = forms.ChoiceField(label=_("Kind of work where the table does not say it"), choices=Contribution.KINDS)
    me = forms.CharField(
        label=_("Your name in the table"), required=False, max_length=120,
        help_text=_("Where a column says the person: rows of others are left out, each declares their own work."),
    )  # fmt: skip

    def __init__(
        self,
        *args: Any,
        heads: Sequence[str],
        rows: Sequence[Line],
        start: Columns,
        kinds: Sequence[str],
        **kwargs: Any,
    ) -> None:
        """One choice for each column of the table, begun with what was guessed."""
        super().__init__(*args, **kwargs)
        self.columns: Columns | None = None
        self._rows = rows
        self.width = min(MAX_COLUMNS, max([len(heads), *(len(row.cells) for row in rows)]))
        places = {place: role for role, place in start.places.items()}
        for place in range(self.width):
            heading = heads[place] if place < len(heads) else ""
            self.fields[f"column_{place}"] = forms.ChoiceField(
                label=heading[:80] or _("Column %(number)s") % {"number": place + 1},
                choices=[("", _("not used")), *ROLES.items()],
                initial=places.get(place, ""),
                required=False,
            )
        cast(forms.ChoiceField, self.fields["kind"]).choices = [one for one in Contribution.KINDS if one[0] in kinds]
        for name in ("unit", "date_format", "kind", "me"):
            self.fields[name].initial = getattr(start, name)

    def of_columns(self) -> list[dict[str, Any]]:
        """Each column for the page: its field, and what its first cells hold."""
        found = []
        for place in range(self.width):
            cells = (cell_of(row, place)[:40] for row in self._rows[:200])
            examples = [cell for cell, _count in zip(filter(None, cells), range(_EXAMPLES), strict=False)]
            found.append({"field": self[f"column_{place}"], "examples": examples})
        return found

    def clean(self) -> dict[str, Any]:
        """Keep what was chosen, or say what is missing beside the first column."""
        cleaned: dict[str, Any] = super().clean() or {}
        places: dict[str, int] = {}
        for place in range(self.width):
            role = cleaned.get(f"column_{place}", "")
            if role in places:
                self.add_error(f"column_{place}", _("Another column is this already."))
            elif role:
                places[role] = place
        if self.errors:
            return cleaned
        columns = Columns(
            places=places, date_format=cleaned["date_format"], unit=cleaned["unit"], kind=cleaned["kind"],
            me=cleaned["me"].strip() if "person" in places else "",
        )  # fmt: skip
        if columns.missing():
            self.add_error(
                "column_0", _("Choose the columns of the day, of the work done, and of the time or the amount.")
            )
        else:
            self.columns = columns
        return cleaned


def kinds_of(budget: Budget) -> list[str]:
    """The kinds that the charter of a budget has, in the order of the forms."""
    running = charter_of(budget).kinds
    return [kind for kind, _name in Contribution.KINDS if kind in running]
