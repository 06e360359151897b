"""Forms between a statement file and its preview: the columns of a CSV, the account that a bank's own number means."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backend.banking.formats.base import ParsedStatement
from backend.banking.formats.csv_file import Table
from backend.banking.formats.csv_layout import DATE_FORMATS, DECIMALS, ROLES, Layout
from backend.banking.layouts import likely_account, numbers_to_explain
from backend.identity.models import HostBankAccount
from backend.payees.services import mask

_EXAMPLES = 3
_MISSING = {
    "date": _("Choose the column of the date."),
    "amount": _("Choose the column of the amount, or those of debit and credit."),
    "amount_twice": _("Choose either one amount or debit and credit, not both."),
    "mark": _("A debit or credit mark needs a column of amounts."),
}


class ColumnsForm(forms.Form):
    """Which column is what: one choice a column, then how dates and amounts are written."""

    stash = forms.CharField(max_length=64, widget=forms.HiddenInput)
    date_format = forms.ChoiceField(label=_("Order of dates"), choices=list(DATE_FORMATS.items()))
    decimal = forms.ChoiceField(
        label=_("Decimal mark"), choices=list(DECIMALS.items()), required=False,
        help_text=_("What stands before the cents."),
    )  # fmt: skip
    save_as = forms.CharField(
        label=_("Save these columns as"), required=False, max_length=60,
        help_text=_("A name, for instance that of the bank: the next file with the same columns is read by itself."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip

    def __init__(self, *args: Any, table: Table, layout: Layout, **kwargs: Any) -> None:
        """One choice for each column of the table, begun with the layout."""
        super().__init__(*args, **kwargs)
        self.layout: Layout | None = None
        self._table, self._start = table, layout
        role_of = {place: role for role, places in layout.columns.items() for place in places}
        for place in range(layout.width):
            header = table.headers[place] if place < len(table.headers) else ""
            self.fields[f"column_{place}"] = forms.ChoiceField(
                label=header or _("Column %(number)s") % {"number": place + 1},
                choices=[("", _("not used")), *ROLES.items()],
                initial=role_of.get(place, ""),
                required=False,
            )
        self.fields["date_format"].initial = layout.date_format
        self.fields["decimal"].initial = layout.decimal

    def columns(self) -> list[dict[str, Any]]:
        """Each column for the page: its field, and what its first cells hold."""
        cells = [row.cells for row in self._table.rows]
        return [
            {"field": self[f"column_{place}"], "examples": _examples(cells, place)}
            for place in range(self._start.width)
        ]

    def clean(self) -> dict[str, Any]:
        """Make the layout, or say what is missing beside the first column."""
        cleaned: dict[str, Any] = super().clean() or {}
        columns: dict[str, tuple[int, ...]] = {}
        for place in range(self._start.width):
            role = cleaned.get(f"column_{place}", "")
            if role in columns and role != "text":
                self.add_error(f"column_{place}", _("Another column is this already: only labels may be several."))
            elif role:
                columns[role] = (*columns.get(role, ()), place)
        if self.errors:
            return cleaned
        layout = Layout(
            headers=self._start.headers,
            width=self._start.width,
            delimiter=self._start.delimiter,
            columns=columns,
            date_format=cleaned["date_format"],
            decimal=cleaned["decimal"],
        )
        if missing := layout.missing():
            self.add_error("column_0", _MISSING[missing])
        else:
            self.layout = layout
        return cleaned


def _examples(rows: Sequence[Sequence[str]], place: int) -> list[str]:
    """The first cells of a column that are not empty."""
    found = (row[place].strip()[:40] for row in rows[:200] if len(row) > place and row[place].strip())
    return [cell for cell, _count in zip(found, range(_EXAMPLES), strict=False)]


class WhichAccountForm(forms.Form):
    """Which account of the host each number of the file is."""

    stash = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, parsed: Sequence[ParsedStatement], **kwargs: Any) -> None:
        """One choice for each number that does not say it; the likely account is proposed, the person confirms."""
        super().__init__(*args, **kwargs)
        accounts = list(HostBankAccount.objects.order_by("name", "pk"))
        self.numbers = numbers_to_explain(parsed)
        for place, number in enumerate(self.numbers):
            likely = likely_account(number, accounts)
            self.fields[f"account_{place}"] = forms.ChoiceField(
                label=(
                    _("The file calls this account “%(number)s”") % {"number": number[:64]}
                    if number
                    else _("The file does not say which account it is about")
                ),
                choices=[(one.pk, f"{one.name}, {mask(one.iban)}") for one in accounts],
                initial=likely.pk if likely else None,
                widget=forms.RadioSelect,
                error_messages={"required": _("Choose the account of the host that this statement is about.")},
            )

    def chosen(self) -> dict[str, str]:
        """The number that the file writes → id of the host's account."""
        return {number: self.cleaned_data[f"account_{place}"] for place, number in enumerate(self.numbers)}
