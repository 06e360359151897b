"""What was forgotten in one's own work that was shared out: declared as a difference, in the period that is open."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from backend.contributions.corrections import add_to
from backend.contributions.models import Contribution
from backend.contributions.peers import require_state
from backend.core.durations import parse_duration
from backend.core.errors import Forbidden, Invalid
from backend.core.money import parse_amount
from backend.web.acts import form_page
from backend.web.forms_work import KeyedForm
from backend.web.pages import AuthedRequest, private


class CorrectionForm(KeyedForm):
    """How much was forgotten, and why."""

    minutes = forms.CharField(
        label=gettext_lazy("Time that was forgotten"), help_text=gettext_lazy("90, 1h30 or 1:30"), required=False,
        max_length=20,
    )  # fmt: skip
    amount = forms.CharField(
        label=gettext_lazy("Amount that was forgotten"), required=False, max_length=30,
        help_text=gettext_lazy("What is added to the request, not the whole of it."),
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )  # fmt: skip
    reason = forms.CharField(
        label=gettext_lazy("What was forgotten, and why"), max_length=500, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Those who review it read it."),
        error_messages={"required": gettext_lazy("Describe the work in 1 to 500 characters.")},
    )  # fmt: skip
    over_cap_reason = forms.CharField(
        label=gettext_lazy("Why this much"), required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Only for a request above the amount from which the charter asks why."),
    )  # fmt: skip

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        """In the currency of the contribution."""
        super().__init__(*args, **kwargs)
        self.currency = currency

    def clean_minutes(self) -> int:
        """Minutes; none for nothing."""
        try:
            return parse_duration(self.cleaned_data["minutes"])
        except Invalid as refusal:
            raise forms.ValidationError(refusal.message, code=refusal.code) from refusal

    def clean_amount(self) -> int:
        """Minor units; none for nothing."""
        if not self.cleaned_data["amount"].strip():
            return 0
        try:
            return parse_amount(self.cleaned_data["amount"], self.currency, minimum=0)
        except Invalid as refusal:
            raise forms.ValidationError(refusal.message, code=refusal.code) from refusal


@private
@require_http_methods(["GET", "HEAD", "POST"])
def correction_new(request: AuthedRequest, contribution_id: str) -> HttpResponseBase:
    """Declare the difference. Moves no money."""
    rows = Contribution.visible_to(request.user).select_related("budget__commons", "contributor", "period__charter")
    booked = get_object_or_404(rows, pk=contribution_id)
    if booked.contributor_id != request.user.pk:
        raise Forbidden(
            "contribution_of_another", _("Only its contributor declares what was forgotten in it. Nothing was changed.")
        )
    require_state(booked, "settled")
    form = CorrectionForm(request.POST or None, currency=booked.currency)

    def act() -> HttpResponseBase:
        made = add_to(actor=request.user, contribution_id=booked.pk, now=timezone.now(), **form.cleaned_data)
        messages.success(request, _("The correction is declared. It now awaits its review; no money moved."))
        return redirect("contribution_page", made.pk)

    return form_page(request, form, act, "work/correction.html", {"contribution": booked})


urlpatterns = [
    path("contributions/<str:contribution_id>/correction/", correction_new, name="correction_new"),
]
