"""The audit trail: who did what, in whose name, when and why; what was refused; and the same as a file."""

from typing import Any

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from backend.core.errors import Invalid
from backend.events.models import Event
from backend.exports.audit import FORMATS, Wanted, export_audit, find
from backend.identity.permissions import may, require
from backend.web.audit_lines import lines
from backend.web.forms import add_domain_error
from backend.web.forms_audit import AuditFileForm, AuditForm
from backend.web.pages import AuthedRequest, cut, fresh_factor, private


def _page(request: AuthedRequest, form: AuditForm, status: int = 200) -> HttpResponse:
    """The filter and what it finds; nothing while the filter is wrong."""
    found = Event.objects.none()
    if form.is_valid():
        try:
            found = find(actor=request.user, wanted=form.wanted())
        except Invalid as refusal:
            add_domain_error(form, refusal)
    page = cut(found, request)
    everything = may(request.user, "audit.read_all")
    query = request.GET.copy()
    for name in ("page", "format"):
        query.pop(name, None)
    context: dict[str, Any] = {
        "form": form,
        "page": page,
        "lines": lines(page.object_list, all_pages=everything),
        "everything": everything,
        "filtered": form.is_valid() and form.wanted() != Wanted(),
        "query": query.urlencode(),
        "formats": FORMATS,
    }
    return render(request, "audit/audit.html", context, status=422 if form.errors else status)


@private
@require_safe
def audit(request: AuthedRequest) -> HttpResponse:
    """The events that the reader may read, the newest first."""
    require(request.user, "audit.read")
    return _page(request, AuditForm(request.GET))


@private
@require_safe
@fresh_factor
def audit_file(request: AuthedRequest) -> HttpResponseBase:
    """What the filter finds, as CSV or JSON lines; taking it is noted."""
    require(request.user, "audit.read")
    form = AuditFileForm(request.GET)
    if form.is_valid():
        try:
            name, pieces = export_audit(
                actor=request.user, wanted=form.wanted(), name=form.cleaned_data["format"], now=timezone.now()
            )
        except Invalid as refusal:
            add_domain_error(form, refusal)
        else:
            return StreamingHttpResponse(
                pieces,
                content_type=FORMATS[form.cleaned_data["format"]],
                headers={"Content-Disposition": content_disposition_header(True, name) or "attachment"},
            )
    return _page(request, form)


urlpatterns = [
    path("audit/", audit, name="audit"),
    path("audit/file/", audit_file, name="audit_file"),
]
