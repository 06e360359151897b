"""What supporters promise to a commons, month by month: tables, one drawing, and the same as a file."""

from dataclasses import dataclass

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_safe

from backend.commons.models import Budget, Commons
from backend.commons.services import root_budget, tree_of
from backend.core.money import decimal_text, format_money
from backend.exports.tables import csv_row, safe_text
from backend.identity.permissions import may
from backend.identity.services import host_day
from backend.pledges.overview import Expected, Support, support_of
from backend.web.pages import AuthedRequest, private
from backend.web.templatetags.tronc import month as month_name

# The drawing, in its own units: one row for each month, so that no label meets another.
WIDE, ROW, LETTER, LABEL = 430, 24, 9, 135


@dataclass(frozen=True)
class Bar:
    """One month of the drawing: its words, and how far its two parts reach."""

    label: str
    amount: str
    y: int
    called: int
    to_come: int

    @property
    def words_y(self) -> int:
        """The line its words stand on."""
        return self.y + 16


def bars(ahead: list[Expected], currency: str) -> tuple[list[Bar], int]:
    """The rows of the drawing and its height; the room of the bars is what the longest amount leaves."""
    amounts = [format_money(one.total, currency) for one in ahead]
    room = max(20, WIDE - LABEL - LETTER * max((len(text) for text in amounts), default=0) - 10)
    most = max((one.total for one in ahead), default=0) or 1
    drawn = [
        Bar(month_name(one.first), text, row * ROW, one.called * room // most, one.to_come * room // most)
        for row, (one, text) in enumerate(zip(ahead, amounts, strict=True))
    ]
    return drawn, ROW * len(ahead)


def _root(request: AuthedRequest, slug: str) -> tuple[Commons, Budget]:
    """The commons and its pot; not found for who may not read this page of it."""
    commons = get_object_or_404(Commons, slug=slug)
    root = root_budget(commons)
    if not may(request.user, "support.read", scopes=tree_of(root)):
        raise Http404
    return commons, root


@private
@require_safe
def support(request: AuthedRequest, slug: str) -> HttpResponse:
    """Recurring promises, who came and who left, the next twelve months."""
    commons, root = _root(request, slug)
    told = support_of(actor=request.user, root=root, today=host_day(timezone.now()))
    drawn, height = bars(told.ahead, told.currency)
    context = {
        "commons": commons, "told": told, "months": list(reversed(told.months)), "bars": drawn, "height": height,
        "wide": WIDE, "label": LABEL, "total": sum(one.total for one in told.ahead),
        "moves": [
            {"first": month.first, "came": month.came, "left": month.left, "altered": month.altered}
            for month in reversed(told.months)
            if month.came or month.left or month.altered
        ],
    }  # fmt: skip
    return render(request, "support/support.html", context)


@private
@require_safe
def support_file(request: AuthedRequest, slug: str) -> HttpResponse:
    """The same figures as a file of values; a spreadsheet shows what is in it and runs nothing."""
    commons, root = _root(request, slug)
    told = support_of(actor=request.user, root=root, today=host_day(timezone.now()))
    name = _("supporters") + f"-{commons.slug}.csv"
    return HttpResponse(
        "\ufeff" + _table(told), content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": content_disposition_header(True, name) or ""},
    )  # fmt: skip


def _table(told: Support) -> str:
    """One row for each month behind and ahead, then one for each promise that came, left or changed."""
    currency = told.currency

    def money(amount: int) -> str:
        return decimal_text(amount, currency)

    head = (
        pgettext("column", "what"), pgettext("column", "month"), pgettext("column", "name"),
        pgettext("column", "before"), pgettext("column", "new"), pgettext("column", "lost"),
        pgettext("column", "changed"), pgettext("column", "after"), pgettext("column", "called"),
        pgettext("column", "to_come"), pgettext("column", "currency"),
    )  # fmt: skip
    promised, expected = pgettext("kind of row", "promised_a_year"), pgettext("kind of row", "expected")
    rows = [csv_row(head)]
    for month in told.months:
        figures = (month.before, month.new, month.lost, month.changed, month.after)
        day = f"{month.first:%Y-%m}"
        rows.append(csv_row((promised, day, "", *(money(figure) for figure in figures), "", "", currency)))
        for kind, moves in (
            (pgettext("column", "new"), month.came), (pgettext("column", "lost"), month.left),
            (pgettext("column", "changed"), month.altered),
        ):  # fmt: skip
            for move in moves:
                ends = (money(move.before), "", "", "", money(move.after))
                rows.append(csv_row((kind, day, safe_text(move.name or ""), *ends, "", "", currency)))
    for one in told.ahead:
        figured = (money(one.called), money(one.to_come))
        rows.append(csv_row((expected, f"{one.first:%Y-%m}", *("",) * 6, *figured, currency)))
    return "".join(rows)


urlpatterns = [
    path("commons/<slug:slug>/support/", support, name="support"),
    path("commons/<slug:slug>/support.csv", support_file, name="support_file"),
]
