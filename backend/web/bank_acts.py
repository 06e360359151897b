"""What a person says of one bank line on pages of their own: booked, split, told twice, undone."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from backend.banking.groups import PAYER
from backend.banking.identifying import identifiable
from backend.banking.models import BankLine
from backend.banking.proposing import propose
from backend.banking.splitting import Part, book_to, own_accounts, split_line
from backend.banking.unmatching import mark_duplicate, twins_of, undo_match
from backend.core.errors import Conflict, Invalid
from backend.core.money import decimal_text, format_money, parse_amount
from backend.identity.permissions import require
from backend.web.acts import form_page
from backend.web.bank_inbox import note_last, undo_context
from backend.web.forms_receipts import reason_field
from backend.web.pages import AuthedRequest, private

PLACES = 6  # parts that the page has room for
FOUND = 30


class BookForm(forms.Form):
    """The account of the chart that a line is booked to."""

    number = forms.ChoiceField(
        label=gettext_lazy("Account of the host’s own books"), widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Choose an account.")},
    )  # fmt: skip

    def __init__(self, *args: Any, came: bool, **kwargs: Any) -> None:
        """Offer the accounts that may be chosen, interest first of money that came, charges of what left."""
        super().__init__(*args, **kwargs)
        field = self.fields["number"]
        assert isinstance(field, forms.ChoiceField)
        first = "768" if came else "627"
        rows = sorted(own_accounts(), key=lambda row: row[0] != first)
        field.choices = [(number, f"{number} {name}") for number, name in rows]


class UndoMatchForm(forms.Form):
    """Why what was said of a line is undone."""

    reason = reason_field(gettext_lazy("It is kept in the audit trail."), required=False)


def _line(request: AuthedRequest, line_id: int) -> BankLine:
    """A line that the reader may act on; 404 first, then 403."""
    line = get_object_or_404(BankLine.visible_to(request.user).select_related("account"), pk=line_id)
    require(request.user, "bank.match")
    return line


@private
@require_http_methods(["GET", "HEAD", "POST"])
def bank_book(request: AuthedRequest, line_id: int) -> HttpResponseBase:
    """Book a line to an account of the host's own."""
    line = _line(request, line_id)
    form = BookForm(request.POST or None, came=line.amount > 0)

    def act() -> HttpResponseBase:
        number = form.cleaned_data["number"]
        done = book_to(actor=request.user, line_id=line.pk, number=number, now=timezone.now())
        return _done(request, done)

    return form_page(request, form, act, "bank/book.html", {"line": line, "waits": line.state == "suggested"})


@private
@require_http_methods(["GET", "HEAD", "POST"])
def bank_undo(request: AuthedRequest, line_id: int) -> HttpResponseBase:
    """Undo what a line was said to be."""
    line = _line(request, line_id)
    form = UndoMatchForm(request.POST or None)

    def act() -> HttpResponseBase:
        undo_match(
            actor=request.user, line_id=line.pk, reason=form.cleaned_data["reason"], now=timezone.now()
        )  # fmt: skip
        messages.success(request, _("It is undone: the line waits again. Nothing left the bank."))
        return redirect("bank_inbox")

    if request.method == "POST" and not request.POST.get("reason"):
        form = UndoMatchForm({"reason": ""})
    return form_page(request, form, act, "bank/undo.html", undo_context(line))


@private
@require_http_methods(["GET", "HEAD", "POST"])
def bank_twice(request: AuthedRequest, line_id: int) -> HttpResponseBase:
    """Say that a line is another one, told twice: which one is chosen among those of its account and amount."""
    line = _line(request, line_id)
    twins = sorted(twins_of(request.user, line), key=lambda one: (abs(one.booked_on - line.booked_on), one.pk))[:FOUND]

    def act() -> HttpResponseBase:
        chosen = request.POST.get("of", "")
        if not chosen.isdecimal() or len(chosen) > 18:
            raise Invalid("twin_not_found", _("Choose the line that this one repeats."), param="of")
        mark_duplicate(actor=request.user, line_id=line.pk, of_id=int(chosen), now=timezone.now())
        note_last(request, line)
        messages.success(request, _("It is marked as told twice, and counts no more. No money moved at the bank."))
        return redirect("bank_inbox")

    context = {"line": line, "twins": twins, "waits": line.state == "suggested"}
    return _page(request, act, "bank/twice.html", context)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def bank_split(request: AuthedRequest, line_id: int) -> HttpResponseBase:
    """Split a line over pledges and accounts of the chart."""
    line = _line(request, line_id)
    sent = request.POST if request.method == "POST" else request.GET
    typed = list(zip([*sent.getlist("what"), *[""] * PLACES], [*sent.getlist("amount"), *[""] * PLACES], strict=False))
    typed = typed[:PLACES]
    sought = " ".join(sent.get("q", "").split())[:80]

    def act() -> HttpResponseBase:
        done = split_line(actor=request.user, line_id=line.pk, parts=_parts(line, typed), now=timezone.now())
        return _done(request, done)

    places = [{"place": place, "what": what, "amount": amount} for place, (what, amount) in enumerate(typed, start=1)]
    context = {
        "line": line, "places": places, "sought": sought, "waits": line.state == "suggested",
        "pledges": _choices(request, line, sought, [what for what, _amount in typed]) if line.amount > 0 else [],
        "accounts": own_accounts(),
    }  # fmt: skip
    return _page(request, None if "search" in request.POST else act, "bank/split.html", context)


def _parts(line: BankLine, typed: list[tuple[str, str]]) -> list[Part]:
    """What was typed, as parts; a place left empty is none."""
    found, sign = [], 1 if line.amount > 0 else -1
    for what, amount in typed:
        if not what and not amount.strip():
            continue
        cents = parse_amount(amount, line.currency)
        kind, _mark, key = what.partition(":")
        found.append(Part(sign * cents, pledge=key) if kind == "pledge" else Part(sign * cents, number=key))
    return found


def _choices(request: AuthedRequest, line: BankLine, sought: str, chosen: list[str]) -> list[tuple[str, str]]:
    """The pledges to choose from: those proposed, those that a search finds, those chosen already."""
    rows = identifiable(request.user, line.currency).filter(expected__gt=0)
    rows = rows.select_related(*PAYER, "budget__commons", "budget__parent")
    proposed = propose(request.user, [line]).of.get(line.pk, [])
    keys = {one.pledge.pk for one in proposed if one.pledge} | {row.pk for one in proposed for row, _cents in one.parts}
    keys |= {what.partition(":")[2] for what in chosen if what.startswith("pledge:")}
    mine = Q(pk__in=keys)
    if sought:
        named = Q(organisation__name__icontains=sought) | Q(person__name__icontains=sought)
        mine |= named | Q(reference__icontains=sought.replace(" ", ""))
    found = sorted(rows.filter(mine)[: FOUND + len(keys)], key=lambda one: (one.payer_name, one.pk))
    return [
        (one.pk, f"{one.payer_name}, {one.budget.full_name}: {format_money(one.expected, one.currency)}")
        for one in found
    ]


def _page(
    request: AuthedRequest, act: "Callable[[], HttpResponseBase] | None", template: str, context: dict[str, Any]
) -> HttpResponseBase:
    """Show a page; when it is sent, act, or say on it what is refused."""
    refusal, status = None, 200
    if request.method == "POST" and act is not None:
        try:
            return act()
        except (Invalid, Conflict) as error:
            refusal, status = error, error.status
    line = context["line"]
    context |= {"refusal": refusal, "typed_amount": decimal_text(abs(line.amount), line.currency)}
    return render(request, template, context, status=status)


def _done(request: AuthedRequest, line: BankLine) -> HttpResponseBase:
    note_last(request, line)
    amount = format_money(line.amount, line.currency)
    messages.success(request, _("%(amount)s is booked. Nothing left the bank.") % {"amount": amount})
    return redirect("bank_inbox")


urlpatterns = [
    path("bank/lines/<int:line_id>/book/", bank_book, name="bank_book"),
    path("bank/lines/<int:line_id>/split/", bank_split, name="bank_split"),
    path("bank/lines/<int:line_id>/twice/", bank_twice, name="bank_twice"),
    path("bank/lines/<int:line_id>/undo/", bank_undo, name="bank_undo"),
]
