"""Forms of an import of HelloAsso: the file, then which budget each campaign is for, and which payments are gifts."""

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.payments.helloasso_file import MAX_BYTES
from backend.payments.helloasso_plan import AS_GIFT, LEAVE_OUT, Choices, Plan, giving_budgets
from backend.payments.models import HelloAssoCampaign


def too_large() -> str:
    """The sentence about a file over the limit."""
    return str(_("This file is larger than 4 MB: export fewer months at once."))


class ExportForm(forms.Form):
    """An export, weighed before anything reads it."""

    file = forms.FileField(
        label=_("Export of HelloAsso"),
        help_text=_("The list of payments, as CSV, with all its columns. 4 MB and 2,000 payments at most."),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt"}),
        max_length=100,
        error_messages={
            "required": _("Choose the file that you downloaded from HelloAsso."),
            "missing": _("Choose the file that you downloaded from HelloAsso."),
            "invalid": _("Choose the file that you downloaded from HelloAsso."),
            "empty": _("This file is empty: download it from HelloAsso again."),
            "max_length": _("The name of this file is too long: shorten it to 100 characters."),
        },
    )

    def clean_file(self) -> "UploadedFile[bytes]":
        """Refuse a file over the limit without reading it."""
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > MAX_BYTES:
            raise forms.ValidationError(too_large(), code="helloasso_too_large")
        return file


class ChoicesForm(forms.Form):
    """What a person says in the preview: a budget for each campaign, and for each pledge that is shown whether the
    payment pays it."""

    stash = forms.CharField(max_length=64, widget=forms.HiddenInput)
    file_name = forms.CharField(max_length=100, widget=forms.HiddenInput)

    def __init__(self, *args: Any, plan: Plan, **kwargs: Any) -> None:
        """Ask what the file leaves open."""
        super().__init__(*args, **kwargs)
        self.places = {f"campaign_{number}": name for number, name in enumerate(plan.campaigns)}
        kept = dict(HelloAssoCampaign.objects.filter(name__in=plan.campaigns).values_list("name", "budget"))
        budgets: list[tuple[str, str | Promise]] = [(one.pk, _named(one)) for one in giving_budgets()]
        for field, name in self.places.items():
            self.fields[field] = forms.ChoiceField(
                label=name or _("Payments without a campaign"),
                choices=[("", _("Choose")), *budgets, (LEAVE_OUT, _("no budget: leave these payments out"))],
                initial=(kept[name] or LEAVE_OUT) if name in kept else "",
                error_messages={"required": _("Say which budget this campaign is for.")},
            )
        self.asked = {
            f"pledge_{part.row.line}": part for part in plan.paid + plan.left_out
            if (part.pledge or part.suggested) and part.how != "reference"
        }  # fmt: skip
        for field, part in self.asked.items():
            pledge = part.pledge or part.suggested
            assert pledge is not None
            self.fields[field] = forms.ChoiceField(
                label=_("Line %(line)s, %(name)s") % {"line": part.row.line, "name": part.row.name},
                choices=[
                    ("pledge", _("pays the pledge of %(name)s") % {"name": pledge.payer_name}),
                    (AS_GIFT, _("is a gift of its own")),
                ],
                initial="pledge",
                required=False,
            )

    @property
    def of_campaigns(self) -> list[forms.BoundField]:
        """The fields of the campaigns."""
        return [self[field] for field in self.places]

    @property
    def of_pledges(self) -> list[forms.BoundField]:
        """The fields of the payments that look like pledges."""
        return [self[field] for field in self.asked]


def choices_sent(form: ChoicesForm, plan: Plan) -> Choices:
    """What was chosen, as it was sent; what was not stays open."""
    return Choices(
        campaigns={name: str(form.data.get(field, "")) for field, name in form.places.items()},
        payments={
            part.row.payment: AS_GIFT for field, part in form.asked.items() if form.data.get(field) == AS_GIFT
        },
    )  # fmt: skip


def _named(budget: Budget) -> str:
    return budget.name if budget.name == budget.commons.name else f"{budget.commons.name} › {budget.name}"
