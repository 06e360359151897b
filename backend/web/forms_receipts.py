"""Forms of fees, surpluses, refunds, cheques and cash: they read what was typed; the domain decides."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backend.core.errors import DomainError
from backend.core.money import format_money, parse_amount
from backend.identity.models import HostBankAccount
from backend.payments.models import KINDS_OF_PAPER, PaperPayment
from backend.web.forms_days import DayField
from backend.web.forms_work import KeyedForm

_PERCENT = re.compile(r"([0-9]{1,3})(?:[.,]([0-9]{1,2}))?")
DECIMAL = {"inputmode": "decimal", "autocomplete": "off"}


def reason_field(help_text: Any, *, required: bool = True) -> forms.CharField:
    """One sentence of explanation."""
    return forms.CharField(
        label=_("Why"), max_length=280, help_text=help_text, required=required,
        widget=forms.Textarea(attrs={"rows": 2}), error_messages={"required": _("Say why, in one sentence.")},
    )  # fmt: skip


class FeeForm(forms.Form):
    """The host's fee of a budget: its own, or that of above."""

    own = forms.ChoiceField(label=_("Fee of this budget"), widget=forms.RadioSelect)
    fee = forms.CharField(
        label=_("Its own fee, in per cent"), required=False, max_length=10, widget=forms.TextInput(attrs=DECIMAL),
        help_text=_("For instance 5 or 2,5. 0 is a fee of nothing: it is not the same as leaving it to the host."),
    )  # fmt: skip
    bears = forms.ChoiceField(
        label=_("What the payment provider keeps of a card or debit payment is borne by"), widget=forms.RadioSelect,
        help_text=_("The host’s fee is computed on what was paid, whoever bears it."),
    )  # fmt: skip
    reason = reason_field(_("It is kept in the audit trail."))

    def __init__(self, *args: Any, inherited: str, bearer: str, **kwargs: Any) -> None:
        """Say what the fee is without one of its own, and who bears the provider's; `bearer` empty: no provider."""
        super().__init__(*args, **kwargs)
        bears = self.fields["bears"]
        assert isinstance(bears, forms.ChoiceField)
        bears.choices = [("inherit", bearer), ("host", _("the host")), ("budget", _("the budget"))]
        if not bearer:
            del self.fields["bears"]
        own = self.fields["own"]
        assert isinstance(own, forms.ChoiceField)
        own.choices = [("no", inherited), ("yes", _("one of its own"))]

    def clean(self) -> dict[str, Any]:
        """Basis points, or None when the fee is not set."""
        values: dict[str, Any] = super().clean() or {}
        typed = (values.get("fee") or "").replace("%", "").strip()
        values["fee_bp"] = None
        if values.get("own") == "no" and typed:
            self.add_error("own", _("You wrote a fee: choose “one of its own”, or empty the field."))
        elif values.get("own") == "yes":
            found = _PERCENT.fullmatch(typed)
            if found is None:
                self.add_error("fee", _("Write the fee as a number with two decimals at most, such as 5 or 2,5."))
            else:
                values["fee_bp"] = int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))
        return values


class SurplusForm(forms.Form):
    """What becomes of a surplus that stays with the host."""

    act = forms.ChoiceField(
        label=_("What becomes of it"), widget=forms.RadioSelect,
        error_messages={"required": _("Choose what becomes of this money.")},
    )  # fmt: skip
    reason = reason_field(_("For instance what the payer answered."), required=False)

    def __init__(self, *args: Any, choices: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        """Offer what can be done."""
        super().__init__(*args, **kwargs)
        act = self.fields["act"]
        assert isinstance(act, forms.ChoiceField)
        act.choices = choices


class AccountForm(KeyedForm):
    """The account that money goes back to."""

    name = forms.CharField(
        label=_("Holder of the account"), max_length=70, widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": _("Give the name of the account’s holder, as the bank writes it.")},
    )  # fmt: skip
    iban = forms.CharField(
        label=_("IBAN"), max_length=42, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Copy it from a paper that the payer gave: check that it is theirs."),
        error_messages={"required": _("Give the IBAN of the account.")},
    )  # fmt: skip


class RefundForm(AccountForm):
    """A surplus to give back."""

    reason = reason_field(_("The other treasurers read it."))


class PaymentRefundForm(RefundForm):
    """A payment, or a part of it, to give back."""

    field_order = ("amount", "name", "iban", "reason", "form_key")
    amount = forms.CharField(label=_("Amount"), max_length=40, widget=forms.TextInput(attrs=DECIMAL))

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        """Keep the currency of the payment."""
        super().__init__(*args, **kwargs)
        self.currency = currency

    def clean_amount(self) -> int:
        """Minor units."""
        return _amount(self.cleaned_data["amount"], self.currency)


class PaperForm(KeyedForm):
    """A cheque or cash that was handed over."""

    kind = forms.ChoiceField(
        label=_("What was handed over"), choices=KINDS_OF_PAPER, widget=forms.RadioSelect,
        error_messages={"required": _("Say whether it is a cheque or cash.")},
    )  # fmt: skip
    amount = forms.CharField(
        label=_("Amount"), max_length=40, widget=forms.TextInput(attrs=DECIMAL),
        error_messages={"required": _("Give the amount.")},
    )  # fmt: skip
    received_on = DayField(
        label=_("Handed over on"), error_messages={"required": _("Give the day it was handed over.")}
    )
    drawer = forms.CharField(
        label=_("Who signed the cheque"), max_length=140, required=False, help_text=_("When it is somebody else.")
    )
    number = forms.CharField(label=_("Number of the cheque"), max_length=40, required=False)
    account = forms.ChoiceField(label=_("Account it will be taken to"))
    # Shown once the same cheque was found.
    another = forms.BooleanField(label=_("It is another cheque, of the same number and amount"), required=False)

    def __init__(self, *args: Any, accounts: Sequence[HostBankAccount], currency: str, **kwargs: Any) -> None:
        """Offer these accounts."""
        super().__init__(*args, **kwargs)
        self.currency = currency
        account = self.fields["account"]
        assert isinstance(account, forms.ChoiceField)
        account.choices = [(one.pk, one.name) for one in accounts]
        if len(accounts) == 1:
            account.widget = forms.HiddenInput()
            account.initial = accounts[0].pk

    def clean_amount(self) -> int:
        """Minor units."""
        return _amount(self.cleaned_data["amount"], self.currency)


class DepositForm(KeyedForm):
    """Cheques, or cash, to take to the bank together."""

    papers = forms.MultipleChoiceField(
        label=_("What is taken to the bank"), widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose what is taken to the bank.")},
    )  # fmt: skip
    slip = forms.CharField(
        label=_("Number of the bank’s slip"), max_length=40, required=False,
        help_text=_("As written on the paper that goes with them."),
    )  # fmt: skip

    def __init__(self, *args: Any, rows: Sequence[PaperPayment], **kwargs: Any) -> None:
        """Offer these papers, all ticked."""
        super().__init__(*args, **kwargs)
        papers = self.fields["papers"]
        assert isinstance(papers, forms.MultipleChoiceField)
        papers.choices = [(row.pk, paper_words(row)) for row in rows]
        papers.initial = [row.pk for row in rows]


def paper_words(row: PaperPayment) -> str:
    """A cheque or cash in one line: its payer, its number, its amount."""
    payer = row.drawer or row.pledge.payer_name
    number = f" {row.number}" if row.number else ""
    return f"{payer},{number} {format_money(row.amount, row.currency)}"


class ReturnForm(forms.Form):
    """A cheque that came back unpaid."""

    returned_on = DayField(label=_("Came back on"), error_messages={"required": _("Give the day it came back.")})
    reason = reason_field(_("For instance what the bank says."))

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        """Today, unless another day is given."""
        super().__init__(*args, **kwargs)
        self.fields["returned_on"].initial = today


class UndoForm(forms.Form):
    """Why a deposit is undone."""

    reason = reason_field(_("It is kept in the audit trail."))


def _amount(typed: str, currency: str) -> int:
    """An amount in minor units, or the refusal beside its field."""
    try:
        return parse_amount(typed, currency)
    except DomainError as refusal:
        raise forms.ValidationError(str(refusal)) from refusal
