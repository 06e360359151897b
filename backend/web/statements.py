"""One statement that was imported: its figures and lines, and the undoing of the import that it came with."""

from collections import Counter
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.banking.checking import stands
from backend.banking.models import BankLine, Statement
from backend.banking.withdrawing import hindrances, imported_with, lines_of, withdraw_import
from backend.identity.permissions import may, require
from backend.web.acts import form_page
from backend.web.forms_receipts import UndoForm
from backend.web.pages import AuthedRequest, cut, private

PEOPLE = ("account", "imported_by", "withdrawn_by")


@private
@require_safe
def statement_page(request: AuthedRequest, statement_id: str) -> HttpResponse:
    """One statement: where it stands, and the lines that it brought."""
    rows = Statement.visible_to(request.user).select_related(*PEOPLE)
    statement = get_object_or_404(rows, pk=statement_id)
    lines = BankLine.visible_to(request.user).filter(statement=statement).order_by("booked_on", "pk")
    context: dict[str, Any] = {
        "statement": statement,
        "where": stands([statement])[statement.pk],
        "page": cut(lines, request),
        "can_undo": statement.withdrawn_at is None and _may_undo(request),
    }
    return render(request, "bank/statement.html", context)


def _may_undo(request: AuthedRequest) -> bool:
    return may(request.user, "bank.import") and may(request.user, "bank.match")


@private
@require_http_methods(["GET", "HEAD", "POST"])
def statement_undo(request: AuthedRequest, statement_id: str) -> HttpResponseBase:
    """Undo a whole import: what will be reversed, or the lines that stand in the way; then the act."""
    statement = get_object_or_404(Statement.visible_to(request.user).select_related(*PEOPLE), pk=statement_id)
    require(request.user, "bank.import")
    require(request.user, "bank.match")
    if request.method != "POST" and statement.withdrawn_at is not None:
        return redirect("statement_page", statement.pk)
    form = UndoForm(request.POST or None)

    def act() -> HttpResponseBase:
        withdraw_import(
            actor=request.user, statement_id=statement.pk, reason=form.cleaned_data["reason"], now=timezone.now()
        )
        messages.success(
            request, _("The import is undone in the books. Nothing left the bank; the file can be imported again.")
        )
        return redirect("bank")

    statements = imported_with(statement)
    lines = lines_of(statements)
    states = Counter(line.state for line in lines)
    names = dict(BankLine.STATES)
    context = {
        "statement": statement,
        "statements": statements,
        "count": len(lines),
        "states": [(names[state], states[state]) for state in names if states[state]],
        "hindrances": hindrances(lines),
        "suspended": sum(line.amount for line in lines if line.state == "suggested"),
    }
    return form_page(request, form, act, "bank/statement_undo.html", context)


urlpatterns = [
    path("bank/statements/<str:statement_id>/", statement_page, name="statement_page"),
    path("bank/statements/<str:statement_id>/undo/", statement_undo, name="statement_undo"),
]
