"""For auditors: all that proves the books of a day in one place, the statement of each account, a random sample."""

import secrets
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from backend.core.errors import Invalid
from backend.exports.sampling import Paper, account_file, sample, sample_file
from backend.exports.services import FORMATS
from backend.identity.permissions import require
from backend.identity.services import fiscal_year, fiscal_year_of, host_day, the_host
from backend.ledger.chart import PLAN
from backend.ledger.services import (
    balance_on,
    chart_count,
    chart_currencies,
    chart_rows,
    entry_count,
    latest_heads,
    open_from,
    purses,
    trial_balance,
    unsealed,
    years_booked,
)
from backend.web.books import CLEARING, KINDS, fact, label, owner_names, page_of, tables
from backend.web.forms import add_domain_error
from backend.web.forms_books import AuditorForm, SampleForm
from backend.web.pages import ROWS, AuthedRequest, private

SIZE = 25  # of a sample, unless another is asked for
PAGES = {"line": "bank_line", "document": "document_page", "supporting": "paper_page"}


@private
@require_safe
def auditor(request: AuthedRequest) -> HttpResponse:
    """The books at the end of a day: trial balance with the statement of each account, what passes through, the locks,
    seals and files of its fiscal year."""
    require(request.user, "ledger.read")
    form = AuditorForm(request.GET or None)
    wrong = form.is_bound and not form.is_valid()
    today = host_day(timezone.now())
    day = (form.cleaned_data["on"] if form.is_bound and not wrong else None) or today
    year = fiscal_year_of(day, starts_on=the_host().fiscal_year_starts_on)
    first, last = fiscal_year(year, starts_on=the_host().fiscal_year_starts_on)
    locked_to = open_from()
    heads = latest_heads(limit=1)
    return render(
        request,
        "books/auditor.html",
        {
            "form": form,
            "day": day,
            "first": first,
            "last": last,
            "tables": [] if wrong else tables(trial_balance(up_to=day)),
            "clearing": [] if wrong else _passing(day),
            "locked_to": locked_to,
            "day_locked": locked_to is not None and day < locked_to,
            "unsealed": unsealed(last=day),
            "entries": entry_count(),
            "head": heads[0] if heads else None,
            "balance_file": urlencode({"format": "balance", "last": day.isoformat()}),
            "files": [(form.label, urlencode({"format": name, "year": year})) for name, form in FORMATS.items()],
            "audit": urlencode({"first": first.isoformat(), "last": min(day, last).isoformat()}),
            "sample": urlencode({"first": first.isoformat(), "last": min(day, last).isoformat()}),
        },
        status=422 if wrong else 200,
    )


def _passing(day: date) -> list[dict[str, Any]]:
    """What each purse that money only passes through held at the end of a day."""
    found = []
    for kind in CLEARING:
        rows = list(purses(kind=kind).order_by("account__owner", "account__currency"))
        names = owner_names(kind, {row.account.owner for row in rows})
        for row in rows:
            owner, currency = row.account.owner, row.currency
            amount = balance_on(kind=kind, owner=owner, currency=currency, day=day)
            found.append(
                {"kind": KINDS[kind], "name": names.get(owner, owner), "amount": amount, "currency": currency,
                 "url": f"{reverse('purse', args=[kind, owner])}?{urlencode({'on': day.isoformat()})}"}
            )  # fmt: skip
    return found


@private
@require_safe
def account_page(request: AuthedRequest, number: str) -> HttpResponseBase:
    """Every line booked under a number of the chart up to a day, the oldest first, with the balance after each; or all
    of them as a file."""
    require(request.user, "ledger.read")
    if number not in PLAN.accounts:
        raise Http404
    form = AuditorForm(request.GET if "on" in request.GET else None)
    wrong = form.is_bound and not form.is_valid()
    day = (form.cleaned_data["on"] if form.is_bound and not wrong else None) or host_day(timezone.now())
    used = chart_currencies(number, up_to=day)
    currency = request.GET.get("currency", "")
    if currency not in used:
        currency = used[0] if used else ""
    if request.GET.get("format") == "csv" and currency and not wrong:
        name, pieces = account_file(actor=request.user, number=number, currency=currency, up_to=day, now=timezone.now())
        return _file(name, pieces)
    pages = Paginator(range(chart_count(number=number, currency=currency, up_to=day) if currency else 0), ROWS)
    page = pages.get_page(request.GET.get("page"))
    rows = []
    if currency:
        rows = chart_rows(number=number, currency=currency, up_to=day, skip=page.start_index() - 1, limit=ROWS)
    names = {kind: owner_names(kind, {row.purse_owner for row in rows if row.purse_kind == kind})
             for kind in {row.purse_kind for row in rows}}  # fmt: skip
    lines = [
        {
            "row": row,
            "fact": fact(row.kind),
            "purse": KINDS[row.purse_kind],
            "name": names[row.purse_kind].get(row.purse_owner, row.purse_owner),
            "url": reverse("purse", args=[row.purse_kind, row.purse_owner]),
            "debit": row.amount if row.amount > 0 else None,
            "credit": -row.amount if row.amount < 0 else None,
        }
        for row in rows
    ]
    context = {
        "number": number, "label": label(number), "form": form, "day": day, "currency": currency, "used": used,
        "page": page, "lines": lines,
        "query": urlencode({"on": day.isoformat(), "currency": currency}),
    }  # fmt: skip
    return render(request, "books/account.html", context, status=422 if wrong else 200)


@private
@require_safe
def sample_page(request: AuthedRequest) -> HttpResponseBase:
    """Entries drawn at random with their papers: the form, what it drew, and the same as a file."""
    require(request.user, "ledger.read")
    asked = "seed" in request.GET
    form = SampleForm(request.GET) if asked else SampleForm(initial=_proposed(request))
    drawn, status = None, 200
    if asked:
        status = 422
        if form.is_valid():
            try:
                drawn, status = sample(actor=request.user, now=timezone.now(), **form.cleaned_data), 200
            except Invalid as refusal:
                add_domain_error(form, refusal)
    if drawn is not None and request.GET.get("format") == "csv":
        return _file(*sample_file(drawn))
    papers = drawn.papers if drawn is not None else {}
    rows = [
        {
            "entry": one,
            "fact": fact(one.kind),
            "about": page_of(one.reference),
            "papers": [(paper, _page_of_paper(paper)) for paper in papers.get(one.id, [])],
        }
        for one in (drawn.draw.entries if drawn else [])
    ]
    query = request.GET.copy()
    query["format"] = "csv"
    locked_to = open_from()
    context = {
        "form": form, "drawn": drawn, "rows": rows, "query": query.urlencode(),
        "final": drawn is not None and locked_to is not None and drawn.last < locked_to,
        "unsealed": unsealed(first=drawn.first, last=drawn.last) if drawn else 0,
    }  # fmt: skip
    return render(request, "books/sample.html", context, status=status)


def _proposed(request: AuthedRequest) -> dict[str, Any]:
    """A sample of the fiscal year under way, or of the days that the address says, with a seed of this moment."""
    days = years_booked()
    today = host_day(timezone.now())
    start = the_host().fiscal_year_starts_on
    first, last = fiscal_year(fiscal_year_of(min(today, days[1]) if days else today, starts_on=start), starts_on=start)
    given = AuditorForm({"on": request.GET.get("first", "")}), AuditorForm({"on": request.GET.get("last", "")})
    found = [form.cleaned_data["on"] if form.is_valid() else None for form in given]
    return {
        "seed": secrets.token_hex(4), "size": SIZE, "currency": "EUR", "first": found[0] or first,
        "last": found[1] or last,
    }  # fmt: skip


def _page_of_paper(paper: Paper) -> str:
    return reverse(PAGES[paper.sort], args=[paper.id])


def _file(name: str, pieces: Any) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        pieces,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": content_disposition_header(True, name) or "attachment"},
    )


urlpatterns = [
    path("books/auditor/", auditor, name="auditor"),
    path("books/accounts/<str:number>/", account_page, name="account_page"),
    path("books/sample/", sample_page, name="sample_page"),
]
