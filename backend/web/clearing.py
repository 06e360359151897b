"""What is in each purse that money only passes through, item by item: a page, and the same as a file."""

from datetime import date

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from backend.banking.explaining import Explained, explain
from backend.core.money import decimal_text
from backend.exports.tables import csv_row, safe_text
from backend.identity.permissions import require
from backend.identity.services import host_day
from backend.web.pages import AuthedRequest, private

COLUMNS = ("purse", "account", "sort", "what", "id", "name", "since", "days", "amount", "currency", "ledger", "gap")


@private
@require_safe
def clearing(request: AuthedRequest) -> HttpResponse:
    """What is in each purse that money only passes through, item by item, since when and how long."""
    require(request.user, "bank.read")
    today = host_day(timezone.now())
    purses = explain()
    if request.GET.get("format") == "csv":
        answer = HttpResponse(_table(purses, today), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="clearing-{today.isoformat()}.csv"'
        return answer
    return render(request, "receipts/clearing.html", {"purses": [(one, _aged(one, today)) for one in purses]})


def _aged(purse: Explained, today: date) -> list[tuple[object, int]]:
    return [(piece, (today - piece.since).days) for piece in purse.pieces]


def _table(purses: list[Explained], today: date) -> str:
    """One row per piece, the oldest of each purse first; each row repeats what the ledger says of its purse."""
    rows = [csv_row(COLUMNS)]
    for purse in purses:
        facts = tuple(decimal_text(amount, purse.currency) for amount in (purse.balance, purse.gap))
        head = (purse.kind, safe_text(purse.account), purse.sort)
        for piece in purse.pieces:
            age = str((today - piece.since).days)
            told = (piece.what, piece.id, safe_text(piece.name), piece.since.isoformat(), age)
            rows.append(csv_row((*head, *told, decimal_text(piece.amount, purse.currency), purse.currency, *facts)))
        if not purse.pieces:  # a balance that nothing explains has its row too
            rows.append(csv_row((*head, "", "", _("explained by nothing"), "", "", "0", purse.currency, *facts)))
    return "".join(rows)


urlpatterns = [path("clearing/", clearing, name="clearing")]
