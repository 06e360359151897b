"""What was given too much for work that was shared out: proposed on one page, decided on another. Moves no money."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from backend.commons.services import tree_of
from backend.contributions.adjustment_models import Adjustment
from backend.contributions.adjustments import (
    adjustments_for,
    decide_adjustment,
    most,
    propose_adjustment,
    withdraw_adjustment,
)
from backend.contributions.models import Contribution
from backend.core.durations import parse_duration
from backend.core.errors import Conflict, Invalid
from backend.core.money import parse_amount
from backend.identity.permissions import may, require, who_may
from backend.web.acts import form_page
from backend.web.forms import add_domain_error
from backend.web.forms_work import KeyedForm
from backend.web.pages import AuthedRequest, private


class TooMuchForm(KeyedForm):
    """How much too much was given, in what was shared: minutes, or an amount."""

    reason = forms.CharField(
        label=gettext_lazy("What was wrong"), max_length=500, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("The contributor and those who decide read it."),
        error_messages={"required": gettext_lazy("Give the reason in 1 to 500 characters.")},
    )  # fmt: skip

    def __init__(self, *args: Any, contribution: Contribution, **kwargs: Any) -> None:
        """The field of what counts."""
        super().__init__(*args, **kwargs)
        self.contribution = contribution
        self.unit = "amount" if contribution.amount_counts else "minutes"
        label, hint = (
            (gettext_lazy("Amount given too much"), gettext_lazy("For instance 45 or 45,00."))
            if self.unit == "amount"
            else (gettext_lazy("Time validated too much"), gettext_lazy("90, 1h30 or 1:30"))
        )
        self.fields[self.unit] = forms.CharField(label=label, help_text=hint, max_length=30)
        self.order_fields([self.unit, "reason"])

    def clean(self) -> dict[str, Any]:
        """Both units as numbers, one of them zero."""
        found = {"minutes": 0, "amount": 0, **(super().clean() or {})}
        if isinstance(found[self.unit], str):
            try:
                found[self.unit] = (
                    parse_amount(found["amount"], self.contribution.currency)
                    if self.unit == "amount"
                    else parse_duration(found["minutes"])
                )
            except Invalid as refusal:
                self.add_error(self.unit, str(refusal))
        return found


class DecisionForm(forms.Form):
    """Agree, refuse with a reason, or take back."""

    act = forms.CharField(max_length=10)
    reason = forms.CharField(
        label=gettext_lazy("Reason"), required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Needed for a refusal. The contributor reads it."),
    )  # fmt: skip


@private
@require_http_methods(["GET", "HEAD", "POST"])
def adjustment_new(request: AuthedRequest, contribution_id: str) -> HttpResponseBase:
    """Propose to keep back, from later work, what was given too much."""
    rows = Contribution.visible_to(request.user).select_related(
        "budget__commons", "budget__parent", "contributor", "period__charter"
    )
    booked = get_object_or_404(rows, pk=contribution_id)
    if booked.contributor_id != request.user.pk:
        require(request.user, "adjustment.propose", scopes=tree_of(booked.budget))
    form = TooMuchForm(request.POST or None, contribution=booked)

    def act() -> HttpResponseBase:
        made = propose_adjustment(
            actor=request.user, contribution_id=booked.pk, now=timezone.now(), **form.cleaned_data
        )
        messages.success(
            request, _("The correction is proposed: a steward who is not involved decides. No money moved.")
        )
        return redirect("adjustment_page", made.pk)

    minutes, amount = most(booked)
    context = {
        "contribution": booked, "most_minutes": minutes, "most_amount": amount,
        "deciders": _deciders(booked, request.user.pk),
    }  # fmt: skip
    return form_page(request, form, act, "work/adjustment_new.html", context)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def adjustment_page(request: AuthedRequest, adjustment_id: str) -> HttpResponseBase:
    """One correction: what it says, who decided, from what it was kept back; and the decision."""
    row = get_object_or_404(adjustments_for(request.user), pk=adjustment_id)
    form, status = DecisionForm(request.POST or None), 200
    if request.method == "POST":
        if request.POST.get("act") != "withdraw":
            require(request.user, "adjustment.decide", scopes=tree_of(row.contribution.budget))
        status = 422
        if form.is_valid():
            try:
                messages.success(request, _decided(request, row, **form.cleaned_data))
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                return redirect("adjustment_page", row.pk)
    involved = request.user.pk in (row.proposed_by_id, row.contributor_id)
    context = {
        "row": row,
        "deciders": _deciders(row.contribution, row.proposed_by_id) if row.state == "proposed" else [],
        "form": form,
        "parts": row.parts.select_related("contribution").order_by("pk"),
        "may_decide": row.state == "proposed"
        and not involved
        and may(request.user, "adjustment.decide", scopes=tree_of(row.contribution.budget)),
        "may_withdraw": row.state == "proposed" and row.proposed_by_id == request.user.pk,
    }
    return render(request, "work/adjustment.html", context, status=status)


def _deciders(contribution: Contribution, proposed_by: str) -> list[str]:
    """The names of the stewards who neither propose nor did the work."""
    people = who_may("adjustment.decide", scopes=tree_of(contribution.budget))
    return [one.name for one in people if one.pk not in (proposed_by, contribution.contributor_id)]


def _decided(request: AuthedRequest, row: Adjustment, *, act: str, reason: str) -> str:
    now = timezone.now()
    if act == "withdraw":
        withdraw_adjustment(actor=request.user, adjustment_id=row.pk, now=now)
        return _("The correction is withdrawn. No money moved.")
    if act not in ("agree", "refuse"):
        raise Invalid("verdict_unknown", _("Agree to the correction, or refuse it."))
    made = decide_adjustment(actor=request.user, adjustment_id=row.pk, agrees=act == "agree", reason=reason, now=now)
    if made.state == "agreed":
        return _("The correction is agreed: it is kept back from the next work that is shared. No money moved.")
    return _("The correction is refused. No money moved.")


urlpatterns = [
    path("contributions/<str:contribution_id>/adjustment/", adjustment_new, name="adjustment_new"),
    path("adjustments/<slug:adjustment_id>/", adjustment_page, name="adjustment_page"),
]
