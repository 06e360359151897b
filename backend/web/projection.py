"""The cash projection of treasurers: a table, a drawing, and the same as a file."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_safe

from backend.core.money import decimal_text, format_money
from backend.exports.tables import csv_row
from backend.identity.services import host_day
from backend.operations.projection import COMING, GOING, LABEL, WIDE, Projection, drawing, projections
from backend.web.pages import AuthedRequest, private


def names() -> dict[str, str]:
    """What each column of the projection is called."""
    return {
        "in_hand": _("On its way to the bank"),
        "pledged": _("Pledged, by its day"),
        "leaving": _("Handed to the bank"),
        "batches": _("Batches that have not left"),
        "owed": _("Owed, in no batch"),
        "committed": _("Validated requests"),
    }


@private
@require_safe
def projection(request: AuthedRequest) -> HttpResponse:
    """What the accounts should hold at the end of each of the next twelve months. Moves no money."""
    found = projections(actor=request.user, today=host_day(timezone.now()))
    if request.GET.get("format") == "csv":
        answer = HttpResponse("\ufeff" + _table(found), content_type="text/csv; charset=utf-8")
        day = host_day(timezone.now()).isoformat()
        answer["Content-Disposition"] = f'attachment; filename="projection-{day}.csv"'
        return answer
    context = {"found": [_shown(one) for one in found], "names": names(), "wide": WIDE, "label": LABEL}
    return render(request, "treasury/projection.html", context)


def _shown(one: Projection) -> dict[str, Any]:
    texts = [format_money(month.after, one.currency) for month in one.months]
    rows = [
        (month, [month.flows.get(why, 0) for why in COMING], [month.flows.get(why, 0) for why in GOING])
        for month in one.months
    ]
    totals = [sum(month.flows.get(why, 0) for month in one.months) for why in (*COMING, *GOING)]
    return {"told": one, "rows": rows, "drawing": drawing(one.months, texts), "totals": totals}


def _table(found: list[Projection]) -> str:
    """One row for each month of each currency; what is late stands in a row of its own, in no month."""
    called = names()
    head = (
        pgettext("column", "month"), pgettext("column", "currency"), pgettext("column", "before"),
        *(called[why] for why in (*COMING, *GOING)), pgettext("column", "after"),
    )  # fmt: skip
    rows = [csv_row(head)]
    for one in found:
        for month in one.months:
            flows = (decimal_text(month.flows.get(why, 0), one.currency) for why in (*COMING, *GOING))
            before, after = (decimal_text(amount, one.currency) for amount in (month.before, month.after))
            rows.append(csv_row((month.first.strftime("%Y-%m"), one.currency, before, *flows, after)))
        late = decimal_text(one.late, one.currency)
        blank = [""] * (len(GOING) + 1)
        rows.append(csv_row((_("late, counted in no month"), one.currency, "", "", late, *blank)))
    return "".join(rows)


urlpatterns = [path("projection/", projection, name="projection")]
