"""Forms of money out: preparing a batch, typing its transfers on the bank's site, the limits of an account."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backend.core.errors import DomainError
from backend.core.money import decimal_text, parse_amount
from backend.identity.models import HostBankAccount
from backend.payouts.models import Payout
from backend.web.forms_days import DayField
from backend.web.forms_people import why_field
from backend.web.forms_setup import OFF
from backend.web.forms_work import KeyedForm


class PrepareForm(KeyedForm):
    """From which account of the host a batch is paid, and why some lines are left out; domain errors name these."""

    account = forms.CharField(max_length=48, widget=forms.HiddenInput)
    why = forms.CharField(label=_("Why are the ticked lines left out?"), max_length=280, required=False)


class ByHandForm(forms.Form):
    """When transfers were typed on the bank's site, and what the bank calls each."""

    def __init__(self, *args: Any, payouts: Iterable[Payout], **kwargs: Any) -> None:
        """One field for each payout, named by its id."""
        super().__init__(*args, **kwargs)
        self.fields["paid_on"] = DayField(
            label=_("Day on which the bank takes the transfers"),
            error_messages={"required": _("Give the day that the bank shows.")},
        )
        for one in payouts:
            self.fields[one.pk] = forms.CharField(
                label=_("Reference of the transfer to %(name)s") % {"name": one.name}, max_length=60, required=False,
                help_text=_("As the bank shows it. Empty: you typed %(id)s there.") % {"id": one.end_to_end_id},
                widget=forms.TextInput(attrs=OFF),
            )  # fmt: skip

    def references(self) -> dict[str, str]:
        """Payout id → what was typed."""
        return {name: text for name, text in self.cleaned_data.items() if name != "paid_on" and text}


class LimitsForm(forms.Form):
    """Limits of the payouts of a bank account, and the format of its files, to propose."""

    limit_payee = forms.CharField(
        label=_("Limit for what one person gets of a batch"), max_length=20, required=False,
        help_text=_("Above it, two others than the preparer approve. Empty: no limit."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", **OFF}),
    )  # fmt: skip
    limit_batch = forms.CharField(
        label=_("Limit for a whole batch"), max_length=20, required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal", **OFF}),
    )  # fmt: skip
    limit_day = forms.CharField(
        label=_("Limit for the batches prepared on one day"), max_length=20, required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal", **OFF}),
    )  # fmt: skip
    file_format = forms.ChoiceField(
        label=_("Format of the payment files"), choices=HostBankAccount.FORMATS, widget=forms.RadioSelect,
        help_text=_("The first is that of today; choose the other only if your bank refuses it."),
    )  # fmt: skip
    reason = why_field()

    def __init__(self, *args: Any, account: HostBankAccount, **kwargs: Any) -> None:
        """Begin with the present limits."""
        super().__init__(*args, **kwargs)
        self.currency = account.currency
        told = {name: getattr(account, name) for name in ("limit_payee", "limit_batch", "limit_day")}
        amounts = {name: "" if value is None else decimal_text(value, account.currency) for name, value in told.items()}
        self.initial = {**amounts, "file_format": account.file_format, **self.initial}

    def _amount(self, name: str) -> int | None:
        text = self.cleaned_data[name].strip()
        if not text:
            return None
        try:
            return parse_amount(text, self.currency, param=name)
        except DomainError as refusal:
            raise forms.ValidationError(str(refusal)) from None

    def clean_limit_payee(self) -> int | None:
        """Minor units, or no limit."""
        return self._amount("limit_payee")

    def clean_limit_batch(self) -> int | None:
        """Minor units, or no limit."""
        return self._amount("limit_batch")

    def clean_limit_day(self) -> int | None:
        """Minor units, or no limit."""
        return self._amount("limit_day")
