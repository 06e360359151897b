"""The pages of the bank: where the statements stand, and the identification of a line."""

from typing import Any

from django.contrib import messages
from django.db.models import Case, F, Q, When
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.banking.checking import check_accounts, stands
from backend.banking.identifying import deposits_for, identifiable, reversible
from backend.banking.models import BankLine, LinePart, Statement
from backend.banking.provider_lines import provider_payouts_for, settle_provider_payout, undo_provider_payout
from backend.banking.services import (
    identify,
    payout_came_back,
    refund_came_back,
    say_another,
    say_same,
    settle_deposit,
    take_back,
    take_back_whole,
)
from backend.banking.splitting import own_accounts
from backend.banking.undoing import Whole, parts_of, payouts_returned, refunds_returned, root_of, whole_of
from backend.core.errors import Conflict, Invalid
from backend.identity.permissions import may, require
from backend.payments.models import Deposit, Payment, ProviderPayout, Refund, Surplus, TakeBack
from backend.payments.services import split_take_back
from backend.payouts.models import Payout, PayoutBatch
from backend.web.acts import form_page
from backend.web.forms_receipts import UndoForm
from backend.web.pages import AuthedRequest, cut, private
from backend.web.receipts import preview
from backend.web.suggestions import payout_reasons, suggest

PAYER = ("organisation", "person", "donor")
OF_PLEDGE = [f"pledge__{one}" for one in PAYER]
OF_PART = [f"payment__{one}" for one in OF_PLEDGE]


@private
@require_safe
def bank(request: AuthedRequest) -> HttpResponse:
    """Each account: what the bank says, what the books say, the gap; then the lines, by state."""
    require(request.user, "bank.read")
    lines = BankLine.visible_to(request.user)
    names = dict(BankLine.STATES)
    counts = {state: lines.filter(state=state).count() for state in names}
    asked_for = request.GET.get("state", "")
    chosen = asked_for if counts.get(asked_for) else ""
    shown = lines.filter(state=chosen) if chosen else lines
    latest = list(
        Statement.visible_to(request.user).select_related("account", "imported_by").order_by("-imported_at", "-id")[:10]
    )
    where = stands(latest)
    return render(
        request,
        "bank/bank.html",
        {
            "accounts": check_accounts(),
            "page": cut(shown.select_related("account").order_by("-booked_on", "-id"), request),
            "states": [(state, names[state], counts[state]) for state in names if counts[state]],
            "chosen": chosen,
            "count": sum(counts.values()),
            "statements": [(one, where[one.pk]) for one in latest],
            "can_import": may(request.user, "bank.import"),
        },
    )


@private
@require_http_methods(["GET", "HEAD", "POST"])
def bank_line(request: AuthedRequest, line_id: int) -> HttpResponseBase:
    """One line of a statement; when nobody knows what it is, the pledges it may pay, then what will be booked."""
    rows = BankLine.visible_to(request.user).select_related("account", "statement", "resembles__statement")
    line = get_object_or_404(rows, pk=line_id)
    sent = request.POST if request.method == "POST" else request.GET
    if line.state == "suspect" or "which" in sent:
        return _suspect(request, line)
    if line.amount < 0:
        return _debit(request, line)
    for what, said in (
        ("deposit", _deposit),
        ("payout", _payout),
        ("refund", _refund),
        ("back", _back),
        ("apart", _apart),
    ):
        if what in sent:
            return said(request, line, sent[what])
    refusal, status = None, 200
    chosen_id = sent.get("pledge", "")
    if request.method == "POST":
        try:
            identify(actor=request.user, line_id=line.pk, pledge_id=chosen_id, now=timezone.now())
        except Invalid as error:
            refusal, status = error, error.status
        else:
            messages.success(
                request,
                _("The line is identified and booked: the money left suspense for the pot. Nothing left the bank."),
            )
            return redirect("bank_line", line.pk)
    pledges = identifiable(request.user, line.currency)
    can_identify = line.state == "suggested" and line.amount > 0 and may(request.user, "bank.match")
    chosen = pledges.filter(pk=chosen_id).select_related(*PAYER, "budget").first() if can_identify else None
    context = _booked(request, line) | {
        "line": line, "refusal": refusal, "can_identify": can_identify, "chosen": chosen,
    }  # fmt: skip
    if chosen is not None:
        parts, over = preview(chosen, line.amount)
        context |= {"parts": parts, "over": over, "together": sum(part.awaited for part in parts)}
    elif can_identify:
        context |= _candidates(request, line, pledges)
        context["refunds"] = refunds_returned(request.user, line)
        context["back"] = payouts_returned(request.user, line)
        context["deposits"] = deposits_for(request.user, line).select_related("prepared_by")
        context["payouts"] = [(one, payout_reasons(line, one)) for one in provider_payouts_for(request.user, line)]
    return render(request, "bank/line.html", context, status=status)


def _booked(request: AuthedRequest, line: BankLine) -> dict[str, Any]:
    """What a line was booked as: the payments of its reference, what is left over, or a deposit."""
    payments = Payment.visible_to(request.user).select_related(*OF_PLEDGE, "pledge__budget")
    mine = Q(source=line.fact) | Q(source__startswith=f"{line.fact}:")
    return {
        "payments": list(payments.filter(mine).exclude(source__startswith=f"{line.fact}:s:").order_by("pk")),
        "surplus": Surplus.visible_to(request.user).filter(source=f"{line.fact}:s").first(),
        "deposit": Deposit.visible_to(request.user).filter(line=line.source).first(),
        "payout": ProviderPayout.objects.filter(line=line.source).first(),
        "may_undo": may(request.user, "bank.match"),
        "said": said_of(line),
        "refund": Refund.visible_to(request.user).filter(pk=line.matched_to).first(),
        "returned": Payout.objects.filter(pk=line.matched_to, returned_line=line.source).first(),
    }


def said_of(line: BankLine) -> list[tuple[LinePart, str]]:
    """The parts that a person said of a line, those to accounts with the name of theirs."""
    names = dict(own_accounts())
    rows = LinePart.objects.filter(line=line, undone=False).select_related("payment__pledge__budget", *OF_PART)
    return [(one, names.get(one.number, "")) for one in rows.order_by("place")]


def _suspect(request: AuthedRequest, line: BankLine) -> HttpResponseBase:
    """A line that looks like one known already: both side by side, and a person says which it is."""
    refusal, status = None, 200
    which = request.POST.get("which", "")
    if request.method == "POST":
        try:
            if which == "same":
                say_same(actor=request.user, line_id=line.pk, now=timezone.now())
            elif which == "another":
                say_another(actor=request.user, line_id=line.pk, now=timezone.now())
            else:
                raise Invalid("choice_missing", _("Say whether it is the same operation or another one."))
        except (Invalid, Conflict) as error:
            refusal, status = error, error.status
        else:
            same = _("It is the same operation, told twice: it is not booked again. No money moved.")
            another = _("It is another operation: it is booked as any other line.")
            messages.success(request, same if which == "same" else another)
            return redirect("bank_line", line.pk)
    can_say = line.state == "suspect" and may(request.user, "bank.match")
    context = {"line": line, "refusal": refusal, "can_say": can_say, "known": line.resembles}
    return render(request, "bank/suspect.html", context, status=status)


def _refund(request: AuthedRequest, line: BankLine, refund_id: str) -> HttpResponseBase:
    """A credit that may be a refund sent back: what will be booked, then the booking."""
    refusal, status = None, 200
    if request.method == "POST":
        try:
            refund_came_back(actor=request.user, line_id=line.pk, refund_id=refund_id, now=timezone.now())
        except (Invalid, Conflict) as error:
            refusal, status = error, error.status
        else:
            words = _("The refund is owed again: type the account that it goes to. Nothing left the bank.")
            messages.success(request, words)
            return redirect("refund_page", refund_id)
    can_identify = line.state == "suggested" and may(request.user, "bank.match")
    found = refunds_returned(request.user, line) if can_identify else []
    chosen = next((one for one in found if one.pk == refund_id), None)
    if chosen is None and refusal is None:
        return redirect("bank_line", line.pk)
    context = {"line": line, "refusal": refusal, "refund": chosen}
    return render(request, "bank/refund.html", context, status=status)


def _back(request: AuthedRequest, line: BankLine, payout_id: str) -> HttpResponseBase:
    """A credit that may be a payment sent back by the bank of its payee: what will be booked, then the booking."""
    refusal, status = None, 200
    if request.method == "POST":
        try:
            payout_came_back(actor=request.user, line_id=line.pk, payout_id=payout_id, now=timezone.now())
        except (Invalid, Conflict) as error:
            refusal, status = error, error.status
        else:
            words = _("It is owed to its payee again, who is told: a new batch pays it. Nothing left the bank.")
            messages.success(request, words)
            return redirect("payout_page", payout_id)
    can_identify = line.state == "suggested" and may(request.user, "bank.match")
    found = payouts_returned(request.user, line) if can_identify else []
    chosen = next((one for one in found if one.pk == payout_id), None)
    if chosen is None and refusal is None:
        return redirect("bank_line", line.pk)
    context = {"line": line, "refusal": refusal, "payout": chosen}
    return render(request, "bank/payout_returned.html", context, status=status)


def _deposit(request: AuthedRequest, line: BankLine, deposit_id: str) -> HttpResponseBase:
    """A credit that may be a deposit of cheques or cash: what will be booked, then the booking."""
    refusal, status = None, 200
    if request.method == "POST":
        try:
            settle_deposit(actor=request.user, line_id=line.pk, deposit_id=deposit_id, now=timezone.now())
        except (Invalid, Conflict) as error:
            refusal, status = error, error.status
        else:
            messages.success(request, _("The deposit is settled: the bank shows its money. Nothing left the bank."))
            return redirect("bank_line", line.pk)
    can_identify = line.state == "suggested" and may(request.user, "bank.match")
    chosen = deposits_for(request.user, line).filter(pk=deposit_id).first() if can_identify else None
    if chosen is None and refusal is None:
        return redirect("bank_line", line.pk)
    papers = chosen.papers.select_related(*OF_PLEDGE).order_by("pk") if chosen else []
    context = {"line": line, "refusal": refusal, "deposit": chosen, "papers": papers}
    return render(request, "bank/deposit.html", context, status=status)


def _payout(request: AuthedRequest, line: BankLine, payout_id: str) -> HttpResponseBase:
    """A credit that may be a payout of the provider: what will be booked, then the booking."""
    refusal, status = None, 200
    if request.method == "POST":
        try:
            settle_provider_payout(actor=request.user, line_id=line.pk, payout_id=payout_id, now=timezone.now())
        except (Invalid, Conflict) as error:
            refusal, status = error, error.status
        else:
            messages.success(request, _("The provider’s payout is settled: the bank shows its money."))
            return redirect("bank_line", line.pk)
    can_identify = line.state == "suggested" and may(request.user, "bank.match")
    found = provider_payouts_for(request.user, line) if can_identify else []
    chosen = next((one for one in found if one.pk == payout_id), None)
    if chosen is None and refusal is None:
        return redirect("bank_line", line.pk)
    reasons = payout_reasons(line, chosen) if chosen else []
    context = {"line": line, "refusal": refusal, "payout": chosen, "reasons": reasons}
    return render(request, "bank/payout.html", context, status=status)


def _apart(request: AuthedRequest, line: BankLine, _asked: str) -> HttpResponseBase:
    """Take a line and a payout of the provider apart: with a reason, and what will be booked."""
    require(request.user, "bank.match")
    payout = ProviderPayout.objects.filter(line=line.source).first()
    if payout is None and request.method != "POST":
        return redirect("bank_line", line.pk)
    form = UndoForm(request.POST or None)

    def act() -> HttpResponseBase:
        undo_provider_payout(
            actor=request.user, line_id=line.pk, reason=form.cleaned_data["reason"], now=timezone.now()
        )  # fmt: skip
        messages.success(request, _("They are taken apart: the line waits in suspense. Nothing left the bank."))
        return redirect("bank_line", line.pk)

    return form_page(request, form, act, "bank/payout_apart.html", {"line": line, "payout": payout})


def _debit(request: AuthedRequest, line: BankLine) -> HttpResponseBase:
    """A debit: the payouts it settles; or, when nobody knows what it is, the payments that the bank may take back."""
    refusal, status = None, 200
    sent = request.POST if request.method == "POST" else request.GET
    chosen_id, all_of_it = sent.get("payment", ""), sent.get("whole") == "yes"
    if request.method == "POST":
        act = take_back_whole if all_of_it else take_back
        try:
            act(actor=request.user, line_id=line.pk, payment_id=chosen_id, now=timezone.now())
        except (Invalid, Conflict) as error:
            refusal, status = error, error.status
        else:
            messages.success(
                request, _("The payment is taken back in the books. Nobody who was paid loses anything by it.")
            )
            return redirect("bank_line", line.pk)
    payments = Payment.visible_to(request.user).select_related(*OF_PLEDGE, "pledge__budget__commons")
    can_identify = line.state == "suggested" and may(request.user, "bank.match")
    every = reversible(request.user, line.account_id, line.currency).filter(state="succeeded")
    every = every.select_related(*OF_PLEDGE, "pledge__budget__commons")
    fitting = every.filter(amount__gte=F("taken_back") - line.amount)
    chosen = (every if all_of_it else fitting).filter(pk=chosen_id).first() if can_identify else None
    context: dict[str, Any] = {
        "line": line,
        "refusal": refusal,
        "can_identify": can_identify,
        "payment": payments.filter(pk=line.matched_to).first(),
        "taken": TakeBack.objects.filter(source__startswith=f"{line.source}:").count(),
        "may_undo": may(request.user, "bank.match"),
        "said": said_of(line),
        "batch": PayoutBatch.visible_to(request.user).filter(pk=line.matched_to).first(),
        "chosen": chosen,
    }
    if chosen is not None and all_of_it:
        context |= _whole(request, line, chosen)
    elif chosen is not None:
        context["fee"], context["from_budget"], context["missing"] = split_take_back(chosen, -line.amount)
    elif can_identify:
        context["wholes"] = _wholes(request, line, every)
        same_first = Case(When(amount=-line.amount, then=0), default=1)
        context["payments"] = fitting.order_by(same_first, "-received_on", "-pk")[:10]
    return render(request, "bank/debit.html", context, status=status)


def _wholes(request: AuthedRequest, line: BankLine, every: Any) -> list[tuple[Payment, Whole]]:
    """The last transfers that paid several pledges, or more than was awaited, and of which this much is left."""
    found: dict[str, tuple[Payment, Whole]] = {}
    for payment in every.order_by("-received_on", "-pk")[:60]:
        if root_of(payment.source) not in found:
            found[root_of(payment.source)] = payment, whole_of(request.user, line, payment)
    fitting = [pair for pair in found.values() if pair[1].several and pair[1].left >= -line.amount]
    return sorted(fitting, key=lambda pair: pair[1].left != -line.amount)[:5]


def _whole(request: AuthedRequest, line: BankLine, payment: Payment) -> dict[str, Any]:
    """What taking a whole transfer back will book, part by part; nothing when not as much is left of it."""
    whole = whole_of(request.user, line, payment)
    if whole.left < -line.amount or not whole.several:
        return {"chosen": None}
    over, parts = parts_of(whole, -line.amount)
    return {"over": over, "whole": whole, "parts": [(one, part, *split_take_back(one, part)) for one, part in parts]}


def _candidates(request: AuthedRequest, line: BankLine, pledges: Any) -> dict[str, Any]:
    """The pledges that await money, the likeliest first, or those that a search finds."""
    sought = " ".join(request.GET.get("q", "").split())[:80]
    waiting = pledges.select_related(*PAYER, "budget__commons").order_by("-id")
    # Without a search, those that await money and those of who paid from this account before.
    if sought:
        named = Q(organisation__name__icontains=sought) | Q(person__name__icontains=sought)
        waiting = waiting.filter(named | Q(reference__icontains=sought.replace(" ", "")))
    else:
        waiting = waiting.filter(expected__gt=0)
    return {"sought": sought, "suggestions": suggest(line, list(waiting[:500]))[: 20 if sought else 5]}


urlpatterns = [
    path("bank/", bank, name="bank"),
    path("bank/lines/<int:line_id>/", bank_line, name="bank_line"),
]
