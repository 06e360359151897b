"""The page of a budget's fee: its own, that of the budget above, or the host's."""

from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from backend.commons.models import Budget
from backend.identity.permissions import require
from backend.payments.fees import bears_provider_fees, rate_of, set_fee, set_provider_fees
from backend.payments.offering import provider_shown
from backend.web.acts import form_page
from backend.web.forms_receipts import FeeForm
from backend.web.pages import AuthedRequest, private
from backend.web.proposals import percent


def inherited_words(budget: Budget) -> str:
    """What the fee of a budget is when it has none of its own, in words."""
    rate = rate_of(budget.parent) if budget.parent is not None else None
    if rate is None or rate.source == "host":
        found = rate or rate_of(Budget(parent=None))
        return _("not set: the host’s fee, %(rate)s now") % {"rate": percent(found.fee_bp)}
    above = rate.budget if rate.budget is not None else budget.parent
    values = {"budget": above.name if above is not None else "", "rate": percent(rate.fee_bp)}
    return _("not set: the fee of %(budget)s, %(rate)s now") % values


def inherited_bearer(budget: Budget) -> str:
    """Who bears the provider's fee of a budget that says nothing of it, in words; empty without a provider."""
    if not provider_shown():
        return ""
    by_budget = budget.parent is not None and bears_provider_fees(budget.parent)
    return _("not set: the budget, as above") if by_budget else _("not set: the host")


def _number(fee_bp: int) -> str:
    """Basis points as they are typed: `5`, `2.5`, `0`."""
    return f"{(Decimal(fee_bp) / 100).normalize():f}"


@private
@require_http_methods(["GET", "HEAD", "POST"])
def budget_fee(request: AuthedRequest, budget_id: str) -> HttpResponseBase:
    """Set the host's fee on what a budget receives from now on. Moves no money."""
    require(request.user, "budget.set_fee")
    budget = get_object_or_404(Budget.objects.select_related("commons", "parent__parent"), pk=budget_id)
    initial = {"own": "no"} if budget.fee_bp is None else {"own": "yes", "fee": _number(budget.fee_bp)}
    said: dict[bool | None, str] = {None: "inherit", True: "budget", False: "host"}
    initial["bears"] = said[budget.bears_provider_fees]
    form = FeeForm(
        request.POST or None, inherited=inherited_words(budget), bearer=inherited_bearer(budget), initial=initial
    )

    def act() -> HttpResponseBase:
        values: dict[str, Any] = {"actor": request.user, "budget_id": budget.pk, "now": timezone.now()}
        values["reason"] = form.cleaned_data["reason"]
        with transaction.atomic():
            set_fee(fee_bp=form.cleaned_data["fee_bp"], **values)
            if "bears" in form.cleaned_data:
                bears = {one: key for key, one in said.items()}[form.cleaned_data["bears"]]
                set_provider_fees(bears=bears, **values)
        messages.success(
            request, _("The fee holds for the receipts to come. No money moved; what was received keeps its own fee.")
        )
        return redirect("budget_page", budget.pk)

    rate = rate_of(budget)
    return form_page(request, form, act, "receipts/fee.html", {"budget": budget, "rate": percent(rate.fee_bp)})


urlpatterns = [path("budgets/<str:budget_id>/fee/", budget_fee, name="budget_fee")]
