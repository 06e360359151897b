"""What a contributor does with one contribution: amend it, give it up, withdraw it, declare or delete a draft."""

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from backend.contributions.models import Contribution
from backend.contributions.own import amend, declare_draft, delete_draft, require_own, waive
from backend.contributions.services import withdraw as withdraw_work
from backend.core.errors import Conflict, Invalid
from backend.identity.models import User
from backend.identity.services import host_day
from backend.web.forms import add_domain_error
from backend.web.forms_talk import AmendForm, WaiveForm
from backend.web.pages import AuthedRequest, private
from backend.web.talk import AMENDABLE, WITHDRAWABLE, seen


def _mine(actor: User, contribution_id: str) -> Contribution:
    """One's own contribution; another's that one sees is refused as the service would."""
    contribution = seen(actor, contribution_id)
    require_own(actor, contribution)
    return contribution


@private
@require_http_methods(["GET", "HEAD", "POST"])
def amend_page(request: AuthedRequest, contribution_id: str) -> HttpResponseBase:
    """Change one's own contribution before it is validated. Moves no money."""
    contribution = _mine(request.user, contribution_id)
    now = timezone.now()
    form = AmendForm(request.POST or None, contribution=contribution, actor=request.user, today=host_day(now))
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                amend(
                    actor=request.user, contribution_id=contribution.pk, changes=form.changes(), now=now,
                    version=form.cleaned_data["version"],
                )  # fmt: skip
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                messages.success(request, _("Your contribution says this now. No money moved."))
                return redirect("contribution_page", contribution.pk)
    elif contribution.state not in AMENDABLE:
        return redirect("contribution_page", contribution.pk)
    context = {
        "form": form,
        "contribution": contribution,
        "approvals": contribution.reviews.filter(verdict="approve", version=contribution.version).count(),
        "held": contribution.state == "questioned",
    }
    return render(request, "work/amend.html", context, status=status)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def waive_page(request: AuthedRequest, contribution_id: str) -> HttpResponseBase:
    """Give up all or part of what one asked. Moves no money."""
    contribution = _mine(request.user, contribution_id)
    form = WaiveForm(request.POST or None, contribution=contribution)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                waive(
                    actor=request.user, contribution_id=contribution.pk, now=timezone.now(),
                    amount=form.cleaned_data["amount"], version=form.cleaned_data["version"],
                )  # fmt: skip
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                messages.success(request, _("It is given up; the work stays to be seen. No money moved."))
                return redirect("contribution_page", contribution.pk)
    elif contribution.state not in WITHDRAWABLE:
        return redirect("contribution_page", contribution.pk)
    return render(request, "work/waive.html", {"form": form, "contribution": contribution}, status=status)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: AuthedRequest, contribution_id: str) -> HttpResponseBase:
    """Take back one's own contribution. Moves no money."""
    contribution = get_object_or_404(
        Contribution.visible_to(request.user).filter(contributor=request.user).select_related("budget"),
        pk=contribution_id,
    )
    if request.method == "POST":
        withdraw_work(actor=request.user, contribution_id=contribution.pk, now=timezone.now())
        messages.success(request, _("Your contribution is withdrawn. No money moved."))
        return redirect("contribution_page", contribution.pk)
    if contribution.state not in WITHDRAWABLE:
        return redirect("contribution_page", contribution.pk)
    return render(request, "work/withdraw.html", {"contribution": contribution})


@private
@require_POST
def draft_declare(request: AuthedRequest, contribution_id: str) -> HttpResponseBase:
    """Declare a draft as it stands. Moves no money."""
    contribution = _mine(request.user, contribution_id)
    try:
        declare_draft(actor=request.user, contribution_id=contribution.pk, now=timezone.now())
    except Invalid as refusal:  # something is missing: the form to complete it says what
        messages.error(request, str(refusal))
        return redirect("amend", contribution.pk)
    messages.success(request, _("Your contribution is declared. It now awaits its review; no money moved."))
    return redirect("contribution_page", contribution.pk)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def draft_delete(request: AuthedRequest, contribution_id: str) -> HttpResponseBase:
    """Delete a draft that nobody else has seen. Moves no money."""
    contribution = _mine(request.user, contribution_id)
    if request.method == "POST":
        delete_draft(actor=request.user, contribution_id=contribution.pk)
        messages.success(request, _("The draft is deleted. No money moved."))
        return redirect("work")
    if contribution.state != "draft":
        return redirect("contribution_page", contribution.pk)
    return render(request, "work/draft_delete.html", {"contribution": contribution})


urlpatterns = [
    path("contributions/<str:contribution_id>/amend/", amend_page, name="amend"),
    path("contributions/<str:contribution_id>/waive/", waive_page, name="waive"),
    path("contributions/<str:contribution_id>/withdraw/", withdraw, name="withdraw"),
    path("contributions/<str:contribution_id>/declare/", draft_declare, name="draft_declare"),
    path("contributions/<str:contribution_id>/delete/", draft_delete, name="draft_delete"),
]
