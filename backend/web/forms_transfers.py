"""Forms of envelopes, transfers and opening balances: they read what was typed; the domain decides."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.core.errors import DomainError, Invalid
from backend.core.money import parse_amount
from backend.identity.models import HostBankAccount
from backend.transfers.models import Transfer
from backend.web.forms_days import DayField
from backend.web.forms_work import KeyedForm

DECIMAL = {"inputmode": "decimal", "autocomplete": "off"}


def rules_field() -> forms.ChoiceField:
    """Whether an envelope follows the rules of the budget above."""
    return forms.ChoiceField(
        label=_("Its rules"), required=False, initial="follow", widget=forms.RadioSelect,
        choices=[
            ("follow", _("those of the budget above: its money is for the work in it, shared at the same closing")),
            ("own", _("rules and periods of its own, at first a copy of those above")),
        ],
    )  # fmt: skip


class EnvelopeForm(forms.Form):
    """A new envelope of a commons."""

    name = forms.CharField(label=_("Name of the envelope"), max_length=140)
    rules = rules_field()


class WhyForm(forms.Form):
    """One sentence of explanation."""

    reason = forms.CharField(
        label=_("Why"), max_length=500, help_text=_("The people concerned read it."),
        widget=forms.Textarea(attrs={"rows": 3}), error_messages={"required": _("Say why, in one sentence.")},
    )  # fmt: skip


class TransferForm(KeyedForm):
    """Money to move: where to, how much, why."""

    kind = forms.ChoiceField(label=_("What to do"))
    target = forms.ChoiceField(label=_("Budget that receives"), required=False)
    amount = forms.CharField(
        label=_("Amount"), max_length=40, help_text=_("For instance 250 or 1 250,50."),
        widget=forms.TextInput(attrs=DECIMAL),
    )  # fmt: skip
    reason = forms.CharField(
        label=_("Why"),
        max_length=500,
        help_text=_("Everyone in the budget reads it."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, source: Budget, targets: list[Budget], kinds: list[str], **kwargs: Any) -> None:
        """Offer these budgets and kinds."""
        super().__init__(*args, **kwargs)
        self.source = source
        names = dict(Transfer.KINDS)
        kind, target = self.fields["kind"], self.fields["target"]
        assert isinstance(kind, forms.ChoiceField)
        assert isinstance(target, forms.ChoiceField)
        kind.choices = [(one, names[one]) for one in kinds]
        target.choices = [("", _("choose")), *((one.pk, one.full_name) for one in targets)]
        target.help_text = _("Only for a transfer to another budget or to its deficit.")

    def clean_amount(self) -> int:
        """Minor units."""
        try:
            return parse_amount(self.cleaned_data["amount"], self.source.currency)
        except DomainError as refusal:
            raise forms.ValidationError(str(refusal)) from refusal

    def clean(self) -> dict[str, Any]:
        """Ask for a target where one is needed."""
        values: dict[str, Any] = super().clean() or {}
        if values.get("kind") in {"move", "to_deficit"} and not values.get("target") and "target" not in self.errors:
            self.add_error("target", _("Choose the budget that receives the money."))
        return values


class OpeningForm(KeyedForm):
    """One amount for each bank account and each budget that is not opened yet; empty means: not now."""

    as_of = DayField(
        label=_("Balances at the end of"),
        help_text=_("The last day before the books begin, as on the statement of the bank."),
    )

    def __init__(self, *args: Any, accounts: list[HostBankAccount], budgets: list[Budget], **kwargs: Any) -> None:
        """One field for each."""
        super().__init__(*args, **kwargs)
        self.accounts, self.budgets = accounts, budgets
        for account in accounts:
            self.fields[account.pk] = forms.CharField(
                label=_("%(name)s, in %(currency)s") % {"name": account.name, "currency": account.currency},
                required=False, max_length=40, widget=forms.TextInput(attrs=DECIMAL),
                help_text=_("Begin with a minus sign when the account is overdrawn."),
            )  # fmt: skip
        for budget in budgets:
            self.fields[budget.pk] = forms.CharField(
                label=_("%(name)s, in %(currency)s") % {"name": budget.full_name, "currency": budget.currency},
                required=False, max_length=40, widget=forms.TextInput(attrs=DECIMAL),
            )  # fmt: skip

    def account_fields(self) -> list[Any]:
        """The fields of the accounts."""
        return [self[account.pk] for account in self.accounts]

    def budget_fields(self) -> list[Any]:
        """The fields of the budgets."""
        return [self[budget.pk] for budget in self.budgets]

    def clean(self) -> dict[str, Any]:
        """Read the amounts that were written."""
        values: dict[str, Any] = super().clean() or {}
        values["accounts"] = self._amounts(self.accounts, signed=True)
        values["budgets"] = self._amounts(self.budgets, signed=False)
        if not values["accounts"] and not self.errors:
            self.add_error(None, _("Give the balance of one bank account at least."))
        return values

    def _amounts(self, rows: "list[HostBankAccount] | list[Budget]", *, signed: bool) -> dict[str, int]:
        found = {}
        for row in rows:
            typed = (self.cleaned_data.get(row.pk) or "").strip().replace("−", "-")
            if not typed:
                continue
            below = signed and typed.startswith("-")
            try:
                amount = parse_amount(typed[1:] if below else typed, row.currency, minimum=0)
            except Invalid as refusal:
                self.add_error(row.pk, str(refusal))
            else:
                found[row.pk] = -amount if below else amount
        return found
