"""The end of a fiscal year on its pages: dedicated funds, volunteering valued, and each proposal with its decision."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from backend.commons.models import Budget
from backend.contributions.volunteering import figures as time_given
from backend.core.errors import Conflict
from backend.core.money import decimal_text
from backend.exports.tables import csv_row, safe_text
from backend.identity.permissions import may, require
from backend.identity.services import host_day
from backend.ledger.services import open_from
from backend.transfers.models import YearEnd
from backend.transfers.year_end import (
    FIGURES,
    FIRST_YEAR,
    LAST_YEAR,
    days_of,
    decide_year_end,
    dedicated_funds,
    origins,
    propose_year_end,
    still_true,
    undo_year_end,
    volunteering,
    year_end_hindrance,
)
from backend.web.acts import form_page
from backend.web.forms_receipts import UndoForm
from backend.web.pages import AuthedRequest, fresh_factor, private

COLUMNS = ("budget", "name", "currency", "figure", "account", "kind_of_entry", "amount")


@private
@require_http_methods(["GET", "HEAD", "POST"])
def year_figures(request: AuthedRequest, year: int, kind: str) -> HttpResponseBase:
    """What the end of a year would write, figure by figure; where each comes from as a file; the proposal."""
    require(request.user, "ledger.read")
    if kind not in dict(YearEnd.KINDS) or not FIRST_YEAR <= year <= LAST_YEAR:
        raise Http404
    if request.method == "POST":
        require(request.user, "year_end.propose")
    elif request.GET.get("format") == "csv" and kind == "dedicated":
        return _file(year)
    form = forms.Form(request.POST if request.method == "POST" else None)

    def act() -> HttpResponseBase:
        made = propose_year_end(actor=request.user, kind=kind, year=year, now=timezone.now())
        messages.success(request, _("It is proposed. Nothing is booked: another treasurer must approve it."))
        return redirect("year_end_page", made.pk)

    first, last = days_of(year)
    known = YearEnd.visible_to(request.user).filter(kind=kind, year=year).select_related("proposed_by", "decided_by")
    live = known.filter(state__in=YearEnd.LIVE).first()
    context: dict[str, Any] = {
        "year": year, "kind": kind, "first": first, "last": last, "live": live, "over": host_day(timezone.now()) > last,
        "past": known.exclude(state__in=YearEnd.LIVE).order_by("-pk"),
        "may_propose": may(request.user, "year_end.propose"),
        **(_dedicated(year) if kind == "dedicated" else _volunteering(request, year)),
    }  # fmt: skip
    return form_page(request, form, act, f"books/year_{kind}.html", context)


def _dedicated(year: int) -> dict[str, Any]:
    rows = dedicated_funds(year)
    names = _names(row.budget for row in rows)
    totals = {}
    for currency in sorted({row.currency for row in rows}):
        mine = [row for row in rows if row.currency == currency]
        totals[currency] = {name: sum(getattr(row, name) for row in mine) for name in FIGURES}
    return {
        "rows": sorted(((names.get(row.budget, row.budget), row) for row in rows), key=lambda pair: pair[0]),
        "totals": list(totals.items()),
        "skipped": any(row.earlier for row in rows),
        "something": any(row.used or row.set_aside for row in rows),
    }


def _volunteering(request: AuthedRequest, year: int) -> dict[str, Any]:
    given = time_given(actor=request.user, year=year)
    try:
        sums = volunteering(actor=request.user, year=year)
        missing = None
    except Conflict as refusal:
        sums, missing = [], refusal
    return {"rows": given, "sums": sums, "missing": missing, "something": bool(sums)}


def _names(budgets: Any) -> dict[str, str]:
    found = Budget.objects.filter(pk__in=list(budgets)).select_related("commons", "parent")
    return {budget.pk: budget.full_name for budget in found}


def _file(year: int) -> HttpResponse:
    parts = origins(year)
    names = _names(part.budget for part in parts)

    def rows() -> Iterator[str]:
        yield csv_row(COLUMNS)
        for part in parts:
            yield csv_row((
                part.budget, safe_text(names.get(part.budget, "")), part.currency, part.figure, part.chart, part.entry,
                decimal_text(part.amount, part.currency),
            ))  # fmt: skip

    answer = HttpResponse("".join(rows()), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="dedicated-funds-{year}.csv"'
    return answer


@private
@require_http_methods(["GET", "HEAD", "POST"])
def year_end_page(request: AuthedRequest, year_end_id: str) -> HttpResponseBase:
    """One proposal: its figures, who made it, and for another treasurer the decision; booked, its entries and undo."""
    rows = YearEnd.visible_to(request.user).select_related("proposed_by", "decided_by", "undone_by")
    found = get_object_or_404(rows, pk=year_end_id)
    mine = found.proposed_by_id == request.user.pk
    posted = request.method == "POST"
    what = request.POST.get("act", "")
    if posted:
        require(request.user, "year_end.decide")
        return _decide(request, found, what, mine)
    return render(request, "books/year_end.html", _context(request, found, mine) | {"form": UndoForm()})


def _context(request: AuthedRequest, found: YearEnd, mine: bool) -> dict[str, Any]:
    lines = list(found.lines.select_related("budget__commons", "budget__parent").order_by("pk"))
    locked_to = open_from()
    return {
        "found": found,
        "lines": lines,
        "mine": mine,
        "acts": may(request.user, "year_end.decide"),
        "hindrance": year_end_hindrance(actor=request.user, year_end=found) if found.state == "proposed" else None,
        "true": found.state not in YearEnd.LIVE or still_true(actor=request.user, year_end=found),
        "locked": locked_to is not None and found.last_day < locked_to,
    }


@fresh_factor
def _decide(request: AuthedRequest, found: YearEnd, what: str, mine: bool) -> HttpResponseBase:
    """Book, refuse, take back or undo; what the domain refuses is said on the page."""
    wants_words = what == "undo" or (what == "refuse" and not mine)
    form = UndoForm(request.POST) if wants_words else forms.Form(request.POST)

    def act() -> HttpResponseBase:
        reason = form.cleaned_data.get("reason", "")
        now = timezone.now()
        if what == "undo":
            undo_year_end(actor=request.user, year_end_id=found.pk, reason=reason, now=now)
            messages.success(request, _("It is undone by mirror entries of the same day. No money moved."))
        else:
            accept = what == "accept"
            decide_year_end(
                actor=request.user, year_end_id=found.pk, accept=accept, reason=reason, now=now,
                digest=request.POST.get("digest", "") if accept else found.digest,
            )  # fmt: skip
            messages.success(
                request,
                _("It is in the books, dated the last day of the year. No money moved.")
                if accept
                else _("These figures are set aside. Nothing was booked."),
            )
        return redirect("year_end_page", found.pk)

    return form_page(request, form, act, "books/year_end.html", _context(request, found, mine) | {"failed": True})


urlpatterns = [
    path("books/years/<int:year>/<slug:kind>/", year_figures, name="year_figures"),
    path("books/year-ends/<str:year_end_id>/", year_end_page, name="year_end_page"),
]
