"""The pages of personal data: the notices, one's own data, its export and its erasure, requests that came by letter."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, re_path
from django.utils import timezone
from django.utils.http import content_disposition_header, url_has_allowed_host_and_scheme
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backend.core.errors import DomainError
from backend.identity.permissions import may, require
from backend.identity.services import the_host
from backend.privacy.erasure import SECOND_THOUGHTS, ask_erasure, record_erasure, withdraw_erasure
from backend.privacy.export import export_personal
from backend.privacy.hindrances import hindrances
from backend.privacy.models import Acceptance, Erasure
from backend.privacy.notices import VERSIONS, accept_notices, current, version_day
from backend.web.forms import add_domain_error
from backend.web.forms_privacy import EraseForm, LetterForm
from backend.web.pages import AuthedRequest, cut, fresh_factor, private

# --- what anyone reads ------------------------------------------------------------------------------------------------


def _notice(request: HttpRequest, document: str, version: str) -> HttpResponse:
    """One version of a notice, in the language of the page, with the names of this host."""
    language = "en" if (get_language() or "fr").startswith("en") else "fr"
    context = {
        "text": f"privacy/texts/{document}.{version}.{language}.html",
        "document": document,
        "name": the_host().name,
        "contact": settings.LEGAL_CONTACT,
        "day": version_day(version),
        "versions": [(other, version_day(other)) for other in VERSIONS[document] if other != version],
        "former": version != current()[document],
    }
    return render(request, "privacy/notice.html", context)


@require_safe
def privacy_notice(request: HttpRequest) -> HttpResponse:
    """The privacy notice in force."""
    return _notice(request, "privacy", current()["privacy"])


@require_safe
def terms(request: HttpRequest) -> HttpResponse:
    """The terms of use in force."""
    return _notice(request, "terms", current()["terms"])


@require_safe
def notice_version(request: HttpRequest, document: str, version: str) -> HttpResponse:
    """One version of a notice, as somebody accepted it."""
    if version not in VERSIONS[document]:
        raise Http404
    return _notice(request, document, version)


@require_safe
def legal(request: HttpRequest) -> HttpResponse:
    """Who publishes this service, and what the operator added."""
    paragraphs = [part.strip() for part in settings.LEGAL_TEXT.split("\n\n") if part.strip()]
    return render(request, "privacy/legal.html", {"contact": settings.LEGAL_CONTACT, "paragraphs": paragraphs})


# --- one's own --------------------------------------------------------------------------------------------------------


@private
@require_POST
def accept(request: AuthedRequest) -> HttpResponseBase:
    """Accept the versions in force, then go on with what one was doing."""
    accept_notices(user=request.user, now=timezone.now())
    onward = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        onward, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return redirect(onward if safe else "personal_data")


@private
@require_safe
def personal_data(request: AuthedRequest) -> HttpResponse:
    """What one can do with one's data, what one accepted, and the erasure that waits, if any."""
    waiting = Erasure.objects.filter(user=request.user, withdrawn_at=None, done_at=None).first()
    return render(
        request,
        "privacy/data.html",
        {
            "erasure": waiting,
            "hindrances": list(hindrances(request.user)) if waiting else [],
            "acceptances": Acceptance.visible_to(request.user).order_by("-accepted_at", "document"),
            "records_letters": may(request.user, "personal.erase"),
        },
    )


@private
@fresh_factor
@require_POST
def export(request: AuthedRequest) -> HttpResponse:
    """Everything kept about oneself, as a ZIP."""
    archive = export_personal(actor=request.user, now=timezone.now())
    disposition = content_disposition_header(True, archive.name) or "attachment"
    return HttpResponse(archive.data, content_type="application/zip", headers={"Content-Disposition": disposition})


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def erase(request: AuthedRequest) -> HttpResponseBase:
    """Ask that one's data be erased in seven days, or read what must be settled first. Moves no money."""
    form = EraseForm(request.POST or None)
    status = 200
    if request.method == "POST":
        if form.is_valid():
            try:
                ask_erasure(user=request.user, typed=form.cleaned_data["confirmation"], now=timezone.now())
            except DomainError as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                messages.success(request, _("Your account will be erased in seven days. Nothing is erased before."))
                return redirect("personal_data")
        else:
            status = 422
    context = {"form": form, "hindrances": list(hindrances(request.user)), "days": SECOND_THOUGHTS.days}
    return render(request, "privacy/erase.html", context, status=status)


@private
@require_POST
def keep(request: AuthedRequest, erasure_id: str) -> HttpResponseBase:
    """Stop an erasure that waits."""
    erasure = withdraw_erasure(actor=request.user, erasure_id=erasure_id, now=timezone.now())
    messages.success(request, _("The erasure is stopped. Nothing was erased."))
    return redirect("personal_data" if erasure.user_id == request.user.pk else "erasures")


# --- requests that came by letter -------------------------------------------------------------------------------------


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def erasures(request: AuthedRequest) -> HttpResponseBase:
    """The erasures asked and done; an administrator records those that came by letter. Moves no money."""
    require(request.user, "personal.erase")
    form = LetterForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                made = record_erasure(actor=request.user, now=timezone.now(), **form.cleaned_data)
            except DomainError as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                messages.success(request, _told(made))
                return redirect("erasures")
    rows = Erasure.visible_to(request.user).select_related("user").order_by("-asked_at", "-id")
    return render(request, "privacy/erasures.html", {"form": form, "page": cut(rows, request)}, status=status)


def _told(erasure: Erasure) -> Any:
    """What became of the request that was just recorded."""
    if erasure.hindered_by:
        return _("Recorded. Something must be settled before: see the list. The person is told by mail.")
    return _("Recorded. The person is told by mail, and has seven days to object. Nothing is erased before.")


urlpatterns = [
    path("privacy/", privacy_notice, name="privacy_notice"),
    path("terms/", terms, name="terms"),
    path("legal/", legal, name="legal"),
    re_path(r"^(?P<document>terms|privacy)/(?P<version>\d{4}-\d\d-\d\d)/$", notice_version, name="notice_version"),
    path("account/notices/accept/", accept, name="notices_accept"),
    path("account/data/", personal_data, name="personal_data"),
    path("account/data/export/", export, name="personal_export"),
    path("account/data/erase/", erase, name="personal_erase"),
    path("account/data/erasures/<slug:erasure_id>/keep/", keep, name="erasure_keep"),
    path("erasures/", erasures, name="erasures"),
]
