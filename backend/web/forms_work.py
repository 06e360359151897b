"""Forms of contributors, reviewers and treasurers: they read what was typed; the domain decides."""

from datetime import date
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget, Charter
from backend.contributions.models import Contribution
from backend.contributions.own import same_as
from backend.contributions.places import declarable
from backend.core.durations import parse_duration
from backend.core.errors import Invalid
from backend.core.money import parse_amount
from backend.identity.models import User
from backend.web.forms import new_form_key
from backend.web.forms_days import DayField


class KeyedForm(forms.Form):
    """A form that is sent once, however often the button is pressed."""

    form_key = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make the key of a blank form."""
        super().__init__(*args, **kwargs)
        if not self.is_bound:
            self.initial.setdefault("form_key", new_form_key())


class BudgetChoice(forms.ModelChoiceField):  # type: ignore[type-arg]  # generic for the checker alone
    """A budget, named after its commons when that says more."""

    def label_from_instance(self, obj: Any) -> str:
        """`Cartolibre`, or `Cartolibre › Maintenance`."""
        return obj.name if obj.name == obj.commons.name else f"{obj.commons.name} › {obj.name}"


ESTIMATED = {"budget", "kind", "minutes", "amount"}


class ContributionForm(KeyedForm):
    """What was done, for which budget, how long it took and what is asked for it.

    For an estimate it reads those four alone: the rest may still be empty or wrong.
    """

    minutes = forms.CharField(label=_("Time spent"), help_text=_("90, 1h30 or 1:30"), required=False, max_length=20)
    budget = BudgetChoice(
        label=_("For"),
        queryset=Budget.objects.none(),
        empty_label=None,
        error_messages={
            "required": _("Choose the budget that this work is for."),
            "invalid_choice": _("Choose one of your budgets."),
        },
    )
    description = forms.CharField(
        label=_("Work done"),
        max_length=500,
        help_text=_("One sentence that the others of the budget will understand. It is public once it is paid."),
        error_messages={
            "required": _("Describe the work in 1 to 500 characters."),
            "max_length": _("Describe the work in 1 to 500 characters."),
        },
    )
    kind = forms.ChoiceField(
        label=_("Kind of work"),
        choices=Contribution.KINDS,
        error_messages={
            "required": _("Choose a kind of work."),
            "invalid_choice": _("Choose a kind of work from the list."),
        },
    )
    amount = forms.CharField(
        label=_("Amount asked"),
        help_text=_("For instance 45 or 45,00. Zero is possible: volunteering is shown too."),
        required=False,
        max_length=30,
    )
    over_cap_reason = forms.CharField(
        label=_("Why this much"),
        help_text=_("Only for a request above the amount from which the charter asks why."),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"max_length": _("Give the reason in 500 characters at most.")},
    )
    worked_on = DayField(
        label=_("Day of the work"),
        error_messages={
            "required": _("Give the day of the work."),
            "invalid": _("Write the day as 2026-03-31 or 31/03/2026."),
        },
    )
    evidence = forms.CharField(
        label=_("Links that show it"),
        help_text=_("One address a line, starting with http:// or https://, 10 at most."),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        max_length=6000,
    )

    twice = forms.BooleanField(
        label=_("This is other work than what I declared with the same words: declare it too"), required=False
    )

    def __init__(self, *args: Any, actor: User, today: date, estimates: bool = False, **kwargs: Any) -> None:
        """Offer the budgets where the person may declare, the kinds that their charters have, and today."""
        super().__init__(*args, **kwargs)
        self.actor, self.today, self.estimates = actor, today, estimates
        choice = cast("forms.ModelChoiceField[Budget]", self.fields["budget"])
        choice.queryset = declarable(actor)
        charters = running_charters(choice.queryset)
        kinds = {kind for charter in charters for kind in charter.kinds}
        cast(forms.ChoiceField, self.fields["kind"]).choices = [one for one in Contribution.KINDS if one[0] in kinds]
        if all(charter.soft_cap is None for charter in charters):
            del self.fields["over_cap_reason"]
        self.asked_twice = self.fields["twice"]
        if "twice" not in self.data:
            del self.fields["twice"]  # until it matters
        self.fields["worked_on"].initial = today
        self.fields["minutes"].widget.attrs["inputmode"] = "text"
        self.fields["amount"].widget.attrs["inputmode"] = "decimal"
        self.fields["worked_on"].widget.attrs["max"] = today.isoformat()

    def with_amount(self, text: str) -> "ContributionForm":
        """The same form with another amount typed in."""
        data = {name: self.data.get(name) for name in self.data} | {"amount": text}
        return ContributionForm(data, actor=self.actor, today=self.today, estimates=self.estimates)

    def clean_minutes(self) -> int:
        """Minutes."""
        try:
            return parse_duration(self.cleaned_data["minutes"])
        except Invalid as refusal:
            raise forms.ValidationError(refusal.message, code=refusal.code) from refusal

    def clean_evidence(self) -> list[str]:
        """One link a line."""
        return [line.strip() for line in self.cleaned_data["evidence"].splitlines() if line.strip()]

    def clean(self) -> dict[str, Any]:
        """Read the amount in the currency of the budget; nothing typed is zero."""
        cleaned: dict[str, Any] = self.cleaned_data
        budget = cleaned.get("budget")
        typed = cleaned.get("amount", "").strip()
        if budget is not None and "amount" in cleaned:
            try:
                cleaned["amount"] = parse_amount(typed, budget.currency, minimum=0) if typed else 0
            except Invalid as refusal:
                self.add_error("amount", forms.ValidationError(refusal.message, code=refusal.code))
        if self.estimates:
            for name in set(self.errors) - ESTIMATED:
                del self.errors[name]
        elif not self.errors and not cleaned.get("twice"):
            self._ask_of_twin(cleaned)
        cleaned.pop("twice", None)
        return cleaned

    def _ask_of_twin(self, cleaned: dict[str, Any]) -> None:
        """Have the person say whether work that they declared with the same words is other work."""
        facts = {name: cleaned[name] for name in ("budget", "worked_on", "kind", "minutes", "description")}
        twin = same_as(actor=self.actor, **facts)
        if twin is not None and twin.form_key != cleaned["form_key"]:
            self.fields["twice"] = self.asked_twice
            said = _("The same work of the same day is declared already (%(id)s). If this is other work, tick the box.")
            self.add_error("twice", forms.ValidationError(said % {"id": twin.pk}, code="declared_already"))


def running_charters(budgets: "QuerySet[Budget]") -> list[Charter]:
    """The charters of the open periods of the commons that have these budgets."""
    commons = budgets.order_by().values("commons")
    return list(Charter.objects.filter(periods__state="open", budget__commons__in=commons).distinct())


class ReviewForm(forms.Form):
    """What a reviewer says of a contribution; the verdict is that of the button."""

    verdict = forms.CharField(max_length=20)
    # That the reviewer read: one that was amended since is not approved unread.
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    minutes = forms.CharField(
        label=_("Time that you validate"), required=False, max_length=20,
        help_text=_("90, 1h30 or 1:30. Empty: as declared. With several reviewers the middle one counts."),
    )  # fmt: skip
    reason = forms.CharField(
        label=_("Reason for rejecting"),
        help_text=_("The contributor reads it."),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={
            "required": _("Say why the contribution is rejected."),
            "max_length": _("Give the reason in 500 characters at most."),
        },
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Only a rejection needs a reason."""
        super().__init__(*args, **kwargs)
        if self.data.get("verdict") == "approve":
            self.fields["reason"].required = False

    def clean_minutes(self) -> int | None:
        """Minutes; None when nothing is written, or with a rejection."""
        if not self.cleaned_data["minutes"].strip() or self.data.get("verdict") != "approve":
            return None
        try:
            return parse_duration(self.cleaned_data["minutes"])
        except Invalid as refusal:
            raise forms.ValidationError(refusal.message, code=refusal.code) from refusal


class AccountForm(forms.Form):
    """Where a contributor wants to be paid."""

    name = forms.CharField(
        label=_("Holder of the account"),
        help_text=_("As the bank writes it."),
        max_length=70,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        error_messages={"required": _("Give the name of the account’s holder, as the bank writes it.")},
    )
    iban = forms.CharField(
        label=_("IBAN"),
        help_text=_("On your bank's account paper. Spaces do not matter."),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": _("Give the IBAN of the account.")},
    )


class ReasonForm(forms.Form):
    """Why a batch is refused."""

    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("It stays with the batch; the other treasurer reads it."),
        max_length=280,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": _("Say why the batch is refused.")},
    )


class StatementForm(forms.Form):
    """A statement file, weighed before anything reads it."""

    file = forms.FileField(
        label=_("Statement file"),
        help_text=_(
            "camt.053 (XML), MT940, OFX or CSV, as the bank gives it, or its answer to a payment file (pain.002). "
            "20 MB at most."
        ),
        widget=forms.ClearableFileInput(attrs={"accept": ".xml,.sta,.mt940,.940,.txt,.ofx,.qfx,.csv"}),
        error_messages={
            "required": _("Choose the statement file that you downloaded from the bank."),
            "empty": _("This file is empty: download the statement from the bank again."),
            "missing": _("Choose the statement file that you downloaded from the bank."),
            "invalid": _("Choose the statement file that you downloaded from the bank."),
        },
    )

    def clean_file(self) -> "UploadedFile[bytes]":
        """Refuse a file over the limit without reading it."""
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > settings.STATEMENT_MAX_BYTES:
            raise forms.ValidationError(too_large(), code="statement_too_large")
        return file


def too_large() -> str:
    """The sentence about a file over the limit."""
    return _("This file is larger than %(limit)s MB: download a shorter period from the bank.") % {
        "limit": settings.STATEMENT_MAX_BYTES // (1024 * 1024)
    }


class ConfirmImportForm(forms.Form):
    """The second step of an import: which preview, and whether a gap is accepted."""

    stash = forms.CharField(max_length=64, widget=forms.HiddenInput)
    accept_gap = forms.BooleanField(
        label=_("Import it although it does not tie: I asked the bank about the gap"), required=False
    )
