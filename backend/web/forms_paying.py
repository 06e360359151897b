"""Forms of payments through the provider: they read what was typed; the domain decides."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backend.core.errors import DomainError
from backend.core.money import parse_amount
from backend.payments.models import Checkout
from backend.payments.reconciling import FIRST_DAY, LONGEST
from backend.web.forms_days import DayField
from backend.web.forms_receipts import DECIMAL, reason_field
from backend.web.forms_work import KeyedForm


class MethodForm(forms.Form):
    """By card, or by direct debit."""

    method = forms.ChoiceField(
        label=_("How to pay"), widget=forms.RadioSelect,
        error_messages={"required": _("Choose how to pay."), "invalid_choice": _("Choose one of these.")},
    )  # fmt: skip

    def __init__(self, *args: Any, methods: Sequence[str], **kwargs: Any) -> None:
        """Offer these methods, the first one chosen."""
        super().__init__(*args, **kwargs)
        method = self.fields["method"]
        assert isinstance(method, forms.ChoiceField)
        names = dict(Checkout.METHODS)
        method.choices = [(one, names[one]) for one in methods]
        method.initial = methods[0] if methods else None


def advance_field() -> forms.BooleanField:
    """Whether the host advances what was shared already."""
    return forms.BooleanField(
        label=_("The host advances what the pot no longer holds"), required=False,
        help_text=_("Its next receipts pay it back. Nobody who was paid gives anything back."),
    )  # fmt: skip


class ProviderRefundForm(KeyedForm):
    """A payment, or a part of it, to give back to the card or account it came from."""

    field_order = ("amount", "reason", "advance", "form_key")
    advance = advance_field()
    amount = forms.CharField(
        label=_("Amount"), max_length=40, widget=forms.TextInput(attrs=DECIMAL),
        error_messages={"required": _("Give the amount.")},
    )  # fmt: skip
    reason = reason_field(_("The treasurer who approves reads it; it is kept in the audit trail."))

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        """Keep the currency of the payment."""
        super().__init__(*args, **kwargs)
        self.currency = currency

    def clean_amount(self) -> int:
        """Minor units."""
        try:
            return parse_amount(self.cleaned_data["amount"], self.currency)
        except DomainError as refusal:
            raise forms.ValidationError(str(refusal)) from refusal


class DecisionForm(forms.Form):
    """Approve a refund, or refuse it with a reason."""

    act = forms.ChoiceField(choices=[("approve", ""), ("refuse", "")], widget=forms.HiddenInput)
    reason = reason_field(_("When you refuse it: who asked reads it."), required=False)
    advance = advance_field()


class GiveUpForm(forms.Form):
    """Why a treasurer gives an operation up."""

    reason = reason_field(_("Say what you saw on the provider’s own pages; it is kept in the audit trail."))


class TieForm(forms.Form):
    """The pledge that money in suspense was paid for."""

    pledge = forms.CharField(widget=forms.HiddenInput)


class RangeForm(forms.Form):
    """The days to compare with the provider's list."""

    since = DayField(label=_("From"), error_messages={"required": _("Give the first day.")})
    until = DayField(label=_("To, that day included"), error_messages={"required": _("Give the last day.")})

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        """The last thirty days, unless others are given."""
        super().__init__(*args, **kwargs)
        self.fields["since"].initial, self.fields["until"].initial = today - timedelta(days=30), today
        self.today = today

    def clean(self) -> dict[str, Any]:
        """Days in their order, a year at most."""
        values: dict[str, Any] = super().clean() or {}
        since, until = values.get("since"), values.get("until")
        if since is not None and until is not None:
            if until < since:
                self.add_error("until", _("The last day comes before the first."))
            elif until - since > LONGEST:
                self.add_error("since", _("Compare a year at most at once."))
            elif until > self.today:
                self.add_error("until" if since <= self.today else "since", _("This day has not come yet."))
            elif since < FIRST_DAY:
                self.add_error("since", _("Choose a day since 2000."))
        return values
