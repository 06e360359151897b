"""Where somebody confirms or contests what was recorded for them: without an account, with a code that works once."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from backend.contributions import recording as of_work
from backend.contributions.models import Contribution
from backend.core.errors import Conflict, Invalid, NotFound
from backend.identity.models import Recording
from backend.identity.recordings import answer_awaited, recording_of
from backend.identity.services import the_host
from backend.pledges import recording as of_pledges
from backend.pledges.models import Pledge
from backend.web.forms import add_domain_error
from backend.web.forms_organisations import CodeForm, ReasonForm
from backend.web.recordings import require_not_recorder


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest) -> HttpResponse:
    """Type the code of a letter."""
    form = CodeForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            code = "".join(mark for mark in form.cleaned_data["code"].upper() if mark.isascii() and mark.isalnum())
            try:
                recording_of(code, now=timezone.now())
            except NotFound as error:
                form.add_error("code", str(error))
            else:
                return redirect("confirmation", code=code)
    return render(request, "organisations/confirm.html", {"form": form}, status=status)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirmation(request: HttpRequest, code: str) -> HttpResponse:
    """What was recorded, with two answers: it is right, or it is wrong. Moves no money."""
    row = recording_of(code, now=timezone.now())
    if answer_awaited(row):
        require_not_recorder(request.user, row)
    form = ReasonForm(request.POST if request.method == "POST" and request.POST.get("answer") == "contest" else None)
    status = 200
    if request.method == "POST":
        status = 422
        try:
            if request.POST.get("answer") == "confirm":
                _confirm(row)
                return redirect("confirmation", code=code)
            if form.is_bound and form.is_valid():
                _contest(request, row, form.cleaned_data["reason"])
                return redirect("confirmation", code=code)
        except (Invalid, Conflict) as error:
            status = error.status
            if not form.is_bound:
                raise
            add_domain_error(form, error)
    context = {"recording": row, "form": form, "awaited": answer_awaited(row), **_thing(row)}
    return render(request, "organisations/confirmation.html", context, status=status)


def _confirm(row: Recording) -> None:
    how = "link" if row.confirm_by == "mail" else "code"
    act = of_pledges.confirm_pledge if row.subject.startswith("plg_") else of_work.confirm_contribution
    act(actor=None, recording_id=row.pk, how=how, now=timezone.now(), letter_on=None)


def _contest(request: HttpRequest, row: Recording, reason: str) -> None:
    act = of_pledges.contest_pledge if row.subject.startswith("plg_") else of_work.contest_contribution
    if act(recording_id=row.pk, reason=reason, now=timezone.now()):
        messages.success(request, _("It is cancelled. No money moved, and nothing is awaited from you."))
    else:
        messages.warning(
            request,
            _("Your answer is kept. Money was received or shared for it already: a treasurer will write to you."),
        )


def _thing(row: Recording) -> dict[str, Any]:
    """What a recording is about; of a pledge, how to pay it."""
    pledge = Pledge.objects.select_related("organisation", "budget__commons").filter(pk=row.subject).first()
    if pledge is not None:
        account = the_host().bank_accounts.filter(currency=pledge.currency).order_by("pk").first()
        return {"pledge": pledge, "account": account}
    return {"work": Contribution.objects.select_related("contributor", "budget__commons").get(pk=row.subject)}


urlpatterns = [
    path("confirm/", confirm, name="confirm"),
    path("confirm/<slug:code>/", confirmation, name="confirmation"),
]
