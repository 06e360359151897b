"""The page of exports: fiscal years and their files, any days in any format, and what the same bytes hold for."""

from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from backend.core.errors import Conflict, Invalid
from backend.exports.services import FORMATS, export
from backend.identity.permissions import require
from backend.identity.services import fiscal_year, fiscal_year_of, host_day, the_host
from backend.ledger.services import open_from, unsealed, years_booked
from backend.web.forms import add_domain_error
from backend.web.forms_books import ExportForm
from backend.web.pages import AuthedRequest, private


def _years() -> list[dict[str, Any]]:
    """The fiscal years in which something happened, the latest first: their days, and whether they are final."""
    days = years_booked()
    if days is None:
        return []
    month, locked_to, today = the_host().fiscal_year_starts_on, open_from(), host_day(timezone.now())
    found = []
    for year in range(fiscal_year_of(days[1], starts_on=month), fiscal_year_of(days[0], starts_on=month) - 1, -1):
        first, last = fiscal_year(year, starts_on=month)
        found.append(
            {
                "year": year,
                "name": _name(first, last),
                "first": first,
                "last": last,
                "over": last < today,
                "locked": locked_to is not None and last < locked_to,
                "locked_to": locked_to - timedelta(days=1) if locked_to and first < locked_to <= last else None,
                "unsealed": unsealed(first=first, last=last),
                "files": [(form.label, urlencode({"format": name, "year": year})) for name, form in FORMATS.items()],
            }
        )
    return found


def _name(first: date, last: date) -> str:
    """What people call a fiscal year: 2026, or 2025–2026."""
    return str(first.year) if first.year == last.year else f"{first.year}–{last.year}"


def _form(data: QueryDict | None, years: list[dict[str, Any]]) -> ExportForm:
    return ExportForm(
        data,
        formats=[(name, form.label) for name, form in FORMATS.items()],
        years=[(year["year"], year["name"]) for year in years],
    )


@private
@require_safe
def exports(request: AuthedRequest) -> HttpResponse:
    """What can be exported, which files will always be the same, and what is not sealed yet."""
    require(request.user, "ledger.read")
    years = _years()
    return render(request, "books/exports.html", _context(_form(None, years), years))


def _context(form: ExportForm, years: list[dict[str, Any]]) -> dict[str, Any]:
    return {"form": form, "years": years, "unsealed": unsealed(), "open_from": open_from()}


@private
@require_safe
def export_file(request: AuthedRequest) -> HttpResponseBase:
    """One file, sent while it is written; what cannot be written is said on the page, beside its field."""
    require(request.user, "ledger.read")
    years = _years()
    form, code = _form(request.GET, years), 422
    if form.is_valid():
        wanted = form.cleaned_data
        try:
            name, pieces = export(
                actor=request.user, name=wanted["format"], year=wanted["year"], first=wanted["first"],
                last=wanted["last"], now=timezone.now(),
            )  # fmt: skip
        except (Invalid, Conflict) as refusal:
            add_domain_error(form, refusal)
            code = refusal.status
        else:
            disposition = content_disposition_header(True, name) or "attachment"
            return StreamingHttpResponse(
                pieces,
                content_type=FORMATS[wanted["format"]].media_type,
                headers={"Content-Disposition": disposition},
            )
    return render(request, "books/exports.html", _context(form, years), status=code)


urlpatterns = [
    path("books/exports/", exports, name="exports"),
    path("books/exports/file/", export_file, name="export_file"),
]
