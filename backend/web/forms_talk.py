"""Forms of what is said of a contribution before it is accepted, and of what its contributor changes in it."""

from decimal import Decimal
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from backend.contributions.models import Contribution
from backend.core.errors import Invalid
from backend.core.money import exponent, parse_amount
from backend.web.charter_fields import typed
from backend.web.forms_work import ContributionForm

SAID = 1000


def _area(rows: int = 3) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows})


class QuestionForm(forms.Form):
    """What one wants to know before one agrees."""

    text = forms.CharField(
        label=_("Your question"), max_length=SAID, widget=_area(),
        help_text=_("The contributor answers here. Until then nobody can approve it."),
        error_messages={"required": _("Write your question.")},
    )  # fmt: skip


class AnswerForm(forms.Form):
    """The contributor's answer."""

    answer = forms.CharField(
        label=_("Your answer"), max_length=SAID, widget=_area(),
        help_text=_("Everyone in the budget reads it. It cannot be changed afterwards."),
        error_messages={"required": _("Write your answer.")},
    )  # fmt: skip


class ObjectionForm(forms.Form):
    """Why it should not be accepted as it stands."""

    reason = forms.CharField(
        label=_("Why you object"), max_length=SAID, widget=_area(),
        help_text=_("Everyone in the budget reads it, with your name. Nobody can approve it before this has ended."),
        error_messages={"required": _("Say why you object.")},
    )  # fmt: skip


class OpinionForm(forms.Form):
    """What an uninvolved steward decides of an objection."""

    upholds = forms.ChoiceField(
        label=_("What you decide"), widget=forms.RadioSelect,
        choices=[
            ("no", _("The objection is set aside: the contribution awaits its review again")),
            ("yes", _("The objection is upheld: the contribution is rejected")),
        ],
        error_messages={"required": _("Choose one of the two.")},
    )  # fmt: skip
    reason = forms.CharField(
        label=_("Why"), max_length=500, widget=_area(),
        help_text=_("Both people read it. What you decide cannot be changed."),
        error_messages={"required": _("Say why.")},
    )  # fmt: skip


class DistributionOpinionForm(OpinionForm):
    """What an uninvolved steward decides of an objection to a distribution."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Say what comes of each answer."""
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["upholds"]).choices = [
            ("no", _("The objection is set aside: the distribution can be approved as it is")),
            ("yes", _("The objection is upheld: other amounts must be agreed on before it can be approved")),
        ]
        self.fields["reason"].help_text = _("Everyone in the budget reads it. What you decide cannot be changed.")


class AmendForm(ContributionForm):
    """One's own contribution, to change before it is validated; its budget stays."""

    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, contribution: Contribution, **kwargs: Any) -> None:
        """Begin with what it says now."""
        self.contribution = contribution
        super().__init__(*args, **kwargs)
        self.initial.update({**facts_of(contribution), "version": contribution.version})
        self.initial["worked_on"] = contribution.worked_on
        del self.fields["budget"], self.fields["form_key"]
        kinds = contribution.period.charter.kinds
        cast(forms.ChoiceField, self.fields["kind"]).choices = [
            one for one in Contribution.KINDS if one[0] in kinds or one[0] == contribution.kind
        ]

    def _ask_of_twin(self, cleaned: dict[str, Any]) -> None:
        """What is changed is declared already."""

    def clean(self) -> dict[str, Any]:
        """Read the amount in the currency of its budget."""
        self.cleaned_data["budget"] = self.contribution.budget
        cleaned = super().clean()
        del cleaned["budget"]
        return cleaned

    def changes(self) -> dict[str, Any]:
        """What the service takes: all the facts of the form but the version."""
        return {name: value for name, value in self.cleaned_data.items() if name != "version"}


def facts_of(contribution: Contribution) -> dict[str, Any]:
    """What the fields of a form show of a contribution, as one types it; the day is left to the form."""
    amount = Decimal(contribution.amount) / 10 ** exponent(contribution.currency)
    return {
        "minutes": _hours(contribution.minutes),
        "description": contribution.description,
        "kind": contribution.kind,
        "amount": typed(amount) if contribution.amount else "",
        "over_cap_reason": contribution.over_cap_reason,
        "evidence": "\n".join(contribution.evidence),
    }


def _hours(minutes: int) -> str:
    """Minutes as one types them."""
    if not minutes:
        return ""
    hours, rest = divmod(minutes, 60)
    return f"{hours}h{rest:02d}" if hours else str(rest)


class WaiveForm(forms.Form):
    """How much of a request its contributor gives up."""

    how_much = forms.ChoiceField(
        label=_("What you give up"), widget=forms.RadioSelect,
        choices=[("all", _("All of it")), ("part", _("A part of the amount asked"))],
        error_messages={"required": _("Choose one of the two.")},
    )  # fmt: skip
    amount = forms.CharField(
        label=_("Amount given up"), required=False, max_length=30,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text=_("Only for a part: less than what is asked."),
    )  # fmt: skip
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, contribution: Contribution, **kwargs: Any) -> None:
        """Offer what there is to give up: an expense has nothing left without its amount."""
        super().__init__(*args, **kwargs)
        self.initial["version"] = contribution.version
        self.currency = contribution.currency
        choice = cast(forms.ChoiceField, self.fields["how_much"])
        kept = [
            one
            for one in cast("list[tuple[str, Any]]", choice.choices)
            if not (one[0] == "all" and contribution.kind == "expense")
            and not (one[0] == "part" and not contribution.amount)
        ]
        choice.choices = kept
        if len(kept) == 1:
            choice.initial = kept[0][0]
        if all(one[0] != "part" for one in kept):
            del self.fields["amount"]

    def clean(self) -> dict[str, Any]:
        """Read the amount of a part; None for all."""
        cleaned: dict[str, Any] = self.cleaned_data
        text, cleaned["amount"] = cleaned.get("amount", "").strip(), None
        if cleaned.get("how_much") == "part":
            try:
                cleaned["amount"] = parse_amount(text, self.currency)
            except Invalid as refusal:
                self.add_error("amount", forms.ValidationError(refusal.message, code=refusal.code))
        return cleaned
