"""Papers: the list of those one may read, each with its file; credit notes, certificates, yearly statements."""

import io
import zipfile
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.core.errors import Conflict
from backend.documents.audit import all_series
from backend.documents.models import Document
from backend.documents.services import body_of, correct, file_of, note_download
from backend.identity.models import Organisation
from backend.identity.permissions import may, require
from backend.identity.services import host_day
from backend.operations.papers import certifiable, certify, no_longer_true, papers_for, state_year, years_of
from backend.web.acts import form_page
from backend.web.forms_documents import CreditForm, FilterForm, YearForm
from backend.web.pages import AuthedRequest, cut, private

IN_ONE_FILE = 500


def _chosen(request: AuthedRequest) -> "tuple[FilterForm, QuerySet[Document]]":
    """The filter, and the papers that it leaves, the latest first."""
    require(request.user, "document.read")
    rows = papers_for(request.user).select_related("organisation", "person")
    organisations = Organisation.objects.filter(pk__in=rows.exclude(organisation=None).values("organisation"))
    form = FilterForm(
        request.GET or None,
        years=list(rows.order_by("-year").values_list("year", flat=True).distinct()),
        organisations=list(organisations.order_by("name").values_list("pk", "name")),
    )
    wanted = {name: value for name, value in form.cleaned_data.items() if value} if form.is_valid() else {}
    return form, rows.filter(**wanted).order_by("-issued_at", "-pk")


@private
@require_safe
def documents(request: AuthedRequest) -> HttpResponse:
    """Those that the reader may read, chosen by kind, year and organisation."""
    form, rows = _chosen(request)
    page = cut(rows, request)
    context = {
        "form": form,
        "page": page,
        "replaced": no_longer_true(page.object_list),
        "count": rows.count(),
        "filtered": bool(request.GET) and form.is_valid() and any(form.cleaned_data.values()),
        "most": IN_ONE_FILE,
        "query": request.GET.urlencode(),
        "sees_all": may(request.user, "document.read_all"),
    }
    return render(request, "documents/list.html", context)


@private
@require_safe
def documents_file(request: AuthedRequest) -> HttpResponse:
    """All the papers of the list in one ZIP, the latest ones when there are too many for one file."""
    _form, found = _chosen(request)
    rows = list(found[:IN_ONE_FILE])
    holder, given = io.BytesIO(), []
    with zipfile.ZipFile(holder, "w", zipfile.ZIP_STORED) as archive:
        for row in rows:
            try:
                data = file_of(row)
            except Conflict:  # forgotten with its person: it has no file any more
                continue
            day = row.issued_on
            archive.writestr(zipfile.ZipInfo(f"{row.label}.pdf", (day.year, day.month, day.day, 0, 0, 0)), data)
            given.append(row)
    if request.method == "GET":
        note_download(actor=request.user, documents=given, now=timezone.now())
    return _attached(holder.getvalue(), _("papers") + ".zip", "application/zip")


@private
@require_safe
def document_page(request: AuthedRequest, document_id: str) -> HttpResponse:
    """One paper: what it says in short, its file, what it cancels or is cancelled by."""
    row = _document(request, document_id)
    context: dict[str, Any] = {}
    try:
        body = body_of(row)
    except Conflict:  # forgotten: the page says so
        pass
    else:
        heads = body["table"]["heads"]
        lines = [list(zip(heads, line, strict=True)) for line in [*body["table"]["rows"], body["table"]["total"]]]
        context = {"body": body, "lines": lines[:-1], "total": lines[-1]}
    context |= {
        "row": row,
        "corrections": list(row.corrections.order_by("issued_at", "pk")),
        "may_correct": row.kind == "invoice" and row.uncredited > 0 and may(request.user, "document.correct"),
        "replaced_by": Document.objects.filter(replaces=row).first(),
        "left": no_longer_true([row]).get(row.pk),
    }
    return render(request, "documents/document.html", context)


@private
@require_safe
def document_file(request: AuthedRequest, document_id: str) -> HttpResponse:
    """The PDF, the same bytes each time."""
    row = _document(request, document_id)
    data = file_of(row)
    if request.method == "GET":
        note_download(actor=request.user, documents=[row], now=timezone.now())
    return _attached(data, f"{row.label}.pdf", "application/pdf")


@private
@require_http_methods(["GET", "HEAD", "POST"])
def document_credit(request: AuthedRequest, document_id: str) -> HttpResponseBase:
    """Ask why, then issue the credit note of an invoice. Moves no money."""
    row = _document(request, document_id)
    require(request.user, "document.correct")
    done = row.corrections.order_by("issued_at", "pk").last()
    if done is not None and not row.uncredited:
        return redirect("document_page", done.pk)
    form = CreditForm(request.POST or None, currency=row.currency, left=row.uncredited)

    def act() -> HttpResponseBase:
        made = correct(actor=request.user, document_id=row.pk, now=timezone.now(), **form.cleaned_data)
        if row.uncredited:
            messages.success(request, _("The credit note is issued: the rest of the invoice stands. No money moved."))
        else:
            messages.success(request, _("The credit note is issued: the invoice is cancelled. No money moved."))
        return redirect("document_page", made.pk)

    return form_page(request, form, act, "documents/credit.html", {"row": row})


@private
@require_safe
def document_series(request: AuthedRequest) -> HttpResponse:
    """How far each series went, and that no number is missing or given twice."""
    require(request.user, "document.read_all")
    names = dict(Document.KINDS)
    rows = [{"name": names[one.kind], "row": one} for one in all_series()]
    return render(request, "documents/series.html", {"rows": rows})


@private
@require_http_methods(["GET", "HEAD", "POST"])
def payment_certificate(request: AuthedRequest, payment_id: str) -> HttpResponseBase:
    """Say what a payment certificate is, then issue it. Moves no money."""
    payment = certifiable(actor=request.user, payment_id=payment_id)
    refusal = None
    if request.method == "POST":
        try:
            made = certify(actor=request.user, payment_id=payment.pk, now=timezone.now())
        except Conflict as conflict:
            refusal = conflict
        else:
            messages.success(request, _("The certificate is here. No money moved."))
            return redirect("document_page", made.pk)
    context = {"payment": payment, "pledge": payment.pledge, "refusal": refusal}
    return render(request, "documents/certificate.html", context, status=refusal.status if refusal else 200)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def organisation_year(request: AuthedRequest, organisation_id: str) -> HttpResponseBase:
    """Choose a year that is over, then issue its statement. Moves no money."""
    organisation = get_object_or_404(Organisation.visible_to(request.user), pk=organisation_id)
    require(request.user, "document.certify", scopes=[organisation.pk])
    years = years_of(organisation, host_day(timezone.now()))
    form = YearForm(request.POST or None, years=years)

    def act() -> HttpResponseBase:
        made = state_year(
            actor=request.user, organisation_id=organisation.pk, year=form.cleaned_data["year"], now=timezone.now()
        )
        messages.success(request, _("The yearly statement is here. No money moved."))
        return redirect("document_page", made[0].pk)

    context: dict[str, Any] = {"organisation": organisation, "years": years}
    return form_page(request, form, act, "documents/year.html", context)


def _document(request: AuthedRequest, document_id: str) -> Document:
    rows = papers_for(request.user).select_related("organisation", "person", "issued_by", "corrects")
    return get_object_or_404(rows, pk=document_id)


def _attached(data: bytes, name: str, media_type: str) -> HttpResponse:
    """A private file that browsers save and never show inside the page."""
    disposition = content_disposition_header(True, name) or "attachment"
    return HttpResponse(data, content_type=media_type, headers={"Content-Disposition": disposition})


urlpatterns = [
    path("documents/", documents, name="documents"),
    path("documents/file/", documents_file, name="documents_file"),
    path("documents/series/", document_series, name="document_series"),
    path("documents/<slug:document_id>/", document_page, name="document_page"),
    path("documents/<slug:document_id>/file/", document_file, name="document_file"),
    path("documents/<slug:document_id>/credit/", document_credit, name="document_credit"),
    path("payments/<slug:payment_id>/certificate/", payment_certificate, name="payment_certificate"),
    path("organisations/<slug:organisation_id>/year/", organisation_year, name="organisation_year"),
]
