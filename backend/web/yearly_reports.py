"""Yearly reports of the host, of a commons, of an organisation: on the page, as PDF and as CSV, in both languages."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from backend.commons.models import Commons
from backend.core.errors import Invalid, NotFound
from backend.exports.report_files import MEDIA, report_file
from backend.exports.reports import Report, Row, Table, commons_report, host_report, note_taken, organisation_report
from backend.identity.models import Organisation
from backend.identity.permissions import may, require
from backend.payments.models import Payment
from backend.transfers.year_end import FIRST_YEAR, LAST_YEAR, days_of
from backend.web.pages import AuthedRequest, private


def _language() -> str:
    return "en" if (get_language() or "fr").startswith("en") else "fr"


def _require_year(year: int) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise Http404


def _answer(request: AuthedRequest, report: Report) -> HttpResponse:
    """The page of a report, or its file when one is asked for."""
    form = request.GET.get("format", "")
    if form in MEDIA:
        note_taken(actor=request.user, report=report, form=form, now=timezone.now())
        answer = HttpResponse(report_file(report, form), content_type=MEDIA[form])
        answer["Content-Disposition"] = content_disposition_header(True, f"{report.stem}.{form}") or "attachment"
        return answer
    tables, whole = [_cells(one) for one in report.tables], may(request.user, "ledger.read")
    return render(request, "books/report.html", {"report": report, "tables": tables, "whole": whole})


def _cells(table: Table) -> dict[str, Any]:
    """A table whose figures each know the head of their column."""

    def told(row: Row) -> tuple[str, list[tuple[str, int]]]:
        return row.label, list(zip(table.heads[1:], row.amounts, strict=True))

    return {
        "head": table.head,
        "heads": table.heads,
        "currency": table.currency,
        "rows": [told(row) for row in table.rows],
        "total": told(table.total) if table.total else None,
    }


@private
@require_safe
def report_host(request: AuthedRequest, year: int) -> HttpResponse:
    """The year of the whole house."""
    require(request.user, "ledger.read")
    _require_year(year)
    return _answer(request, host_report(actor=request.user, year=year, language=_language()))


@private
@require_safe
def report_commons(request: AuthedRequest, commons_id: str, year: int) -> HttpResponse:
    """The year of a commons, for its stewards and the treasury."""
    _require_year(year)
    try:
        found = commons_report(actor=request.user, commons_id=commons_id, year=year, language=_language())
    except (NotFound, Invalid) as missing:
        raise Http404 from missing
    return _answer(request, found)


@private
@require_safe
def report_organisation(request: AuthedRequest, organisation_id: str, year: int) -> HttpResponse:
    """The year of the money of an organisation, for its members and the treasury."""
    _require_year(year)
    try:
        found = organisation_report(
            actor=request.user, organisation_id=organisation_id, year=year, language=_language()
        )
    except (NotFound, Invalid) as missing:
        raise Http404 from missing
    return _answer(request, found)


@private
@require_safe
def reports_of_year(request: AuthedRequest, year: int) -> HttpResponse:
    """All the reports of a fiscal year: of the host, of each commons, of each organisation whose money came by then."""
    require(request.user, "ledger.read")
    _require_year(year)
    _first, last = days_of(year)
    paid = Payment.objects.filter(received_on__lte=last).exclude(pledge__organisation=None)
    context: dict[str, Any] = {
        "year": year,
        "commons": Commons.objects.filter(budgets__isnull=False).distinct().order_by("name"),
        "organisations": Organisation.objects.filter(pk__in=paid.values("pledge__organisation")).order_by("name"),
    }
    return render(request, "books/reports.html", context)


urlpatterns = [
    path("books/years/<int:year>/reports/", reports_of_year, name="reports_of_year"),
    path("books/years/<int:year>/report/", report_host, name="report_host"),
    path("commons/<str:commons_id>/years/<int:year>/", report_commons, name="report_commons"),
    path("organisations/<str:organisation_id>/years/<int:year>/", report_organisation, name="report_organisation"),
]
