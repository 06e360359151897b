"""Forms of organisations, their members, and what is recorded for somebody else."""

from copy import deepcopy
from datetime import date
from typing import Any, cast

from django import forms
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.contributions.models import Contribution
from backend.core.errors import Invalid
from backend.core.money import parse_amount, to_decimal
from backend.identity.inviting import Named
from backend.identity.models import Organisation, Recording, Role, User
from backend.identity.organisations import ROLES, Address, Details
from backend.identity.recordings import Told
from backend.pledges.services import Terms
from backend.web.forms_days import DayField
from backend.web.forms_setup import here, language_field
from backend.web.forms_work import BudgetChoice, ContributionForm, KeyedForm, running_charters

# As somebody says it; of a pledge that is made, the model says the same in other words.
RHYTHMS = [
    ("once", pgettext_lazy("how often one pays", "once")),
    ("monthly", pgettext_lazy("how often one pays", "every month")),
    ("quarterly", pgettext_lazy("how often one pays", "every three months")),
    ("yearly", pgettext_lazy("how often one pays", "every year")),
]
OFF = {"autocomplete": "off"}
FIGURES = {"inputmode": "numeric", **OFF}
MONEY = {"inputmode": "decimal", **OFF}
ROLE_CHOICES = [(kind, name) for kind, name in Role.KINDS if kind in ROLES]


class DetailsForm(forms.Form):
    """What an organisation says of itself."""

    name = forms.CharField(
        label=_("Name of the organisation"), max_length=140,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )  # fmt: skip
    kind = forms.ChoiceField(label=_("Kind"), choices=Organisation.KINDS)
    siren = forms.CharField(
        label=_("SIREN"), required=False, max_length=20, widget=forms.TextInput(attrs=FIGURES),
        help_text=_("Nine figures. Leave it empty if it has none."),
    )  # fmt: skip
    siret = forms.CharField(
        label=_("SIRET"), required=False, max_length=30, widget=forms.TextInput(attrs=FIGURES),
        help_text=_("Fourteen figures: the SIREN, then those of the place. It goes on papers."),
    )  # fmt: skip
    vat_status = forms.ChoiceField(label=_("Value added tax"), choices=Organisation.VAT)
    vat_number = forms.CharField(
        label=_("VAT number"), required=False, max_length=20, widget=forms.TextInput(attrs=OFF),
        help_text=_("Only if it is liable, for instance FR 44 732829320."),
    )  # fmt: skip
    email = forms.CharField(
        label=_("E-mail address for papers"), required=False, max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )  # fmt: skip
    lines = forms.CharField(
        label=_("Address"), required=False, max_length=360, help_text=_("Number and street, three lines at most."),
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "street-address"}),
    )  # fmt: skip
    postal_code = forms.CharField(
        label=_("Postal code"), required=False, max_length=12,
        widget=forms.TextInput(attrs={"autocomplete": "postal-code"}),
    )  # fmt: skip
    city = forms.CharField(
        label=_("City"), required=False, max_length=80, widget=forms.TextInput(attrs={"autocomplete": "address-level2"})
    )  # fmt: skip
    country = forms.CharField(
        label=_("Country"), required=False, max_length=2, help_text=_("Two letters, such as FR or BE."),
        widget=forms.TextInput(attrs={"autocomplete": "country"}),
    )  # fmt: skip

    @property
    def details(self) -> Details:
        """What was typed, for the service."""
        typed = dict(self.cleaned_data)
        address = Address(*(typed.pop(name) for name in ("lines", "postal_code", "city", "country")))
        return Details(**typed, address=address)


class InviteForm(forms.Form):
    """Whom to invite, and as what."""

    name = forms.CharField(label=_("Their name"), max_length=120, widget=forms.TextInput(attrs=OFF))
    email = forms.EmailField(label=_("Their e-mail address"), max_length=254, widget=forms.EmailInput(attrs=OFF))
    language = language_field()
    kind = forms.ChoiceField(label=_("Role"), choices=ROLE_CHOICES, widget=forms.RadioSelect)

    @property
    def who(self) -> Named:
        """The person."""
        return Named(self.cleaned_data["name"], self.cleaned_data["email"], self.cleaned_data["language"])


class MemberForm(forms.Form):
    """A member's role and limits, in one currency."""

    kind = forms.ChoiceField(label=_("Role"), choices=ROLE_CHOICES, widget=forms.RadioSelect)
    per_pledge = forms.CharField(
        label=_("At most per pledge"), required=False, max_length=30, widget=forms.TextInput(attrs=MONEY),
        help_text=_("Empty: no limit. Zero: they pledge nothing."),
    )  # fmt: skip
    per_year = forms.CharField(
        label=_("At most per calendar year"), required=False, max_length=30, widget=forms.TextInput(attrs=MONEY),
        help_text=_("All their pledges of the year together, cancelled ones left out."),
    )  # fmt: skip

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        """Keep the currency of the limits."""
        super().__init__(*args, **kwargs)
        self.currency = currency

    def clean(self) -> dict[str, Any]:
        """Read the amounts; nothing typed is no limit."""
        cleaned: dict[str, Any] = self.cleaned_data
        for name in ("per_pledge", "per_year"):
            typed = cleaned.get(name, "").strip()
            try:
                cleaned[name] = parse_amount(typed, self.currency, minimum=0) if typed else None
            except Invalid as refusal:
                self.add_error(name, forms.ValidationError(refusal.message, code=refusal.code))
        return cleaned


def typed_amount(amount: int | None, currency: str) -> str:
    """An amount as the reader would type it: `12,50` in French, `12.50` in English; empty for none."""
    text = "" if amount is None else f"{to_decimal(amount, currency):f}"
    return text if (get_language() or "fr").startswith("en") else text.replace(".", ",")


class ReasonForm(forms.Form):
    """A reason, told to others."""

    reason = forms.CharField(label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 3}))


# --- recorded for somebody else ---------------------------------------------------------------------------------------


class ToldForm(KeyedForm):
    """How it was said, and how it will be confirmed."""

    channel = forms.ChoiceField(label=_("It came by"), choices=Recording.CHANNELS, widget=forms.RadioSelect)
    told_on = DayField(label=_("On"), help_text=_("The day of the paper, the call or the meeting."))
    note = forms.CharField(
        label=_("Note"), required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Where the paper is kept, who called. Stewards and treasurers read it."),
    )  # fmt: skip
    confirm_by = forms.ChoiceField(
        label=_("They confirm"), choices=Recording.WAYS, widget=forms.RadioSelect, initial="mail",
        help_text=_("By mail: a link that works once. By letter: a page to print, with a code and a line to sign."),
    )  # fmt: skip

    @property
    def told(self) -> Told:
        """What was typed, for the service."""
        typed = self.cleaned_data
        return Told(typed["channel"], typed["told_on"], typed["note"], typed["confirm_by"])


class RecordPledgeForm(ToldForm):
    """The pledge of an organisation that came with a paper or a call."""

    field_order = [
        "organisation", "name", "contact_name", "contact_email", "contact_language", "budget", "amount", "rhythm",
        "ends_on", "channel", "told_on", "note", "confirm_by", "form_key",
    ]  # fmt: skip
    organisation = forms.ChoiceField(label=_("Organisation"), required=False)
    name = forms.CharField(
        label=_("Its name, if it is not in the list"), required=False, max_length=140,
        widget=forms.TextInput(attrs=OFF),
        help_text=_("It is kept as an informal group; its contact can complete it later."),
    )  # fmt: skip
    contact_name = forms.CharField(
        label=_("Name of its contact"), required=False, max_length=120, widget=forms.TextInput(attrs=OFF)
    )
    contact_email = forms.CharField(
        label=_("E-mail address of its contact"), required=False, max_length=254, widget=forms.EmailInput(attrs=OFF),
        help_text=_("They have none? Leave it empty, and let them confirm by letter."),
    )  # fmt: skip
    contact_language = language_field(required=False)
    budget = BudgetChoice(label=_("For"), queryset=Budget.objects.none(), empty_label=None)
    amount = forms.CharField(
        label=_("Amount"), max_length=40, help_text=_("For instance 250 or 1 250,50."),
        widget=forms.TextInput(attrs=MONEY),
    )  # fmt: skip
    rhythm = forms.ChoiceField(label=_("How often"), choices=RHYTHMS, initial="once", required=False)
    ends_on = DayField(
        label=_("Until"), required=False, help_text=_("Leave it empty to go on until they stop it. Not for “once”.")
    )

    def __init__(
        self, *args: Any, organisations: list[Organisation], budgets: list[Budget], today: date, **kwargs: Any
    ) -> None:
        """Offer these organisations and budgets."""
        super().__init__(*args, **kwargs)
        _one_or_the_other(self, "organisation", "name", "contact_name", "contact_email", "contact_language")
        rows = [(row.pk, f"{row.name} ({row.get_kind_display()})") for row in organisations]
        cast(forms.ChoiceField, self.fields["organisation"]).choices = [("", _("one that is not in the list")), *rows]
        choice = cast("forms.ModelChoiceField[Budget]", self.fields["budget"])
        choice.queryset = Budget.objects.select_related("commons").filter(pk__in=[row.pk for row in budgets])
        self.fields["told_on"].initial = today
        self.fields["told_on"].widget.attrs["max"] = today.isoformat()
        self.fields["contact_language"].initial = here()

    def clean(self) -> dict[str, Any]:
        """Read the amount in the currency of the budget; an organisation, or all of a new one."""
        cleaned: dict[str, Any] = self.cleaned_data
        if not cleaned.get("organisation"):
            letter = cleaned.get("confirm_by") == "letter"
            for name in ("name", "contact_name", *(() if letter else ("contact_email",))):
                if not cleaned.get(name, "").strip() and name not in self.errors:
                    self.add_error(name, _("Choose an organisation of the list, or name a new one with its contact."))
        budget = cleaned.get("budget")
        if budget is not None and "amount" in cleaned:
            try:
                cleaned["minor"] = parse_amount(cleaned["amount"], budget.currency)
            except Invalid as refusal:
                self.add_error("amount", forms.ValidationError(refusal.message, code=refusal.code))
        return cleaned

    @property
    def terms(self) -> Terms:
        """How often, and until when."""
        return Terms(rhythm=self.cleaned_data["rhythm"] or "once", ends_on=self.cleaned_data["ends_on"])

    @property
    def contact(self) -> Named | None:
        """The contact of a new organisation."""
        typed = self.cleaned_data
        if typed["organisation"]:
            return None
        return Named(typed["contact_name"], typed["contact_email"], typed["contact_language"] or here())


class RecordWorkForm(ContributionForm, ToldForm):
    """The work of somebody who came with a paper or a call."""

    field_order = [
        "contributor", "name", "email", "language", "budget", "worked_on", "description", "kind", "minutes", "amount",
        "over_cap_reason", "evidence", "channel", "told_on", "note", "confirm_by", "form_key",
    ]  # fmt: skip
    contributor = forms.ChoiceField(label=_("Who worked"), required=False)
    name = forms.CharField(
        label=_("Their name, if they are not in the list"), required=False, max_length=120,
        widget=forms.TextInput(attrs=OFF), help_text=_("They become a contributor of the budget."),
    )  # fmt: skip
    email = forms.CharField(
        label=_("Their e-mail address"), required=False, max_length=254, widget=forms.EmailInput(attrs=OFF),
        help_text=_("They have none? Leave it empty, and let them confirm by letter."),
    )  # fmt: skip
    language = language_field(required=False)

    def __init__(self, *args: Any, people: list[User], budgets: list[Budget], **kwargs: Any) -> None:
        """Offer these people and budgets."""
        super().__init__(*args, **kwargs)
        choice = cast("forms.ModelChoiceField[Budget]", self.fields["budget"])
        choice.queryset = Budget.objects.select_related("commons").filter(pk__in=[row.pk for row in budgets])
        _one_or_the_other(self, "contributor", "name", "email", "language")
        rows = [(row.pk, row.name) for row in people]
        cast(forms.ChoiceField, self.fields["contributor"]).choices = [("", _("somebody not in the list")), *rows]
        today = kwargs["today"]
        self.fields["told_on"].initial = today
        self.fields["told_on"].widget.attrs["max"] = today.isoformat()
        self.fields["language"].initial = here()
        charters = running_charters(Budget.objects.filter(pk__in=[row.pk for row in budgets]))
        known = {kind for charter in charters for kind in charter.kinds}
        cast(forms.ChoiceField, self.fields["kind"]).choices = [one for one in Contribution.KINDS if one[0] in known]
        if any(charter.soft_cap is not None for charter in charters):
            self.fields["over_cap_reason"] = deepcopy(self.base_fields["over_cap_reason"])
            self.order_fields(self.field_order)

    def clean(self) -> dict[str, Any]:
        """A person of the list, or the name and address of another."""
        cleaned = super().clean()
        if not cleaned.get("contributor"):
            letter = cleaned.get("confirm_by") == "letter"
            for name in ("name", *(() if letter else ("email",))):
                if not cleaned.get(name, "").strip() and name not in self.errors:
                    self.add_error(name, _("Choose a person of the list, or give a name and an address."))
        return cleaned

    @property
    def somebody(self) -> Named | None:
        """Who is not in the list."""
        typed = self.cleaned_data
        return None if typed["contributor"] else Named(typed["name"], typed["email"], typed["language"] or here())

    @property
    def facts(self) -> dict[str, Any]:
        """The work itself, for the service."""
        names = ("worked_on", "description", "kind", "minutes", "amount", "evidence", "over_cap_reason")
        return {name: self.cleaned_data[name] for name in names if name in self.cleaned_data}


def _one_or_the_other(form: forms.Form, *names: str) -> None:
    """Do not call fields optional of which one or the other is needed."""
    for name in names:
        form.fields[name].conditional = True  # type: ignore[attr-defined]  # read by the templates


class LetterForm(forms.Form):
    """The signed letter that came back."""

    letter_on = DayField(label=_("Date on the signed letter"))


class AddressForm(forms.Form):
    """The address of somebody who had none."""

    email = forms.EmailField(label=_("Their e-mail address"), max_length=254, widget=forms.EmailInput(attrs=OFF))


class CodeForm(forms.Form):
    """The code of a letter."""

    code = forms.CharField(
        label=_("Code of the letter"), max_length=64,
        help_text=_("Twenty letters and figures; spaces and case do not matter."),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autocapitalize": "characters"}),
    )  # fmt: skip
