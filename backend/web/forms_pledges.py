"""Forms of pledges: on one page what is promised, on the next the act itself; how it is changed, paused, given up."""

from collections.abc import Sequence
from datetime import date
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.core.errors import DomainError, Invalid
from backend.core.money import parse_amount
from backend.identity.models import Organisation, User
from backend.pledges.models import Pledge
from backend.pledges.services import Changes, Terms
from backend.web.forms_days import DayField
from backend.web.forms_organisations import MONEY, OFF, RHYTHMS, typed_amount

# What the second page asks; everything else stands on the first.
LATER = ("pseudonym", "paper")
# Folded on the first page.
FOLDED = ("starts_on",)
SHOWN = [
    ("visible", _("with its name and amount")),
    ("pseudonymous", _("under another name, written on the next page")),
    ("anonymous", _("without any name")),
]
ROWS, MOST_ROWS = 4, 12


def amount_field(**facts: Any) -> forms.CharField:
    """An amount as people write it."""
    return forms.CharField(
        max_length=40, help_text=_("For instance 250 or 1 250,50."), widget=forms.TextInput(attrs=MONEY), **facts
    )


def pseudonym_field() -> forms.CharField:
    """The name to show instead of one's own."""
    return forms.CharField(
        label=_("Name shown to the public"), required=False, max_length=80, widget=forms.TextInput(attrs=OFF)
    )


def order_field() -> forms.CharField:
    """The number of a purchase order."""
    return forms.CharField(
        label=_("Purchase order number"), required=False, max_length=60, widget=forms.TextInput(attrs=OFF),
        help_text=_("It is printed on the papers; public bodies have one."),
    )  # fmt: skip


def paper_field() -> forms.ChoiceField:
    """Call for funds or invoice."""
    return forms.ChoiceField(
        label=_("Paper that goes with each instalment"), choices=Pledge.PAPERS, widget=forms.RadioSelect,
        help_text=_("A call for funds is no invoice; ask for an invoice if your accounts need one."),
    )  # fmt: skip


class TermsForm(forms.Form):
    """On which terms, in whose name; kept from the first page to the second by hidden fields."""

    rhythm = forms.ChoiceField(label=_("How often"), choices=RHYTHMS, widget=forms.RadioSelect)
    ends_on = DayField(
        label=_("Until"), required=False, help_text=_("Leave it empty to go on until you stop it. Not for “once”.")
    )
    starts_on = DayField(
        label=_("First instalment on"), required=False,
        help_text=_("Today when you leave it empty, or a day within one year. A pledge of the 31st falls on the last "
                    "day of shorter months."),
    )  # fmt: skip
    organisation = forms.ChoiceField(label=_("In whose name"), required=False)
    visibility = forms.ChoiceField(label=_("Shown to the public"), choices=SHOWN)
    purchase_order = order_field()
    pseudonym = pseudonym_field()
    paper = paper_field()
    form_key = forms.CharField(max_length=64, widget=forms.HiddenInput)
    confirmed = forms.CharField(max_length=1, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, organisations: Sequence[Organisation], fixed: bool, **kwargs: Any) -> None:
        """Offer these organisations and one's own name; `fixed`: there is nothing to choose."""
        super().__init__(*args, **kwargs)
        choice = cast(forms.ChoiceField, self.fields["organisation"])
        named = [(row.pk, f"{row.name} ({row.get_kind_display()})") for row in organisations]
        choice.choices = [*named, ("", _("in my own name"))]
        self.fields["paper"].required = False
        if fixed:
            choice.widget = forms.HiddenInput()

    @property
    def first_page(self) -> list[forms.BoundField]:
        """What is asked before the second page; what few people change stands apart, folded."""
        apart = (*LATER, *FOLDED)
        return [field for field in self if field.name not in apart and not field.is_hidden]

    @property
    def kept(self) -> str:
        """What the second page carries of the first, as hidden fields."""
        later = (*LATER, "confirmed")
        return "".join(str(field.as_hidden()) for field in self if field.name not in later)

    @property
    def wrong_on_first(self) -> bool:
        """Whether something on the first page is to be corrected."""
        return bool(self.errors.keys() - set(LATER) - {"__all__"})

    def terms(self, *, rehearsed: bool = False) -> Terms:
        """What was typed, for the service; on the first page the second one's answers are not there yet."""
        typed = self.cleaned_data
        visibility = typed["visibility"] or "visible"
        if rehearsed and visibility == "pseudonymous":
            visibility = "anonymous"
        return Terms(
            rhythm=typed["rhythm"], starts_on=typed["starts_on"], ends_on=typed["ends_on"], visibility=visibility,
            pseudonym="" if rehearsed or visibility != "pseudonymous" else typed["pseudonym"],
            purchase_order=typed["purchase_order"], paper="call" if rehearsed else typed["paper"] or "call",
        )  # fmt: skip

    def payer(self, reader: User, organisations: Sequence[Organisation]) -> Organisation | User:
        """In whose name."""
        return next((row for row in organisations if row.pk == self.cleaned_data["organisation"]), reader)

    def read_amount(self, name: str, currency: str) -> int:
        """The minor units typed in a field; 0 when they cannot be read, which is said beside it."""
        try:
            return parse_amount(self.cleaned_data.get(name) or "", currency)
        except DomainError as error:
            self.add_error(name, str(error))
            return 0


class PledgeForm(TermsForm):
    """A promise to one budget: six fields at most."""

    field_order = ["amount", "rhythm", "ends_on", "organisation", "visibility", "purchase_order"]
    amount = amount_field(label=_("Amount of each instalment"))

    def __init__(self, *args: Any, budget: Budget, **kwargs: Any) -> None:
        """Keep the budget, chosen by a link before the form."""
        super().__init__(*args, **kwargs)
        self.budget = budget
        self.parts: list[tuple[Budget, int]] = []

    def clean(self) -> dict[str, Any]:
        """Read the amount in the currency of the budget."""
        values: dict[str, Any] = self.cleaned_data
        if "amount" in values:
            self.parts = [(self.budget, self.read_amount("amount", self.budget.currency))]
        return values


class SplitForm(TermsForm):
    """A promise shared over several budgets: a row each."""

    def __init__(self, *args: Any, budgets: Sequence[Budget], rows: int, **kwargs: Any) -> None:
        """Offer these budgets, of one currency, in so many rows."""
        super().__init__(*args, **kwargs)
        self.budgets = {row.pk: row for row in budgets}
        self.parts: list[tuple[Budget, int]] = []
        self.rows = rows
        offered = [("", "–"), *((row.pk, row.full_name) for row in budgets)]
        for number in range(rows):
            self.fields[f"budget_{number}"] = forms.ChoiceField(
                label=_("For, row %(number)s") % {"number": number + 1}, choices=offered, required=False
            )
            self.fields[f"amount_{number}"] = amount_field(
                label=_("Amount, row %(number)s") % {"number": number + 1}, required=False
            )
            self.fields[f"amount_{number}"].help_text = ""

    @property
    def pairs(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """The rows: budget and amount."""
        return [(self[f"budget_{number}"], self[f"amount_{number}"]) for number in range(self.rows)]

    @property
    def below(self) -> list[forms.BoundField]:
        """The other fields of the first page."""
        return [field for field in self.first_page if not field.name.startswith(("budget_", "amount_"))]

    def clean(self) -> dict[str, Any]:
        """Read the rows; one that is half filled is said."""
        values: dict[str, Any] = self.cleaned_data
        currency, self.parts = next(iter(self.budgets.values())).currency, []
        for number in range(self.rows):
            chosen, typed = values.get(f"budget_{number}"), (values.get(f"amount_{number}") or "").strip()
            if chosen and typed:
                self.parts.append((self.budgets[chosen], self.read_amount(f"amount_{number}", currency)))
            elif chosen:
                self.add_error(f"amount_{number}", _("Say how much for this one, or leave the whole row empty."))
            elif typed:
                self.add_error(f"budget_{number}", _("Choose what this amount is for, or leave the whole row empty."))
        if not self.parts and not self.errors:
            self.add_error("budget_0", _("Fill one row at least."))
        if len({budget.pk for budget, _amount in self.parts}) < len(self.parts):
            self.add_error("budget_0", _("Name each budget once."))
        return values


class ChangeForm(forms.Form):
    """What may change of a pledge from its next instalment on."""

    amount = amount_field(label=_("Amount of each instalment to come"))
    ends_on = DayField(
        label=_("Until"), required=False, help_text=_("The last day on which an instalment may fall due.")
    )
    visibility = forms.ChoiceField(label=_("Shown to the public"), choices=Pledge.VISIBILITIES)
    pseudonym = pseudonym_field()
    purchase_order = order_field()
    paper = paper_field()

    def __init__(self, *args: Any, pledge: Pledge, amount_open: bool, today: date, **kwargs: Any) -> None:
        """Begin with what the pledge says; what cannot change any more is left out."""
        names = ("ends_on", "visibility", "pseudonym", "purchase_order", "paper")
        kwargs["initial"] = {
            "amount": typed_amount(pledge.amount, pledge.currency), **{name: getattr(pledge, name) for name in names}
        }  # fmt: skip
        super().__init__(*args, **kwargs)
        self.currency = pledge.currency
        over = pledge.state != "active"
        for name, gone in {
            "amount": over or not amount_open, "ends_on": over or pledge.rhythm == "once", "purchase_order": over,
            "paper": over or pledge.donor_id is not None,
        }.items():  # fmt: skip
            if gone:
                del self.fields[name]
        if "ends_on" in self.fields:
            self.fields["ends_on"].widget.attrs["min"] = today.isoformat()

    def clean(self) -> dict[str, Any]:
        """Read the amount."""
        values: dict[str, Any] = self.cleaned_data
        if "amount" in values:
            try:
                values["amount"] = parse_amount(values["amount"], self.currency)
            except Invalid as error:
                self.add_error("amount", forms.ValidationError(error.message, code=error.code))
        return values

    @property
    def changes(self) -> Changes:
        """What was typed, for the service."""
        typed = dict(self.cleaned_data)
        if typed["visibility"] != "pseudonymous":
            typed["pseudonym"] = ""
        return cast(Changes, typed)


class WhyForm(forms.Form):
    """A reason, kept with the act."""

    reason = forms.CharField(
        label=_("Reason"), max_length=280, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Whoever promised reads it."),
    )  # fmt: skip
