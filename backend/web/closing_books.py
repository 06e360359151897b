"""The closing assistant of the books: the lists of a month and of a fiscal year; each point leads where it is done."""

import re
from datetime import date
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from backend.core.dates import FIRST_DAY, LAST_DAY
from backend.identity.permissions import may, require
from backend.identity.services import fiscal_year, host_day, the_host
from backend.ledger.services import closings, next_month, open_from, trial_balance, unsealed
from backend.operations.closing_checks import CODES, Point, check_month, month_states
from backend.transfers.models import YearEnd
from backend.web.pages import AuthedRequest, private

_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
# Where each point is done; those of one thing lead to that thing.
PLACES = {
    "lines": "bank", "balance": "bank", "clearing": "clearing", "batches": "payouts", "distributions": "periods",
    "papers": "papers_received", "decisions": "transfers", "sealed": "log", "selfcheck": "status",
}  # fmt: skip
THINGS = {"batches": "batch_page", "distributions": "distribution_page"}


def _points(points: list[Point]) -> list[dict[str, Any]]:
    return [
        {
            "point": point,
            "name": CODES[point.code],
            "url": reverse(PLACES[point.code]) if point.code in PLACES else "",
            "things": [
                (name, reverse(THINGS[point.code], args=[key]) if point.code in THINGS else "")
                for key, name in point.things
            ],
        }
        for point in points
    ]


@private
@require_safe
def month_check(request: AuthedRequest, month: str) -> HttpResponse:
    """All that one looks at before a month is locked, with where each is done."""
    require(request.user, "ledger.read")
    found = _MONTH.fullmatch(month)
    if found is None or not 1 <= int(found[2]) <= 12 or not FIRST_DAY.year <= int(found[1]) <= LAST_DAY.year:
        raise Http404
    first = date(int(found[1]), int(found[2]), 1)
    checked = check_month(first_day=first, now=timezone.now())
    closing = closings().filter(first_day=first, withdrawn_at=None, unlocked_at=None).first()
    return render(
        request,
        "books/month_check.html",
        {
            "checked": checked,
            "points": _points(checked.points),
            "closing": closing,
            "mine": closing is not None and closing.asked_by_id == request.user.pk,
            "is_next": next_month() == first,
            "over": host_day(timezone.now()) > checked.last_day,
            "acts": may(request.user, "month.lock"),
        },
    )


@private
@require_safe
def year_check(request: AuthedRequest, year: int) -> HttpResponse:
    """The months of a fiscal year, what is written at its end, its result and its files."""
    require(request.user, "ledger.read")
    if not FIRST_DAY.year <= year < LAST_DAY.year:
        raise Http404
    first, last = fiscal_year(year, starts_on=the_host().fiscal_year_starts_on)
    months = month_states(first, last)
    return render(
        request,
        "books/year_check.html",
        {
            "year": year,
            "first": first,
            "last": last,
            "over": host_day(timezone.now()) > last,
            "months": [{"first": month, "state": state, "key": f"{month:%Y-%m}"} for month, state in months],
            "locked": sum(state == "locked" for _month, state in months),
            "written": _written(request, year),
            "result": result_of(first, last),
            "unsealed": unsealed(first=first, last=last),
            "open_from": open_from(),
            "other": [one for one in (year - 1, year + 1) if FIRST_DAY.year <= one < LAST_DAY.year],
        },
    )


def _written(request: AuthedRequest, year: int) -> list[dict[str, Any]]:
    """What is written at the end of the year, with its proposal in force."""
    live = {one.kind: one for one in YearEnd.visible_to(request.user).filter(year=year, state__in=YearEnd.LIVE)}
    return [{"kind": kind, "name": name, "live": live.get(kind)} for kind, name in YearEnd.KINDS]


def result_of(first: date, last: date) -> list[dict[str, Any]]:
    """Income less charges of some days, a currency each: classes 7 and 6 of the chart; minor units."""
    found: dict[str, dict[str, Any]] = {}
    before = date.fromordinal(first.toordinal() - 1)
    for sign, rows in ((1, trial_balance(up_to=last)), (-1, trial_balance(up_to=before))):
        for row in rows:
            if row.chart[0] in "67":
                sums = found.setdefault(row.currency, {"currency": row.currency, "charges": 0, "income": 0})
                sums["charges" if row.chart[0] == "6" else "income"] += (
                    sign * row.balance * (1 if row.chart[0] == "6" else -1)
                )
    rows_of = [sums | {"result": sums["income"] - sums["charges"]} for _currency, sums in sorted(found.items())]
    return [sums for sums in rows_of if sums["income"] or sums["charges"]]


urlpatterns = [
    path("books/months/<str:month>/check/", month_check, name="month_check"),
    path("books/years/<int:year>/", year_check, name="year_check"),
]
