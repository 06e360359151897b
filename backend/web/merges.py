"""Two accounts of one person: the page that asks, and the one behind the link that the other account confirms on."""

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from backend.core.errors import Conflict, Invalid
from backend.identity.merges import ask_merge, awaited_merge, withdraw_merge
from backend.identity.models import User
from backend.privacy.merging import confirm_merge, going, merge_hindrances, merge_to_confirm
from backend.web.forms import add_domain_error
from backend.web.forms_accounts import MergeForm
from backend.web.pages import AuthedRequest, fresh_factor, private


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def merge(request: AuthedRequest) -> HttpResponseBase:
    """Say that another account is one's own too; what waits, and what was made one already. Moves no money."""
    form, status, now = MergeForm(request.POST or None), 200, timezone.now()
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                ask_merge(actor=request.user, address=form.cleaned_data["address"], now=now)
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                messages.success(
                    request, _("If this address has an account here, a link is on its way to it. Nothing changed yet.")
                )
                return redirect("merge")
    context = {
        "form": form, "waiting": awaited_merge(request.user, now=now),
        "merged": User.objects.filter(merged_into=request.user).order_by("date_joined", "pk"),
    }  # fmt: skip
    return render(request, "account/merge.html", context, status=status)


@private
@require_POST
def merge_withdraw(request: AuthedRequest, merge_id: str) -> HttpResponse:
    """Take back what one asked."""
    withdraw_merge(actor=request.user, merge_id=merge_id, now=timezone.now())
    messages.success(request, _("Taken back: the link no longer works. Nothing changed."))
    return redirect("merge")


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def merge_confirm(request: AuthedRequest, token: str) -> HttpResponseBase:
    """What goes over and what stays, then the merge; whoever confirms is signed out for good. Moves no money."""
    now = timezone.now()
    try:
        asked = merge_to_confirm(actor=request.user, token=token, now=now)
    except Conflict as refusal:
        return render(request, "account/merge_other.html", {"refusal": refusal}, status=refusal.status)
    status, refused = 200, None
    if request.method == "POST":
        try:
            confirm_merge(actor=request.user, token=token, now=now)
        except Conflict as refusal:
            refused, status = refusal, refusal.status
        else:
            kept = asked.kept.email
            logout(request)
            messages.success(
                request, _("The two accounts are one: sign in with %(address)s from now on.") % {"address": kept}
            )
            return redirect("account_login")
    hindrances = list(merge_hindrances(asked.kept, request.user))
    context = {
        "asked": asked, "hindrances": hindrances, "going": going(request.user),
        "refused": refused if not hindrances else None,
    }  # fmt: skip
    return render(request, "account/merge_confirm.html", context, status=status)


urlpatterns = [
    path("account/other/", merge, name="merge"),
    path("account/other/<slug:merge_id>/withdraw/", merge_withdraw, name="merge_withdraw"),
    path("account/merge/<str:token>/", merge_confirm, name="merge_confirm"),
]
